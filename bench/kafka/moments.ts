import type { LogSource } from '../../src/runtime/log/log.ts'
import type { CheckpointStore } from '../../src/runtime/store/checkpoint.ts'
import { wallClock } from './schedule.ts'

/** Something has come as far as this in a partition. */
export interface Moment {
  readonly partition: number
  /** The first offset, or trade, that it has not come to. */
  readonly until: number
  /** ms of the wall clock, with fractions. */
  readonly at: number
}

/** How far the tasks of a worker had come when, by offsets. */
export interface WorkerMoments {
  /** Handed over to the task. */
  readonly fetched: Moment[]
  /** Through the operators. */
  readonly worked: Moment[]
  /** Given to the store as a checkpoint. */
  readonly cut: Moment[]
  readonly committed: Moment[]
}

/** Remembers from now on how far the readers of the source, and the store, have come. */
export function watchMoments(source: LogSource, store: CheckpointStore): WorkerMoments {
  const moments: WorkerMoments = { fetched: [], worked: [], cut: [], committed: [] }
  const open = source.reader.bind(source)
  source.reader = (partition) => {
    const reader = open(partition)
    const fetch = reader.fetch.bind(reader)
    let until: number | null = null
    reader.fetch = async (options) => {
      if (until !== null) moments.worked.push({ partition, until, at: wallClock() })
      until = null
      const batch = await fetch(options)
      if (batch === null) return null
      until = batch.nextOffset
      moments.fetched.push({ partition, until, at: wallClock() })
      return batch
    }
    return reader
  }
  const commit = store.commit.bind(store)
  store.commit = async (claim, checkpoint) => {
    const place = { partition: claim.task.partition, until: checkpoint.nextOffset }
    moments.cut.push({ ...place, at: wallClock() })
    await commit(claim, checkpoint)
    moments.committed.push({ ...place, at: wallClock() })
  }
  return moments
}
