// Brings orders into the topic, each exactly once: stopped or killed, it goes on where it was. `npm run ingest`
import { defineFeed } from 'millrace'
import { type Order, orders } from './orders.ts'

export default defineFeed({
  name: 'shop',
  topic: orders,
  key: (order) => order.product,
  time: (order) => order.at,
  async *read(position) {
    for (let page = Number(position ?? 0); ; page++) {
      const values = await fetchPage(page)
      if (values.length === 0) return
      yield { values, position: String(page + 1) }
    }
  },
})

const noon = Date.UTC(2026, 0, 1, 12)
const products = ['tea', 'coffee', 'rum']

/** Stands for `fetch` of a shop that answers in pages, the same at every call: ten pages of six orders, ten seconds apart. */
async function fetchPage(page: number): Promise<readonly Order[]> {
  if (page >= 10) return []
  return Array.from({ length: 6 }, (_, i) => {
    const id = page * 6 + i
    return { id, product: String(products[id % 3]), at: noon + id * 10_000, cents: 250 + (id % 7) * 50 }
  })
}
