import { ConfigurationError } from '../../runtime/errors.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { recordBytesAtMost } from './encode.ts'

/** How large one batch may grow; a record that is larger alone is a batch of its own. */
export interface BatchLimits {
  readonly maxRecords: number
  readonly maxBytes: number
}

/**
 * Gives the records of each partition in their order, cut into lists that are one batch each, by rising partition.
 *
 * Throws `ConfigurationError` for a partition that the topic does not have, before anything is written.
 */
export function groupIntoBatches(
  topic: string,
  partitions: number,
  records: readonly OutgoingRecord[],
  limits: BatchLimits,
): ReadonlyMap<number, readonly OutgoingRecord[][]> {
  const lists = new Map<number, OutgoingRecord[][]>()
  const bytes = new Map<number, number>()
  for (const record of records) {
    const { partition } = record
    if (!(Number.isInteger(partition) && partition >= 0 && partition < partitions)) {
      throw new ConfigurationError(
        `Topic ${topic} has partitions 0 to ${partitions - 1}, got a record for partition ${partition}.`,
        { topic },
      )
    }
    const batches = lists.get(partition) ?? []
    if (batches.length === 0) lists.set(partition, batches)
    let open = batches.at(-1)
    const size = recordBytesAtMost(record)
    const grown = (bytes.get(partition) ?? 0) + size
    if (open === undefined || open.length >= limits.maxRecords || grown > limits.maxBytes) {
      open = []
      batches.push(open)
      bytes.set(partition, size)
    } else {
      bytes.set(partition, grown)
    }
    open.push(record)
  }
  return new Map([...lists].sort(([left], [right]) => left - right))
}
