import type { Observable } from 'rxjs'
import type { Meeting } from '../runtime/operator/operator.ts'
import type { KeyedState } from '../runtime/state/keyedState.ts'

/** The newest row of each key, from `toTable`, for `enrich` to look up. */
export class StreamTable<V> {
  /** The name of the operator that keeps it. */
  readonly name: string
  /** Emits nothing. The table is kept while somebody is subscribed to it; the first subscription begins it, the last end empties it. */
  readonly upkeep: Observable<never>
  /** For the specs of the operators that read the table. */
  readonly meeting: Meeting
  readonly #rows: () => Pick<KeyedState<V>, 'get'> | null

  constructor(
    name: string,
    upkeep: Observable<never>,
    meeting: Meeting,
    rows: () => Pick<KeyedState<V>, 'get'> | null,
  ) {
    this.name = name
    this.upkeep = upkeep
    this.meeting = meeting
    this.#rows = rows
  }

  /** The row of the key as it stands, which must not be changed; undefined where there is none. */
  get(key: string): V | undefined {
    return this.#rows()?.get(key)
  }
}
