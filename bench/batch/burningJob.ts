import { defineJob, type Job } from '../../src/schedule/job.ts'
import type { PostgresConnection } from '../../src/sinks/postgres/connection.ts'

/** What a worker of a backfill is told. */
export interface BackfillPlace {
  readonly database: PostgresConnection
  readonly name: string
  readonly parallel: number
}

const burnMicros = 150_000

/** A job that takes the processor for 150 ms an interval. */
export function burningJob(name: string, parallel: number): Job {
  return defineJob({
    name,
    every: '1h',
    parallel,
    async run() {
      const until = process.cpuUsage().user + burnMicros
      let rounds = 0
      while (process.cpuUsage().user < until) rounds += 1
      return { rounds }
    },
  })
}
