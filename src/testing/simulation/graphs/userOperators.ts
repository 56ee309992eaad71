import type { MonoTypeOperatorFunction } from 'rxjs'
import type { Json } from '../../../runtime/json.ts'
import type { OperatorSpec } from '../../../runtime/operator/operator.ts'
import { stateful } from '../../../runtime/operator/stateful.ts'
import type { StateCodec } from '../../../runtime/state/keyedState.ts'
import type { KeyedPair, SavedOperator } from '../../../runtime/state/savedState.ts'
import { type Item, throwOn } from './item.ts'

/** Which edition of the pipeline is built: the second goes on from what the first has saved. */
export type Edition = 1 | 2

interface UserOperator {
  readonly name: string
  readonly onReject: OperatorSpec['onReject']
}

/** Results stay below what the codec treats specially. */
const mostNumber = 90

/** Adds to each value what it has seen of its key; keeps two maps, the values of one of which the second edition saves in another layout. */
export function counter(
  { name, onReject }: UserOperator,
  { edition, throwsOn }: { readonly edition: Edition; readonly throwsOn: number | null },
): MonoTypeOperatorFunction<Item> {
  const spec = { name, version: edition, migrate: intoObjects, onReject }
  return stateful<Item, Item>(spec, (restored, out) => {
    const seen = restored.keyed<number>(edition === 1 ? bareNumber : numberInObject, 'seen')
    const sums = restored.keyed<number>(bareNumber, 'sums')
    return {
      onValue(item) {
        throwOn(throwsOn, item)
        const count = (seen.get(item.key) ?? 0) + 1
        const sum = (sums.get(item.key) ?? 0) + item.n
        seen.set(item.key, count)
        sums.set(item.key, sum)
        out.emit({ ...item, n: (count + sum) % mostNumber })
      },
    }
  })
}

const bareNumber: StateCodec<number> = { encode: (value) => value, decode: (saved) => saved as number }

const numberInObject: StateCodec<number> = {
  encode: (value) => ({ value }),
  decode: (saved) => (saved as unknown as { readonly value: number }).value,
}

function intoObjects(saved: SavedOperator): SavedOperator {
  const pairs = (saved.maps?.seen ?? []) as readonly (readonly [string, Json])[]
  const seen: readonly KeyedPair[] = pairs.map(([key, value]) => [key, { value }])
  return { ...saved, version: 2, maps: { ...saved.maps, seen } }
}

/** Tells of each key that has been silent for a time, by timers that every value of the key takes back. */
export function silence({ name, onReject }: UserOperator, afterMs: number): MonoTypeOperatorFunction<Item> {
  return stateful<Item, Item>({ name, onReject }, (restored, out) => {
    const last = restored.keyed<number>(bareNumber, 'last')
    return {
      onValue(item) {
        const before = last.get(item.key)
        if (before !== undefined) out.cancel(item.key, before + afterMs)
        const at = out.valueTime()
        last.set(item.key, at)
        out.at(item.key, at + afterMs)
        out.emit(item)
      },
      onTimer(key, time) {
        last.delete(key)
        out.emit({ key, id: time, at: time, n: Math.abs(time) % mostNumber, revision: 0, count: 1 })
      },
    }
  })
}

interface Moves {
  readonly partition: string
  moves: number
  slot: number
}

/** Passes values, and says how often time has moved whenever it comes into another slot. */
export function moves({ name, onReject }: UserOperator, everyMs: number): MonoTypeOperatorFunction<Item> {
  return stateful<Item, Item>({ name, onReject }, (restored, out) => {
    let state = restored.snapshot as unknown as Moves | undefined
    return {
      onValue(item) {
        state ??= { partition: item.key.slice(0, 1), moves: 0, slot: 0 }
        out.emit(item)
      },
      onWatermark(watermark) {
        if (state === undefined) return
        state.moves += 1
        const slot = Math.floor(watermark / everyMs)
        if (slot === state.slot) return
        state.slot = slot
        const n = state.moves % mostNumber
        out.emit({ key: `${state.partition}moves`, id: slot, at: watermark, n, revision: 0, count: 1 })
      },
      snapshot: () => (state === undefined ? null : { ...state }),
    }
  })
}

/** Adds to each value how many came before it; keeps a snapshot only. */
export function running({ name, onReject }: UserOperator): MonoTypeOperatorFunction<Item> {
  return stateful<Item, Item>({ name, onReject }, (restored, out) => {
    let count = (restored.snapshot as number | undefined) ?? 0
    return {
      onValue(item) {
        count += 1
        out.emit({ ...item, n: (item.n + count) % mostNumber })
      },
      snapshot: () => count,
    }
  })
}

/** Passes everything and keeps a count that the second edition does without. */
export function retired({ name, onReject }: UserOperator): MonoTypeOperatorFunction<Item> {
  return stateful<Item, Item>({ name, passesRedriven: true, onReject }, (restored, out) => {
    let count = (restored.snapshot as number | undefined) ?? 0
    return {
      onValue(item) {
        count += 1
        out.emit(item)
      },
      snapshot: () => count,
    }
  })
}
