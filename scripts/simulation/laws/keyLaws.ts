import { map, pipe } from 'rxjs'
import { countWindow } from '../../../src/operators/countWindow.ts'
import { inOrder } from '../../../src/operators/inOrder.ts'
import { keyed } from '../../../src/operators/keyed.ts'
import { sequence } from '../../../src/operators/sequence.ts'
import {
  byKey,
  inTime,
  type Law,
  type LawEvent,
  type LawValue,
  onReject,
  type Row,
  steps,
  timeByHand,
  withTimes,
} from './law.ts'
import { summaryOf, summed } from './windowLaws.ts'

/** What came in time, split at the watermark, and in the order of time below it. */
function ordered(events: readonly LawEvent[], isEnded: boolean) {
  const { taken, late, now } = inTime(events, isEnded)
  const reached = taken.filter(({ at }) => at <= now).toSorted((a, b) => a.at - b.at)
  return { reached, waiting: taken.length - reached.length, late, now }
}

export const inOrderLaw: Law = {
  operator: 'inOrder',
  draw: () => ({
    text: '{}',
    chain: pipe(
      timeByHand,
      inOrder({ name: 'order', onReject }),
      map(({ key, at, n }): Row => [key, n, at]),
      withTimes,
    ),
    define(events, isEnded) {
      const { reached, waiting, late } = ordered(events, isEnded)
      return { rows: reached.map(({ key, at, n }) => [key, n, at, at]), late, kept: waiting }
    },
    isOrderFree: true,
    isInTime: true,
  }),
}

export const countLaw: Law = {
  operator: 'countWindow',
  draw(random) {
    const size = random.int(1, 4)
    const options = random.chance(0.5) ? { size } : { size, maxWaitMs: random.int(1, 12) }
    const maxWaitMs = options.maxWaitMs ?? Number.POSITIVE_INFINITY
    return {
      text: JSON.stringify(options),
      chain: pipe(
        timeByHand,
        countWindow({ name: 'windows', by: byKey, ...options, onReject }),
        summed('fold'),
        withTimes,
      ),
      define(events, isEnded) {
        const { reached, waiting, late, now } = ordered(events, isEnded)
        const rows: Row[] = []
        let folding = 0
        for (const values of Map.groupBy(reached, byKey).values()) {
          let current: LawValue[] = []
          const close = () => {
            const [first, last] = [current[0], current.at(-1)]
            if (first === undefined || last === undefined) return
            rows.push([first.key, first.at, last.at + 1, ...summaryOf(current), 1])
            current = []
          }
          for (const value of values) {
            if (current[0] !== undefined && value.at >= current[0].at + maxWaitMs) close()
            current.push(value)
            if (current.length === size) close()
          }
          if (isEnded || (current[0] !== undefined && now >= current[0].at + maxWaitMs - 1)) close()
          if (current.length > 0) folding += 1
        }
        return { rows, late, kept: waiting + new Set(reached.map(byKey)).size + folding }
      },
      // Values of one time are counted in the order in which they come.
      isOrderFree: true,
      isInTime: false,
    }
  },
}

export const sequenceLaw: Law = {
  operator: 'sequence',
  draw(random) {
    const withinMs = random.int(0, 15)
    const is = (letter: number) => (value: LawValue) => value.n % 4 === letter
    const names = ['a', 'b', 'c'].slice(0, random.int(2, 3))
    const breaks = random.chance(0.5)
    const found = (matched: readonly LawValue[], isComplete: boolean): Row => [
      matched[0]?.key ?? null,
      matched.map(({ at, n }) => `${at} ${n}`).join(),
      isComplete,
    ]
    return {
      text: JSON.stringify({ withinMs, names, breaks }),
      chain: pipe(
        timeByHand,
        sequence<LawValue, string, Row>({
          name: 'sequence',
          by: byKey,
          steps: Object.fromEntries(names.map((name, i) => [name, is(i)])),
          unless: (value, matched) => breaks && is(3)(value) && Object.keys(matched).length === 1,
          withinMs,
          onReject,
          onMatch: (matched) => found(Object.values(matched), true),
          onTimeout: (matched) => found(Object.values(matched) as LawValue[], false),
        }),
        withTimes,
      ),
      define(events, isEnded) {
        const { reached, waiting, late, now } = ordered(events, isEnded)
        const rows: Row[] = []
        let open = 0
        for (const values of Map.groupBy(reached, byKey).values()) {
          let match: LawValue[] = []
          const timeOut = (time: number) => {
            const first = match[0]
            if (first === undefined || time <= first.at + withinMs) return
            rows.push([...found(match, false), first.at + withinMs])
            match = []
          }
          for (const value of values) {
            timeOut(value.at)
            if (match.length > 0 && breaks && match.length === 1 && is(3)(value)) match = []
            else if (is(match.length)(value)) {
              match.push(value)
              if (match.length < names.length) continue
              rows.push([...found(match, true), value.at])
              match = []
            }
          }
          timeOut(now + 1)
          if (match.length > 0) open += 1
        }
        return { rows, late, kept: waiting + open }
      },
      isOrderFree: true,
      isInTime: true,
    }
  },
}

export const keyedLaw: Law = {
  operator: 'keyed',
  draw(random) {
    const silenceMs = random.int(0, 10)
    return {
      text: JSON.stringify({ silenceMs }),
      chain: pipe(
        timeByHand,
        keyed<LawValue, number, Row>({
          name: 'silence',
          by: byKey,
          initial: () => Number.MIN_SAFE_INTEGER,
          onValue: (last, { at }) => ({ keep: Math.max(last, at), wakeAt: Math.max(last, at) + silenceMs }),
          onTimer: (since, { key, at }) => ({ keep: null, emit: [[key, since, at]] }),
        }),
        withTimes,
      ),
      define(events, isEnded) {
        const last = new Map<string, number>()
        const rows: Row[] = []
        for (const { value, watermark } of steps(events, isEnded)) {
          if (value !== null) last.set(value.key, Math.max(last.get(value.key) ?? Number.MIN_SAFE_INTEGER, value.at))
          for (const [key, since] of last) {
            if (since + silenceMs > watermark) continue
            rows.push([key, since, since + silenceMs])
            last.delete(key)
          }
        }
        return { rows, late: [], kept: last.size }
      },
      // A timer that is set for a time that is past fires at once.
      isOrderFree: false,
      isInTime: false,
    }
  },
}
