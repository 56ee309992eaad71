import { systemClock } from '../../runtime/clock.ts'
import type { AssignmentListener, LogMembership, LogSource } from '../../runtime/log.ts'
import { type RelayOptions, relayOutbox } from './relayOutbox.ts'

/** What the relay beside a worker needs; see `RelayOptions`. It ends with the worker, so it takes no signal. */
export interface WithRelayOptions extends Omit<RelayOptions, 'signal'> {
  /**
   * A relay that another one has replaced comes back after this long, if its worker still has the partition by then: the other may have been of a
   * process that slept through its own replacement. Default 10 s.
   */
  readonly reclaimAfterMs?: number
}

/** Some partition has to decide who relays, and every log has this one. */
const DECIDING_PARTITION = 0
const DEFAULT_RECLAIM_MS = 10_000

/**
 * The same log for a worker that relays as well: `relayOutbox` runs in the process that works on partition 0, and moves with that partition.
 *
 * Who relays is thus settled by the group, and the fence of the writer stands between two who believe that they do. The worker fails with what the relay
 * cannot go on after. Rows that are still there when the worker ends are sent by the next one. Does not close the writer.
 */
export function withRelay(source: LogSource, options: WithRelayOptions): LogSource {
  return {
    topic: source.topic,
    partitions: () => source.partitions(),
    reader: (partition) => source.reader(partition),
    join: (listener) => joinWithRelay(source, options, listener),
    close: () => source.close(),
  }
}

async function joinWithRelay(
  source: LogSource,
  options: WithRelayOptions,
  listener: AssignmentListener,
): Promise<LogMembership> {
  const { clock = systemClock, reclaimAfterMs = DEFAULT_RECLAIM_MS } = options
  let stopping = new AbortController()
  let ended: Promise<void> = Promise.resolve()
  let isLeaving = false

  const relay = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      if ((await relayOutbox({ ...options, signal })) === 'fenced') await clock.sleep(reclaimAfterMs, signal)
    }
  }
  const start = () => {
    // The group may give the partition once more while the last append is waited for.
    if (isLeaving) return
    stopping = new AbortController()
    const { signal } = stopping
    // One that was asked to stop may still be at its last append, with the same writer.
    ended = ended.then(() => relay(signal)).catch((error: Error) => listener.onFailed?.(error))
  }
  const stop = (): Promise<void> => {
    stopping.abort()
    return ended
  }
  const letGo = async (partitions: readonly number[], told: Promise<void>): Promise<void> => {
    await Promise.all([told, partitions.includes(DECIDING_PARTITION) ? stop() : undefined])
  }
  const member = await source.join({
    onAssign: (partitions) => {
      if (partitions.includes(DECIDING_PARTITION)) start()
      listener.onAssign(partitions)
    },
    onRevoke: (partitions) => letGo(partitions, listener.onRevoke(partitions)),
    onLost: (partitions) => letGo(partitions, listener.onLost?.(partitions) ?? listener.onRevoke(partitions)),
    onFailed: (error) => listener.onFailed?.(error),
  })
  return {
    reportProgress: (partition, nextOffset) => member.reportProgress(partition, nextOffset),
    leave: async () => {
      isLeaving = true
      await stop()
      await member.leave()
    },
  }
}
