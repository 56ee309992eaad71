import { refusePromise } from '../runtime/atOnce.ts'
import type { Output } from '../runtime/operator/operator.ts'
import { isEventMs, notEventMs } from './eventMs.ts'

/**
 * The event time of a value that has come in time; null for one that was set aside, as `no-event-time` where it has none that is a whole number, and as `late` where the
 * watermark has come to it already.
 * @param of gives the time; left out where it is that of the `eventTime` above
 */
export function timelyAt<T>(out: Output<never>, name: string, value: T, of?: (value: T) => number): number | null {
  const at = of === undefined ? out.valueTime() : of(value)
  if (!isEventMs(at)) {
    refusePromise(`${name}: of`, at)
    out.reject('no-event-time', `${name}: ${notEventMs(at)}`)
    return null
  }
  const { watermark } = out
  if (at > watermark) return at
  out.reject('late', `${name}: event time ${at} is late: the watermark is ${watermark}`)
  return null
}
