import type { AlertTransition } from '../../market/alertEvent.ts'

/** How what was looked at stands to the threshold: beyond it, beyond the one that clears it, or between the two. */
export type Verdict = 'bad' | 'clear' | 'between'

/** How long an alert waits before it is told, and how often it may be. */
export interface Patience {
  /** How long it must be bad before it fires, ms. */
  readonly forMs: number
  /** How long it must be clear before it is resolved, ms. */
  readonly keepFiringForMs: number
  /** How often it may fire in an hour. */
  readonly maxPerHour: number
}

/** Where an alert stands. Never changed in place. */
export interface Standing {
  /** Since when it is bad without a break, ms; null where it is not. */
  readonly badSince: number | null
  /** While it fires: since when it is clear without a break, ms; null where it is not. */
  readonly clearSince: number | null
  readonly isFiring: boolean
  /** Whether the last thing that was told is that it fires. */
  readonly isTold: boolean
  /** When it fired within the last hour and was told, ms. */
  readonly fired: readonly number[]
  /** How often it has fired without being told; null while it tells. */
  readonly muted: number | null
}

/** What a step has come to. */
export interface Step {
  readonly standing: Standing
  /** What is to be told, or null. */
  readonly transition: Extract<AlertTransition, 'firing' | 'resolved' | 'flapping'> | null
  /** How often it had fired untold before this. */
  readonly muted: number
}

export const calm: Standing = {
  badSince: null,
  clearSince: null,
  isFiring: false,
  isTold: false,
  fired: [],
  muted: null,
}

const hourMs = 3_600_000

/** Takes one more look. Times must not go back. */
export function step(before: Standing, at: number, verdict: Verdict, patience: Patience): Step {
  const looked = before.isFiring ? whileFiring(before, at, verdict, patience) : whileCalm(before, at, verdict, patience)
  return told({ ...looked, fired: looked.fired.filter((time) => time > at - hourMs) }, before, at, patience)
}

function whileCalm(before: Standing, at: number, verdict: Verdict, { forMs }: Patience): Standing {
  if (verdict !== 'bad') return { ...before, badSince: null }
  const badSince = before.badSince ?? at
  return at - badSince < forMs ? { ...before, badSince } : { ...before, badSince, isFiring: true, clearSince: null }
}

function whileFiring(before: Standing, at: number, verdict: Verdict, { keepFiringForMs }: Patience): Standing {
  if (verdict !== 'clear') return { ...before, clearSince: null }
  const clearSince = before.clearSince ?? at
  if (at - clearSince < keepFiringForMs) return { ...before, clearSince }
  return { ...before, isFiring: false, badSince: null, clearSince: null }
}

/** What of it is told: after so many in an hour only that it flaps, until there is room again; then how it stands. */
function told(now: Standing, before: Standing, at: number, { maxPerHour }: Patience): Step {
  const hasRoom = now.fired.length < maxPerHour
  if (now.muted !== null && !hasRoom) {
    const begins = now.isFiring && !before.isFiring
    return { standing: { ...now, muted: now.muted + (begins ? 1 : 0) }, transition: null, muted: 0 }
  }
  const muted = now.muted ?? 0
  if (now.isFiring === now.isTold && now.muted === null) return { standing: now, transition: null, muted }
  if (!now.isFiring) return { standing: { ...now, isTold: false, muted: null }, transition: 'resolved', muted }
  if (!hasRoom) return { standing: { ...now, muted: 1 }, transition: 'flapping', muted }
  return { standing: { ...now, isTold: true, muted: null, fired: [...now.fired, at] }, transition: 'firing', muted }
}

/** As a checkpoint keeps it. */
export type SavedStanding = readonly [
  badSince: number | null,
  clearSince: number | null,
  isFiring: boolean,
  isTold: boolean,
  fired: readonly number[],
  muted: number | null,
]

export function saveStanding(standing: Standing): SavedStanding {
  const { badSince, clearSince, isFiring, isTold, fired, muted } = standing
  return [badSince, clearSince, isFiring, isTold, fired, muted]
}

export function loadStanding([badSince, clearSince, isFiring, isTold, fired, muted]: SavedStanding): Standing {
  return { badSince, clearSince, isFiring, isTold, fired, muted }
}
