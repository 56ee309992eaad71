import { eventTime, keyed } from 'millrace'
import { of } from 'rxjs'

const minute = 60_000

of({ user: 'ada', at: 0 }, { user: 'bob', at: 5 * minute }, { user: 'bob', at: 12 * minute })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    keyed({
      name: 'silence',
      by: ({ user }) => user,
      initial: () => 0,
      onValue: (last, { at }) => ({ keep: Math.max(last, at), wakeAt: Math.max(last, at) + 10 * minute }),
      onTimer: (since, { key }) => ({ keep: null, emit: [`${key} is silent since minute ${since / minute}`] }),
    }),
  )
  .subscribe((line) => console.log(line))

// ada is silent since minute 0
// bob is silent since minute 12
