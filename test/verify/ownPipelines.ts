import { map, merge, type Observable, share } from 'rxjs'
import { z } from 'zod'
import { jsonCodec } from '../../src/codecs/jsonCodec.ts'
import { outletPlanOf } from '../../src/host/outletPlan.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { keyed } from '../../src/operators/keyed.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import type { OutgoingRecord } from '../../src/runtime/log/log.ts'
import { definePipeline, type Pipeline } from '../../src/runtime/pipeline/pipeline.ts'
import type { AppendTable, UpsertTable } from '../../src/runtime/store/table.ts'
import type { WorkerLimitOptions } from '../../src/runtime/task/workerLimits.ts'
import type { StopMode } from '../../src/runtime/worker/stopMode.ts'
import { Worker } from '../../src/runtime/worker/worker.ts'
import { rawArchive } from '../../src/sinks/archive/rawArchive.ts'
import { PostgresCheckpointStore } from '../../src/sinks/postgres/checkpointStore.ts'
import { ensureTables } from '../../src/sinks/postgres/ensureTables.ts'
import { toArchive } from '../../src/sinks/toArchive.ts'
import { toPostgres } from '../../src/sinks/toPostgres.ts'
import { MemoryLog } from '../../src/testing/memoryLog.ts'
import { MemoryObjectStore } from '../../src/testing/memoryObjectStore.ts'
import type { Random } from '../../src/testing/random.ts'
import { type VerifiedPipeline, verifyPipeline } from '../../src/verify/verifyPipeline.ts'
import { testDatabase } from '../support/postgres.ts'

const visitCodec = jsonCodec(
  z.object({ user: z.string(), at: z.number(), amount: z.string(), share: z.number().nullable() }),
)

export interface Visit {
  readonly user: string
  readonly at: number
  readonly amount: string
  readonly share: number | null
}

/** What a pipeline of a user may be like. */
export interface OwnPlan {
  readonly inputs: number
  readonly partitions: number
  readonly windowMs: number
  readonly latenessMs: number
  readonly outlets: readonly OutletName[]
}

export const outletNames = ['totals', 'minutes', 'seen', 'visits', 'sessions'] as const
export type OutletName = (typeof outletNames)[number]

export function drawPlan(random: Random): OwnPlan {
  const some = outletNames.filter(() => random.fraction() < 0.7)
  return {
    inputs: random.int(1, 2),
    partitions: random.int(1, 3),
    windowMs: random.int(1, 4) * 30_000,
    latenessMs: random.int(0, 2) * 60_000,
    outlets: some.length === 0 ? ['totals'] : some,
  }
}

interface Total {
  readonly user: string
  readonly sum: bigint
  readonly count: number
  readonly last: number
}

export const totalTable: UpsertTable<Total> = {
  mode: 'upsert',
  name: 'totals',
  key: ['user'],
  revision: 'count',
  columns: [
    { name: 'user', type: 'text', of: ({ user }) => user },
    { name: 'sum', type: 'bigint', of: ({ sum }) => sum },
    { name: 'facts', type: 'jsonb', of: ({ count, user }) => JSON.stringify({ z: count, user, a: [1.5, null] }) },
    { name: 'count', type: 'integer', of: ({ count }) => count },
  ],
}

export const seenTable: UpsertTable<Total> = {
  mode: 'upsert',
  name: 'seen',
  key: ['user'],
  revision: 'count',
  columns: [
    { name: 'user', type: 'text', of: ({ user }) => user },
    { name: 'last', type: 'timestamptz', of: ({ last }) => last },
    { name: 'count', type: 'integer', of: ({ count }) => count },
  ],
}

interface Span {
  readonly user: string
  readonly start: number
  readonly sum: string
  readonly count: number
  readonly revision: number
}

const spanTable = (name: string): UpsertTable<Span> => ({
  mode: 'upsert',
  name,
  key: ['user', 'start'],
  revision: 'revision',
  columns: [
    { name: 'user', type: 'text', of: ({ user }) => user },
    { name: 'start', type: 'timestamptz', of: ({ start }) => start },
    { name: 'sum', type: 'numeric', of: ({ sum }) => `${sum}.50` },
    { name: 'count', type: 'integer', of: ({ count }) => count },
    { name: 'revision', type: 'integer', of: ({ revision }) => revision },
  ],
})

export const minuteTable = spanTable('minutes')
export const sessionTable = spanTable('sessions')

export const visitTable: AppendTable<Visit> = {
  mode: 'append',
  name: 'visits',
  columns: [
    { name: 'user', type: 'text', of: ({ user }) => user },
    { name: 'at', type: 'timestamptz', of: ({ at }) => at },
    // A row that is set aside: this amount is no number.
    { name: 'amount', type: 'numeric', of: ({ amount }) => amount },
    { name: 'share', type: 'double precision', of: ({ share }) => share },
    { name: 'is_large', type: 'boolean', of: ({ amount }) => amount.length > 3 },
  ],
}

const sumOf = { initial: () => ({ sum: '0', count: 0 }), merge: plus }
function plus(a: { sum: string; count: number }, b: { sum: string; count: number }) {
  return { sum: String(BigInt(a.sum) + BigInt(b.sum)), count: a.count + b.count }
}
const wholeOf = ({ amount }: Visit) => BigInt(/^\d+/.exec(amount)?.[0] ?? '0')

/** The pipeline of a plan: totals without an end to their state, windows, sessions that are taken back, and rows that are only added. */
export function ownPipeline({ inputs, windowMs, latenessMs, outlets }: OwnPlan): Pipeline {
  const build = (streams: Readonly<Record<string, Observable<Visit>>>) => {
    const visits = merge(...Object.values(streams)).pipe(
      eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 5_000 }),
      share(),
    )
    const totals = visits.pipe(
      keyed({
        name: 'total',
        by: ({ user }) => user,
        initial: () => ({ sum: '0', count: 0, last: 0 }),
        onValue: (state, visit) => {
          const kept = {
            sum: String(BigInt(state.sum) + wholeOf(visit)),
            count: state.count + 1,
            last: Math.max(state.last, visit.at),
          }
          return { keep: kept, emit: [{ ...kept, user: visit.user, sum: BigInt(kept.sum) }] }
        },
      }),
      share(),
    )
    const spanOf = (
      { sum, count }: { sum: string; count: number },
      { key, start }: { key: string; start: number },
      { revision }: { revision: number },
    ) => ({ user: key, start, sum, count, revision })
    const add = (held: { sum: string; count: number }, visit: Visit) =>
      plus(held, { sum: String(wholeOf(visit)), count: 1 })
    const minutes = visits.pipe(
      tumblingWindow({
        name: 'minute',
        sizeMs: windowMs,
        by: ({ user }) => user,
        allowedLatenessMs: latenessMs,
      }),
      aggregateWindow({ name: 'minute-sum', ...sumOf, add, result: spanOf }),
    )
    const sessions = visits.pipe(
      sessionWindow({ name: 'session', gapMs: windowMs, by: ({ user }) => user, allowedLatenessMs: 60_000 }),
      aggregateWindow({ name: 'session-sum', ...sumOf, add, result: spanOf, withdraws: true }),
    )
    const all = {
      totals: toPostgres(totals, totalTable),
      seen: toPostgres(totals, seenTable),
      minutes: toPostgres(minutes, minuteTable),
      sessions: toPostgres(sessions, sessionTable),
      visits: toPostgres(visits.pipe(map((visit) => ({ ...visit }))), visitTable),
    }
    const chosen = Object.fromEntries(outlets.map((name) => [name, all[name]]))
    const archives = Object.entries(streams).map(([name, stream]) => [`raw-${name}`, toArchive(stream)])
    return { ...chosen, ...Object.fromEntries(archives) }
  }
  const input = (topic: string) => ({ topic, codec: visitCodec, idleAfterMs: 60_000 })
  return definePipeline({
    name: 'own',
    inputs: inputs === 1 ? { web: input('web') } : { web: input('web'), app: input('app') },
    build: build as never,
  })
}

export const begin = Date.parse('2026-01-15T10:00:00Z')

/** Visits that are out of order, late, broken, or of amounts that no column takes; times are those of the records. */
export function drawRecords(random: Random, partitions: number, count: number): readonly OutgoingRecord[] {
  let now = begin
  return Array.from({ length: count }, (_, i) => {
    now += random.int(0, 8_000)
    const at = now - (random.fraction() < 0.05 ? random.int(20_000, 200_000) : random.int(0, 5_000))
    const user = random.int(0, 5)
    const isBroken = random.fraction() < 0.04
    const amount = random.fraction() < 0.03 ? 'much' : `${random.int(0, 2_000)}.${random.int(0, 9)}0`
    const share = [null, 0.1 + random.fraction(), 1e21, -0][random.int(0, 3)] ?? null
    return {
      partition: user % partitions,
      timestamp: now,
      key: Buffer.from(`u${user}`),
      value: Buffer.from(
        isBroken
          ? `{ broken ${'x'.repeat(random.int(0, 400))}`
          : JSON.stringify({ user: `ü${user}`, at, amount, share }),
      ),
      headers:
        i % 3 === 0
          ? [
              { key: 'trace', value: Buffer.from(`t${i}`) },
              { key: 'empty', value: null },
            ]
          : [],
    }
  })
}

/** A live run of a plan, with its archive, in a database of its own. */
export async function ownWorld(plan: OwnPlan, pipeline: Pipeline = ownPipeline(plan), limits: WorkerLimitOptions = {}) {
  const db = await testDatabase()
  const store = new MemoryObjectStore()
  const topics = ['web', 'app'].slice(0, plan.inputs)
  const logs = topics.map((topic) => new MemoryLog({ topic, partitions: plan.partitions }))
  const ends = outletPlanOf(pipeline)
  await ensureTables(db.pool, db.schema, ends.tables)
  const recorded = new PostgresCheckpointStore(db.connection, { schema: db.schema })

  async function live(records: readonly (readonly OutgoingRecord[])[], mode: StopMode = 'drain'): Promise<void> {
    for (const [i, some] of records.entries()) (logs[i] as MemoryLog).add(...some.map((one) => ({ ...one })))
    const checkpoints = new PostgresCheckpointStore(db.connection, { schema: db.schema })
    const worker = new Worker({
      ...{ pipeline, source: logs[0] as MemoryLog, others: logs.slice(1), store: checkpoints, clock: systemClock },
      archive: rawArchive({ store, maxRecords: 60 }),
      // Other than the one that reads again: letters keep less of what is broken.
      limits: { ...limits, maxLetterBytes: 100 },
    })
    const running = worker.run()
    worker.stop(mode)
    await running
    await checkpoints.close()
  }

  const verified = (range: { readonly from: number; readonly to: number } | null = null): Promise<VerifiedPipeline> =>
    verifyPipeline(db.pool, {
      ...{ pipeline, ends, topics, store, recorded, limits, range },
      signal: new AbortController().signal,
    })

  async function close(): Promise<void> {
    await recorded.close()
    await db.close()
  }

  return { db, pool: db.pool, store, live, verified, close, ends }
}
