import type { BatchCounts, BatchRun } from '../../batch/batchPass.ts'
import { defineJob, type Job } from '../../schedule/job.ts'

/** The pass over what has changed, every five minutes. Its runs end in the transaction of the pass. One at a time: each takes all that there is. */
export function batchJob(pass: (run: BatchRun) => Promise<BatchCounts>): Job {
  return defineJob({
    name: 'batch',
    every: '5m',
    // Minutes that have just closed are in the archive by then.
    delay: '10s',
    async run(_, { database: address, schema, runId, signal, settle, tell }) {
      const counts = await pass({
        ...{ database: { address, schema }, runId, signal, tell },
        settle: (client, counted) => settle(client, { ...counted }),
      })
      return { ...counts }
    },
  })
}
