// Every bid as it is: what reading and writing cost.
import { definePipeline, toPostgres } from 'millrace'
import { passed } from './tables.ts'
import { bid, bids } from './topics.ts'

export const q0 = definePipeline({
  name: 'nexmark_q0',
  inputs: { bids: bids(bid) },
  build: ({ bids }) => ({ rows: toPostgres(bids, passed) }),
})
