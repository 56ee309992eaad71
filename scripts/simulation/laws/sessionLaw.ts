import { pipe } from 'rxjs'
import { aggregateWindow } from '../../../src/operators/aggregateWindow.ts'
import { sessionWindow } from '../../../src/operators/sessionWindow.ts'
import { topN } from '../../../src/operators/topN.ts'
import type { Json } from '../../../src/runtime/json.ts'
import { byKey, type Law, type LawValue, lateText, onReject, type Row, steps, timeByHand, withTimes } from './law.ts'
import { asRows, settled, summaryOf } from './windowLaws.ts'

interface Rules {
  readonly gapMs: number
  readonly maxMs?: number
  readonly allowedLatenessMs?: number
}

interface NaiveSession {
  readonly key: string
  readonly start: number
  readonly end: number
  readonly values: readonly LawValue[]
}

/** What is emitted of a session: its rows for a table, and which of them tells one from another. */
interface Shown {
  readonly rowsOf: (session: NaiveSession) => readonly Row[]
  readonly identityOf: (row: Row) => string
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

/** When the last session of each key ended that is over for good. */
function endsOf(sessions: readonly NaiveSession[], until: number): ReadonlyMap<string, number> {
  const ends = new Map<string, number>()
  for (const { key, end } of sessions) if (end - 1 <= until) ends.set(key, Math.max(end, ends.get(key) ?? end))
  return ends
}

/** The sessions whose results are out, by key and start. */
class Results {
  readonly rows: Row[] = []
  readonly #shown: Shown
  readonly #out = new Map<string, NaiveSession>()
  /** Of each value, the highest revision of a result that it was part of. */
  readonly #revisions = new Map<LawValue, number>()

  constructor(shown: Shown) {
    this.#shown = shown
  }

  /** The session is due: what is out of it is replaced. */
  fire(session: NaiveSession): void {
    const revision = this.#revisionOf(session) + 1
    for (const value of session.values) this.#revisions.set(value, revision)
    const rows = this.#shown.rowsOf(session)
    const before = this.#out.get(idOf(session))
    if (before !== undefined) {
      const left = new Set(rows.map(this.#shown.identityOf))
      this.#takeBack(
        this.#shown.rowsOf(before).filter((row) => !left.has(this.#shown.identityOf(row))),
        revision,
      )
    }
    this.rows.push(...rows.map((row) => ['row', ...row, revision]))
    this.#out.set(idOf(session), session)
  }

  /** What is out of a session that is another one now, or not over any more. */
  takeBackBut(standing: readonly NaiveSession[]): void {
    for (const [id, session] of this.#out) {
      if (standing.some((one) => idOf(one) === id)) continue
      this.#takeBack(this.#shown.rowsOf(session), this.#revisionOf(session) + 1)
      this.#out.delete(id)
    }
  }

  #takeBack(rows: readonly Row[], revision: number): void {
    this.rows.push(...rows.map((row) => ['withdrawn', ...row, revision]))
  }

  #revisionOf({ values }: NaiveSession): number {
    return Math.max(0, ...values.map((value) => this.#revisions.get(value) ?? 0))
  }
}

function idOf({ key, start }: NaiveSession): string {
  return `${key}@${start}`
}

function define(rules: Rules, shown: Shown) {
  const { gapMs, maxMs, allowedLatenessMs = 0 } = rules
  const isBounded = maxMs !== undefined
  return (events: Parameters<typeof steps>[0], isEnded: boolean) => {
    const taken: LawValue[] = []
    const late: string[] = []
    const results = new Results(shown)
    let now = Number.NEGATIVE_INFINITY
    const isOver = (end: number) => end - 1 + allowedLatenessMs <= now
    const isLate = (value: LawValue) => {
      if (isBounded) return value.at <= now
      const touchesOver = sessionsOf(taken, rules).some(
        ({ key, start, end }) => key === value.key && isOver(end) && value.at > start - gapMs && value.at < end,
      )
      return touchesOver || isOver(value.at + gapMs)
    }
    const reachedBy = (time: number) => (isBounded ? taken.filter(({ at }) => at <= time) : taken)
    for (const { value, before, watermark } of steps(events, isEnded)) {
      now = watermark
      const dueAfter = () => sessionsOf(reachedBy(watermark), rules).filter(({ end }) => end - 1 <= watermark)
      if (value === null) {
        for (const session of dueAfter()) if (session.end - 1 > before) results.fire(session)
      } else if (isLate(value)) late.push(lateText('late', value))
      else {
        taken.push(value)
        if (isBounded) continue
        const due = dueAfter()
        results.takeBackBut(due)
        for (const session of due) if (session.values.includes(value)) results.fire(session)
      }
    }
    const reached = reachedBy(now)
    const sessions = sessionsOf(reached, rules)
    const kept = sessions.filter(({ end }) => !isOver(end))
    const ended = [...endsOf(sessions, now - allowedLatenessMs)].filter(
      ([, end]) => now < end + gapMs - 2 + allowedLatenessMs,
    ).length
    return { rows: results.rows, late, kept: 2 * kept.length + ended + (taken.length - reached.length) }
  }
}

function drawRules(random: Parameters<Law['draw']>[0]): Rules {
  const gapMs = random.int(1, 8)
  const kind = random.pick(['plain', 'bounded', 'late', 'late'] as const)
  if (kind === 'plain') return { gapMs }
  return kind === 'bounded' ? { gapMs, maxMs: random.int(gapMs, 20) } : { gapMs, allowedLatenessMs: random.int(1, 20) }
}

export const sessionLaw: Law = {
  operator: 'sessionWindow',
  draw(random) {
    const rules = drawRules(random)
    const isStrict = (rules.allowedLatenessMs ?? 0) === 0
    const summed = aggregateWindow<LawValue, { readonly sum: number; readonly count: number }, Row>({
      name: 'fold',
      initial: () => ({ sum: 0, count: 0 }),
      add: ({ sum, count }, { n }) => ({ sum: sum + n, count: count + 1 }),
      merge: (a, b) => ({ sum: a.sum + b.sum, count: a.count + b.count }),
      result: ({ sum, count }, { key, start, end }, { revision }) => [key, start, end, sum, count, revision],
      withdraws: true,
    })
    return {
      text: JSON.stringify(rules),
      chain: pipe(
        timeByHand,
        sessionWindow({ name: 'windows', by: byKey, ...rules, onReject }),
        summed,
        asRows,
        withTimes,
      ),
      define: define(rules, {
        rowsOf: ({ key, start, end, values }) => [[key, start, end, ...summaryOf(values)]],
        identityOf: () => 'one',
      }),
      isOrderFree: isStrict,
      settled: settled(2),
      isInTime: isStrict,
    }
  },
}

/** Ranks of sessions by the values themselves, so that one that falls behind is taken back. */
export const sessionTopLaw: Law = {
  operator: 'topN of sessions',
  draw(random) {
    const rules = drawRules(random)
    const isStrict = (rules.allowedLatenessMs ?? 0) === 0
    const n = random.int(1, 3)
    const tieOf = ({ key, at, n }: LawValue) => `${key} ${at} ${n}`
    const ranked = topN<LawValue, readonly Json[]>({
      name: 'fold',
      n,
      of: (value) => value.n,
      tie: tieOf,
      result: (top, { key, start, end }, { revision }) =>
        top.map((value, i) => [key, start, tieOf(value), i + 1, end, revision]),
      withdrawBy: ([, , tie]) => String(tie),
    })
    const isBetter = (a: LawValue, b: LawValue) => b.n - a.n || (tieOf(a) < tieOf(b) ? -1 : 1)
    return {
      text: JSON.stringify({ ...rules, n }),
      chain: pipe(
        timeByHand,
        sessionWindow({ name: 'windows', by: byKey, ...rules, onReject }),
        ranked,
        asRows,
        withTimes,
      ),
      define: define(rules, {
        rowsOf: ({ key, start, end, values }) =>
          values
            .toSorted(isBetter)
            .slice(0, n)
            .map((value, i) => [key, start, tieOf(value), i + 1, end]),
        identityOf: ([, , tie]) => String(tie),
      }),
      isOrderFree: isStrict,
      settled: settled(3),
      isInTime: isStrict,
    }
  },
}
