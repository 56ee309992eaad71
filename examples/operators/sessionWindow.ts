import { aggregateWindow, eventTime, sessionWindow } from 'millrace'
import { of } from 'rxjs'

const minute = 60_000

of(
  { user: 'ada', at: 0 },
  { user: 'ada', at: 20 * minute },
  { user: 'ada', at: 10 * minute },
  { user: 'ada', at: 55 * minute },
)
  .pipe(
    eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: '15m' }),
    sessionWindow({ name: 'visit', gapMs: '30m', by: ({ user }) => user }),
    aggregateWindow({
      initial: () => 0,
      add: (pages) => pages + 1,
      merge: (earlier, later) => earlier + later,
      result: (pages, { key, start, end }) => `${key}: ${pages} pages, minutes ${start / minute} to ${end / minute}`,
    }),
  )
  .subscribe((line) => console.log(line))

// ada: 3 pages, minutes 0 to 50
// ada: 1 pages, minutes 55 to 85
