import { concatAll, concatMap, filter, map, mergeMap, type OperatorFunction } from 'rxjs'
import { Batch } from '../../../runtime/batch.ts'
import { type Item, isSound, residueOf, residues, throwOn } from './item.ts'
import type { Step } from './plan.ts'

/** What runs through a drawn graph. */
export type Flow = Item | Batch<Item>

export type PlainStep = Extract<Step, { readonly kind: 'filter' | 'onlySound' | 'map' | 'spread' | 'flatten' }>

/** What a plain step makes of one value: none, one or several. Throws where it was drawn to. */
export function madeOf(step: Exclude<PlainStep, { kind: 'flatten' }>, item: Item): readonly Item[] {
  switch (step.kind) {
    case 'filter':
      return residueOf(item) === step.without ? [] : [item]
    case 'onlySound':
      return isSound(item) ? [item] : []
    case 'map':
      throwOn(step.throwsOn, item)
      return [{ ...item, n: (item.n + step.plus) % 90 }]
    case 'spread': {
      if (residueOf(item) === (step.copiesOn + 1) % residues) return []
      return residueOf(item) === step.copiesOn ? [item, { ...item, n: item.n + 1 }] : [item]
    }
  }
}

/** The step in RxJS's own operators; all but a spread take batches as well as single values. */
export function plainStep(step: PlainStep): OperatorFunction<Flow, Flow> {
  switch (step.kind) {
    case 'filter':
    case 'onlySound':
      return (flow) => {
        const isKept = (item: Item) => madeOf(step, item).length > 0
        const kept = flow.pipe(map((value) => (value instanceof Batch ? (value.filter(isKept) as Batch<Item>) : value)))
        return kept.pipe(filter((value) => value instanceof Batch || isKept(value)))
      }
    case 'map':
      return map(each((item) => madeOf(step, item)[0] as Item))
    case 'spread':
      return spread(step)
    case 'flatten':
      return mergeMap((value) => (value instanceof Batch ? [...value] : [value]))
  }
}

/** The function for single values and for batches of them. */
export function each(change: (item: Item) => Item): (value: Flow) => Flow {
  return (value) => (value instanceof Batch ? (value.map(change) as Batch<Item>) : change(value))
}

function spread(step: Extract<Step, { kind: 'spread' }>): OperatorFunction<Flow, Flow> {
  const copies = (value: Flow) => [...madeOf(step, value as Item)]
  if (step.by === 'mergeMap') return mergeMap(copies)
  return step.by === 'concatMap' ? concatMap(copies) : (flow) => flow.pipe(map(copies), concatAll())
}
