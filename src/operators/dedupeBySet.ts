import type { MonoTypeOperatorFunction } from 'rxjs'
import { refusePromise } from '../runtime/atOnce.ts'
import { stateful } from '../runtime/operator/stateful.ts'
import type { StateCodec } from '../runtime/state/keyedState.ts'
import type { SavedOperator } from '../runtime/state/savedState.ts'
import { TimerQueue } from '../runtime/time/timerQueue.ts'
import type { DedupeBySet } from './dedupe.ts'
import { Hole } from './holes.ts'
import { keyOf } from './keyOf.ts'
import { pairName } from './pairName.ts'
import { StandingTime } from './standingTime.ts'

/** Ids are forgotten together, at this many times in a ttl; on fixed steps of event time, so that a restore changes nothing. */
const stepsPerTtl = 64
/** At most so many at once, so that a million of them do not hold up the records. */
const forgottenAtOnce = 1_024

/** `dedupe` with one entry an id. */
export function dedupeBySet<T>(
  name: string,
  ttlMs: number,
  { by, id, takesHoles, onReject }: DedupeBySet<T>,
): MonoTypeOperatorFunction<T | Hole> {
  const stepMs = Math.max(1, Math.floor(ttlMs / stepsPerTtl))
  const spec = {
    ...{ name, version: 2, shape: { ids: 'set' }, migrate: fromJoinedKeys },
    ...{ passesRedriven: true, takesLent: true, onReject },
  }
  return stateful<T | Hole, T | Hole>(spec, (restored, out) => {
    const seen = restored.keyed<number>(seenAt)
    const time = takesHoles === true ? new StandingTime(restored) : null
    /** Which ids may be forgotten when; an id that was seen anew stands at two times, of which the later one counts. */
    const expiring = new TimerQueue<string>()
    let due: { readonly keys: readonly string[]; next: number } = { keys: [], next: 0 }

    function expire(key: string, at: number): void {
      expiring.add(Math.ceil((at + ttlMs) / stepMs) * stepMs, key)
    }

    const timeAt = (watermark: number) => time?.at(watermark) ?? watermark

    /** What is due and stays for a hole waits until that is over. */
    function wake(): void {
      const { nextDue } = expiring
      if (time === null || nextDue > out.watermark || nextDue <= time.at(out.watermark)) out.wakeAt(nextDue)
    }

    for (const [key, at] of seen.entries()) expire(key, at)
    out.wakeAt(expiring.nextDue)

    function put(value: T): void {
      const [owner, number] = [keyOf(by, value, name), id(value)]
      if (typeof number !== 'string' && !Number.isFinite(number)) {
        refusePromise(`${name}: id`, number)
        out.reject('bad-id', `${name}: an id is a text or a number, got ${String(number)}`)
        return
      }
      const key = pairName(owner, number)
      const before = seen.get(key)
      if (before !== undefined) {
        if (before + ttlMs > timeAt(out.watermark)) return
        seen.delete(key)
      }
      const at = out.valueTime()
      seen.set(key, at)
      expire(key, at)
      wake()
      out.emit(value)
    }

    return {
      onValue(value) {
        if (time !== null && value instanceof Hole) {
          time.note(value, out.watermark)
          wake()
        } else if (!out.isRedriven) return put(value as T)
        out.emit(value)
      },
      onWatermark(watermark) {
        const until = timeAt(watermark)
        for (let left = forgottenAtOnce; left > 0; ) {
          if (due.next === due.keys.length) {
            const bucket = expiring.take(until)
            if (bucket === undefined) break
            due = { keys: bucket.items, next: 0 }
          }
          const key = due.keys[due.next++] as string
          const at = seen.get(key)
          if (at === undefined || at + ttlMs > until) continue
          seen.delete(key)
          left -= 1
        }
        if (due.next < due.keys.length) out.wakeAt(Number.NEGATIVE_INFINITY)
        else wake()
      },
    }
  })
}

const seenAt: StateCodec<number> = { encode: (at) => at, decode: (saved) => saved as number }

/** 0.1.0 joined key and id by a NUL, and had the ttl in the shape, which does not shape it. */
function fromJoinedKeys(saved: SavedOperator): SavedOperator {
  const { ids } = (saved.shape ?? {}) as { readonly ids?: string }
  if (saved.version !== 1 || ids !== 'set') return saved
  const keyed = saved.keyed.map(([joined, at]) => {
    const end = joined.indexOf('\u0000')
    return [pairName(joined.slice(0, end), joined.slice(end + 1)), at ?? 0] as const
  })
  return { ...saved, version: 2, shape: { ids }, keyed }
}
