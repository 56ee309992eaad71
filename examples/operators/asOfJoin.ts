import { asOfJoin, eventTime } from 'millrace'
import { Subject } from 'rxjs'

const orders = new Subject<{ product: string; at: number }>()
const quotes = new Subject<{ product: string; at: number; cents: number }>()

orders
  .pipe(
    eventTime({ name: 'of orders', of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    asOfJoin(quotes.pipe(eventTime({ name: 'of quotes', of: ({ at }) => at, maxOutOfOrdernessMs: 0 })), {
      name: 'quoted',
      by: { left: ({ product }) => product, right: ({ product }) => product },
      keepMs: '1h',
      with: ({ product, at }, quote) => `${product} at ${at} costs ${quote?.cents}`,
    }),
  )
  .subscribe((line) => console.log(line))

quotes.next({ product: 'tea', at: 0, cents: 500 })
orders.next({ product: 'tea', at: 1_000 })
orders.next({ product: 'tea', at: 3_000 })
quotes.next({ product: 'tea', at: 2_000, cents: 600 })
quotes.complete()
orders.complete()

// tea at 1000 costs 500
// tea at 3000 costs 600
