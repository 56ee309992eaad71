import { eventTime, sequence } from 'millrace'
import { of } from 'rxjs'

of(
  { user: 'ada', kind: 'cart', at: 0 },
  { user: 'ada', kind: 'look', at: 1_000 },
  { user: 'ada', kind: 'buy', at: 5_000 },
  { user: 'bob', kind: 'cart', at: 6_000 },
)
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    sequence({
      name: 'funnel',
      by: ({ user }) => user,
      steps: { cart: ({ kind }) => kind === 'cart', buy: ({ kind }) => kind === 'buy' },
      withinMs: '1h',
      onMatch: ({ cart, buy }) => `${cart.user} bought after ${buy.at - cart.at} ms`,
      onTimeout: ({ cart }) => `${cart?.user} left the cart`,
    }),
  )
  .subscribe((line) => console.log(line))

// ada bought after 5000 ms
// bob left the cart
