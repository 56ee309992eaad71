import type { Json } from '../json.ts'

/** What a task itself keeps in its checkpoints, beside its operators. */
export interface OwnState {
  /** How many letters each operator has written of the last record. */
  readonly ordinals: ReadonlyMap<string, number>
  /** Which input the last record came from. */
  readonly lastInput: number
  /** Its offset, where a gap follows that was found already; null for the one below the next offset. */
  readonly lastOffset: number | null
  /** How many messages each outlet has emitted. */
  readonly sent: ReadonlyMap<string, number>
  /** Where a task has several times: how far each has come, by the name of its `eventTime`; ms UTC. */
  readonly clocks: ReadonlyMap<string, number>
  /** How many steps of time a task with several inputs has recorded. */
  readonly steps: number
  /** What decides the order of the inputs from here on; null where there is one. */
  readonly merge: Json
}

interface SavedOwnState {
  readonly ordinals?: Readonly<Record<string, number>>
  readonly lastInput?: number
  readonly lastOffset?: number
  readonly sent?: Readonly<Record<string, number>>
  readonly clocks?: Readonly<Record<string, number>>
  readonly steps?: number
  readonly merge?: Json
}

/** As JSON, or null where there is nothing to say. */
export function encodeOwnState({ ordinals, lastInput, lastOffset, sent, clocks, steps, merge }: OwnState): Json {
  const saved = {
    ...(ordinals.size === 0 ? {} : { ordinals: encodeOrdinals(ordinals) }),
    ...(lastInput === 0 ? {} : { lastInput }),
    ...(lastOffset === null ? {} : { lastOffset }),
    ...(sent.size === 0 ? {} : { sent: Object.fromEntries(sent) }),
    ...(clocks.size === 0 ? {} : { clocks: Object.fromEntries(clocks) }),
    ...(steps === 0 ? {} : { steps }),
    ...(merge === null ? {} : { merge }),
  }
  return Object.keys(saved).length === 0 ? null : saved
}

/** Which operator came first is chance where they are asynchronous, so it is not saved. */
export function encodeOrdinals(ordinals: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...ordinals].sort(([a], [b]) => (a < b ? -1 : 1)))
}

export function decodeOwnState(saved: Json | undefined): OwnState {
  const { ordinals, lastInput, lastOffset, sent, clocks, steps, merge } = (saved ?? {}) as SavedOwnState
  return {
    ordinals: new Map(Object.entries(ordinals ?? {})),
    lastInput: lastInput ?? 0,
    lastOffset: lastOffset ?? null,
    sent: new Map(Object.entries(sent ?? {})),
    clocks: new Map(Object.entries(clocks ?? {})),
    steps: steps ?? 0,
    merge: merge ?? null,
  }
}
