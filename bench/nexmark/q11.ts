// How many bids each bidder has made without a pause of 10 seconds.
import { aggregateWindow, definePipeline, eventTime, sessionWindow, toPostgres } from 'millrace'
import { sessions } from './tables.ts'
import { allOf, bid, bids, maxOutOfOrdernessMs } from './topics.ts'

export const q11 = definePipeline({
  name: 'nexmark_q11',
  inputs: { bids: allOf(bids(bid.pick({ bidder: true, dateTime: true }))) },
  build: ({ bids }) => {
    const rows = bids.pipe(
      eventTime({ of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      sessionWindow({ name: 'session', gapMs: '10s', by: ({ bidder }) => String(bidder) }),
      aggregateWindow({
        name: 'count',
        initial: () => 0,
        add: (count) => count + 1,
        merge: (a, b) => a + b,
        result: (count, { key, start, end }, { revision }) => {
          return { bidder: Number(key), bid_count: count, starttime: start, endtime: end, revision }
        },
      }),
    )
    return { rows: toPostgres(rows, sessions) }
  },
})
