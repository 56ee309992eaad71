import fc from 'fast-check'
import { from, map, type Observable } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { type Fixed8, parseFixed8 } from '../../../src/exact/decimal.ts'
import { type AlertEvent, alertIdentity } from '../../../src/market/alertEvent.ts'
import type { FeedGap } from '../../../src/market/feedGap.ts'
import type { AlertRule } from '../../../src/operators/alerts/alertRule.ts'
import { type AlertInput, alerts } from '../../../src/operators/alerts/alerts.ts'
import { partsOfText } from '../../../src/operators/alerts/alertText.ts'
import { eventTime } from '../../../src/operators/eventTime.ts'
import type { CandleForIndicator } from '../../../src/operators/indicators/indicator.ts'
import { ConfigurationError } from '../../../src/runtime/errors.ts'
import type { TaskCut } from '../../../src/runtime/task/taskCut.ts'
import { ChainTask, savedFrom } from '../../support/tasks.ts'
import { candle } from '../indicators/candles.ts'

const priced = (minute: number, price: string, differing: Partial<CandleForIndicator> = {}) =>
  candle(minute, { close: parseFixed8(price) as Fixed8, ...differing })

function told(rules: readonly AlertRule[], inputs: readonly AlertInput[]): AlertEvent[] {
  const out: AlertEvent[] = []
  from(inputs)
    .pipe(alerts({ rules }))
    .subscribe((event) => out.push(event))
  return out
}

/** `minute transition value`, with what is unusual. */
const short = ({ openTime, transition, value, corrects, revision, muted, symbol }: AlertEvent) =>
  [
    `${openTime / 60_000} ${transition} ${value}`,
    ...(corrects === null ? [] : [`(${corrects})`]),
    ...(revision === 1 ? [] : [`r${revision}`]),
    ...(muted === 0 ? [] : [`${muted} untold`]),
    ...(symbol === 'A' ? [] : [symbol]),
  ].join(' ')

const high: AlertRule = { name: 'high', kind: 'price', above: '100', keepFiringFor: 0 }
const walk = (prices: readonly number[]) => prices.map((price, minute) => priced(minute, String(price)))

describe('an alert', () => {
  it('fires once where a threshold is crossed, and is resolved once it is back', () => {
    expect(told([high], walk([99, 100, 101, 105, 100, 99])).map(short)).toEqual(['2 firing 101', '4 resolved 100'])
  })

  it('says which decision it is, of what, against what and since when', () => {
    const [event] = told([{ ...high, above: 100.5, severity: 'page', note: 'Call Ada' }], walk([101]))
    expect(event).toEqual({
      rule: 'high',
      kind: 'price',
      severity: 'page',
      market: 'spot',
      symbol: 'A',
      interval: '1m',
      openTime: 0,
      transition: 'firing',
      corrects: null,
      revision: 1,
      at: 60_000,
      value: '101',
      threshold: '100.5',
      muted: 0,
      isComplete: true,
      text: 'Call Ada: FIRING high: A 1m price 101, threshold above 100.5, 1970-01-01T00:01:00.000Z',
    })
    expect(alertIdentity(event as AlertEvent)).toBe('high/spot/A/1m/0/firing/1')
  })

  it('waits for as long as it is told to, and begins anew where it was not so in between', () => {
    const rules = [{ ...high, for: '2m' } as const]
    expect(told(rules, walk([101, 101, 99, 101, 101, 101])).map(short)).toEqual(['5 firing 101'])
  })

  it('goes on firing until it was over for long enough', () => {
    const rules = [{ ...high, keepFiringFor: '2m' } as const]
    expect(told(rules, walk([101, 99, 99, 101, 99, 99, 99, 99])).map(short)).toEqual(['0 firing 101', '6 resolved 99'])
  })

  it('is not over between the threshold and the one that clears it', () => {
    expect(told([{ ...high, clear: 95 }], walk([101, 99, 96, 95])).map(short)).toEqual([
      '0 firing 101',
      '3 resolved 95',
    ])
  })

  it('counts for below as for above', () => {
    const low: AlertRule = { name: 'low', kind: 'price', below: 10, clear: 12, keepFiringFor: 0 }
    expect(told([low], walk([10, 9, 11, 12])).map(short)).toEqual(['1 firing 9', '3 resolved 12'])
  })

  it('tells a bounded number of messages of a threshold that is crossed a thousand times', () => {
    const prices = Array.from({ length: 2_000 }, (_, minute) => (minute % 2 === 0 ? 101 : 99))
    const events = told([high], walk(prices))
    // 2,000 minutes are 34 hours: in each at most four that fire, as many resolved, and one that says that it flaps.
    expect(events.filter(({ transition }) => transition === 'firing').length).toBeGreaterThan(30)
    expect(events.length).toBeLessThanOrEqual(34 * 9)
    expect(told([{ ...high, keepFiringFor: '5m' }], walk(prices))).toHaveLength(1)
  })

  it('says that it flaps, and how it stands when there is room again', () => {
    const rules = [{ ...high, maxPerHour: 1 }]
    const prices = Array.from({ length: 62 }, (_, minute) => (minute < 6 && minute % 2 === 0 ? 101 : 99))
    expect(told(rules, walk(prices)).map(short)).toEqual([
      '0 firing 101',
      '1 resolved 99',
      '2 flapping 101',
      '60 resolved 99 2 untold',
    ])
  })

  it('takes back what a corrected candle would not have told, and tells what it would have', () => {
    const candles = [...walk([99, 101, 102]), priced(1, '98', { revision: 2 })]
    expect(told([high], candles).map(short)).toEqual(['1 firing 101', '1 corrected 98 (firing) r2', '2 firing 102'])
    const late = [...walk([99, 99, 99]), priced(1, '105', { revision: 2 }), priced(1, '99', { revision: 3 })]
    expect(told([high], late).map(short)).toEqual([
      '1 firing 105',
      '2 resolved 99',
      '1 corrected 99 (firing) r2',
      '2 corrected 99 (resolved) r2',
    ])
  })

  it('says nothing of a correction that changes no decision', () => {
    expect(told([high], [...walk([101, 102]), priced(0, '103', { revision: 2 })])).toHaveLength(1)
  })

  it('takes no open candle for one', () => {
    expect(told([high], [priced(0, '500', { isClosed: false })])).toEqual([])
  })

  it('looks at symbols and candles that it is for', () => {
    const rules: AlertRule[] = [{ ...high, symbols: ['B'] }]
    expect(told(rules, [priced(0, '101'), priced(0, '101', { symbol: 'B' })]).map(short)).toEqual(['0 firing 101 B'])
    expect(told(rules, [priced(0, '101', { symbol: 'B', interval: '5m' })])).toEqual([])
  })

  it('judges changes by exact percents', () => {
    const rules: AlertRule[] = [{ name: 'falls', kind: 'change', over: '2m', below: -10, keepFiringFor: 0 }]
    expect(told(rules, walk([100, 95, 90, 85.5, 80.99])).map(short)).toEqual(['4 firing -10.01111111'].concat([]))
    expect(told([{ ...rules[0], above: 5, below: undefined } as never], walk([100, 100, 106])).map(short)).toEqual([
      '2 firing 6',
    ])
  })

  it('judges volumes and indicators', () => {
    const one = parseFixed8('1') as Fixed8
    const busy: AlertRule = { name: 'busy', kind: 'volume', above: '0.5' }
    expect(told([busy], [candle(0, { volume: one })]).map(short)).toEqual(['0 firing 1'])
    const strong: AlertRule = { name: 'strong', kind: 'indicator', indicator: 'rsi', period: 3, above: 70 }
    expect(told([strong], walk([1, 2, 3, 4, 5])).map(short)).toEqual(['3 firing 100'])
    const average: AlertRule = { name: 'average', kind: 'indicator', indicator: 'sma', period: 2, above: 2.2 }
    expect(told([average], walk([1, 2, 3, 4])).map(short)).toEqual(['2 firing 2.5'])
  })

  it('says that no candle comes any more, and that they are back', () => {
    const quiet: AlertRule = { ...high, noDataAfter: '2m' }
    const inputs = [priced(0, '1'), priced(1, '1', { symbol: 'B' }), priced(4, '1', { symbol: 'B' }), priced(5, '1')]
    const out: AlertEvent[] = []
    from(inputs)
      .pipe(eventTime({ of: ({ openTime }) => openTime + 60_000, maxOutOfOrdernessMs: 0 }), alerts({ rules: [quiet] }))
      .subscribe((event) => out.push(event))
    expect(out.map((event) => `${event.at / 60_000}: ${short(event)}`)).toEqual([
      '3: 0 noData ',
      '6: 5 dataBack ',
      // The input has come to its end.
      '7: 4 noData  B',
      '8: 5 noData ',
    ])
  })

  it('is of a gap as long as any of the symbol is open', () => {
    const gap = (firstId: number, state: FeedGap['state'], at: number): FeedGap => ({
      type: 'gap',
      market: 'spot',
      symbol: 'A',
      epoch: 0,
      firstId,
      lastId: firstId + 4,
      fromTime: 0,
      toTime: 1,
      state,
      missing: state === 'open' ? 5 : 0,
      revision: 1,
      reason: 'r',
      seenAt: at,
      at,
    })
    const rules: AlertRule[] = [{ name: 'gap', kind: 'gap', keepFiringFor: 0 }]
    const minute = 60_000
    expect(
      told(rules, [
        gap(1, 'open', minute),
        gap(9, 'open', 2 * minute),
        gap(1, 'filled', 3 * minute),
        gap(9, 'absent', 4 * minute),
      ]).map(short),
    ).toEqual(['1 firing 5', '4 resolved 0'])
    // Whether anything is missing is not known of the first one, and never becomes so.
    const suspected = { ...gap(1, 'open', minute), missing: 0, lastId: 0 }
    expect(told(rules, [suspected, gap(1, 'absent', 2 * minute)])).toEqual([])
    expect(told(rules, [suspected, gap(1, 'open', 2 * minute)]).map(short)).toEqual(['2 firing 5'])
  })

  it('is of a measure, subject by subject', () => {
    const rules: AlertRule[] = [{ name: 'behind', kind: 'lag', above: 100, for: '1m', keepFiringFor: 0 }]
    const lag = (minute: number, value: number, subject: string): AlertInput => ({
      type: 'measurement',
      measure: 'lag',
      subject,
      value,
      at: minute * 60_000,
    })
    expect(told(rules, [lag(0, 101, 'p'), lag(1, 102, 'p'), lag(1, 200, 'q'), lag(2, 100, 'p')]).map(short)).toEqual([
      '1 firing 102 p',
      '2 resolved 100 p',
    ])
  })
})

describe('alerts in a task', () => {
  const rules: readonly AlertRule[] = [
    { ...high, for: '1m', keepFiringFor: '1m', maxPerHour: 2 },
    { name: 'falls', kind: 'change', over: '3m', below: -1, keepFiringFor: 0 },
    { name: 'strong', kind: 'indicator', indicator: 'rsi', period: 3, above: 70, keepFiringFor: 0 },
    { name: 'quiet', kind: 'price', above: 1_000, noDataAfter: '1m' },
  ]
  const chain = (values: Observable<CandleForIndicator>) =>
    values.pipe(eventTime({ of: ({ openTime }) => openTime + 60_000, maxOutOfOrdernessMs: 0 }), alerts({ rules }))

  it('decide the same in the same order wherever they are restored, and nothing twice', () => {
    const prices = fc.array(fc.tuple(fc.integer({ min: 95, max: 105 }), fc.integer({ min: 0, max: 3 })), {
      minLength: 5,
      maxLength: 60,
    })
    fc.assert(
      fc.property(prices, (steps) => {
        // A step of 0 corrects the candle before.
        let minute = 0
        const revisions = new Map<number, number>()
        const candles = steps.map(([price, gap]) => {
          minute += gap
          const revision = (revisions.get(minute) ?? 0) + 1
          revisions.set(minute, revision)
          return { ...priced(minute, String(price), { revision }), quoteVolume: 0 as never }
        })
        const whole = new ChainTask<CandleForIndicator>((values) => chain(values.pipe(exact)))
        whole.push(...candles)
        const out: unknown[] = []
        let cuts: TaskCut[] = []
        for (const one of candles) {
          const task = new ChainTask<CandleForIndicator>(
            (values) => chain(values.pipe(exact)),
            cuts.length === 0 ? null : savedFrom(...cuts),
          )
          task.push(one)
          out.push(...task.out)
          cuts = [...cuts, task.cut()]
        }
        expect(out).toEqual(whole.out)
        const identities = (whole.out as AlertEvent[]).map(alertIdentity)
        expect(new Set(identities).size).toBe(identities.length)
      }),
      { numRuns: 40 },
    )
  })
})

describe('the symbols of a rule', () => {
  it('come and go, and the alerts of those that stay go on', () => {
    const taskOf = (symbols: readonly string[], cuts: readonly TaskCut[]) =>
      new ChainTask<CandleForIndicator>(
        (values) => values.pipe(exact, alerts({ rules: [{ ...high, symbols }] })),
        cuts.length === 0 ? null : savedFrom(...cuts),
      )
    const bad = (minute: number, symbol: string) =>
      ({ ...priced(minute, '101', { symbol }), quoteVolume: 0 as never }) as CandleForIndicator
    const first = taskOf(['A', 'B'], [])
    first.push(bad(0, 'A'), bad(0, 'B'))
    expect((first.out as AlertEvent[]).map(short)).toEqual(['0 firing 101', '0 firing 101 B'])
    const cuts = [first.cut()]
    const second = taskOf(['C', 'A'], cuts)
    second.push(bad(1, 'A'), bad(1, 'B'), bad(1, 'C'))
    expect((second.out as AlertEvent[]).map(short)).toEqual(['1 firing 101 C'])
    // One that was taken out is forgotten, and begins anew.
    const third = taskOf(['A', 'B', 'C'], [...cuts, second.cut()])
    third.push(bad(2, 'A'), bad(2, 'B'), bad(2, 'C'))
    expect((third.out as AlertEvent[]).map(short)).toEqual(['2 firing 101 B'])
  })
})

describe('the text of an alert', () => {
  it('comes apart into the note, and what was seen', () => {
    const [event] = told([{ ...high, note: 'Call Ada: at once' }], walk([101]))
    expect(partsOfText(event as AlertEvent)).toEqual({
      note: 'Call Ada: at once',
      seen: 'price 101, threshold above 100',
    })
    const [plain] = told([high], walk([101]))
    expect(partsOfText(plain as AlertEvent)).toEqual({ note: '', seen: 'price 101, threshold above 100' })
    expect(partsOfText({ ...(plain as AlertEvent), text: 'of somebody else' })).toEqual({
      note: '',
      seen: 'of somebody else',
    })
  })
})

/** JSON has no bigint. */
function exact(values: Observable<CandleForIndicator>): Observable<CandleForIndicator> {
  return values.pipe(map((value) => ({ ...value, quoteVolume: BigInt(value.quoteVolume) })))
}

describe('alert rules', () => {
  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['a name', { ...high, name: 'High' }, /name of a rule/],
    ['a kind', { ...high, kind: 'prise' }, /there is no kind prise \(did you mean price\?\)|there is no kind prise/],
    ['no bound', { name: 'a', kind: 'price' }, /needs either above or below/],
    ['two bounds', { ...high, below: 1 }, /needs either above or below/],
    ['a threshold', { ...high, above: '1e3' }, /decimal number/],
    ['a clear threshold beyond', { ...high, clear: 101 }, /clear must be on the good side/],
    ['a severity', { ...high, severity: 'loud' }, /page, ticket or info/],
    ['a length of time', { ...high, for: 'soon' }, /must be ms/],
    ['an over that is missing', { name: 'a', kind: 'change', above: 1 }, /needs over/],
    ['an over of half candles', { name: 'a', kind: 'change', above: 1, over: '90s' }, /whole number of them/],
    ['an indicator that is missing', { name: 'a', kind: 'indicator', above: 1 }, /needs indicator/],
    ['a line', { name: 'a', kind: 'indicator', indicator: 'macd', line: 'upper', above: 1 }, /has no line upper/],
    ['what is for others', { ...high, period: 3 }, /for kind indicator alone/],
    ['a silence shorter than a candle', { ...high, noDataAfter: '1s' }, /noDataAfter must be/],
    ['a count', { ...high, maxPerHour: 0 }, /maxPerHour/],
  ]
  it.each(wrong)('are refused with %s', (_what, rule, message) => {
    const make = () => alerts({ rules: [rule as AlertRule] })
    expect(make).toThrow(ConfigurationError)
    expect(make).toThrow(message)
  })

  it('are refused twice under one name', () => {
    expect(() => alerts({ rules: [high, high] })).toThrow(/two rules high/)
  })
})
