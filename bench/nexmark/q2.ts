// The bids on some auctions.
import { definePipeline, toPostgres } from 'millrace'
import { filter } from 'rxjs'
import { selected } from './tables.ts'
import { bid, bids } from './topics.ts'

export const q2 = definePipeline({
  name: 'nexmark_q2',
  inputs: { bids: bids(bid.pick({ auction: true, price: true })) },
  build: ({ bids }) => ({ rows: toPostgres(bids.pipe(filter(({ auction }) => auction % 123 === 0)), selected) }),
})
