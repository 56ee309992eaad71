import { aggregateWindow, countWindow, eventTime } from 'millrace'
import { of } from 'rxjs'

of({ at: 1, n: 10 }, { at: 0, n: 20 }, { at: 2, n: 30 }, { at: 3, n: 40 }, { at: 4, n: 50 })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 2 }),
    countWindow({ name: 'pairs', size: 2, by: () => 'all' }),
    aggregateWindow({
      initial: (): number[] => [],
      add: (numbers, { n }) => [...numbers, n],
      result: (numbers, { id }) => `${id}: ${numbers.join(' and ')}`,
    }),
  )
  .subscribe((line) => console.log(line))

// all#0: 20 and 10
// all#1: 30 and 40
// all#2: 50
