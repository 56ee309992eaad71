import { enrich, toTable } from 'millrace'
import { Subject } from 'rxjs'

const customers = new Subject<{ id: string; country: string }>()
const orders = new Subject<{ customer: string; cents: number }>()

const known = toTable(customers, {
  name: 'customers',
  by: ({ id }) => id,
  value: ({ country }) => country,
  maxKeys: 1_000,
})
orders
  .pipe(
    enrich(known, {
      by: ({ customer }) => customer,
      // An order without a row has no result here.
      with: ({ customer, cents }, country) => (country === undefined ? null : `${customer} of ${country}: ${cents}`),
    }),
  )
  .subscribe((line) => console.log(line))

customers.next({ id: 'ada', country: 'GB' })
orders.next({ customer: 'ada', cents: 500 })
orders.next({ customer: 'eve', cents: 700 })
customers.next({ id: 'ada', country: 'FR' })
orders.next({ customer: 'ada', cents: 900 })

// ada of GB: 500
// ada of FR: 900
