import { aggregateWindow, eventTime, tumblingWindow } from 'millrace'
import { of } from 'rxjs'

of({ at: 10_000, n: 3 }, { at: 50_000, n: 4 }, { at: 65_000, n: 1 }, { at: 20_000, n: 5 })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    tumblingWindow({ name: '1m', sizeMs: '1m', by: () => 'all', allowedLatenessMs: '1h' }),
    aggregateWindow({
      initial: () => 0,
      add: (sum, { n }) => sum + n,
      result: (sum, { start }, { revision }) => `minute ${start / 60_000}: ${sum}, revision ${revision}`,
    }),
  )
  .subscribe((line) => console.log(line))

// minute 0: 7, revision 1
// minute 0: 12, revision 2
// minute 1: 1, revision 1
