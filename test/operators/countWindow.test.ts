import { range } from 'rxjs'
import { expect, it } from 'vitest'
import { countWindow } from '../../src/operators/countWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'

it('countWindow fires the rest of every key at the end, more of them than a call takes arguments', () => {
  const keys = 131_000
  let fired = 0
  range(0, keys)
    .pipe(
      eventTime({ of: () => 0, maxOutOfOrdernessMs: 0 }),
      countWindow({ name: 'pairs', size: 2, by: (key) => String(key) }),
    )
    .subscribe(({ kind }) => {
      if (kind === 'fired') fired += 1
    })
  expect(fired).toBe(keys)
})
