// Who has come and begun to sell in the same 10 seconds.
import { aggregateWindow, definePipeline, eventTime, toPostgres, tumblingWindow } from 'millrace'
import { filter, map, merge } from 'rxjs'
import { newSellers } from './tables.ts'
import { allOf, auction, auctions, maxOutOfOrdernessMs, people, person } from './topics.ts'

export const q8 = definePipeline({
  name: 'nexmark_q8',
  inputs: {
    people: allOf(people(person.pick({ id: true, name: true, dateTime: true }))),
    auctions: allOf(auctions(auction.pick({ seller: true, dateTime: true }))),
  },
  build: ({ people, auctions }) => {
    const came = people.pipe(map(({ id, name, dateTime }) => ({ id, name, dateTime, hasSold: false })))
    const sold = auctions.pipe(map(({ seller, dateTime }) => ({ id: seller, name: '', dateTime, hasSold: true })))
    const rows = merge(came, sold).pipe(
      eventTime({ of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      tumblingWindow({ name: '10s', sizeMs: '10s', by: ({ id }) => String(id) }),
      aggregateWindow({
        initial: () => ({ name: '', hasSold: false }),
        add: (both, { name, hasSold }) => ({ name: both.name || name, hasSold: both.hasSold || hasSold }),
        result: (both, { key, start }, { revision }) => ({ ...both, id: Number(key), stime: start, revision }),
      }),
      filter(({ name, hasSold }) => name !== '' && hasSold),
    )
    return { rows: toPostgres(rows, newSellers) }
  },
})
