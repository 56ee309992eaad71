import { filter, type OperatorFunction, pipe, share } from 'rxjs'
import { asOfJoin } from '../../../src/operators/asOfJoin.ts'
import { intervalJoin, type OuterIntervalJoin } from '../../../src/operators/intervalJoin.ts'
import {
  byKey,
  inTime,
  type Law,
  type LawCase,
  type LawValue,
  onReject,
  type Row,
  timeByHand,
  withTimes,
} from './law.ts'

const by = { left: byKey, right: byKey }

/** The events, each with the time at which its result comes. */
function joined(join: (right: ReturnType<typeof sideOf>) => OperatorFunction<LawValue, Row>): LawCase['chain'] {
  return pipe(
    timeByHand,
    (values) => {
      const shared = values.pipe(share())
      return shared.pipe(
        filter(({ side }) => side === 'left'),
        join(sideOf(shared)),
      )
    },
    withTimes,
  )
}

function sideOf(values: ReturnType<OperatorFunction<LawValue, LawValue>>) {
  return values.pipe(filter(({ side }) => side === 'right'))
}

const nameOf = (value: LawValue | null) => (value === null ? null : `${value.at} ${value.n}`)
const pairOf = (left: LawValue | null, right: LawValue | null): Row => [
  (left ?? right)?.key ?? null,
  nameOf(left),
  nameOf(right),
]

/** What has come in time by its side, and with it the watermark at the end. */
function bySide(events: Parameters<LawCase['define']>[0], isEnded: boolean) {
  const { taken, late, now } = inTime(events, isEnded)
  return { left: taken.filter(isLeft), right: taken.filter((one) => !isLeft(one)), late, now }
}

const isLeft = ({ side }: LawValue) => side === 'left'

export const intervalLaw: Law = {
  operator: 'intervalJoin',
  draw(random) {
    const fromMs = random.int(-8, 8)
    const toMs = random.int(fromMs, fromMs + 10)
    const how = random.pick(['inner', 'left', 'outer'] as const)
    const options = { name: 'join', by, fromMs, toMs, how, with: pairOf, onReject }
    const keepLeft = Math.max(toMs, 0)
    const keepRight = Math.max(-fromMs, 0)
    return {
      text: JSON.stringify({ fromMs, toMs, how }),
      chain: joined((right) => intervalJoin(right, options as OuterIntervalJoin<LawValue, LawValue, Row>)),
      define(events, isEnded) {
        const { left, right, late, now } = bySide(events, isEnded)
        const fits = (l: LawValue, r: LawValue) => l.key === r.key && r.at - l.at >= fromMs && r.at - l.at <= toMs
        const rows = left.flatMap((l) =>
          right.flatMap((r) => (fits(l, r) ? [[...pairOf(l, r), Math.max(l.at, r.at)]] : [])),
        )
        if (how !== 'inner') {
          for (const l of left) {
            if (l.at + keepLeft <= now && !right.some((r) => fits(l, r)))
              rows.push([...pairOf(l, null), l.at + keepLeft])
          }
        }
        if (how === 'outer') {
          for (const r of right) {
            if (r.at + keepRight <= now && !left.some((l) => fits(l, r)))
              rows.push([...pairOf(null, r), r.at + keepRight])
          }
        }
        const kept =
          left.filter(({ at }) => at + keepLeft > now).length + right.filter(({ at }) => at + keepRight > now).length
        return { rows, late, kept }
      },
      isOrderFree: true,
      isInTime: true,
    }
  },
}

export const asOfLaw: Law = {
  operator: 'asOfJoin',
  draw(random) {
    const keepMs = random.int(0, 20)
    const isEnd = ({ n }: LawValue) => n % 5 === 0
    return {
      text: JSON.stringify({ keepMs }),
      chain: joined((right) => asOfJoin(right, { name: 'join', by, keepMs, isEnd, with: pairOf, onReject })),
      define(events, isEnded) {
        const { left, right, late, now } = bySide(events, isEnded)
        const heldAt = (key: string, time: number) => {
          const upTo = right.filter((r) => r.key === key && r.at <= time)
          const newest = upTo.toSorted((a, b) => a.at - b.at).at(-1)
          return newest === undefined || isEnd(newest) || time - newest.at > keepMs ? null : newest
        }
        const rows = left.filter(({ at }) => at <= now).map((l) => [...pairOf(l, heldAt(l.key, l.at)), l.at])
        const keys = new Set(right.map(byKey))
        const findable = [...keys].filter((key) => {
          const held = heldAt(key, now)
          return held !== null && held.at + keepMs > now
        }).length
        const waiting = left.filter(({ at }) => at > now).length
        return { rows, late, kept: waiting + findable + right.filter(({ at }) => at > now).length }
      },
      isOrderFree: true,
      isInTime: true,
    }
  },
}
