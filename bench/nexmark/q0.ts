// Every bid as it is: what reading and writing cost.
import { definePipeline, toPostgres } from 'millrace'
import { map } from 'rxjs'
import { passed } from './tables.ts'
import { bid, bids } from './topics.ts'

export const q0 = definePipeline({
  name: 'nexmark_q0',
  inputs: { bids: bids(bid) },
  build: ({ bids }) => {
    const rows = bids.pipe(
      map(({ auction, bidder, price, dateTime, extra }) => ({ auction, bidder, price, date_time: dateTime, extra })),
    )
    return { rows: toPostgres(rows, passed) }
  },
})
