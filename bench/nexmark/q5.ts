// The auctions with the most bids in the last 10 seconds, every 2 seconds. Only a task that has all of them knows.
import { aggregateWindow, definePipeline, eventTime, hoppingWindow, toPostgres, tumblingWindow } from 'millrace'
import { mergeAll } from 'rxjs'
import { hottest } from './tables.ts'
import { allOf, bid, bids, maxOutOfOrdernessMs } from './topics.ts'

export const q5 = definePipeline({
  name: 'nexmark_q5',
  inputs: { bids: allOf(bids(bid.pick({ auction: true, dateTime: true }))) },
  build: ({ bids }) => {
    const rows = bids.pipe(
      eventTime({ of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      hoppingWindow({ name: '10s', sizeMs: '10s', hopMs: '2s', by: ({ auction }) => String(auction) }),
      aggregateWindow({
        name: 'count',
        initial: () => 0,
        add: (num) => num + 1,
        merge: (a, b) => a + b,
        result: (num, { key, start, end }) => ({ auction: Number(key), num, starttime: start, endtime: end }),
      }),
      // What ends together has its last ms in the same 2 seconds.
      tumblingWindow({ name: 'end', sizeMs: '2s', by: () => 'all' }),
      aggregateWindow({
        name: 'most',
        initial: (): Record<'auction' | 'num' | 'starttime' | 'endtime', number>[] => [],
        add: (most, one) => {
          const num = most[0]?.num ?? 0
          if (one.num === num) most.push(one)
          return one.num > num ? [one] : most
        },
        result: (most, _window, { revision }) => most.map((one) => ({ ...one, revision })),
      }),
      mergeAll(),
    )
    return { rows: toPostgres(rows, hottest) }
  },
})
