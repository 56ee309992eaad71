/** Logs keep no time before it. */
const earliestMs = 0
/** Until then a time in ms is more likely one in seconds: those of today lie in January 1970. */
const likelyMs = Date.UTC(1975, 0, 1)
const latestMs = Date.UTC(2100, 0, 1)

/**
 * What is wrong with an event time in ms UTC, in words that follow "the time", or null. A time past 2100 would let every window close, and a negative
 * one no log takes.
 */
export function eventTimeProblem(ms: number): string | null {
  if (!Number.isFinite(ms)) return `is ${ms}, which is no time`
  if (ms < earliestMs) return `is ${ms} ms, before 1970, which no log can hold`
  if (ms >= latestMs) return `is ${ms} ms, past the year 2100: is it in microseconds or nanoseconds?`
  return null
}

/** True for a number of ms in the first years after 1970, where a time in seconds lies that is taken for ms. */
export function looksLikeSeconds(ms: number): boolean {
  return ms >= earliestMs && ms < likelyMs
}
