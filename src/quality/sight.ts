import { durationMs } from '../runtime/duration.ts'
import { type Condition, columnsOf, type Operand, pairOf } from './condition.ts'
import type { Complete, Equals, OfValues } from './expectation.ts'
import type { NamedExpectation } from './judgement.ts'
import type { Quality } from './quality.ts'
import type { QualityWindow } from './qualityWindow.ts'

/** How the values of a column are read: decimals as counts of so many places; whole numbers, and texts that are the same where their bytes are, as they are; times as microseconds since 1970. */
export type SeenColumn = { readonly places: number } | 'whole' | 'text' | 'time'

/** By the order in which the values of a row come. */
export type SeenColumns = Readonly<Record<string, SeenColumn>>

/** Numbers are exact: a safe integer, or a bigint. */
export type SeenValue = number | bigint | string | null

export type SeenRow = readonly SeenValue[]

/** What was seen of a window: its rows fulfil all that is covered. */
export interface SoundWindow {
  /** How many it has. */
  readonly rows: number
  /** How many of them were compared with the other table. */
  readonly compared: number
  /** It has a row for each step of this length, ms; null where it does not, or is not known to. */
  readonly stepMs: number | null
}

/** What was seen of rows, so that the server need not be asked. */
export interface Seen {
  readonly covered: ReadonlySet<NamedExpectation>
  /** Null for a window that was not seen, or in which something does not fulfil what is covered, or may not. */
  of(window: QualityWindow): SoundWindow | null
}

type RowTest = (row: SeenRow) => boolean
/** Null as in SQL: neither true nor false. */
type Truth = (row: SeenRow) => boolean | null

interface Term {
  readonly places: number
  readonly isWhole: boolean
  readonly of: (row: SeenRow) => Count | null
  /** Of which column it is the value, and which value it is in each row; null where it is calculated, or the other of the two. */
  readonly at: number | null
  readonly constant: Count | null
}

/** That one value is at most another one, or less than it; each of a column, by its place, or a number. */
interface Step {
  readonly left: Place
  readonly right: Place
  readonly isStrict: boolean
}

interface Place {
  readonly at: number
  /** Instead of what stands at the place. */
  readonly constant: Count | null
}

/** What is asked of rows without a null in some columns: most of what is expected, in one go. */
class PlainTests {
  readonly #filled = new Set<number>()
  readonly #steps: Step[] = []

  requireFilled(places: readonly number[]): void {
    for (const at of places) this.#filled.add(at)
  }

  /** False where it is more than comparing two values as they are. */
  requireStep(left: Term, right: Term, isStrict: boolean): boolean {
    const places = Math.max(left.places, right.places)
    const [one, other] = [placeIn(left, places), placeIn(right, places)]
    if (one === null || other === null) return false
    if (one.constant === null) this.#filled.add(one.at)
    if (other.constant === null) this.#filled.add(other.at)
    this.#steps.push({ left: one, right: other, isStrict })
    return true
  }

  test(): RowTest {
    const filled = [...this.#filled]
    const steps = this.#steps
    return (row) => {
      for (let i = 0; i < filled.length; i++) if (row[filled[i] as number] === null) return false
      for (let i = 0; i < steps.length; i++) {
        const { left, right, isStrict } = steps[i] as Step
        const one = (left.constant ?? row[left.at]) as Count
        const other = (right.constant ?? row[right.at]) as Count
        if (isStrict ? one >= other : one > other) return false
      }
      return true
    }
  }
}

/** Null for what is calculated, or would have to be. */
function placeIn({ at, constant, places }: Term, wanted: number): Place | null {
  if (constant !== null) return { at: -1, constant: scaledConstant(constant, wanted - places) }
  return at === null || places !== wanted ? null : { at, constant: null }
}

function scaledConstant(value: Count, places: number): Count {
  const count = BigInt(value) * 10n ** BigInt(places)
  const number = Number(count)
  return Number.isSafeInteger(number) ? number : count
}

/**
 * Tells of rows that have been read whether they fulfil what a quality expects of each, as far as that is known without the server: what it says to be sound is sound to `checkQuality` as well. What it does not say that of the
 * server judges, and who covers an expectation covers it for all rows. Keeps nothing of the rows.
 */
export class Sight {
  readonly covered: ReadonlySet<NamedExpectation>
  readonly #rows: readonly RowTest[]
  readonly #pairs: readonly ((row: SeenRow, other: SeenRow) => boolean)[]
  readonly #counts: RowTest

  /**
   * @param columns of the table
   * @param other the one other table of which rows are seen as well: all that have the key and the time, of which neither table has two rows
   */
  constructor(
    quality: Quality,
    columns: SeenColumns,
    other: { readonly table: string; readonly columns: SeenColumns } | null,
  ) {
    const covered = new Set<NamedExpectation>()
    const plain = new PlainTests()
    const rows: RowTest[] = []
    const pairs: ((row: SeenRow, other: SeenRow) => boolean)[] = []
    let counts: RowTest = () => true
    const { by, time, only, expectations } = quality
    // Of a quality that is about some of the rows nothing is told.
    for (const one of only === null ? expectations : []) {
      if (one.kind === 'complete') covered.add(one)
      else if (one.kind === 'equals') {
        const isPaired = other?.table === one.table && one.on.every((column) => column === time || by.includes(column))
        const pair = isPaired ? pairTest(one, columns, other.columns) : null
        if (pair === null || pairs.length > 0) continue
        covered.add(one)
        pairs.push(pair.isSame)
        counts = pair.counts
      } else {
        const isTaken = takenAsPlain(one, columns, plain)
        const test = isTaken ? null : rowTest(one, columns)
        if (isTaken || test !== null) covered.add(one)
        if (test !== null) rows.push(test)
      }
    }
    this.covered = covered
    this.#rows = [plain.test(), ...rows]
    this.#pairs = pairs
    this.#counts = counts
  }

  /** Whether it fulfils all that is covered and asked of each row. */
  isSound(row: SeenRow): boolean {
    for (const test of this.#rows) if (!test(row)) return false
    return true
  }

  /** Whether a row of the other table is one to compare with. */
  counts(other: SeenRow): boolean {
    return this.#counts(other)
  }

  /** Whether a row is as it has to be beside that of the other table. */
  isSame(row: SeenRow, other: SeenRow): boolean {
    for (const test of this.#pairs) if (!test(row, other)) return false
    return true
  }
}

/** How many steps of a window are over by the time of the check, where it has a row for each; null where that is not known. */
export function stepsOver(
  { every, lateBy = 0 }: Complete,
  { from, to }: QualityWindow,
  { stepMs }: SoundWindow,
  now: number,
): number | null {
  const step = durationMs(every, 'every')
  const over = Math.min(to, now - durationMs(lateBy, 'lateBy'))
  return stepMs === step ? Math.max(0, Math.floor((over - from) / step)) : null
}

/** Whether it is asked of rows as one of the plain tests. */
function takenAsPlain(expectation: NamedExpectation, columns: SeenColumns, plain: PlainTests): boolean {
  if (expectation.kind === 'notNull' || expectation.kind === 'unique') {
    // Where the table itself sees to it that nothing is there twice: else it is asked.
    const names = expectation.kind === 'notNull' ? [expectation.column] : expectation.columns
    const places = names.map((name) => placeOf(name, columns))
    const isKnown = places.every((at) => at !== null)
    if (isKnown) plain.requireFilled(places)
    return isKnown
  }
  if ((expectation.kind !== 'range' && expectation.kind !== 'order') || expectation.nullable === true) return false
  const steps = stepsOf(expectation, columns)
  if (steps === null) return false
  // All or none: those that were taken are asked besides then, which does no harm.
  return steps.every(({ left, is, right }) => plain.requireStep(left, right, is === '<'))
}

interface TermStep {
  readonly left: Term
  readonly is: '<' | '<='
  readonly right: Term
}

/** What is to be in order; null where only the server can tell. */
function stepsOf(
  expectation: Extract<NamedExpectation, { kind: 'range' | 'order' }>,
  columns: SeenColumns,
): readonly TermStep[] | null {
  if (expectation.kind === 'order') {
    const terms = expectation.columns.map((column) => columnTerm(column, columns))
    if (!terms.every((term) => term !== null)) return null
    const is = expectation.strictly === true ? '<' : '<='
    return terms.slice(1).map((right, i) => ({ left: terms[i] as Term, is, right }))
  }
  const { column, min, max, above, below } = expectation
  const value = columnTerm(column, columns)
  if (value === null) return null
  const steps: TermStep[] = []
  for (const [bound, is, isLower] of [
    [min, '<=', true],
    [max, '<=', false],
    [above, '<', true],
    [below, '<', false],
  ] as const) {
    if (bound === undefined) continue
    const term = decimalTerm(String(bound), value.isWhole)
    if (term === null) return null
    steps.push(isLower ? { left: term, is, right: value } : { left: value, is, right: term })
  }
  return steps
}

/** What a row has to fulfil; null where only the server can tell. */
function rowTest(expectation: NamedExpectation, columns: SeenColumns): RowTest | null {
  switch (expectation.kind) {
    case 'acceptedValues': {
      const { column, values } = expectation
      const at = placeOf(column, columns)
      if (columns[column] !== 'text' || at === null) return null
      const accepted = new Set<SeenValue>(values.map(String))
      return ofValues(expectation, [at], (row) => accepted.has(row[at] ?? null))
    }
    case 'matches': {
      const { column, pattern } = expectation
      const at = placeOf(column, columns)
      const type = columns[column]
      if (at === null || !isPlainPattern(pattern)) return null
      const regex = new RegExp(pattern)
      const matches = (text: string) => isPlainText(text) && regex.test(text)
      if (type === 'text')
        return ofValues(
          expectation,
          [at],
          oncePerValue(at, (value) => matches(String(value))),
        )
      return type === 'time' ? ofValues(expectation, [at], timeTest(at, pattern, matches)) : null
    }
    case 'range':
    case 'order': {
      const steps = stepsOf(expectation, columns)
      if (steps === null) return null
      const names = expectation.kind === 'range' ? [expectation.column] : expectation.columns
      const tests = steps.map(({ left, is, right }) => comparison(left, is, right))
      const places = names.map((name) => Object.keys(columns).indexOf(name))
      return ofValues(expectation, places, (row) => tests.every((test) => test(row) === true))
    }
    case 'holds': {
      const truth = truthOf(expectation.that, columns)
      return truth === null ? null : (row) => truth(row) === true
    }
    default:
      return null
  }
}

/** Whether a row is as that of the other table, and which rows of that count; null where only the server can tell. */
function pairTest(
  { columns: compared, otherOnly, missing, extra = 'ignore' }: Equals,
  columns: SeenColumns,
  otherColumns: SeenColumns,
): { readonly isSame: (row: SeenRow, other: SeenRow) => boolean; readonly counts: RowTest } | null {
  // One that lacks may be nothing to the expectation, and is no row that is compared: that is for the server.
  if (extra !== 'ignore' || missing !== 'fail') return null
  const truth: Truth | null = otherOnly === undefined ? () => true : truthOf(otherOnly, otherColumns)
  if (truth === null) return null
  const tests: ((row: SeenRow, other: SeenRow) => boolean)[] = []
  for (const one of compared) {
    const column = typeof one === 'string' ? one : one.column
    const ours = columnTerm(column, columns)
    const theirs = columnTerm(column, otherColumns)
    if (ours === null || theirs === null) return null
    const places = Math.max(ours.places, theirs.places)
    const [left, right] = [scaled(ours, places), scaled(theirs, places)]
    if (typeof one === 'string') {
      tests.push((row, other) => isSameCount(left(row), right(other)))
      continue
    }
    const within = decimalTerm(one.within, false)
    if (within === null) return null
    const all = Math.max(places, within.places)
    const most = scaled(within, all)([]) as number | bigint
    const [fineLeft, fineRight] = [scaled(ours, all), scaled(theirs, all)]
    tests.push((row, other) => isWithin(fineLeft(row), fineRight(other), most))
  }
  return {
    isSame: (row, other) => {
      for (const test of tests) if (!test(row, other)) return false
      return true
    },
    counts: (other) => truth(other) === true,
  }
}

function placeOf(column: string, columns: SeenColumns): number | null {
  const at = Object.keys(columns).indexOf(column)
  return at < 0 ? null : at
}

function ofValues({ nullable = false }: OfValues, places: readonly number[], test: RowTest): RowTest {
  return (row) => {
    for (const at of places) if (row[at] === null) return nullable
    return test(row)
  }
}

/** Most columns of text repeat themselves. */
function oncePerValue(at: number, test: (value: SeenValue) => boolean): RowTest {
  let before: SeenValue = null
  let answer = false
  return (row) => {
    const value = row[at] ?? null
    if (value !== before) {
      before = value
      answer = test(value)
    }
    return answer
  }
}

function truthOf(condition: Condition, columns: SeenColumns): Truth | null {
  if ('all' in condition || 'any' in condition) {
    const isAll = 'all' in condition
    const parts = (isAll ? condition.all : condition.any).map((part) => truthOf(part, columns))
    if (!parts.every((part) => part !== null)) return null
    return (row) => {
      let result: boolean | null = isAll
      for (const part of parts) {
        const truth = part(row)
        if (truth === !isAll) return truth
        if (truth === null) result = null
      }
      return result
    }
  }
  if ('not' in condition) {
    const truth = truthOf(condition.not, columns)
    if (truth === null) return null
    return (row) => {
      const is = truth(row)
      return is === null ? null : !is
    }
  }
  if ('isNull' in condition) {
    const at = placeOf(condition.isNull, columns)
    return at === null ? null : (row) => row[at] === null
  }
  const text = textEquality(condition, columns)
  if (text !== null) return text
  if (columnsOf(condition).length === 0) return null
  // The server reads a text as what it stands beside.
  const isWhole = columnsOf(condition).some((column) => columns[column] === 'whole')
  const left = termOf(condition.left, columns, isWhole)
  const right = termOf(condition.right, columns, isWhole)
  return left === null || right === null ? null : comparison(left, condition.is, right)
}

/** That a column of texts is one text. */
function textEquality(condition: Extract<Condition, { readonly left: Operand }>, columns: SeenColumns): Truth | null {
  const { left, is, right } = condition
  if (is !== '=' || !('column' in left) || columns[left.column] !== 'text') return null
  const at = placeOf(left.column, columns)
  if (at === null || !('value' in right) || typeof right.value !== 'string') return null
  const { value } = right
  return (row) => (row[at] === null ? null : row[at] === value)
}

function termOf(operand: Operand, columns: SeenColumns, isWhole: boolean): Term | null {
  if ('column' in operand) return columnTerm(operand.column, columns)
  if ('value' in operand) {
    const { value } = operand
    return typeof value === 'boolean' ? null : decimalTerm(String(value), isWhole && typeof value === 'string')
  }
  if (!hasColumn(operand)) return null
  if ('abs' in operand) {
    const term = termOf(operand.abs, columns, isWhole)
    if (term === null || term.isWhole) return null
    return { ...term, at: null, constant: null, of: (row) => absolute(term.of(row)) }
  }
  const [left, right] = pairOf(operand).map((one) => termOf(one, columns, isWhole))
  // Whole numbers of the server have an end.
  if (left == null || right == null || left.isWhole || right.isWhole) return null
  if ('times' in operand) {
    return calculated(left.places + right.places, left.of, right.of, (a, b) => a * b)
  }
  const places = Math.max(left.places, right.places)
  const [a, b] = [scaled(left, places), scaled(right, places)]
  return 'plus' in operand
    ? calculated(places, a, b, (one, other) => one + other)
    : calculated(places, a, b, (one, other) => one - other)
}

/** Two texts are no numbers to the server. */
function hasColumn(operand: Operand): boolean {
  return columnsOf({ left: operand, is: '=', right: operand }).length > 0
}

function calculated(
  places: number,
  left: Term['of'],
  right: Term['of'],
  calculate: (a: bigint, b: bigint) => bigint,
): Term {
  return {
    ...{ places, isWhole: false, at: null, constant: null },
    of: (row) => {
      const a = left(row)
      const b = right(row)
      return a === null || b === null ? null : calculate(BigInt(a), BigInt(b))
    },
  }
}

function columnTerm(column: string, columns: SeenColumns): Term | null {
  const type = columns[column]
  const at = placeOf(column, columns)
  if (at === null || type === undefined || type === 'text' || type === 'time') return null
  // What stands there is a number or null.
  const of = (row: SeenRow) => row[at] as Count | null
  const isWhole = type === 'whole'
  return { places: isWhole ? 0 : type.places, isWhole, of, at, constant: null }
}

/** Null for what is no plain decimal, and beside a whole number no whole one. */
function decimalTerm(text: string, isBesideWhole: boolean): Term | null {
  if (!(isBesideWhole ? /^-?\d{1,18}$/ : /^-?\d{1,30}(\.\d{1,30})?$/).test(text)) return null
  const [whole = '', fraction = ''] = text.split('.')
  const constant = scaledConstant(BigInt(whole + fraction), 0)
  return { places: fraction.length, isWhole: false, of: () => constant, at: null, constant }
}

function scaled({ places, of, constant }: Term, wanted: number): Term['of'] {
  if (places === wanted) return of
  if (constant !== null) {
    const value = scaledConstant(constant, wanted - places)
    return () => value
  }
  const factor = 10n ** BigInt(wanted - places)
  return (row) => {
    const value = of(row)
    return value === null || value === 0 ? value : BigInt(value) * factor
  }
}

/** A number and a bigint compare by their value. */
function comparison(left: Term, is: '=' | '<>' | '<' | '<=' | '>' | '>=', right: Term): Truth {
  const places = Math.max(left.places, right.places)
  const [a, b] = [scaled(left, places), scaled(right, places)]
  const compare = comparisons[is]
  return (row) => {
    const one = a(row)
    const other = b(row)
    return one === null || other === null ? null : compare(one, other)
  }
}

type Count = number | bigint

const comparisons: Readonly<Record<'=' | '<>' | '<' | '<=' | '>' | '>=', (a: Count, b: Count) => boolean>> = {
  '=': (a, b) => a <= b && a >= b,
  '<>': (a, b) => a < b || a > b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
}

function absolute(value: Count | null): Count | null {
  return value !== null && value < 0 ? -value : value
}

function isSameCount(a: Count | null, b: Count | null): boolean {
  return a === b || (a !== null && b !== null && comparisons['='](a, b))
}

function isWithin(a: Count | null, b: Count | null, most: Count): boolean {
  if (a === null || b === null) return false
  const distance = typeof a === 'number' && typeof b === 'number' ? a - b : Number.NaN
  return (absolute(Number.isSafeInteger(distance) ? distance : BigInt(a) - BigInt(b)) as Count) <= most
}

/** Anchors, characters that stand for themselves, and classes of which both grammars take the same of ASCII for a member. */
function isPlainPattern(pattern: string): boolean {
  return /^\^?(?:(?:[A-Za-z0-9 _:,;=@#%&~-]|\\[SsDdw.+*?()[\]{}^$|/-]|\[(?:A-Z|a-z|0-9|[A-Za-z0-9_])+\])[+*?]?)*\$?$/.test(
    pattern,
  )
}

function isPlainText(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

/** That the text of a time matches. What is asked of its end alone is known for each second of a minute. */
function timeTest(at: number, pattern: string, matches: (text: string) => boolean): RowTest {
  const ofTime = (micros: number) => {
    const text = timeText(micros)
    return text !== null && matches(text)
  }
  const isOfEnd =
    /^(?:[A-Za-z0-9 _:,;=@#%&~-]|\\[.+*?()[\]{}^$|/-]){1,6}\$$/.test(pattern) &&
    pattern.replaceAll('\\', '').length <= endLength + 1
  const ofSecond = isOfEnd ? Array.from({ length: 60 }, (_, second) => matches(endText(second))) : null
  return (row) => {
    const micros = Number(row[at])
    if (ofSecond === null || micros % secondMicros !== 0 || !isPlainTime(micros)) return ofTime(micros)
    return ofSecond[(micros % minuteMicros) / secondMicros] === true
  }
}

const micros10000 = 253_402_300_800_000_000
const minuteMicros = 60_000_000
const secondMicros = 1_000_000

/** From 1970 to 9999: the server writes others otherwise. */
function isPlainTime(micros: number): boolean {
  return micros >= 0 && micros < micros10000
}

/** As the server writes a time in UTC; null for one that is none of those. */
function timeText(micros: number): string | null {
  if (!isPlainTime(micros)) return null
  const seconds = Math.floor(micros / secondMicros)
  const fraction = micros - seconds * secondMicros
  const point = fraction === 0 ? '' : `.${String(fraction).padStart(6, '0').replace(/0+$/, '')}`
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19).replace('T', ' ')}${point}+00`
}

const endLength = 6

/** The last six characters of the text of a time with a whole number of seconds. */
function endText(second: number): string {
  return `:${String(second).padStart(2, '0')}+00`
}
