import { setTimeout as sleep } from 'node:timers/promises'
import { defineJob } from '../../../src/schedule/job.ts'
import { runSchedule } from '../../../src/schedule/runSchedule.ts'
import type { PostgresConnection } from '../../../src/sinks/postgres/connection.ts'

/** A worker of the job `counting` in a process of its own, to be killed. */
export interface ScheduleWorkerArguments {
  readonly connection: PostgresConnection
  readonly schema: string
  /** How long a run takes, in two halves with a write between them. */
  readonly runMs: number
  readonly untilDone: boolean
  readonly parallel: number
}

const { connection, schema, runMs, untilDone, parallel } = JSON.parse(process.argv[2]!) as ScheduleWorkerArguments
const job = defineJob({
  name: 'counting',
  every: '5m',
  parallel,
  lease: '1s',
  attempts: 1_000,
  retryAfter: 0,
  async run(interval, { pool, runId, settle }) {
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await sleep(runMs / 2)
      await client.query(
        `INSERT INTO counted (at, run_id) VALUES (timestamptz 'epoch' + $1::bigint * interval '1 millisecond', $2)`,
        [interval.from, runId],
      )
      await sleep(runMs / 2)
      await settle(client, { rows: 1 })
      await client.query('COMMIT')
    } finally {
      client.release(true)
    }
    return undefined
  },
})
process.stdout.write('ready\n')
await runSchedule(job, {
  database: connection,
  schema,
  untilDone,
  lookEvery: 100,
  say: (line) => process.stderr.write(`${line}\n`),
})
