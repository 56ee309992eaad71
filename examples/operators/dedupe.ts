import { dedupe, eventTime } from 'millrace'
import { of } from 'rxjs'

of({ id: 'a', at: 0 }, { id: 'b', at: 1_000 }, { id: 'a', at: 2_000 }, { id: 'c', at: 90_000 }, { id: 'a', at: 91_000 })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    dedupe({ by: () => 'all', id: ({ id }) => id, ttlMs: '1m' }),
  )
  .subscribe(({ id, at }) => console.log(id, at))

// a 0
// b 1000
// c 90000
// a 91000
