// Every bid with its price in euros.
import { definePipeline, toPostgres } from 'millrace'
import { converted } from './tables.ts'
import { bid, bids } from './topics.ts'

export const q1 = definePipeline({
  name: 'nexmark_q1',
  inputs: { bids: bids(bid) },
  build: ({ bids }) => ({ rows: toPostgres(bids, converted) }),
})
