import type { Json } from '../json.ts'
import type { StateFrame } from '../store/checkpoint.ts'
import { FrameChain } from './frameChain.ts'
import { decodeOwnState } from './ownState.ts'
import { framedOperators, type KeyedPair, taskItself, unnamedMap } from './savedState.ts'

/** What a task has saved for one operator. */
export interface OperatorInventory {
  readonly name: string
  readonly version: number
  /** The options that shaped it. */
  readonly shape: Json
  /** Over all maps of its keyed state. */
  readonly keys: number
  /** Of its parts in all frames that are kept. */
  readonly bytes: number
}

interface Counted {
  version: number
  shape: Json
  bytes: number
  readonly keys: Map<string, Set<string>>
}

/** Counts what the frames of one task hold, frame by frame: of a frame that it has seen it remembers the keys and none of the values. */
export class StateInventory {
  readonly #operators = new Map<string, Counted>()
  readonly #chain = new FrameChain()
  #sent: ReadonlyMap<string, number> = new Map()

  /** @param frame of the task, oldest first */
  add(frame: StateFrame): void {
    const role = this.#chain.roleOf(frame)
    if (role === 'all') this.#operators.clear()
    for (const operator of framedOperators(frame)) {
      const { name, version, shape, snapshot, keyed, maps = {} } = operator
      if (name === taskItself) {
        if (role !== null) this.#sent = decodeOwnState(snapshot).sent
        continue
      }
      const counted = this.#operators.get(name) ?? { version, shape, bytes: 0, keys: new Map() }
      counted.version = version
      counted.shape = shape
      counted.bytes += Buffer.byteLength(JSON.stringify(operator))
      this.#operators.set(name, counted)
      if (role === null) continue
      for (const [map, pairs] of Object.entries({ [unnamedMap]: keyed, ...maps })) count(counted, map, pairs)
    }
  }

  /** By name. */
  get operators(): readonly OperatorInventory[] {
    return [...this.#operators]
      .map(([name, { version, shape, bytes, keys }]) => ({
        ...{ name, version, shape, bytes },
        keys: [...keys.values()].reduce((sum, { size }) => sum + size, 0),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** How many messages each outlet has emitted. */
  get sent(): ReadonlyMap<string, number> {
    return this.#sent
  }
}

function count({ keys }: Counted, map: string, pairs: readonly KeyedPair[]): void {
  const known = keys.get(map) ?? new Set()
  for (const pair of pairs) {
    if (pair.length === 1) known.delete(pair[0])
    else known.add(pair[0])
  }
  keys.set(map, known)
}
