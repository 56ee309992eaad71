import { pipe } from 'rxjs'
import { sessionWindow } from '../../../src/operators/sessionWindow.ts'
import { byKey, type Law, type LawValue, lateText, onReject, type Row, steps, timeByHand, withTimes } from './law.ts'
import { summaryOf, summed } from './windowLaws.ts'

interface Rules {
  readonly gapMs: number
  readonly maxMs?: number
}

interface NaiveSession {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly values: readonly LawValue[]
}

/** The sessions that these values make, taken in the order of their times. */
function sessionsOf(values: readonly LawValue[], { gapMs, maxMs = Number.POSITIVE_INFINITY }: Rules): NaiveSession[] {
  const sessions: NaiveSession[] = []
  for (const [key, ofKey] of Map.groupBy(values, byKey)) {
    let current: LawValue[] = []
    const close = () => {
      const start = current[0]?.at
      const last = current.at(-1)?.at
      if (start === undefined || last === undefined) return
      sessions.push({ key, start, end: Math.min(last + gapMs, start + maxMs), values: current })
      current = []
    }
    for (const value of ofKey.toSorted((a, b) => a.at - b.at)) {
      const [first, last] = [current[0], current.at(-1)]
      if (first !== undefined && last !== undefined && (value.at - last.at >= gapMs || value.at - first.at >= maxMs))
        close()
      current.push(value)
    }
    close()
  }
  return sessions
}

/** When the last session of each key ended that is over. */
function endsOf(sessions: readonly NaiveSession[], now: number): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const { key, end } of sessions) if (end - 1 <= now) ends.set(key, Math.max(end, ends.get(key) ?? end))
  return ends
}

export const sessionLaw: Law = {
  operator: 'sessionWindow',
  draw(random) {
    const gapMs = random.int(1, 8)
    const rules: Rules = random.chance(0.6) ? { gapMs } : { gapMs, maxMs: random.int(gapMs, 20) }
    const isBounded = rules.maxMs !== undefined
    return {
      text: JSON.stringify(rules),
      chain: pipe(
        timeByHand,
        sessionWindow({ name: 'windows', by: byKey, ...rules, onReject }),
        summed('fold'),
        withTimes,
      ),
      define(events, isEnded) {
        const taken: LawValue[] = []
        const rows: Row[] = []
        const late: string[] = []
        let now = Number.NEGATIVE_INFINITY
        const isLate = (value: LawValue) => {
          if (isBounded) return value.at <= now
          const touchesFired = sessionsOf(taken, rules).some(
            ({ key, start, end }) => key === value.key && end - 1 <= now && value.at > start - gapMs && value.at < end,
          )
          return touchesFired || value.at + gapMs - 1 <= now
        }
        const reachedBy = (time: number) => (isBounded ? taken.filter(({ at }) => at <= time) : taken)
        for (const { value, before, watermark } of steps(events, isEnded)) {
          now = watermark
          if (value === null) {
            const sessions = sessionsOf(reachedBy(watermark), rules)
            for (const { key, start, end, values } of sessions) {
              if (end - 1 > before && end - 1 <= watermark) rows.push([key, start, end, ...summaryOf(values), 1])
            }
          } else if (isLate(value)) late.push(lateText('late', value))
          else taken.push(value)
        }
        const reached = reachedBy(now)
        const sessions = sessionsOf(reached, rules)
        const open = sessions.filter(({ end }) => end - 1 > now)
        const ended = [...endsOf(sessions, now)].filter(([, end]) => now < end + gapMs - 2).length
        return { rows, late, kept: 2 * open.length + ended + (taken.length - reached.length) }
      },
      isOrderFree: true,
      isInTime: true,
    }
  },
}
