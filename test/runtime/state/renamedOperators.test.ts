import type { Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import { tumblingWindow } from '../../../src/operators/tumblingWindow.ts'
import { ConfigurationError, StateMismatchError } from '../../../src/runtime/errors.ts'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { definePipeline, type PipelineOptions } from '../../../src/runtime/pipeline/pipeline.ts'
import { plainState } from '../../../src/runtime/state/plainState.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'

interface Item {
  readonly key: string
  readonly at: number
}

const at = (key: string, time: number): Item => ({ key, at: time })
type Changes = Pick<PipelineOptions, 'renamed' | 'retired'>

/** Emits how often each key came, under the name of the operator. */
const counting = (name: string) =>
  stateful<Item, Item>({ name }, (restored, out) => {
    const counts = restored.keyed(plainState<number>())
    return {
      onValue(item) {
        counts.set(item.key, (counts.get(item.key) ?? 0) + 1)
        out.emit({ key: item.key, at: counts.get(item.key) ?? 0 })
      },
    }
  })

const run = (cuts: readonly TaskCut[], names: readonly string[], changes: Changes, ...items: readonly Item[]) => {
  const chain = (values: Observable<Item>) => names.reduce((stream, name) => stream.pipe(counting(name)), values)
  const task = new ChainTask<Item>(chain, cuts.length === 0 ? null : savedFrom(...cuts), changes).push(...items)
  return { cut: task.cut(), out: task.out }
}

const namesIn = (cut: TaskCut) =>
  (JSON.parse(cut.state.body) as { operators: { name: string }[] }).operators.map(({ name }) => name)

describe('a renamed operator', () => {
  it('keeps its windows: they close under the new name with what was in them, also at the second start', () => {
    const windows = (name: string) => (items: Observable<Item>) =>
      items.pipe(
        eventTime<Item>({ name: `${name} time`, of: (item) => item.at, maxOutOfOrdernessMs: 0 }),
        tumblingWindow<Item>({ name, sizeMs: 100, by: (item) => item.key }),
        aggregateWindow<Item, string, string>({
          name: `${name} times`,
          initial: () => '',
          add: (seen, item) => `${seen} ${item.at}`,
          result: (seen, { key }) => `${key}:${seen}`,
        }),
      )
    const old = new ChainTask<Item>(windows('old')).push(at('a', 10))
    const cuts = [old.cut(), old.push(at('a', 20)).cut()]
    const renamed = { old: 'new', 'old time': 'new time', 'old times': 'new times' }
    const second = new ChainTask<Item>(windows('new'), savedFrom(...cuts), { renamed }).push(at('a', 30))
    cuts.push(second.cut())
    expect(cuts.at(-1)?.state.kind).toBe('base')
    expect(namesIn(cuts.at(-1) as TaskCut)).not.toContain('old')
    const third = new ChainTask<Item>(windows('new'), savedFrom(...cuts), { renamed }).push(at('a', 200))
    expect(third.out).toEqual(['a: 10 20 30'])
  })

  it('may not take a name that has state of its own, unless that one is retired', () => {
    const { cut } = run([], ['first', 'second'], {}, at('a', 1), at('a', 2))
    const renamed = { first: 'second' }
    expect(() => run([cut], ['second'], { renamed })).toThrow(StateMismatchError)
    expect(() => run([cut], ['second'], { renamed })).toThrow(/both have saved state.*"retired" list/s)
    const both = run([cut], ['second'], { renamed, retired: ['second'] }, at('a', 3))
    expect(both.out).toMatchObject([{ at: 3 }])
    // At the next start the operator that is there under the retired name keeps what it has.
    expect(run([both.cut], ['second'], { renamed, retired: ['second'] }, at('a', 4)).out).toMatchObject([{ at: 4 }])
  })

  it('is renamed beside one that is retired', () => {
    const { cut } = run([], ['gone', 'before'], {}, at('a', 1))
    const next = run([cut], ['after'], { renamed: { before: 'after' }, retired: ['gone'] }, at('a', 2))
    expect(next.out).toMatchObject([{ key: 'a', at: 2 }])
    expect(namesIn(next.cut)).toEqual(['after'])
  })

  it('leaves no way to use its old name, and says so where neither name is in the pipeline', () => {
    const { cut } = run([], ['before'], {}, at('a', 1))
    expect(() => run([cut], ['before', 'after'], { renamed: { before: 'after' } })).toThrow(
      /operator "before" is in the pipeline, and "renamed" says that it is called "after" now/,
    )
    expect(() => run([cut], ['other'], { renamed: { before: 'after' } })).toThrow(
      /operator "after" has saved state but is not in the pipeline/,
    )
    expect(() => run([cut], ['constructor'], {})).toThrow(
      /operator "before" has saved state.*in the pipeline's "renamed"/,
    )
  })
})

describe('renamings that would mean something else at the second start', () => {
  it.each<[string, Changes, RegExp]>([
    ['a chain', { renamed: { a: 'b', b: 'c' } }, /"a" is now "b", which is renamed as well/],
    ['two to one', { renamed: { a: 'c', b: 'c' } }, /"b" is now "c", and so is another/],
    ['to no name', { renamed: { a: '' } }, /at least one letter/],
    ['of one that is retired', { renamed: { a: 'b' }, retired: ['a'] }, /and retired says it is gone/],
  ])('are refused: %s', (_what, changes, message) => {
    const define = () => definePipeline({ name: 'changed', ...changes, build: () => ({}) })
    expect(define).toThrow(ConfigurationError)
    expect(define).toThrow(message)
  })
})
