import { lookup } from 'millrace'
import { of } from 'rxjs'

async function askForTier(customer: string): Promise<string | null> {
  console.log(`asked about ${customer}`)
  return customer === 'ada' ? 'gold' : null
}

of('ada', 'bob', 'ada')
  .pipe(
    lookup({
      name: 'tier',
      by: (customer) => customer,
      get: askForTier,
      with: (customer, tier) => `${customer}: ${tier ?? 'none'}`,
      cache: { maxEntries: 1_000 },
      concurrency: 2,
    }),
  )
  .subscribe((line) => console.log(line))

// asked about ada
// asked about bob
// ada: gold
// bob: none
// ada: gold
