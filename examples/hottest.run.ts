// A pipeline of one's own, run for real: an embedded PostgreSQL holds the log, the state and the rows, each counted exactly once.
import { systemClock, Worker } from 'millrace'
import { EmbeddedLog, ensureTables, migrate, openPool, PostgresCheckpointStore, startOrJoin } from 'millrace/postgres'
import { readings as codec, hottest, hottestTable } from './hottest.ts'

const server = await startOrJoin(process.argv[2] ?? '.millrace')
const schema = 'hottest'
const pool = openPool(server.connection, { schema })
const store = new PostgresCheckpointStore(server.connection, { schema })
try {
  await migrate(pool, schema)
  await ensureTables(pool, schema, [hottestTable])
  const log = await EmbeddedLog.open({ pool, topic: 'readings', partitions: 1 })

  // The producer's position is stored with the records, so readings that are in the log are not appended again.
  const noon = Date.UTC(2024, 7, 8, 12)
  const readings = [
    { sensor: 'roof', at: noon + 1_000, celsius: 31.5 },
    { sensor: 'roof', at: noon + 30_000, celsius: 33 },
    { sensor: 'roof', at: noon + 65_000, celsius: 32 },
  ]
  const writer = log.writer()
  const { position } = await writer.claim('weather station')
  const fresh = readings.slice(Number(position ?? 0))
  await writer.append(
    fresh.map((reading) => ({
      partition: 0,
      timestamp: reading.at,
      key: null,
      value: codec.encode(reading),
    })),
    String(readings.length),
  )

  const worker = new Worker({ pipeline: hottest, source: log, store, archive: null, clock: systemClock })
  const running = worker.run()
  worker.stop('drain-and-close')
  await running

  const { rows } = await pool.query<{ sensor: string; minute: Date; celsius: string }>(
    'SELECT * FROM hottest_1m ORDER BY minute',
  )
  for (const { sensor, minute, celsius } of rows) console.log(sensor, minute.toISOString(), celsius)
} finally {
  await store.close()
  await pool.end()
  await server.stop()
}
