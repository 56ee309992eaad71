import { ConfigurationError } from '../../runtime/errors.ts'

/** What a rule is about: whether all is there, whether it can be true, whether it came in time. */
export type QualityPart = 'completeness' | 'plausibility' | 'latency'

/** The fields are there: neither undefined nor null. */
export interface PresentCheck<F extends string> {
  readonly kind: 'present'
  /** Which. */
  readonly fields: readonly F[]
}

/** The numbers are above zero. */
export interface PositiveCheck<F extends string> {
  readonly kind: 'positive'
  /** Which. */
  readonly fields: readonly F[]
}

/** No number is above the next one. */
export interface RisingCheck<F extends string> {
  readonly kind: 'rising'
  /** From the least to the greatest. */
  readonly fields: readonly F[]
}

/** Ids from the first to the last without a hole are as many as were counted, or there are none. */
export interface SpanCheck<F extends string> {
  readonly kind: 'span'
  /** The field of the first id. */
  readonly first: F
  /** The field of the last id. */
  readonly last: F
  /** The field that says how many. */
  readonly count: F
}

/** One number less another is a third, exactly. */
export interface DifferenceCheck<F extends string> {
  readonly kind: 'difference'
  /** From this field. */
  readonly of: F
  /** This field is taken. */
  readonly minus: F
  /** And leaves this field. */
  readonly is: F
}

/** Lists of levels are long enough. */
export interface LevelsCheck<F extends string> {
  readonly kind: 'levels'
  /** The lists. */
  readonly fields: readonly F[]
  /** How many levels each must have, or the field that says so. */
  readonly least: number | F
}

/** The prices of a list of levels go one way, none twice. */
export interface LadderCheck<F extends string> {
  readonly kind: 'ladder'
  /** The list. */
  readonly field: F
  /** Which way. */
  readonly order: 'rising' | 'falling'
}

/** The best bid is below the best ask. Levels of quantity zero are removals and do not count. */
export interface ApartCheck<F extends string> {
  readonly kind: 'apart'
  /** The list of bids. */
  readonly bids: F
  /** The list of asks. */
  readonly asks: F
}

/** Full points for up to `goodMs` between two times, in either direction, none from `badMs` on, and in proportion between. */
export interface DelayCheck<F extends string> {
  readonly kind: 'delay'
  /** The field of the earlier time, ms UTC. */
  readonly from: F
  /** The field of the later time, ms UTC, or when the frame was received. */
  readonly to: F | 'receivedAt'
  /** In ms. */
  readonly goodMs: number
  /** In ms, more than `goodMs`. */
  readonly badMs: number
}

/** What a rule asks of the fields of a record. A check that meets a field which is not there (undefined or null) says nothing, but for `present`. */
export type QualityCheck<F extends string> =
  | PresentCheck<F>
  | PositiveCheck<F>
  | RisingCheck<F>
  | SpanCheck<F>
  | DifferenceCheck<F>
  | LevelsCheck<F>
  | LadderCheck<F>
  | ApartCheck<F>
  | DelayCheck<F>

/** One rule of a quality score: data, so that it can be printed, compared and replaced. */
export interface QualityRule<F extends string = string> {
  /** Unique in its list: `low-to-high`. */
  readonly id: string
  /** What it is about. */
  readonly part: QualityPart
  /** What it counts for when it holds: a whole number from 1 to 100. */
  readonly points: number
  /** What it asks. */
  readonly check: QualityCheck<F>
}

/** What one rule said of one record. */
export interface QualityFinding {
  /** Its id. */
  readonly rule: string
  /** What it is about. */
  readonly part: QualityPart
  /** The most that the rule counts for. */
  readonly points: number
  /** From 0 to `points`; null where the rule could say nothing, as of a delay when no time of arrival is known. */
  readonly got: number | null
}

/**
 * What each rule says of a record: the findings behind its score, in the order of the rules.
 * @param value a record of a stream, or any object with the fields of the rules
 * @param receivedAt ms UTC when the frame was received; null or left out where nobody knows
 */
export function judgeQuality(
  value: object,
  rules: readonly QualityRule[],
  receivedAt: number | null = null,
): readonly QualityFinding[] {
  return rules.map((rule) => ({
    rule: rule.id,
    part: rule.part,
    points: rule.points,
    got: scaled(rule, value as Fields, receivedAt),
  }))
}

/**
 * The quality of a record, a whole number from 0 (nothing about it can be trusted) to 100: the points that its rules gave, of those that could be given, rounded
 * down. A rule that can say nothing counts neither way; where none can say anything the score is 0.
 * @param value a record of a stream, or any object with the fields of the rules
 * @param receivedAt ms UTC when the frame was received; null or left out where nobody knows
 */
export function qualityOf(value: object, rules: readonly QualityRule[], receivedAt: number | null = null): number {
  let possible = 0
  let got = 0
  for (const rule of rules) {
    const points = scaled(rule, value as Fields, receivedAt)
    if (points === null) continue
    possible += rule.points
    got += points
  }
  return possible === 0 ? 0 : Math.floor((got * 100) / possible)
}

/** Throws `ConfigurationError` for a list that cannot give a score. */
export function requireQualityRules(rules: readonly QualityRule[]): void {
  if (rules.length === 0) throw new ConfigurationError('quality: a score needs at least one rule, got none.')
  const ids = new Set<string>()
  for (const { id, points, check } of rules) {
    if (check.kind === 'delay' && !(check.goodMs >= 0 && check.goodMs < check.badMs)) {
      throw new ConfigurationError(
        `quality: rule ${id} needs a goodMs from 0 on and below its badMs, got ${check.goodMs} and ${check.badMs}.`,
      )
    }
    if (ids.has(id)) throw new ConfigurationError(`quality: two rules are called ${id}; rename one.`)
    ids.add(id)
    if (Number.isInteger(points) && points >= 1 && points <= 100) continue
    throw new ConfigurationError(`quality: rule ${id} must count for a whole number from 1 to 100, got ${points}.`)
  }
}

type Fields = Readonly<Record<string, unknown>>
type Level = readonly [number | bigint, number | bigint]

function scaled({ check, points }: QualityRule, value: Fields, receivedAt: number | null): number | null {
  if (check.kind === 'delay') {
    const from = value[check.from]
    const to = check.to === 'receivedAt' ? receivedAt : value[check.to]
    if (typeof from !== 'number' || typeof to !== 'number') return null
    const delay = Math.abs(to - from)
    if (delay <= check.goodMs) return points
    return delay >= check.badMs ? 0 : Math.floor((points * (check.badMs - delay)) / (check.badMs - check.goodMs))
  }
  const holds = holdsFor(check, value)
  if (holds === null) return null
  return holds ? points : 0
}

function holdsFor(check: Exclude<QualityCheck<string>, DelayCheck<string>>, value: Fields): boolean | null {
  switch (check.kind) {
    case 'present':
      return check.fields.every((field) => value[field] !== undefined && value[field] !== null)
    case 'positive':
      return whenAll(numbersOf(value, check.fields), (numbers) => numbers.every((one) => one > 0))
    case 'rising':
      return whenAll(numbersOf(value, check.fields), (numbers) =>
        numbers.every((one, index) => index === 0 || (numbers[index - 1] as number | bigint) <= one),
      )
    case 'span':
      return whenAll(numbersOf(value, [check.first, check.last, check.count]), ([first = 0, last = 0, count = 0]) =>
        count === 0 ? first === last : BigInt(last) - BigInt(first) + 1n === BigInt(count),
      )
    case 'difference':
      return whenAll(
        numbersOf(value, [check.of, check.minus, check.is]),
        ([of = 0, minus = 0, is = 0]) => BigInt(of) - BigInt(minus) === BigInt(is),
      )
    case 'levels': {
      const least = typeof check.least === 'number' ? check.least : value[check.least]
      if (typeof least !== 'number') return null
      return check.fields.every((field) => levelsOf(value, field).length >= least)
    }
    case 'ladder':
      return isLadder(levelsOf(value, check.field), check.order === 'rising')
    case 'apart': {
      const bid = best(levelsOf(value, check.bids), (one, other) => one > other)
      const ask = best(levelsOf(value, check.asks), (one, other) => one < other)
      return bid === null || ask === null ? null : bid < ask
    }
  }
}

function numbersOf(value: Fields, fields: readonly string[]): readonly (number | bigint)[] | null {
  const numbers: (number | bigint)[] = []
  for (const field of fields) {
    const one = value[field]
    if (typeof one !== 'number' && typeof one !== 'bigint') return null
    numbers.push(one)
  }
  return numbers
}

function whenAll(
  numbers: readonly (number | bigint)[] | null,
  holds: (numbers: readonly (number | bigint)[]) => boolean,
): boolean | null {
  return numbers === null ? null : holds(numbers)
}

function levelsOf(value: Fields, field: string): readonly Level[] {
  const levels = value[field]
  return Array.isArray(levels) ? (levels as readonly Level[]) : []
}

function isLadder(levels: readonly Level[], isRising: boolean): boolean {
  for (let index = 1; index < levels.length; index++) {
    const [before] = levels[index - 1] as Level
    const [price] = levels[index] as Level
    if (isRising ? price <= before : price >= before) return false
  }
  return true
}

function best(
  levels: readonly Level[],
  isBetter: (one: number | bigint, other: number | bigint) => boolean,
): number | bigint | null {
  let found: number | bigint | null = null
  for (const [price, quantity] of levels) {
    if (quantity > 0 && (found === null || isBetter(price, found))) found = price
  }
  return found
}
