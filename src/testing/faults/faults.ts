import type { Random } from '../random.ts'

/** Everything the fault-injecting wrappers can do to a pipeline. */
export const faultKinds = [
  'claim-fails',
  'commit-fails',
  'commit-lost-reply',
  'commit-slow',
  'crash-before-commit',
  'crash-during-commit',
  'crash-after-commit',
  'zombie-commit',
  'crash-during-fetch',
  'fetch-fails',
  'fetch-slow',
  'fetch-empty',
  'fetch-short',
  'rebalance',
  'crash-during-put',
  'put-fails',
  'put-lost-reply',
  'put-slow',
  'put-refused',
  'bounds-slow',
  'outbox-fails',
  'outbox-lost-reply',
  'send-fails',
  'send-lost-reply',
  'send-slow',
  'crash-during-send',
] as const

/** One way in which a pipeline can be disturbed; docs/learn/testing.md says of each what the worker sees and what really happened. */
export type FaultKind = (typeof faultKinds)[number]

/** Decides, occasion by occasion, whether a fault strikes, and counts those that did. */
export interface Faults {
  /** Asks for one occasion, and counts it where the fault strikes. */
  strikes(kind: FaultKind): boolean
  /** How often each kind has struck. */
  readonly counts: ReadonlyMap<FaultKind, number>
}

/** How often faults strike by chance. */
export interface SeededFaultsOptions {
  /** Probability at each occasion; a kind that is not named never strikes. */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>
  /** How many faults may strike in all, so that the work comes to an end. */
  readonly limit: number
}

/** Faults that strike by chance, decided by the seed alone. */
export function seededFaults(random: Random, options: SeededFaultsOptions): Faults {
  const counts = new Map<FaultKind, number>()
  // One generator a kind: whether one kind strikes does not depend on how often another was asked about.
  const chances = new Map(faultKinds.map((kind) => [kind, random.fork(kind)]))
  let left = options.limit
  return {
    counts,
    strikes(kind) {
      const rate = options.rates[kind] ?? 0
      const hits = chances.get(kind)?.chance(rate) ?? false
      if (!hits || left === 0) return false
      left--
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
      return true
    },
  }
}

/** Faults of a script, which knows what it has not come to. */
export interface ScriptedFaults extends Faults {
  /** Faults of the script that were never reached, in words; a test that relies on them proved nothing. */
  unreached(): readonly string[]
}

/**
 * Faults that strike at written occasions: `{ 'crash-after-commit': [2, 5] }` is a crash right after the second and the
 * fifth commit, counted from 1 over all starts of the worker.
 */
export function scriptedFaults(script: Readonly<Partial<Record<FaultKind, readonly number[]>>>): ScriptedFaults {
  const counts = new Map<FaultKind, number>()
  const occasions = new Map<FaultKind, number>()
  return {
    counts,
    strikes(kind) {
      const occasion = (occasions.get(kind) ?? 0) + 1
      occasions.set(kind, occasion)
      if (script[kind]?.includes(occasion) !== true) return false
      counts.set(kind, (counts.get(kind) ?? 0) + 1)
      return true
    },
    unreached() {
      return faultKinds.flatMap((kind) => {
        const seen = occasions.get(kind) ?? 0
        const missed = (script[kind] ?? []).filter((occasion) => occasion > seen)
        return missed.map((occasion) => `${kind} at occasion ${occasion}: there were only ${seen}`)
      })
    },
  }
}

/** No fault ever. */
export const noFaults: Faults = { counts: new Map(), strikes: () => false }
