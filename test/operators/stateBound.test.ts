import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { filter, type Observable, share } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { type KeyEvent, type OperatorChain, operatorChains } from '../../bench/operators/chains.ts'
import { OperatorTask } from '../../bench/operators/operatorTask.ts'
import { aggregateWindow } from '../../src/operators/aggregateWindow.ts'
import { asOfJoin } from '../../src/operators/asOfJoin.ts'
import { countWindow } from '../../src/operators/countWindow.ts'
import { enrich } from '../../src/operators/enrich.ts'
import { eventTime } from '../../src/operators/eventTime.ts'
import { inOrder } from '../../src/operators/inOrder.ts'
import { intervalJoin } from '../../src/operators/intervalJoin.ts'
import { keyed } from '../../src/operators/keyed.ts'
import { lookup } from '../../src/operators/lookup.ts'
import { sequence } from '../../src/operators/sequence.ts'
import { sessionWindow } from '../../src/operators/sessionWindow.ts'
import { toTable } from '../../src/operators/toTable.ts'
import { collectGarbage } from '../../src/runtime/collectGarbage.ts'
import { readFrames, type SavedOperator } from '../../src/runtime/state/savedState.ts'

const index = readFileSync(join(import.meta.dirname, '../../src/index.ts'), 'utf8')

/** Operators that a chain of plain events cannot have, and which test looks at what they keep. */
const elsewhere: Readonly<Record<string, string>> = { upstreamTime: 'test/runtime/worker/hops.test.ts' }

/** What `millrace` exports of the folder of operators, types left out. */
const publicOperators = [...index.matchAll(/export \{([^}]*)\} from '\.\/operators\/\w+\.ts'/g)].flatMap(
  ([, names = '']) =>
    names
      .split(',')
      .map((name) => name.trim())
      .filter((name) => /^[a-z]/.test(name) && !name.startsWith('type ') && !(name in elsewhere)),
)

const dayMs = 86_400_000
const start = Date.UTC(2024, 7, 8)

/** A day in which keys come and go: each has three values, a second apart, and none of another day comes again. */
async function day(task: OperatorTask, number: number, keys: number): Promise<void> {
  const everyMs = dayMs / keys
  const events = Array.from({ length: keys * 3 }, (_, i) => {
    const n = i % 3
    const key = (i - n) / 3
    return {
      key: `day ${number} key ${key}`,
      at: Math.floor(start + number * 2 * dayMs + key * everyMs) + n * 1_000,
      n,
    }
  }).sort((a, b) => a.at - b.at)
  let pushed = 0
  for (const event of events) {
    const waiting = task.push(event)
    if (waiting !== undefined) await waiting
    if (++pushed % 1_000 === 0) await task.cut()
  }
  await task.advanceTo(start + (number * 2 + 1) * dayMs + 3_600_000)
  await task.cut()
}

/** What a restore of the checkpoints would find, as text: what was kept and let go of again is not in it. */
function savedText(task: OperatorTask): string {
  const live = ({ keyed, maps = {}, ...rest }: SavedOperator) => {
    const keptOf = (pairs: SavedOperator['keyed']) => {
      const kept = new Map<string, unknown>()
      for (const [key, ...value] of pairs) {
        if (value.length === 0) kept.delete(key)
        else kept.set(key, value)
      }
      return [...kept]
    }
    return { ...rest, keyed: keptOf(keyed), maps: Object.entries(maps).map(([map, pairs]) => [map, keptOf(pairs)]) }
  }
  return JSON.stringify([...readFrames(task.frames)].map(([name, saved]) => [name, live(saved)]))
}

describe('what an operator keeps', () => {
  it('is looked at here for every operator that a user has', () => {
    const looked = new Set(Object.keys(operatorChains).flatMap((name) => name.split(/, | and /)))
    expect(publicOperators.length).toBeGreaterThan(20)
    expect(publicOperators.filter((operator) => !looked.has(operator))).toEqual([])
  })

  it.each(Object.entries(operatorChains))(
    '%s: after a day of 5,000 keys it is what it was',
    { timeout: 120_000 },
    async (_name, chain: OperatorChain) => {
      const task = new OperatorTask(chain)
      await day(task, 0, 100)
      const first = savedText(task)
      const kept = task.keyCount
      if (chain.keeps === 'forGood') expect(kept).toBe(100)
      else expect(kept).toBe(0)
      await day(task, 1, 5_000)
      expect(task.keyCount).toBe(chain.keeps === 'forGood' ? 5_100 : 0)
      // Numbers have grown by some digits.
      if (chain.keeps !== 'forGood') expect(savedText(task).length).toBeLessThan(first.length + 50)
      if (chain.keeps === 'forGood') return
      collectGarbage()
      const before = process.memoryUsage().heapUsed
      await day(task, 2, 5_000)
      collectGarbage()
      // Five thousand entries take more than half a megabyte.
      expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(0.5)
    },
  )
})

const by = ({ key }: KeyEvent) => key
const isFirst = ({ n }: KeyEvent) => n === 0
const isSecond = ({ n }: KeyEvent) => n === 1
const timed = eventTime<KeyEvent>({ of: ({ at }) => at, maxOutOfOrdernessMs: 0 })
const counted = aggregateWindow<KeyEvent, number, { readonly count: number }>({
  initial: () => 0,
  add: (count) => count + 1,
  merge: (a, b) => a + b,
  result: (count) => ({ count }),
})

/** Two values of each key, one after the other, after which nothing is kept that a day of event time would have to free. */
const overEarly: Readonly<Record<string, (values: Observable<KeyEvent>) => Observable<unknown>>> = {
  'keyed, which forgets a key before its timer': (values) =>
    values.pipe(
      timed,
      keyed<KeyEvent, number, never>({
        ...{ name: 'k', by, initial: () => 0 },
        onValue: (_, { n, at }) => (n === 0 ? { keep: n, wakeAt: at + dayMs } : { keep: null }),
        onTimer: () => ({ keep: null }),
      }),
    ),
  'keyed, whose timer is set for an earlier time': (values) =>
    values.pipe(
      timed,
      keyed<KeyEvent, number, never>({
        ...{ name: 'k', by, initial: () => 0 },
        onValue: (_, { n, at }) => (n === 0 ? { keep: n, wakeAt: at + dayMs } : { keep: n, wakeAt: at + 1 }),
        onTimer: () => ({ keep: null }),
      }),
    ),
  'sequence, whose matches have ended': (values) =>
    values.pipe(
      timed,
      sequence({
        ...{ name: 's', by, steps: { first: isFirst, second: isSecond }, withinMs: dayMs },
        onMatch: ({ first }) => ({ at: first.at }),
      }),
    ),
  'asOfJoin, whose right values have been followed by others': (values) => {
    const right = values.pipe(timed, share())
    return right.pipe(
      filter(({ n }) => n < 0),
      asOfJoin(right, { name: 'j', by: { left: () => 'k', right: () => 'k' }, keepMs: dayMs, with: (left) => left }),
    )
  },
  'intervalJoin, whose keys always have a value': (values) => {
    const keyOf = ({ at }: KeyEvent) => String(at % 2_000)
    const shared = values.pipe(timed, share())
    return shared.pipe(
      filter(({ n }) => n === 0),
      intervalJoin(shared.pipe(filter(({ n }) => n > 1)), {
        name: 'j',
        by: { left: keyOf, right: keyOf },
        fromMs: 0,
        toMs: 3_000,
        with: () => null,
      }),
    )
  },
  'lookup, whose answers make room': (values) =>
    values.pipe(
      timed,
      lookup({
        ...{ name: 'l', by, get: async () => 1, with: () => null, concurrency: 64 },
        cache: { maxEntries: 10, ttlMs: dayMs },
      }),
    ),
  'toTable with ttlMs, whose rows are taken away': (values) => {
    const shared = values.pipe(timed, share())
    const value = ({ n }: KeyEvent) => (n === 0 ? n : null)
    const table = toTable(shared, { name: 't', by, value, maxKeys: 10, ttlMs: dayMs })
    return shared.pipe(enrich(table, { by, with: () => null }))
  },
  'toTable with ttlMs, before there is a time': (values) => {
    const shared = values.pipe(share())
    const table = toTable(shared, { name: 't', by: () => 'k', value: ({ n }) => n, maxKeys: 10, ttlMs: dayMs })
    return shared.pipe(
      filter(({ n }) => n < 0),
      timed,
      enrich(table, { by, with: () => null }),
    )
  },
  'countWindow, whose windows are full before they have waited': (values) =>
    values.pipe(timed, countWindow({ name: 'w', size: 2, maxWaitMs: dayMs, by: () => 'k' }), counted),
  'sessionWindow, whose sessions have become one': (values) =>
    values.pipe(
      eventTime<KeyEvent>({
        of: ({ at, n }) => (n === 0 ? at : start - (at % dayMs)),
        maxOutOfOrdernessMs: 30 * dayMs,
      }),
      sessionWindow({ name: 'w', gapMs: dayMs, by: () => 'k' }),
      counted,
    ),
}

/** Values of one key, of which all that came is kept. */
const keptOfAKey: Readonly<Record<string, (values: Observable<KeyEvent>) => Observable<unknown>>> = {
  sessionWindow: (values) =>
    values.pipe(timed, sessionWindow({ name: 'w', gapMs: 5, allowedLatenessMs: 30 * dayMs, by }), withdrawing),
  asOfJoin: (values) => {
    const shared = values.pipe(behind, share())
    const right = shared.pipe(filter(({ n }) => n % 2 === 1))
    return shared.pipe(
      filter(({ n }) => n % 2 === 0),
      asOfJoin(right, { name: 'j', by: { left: by, right: by }, keepMs: dayMs, with: (left) => left }),
    )
  },
  intervalJoin: (values) => {
    const shared = values.pipe(behind, share())
    const right = shared.pipe(filter(({ n }) => n % 2 === 1))
    return shared.pipe(
      filter(({ n }) => n % 2 === 0),
      intervalJoin(right, { name: 'j', by: { left: by, right: by }, fromMs: 0, toMs: 20, with: (left) => left }),
    )
  },
  inOrder: (values) => values.pipe(behind, inOrder()),
}
/** Time trails by forty thousand values. */
const behind = eventTime<KeyEvent>({ of: ({ at }) => at, maxOutOfOrdernessMs: 400_000 })
const withdrawing = aggregateWindow<KeyEvent, number, { readonly count: number }>({
  initial: () => 0,
  add: (count) => count + 1,
  merge: (a, b) => a + b,
  result: (count) => ({ count }),
  withdraws: true,
})

describe('what a value costs', () => {
  it.each(Object.entries(keptOfAKey))(
    '%s: does not grow with what is kept of its key',
    { timeout: 120_000 },
    async (_name, chain) => {
      const task = new OperatorTask({ keeps: 'time', chain })
      let pushed = 0
      const push = async (values: number) => {
        const before = process.cpuUsage()
        for (const end = pushed + values; pushed < end; pushed += 1) {
          await task.push({ key: 'k', at: start + pushed * 10, n: pushed })
          if (pushed % 500 === 0) await task.cut()
        }
        const { user, system } = process.cpuUsage(before)
        return (user + system) / values
      }
      const first = await push(2_000)
      await push(38_000)
      // The first ones are slow besides, for they are not compiled yet. Looking through all costs fifteen times as much and more.
      expect(await push(2_000)).toBeLessThan(8 * first)
    },
  )
})

describe('what is over before its time', () => {
  it.each(Object.entries(overEarly))('%s: is let go of', { timeout: 120_000 }, async (_name, chain) => {
    const task = new OperatorTask({ keeps: 'time', chain })
    let pushed = 0
    const push = async (keys: number) => {
      for (const end = pushed + keys; pushed < end; pushed += 1) {
        for (const n of [0, 1]) {
          const waiting = task.push({ key: `key ${pushed}`, at: start + pushed, n })
          if (waiting !== undefined) await waiting
        }
        if (pushed % 1_000 === 0) await task.cut()
      }
      await task.cut()
      task.frames = []
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    const before = await push(5_000)
    // Forty thousand entries take several megabytes, and what is collected late a tenth of one.
    expect(((await push(40_000)) - before) / 1e6).toBeLessThan(0.6)
  })
})
