import { expect, it } from 'vitest'
import { stateful } from '../../../src/runtime/operator/stateful.ts'
import { plainState } from '../../../src/runtime/state/plainState.ts'
import { StateInventory } from '../../../src/runtime/state/stateInventory.ts'
import { ChainTask } from '../../support/tasks.ts'

interface Item {
  readonly key: string
  readonly gone: boolean
}

const keeping = stateful<Item, never>({ name: 'keeping', version: 3, shape: { sizeMs: 5 } }, (restored) => {
  const first = restored.keyed(plainState<number>())
  const second = restored.keyed(plainState<number>(), 'second')
  return {
    onValue({ key, gone }) {
      if (gone) first.delete(key)
      else {
        first.set(key, 1)
        second.set(key, 1)
      }
    },
  }
})

it('counts the keys that are left of all maps, over a base and its deltas, and the bytes of all of them', () => {
  const task = new ChainTask<Item>((items) => items.pipe(keeping))
  const item = (key: string, gone = false) => ({ key, gone })
  const cuts = [
    task.push(item('a'), item('b'), item('__proto__')).cut(),
    task.push(item('a', true), item('c')).cut(),
    task.push(item('b', true), item('a'), item('b')).cut(),
  ]
  const inventory = new StateInventory()
  const found = cuts.map(({ state }) => {
    inventory.add(state)
    return inventory.operators
  })
  expect(cuts.map(({ state }) => state.kind)).toEqual(['base', 'delta', 'delta'])
  const operator = { name: 'keeping', version: 3, shape: { sizeMs: 5 } }
  expect(found.map(([one]) => one)).toMatchObject([
    { ...operator, keys: 6 },
    { ...operator, keys: 7 },
    { ...operator, keys: 8 },
  ])
  const bytes = found.map(([one]) => one?.bytes ?? 0)
  expect(bytes).toEqual(bytes.toSorted((a, b) => a - b))
  // A base begins anew.
  inventory.add(cuts[0]?.state ?? { kind: 'base', body: '' })
  expect(inventory.operators).toEqual(found[0])
})
