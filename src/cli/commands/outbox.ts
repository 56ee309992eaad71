import {
  countOutbox,
  formatMessageKey,
  newestRefused,
  type OutletCount,
  parseMessageKey,
  type RefusedMessageRow,
  retryAllRefused,
  retryOneRefused,
} from '../../queries/outbox.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'

interface Outlet extends OutletCount {
  readonly schema: string
}

interface Refused extends RefusedMessageRow {
  readonly schema: string
}

/** Prints what waits to be sent, by outlet, and messages that were refused, newest first. */
export async function listOutbox({ settings, output }: CommandContext): Promise<number> {
  const found = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) => ({
          schema,
          outlets: await countOutbox(client),
          refused: await newestRefused(client, settings.limit),
        })),
      )
    : []
  const outlets = found.flatMap(({ schema, outlets }) => outlets.map((outlet) => ({ schema, ...outlet })))
  const refused = found
    .flatMap(({ schema, refused }) => refused.map((message) => ({ schema, ...message })))
    .sort((left, right) => right.refusedAt - left.refusedAt)
    .slice(0, settings.limit)
  await output.out(settings.json ? jsonOf(outlets, refused) : shownText(textOf(outlets, refused)))
  const count = outlets.reduce((sum, outlet) => sum + outlet.refused, 0)
  if (outlets.length === 0) output.err('Nothing waits to be sent, and nothing was refused.')
  else if (refused.length < count) output.err(`${refused.length} of ${count} refused shown; --limit shows more.`)
  return exitOk
}

/** Has refused messages sent again. */
export async function retryOutbox(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  if (args.length > 0 && settings.all) throw new UsageError('name ids or --all, not both.')
  if (args.length === 0 && !settings.all) throw new UsageError('which messages? Name ids, or --all.')
  const keys = args.map(parseMessageKey)
  const missing = new Set(keys.map(formatMessageKey))
  let count = 0
  if (databaseExists(settings)) {
    await withDatabase(settings, output.err, (database) =>
      eachSchema(database, settings.onlySchema, async (client) => {
        if (settings.all) count += await retryAllRefused(client)
        for (const key of keys) {
          if (!(await retryOneRefused(client, key))) continue
          missing.delete(formatMessageKey(key))
          count += 1
        }
      }),
    )
  }
  await output.out(
    settings.json
      ? `${JSON.stringify({ retried: count, missing: [...missing] }, null, 2)}\n`
      : `${count} to be sent again, within seconds where the pipeline runs, else at its next start.\n`,
  )
  for (const id of missing)
    output.err(`No message ${id} was refused; \`${commandFor(context, 'outbox list')}\` shows which were.`)
  return missing.size === 0 ? exitOk : exitFailure
}

function jsonOf(outlets: readonly Outlet[], refused: readonly Refused[]): string {
  const messages = refused.map(({ key, value, refusedAt, ...message }) => ({
    id: formatMessageKey(message),
    ...message,
    refusedAt: new Date(refusedAt).toISOString(),
    keyBase64: key?.toString('base64') ?? null,
    valueBase64: value?.toString('base64') ?? null,
  }))
  return `${JSON.stringify({ outlets, refused: messages }, null, 2)}\n`
}

function textOf(outlets: readonly Outlet[], refused: readonly Refused[]): string {
  if (outlets.length === 0) return ''
  const counts = textTable(
    ['pipeline', 'topic', 'partition', 'outlet', 'waiting', 'refused', 'data'],
    outlets.map((outlet) => [
      outlet.pipeline,
      outlet.topic,
      String(outlet.partition),
      outlet.outlet,
      String(outlet.waiting),
      String(outlet.refused),
      outlet.schema,
    ]),
  )
  if (refused.length === 0) return `${counts.join('\n')}\n`
  const messages = textTable(
    ['id', 'refused', 'why', 'again'],
    refused.map((message) => [
      formatMessageKey(message),
      new Date(message.refusedAt).toISOString(),
      message.refusal,
      message.isRetried ? 'asked for' : '',
    ]),
  )
  return `${[...counts, '', ...messages].join('\n')}\n`
}
