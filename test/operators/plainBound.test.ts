import { setImmediate } from 'node:timers/promises'
import { Subject } from 'rxjs'
import { expect, it } from 'vitest'
import { type KeyEvent, type OperatorChain, operatorChains } from '../../bench/operators/chains.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../src/operators/tumblingWindow.ts'
import { collectGarbage } from '../../src/runtime/collectGarbage.ts'

const dayMs = 86_400_000
const start = Date.UTC(2024, 7, 8)
const keys = 5_000

/** A day in which keys come and go, and a value behind it that moves time on. */
async function day(events: Subject<KeyEvent>, number: number): Promise<void> {
  const from = start + number * 2 * dayMs
  const everyMs = dayMs / keys
  const all = Array.from({ length: keys * 3 }, (_, i) => {
    const n = i % 3
    const key = (i - n) / 3
    return { key: `day ${number} key ${key}`, at: Math.floor(from + key * everyMs) + n * 1_000, n }
  }).sort((a, b) => a.at - b.at)
  for (const [i, event] of all.entries()) {
    events.next(event)
    if (i % 100 === 0) await setImmediate()
  }
  events.next({ key: 'behind', at: from + 1.2 * dayMs, n: 0 })
  await setImmediate()
}

/** Those of others, and some whose ways of use matter here. */
const chains: Readonly<Record<string, OperatorChain>> = {
  ...operatorChains,
  'aggregateWindow, with provisional results': {
    keeps: 'time',
    chain: (values) =>
      values.pipe(
        eventTime({ of: ({ at }) => at, maxOutOfOrdernessMs: 500 }),
        tumblingWindow({ name: 'w', sizeMs: 60_000, by: ({ key }) => key }),
        aggregateWindow<KeyEvent, number, { readonly count: number }>({
          initial: () => 0,
          add: (count) => count + 1,
          result: (count) => ({ count }),
          provisionalEveryMs: 100,
        }),
      ),
  },
}

const bounded = Object.entries(chains).filter(([, { keeps }]) => keeps !== 'forGood')

it.each(bounded)(
  '%s: in a plain program, where nothing is ever saved, it lets go as well',
  { timeout: 120_000 },
  async (_name, { chain }) => {
    const events = new Subject<KeyEvent>()
    const errors: unknown[] = []
    const subscription = chain(events).subscribe({ error: (error) => errors.push(error) })
    await day(events, 0)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    await day(events, 1)
    collectGarbage()
    expect(errors).toEqual([])
    // Five thousand entries take more than half a megabyte.
    expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(0.5)
    subscription.unsubscribe()
  },
)
