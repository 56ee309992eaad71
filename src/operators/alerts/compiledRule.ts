import type { AlertSeverity } from '../../market/alertEvent.ts'
import { type Interval, intervalMs, intervals } from '../../market/interval.ts'
import { type Measure, measures } from '../../market/measurement.ts'
import { type Duration, durationMs } from '../../runtime/duration.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { suggest } from '../../runtime/suggest.ts'
import type { AlertRule, CandleAlertRule, MeasureAlertRule } from './alertRule.ts'
import { type Levels, levelsOf } from './levels.ts'
import { type Observation, observationOf } from './observed.ts'
import type { Patience } from './standing.ts'

/** What all rules have come to. */
interface CompiledBase {
  readonly name: string
  readonly severity: AlertSeverity
  readonly note: string
  readonly patience: Patience
  /** Of all that decides: a rule that is changed starts anew under another one. */
  readonly fingerprint: string
}

export interface CandleRule extends CompiledBase, Observation {
  readonly on: 'candle'
  /** Null for all. */
  readonly symbols: ReadonlySet<string> | null
  readonly interval: Interval
  readonly levels: Levels
  /** How long after the end of a candle nothing may come; null for any time. ms. */
  readonly noDataMs: number | null
}

export interface GapRule extends CompiledBase {
  readonly on: 'gap'
  readonly symbols: ReadonlySet<string> | null
}

export interface MeasureRule extends CompiledBase {
  readonly on: 'measure'
  readonly measure: Measure
  readonly levels: Levels
}

export type CompiledRule = CandleRule | GapRule | MeasureRule

const kinds = ['price', 'volume', 'change', 'indicator', 'gap', ...measures]
/** What a rule is called by and for whom it is decides nothing, and which symbols it is for nothing about the others. */
const undeciding = ['name', 'severity', 'note', 'symbols']
const severities: readonly string[] = ['page', 'ticket', 'info']
export const maxAlertRules = 500

/** Checks the rules and makes of them what decides. Throws `ConfigurationError` that names the rule and what to do. */
export function compileRules(operator: string, rules: readonly AlertRule[]): readonly CompiledRule[] {
  if (rules.length > maxAlertRules)
    throw new ConfigurationError(`${operator}: ${rules.length} rules are more than ${maxAlertRules}.`)
  const seen = new Set<string>()
  return rules.map((rule) => {
    const compiled = compile(operator, rule)
    if (seen.has(compiled.name)) throw new ConfigurationError(`${operator}: there are two rules ${compiled.name}.`)
    seen.add(compiled.name)
    return compiled
  })
}

function compile(operator: string, rule: AlertRule): CompiledRule {
  const { name, kind, severity = 'ticket', note = '' } = rule
  if (typeof name !== 'string' || !/^[a-z][a-z0-9_-]{0,59}$/.test(name)) {
    throw new ConfigurationError(
      `${operator}: the name of a rule is lower-case letters, digits, - and _, got ${JSON.stringify(name)}.`,
    )
  }
  const what = `${operator}: rule ${name}`
  if (!kinds.includes(kind))
    throw new ConfigurationError(
      `${what}: there is no kind ${String(kind)}${suggest(String(kind), kinds)}; there are ${kinds.join(', ')}.`,
    )
  if (!severities.includes(severity))
    throw new ConfigurationError(`${what}: severity must be page, ticket or info, got ${String(severity)}.`)
  const base = { name, severity, note, patience: patienceOf(what, rule) }
  const deciding = Object.entries(rule).filter(([part]) => !undeciding.includes(part))
  const fingerprint = JSON.stringify(deciding.sort(([a], [b]) => (a < b ? -1 : 1)))
  if (isOfCandles(rule)) return { ...base, fingerprint, ...candleRule(what, rule) }
  if (rule.kind === 'gap') return { ...base, fingerprint, on: 'gap', symbols: setOf(rule.symbols) }
  const { kind: measure } = rule as MeasureAlertRule
  return { ...base, fingerprint, on: 'measure', measure, levels: levelsOf(what, rule as MeasureAlertRule) }
}

function isOfCandles(rule: AlertRule): rule is CandleAlertRule {
  return ['price', 'volume', 'change', 'indicator'].includes(rule.kind)
}

function candleRule(what: string, rule: CandleAlertRule): Omit<CandleRule, keyof CompiledBase> {
  const { interval = '1m', noDataAfter } = rule
  if (!intervals.includes(interval))
    throw new ConfigurationError(`${what}: interval must be one of ${intervals.join(', ')}, got ${String(interval)}.`)
  const observation = observationOf(what, rule, interval)
  const noDataMs = noDataAfter === undefined ? null : atLeast(what, 'noDataAfter', noDataAfter, intervalMs[interval])
  return {
    on: 'candle',
    ...observation,
    symbols: setOf(rule.symbols),
    interval,
    levels: levelsOf(what, rule),
    noDataMs,
  }
}

function patienceOf(what: string, rule: AlertRule): Patience {
  const { for: forHow = 0, keepFiringFor = '5m', maxPerHour = 4 } = rule
  if (!(Number.isSafeInteger(maxPerHour) && maxPerHour >= 1 && maxPerHour <= 60))
    throw new ConfigurationError(`${what}: maxPerHour must be a whole number from 1 to 60, got ${maxPerHour}.`)
  return {
    forMs: atLeast(what, 'for', forHow, 0),
    keepFiringForMs: atLeast(what, 'keepFiringFor', keepFiringFor, 0),
    maxPerHour,
  }
}

const longestMs = 30 * 86_400_000

function atLeast(what: string, option: string, value: Duration, leastMs: number): number {
  const ms = durationMs(value, `${what}: ${option}`)
  if (Number.isSafeInteger(ms) && ms >= leastMs && ms <= longestMs) return ms
  throw new ConfigurationError(
    `${what}: ${option} must be ${leastMs === 0 ? '0' : `${leastMs} ms`} to 30 days, got ${value}.`,
  )
}

function setOf(symbols: readonly string[] | undefined): ReadonlySet<string> | null {
  return symbols === undefined ? null : new Set(symbols)
}
