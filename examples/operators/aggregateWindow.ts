import { aggregateWindow, eventTime, tumblingWindow } from 'millrace'
import { of } from 'rxjs'

of({ at: 1, celsius: 20 }, { at: 2, celsius: 26 }, { at: 3, celsius: 23 })
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 }),
    tumblingWindow({ name: '1m', sizeMs: '1m', by: () => 'roof' }),
    aggregateWindow({
      initial: () => ({ count: 0, sum: 0 }),
      add: ({ count, sum }, { celsius }) => ({ count: count + 1, sum: sum + celsius }),
      result: ({ count, sum }, { key }) => ({ sensor: key, average: sum / count }),
    }),
  )
  .subscribe((row) => console.log(row))

// { sensor: 'roof', average: 23 }
