import { enrich, toTable } from 'millrace'
import { Subject } from 'rxjs'

const prices = new Subject<{ product: string; cents: number | null }>()
const asked = new Subject<string>()

const known = toTable(prices, {
  name: 'prices',
  by: ({ product }) => product,
  value: ({ cents }) => cents,
  maxKeys: 1_000,
})
asked
  .pipe(enrich(known, { by: (product) => product, with: (product, cents) => `${product}: ${cents ?? 'no price'}` }))
  .subscribe((line) => console.log(line))

prices.next({ product: 'tea', cents: 400 })
prices.next({ product: 'tea', cents: 500 })
asked.next('tea')
prices.next({ product: 'tea', cents: null })
asked.next('tea')

// tea: 500
// tea: no price
