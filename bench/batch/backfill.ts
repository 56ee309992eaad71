import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startOrJoin } from '../../src/embedded/embeddedPostgres.ts'
import { prepareDatabase } from '../../src/host/prepareDatabase.ts'
import { Ledger } from '../../src/schedule/ledger.ts'
import { openPool } from '../../src/sinks/postgres/connection.ts'
import { burningJob } from './burningJob.ts'

const program = fileURLToPath(new URL('./backfillWorker.ts', import.meta.url))
const hourMs = 3_600_000

/** How many times as fast two workers fill a range of a job that wants the processor, from the first run's beginning to the last one's end. */
export async function benchBackfill(folder: string, intervals = 40): Promise<Record<string, number>> {
  const { connection: database, stop } = await startOrJoin(join(folder, 'postgres'))
  await prepareDatabase(database, 'public')
  const pool = openPool(database, { schema: 'public', maxConnections: 1 })
  try {
    const secondsWith = async (workers: number) => {
      const name = `burn${workers}`
      const ledger = new Ledger(pool, burningJob(name, workers))
      await ledger.register()
      await ledger.backfill({ from: 0, to: intervals * hourMs }, false)
      const place = JSON.stringify({ database, name, parallel: workers })
      const running = Array.from({ length: workers }, () =>
        spawn(process.execPath, [program, place], { stdio: ['ignore', 'ignore', 'inherit'] }),
      )
      await Promise.all(running.map((child) => once(child, 'exit')))
      const { rows } = await pool.query<{ seconds: number; done: number }>(
        `SELECT extract(epoch FROM max(ended_at) - min(started_at))::float8 AS seconds, count(*)::integer AS done FROM batch_run WHERE pipeline = $1 AND state = 'done'`,
        [name],
      )
      if (rows[0]?.done !== intervals) throw new Error(`${rows[0]?.done} of ${intervals} intervals are done`)
      return rows[0].seconds
    }
    const [one, two] = [await secondsWith(1), await secondsWith(2)]
    return { backfill_two_workers_times: Math.round((one / two) * 100) / 100 }
  } finally {
    await pool.end()
    await stop()
  }
}
