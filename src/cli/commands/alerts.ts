import { randomUUID } from 'node:crypto'
import { NEVER } from 'rxjs'
import { isSeq } from 'yaml'
import type { AlertEvent } from '../../market/alertEvent.ts'
import { alertIdentity } from '../../market/alertEvent.ts'
import type { AlertRule } from '../../operators/alerts/alertRule.ts'
import { newestAlerts } from '../../queries/alertEvents.ts'
import { readSeries } from '../../queries/candles.ts'
import { systemClock } from '../../runtime/clock.ts'
import { MillraceError } from '../../runtime/errors.ts'
import { shownText } from '../../runtime/shownText.ts'
import { suggest } from '../../runtime/suggest.ts'
import { toAlerts } from '../../sinks/toAlerts.ts'
import { replaceFile } from '../../sources/symbols/replaceFile.ts'
import { channelsOf, planAlerts } from '../alerts/alertPlan.ts'
import { readAlertsFile } from '../alerts/alertsFile.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

/** Prints what alert rules have decided, newest first. */
export async function listAlerts({ settings, output }: CommandContext): Promise<number> {
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) =>
          (await newestAlerts(client, settings.limit)).map((event) => ({ schema, ...event })),
        ),
      )
    : []
  const events = found
    .flat()
    .sort((left, right) => right.at - left.at)
    .slice(0, settings.limit)
  if (settings.json) {
    const shown = events.map((event) => ({
      id: alertIdentity(event),
      ...event,
      at: new Date(event.at).toISOString(),
      openTime: new Date(event.openTime).toISOString(),
    }))
    await output.out(`${JSON.stringify(shown, null, 2)}\n`)
    return exitOk
  }
  const rows = events.map(({ at, severity, transition, rule, symbol, value, threshold, schema }) => [
    formatTime(at),
    severity,
    transition,
    rule,
    symbol,
    value,
    threshold,
    schema,
  ])
  if (rows.length > 0) {
    const headings = ['at', 'severity', 'what', 'rule', 'symbol', 'value', 'threshold', 'data']
    await output.out(shownText(`${textTable(headings, rows).join('\n')}\n`))
  } else output.err('No alert rule has decided anything yet. docs/platform/alerts.md says how to write rules.')
  return exitOk
}

/** Checks the file, and sends a test to each channel. */
export async function testAlerts(context: CommandContext): Promise<number> {
  const { settings, output, env } = context
  const path = pathOf(settings)
  const plan = planAlerts(path, env)
  await output.out(`${path}: ${plan.rules.length} rules, ${plan.channels.length} channels.\n`)
  for (const line of await unheardOf(context, plan.rules)) output.err(`warning: ${line}`)
  let isTaken = true
  for (const [name, channel] of channelsOf(plan)) {
    const { to, encode } = toAlerts(NEVER, { ...channel, isSilenced: () => false })
    if (to.kind !== 'destination') throw new Error('bug: a channel that is no destination')
    const destination = to.open()
    try {
      const message = encode(testEvent(name) as never)
      await destination.send([{ ...message, id: `test/${name}` }], 1, AbortSignal.timeout(30_000))
      await output.out(`${name} (${to.name}) took the test.\n`)
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error
      isTaken = false
      output.err(`error: ${name} (${to.name}) did not take the test: ${error.message}`)
    } finally {
      await destination.close()
    }
  }
  return isTaken ? exitOk : exitFailure
}

/** Rules that name symbols of which there is no candle: a slip of the hand, or a feed that lacks them. Without a database nobody knows. */
async function unheardOf(
  { settings, output }: CommandContext,
  rules: readonly AlertRule[],
): Promise<readonly string[]> {
  const named = rules.flatMap((rule) => ('symbols' in rule ? [{ name: rule.name, symbols: rule.symbols ?? [] }] : []))
  if (!named.some(({ symbols }) => symbols.length > 0) || !databaseExists(settings)) return []
  const found = await withDatabase(settings, output.err, (database) =>
    eachSchema(database, settings.onlySchema, (client) => readSeries(client, '1m')),
  )
  const heard = [...new Set(found.flat().map(({ symbol }) => symbol))]
  return named.flatMap(({ name, symbols }) =>
    symbols
      .filter((symbol) => !heard.includes(symbol))
      .map(
        (symbol) =>
          `rule ${name}: there is no candle of ${symbol} yet${suggest(symbol, heard)}, and the rule decides nothing about it until there is one.`,
      ),
  )
}

/** Writes a silence into the file. */
export async function silenceAlerts(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const [rule = '', ...symbols] = args
  const path = pathOf(settings)
  const { file, document } = readAlertsFile(path)
  const rules = file.rules.map(({ name }) => name)
  if (!rules.includes(rule)) {
    throw new UsageError(`${path} has no rule ${rule}${suggest(rule, rules)}; it has ${rules.join(', ') || 'none'}.`)
  }
  const until = systemClock.now() + settings.silenceFor
  const entry = document.createNode(
    { rule, ...(symbols.length === 0 ? {} : { symbols }), until: new Date(until).toISOString() },
    { flow: true },
  )
  const list = document.get('silences', true)
  if (isSeq(list)) list.add(entry)
  else document.set('silences', document.createNode([entry]))
  await replaceFile(path, document.toString({ lineWidth: 0 }))
  const of = symbols.length === 0 ? '' : ` (${symbols.join(', ')})`
  await output.out(`Nobody is told of ${rule}${of} until ${formatTime(until)}; what it decides is kept.\n`)
  return exitOk
}

function pathOf({ alertsFile = 'alerts.yaml' }: CommandContext['settings']): string {
  return alertsFile
}

function testEvent(channel: string): AlertEvent {
  const now = systemClock.now()
  return {
    rule: `test-${randomUUID().slice(0, 8)}`,
    kind: 'price',
    severity: 'info',
    market: 'simulated',
    symbol: 'TEST',
    interval: '1m',
    openTime: now,
    transition: 'firing',
    corrects: null,
    revision: 1,
    at: now,
    value: '1',
    threshold: '1',
    muted: 0,
    isComplete: true,
    text: `Test of the alert channel ${channel}: it works.`,
  }
}
