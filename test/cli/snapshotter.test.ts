import type pg from 'pg'
import { describe, expect, test } from 'vitest'
import type { RunPlan } from '../../src/cli/run/runPlan.ts'
import { Snapshotter } from '../../src/cli/run/snapshotter.ts'
import { newTaskStatus, type TaskStatus } from '../../src/runtime/taskStatus.ts'
import type { IngestProgress } from '../../src/sources/ingest/runIngest.ts'

/** What a snapshot needs to know of a plan. */
const plan = { source: 'tape', market: 'spot', dataSet: 'public' } as RunPlan
const idle = { now: 10_000, tasks: [], ingest: null, databaseWait: null }

function task(partition: number, known: Partial<TaskStatus>): TaskStatus {
  return Object.assign(newTaskStatus(partition), known)
}

/** Only `query` is used of a pool. */
const poolOf = (query: () => Promise<unknown>) => ({ query }) as unknown as pg.Pool

describe('Snapshotter', () => {
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
    const ingest = { feed, timeLeftMs: 3_000, waitingFor: null } as IngestProgress
    expect(new Snapshotter(plan, 'title').take({ ...idle, tasks, ingest })).toMatchObject({
      title: 'title',
      isSimulated: false,
      records: 15,
      deadLetters: 1,
      logLag: 2,
      watermarkLagMs: 3_000,
      checkpointAgeMs: 100,
      progress: { done: 50, total: 200, leftMs: 3_000 },
      waitingFor: null,
    })
  })

  test('says what is waited for: the database first, then a task, then the ingest', () => {
    const snapshotter = new Snapshotter(plan, '')
    const tasks = [task(0, {}), task(1, { waitingFor: 'the archive' })]
    const ingest = { waitingFor: 'the exchange' } as IngestProgress
    expect(snapshotter.take({ ...idle, tasks, ingest, databaseWait: 'PostgreSQL' }).waitingFor).toBe('PostgreSQL')
    expect(snapshotter.take({ ...idle, tasks, ingest }).waitingFor).toBe('the archive')
    expect(snapshotter.take({ ...idle, ingest }).waitingFor).toBe('the exchange')
    expect(snapshotter.take(idle).waitingFor).toBe(null)
  })

  test('a database that hangs is told after two seconds, and that it answers again', async () => {
    const snapshotter = new Snapshotter(plan, '')
    const hanging = Promise.withResolvers<{ rows: never[] }>()
    const read = snapshotter.readCandles(
      poolOf(() => hanging.promise),
      10_000,
    )
    expect(snapshotter.take({ ...idle, now: 11_900 }).waitingFor).toBe(null)
    expect(snapshotter.take({ ...idle, now: 14_000 }).waitingFor).toBe('PostgreSQL, no answer for 4 s')
    hanging.resolve({ rows: [] })
    await read
    expect(snapshotter.take({ ...idle, now: 15_000 }).waitingFor).toBe(null)
  })

  test('a read that fails keeps the candles that were read before', async () => {
    const snapshotter = new Snapshotter(plan, '')
    const row = { market: 'spot', symbol: 'A', open_time: 0, trade_count: 1, is_closed: false }
    await snapshotter.readCandles(
      poolOf(async () => ({ rows: [row] })),
      0,
    )
    await snapshotter.readCandles(
      poolOf(() => Promise.reject(new Error('away'))),
      1,
    )
    expect(snapshotter.candles).toMatchObject([{ symbol: 'A', isClosed: false }])
  })
})
