// The highest bids of each 10 seconds. A bid at exactly their end with the same price counts too.
import { aggregateWindow, definePipeline, eventTime, keyed, toPostgres, tumblingWindow } from 'millrace'
import { map } from 'rxjs'
import { highest } from './tables.ts'
import { allOf, type Bid, bid, bids, maxOutOfOrdernessMs } from './topics.ts'

/** The highest of a window, and those at its very start, which may be the highest of the window before. */
const withBid = ({ top, atStart }: { top: Bid[]; atStart: Bid[] }, bid: Bid, { start }: { start: number }) => {
  if (bid.dateTime === start) atStart.push(bid)
  const price = top[0]?.price ?? 0
  if (bid.price === price) top.push(bid)
  return bid.price > price ? { top: [bid], atStart } : { top, atStart }
}

export const q7 = definePipeline({
  name: 'nexmark_q7',
  inputs: { bids: allOf(bids(bid)) },
  build: ({ bids }) => {
    const rows = bids.pipe(
      eventTime({ of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      tumblingWindow({ name: '10s', sizeMs: '10s', by: () => 'all' }),
      aggregateWindow({
        initial: (): { top: Bid[]; atStart: Bid[] } => ({ top: [], atStart: [] }),
        add: withBid,
        result: (bids, { start, end }) => ({ ...bids, start, end }),
      }),
      keyed({
        name: 'before',
        by: () => 'all',
        initial: () => ({ end: 0, price: 0 }),
        onValue: (before, { top, atStart, start, end }) => ({
          keep: { end, price: top[0]?.price ?? 0 },
          emit: [...atStart.filter(({ price }) => before.end === start && price === before.price), ...top],
        }),
      }),
      map(({ auction, bidder, price, dateTime, extra }) => ({ auction, bidder, price, date_time: dateTime, extra })),
    )
    return { rows: toPostgres(rows, highest) }
  },
})
