import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type pg from 'pg'
import type { Observable } from 'rxjs'
import { z } from 'zod'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { jsonCodec } from '../src/codecs/jsonCodec.ts'
import { startOrJoin } from '../src/embedded/embeddedPostgres.ts'
import { EmbeddedLog } from '../src/embedded/log/embeddedLog.ts'
import { embeddedTopics } from '../src/embedded/log/embeddedTopics.ts'
import { aggregateWindow } from '../src/operators/aggregateWindow.ts'
import { decode } from '../src/operators/decode.ts'
import { eventTime } from '../src/operators/eventTime.ts'
import { tumblingWindow } from '../src/operators/tumblingWindow.ts'
import { upstreamTime } from '../src/operators/upstreamTime.ts'
import { systemClock } from '../src/runtime/clock.ts'
import type { RecordView } from '../src/runtime/log/record.ts'
import type { RowsOutlet } from '../src/runtime/pipeline/outlet.ts'
import { definePipeline, type Pipeline } from '../src/runtime/pipeline/pipeline.ts'
import { Worker } from '../src/runtime/worker/worker.ts'
import { PostgresCheckpointStore } from '../src/sinks/postgres/checkpointStore.ts'
import { openPool } from '../src/sinks/postgres/connection.ts'
import { ensureTables } from '../src/sinks/postgres/ensureTables.ts'
import { migrate } from '../src/sinks/postgres/migrate.ts'
import { table } from '../src/sinks/table.ts'
import { toPostgres } from '../src/sinks/toPostgres.ts'
import { toTopic } from '../src/sinks/toTopic.ts'
import { partitionOf } from '../src/sources/ingest/murmur2.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `npm run bench:hop -- [--records 400000]

The same windows without a hop, and behind one, on the embedded log: records a second, and how long commits take. Figures of different machines, or of a busy one, do not
compare: look at ratios within one run. hot is a hop into one partition, which all tasks above append to.`

const { values } = parseArgs({
  options: { records: { type: 'string', default: '400000' }, help: { type: 'boolean' } },
})
const partitions = 4
const customers = 500
const begin = Date.UTC(2024, 7, 8)
const schema = 'public'

const order = z.object({ id: z.int(), customer: z.string(), at: z.int(), cents: z.int() })
type Order = z.infer<typeof order>
const codec = jsonCodec(order)
const spent = table('spent', {
  columns: { pipeline: 'text', customer: 'text', start: 'timestamptz', cents: 'bigint', revision: 'integer' },
  key: ['pipeline', 'customer', 'start'],
  revision: 'revision',
})

interface Measured {
  readonly recordsPerS: number
  /** The longest commit of any task that was seen. */
  readonly commitMs: number
}

async function bench(records: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-hop-'))
  // PostgreSQL under another account than root must reach it.
  chmodSync(folder, 0o755)
  const server = await startOrJoin(folder)
  const pool = openPool(server.connection, { schema, maxConnections: 30 })
  const store = new PostgresCheckpointStore(server.connection, { schema, maxConnections: 2 * partitions })
  try {
    await migrate(pool, schema)
    await ensureTables(pool, schema, [spent])
    const orders = await EmbeddedLog.open({ pool, topic: 'orders', partitions })
    await fill(orders, records)
    const run = async (...halves: readonly (readonly [Pipeline, EmbeddedLog])[]): Promise<Measured> => {
      let commitMs = 0
      let isOver = false
      const workers = halves.map(
        ([pipeline, source]) =>
          new Worker({
            pipeline,
            source,
            store,
            openTopic: embeddedTopics({ pool }),
            archive: null,
            clock: systemClock,
          }),
      )
      const look = async () => {
        for (; !isOver; await sleep(20))
          for (const worker of workers) for (const task of worker.status()) commitMs = Math.max(commitMs, task.commitMs)
      }
      const startedAt = performance.now()
      const running = workers.map((worker) => worker.run())
      const looking = look()
      // The lower half ends at the end of its topic, so it is told to when the upper one has ended.
      for (const [i, worker] of workers.entries()) {
        worker.stop('drain-and-close')
        await running[i]
      }
      const seconds = (performance.now() - startedAt) / 1_000
      isOver = true
      await looking
      return { recordsPerS: Math.round(records / seconds), commitMs: Math.round(commitMs) }
    }
    const result: Record<string, Measured> = {}
    const hop = async (name: string, width: number) => {
      const between = await EmbeddedLog.open({ pool, topic: `between_${name}`, partitions: width })
      result[`${name}_upper`] = await run([upper(name), orders])
      result[`${name}_lower`] = await run([lower(name), between])
    }
    result.direct = await run([direct, orders])
    await hop('hop', partitions)
    await hop('hot', 1)
    const side = await EmbeddedLog.open({ pool, topic: 'between_side', partitions })
    result.side_by_side = await run([upper('side'), orders], [lower('side'), side])
    await compare(pool)
    console.log(JSON.stringify({ records, ...result }))
  } finally {
    await store.close()
    await pool.end()
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

const direct = definePipeline({
  name: 'direct',
  build: (records) => ({
    spent: perHour(
      'direct',
      records.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 1_000 })),
    ),
  }),
})

function upper(name: string): Pipeline {
  return definePipeline({
    name: `${name}_upper`,
    build: (records: Observable<RecordView>) => ({
      out: toTopic(records.pipe(decode(codec), eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 1_000 })), {
        topic: `between_${name}`,
        by: ({ customer }) => customer,
        at: ({ at }) => at,
        encode: (one) => codec.encode(one),
        markers: true,
      }),
    }),
  })
}

function lower(name: string): Pipeline {
  return definePipeline({
    name: `${name}_lower`,
    build: (records: Observable<RecordView>) => ({
      spent: perHour(name, records.pipe(decode(codec), upstreamTime({ of: ({ at }) => at }))),
    }),
  })
}

function perHour(pipeline: string, orders: Observable<Order>): RowsOutlet<unknown> {
  return toPostgres(
    orders.pipe(
      tumblingWindow({ name: '1h', sizeMs: 3_600_000, by: ({ customer }) => customer }),
      aggregateWindow({
        initial: () => 0,
        add: (sum, { cents }) => sum + cents,
        result: (cents, { key, start }, { revision }) => ({ pipeline, customer: key, start, cents, revision }),
      }),
    ),
    spent,
  )
}

async function fill(log: EmbeddedLog, records: number): Promise<void> {
  const writer = log.writer()
  await writer.claim('bench')
  for (let made = 0; made < records; ) {
    const count = Math.min(10_000, records - made)
    const lot = Array.from({ length: count }, () => {
      const id = made++
      const customer = `customer-${id % customers}`
      const at = begin + Math.floor((id / records) * 24 * 3_600_000)
      const key = Buffer.from(customer)
      const value = Buffer.from(codec.encode({ id, customer, at, cents: id % 1_000 }))
      return { partition: partitionOf(key, partitions), timestamp: at, key, value }
    })
    await writer.append(lot, String(made))
  }
  await writer.close()
}

/** A bench that made something else would measure something else. */
async function compare(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ pipeline: string; rows: string; cents: string }>(
    'SELECT pipeline, count(*) AS rows, sum(cents) AS cents FROM spent GROUP BY pipeline',
  )
  const sums = new Set(rows.map((row) => `${row.rows} ${row.cents}`))
  if (rows.length !== 4 || sums.size !== 1)
    throw new Error(`the pipelines made different rows: ${JSON.stringify(rows)}`)
}

if (values.help === true) console.log(help)
else await bench(Number(values.records))
