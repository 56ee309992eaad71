import type { OutgoingRecord, OutgoingTopic } from '../../src/runtime/log/log.ts'
import { kinds, type NexmarkEvent } from './events.ts'

/** The topics of one set of events, open for appends. */
export type NexmarkTopics = Readonly<Record<(typeof kinds)[number], OutgoingTopic>>

const appendedAtOnce = 5_000

/**
 * Writes the events into their topics, each in the order of the events: as JSON, under its id, a bid under that of its auction, so that it lies in the partition of the auction. A record's timestamp is
 * the time of its event.
 */
export async function fill(topics: NexmarkTopics, events: Iterable<NexmarkEvent>): Promise<void> {
  const pending = new Map<string, OutgoingRecord[]>(kinds.map((kind) => [kind, []]))
  let written = 0
  const flush = async () => {
    written += 1
    for (const kind of kinds) {
      const records = pending.get(kind) as OutgoingRecord[]
      if (records.length > 0) await topics[kind].writer.append(records, String(written))
      pending.set(kind, [])
    }
  }
  for (const kind of kinds) await topics[kind].writer.claim('nexmark')
  let waiting = 0
  for (const { kind, value } of events) {
    const key = Buffer.from(String('auction' in value ? value.auction : value.id))
    pending.get(kind)?.push({
      partition: topics[kind].partitionOf(key, 0),
      timestamp: value.dateTime,
      key,
      value: Buffer.from(JSON.stringify(value)),
    })
    waiting += 1
    if (waiting < appendedAtOnce) continue
    await flush()
    waiting = 0
  }
  await flush()
}
