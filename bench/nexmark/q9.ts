// The winning bid of each auction: the highest from its start to its end, of equal ones the earliest. A bid may come before its auction.
import { definePipeline, eventTime, keyed, toPostgres } from 'millrace'
import { merge } from 'rxjs'
import { winners } from './tables.ts'
import { type Auction, auction, auctions, type Bid, bid, bids, maxOutOfOrdernessMs } from './topics.ts'

type Sale = Readonly<{ auction: Auction | null; early: readonly Bid[]; best: Bid | null }>

function better({ dateTime, expires }: Auction, best: Bid | null, bid: Bid): Bid | null {
  if (bid.dateTime < dateTime || bid.dateTime > expires) return best
  const isBetter = best === null || bid.price > best.price || (bid.price === best.price && bid.dateTime < best.dateTime)
  return isBetter ? bid : best
}

export const q9 = definePipeline({
  name: 'nexmark_q9',
  inputs: { auctions: auctions(auction), bids: bids(bid) },
  build: ({ auctions, bids }) => {
    const won = merge(auctions, bids).pipe(
      eventTime<Auction | Bid>({ of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      keyed({
        name: 'sale',
        by: (one) => String('bidder' in one ? one.auction : one.id),
        initial: (): Sale => ({ auction: null, early: [], best: null }),
        onValue: (sale, one) => {
          const { auction, early, best } = sale
          if (!('bidder' in one)) {
            const first = early.reduce<Bid | null>((best, bid) => better(one, best, bid), null)
            return { keep: { auction: one, early: [], best: first }, wakeAt: one.expires }
          }
          if (!auction) return { keep: { ...sale, early: [...early, one] }, wakeAt: one.dateTime + maxOutOfOrdernessMs }
          const now = better(auction, best, one)
          return { keep: now === best ? sale : { ...sale, best: now } }
        },
        onTimer: ({ auction, best }) => ({ keep: null, emit: auction && best ? [{ auction, bid: best }] : [] }),
      }),
    )
    return { rows: toPostgres(won, winners) }
  },
})
