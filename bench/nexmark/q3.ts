// Who sells in category 10, of three states. An auction may come before its seller, and a seller long before an auction.
import { definePipeline, eventTime, intervalJoin, toPostgres } from 'millrace'
import { filter } from 'rxjs'
import { sellers } from './tables.ts'
import { allOf, auction, auctions, maxOutOfOrdernessMs, people, person } from './topics.ts'

const states = new Set(['OR', 'ID', 'CA'])

export const q3 = definePipeline({
  name: 'nexmark_q3',
  inputs: {
    people: allOf(people(person.pick({ id: true, name: true, city: true, state: true, dateTime: true }))),
    auctions: allOf(auctions(auction.pick({ id: true, seller: true, category: true, dateTime: true }))),
  },
  build: ({ people, auctions }) => {
    const inStates = people.pipe(
      eventTime({ name: 'peopleTime', of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      filter(({ state }) => states.has(state)),
    )
    const ofCategory = auctions.pipe(
      eventTime({ name: 'auctionTime', of: ({ dateTime }) => dateTime, maxOutOfOrdernessMs }),
      filter(({ category }) => category === 10),
    )
    const rows = inStates.pipe(
      intervalJoin(ofCategory, {
        name: 'sells',
        by: { left: ({ id }) => String(id), right: ({ seller }) => String(seller) },
        fromMs: '-3650d',
        toMs: '3650d',
        with: ({ name, city, state }, { id }) => ({ name, city, state, id, revision: 1 }),
      }),
    )
    return { rows: toPostgres(rows, sellers) }
  },
})
