import { expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { decode } from '../../../src/operators/decode.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { definePipeline, type Pipeline } from '../../../src/runtime/pipeline.ts'
import { RecordView } from '../../../src/runtime/record.ts'
import { StreamTask } from '../../../src/runtime/streamTask.ts'
import type { Table } from '../../../src/runtime/table.ts'
import { MemoryCheckpointStore } from '../../../src/testing/memoryCheckpointStore.ts'
import { MemoryObjectStore } from '../../../src/testing/memoryObjectStore.ts'
import { Random } from '../../../src/testing/random.ts'
import { randomAdversity } from '../../../src/testing/simulation/adversity.ts'
import { differencesOf, type Outcome, readOutcome } from '../../../src/testing/simulation/outcome.ts'
import { runWithAdversity } from '../../../src/testing/simulation/simulate.ts'

interface Count {
  readonly start: number
  readonly count: number
  readonly revision: number
}

const counts: Table<Count> = {
  name: 'counts',
  mode: 'upsert',
  key: ['start'],
  revision: 'revision',
  columns: [
    { name: 'start', type: 'timestamptz', of: (row) => row.start },
    { name: 'count', type: 'integer', of: (row) => row.count },
    { name: 'revision', type: 'integer', of: (row) => row.revision },
  ],
}

/** Its topic has no heartbeats, so where no record comes for a while the watermark follows the clock. */
const pipeline = definePipeline({
  name: 'idle',
  idleAfterMs: 300,
  build: (records) => ({
    counts: {
      table: counts,
      rows: records.pipe(
        decode({ decode: (record) => Number(record.valueText()) }),
        eventTime({ of: (time) => time, maxOutOfOrdernessMs: 100 }),
        tumblingWindow({ name: 'windows', sizeMs: 1_000, by: () => 'all' }),
        aggregateWindow<number, number, Count>({
          initial: () => 0,
          add: (count) => count + 1,
          result: (count, { start }, { revision }) => ({ start, count, revision }),
        }),
      ),
    },
  }),
})

/** Pushes the records again, and moves the watermark where the live run has written that it did. */
async function replay(times: readonly number[], advances: readonly { offset: number; watermark: number }[]) {
  const task = new StreamTask(pipeline as Pipeline, null, 0)
  const advanceAt = (offset: number) => {
    for (const advance of advances) if (advance.offset === offset) task.advanceIdle(advance.watermark)
  }
  const view = new RecordView()
  times.forEach((time, offset) => {
    advanceAt(offset)
    view.offset = offset
    view.timestamp = time
    view.buffer = Buffer.from(String(time))
    view.valueLength = view.buffer.length
    task.push(view)
  })
  advanceAt(times.length)
  const store = new MemoryCheckpointStore()
  const claim = await store.claim({ pipeline: 'idle', topic: 'ticks', partition: 0 })
  await store.commit(claim, { ...task.cut({ now: 0, isFinal: true }), archiveNextOffset: null, objects: [] })
  return readOutcome(store, new MemoryObjectStore())
}

function only(outcome: Outcome, ...names: readonly string[]): Outcome {
  return new Map(names.map((name) => [name, outcome.get(name) ?? []]))
}

it('a replay that takes the recorded idle advances at their offsets gives what the live run gave, crashes and all', async () => {
  let advanced = 0
  let late = 0
  for (let seed = 0; seed < 40; seed++) {
    const random = new Random(`idle ${seed}`)
    let time = Date.UTC(2024, 7, 9)
    const times = Array.from({ length: 80 }, () => {
      time += random.int(0, 60)
      return time - random.int(0, 900)
    })
    const records = times.map((at) => ({ partition: 0, timestamp: at, key: null, value: Buffer.from(String(at)) }))
    const { outcome } = await runWithAdversity(
      { pipeline: pipeline as Pipeline, topic: 'ticks', partitions: 1, records, archive: null, closesOpen: true },
      { ...randomAdversity(seed), appendRecords: 4 },
    )
    const advances = (outcome.get('idle advances') ?? []).map(
      (line) => JSON.parse(line) as { offset: number; watermark: number },
    )
    advanced += advances.length
    late += outcome.get('dead letters')?.length ?? 0
    const names = ['table counts', 'dead letters', 'state']
    expect(
      differencesOf(only(outcome, ...names), only(await replay(times, advances), ...names)),
      `seed ${seed}`,
    ).toEqual([])
  }
  expect(advanced).toBeGreaterThan(100)
  expect(late).toBeGreaterThan(10)
})
