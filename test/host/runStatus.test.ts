import { describe, expect, test } from 'vitest'
import type { RunFeed } from '../../src/host/pipelineRun.ts'
import { StatusMeter } from '../../src/host/runStatus.ts'
import { TaskTotals } from '../../src/host/taskTotals.ts'
import { newTaskStatus, type TaskStatus } from '../../src/runtime/task/taskStatus.ts'
import type { IngestProgress } from '../../src/sources/ingest/runIngest.ts'

const totals = new TaskTotals().over([])
const idle = { tasks: [], totals, outlets: [], progress: new Map(), waitingFor: null }
const now = 10_000

function task(partition: number, known: Partial<TaskStatus>): TaskStatus {
  return Object.assign(newTaskStatus(partition), known)
}

/** All that a status asks of a feed, and of its progress. */
const fed = (isOfThePast: boolean, progress: unknown) =>
  new Map([[{ isOfThePast, feed: { name: 'f' } } as RunFeed, progress as IngestProgress]])

describe('StatusMeter', () => {
  test('sums up the tasks; the slowest watermark and the newest checkpoint count', () => {
    const tasks = [
      task(0, {
        records: 10,
        deadLetters: 1,
        watermark: 5_000,
        committedAt: 9_000,
        logEndOffset: 12,
        committedOffset: 10,
      }),
      task(1, { records: 5, watermark: 4_000, committedAt: 9_900, logEndOffset: 5, committedOffset: 5 }),
      task(2, {}),
    ]
    const feed = { bytesDone: 50, bytesTotal: 200, waitingFor: null, counts: {}, newestTime: 7_000 }
    const progress = fed(true, { feed, timeLeftMs: 3_000, waitingFor: null })
    expect(
      new StatusMeter().take({ ...idle, tasks, totals: new TaskTotals().over(tasks), progress }, now),
    ).toMatchObject({
      records: 15,
      deadLetters: 1,
      logLag: 2,
      watermarkLagMs: 3_000,
      checkpointAgeMs: 100,
      progress: { done: 50, total: 200, leftMs: 3_000 },
      waitingFor: null,
    })
  })

  test('the present is the clock, or the newest time of what is fed from the past', () => {
    const tasks = [task(0, { watermark: 4_000 })]
    const lag = (progress: ReturnType<typeof fed>) =>
      new StatusMeter().take({ ...idle, tasks, progress }, now).watermarkLagMs
    expect(lag(new Map())).toBe(6_000)
    expect(lag(fed(false, { feed: { bytesDone: null, bytesTotal: null, newestTime: 7_000 } }))).toBe(6_000)
    expect(lag(fed(false, { feed: { bytesDone: 1, bytesTotal: 9, newestTime: 7_000 } }))).toBe(3_000)
    expect(lag(fed(true, { feed: { bytesDone: null, bytesTotal: null, newestTime: null } }))).toBe(null)
  })

  test('says what is waited for: the run or its database first, then a task, then a feed', () => {
    const meter = new StatusMeter()
    const tasks = [task(0, {}), task(1, { waitingFor: 'the archive' })]
    const progress = fed(false, { feed: null, waitingFor: 'the exchange' })
    const waits = (state: object) => meter.take({ ...idle, ...state }, now).waitingFor
    expect(waits({ tasks, progress, waitingFor: 'PostgreSQL' })).toBe('PostgreSQL')
    expect(waits({ tasks, progress })).toBe('the archive')
    expect(waits({ progress })).toBe('the exchange')
    expect(waits({})).toBe(null)
  })

  test('knows how fast each outlet is', () => {
    const meter = new StatusMeter()
    const outlets = (a: number, b: number) => [
      { outlet: 'a', kind: 'rows' as const, to: 't', count: a, waiting: 0, refused: 0 },
      { outlet: 'b', kind: 'messages' as const, to: 'u', count: b, waiting: 4, refused: 1 },
    ]
    meter.take({ ...idle, outlets: outlets(0, 0) }, now)
    expect(meter.take({ ...idle, outlets: outlets(10, 3) }, now + 1_000).outlets).toMatchObject([
      { outlet: 'a', count: 10, perS: 10 },
      { outlet: 'b', count: 3, perS: 3 },
    ])
  })

  test('tells of inputs and operators over all tasks: a table has no time, the latest end counts', () => {
    const input = (name: string, nextOffset: number, movesTime = true) => ({
      ...{ name, topic: `${name}.v1`, movesTime, nextOffset, logEndOffset: 20 },
    })
    const operator = (valuesIn: number, keyCount: number, openUntil: number | null) => ({
      ...{ name: 'w', valuesIn, valuesOut: valuesIn - 1, keyCount, openUntil, heldBy: null },
    })
    const tasks = [0, 1].map((partition) =>
      task(partition, {
        firstGeneration: 1,
        watermark: 4_000,
        nextOffset: 12,
        committedOffset: 10,
        logEndOffset: 15,
        inputs: [input('orders', 12), input('prices', 18, false)],
        operators: [operator(5 + partition, 2, partition === 0 ? 9_000 : null)],
      }),
    )
    const meter = new StatusMeter()
    expect(meter.take({ ...idle, tasks, totals: new TaskTotals().over(tasks) }, now)).toMatchObject({
      logLag: 14,
      inputs: [
        { name: 'orders', topic: 'orders.v1', nextOffset: 24, lagRecords: 10, lagMs: 6_000 },
        { name: 'prices', topic: 'prices.v1', nextOffset: 36, lagRecords: 4, lagMs: null },
      ],
      operators: [{ name: 'w', valuesIn: 11, valuesOut: 9, keyCount: 4, openUntil: 9_000 }],
    })
  })
})
