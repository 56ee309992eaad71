import pg from 'pg'
import { ConfigurationError } from '../runtime/errors.ts'
import { suggest } from '../runtime/suggest.ts'
import { type FoundTable, findTable, findUniqueKeys } from './foundTable.ts'
import { type Judgement, type NamedExpectation, type OpenWindows, problemOf, unjudged } from './judgement.ts'
import { countRows, judgeRows } from './judgeRows.ts'
import { neededColumns, neededOfOther, shapeMisfit } from './needs.ts'
import type { Quality } from './quality.ts'
import { mostWindows, type QualityWindow } from './qualityWindow.ts'
import { isRowExpectation } from './rowConditions.ts'
import { type QualityRun, quarantineRows, releaseRows, saveResults } from './saveQuality.ts'
import { Scope } from './scope.ts'
import { type Seen, type SoundWindow, stepsOver } from './sight.ts'
import {
  blocks,
  type CheckState,
  type QualityProblem,
  type QualityResult,
  type QualityVerdict,
  type WindowVerdict,
  worseOf,
} from './verdict.ts'
import { isWindowExpectation, judgeWindows } from './windowChecks.ts'

const noTransaction = '25P01'

/**
 * Judges the rows of a table, window by window, and keeps what came of it: a row of `quality_result` for each expectation, one of `quality_window` for each window that did not
 * pass, and the failing rows in `quarantine`. All in the transaction of the caller, who makes nothing of windows that are blocked, in the same transaction.
 *
 * An expectation that cannot be judged (it throws, names a column that is not there, or finds no rows where it should) is an `error`, and blocks; it never counts as passed. Holds
 * the verdicts in memory, and no rows. One statement for all expectations of rows, one for each of those that look beyond them.
 * @param client within a transaction, on the schema of the table
 * @param windows 100,000 at most; none overlaps another of its key
 * @throws ConfigurationError outside a transaction, and on windows that lack a column of `by` or are none; errors of the driver where the database is lost
 */
export function checkQuality(
  client: pg.ClientBase,
  quality: Quality,
  windows: readonly QualityWindow[],
  run: QualityRun,
): Promise<QualityVerdict> {
  return checkSeenQuality(client, quality, windows, run, null)
}

/**
 * `checkQuality` of rows of which some were seen.
 * @param seen what is known without asking the server, in the transaction of the caller
 */
export async function checkSeenQuality(
  client: pg.ClientBase,
  quality: Quality,
  windows: readonly QualityWindow[],
  run: QualityRun,
  seen: Seen | null,
): Promise<QualityVerdict> {
  requireWindows(quality, windows)
  if (windows.length === 0) return { isBlocked: false, windows: [], results: [] }
  await requireTransaction(client)
  const found = await findTable(client, quality.table)
  const isUniqueAsked = quality.expectations.some(({ kind }) => kind === 'unique')
  const uniqueKeys = isUniqueAsked ? await findUniqueKeys(client, quality.table) : []
  const scope = new Scope(quality, { columns: found ?? new Map(), uniqueKeys }, windows, run.now)
  const judgements = await judge(client, scope, found, seen)
  const verdict = verdictOf(judgements, windows)
  // Without one the windows themselves may be what the server refuses.
  if (judgements.some(({ failingRows }) => failingRows !== null)) await keepRows(client, scope, judgements, run)
  await saveResults(client, quality, verdict, run)
  return verdict
}

function requireWindows({ by }: Quality, windows: readonly QualityWindow[]): void {
  if (windows.length > mostWindows) {
    throw new ConfigurationError(
      `checkQuality: ${windows.length} windows are too many at once; give ${mostWindows} at most, or longer ones`,
    )
  }
  for (const { key, from, to } of windows) {
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from >= to) {
      throw new ConfigurationError(`checkQuality: a window from ${from} to ${to} is none; both are ms, from before to`)
    }
    const lacking = by.find((column) => key[column] === undefined)
    if (lacking !== undefined) throw new ConfigurationError(`checkQuality: the key of a window lacks ${lacking}`)
  }
}

async function requireTransaction(client: pg.ClientBase): Promise<void> {
  try {
    await client.query('SAVEPOINT millrace_check')
    await client.query('RELEASE SAVEPOINT millrace_check')
  } catch (error) {
    if (!(error instanceof pg.DatabaseError) || error.code !== noTransaction) throw error
    throw new ConfigurationError(
      'checkQuality must run in a transaction, in which what is made of the rows is written too: send BEGIN before it',
      { cause: error },
    )
  }
}

/** In the order of the expectations. */
async function judge(
  client: pg.ClientBase,
  scope: Scope,
  found: FoundTable,
  seen: Seen | null,
): Promise<readonly Judgement[]> {
  const { expectations } = scope.quality
  const known = new Map<NamedExpectation, Judgement>()
  for (const expectation of expectations) {
    const misfit = await misfitOf(client, scope, found, expectation)
    if (misfit !== null) known.set(expectation, unjudged(expectation, misfit))
  }
  const judgeable = expectations.filter((one) => !known.has(one))
  const asked = new OpenOf(scope, seen)
  for (const [open, some] of Map.groupBy(judgeable.filter(isRowExpectation), (one) => asked.of(one))) {
    for (const one of await judgeRows(client, scope, some, open)) known.set(one.expectation, one)
  }
  for (const expectation of judgeable) {
    if (isWindowExpectation(expectation)) {
      known.set(expectation, await judgeWindows(client, scope, expectation, asked.of(expectation)))
    }
    if (expectation.kind === 'rowCount') known.set(expectation, await judgeCounts(client, scope, expectation))
    if (expectation.kind === 'shape' && found !== null) known.set(expectation, judgeShape(scope, expectation, found))
  }
  return expectations.map((one) => known.get(one) ?? unjudged(one, 'nobody judges it'))
}

/** Which windows the server is asked of. */
class OpenOf {
  readonly #scope: Scope
  readonly #covered: Seen['covered']
  readonly #sound: readonly (readonly [n: number, window: SoundWindow])[]
  readonly #all: OpenWindows
  readonly #others: OpenWindows

  constructor(scope: Scope, seen: Seen | null) {
    this.#scope = scope
    this.#covered = seen?.covered ?? new Set()
    const found = scope.windows.map((window) => seen?.of(window) ?? null)
    this.#sound = found.flatMap((window, n) => (window === null ? [] : [[n, window] as const]))
    this.#all = { numbers: [...scope.windows.keys()], known: [] }
    this.#others = {
      numbers: found.flatMap((window, n) => (window === null ? [n] : [])),
      known: this.#sound.map(([n, { rows }]) => ({ n, looked: rows, failing: 0 })),
    }
  }

  of(expectation: NamedExpectation): OpenWindows {
    if (!this.#covered.has(expectation)) return this.#all
    if (expectation.kind === 'unique') return this.#scope.isUnique(expectation.columns) ? this.#others : this.#all
    if (expectation.kind === 'equals') {
      return { ...this.#others, known: this.#sound.map(([n, { compared }]) => ({ n, looked: compared, failing: 0 })) }
    }
    if (expectation.kind !== 'complete') return this.#others
    const { windows, now } = this.#scope
    const known = this.#sound.flatMap(([n, window]) => {
      const looked = stepsOver(expectation, windows[n] as QualityWindow, window, now)
      return looked === null ? [] : [{ n, looked, failing: 0 }]
    })
    const isKnown = new Set(known.map(({ n }) => n))
    return { numbers: this.#all.numbers.filter((n) => !isKnown.has(n)), known }
  }
}

/** Why an expectation cannot be judged; null where it can. */
async function misfitOf(
  client: pg.ClientBase,
  { quality, ownColumns }: Scope,
  found: FoundTable,
  expectation: NamedExpectation,
): Promise<string | null> {
  if (found === null) return `there is no table ${quality.table}`
  const lacking = lackingIn(found, [...ownColumns, ...neededColumns(expectation)])
  if (lacking !== null) return `${quality.table} has no column ${lacking}`
  const timeType = found.get(quality.time)?.type ?? ''
  if (!/^(timestamp|date)/.test(timeType))
    return `${quality.time} is ${timeType}, and the time must be a timestamp or a date`
  const other = neededOfOther(expectation)
  if (other === null) return null
  const foundOther = await findTable(client, other.table)
  if (foundOther === null) return `there is no table ${other.table}`
  const lackingThere = lackingIn(foundOther, other.columns)
  return lackingThere === null ? null : `${other.table} has no column ${lackingThere}`
}

function lackingIn(found: NonNullable<FoundTable>, columns: readonly string[]): string | null {
  const lacking = columns.find((column) => !found.has(column))
  return lacking === undefined ? null : `${lacking}${suggest(lacking, [...found.keys()])}`
}

async function judgeCounts(
  client: pg.ClientBase,
  scope: Scope,
  expectation: NamedExpectation & { kind: 'rowCount' },
): Promise<Judgement> {
  const rows = await countRows(client, scope)
  if (rows instanceof Error) return unjudged(expectation, rows.message)
  const { min = 0, max = Number.POSITIVE_INFINITY } = expectation
  const looked = new Map(rows.map((one) => [one.n, one.looked]))
  const counts = scope.windows.map((_, n) => {
    const count = looked.get(n) ?? 0
    return [n, { n, looked: count, failing: count >= min && count <= max ? 0 : 1 }] as const
  })
  return {
    ...{ expectation, error: null, counts: new Map(counts), failingRows: null, nothing: null },
    reason: ({ looked }) => `there are ${looked} rows`,
  }
}

function judgeShape(
  { windows }: Scope,
  expectation: NamedExpectation & { kind: 'shape' },
  found: NonNullable<FoundTable>,
): Judgement {
  const misfit = shapeMisfit(expectation, found)
  const counts = windows.map((_, n) => [n, { n, looked: 1, failing: misfit === null ? 0 : 1 }] as const)
  return {
    ...{ expectation, error: null, counts: new Map(counts), failingRows: null, nothing: null },
    reason: () => misfit ?? '',
  }
}

function verdictOf(judgements: readonly Judgement[], windows: readonly QualityWindow[]): QualityVerdict {
  const verdicts = windows.map((window, n): WindowVerdict => {
    const problems = judgements.map((one) => problemOf(one, n)).filter((problem) => problem !== null)
    return { window, isBlocked: problems.some(({ state }) => blocks(state)), problems }
  })
  const byName = Map.groupBy(
    verdicts.flatMap(({ problems }) => problems),
    ({ expectation }) => expectation,
  )
  return {
    isBlocked: verdicts.some(({ isBlocked }) => isBlocked),
    windows: verdicts,
    results: judgements.map((one) => resultOf(one, byName.get(one.expectation.name) ?? [], windows.length)),
  }
}

function resultOf(
  { expectation, counts }: Judgement,
  problems: readonly QualityProblem[],
  windows: number,
): QualityResult {
  const state = problems.reduce<CheckState>((worst, problem) => worseOf(worst, problem.state), 'pass')
  const worst = problems.find((problem) => problem.state === state)
  let rows = 0
  let failing = 0
  for (const count of counts.values()) {
    rows += count.looked
    failing += count.failing
  }
  return {
    ...{ expectation: expectation.name, severity: expectation.severity ?? 'block', state, windows },
    ...{ passed: windows - problems.length, rows, failing, reason: worst?.reason ?? null },
  }
}

async function keepRows(
  client: pg.ClientBase,
  scope: Scope,
  judgements: readonly Judgement[],
  run: QualityRun,
): Promise<void> {
  const broken = judgements.filter(({ error }) => error !== null).map(({ expectation }) => expectation.name)
  await releaseRows(client, scope.quality, scope.windows, run, broken)
  for (const judgement of judgements) {
    const failing = scope.windows.flatMap((_, n) => {
      const state = problemOf(judgement, n)?.state
      return state === 'warn' || state === 'fail' ? [n] : []
    })
    await quarantineRows(client, scope, judgement, failing, run)
  }
}
