import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type OperatorChain, operatorChains } from '../../bench/operators/chains.ts'
import { OperatorTask } from '../../bench/operators/operatorTask.ts'
import { collectGarbage } from '../../src/runtime/collectGarbage.ts'
import { readFrames, type SavedOperator } from '../../src/runtime/savedState.ts'

const index = readFileSync(join(import.meta.dirname, '../../src/index.ts'), 'utf8')

/** Operators that a chain of plain events cannot have, and which test looks at what they keep. */
const elsewhere: Readonly<Record<string, string>> = { upstreamTime: 'test/runtime/hops.test.ts' }

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
    '%s: after a day of 10,000 keys it is what it was',
    { timeout: 120_000 },
    async (_name, chain: OperatorChain) => {
      const task = new OperatorTask(chain)
      await day(task, 0, 100)
      const first = savedText(task)
      const kept = task.keyCount
      if (chain.keeps === 'forGood') expect(kept).toBe(100)
      else expect(kept).toBe(0)
      await day(task, 1, 10_000)
      expect(task.keyCount).toBe(chain.keeps === 'forGood' ? 10_100 : 0)
      // Numbers have grown by some digits.
      if (chain.keeps !== 'forGood') expect(savedText(task).length).toBeLessThan(first.length + 50)
      if (chain.keeps === 'forGood') return
      collectGarbage()
      const before = process.memoryUsage().heapUsed
      await day(task, 2, 10_000)
      collectGarbage()
      // Ten thousand entries take more than a megabyte.
      expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(1)
    },
  )
})
