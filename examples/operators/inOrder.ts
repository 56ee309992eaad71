import { eventTime, inOrder } from 'millrace'
import { of } from 'rxjs'

of({ at: 2_000 }, { at: 1_000 }, { at: 5_000 }, { at: 4_000 })
  .pipe(eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '2s' }), inOrder())
  .subscribe(({ at }) => console.log(at))

// 1000
// 2000
// 4000
// 5000
