// What the kill test of the host starts and kills: runs the pipeline with its feeds until all is committed.
import { runPipeline } from '../../../src/host/runPipeline.ts'
import { listFeed } from '../listFeed.ts'
import { paid } from '../pipelines/paid.ts'

export interface HostWorkerArguments {
  readonly dataDir: string
  readonly databaseUrl: string
  readonly schema: string
  readonly count: number
}

const { count, ...settings } = JSON.parse(process.argv[2] ?? '') as HostWorkerArguments
const events = Array.from({ length: count }, (_, id) => ({ id, amount: id }))
const slowly = { perRead: 20, pauseMs: 5 }
const { end } = await runPipeline(paid, {
  ...settings,
  archive: 'none',
  untilEnd: true,
  limits: { checkpointIntervalMs: 20 },
  feed: [
    { feed: listFeed('orders', events, slowly), topic: 'orders' },
    { feed: listFeed('payments', events, slowly), topic: 'payments' },
  ],
})
console.log(end)
