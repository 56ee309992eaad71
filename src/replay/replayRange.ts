import { systemClock } from '../runtime/clock.ts'
import type { LogBounds } from '../runtime/log/log.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import type { Checkpoint, DeadLetter, TableWrite, TaskId } from '../runtime/store/checkpoint.ts'
import { type InputPlace, placeName, placeOfInput } from '../runtime/store/inputPlace.ts'
import type { WorkerLimitOptions } from '../runtime/task/workerLimits.ts'
import { Worker } from '../runtime/worker/worker.ts'
import { ArchiveLog, type ArchiveLogOptions } from './archiveLog.ts'
import type { ArchiveManifest } from './archiveManifest.ts'
import { type RecordedRun, ReplayStore } from './replayStore.ts'

/** What is read again, and of whom. */
export interface ReplayOptions {
  /** As it ran live, under the same name. */
  readonly pipeline: Pipeline
  /** Of each input, the leading one first. */
  readonly manifests: readonly ArchiveManifest[]
  readonly store: ObjectStore
  readonly recorded: RecordedRun
  /** As it ran live: what is larger was set aside. */
  readonly limits: WorkerLimitOptions
  /** Where reading begins, by the timestamps of the records, ms UTC; null for where the archive begins. */
  readonly fromTime: number | null
  /** Where it ends, as an archive is told; null for where the archive ends. */
  readonly until: NonNullable<ArchiveLogOptions['until']> | null
  /** Is given what each checkpoint has for the tables, in the order of its task. What it throws, such as `BadRowError`, is as if the store had; it is given the rows again then. */
  readonly take: (task: TaskId, writes: readonly TableWrite[]) => void
  readonly signal: AbortSignal
}

/** What a replay has made besides rows. */
export interface Replayed {
  /** Each with the place that its record is of. */
  readonly deadLetters: readonly (DeadLetter & InputPlace)[]
  readonly places: readonly ReplayedPlace[]
  readonly records: number
}

/** What was read of a partition. */
export interface ReplayedPlace extends InputPlace {
  /** Which input of the pipeline it is of, 0 for the leading one. */
  readonly input: number
  /** Where the archive of the partition began, and where it ended, before it was read. */
  readonly archived: { readonly fromOffset: number; readonly nextOffset: number }
  readonly fromOffset: number
  readonly nextOffset: number
  /** How far the time of the task came, ms UTC. */
  readonly watermark: number | null
}

/** Runs the pipeline over a range of its archive, with the steps of time that were recorded, and hands over what it makes: nothing is written or sent. */
export async function replayRange(options: ReplayOptions): Promise<Replayed> {
  const { pipeline, manifests, store, recorded, limits, fromTime, until, take, signal } = options
  const deadLetters: (DeadLetter & InputPlace)[] = []
  const newest = new Map<number, { readonly task: TaskId; readonly checkpoint: Checkpoint }>()
  const onCheckpoint = (task: TaskId, checkpoint: Checkpoint) => {
    take(task, checkpoint.writes)
    newest.set(task.partition, { task, checkpoint })
    for (const letter of checkpoint.deadLetters)
      deadLetters.push({ ...letter, ...placeOfInput(task, letter.input ?? 0) })
  }
  const logs = manifests.map((manifest) => new ArchiveLog({ manifest, store, ...(until === null ? {} : { until }) }))
  const [source, ...others] = logs as [ArchiveLog, ...ArchiveLog[]]
  const worker = new Worker({
    ...{
      pipeline,
      source,
      others,
      limits,
      archive: null,
      clock: systemClock,
      replayOf: pipeline.name,
      sendsNothing: true,
    },
    store: new ReplayStore(recorded, onCheckpoint),
    from: fromTime === null ? 'earliest' : { time: Math.max(0, fromTime) },
  })
  const archived = await Promise.all(manifests.map(boundsOf))
  const stop = () => worker.stop('now')
  signal.addEventListener('abort', stop, { once: true })
  try {
    const running = worker.run()
    worker.stop(signal.aborted ? 'now' : 'drain')
    await running
  } finally {
    signal.removeEventListener('abort', stop)
  }
  signal.throwIfAborted()
  const reached = reachedBy([...newest.values()])
  const places: ReplayedPlace[] = []
  for (const [input, { topic }] of logs.entries()) {
    const log = logs[input] as ArchiveLog
    for (const partition of await log.partitions()) {
      const { earliest, next } = archived[input]?.[partition] ?? nothing
      const fromOffset = fromTime === null ? earliest : await log.reader(partition).offsetAt(Math.max(0, fromTime))
      const place = { input, topic, partition, archived: { fromOffset: earliest, nextOffset: next }, fromOffset }
      places.push({ ...place, ...(reached.get(placeName(place)) ?? { nextOffset: fromOffset, watermark: null }) })
    }
  }
  return { deadLetters, places, records: worker.status().reduce((sum, { records }) => sum + records, 0) }
}

const nothing: LogBounds = { earliest: 0, next: 0 }

/** By partition. */
async function boundsOf(manifest: ArchiveManifest): Promise<readonly LogBounds[]> {
  const count = await manifest.partitions()
  return Promise.all(Array.from({ length: count }, (_, partition) => manifest.bounds(partition)))
}

/** By place, how far it was read: what every task reads, as far as all of them have. */
function reachedBy(
  tasks: readonly { readonly task: TaskId; readonly checkpoint: Checkpoint }[],
): ReadonlyMap<string, Pick<ReplayedPlace, 'nextOffset' | 'watermark'>> {
  const reached = new Map<string, Pick<ReplayedPlace, 'nextOffset' | 'watermark'>>()
  for (const { task, checkpoint } of tasks) {
    const { watermark, others = [] } = checkpoint
    const nextOffsets = [checkpoint.nextOffset, ...others.map(({ nextOffset }) => nextOffset)]
    for (const [input, nextOffset] of nextOffsets.entries()) {
      const name = placeName(placeOfInput(task, input))
      const before = reached.get(name)?.nextOffset ?? Number.POSITIVE_INFINITY
      reached.set(name, { nextOffset: Math.min(before, nextOffset), watermark })
    }
  }
  return reached
}
