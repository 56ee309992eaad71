import { eventTime, topN, tumblingWindow } from 'millrace'
import { of } from 'rxjs'

of(
  { id: 'a', at: 1, cents: 500 },
  { id: 'b', at: 2, cents: 900 },
  { id: 'c', at: 3, cents: 500 },
  { id: 'd', at: 4, cents: 100 },
)
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    tumblingWindow({ name: '1h', sizeMs: '1h', by: () => 'north' }),
    topN({
      n: 2,
      of: ({ cents }) => cents,
      tie: ({ id }) => id,
      result: (best) => best.map(({ id, cents }, i) => `${i + 1}. ${id} ${cents}`),
    }),
  )
  .subscribe((line) => console.log(line))

// 1. b 900
// 2. a 500
