import { aggregateWindow, eventTime, hoppingWindow } from 'millrace'
import { of } from 'rxjs'

of({ at: 10_000 }, { at: 65_000 }, { at: 130_000 })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    hoppingWindow({ name: 'two minutes', sizeMs: '2m', hopMs: '1m', by: () => 'all' }),
    aggregateWindow({
      initial: () => 0,
      add: (count) => count + 1,
      merge: (earlier, later) => earlier + later,
      result: (count, { start, end }) => `minutes ${start / 60_000} to ${end / 60_000}: ${count}`,
    }),
  )
  .subscribe((line) => console.log(line))

// minutes -1 to 1: 1
// minutes 0 to 2: 2
// minutes 1 to 3: 2
// minutes 2 to 4: 1
