import { setTimeout as sleep } from 'node:timers/promises'
import { map, merge } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { ArchiveLog } from '../../src/replay/archiveLog.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { type Codec, Rejection } from '../../src/runtime/log/codec.ts'
import type { LogSource, LogWriter } from '../../src/runtime/log/log.ts'
import type { ObjectStore } from '../../src/runtime/objectStore.ts'
import { definePipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { Archive } from '../../src/runtime/store/archive.ts'
import type { CheckpointStore } from '../../src/runtime/store/checkpoint.ts'
import type { AppendTable } from '../../src/runtime/store/table.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { MemoryCheckpointStore } from '../../src/testing/memoryCheckpointStore.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import { Random } from '../../src/testing/random.ts'
import { memoryManifest } from '../support/memoryManifest.ts'

/** A fresh topic of three empty partitions. */
export interface TopicUnderTest {
  readonly source: LogSource
  readonly writer: LogWriter
  dispose(): Promise<void>
}

interface Seen {
  readonly value: string
}

const tableOf = (name: string): AppendTable<Seen> => ({
  mode: 'append',
  name,
  columns: [{ name: 'value', type: 'text', of: ({ value }) => value }],
})

interface Event {
  readonly id: string
  readonly at: number
}

const codec: Codec<Event> = {
  decode(record) {
    const text = record.valueText() ?? ''
    return text.startsWith('!') ? new Rejection('refused', text) : (JSON.parse(text) as Event)
  },
}

/** What comes in the order in which it comes, and what windows over the least of three times make of it. */
function pipelineOver(name: string, topics: readonly string[]) {
  const [a, b, table] = topics as [string, string, string]
  return definePipeline({
    name,
    inputs: {
      a: { topic: a, codec, idleAfterMs: 60 },
      b: { topic: b, codec, idleAfterMs: 90 },
      table: { topic: table, codec, movesTime: false },
    },
    build({ a, b, table }) {
      const timed = (of: typeof a, input: string) =>
        of.pipe(eventTime({ name: `time of ${input}`, of: ({ at }) => at, maxOutOfOrdernessMs: 5 }))
      const counted = merge(timed(a, 'a'), timed(b, 'b')).pipe(
        tumblingWindow({ name: 'w', sizeMs: 20, by: () => 'all', allowedLatenessMs: 40 }),
        aggregateWindow<Event, string[], Seen>({
          initial: () => [],
          add: (ids, { id }) => [...ids, id],
          result: (ids, { start }, { revision }) => ({ value: `${start} ${revision} ${ids.join()}` }),
        }),
      )
      const order = merge(a, b, table).pipe(map(({ id, at }) => ({ value: `${id}@${at}` })))
      const raw = { rawA: toArchive(a), rawB: toArchive(b), rawTable: toArchive(table) }
      return { ...raw, order: toPostgres(order, tableOf('order')), counted: toPostgres(counted, tableOf('counted')) }
    },
  })
}

const partitions = 3

/** Several inputs of one task over a log: what was made of them live, with crashes and takeovers, is what a replay makes of the logs and the notes. */
export function describeMergedInputs(name: string, openTopic: () => Promise<TopicUnderTest>, runs: number): void {
  describe(`${name}, merged`, () => {
    test.each(Array.from({ length: runs }, (_, i) => i + 1))(
      'a replay makes of the logs, or of their archives, and the notes what was made live (seed %i)',
      async (seed) => {
        const topics = await Promise.all([openTopic(), openTopic(), openTopic()])
        try {
          const live = new MemoryCheckpointStore()
          const objects = new MemoryObjectStore()
          await liveRun(new Random(seed), topics, live, objects)
          const logs = topics.map(({ source }) => source)
          for (const sources of [logs, logs.map(({ topic }) => archiveOf(topic, live, objects))]) {
            const replayed = new MemoryCheckpointStore()
            const replay = workerOver(sources, withRecordsOf(live, replayed), null, { name: 'again', replayOf: 'live' })
            const running = replay.run()
            replay.stop('drain-and-close')
            await running
            for (const table of ['order', 'counted'])
              expect(byPartition(replayed, table)).toEqual(byPartition(live, table))
            expect(lettersOf(replayed)).toEqual(lettersOf(live))
            expect(await notesOf(replayed, topics, 'again')).toEqual(await notesOf(live, topics, 'live'))
          }
        } finally {
          await Promise.all(topics.map((topic) => topic.dispose()))
        }
      },
      60_000,
    )
  })
}

function archiveOf(topic: string, live: MemoryCheckpointStore, store: ObjectStore): LogSource {
  const objectsOf = (partition: number) =>
    live.objects().filter((object) => object.topic === topic && object.partition === partition)
  return new ArchiveLog({ manifest: memoryManifest({ pipeline: 'live', topic }, partitions, objectsOf), store })
}

async function liveRun(
  random: Random,
  topics: readonly TopicUnderTest[],
  store: CheckpointStore,
  objects: ObjectStore,
): Promise<void> {
  const sources = topics.map(({ source }) => source)
  const archive = rawArchive({ store: objects, compression: 'inline', maxRecords: 20 })
  const appending = appendAll(random.fork('append'), topics)
  let isDone = false
  void appending.finally(() => {
    isDone = true
  })
  const life = random.fork('life')
  let worker = workerOver(sources, store, archive, { name: 'live' })
  let running = worker.run()
  while (!isDone) {
    await sleep(life.int(10, 80))
    if (life.chance(0.5)) continue
    // The next one claims while the first still runs, so what that has not committed is decided about anew.
    const older = { worker, running }
    if (life.chance(0.5)) older.worker.stop('now')
    worker = workerOver(sources, store, archive, { name: 'live' })
    running = worker.run()
    await sleep(life.int(0, 20))
    older.worker.stop('now')
    await older.running
  }
  await appending
  worker.stop('drain-and-close')
  await running
}

async function appendAll(random: Random, topics: readonly TopicUnderTest[]): Promise<void> {
  for (const { writer } of topics) await writer.claim('test')
  let now = 0
  for (let i = 0; i < 60; i++) {
    const topic = random.pick(topics)
    const input = topics.indexOf(topic)
    const records = Array.from({ length: random.int(1, 4) }, (_, n) => {
      now += random.int(0, 4)
      const at = Math.max(0, now - random.int(0, 12))
      const id = `${input}.${i}.${n}`
      const partition = random.int(0, partitions - 1)
      const value = random.chance(0.05) ? `!${id}` : JSON.stringify({ id: `${partition}/${id}`, at })
      return { partition, timestamp: at, key: null, value: Buffer.from(value) }
    })
    await topic.writer.append(records, String(i))
    if (random.chance(0.6)) await sleep(random.int(0, 30))
    if (random.chance(0.05)) await sleep(150)
  }
}

function workerOver(
  sources: readonly LogSource[],
  store: CheckpointStore,
  archive: Archive | null,
  { name, replayOf }: { readonly name: string; readonly replayOf?: string },
): Worker {
  const [source, ...others] = sources as [LogSource, ...LogSource[]]
  return new Worker({
    pipeline: pipelineOver(
      name,
      sources.map(({ topic }) => topic),
    ),
    source,
    others,
    store,
    archive,
    clock: systemClock,
    limits: { checkpointIntervalMs: 15, fetchMaxWaitMs: 20 },
    ...(replayOf === undefined ? {} : { replayOf }),
  })
}

function withRecordsOf(recorded: CheckpointStore, store: CheckpointStore): CheckpointStore {
  return {
    claim: (...asked) => store.claim(...asked),
    commit: (...asked) => store.commit(...asked),
    recordedSteps: (...asked) => recorded.recordedSteps(...asked),
    mergeNotes: (...asked) => recorded.mergeNotes(...asked),
    answers: (...asked) => recorded.answers(...asked),
    outbox: store.outbox,
    close: () => store.close(),
  }
}

/** Rows in their order; those of different partitions come in any. */
function byPartition(store: MemoryCheckpointStore, table: string): unknown {
  const rows = store.rows(table).map(({ value }) => String(value))
  const partitionOf = (row: string) => /(\d+)\//.exec(row)?.[1] ?? ''
  return Object.fromEntries(Map.groupBy(rows, partitionOf))
}

function lettersOf(store: MemoryCheckpointStore): unknown {
  return store.deadLetters().map(({ pipeline: _, ...letter }) => letter)
}

async function notesOf(store: MemoryCheckpointStore, topics: readonly TopicUnderTest[], pipeline: string) {
  const topic = topics[0]?.source.topic ?? ''
  const asked = Array.from({ length: partitions }, (_, partition) =>
    topics.map((__, input) => store.mergeNotes({ pipeline, topic, partition }, input, 0, 10_000)),
  )
  return Promise.all(asked.flat())
}
