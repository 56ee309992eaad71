import { eventTime, intervalJoin } from 'millrace'
import { Subject } from 'rxjs'

const orders = new Subject<{ id: number; at: number }>()
const payments = new Subject<{ order: number; at: number }>()
const minute = 60_000

orders
  .pipe(
    eventTime({ name: 'of orders', of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    intervalJoin(payments.pipe(eventTime({ name: 'of payments', of: ({ at }) => at, maxOutOfOrdernessMs: 0 })), {
      name: 'paid',
      by: { left: ({ id }) => String(id), right: ({ order }) => String(order) },
      fromMs: 0,
      toMs: '15m',
      how: 'left',
      with: ({ id }, payment) => (payment === null ? `${id} not paid` : `${id} paid`),
    }),
  )
  .subscribe((line) => console.log(line))

orders.next({ id: 1, at: 0 })
orders.next({ id: 2, at: minute })
payments.next({ order: 1, at: 2 * minute })
orders.complete()
payments.complete()

// 1 paid
// 2 not paid
