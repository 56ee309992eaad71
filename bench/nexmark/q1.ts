// Every bid with its price in euros, 0.908 to the dollar, exactly.
import { definePipeline, toPostgres } from 'millrace'
import { map } from 'rxjs'
import { converted } from './tables.ts'
import { bid, bids } from './topics.ts'

/** The price times 908, with the point before its last three digits. */
function inEuros(price: number): string {
  const thousandths = String(price * 908).padStart(4, '0')
  return `${thousandths.slice(0, -3)}.${thousandths.slice(-3)}`
}

export const q1 = definePipeline({
  name: 'nexmark_q1',
  inputs: { bids: bids(bid) },
  build: ({ bids }) => {
    const rows = bids.pipe(
      map(({ auction, bidder, price, dateTime, extra }) => {
        return { auction, bidder, price: inEuros(price), date_time: dateTime, extra }
      }),
    )
    return { rows: toPostgres(rows, converted) }
  },
})
