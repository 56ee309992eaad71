import type { Checkpoint, DeadLetter, TaskId } from '../runtime/checkpoint.ts'
import { systemClock } from '../runtime/clock.ts'
import type { ObjectStore } from '../runtime/objectStore.ts'
import type { Pipeline } from '../runtime/pipeline.ts'
import { rowKeys } from '../runtime/rowKey.ts'
import type { RowText, UpsertTable } from '../runtime/table.ts'
import { Withdrawn } from '../runtime/withdrawn.ts'
import { Worker } from '../runtime/worker.ts'
import { rowText } from '../sinks/postgres/columnText.ts'
import { ArchiveLog, type ArchiveLogOptions } from './archiveLog.ts'
import type { ArchiveManifest } from './archiveManifest.ts'
import { type RecordedRun, ReplayStore } from './replayStore.ts'

/** What is read again, and of whom. */
export interface ReplayOptions {
  /** As it ran live, under the same name. */
  readonly pipeline: Pipeline
  readonly manifest: ArchiveManifest
  readonly store: ObjectStore
  readonly recorded: RecordedRun
  /** Where reading begins, by the timestamps of the records, ms UTC. */
  readonly fromTime: number
  /** Where it ends, as an archive is told. */
  readonly until: NonNullable<ArchiveLogOptions['until']>
  /** Which rows of upsert tables are kept: the others are let go of as they come. */
  readonly keeps: (table: UpsertTable<never>, row: RowText) => boolean
  readonly signal: AbortSignal
}

/** What a replay has made. */
export interface Replayed {
  /** By table: the newest revision of each row, by its key. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<string, RowText>>
  readonly deadLetters: readonly (DeadLetter & { readonly partition: number })[]
  /** By partition: where reading began and ended, and how far time came, ms UTC. */
  readonly places: readonly ReplayedPlace[]
  readonly records: number
}

/** What was read of a partition. */
export interface ReplayedPlace {
  readonly partition: number
  readonly fromOffset: number
  readonly nextOffset: number
  readonly watermark: number | null
}

/** Runs the pipeline over a range of its archive, with the steps of time that were recorded, and keeps what it makes in memory: nothing is written or sent. */
export async function replayRange(options: ReplayOptions): Promise<Replayed> {
  const { pipeline, manifest, store, recorded, fromTime, until, keeps, signal } = options
  const rows = new Map<string, Map<string, RowText>>()
  const deadLetters: (DeadLetter & { readonly partition: number })[] = []
  const reached = new Map<number, Pick<ReplayedPlace, 'nextOffset' | 'watermark'>>()
  const take = ({ partition }: TaskId, { writes, deadLetters: letters, nextOffset, watermark }: Checkpoint) => {
    reached.set(partition, { nextOffset, watermark })
    for (const letter of letters) deadLetters.push({ ...letter, partition })
    for (const { table, rows: written } of writes) if (table.mode === 'upsert') takeRows(rows, table, written, keeps)
  }
  const source = new ArchiveLog({ manifest, store, until })
  const worker = new Worker({
    ...{ pipeline, source, archive: null, clock: systemClock, replayOf: pipeline.name },
    store: new ReplayStore(recorded, take),
    from: { time: Math.max(0, fromTime) },
  })
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
  const places = await Promise.all(
    (await source.partitions()).map(async (partition) => ({
      partition,
      fromOffset: await source.reader(partition).offsetAt(Math.max(0, fromTime)),
      ...(reached.get(partition) ?? { nextOffset: 0, watermark: null }),
    })),
  )
  return { rows, deadLetters, places, records: worker.status().reduce((sum, { records }) => sum + records, 0) }
}

function takeRows(
  rows: Map<string, Map<string, RowText>>,
  table: UpsertTable<never>,
  written: readonly unknown[],
  keeps: ReplayOptions['keeps'],
): void {
  const keyOf = rowKeys(table)
  const revisionAt = table.columns.findIndex(({ name }) => name === table.revision)
  const known = rows.get(table.name) ?? new Map<string, RowText>()
  rows.set(table.name, known)
  for (const row of written) {
    const isGone = row instanceof Withdrawn
    const text = rowText(table, (isGone ? row.row : row) as never)
    if (!keeps(table, text)) continue
    const key = keyOf(text)
    const before = known.get(key)
    if (before !== undefined && Number(before[revisionAt]) > Number(text[revisionAt])) continue
    if (isGone) known.delete(key)
    else known.set(key, text)
  }
}
