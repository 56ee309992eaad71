import { readFileSync } from 'node:fs'
import type { Document } from 'yaml'
import { z } from 'zod'
import type { AlertEvent } from '../../market/alertEvent.ts'
import { intervals } from '../../market/interval.ts'
import { measures } from '../../market/measurement.ts'
import type { AlertRule } from '../../operators/alerts/alertRule.ts'
import { alerts } from '../../operators/alerts/alerts.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import { parseYaml, yamlProblems } from '../../sources/yamlFile.ts'

/** Where alerts go, as the file says it. Of what is secret it has the names of variables alone. */
export interface ChannelEntry {
  readonly name: string
  readonly kind: 'webhook' | 'slack' | 'discord' | 'log'
  readonly urlFrom?: string | undefined
  readonly headersFrom?: Readonly<Record<string, string>> | undefined
  readonly maxAge?: string | number | undefined
  readonly severities?: readonly AlertEvent['severity'][] | undefined
  readonly rules?: readonly string[] | undefined
}

/** Alerts of a rule that nobody is told of until then. */
export interface SilenceEntry {
  readonly rule: string
  readonly symbols?: readonly string[] | undefined
  /** ms UTC. */
  readonly until: number
  readonly because: string
}

/** What a file of alerts says. */
export interface AlertsFile {
  readonly rules: readonly AlertRule[]
  readonly channels: readonly ChannelEntry[]
  readonly silences: readonly SilenceEntry[]
}

const maxBytes = 1024 * 1024
const ruleName = z.string().regex(/^[a-z][a-z0-9_-]{0,59}$/, 'is no name: lower-case letters, digits, - and _')
const variable = z.string().regex(/^[A-Z][A-Z0-9_]{0,99}$/, 'is no name of an environment variable')
const duration = z.union([z.string().max(20), z.number()])
const threshold = z.union([z.string().max(40), z.number()])
const names = z.array(z.string().min(1).max(60)).min(1).max(2_000)
const severity = z.enum(['page', 'ticket', 'info'])

const common = {
  name: ruleName,
  for: duration.optional(),
  keepFiringFor: duration.optional(),
  maxPerHour: z.int().optional(),
  severity: severity.optional(),
  note: z.string().max(500).optional(),
}
const bounds = { above: threshold.optional(), below: threshold.optional(), clear: threshold.optional() }
const rule = z.discriminatedUnion('kind', [
  z.strictObject({
    ...common,
    ...bounds,
    kind: z.enum(['price', 'volume', 'change', 'indicator']),
    symbols: names.optional(),
    interval: z.enum(intervals).optional(),
    over: duration.optional(),
    indicator: z.enum(['sma', 'ema', 'rsi', 'macd', 'bollinger', 'atr']).optional(),
    period: z.int().optional(),
    line: z.enum(['macd', 'signal', 'histogram', 'upper', 'middle', 'lower']).optional(),
    noDataAfter: duration.optional(),
  }),
  z.strictObject({ ...common, kind: z.literal('gap'), symbols: names.optional() }),
  z.strictObject({ ...common, ...bounds, kind: z.enum(measures) }),
])
const channel = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_]{0,30}$/, 'is no name: lower-case letters, digits and _'),
  kind: z.enum(['webhook', 'slack', 'discord', 'log']),
  urlFrom: variable.optional(),
  headersFrom: z.record(z.string().min(1).max(100), variable).optional(),
  maxAge: duration.optional(),
  severities: z.array(severity).min(1).optional(),
  rules: z.array(ruleName).min(1).max(500).optional(),
})
const silence = z.strictObject({
  rule: ruleName,
  symbols: names.optional(),
  until: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  because: z.string().max(500).default(''),
})
const fileSchema = z.strictObject({
  rules: z.array(rule).max(500).nullable().default([]),
  channels: z
    .array(channel)
    .max(20)
    .default([{ name: 'log', kind: 'log' }]),
  silences: z.array(silence).max(1_000).nullable().default([]),
})

/** A text that was read, and the document that keeps its comments when it is changed. */
export interface ReadAlerts {
  readonly file: AlertsFile
  readonly document: Document
}

/** Reads the text of a file of alerts. Throws `ConfigurationError` with every problem and its line, at most ten. */
export function parseAlerts(name: string, text: string): ReadAlerts {
  const { document, data, lineOf } = parseYaml(name, 'file of alerts', text, maxBytes, fileSchema)
  const rules = (data.rules ?? []) as readonly AlertRule[]
  const silences = data.silences ?? []
  const { channels } = data
  const problems: string[] = []
  const known = new Set<string>()
  for (const [index, one] of rules.entries()) {
    const problem = problemOf(one)
    if (problem !== null) problems.push(`${lineOf(['rules', index])}: ${problem}`)
    if (known.has(one.name)) problems.push(`${lineOf(['rules', index])}: rule ${one.name} is there twice`)
    known.add(one.name)
  }
  const taken = new Set<string>()
  for (const [index, { name, kind, urlFrom, rules = [] }] of channels.entries()) {
    const line = lineOf(['channels', index])
    if (taken.has(name)) problems.push(`${line}: channel ${name} is there twice`)
    taken.add(name)
    if ((kind === 'log') !== (urlFrom === undefined))
      problems.push(
        `${line}: channel ${name} ${kind === 'log' ? 'is a log, and has no urlFrom' : 'needs urlFrom, the variable that its address stands in'}`,
      )
    for (const rule of rules)
      if (!known.has(rule)) problems.push(`${line}: channel ${name} is for ${rule}, which is no rule of the file`)
  }
  for (const [index, { rule }] of silences.entries())
    if (!known.has(rule)) problems.push(`${lineOf(['silences', index])}: there is no rule ${rule} to silence`)
  if (problems.length > 0) throw yamlProblems(name, problems)
  return { document, file: { rules, channels, silences } }
}

/** Reads a file of alerts. Throws `ConfigurationError` for one that is not there or not well formed. */
export function readAlertsFile(path: string): ReadAlerts {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    throw new ConfigurationError(
      code === 'ENOENT'
        ? `${path} does not exist. docs/platform/alerts.md has one to begin with; or name another with --alerts-file.`
        : `${path} cannot be read (${String(code)}).`,
      { cause: error },
    )
  }
  return parseAlerts(path, text)
}

/** What the operator finds wrong with one rule, without its own name. */
function problemOf(one: AlertRule): string | null {
  try {
    alerts({ rules: [one] })
    return null
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error
    return error.message.replace(/^alerts: /, '').replace(/\.$/, '')
  }
}
