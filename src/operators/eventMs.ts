/** The furthest that a date can be from 1970, ms. Beyond it there is none, and further still numbers are not exact any more: a window there could have no start. */
const furthestMs = 8_640_000_000_000_000

/** True for ms UTC that can be an event time: whole, and a date. */
export function isEventMs(at: number): boolean {
  return Number.isInteger(at) && at <= furthestMs && at >= -furthestMs
}

/** Why a value with this time is set aside as `no-event-time`. */
export function notEventMs(at: number): string {
  if (!Number.isInteger(at)) return `its event time is ${at}, not a whole number of ms`
  return `its event time is ${at}, which is no date: it is more than ${furthestMs} ms from 1970. Is it in nanoseconds, or does it stand for none?`
}
