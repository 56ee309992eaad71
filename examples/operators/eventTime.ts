import { aggregateWindow, eventTime, tumblingWindow } from 'millrace'
import { of } from 'rxjs'

of({ at: 1_000 }, { at: 7_000 }, { at: 5_000 }, { at: 12_000 })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '2s' }),
    tumblingWindow({ name: '5s', sizeMs: '5s', by: () => 'all' }),
    aggregateWindow({
      initial: () => 0,
      add: (count) => count + 1,
      result: (count, { start, end }) => `${count} from ${start} to ${end}`,
    }),
  )
  .subscribe((line) => console.log(line))

// 1 from 0 to 5000
// 2 from 5000 to 10000
// 1 from 10000 to 15000
