import type { OperatorFunction } from 'rxjs'
import { toFixed8 } from '../../exact/decimal.ts'
import type { AlertEvent } from '../../market/alertEvent.ts'
import type { FeedGap } from '../../market/feedGap.ts'
import { intervalMs } from '../../market/interval.ts'
import type { Measurement } from '../../market/measurement.ts'
import type { Json } from '../../runtime/json.ts'
import type { OperatorSpec, Output } from '../../runtime/operator/operator.ts'
import { stateful } from '../../runtime/operator/stateful.ts'
import { checkOptions, needed, type OptionRules, optional } from '../../runtime/options.ts'
import type { StateCodec } from '../../runtime/state/keyedState.ts'
import { checkCandle } from '../indicators/checkCandle.ts'
import type { CandleForIndicator } from '../indicators/indicator.ts'
import { roomForKey } from '../roomForKey.ts'
import { wholeCount } from '../wholeMs.ts'
import type { AlertRule } from './alertRule.ts'
import { textOf } from './alertText.ts'
import { CandleAlert, type CandleDecision, candleAlertState } from './candleAlert.ts'
import { type CandleRule, type CompiledRule, compileRules, type GapRule, type MeasureRule } from './compiledRule.ts'
import { LevelAlert, levelAlertState } from './levelAlert.ts'
import { decimalText, verdictOf } from './levels.ts'
import type { Step } from './standing.ts'

/** What alert rules look at. `Candle` and `FeedGap` are among it. */
export type AlertInput = CandleForIndicator | FeedGap | Measurement

/** Which rules, and how many symbols they may have. */
export interface AlertsOptions {
  /** Unique in a pipeline; `alerts` if left out. */
  readonly name?: string
  /** At most 500. A rule that is changed starts anew, but for its symbols: those that stay go on. What is gone is forgotten, whether it fires or not. */
  readonly rules: readonly AlertRule[]
  /** How many alerts (a rule and a symbol) there may be: one more ends the task, with nothing lost; 1,000,000 if left out. */
  readonly maxKeys?: number
  /** Outside a task: receives values that cannot be judged, instead of ending the stream. */
  readonly onReject?: OperatorSpec['onReject']
}

const rules: OptionRules<AlertsOptions> = {
  name: optional.text,
  rules: needed.list,
  maxKeys: optional.number,
  onReject: optional.anyFunction,
}

/**
 * Decides when alerts fire and when they are over: an event for each transition, in event time, from closed candles, gaps of the feed and measurements.
 *
 * An alert fires when its condition has held for `for`, and is resolved when it has been over, back at `clear`, for `keepFiringFor`; one that fires too often is told as `flapping`. A
 * candle that is corrected is judged again with all behind it, as if it had come so: what would not have been told is `corrected`. Candles that are still open count for nothing.
 * Decisions come of the data alone, so a replay gives the same again, under the same `alertIdentity`.
 *
 * Keeps, a rule and symbol, what it looks back on and the last 10 candles, as part of the checkpoint, and lets go of them when the rule is changed or taken out: a crash neither
 * loses a decision nor makes one twice.
 * @throws ConfigurationError on rules that cannot be, with the rule's name
 */
export function alerts(options: AlertsOptions): OperatorFunction<AlertInput, AlertEvent> {
  checkOptions('alerts', options, rules)
  const { name = 'alerts', onReject } = options
  const compiled = compileRules(name, options.rules)
  const maxKeys = wholeCount(options.maxKeys ?? 1_000_000, `${name}: maxKeys`)
  const spec: OperatorSpec = {
    name,
    shape: 'alerts',
    onReject,
    // They leave no trace.
    takesUnsettled: (value: AlertInput) => !('type' in value) && !value.isClosed,
  }
  return stateful<AlertInput, AlertEvent>(spec, (restored, out) => {
    const all = restored.keyed<Kept | null>(keptState(compiled))
    const ruleOf = new Map(compiled.map((rule) => [idOf(rule), rule]))
    for (const [key] of [...all.entries()]) if (!isWatched(ruleOf, key)) all.delete(key)
    const candleRules = compiled.filter((rule) => rule.on === 'candle')
    const gapRules = compiled.filter((rule) => rule.on === 'gap')
    const measureRules = compiled.filter((rule) => rule.on === 'measure')
    const keptFor = (key: string, make: () => Kept): Kept => {
      const known = all.update(key)
      if (known != null) return known
      roomForKey(name, all.size, maxKeys)
      const made = make()
      all.set(key, made)
      return made
    }
    const judgeCandle = (candle: CandleForIndicator) => {
      if (!candle.isClosed) return
      checkCandle(candle)
      for (const rule of candleRules) {
        if (rule.interval !== candle.interval || rule.symbols?.has(candle.symbol) === false) continue
        const { market, symbol } = candle
        const key = keyOf(rule, market, symbol)
        const kept = keptFor(key, () => ({ rule, market, symbol, candle: new CandleAlert(rule), level: null }))
        const alert = kept.candle as CandleAlert
        const before = alert.newest
        const decisions = alert.add(candle)
        waitForMore(out, rule, key, before, alert.newest)
        for (const decision of decisions) out.emit(candleEvent(rule, kept, decision))
      }
    }
    const judgeLevel = (
      rule: GapRule | MeasureRule,
      market: string,
      symbol: string,
      look: (alert: LevelAlert) => Step,
    ) => {
      const key = keyOf(rule, market, symbol)
      const kept = keptFor(key, () => ({ rule, market, symbol, candle: null, level: new LevelAlert() }))
      const alert = kept.level as LevelAlert
      const before = alert.nextLook(rule)
      const taken = look(alert)
      const next = alert.nextLook(rule)
      // A measure is taken again before long.
      if (rule.on === 'gap' && next !== before) {
        if (before !== null) out.cancel(key, before)
        if (next !== null) out.at(key, next)
      }
      const event = levelEvent(rule, kept, alert, taken)
      if (event !== null) out.emit(event)
    }
    return {
      onValue(value) {
        if (!('type' in value)) return judgeCandle(value)
        if (value.type === 'gap') {
          for (const rule of gapRules) {
            if (rule.symbols?.has(value.symbol) === false) continue
            judgeLevel(rule, value.market, value.symbol, (alert) => lookAtGap(alert, rule, value))
          }
          return
        }
        for (const rule of measureRules) {
          if (rule.measure !== value.measure) continue
          const verdict = verdictOf(toFixed8(BigInt(value.value) * 100_000_000n), rule.levels)
          judgeLevel(rule, '', value.subject, (alert) => alert.look(rule, value.at, verdict, String(value.value)))
        }
      },
      onTimer(key, time) {
        const kept = all.update(key)
        // Of a rule that is no more.
        if (kept == null) return
        const { rule, candle } = kept
        if (rule.on === 'candle') {
          for (const decision of (candle as CandleAlert).silentAt(time))
            out.emit(candleEvent(rule, kept, decision, time))
          return
        }
        judgeLevel(rule, kept.market, kept.symbol, (alert) => alert.look(rule, time, alert.verdict, alert.value))
      },
    }
  })
}

/** An alert, by rule and symbol. */
interface Kept {
  readonly rule: CompiledRule
  readonly market: string
  readonly symbol: string
  readonly candle: CandleAlert | null
  readonly level: LevelAlert | null
}

function idOf({ name, fingerprint }: CompiledRule): string {
  return JSON.stringify([name, fingerprint])
}

function keyOf(rule: CompiledRule, market: string, symbol: string): string {
  return JSON.stringify([rule.name, rule.fingerprint, market, symbol])
}

/** Whether there still is such a rule, and it is for the symbol. */
function isWatched(ruleOf: ReadonlyMap<string, CompiledRule>, key: string): boolean {
  const [name, fingerprint, , symbol = ''] = JSON.parse(key) as readonly string[]
  const rule = ruleOf.get(JSON.stringify([name, fingerprint]))
  return rule !== undefined && (rule.on === 'measure' || rule.symbols?.has(symbol) !== false)
}

/** A silence is counted from the end of the newest candle. */
function waitForMore(
  out: Output<AlertEvent>,
  { noDataMs, interval }: CandleRule,
  key: string,
  before: number | null,
  now: number | null,
): void {
  if (noDataMs === null || before === now) return
  const after = intervalMs[interval] + noDataMs
  if (before !== null) out.cancel(key, before + after)
  if (now !== null) out.at(key, now + after)
}

function lookAtGap(alert: LevelAlert, rule: GapRule, { epoch, firstId, state, missing, at }: FeedGap): Step {
  const id = `${epoch}/${firstId}`
  // A gap of which it is not known whether trades are missing is none yet.
  if (state === 'open' && missing > 0) alert.open.add(id)
  else alert.open.delete(id)
  return alert.look(
    rule,
    at,
    alert.open.size > 0 ? 'bad' : 'clear',
    String(state === 'open' ? missing : alert.open.size),
  )
}

function candleEvent(
  rule: CandleRule,
  { market, symbol }: Kept,
  { units, ...decision }: CandleDecision,
  at = decision.openTime + intervalMs[rule.interval],
): AlertEvent {
  const { name, kind, severity, levels, interval } = rule
  const value = units === null ? '' : decimalText(units)
  const event = { rule: name, kind, severity, market, symbol, interval, ...decision, at, value }
  return withText(rule, { ...event, threshold: units === null ? '' : decimalText(levels.threshold) })
}

function levelEvent(
  rule: GapRule | MeasureRule,
  { market, symbol }: Kept,
  { at, value }: LevelAlert,
  { transition, muted }: Step,
): AlertEvent | null {
  if (transition === null) return null
  const { name, severity } = rule
  const [kind, threshold] = rule.on === 'gap' ? ['gap', ''] : [rule.measure, decimalText(rule.levels.threshold)]
  return withText(rule, {
    rule: name,
    kind,
    severity,
    market,
    symbol,
    interval: '',
    openTime: at,
    transition,
    corrects: null,
    revision: 1,
    at,
    value,
    threshold,
    muted,
    isComplete: true,
  })
}

function withText(rule: CompiledRule, event: Omit<AlertEvent, 'text'>): AlertEvent {
  const isAbove = rule.on === 'gap' || rule.levels.isAbove
  return { ...event, text: textOf(event, isAbove, rule.note) }
}

/** Null stands for what was kept of a rule that is no more. */
function keptState(compiled: readonly CompiledRule[]): StateCodec<Kept | null> {
  const byId = new Map(compiled.map((rule) => [idOf(rule), rule]))
  return {
    encode: (kept): Json => {
      if (kept === null) return null
      const { rule, market, symbol, candle, level } = kept
      const alert =
        rule.on === 'candle'
          ? candleAlertState(rule).encode(candle as CandleAlert)
          : levelAlertState.encode(level as LevelAlert)
      return [idOf(rule), market, symbol, alert]
    },
    decode: (saved) => {
      if (saved === null) return null
      const [id, market, symbol, alert] = saved as unknown as readonly [string, string, string, Json]
      const rule = byId.get(id)
      if (rule === undefined) return null
      return rule.on === 'candle'
        ? { rule, market, symbol, candle: candleAlertState(rule).decode(alert), level: null }
        : { rule, market, symbol, candle: null, level: levelAlertState.decode(alert) }
    },
  }
}
