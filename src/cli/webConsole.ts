import { type DeadLetterFilter, parseKey } from '../queries/deadLetters.ts'
import { openConnection, type PostgresAddress } from '../sinks/postgres/connection.ts'
import type { RunningConsole } from '../web/consoleServer.ts'
import { Guard, type GuardOptions } from '../web/guard.ts'
import type { Redrive } from '../web/route.ts'
import type { CommandContext } from './commandContext.ts'
import { dataSetName, isSimulatedSchema } from './database.ts'
import { type RedrivenTopic, redriveFiltered, redriveKeys } from './redriveIn.ts'
import { version } from './version.ts'

/** Which database a console shows. */
export interface ConsolePlace {
  readonly address: PostgresAddress
  /** Null for all schemas that hold tables of Millrace. */
  readonly onlySchema: string | null
  /** Fires when the database is given up. */
  readonly lost?: AbortSignal
}

const connectTimeoutMs = 10_000

/** Starts the console in the browser; throws `ConfigurationError` on an address that others reach without a token, and on a port that was named and is taken. */
export async function startWebConsole(context: CommandContext, place: ConsolePlace): Promise<RunningConsole> {
  const { settings, origins, output } = context
  // Imported here because whoever runs without a console should not wait for it.
  const { serveConsole } = await import('../web/consoleServer.ts')
  return serveConsole({
    ...place,
    ...guardOptions(context),
    port: settings.consolePort,
    mayMove: origins.consolePort === 'default',
    describe: (schema) => ({ name: dataSetName(schema), isSimulated: isSimulatedSchema(schema) }),
    version: version(),
    redrive: redriveFor(context, place.address),
    onError: (line) => output.err(line),
  })
}

/** Throws `ConfigurationError` where others could reach it without a token, before anything is opened. */
export function checkConsole(context: CommandContext): void {
  new Guard(guardOptions(context))
}

function guardOptions({ settings }: CommandContext): GuardOptions {
  return {
    host: settings.consoleHost,
    token: settings.consoleToken ?? null,
    hostNames: settings.consoleNames ?? [],
  }
}

function redriveFor(context: CommandContext, address: PostgresAddress): Redrive {
  return async (schema, wish) => {
    const client = await openConnection(address, { schema, applicationName: 'millrace web console', connectTimeoutMs })
    try {
      const place = { address, client, schema }
      const topics =
        'ids' in wish
          ? (await redriveKeys(context, place, wish.ids.map(parseKey))).topics
          : await redriveFiltered(context, place, wish satisfies Omit<DeadLetterFilter, 'isRedrivenIncluded'>)
      return {
        redriven: sum(topics, ({ redriven }) => redriven),
        recovered: sum(topics, ({ recovered }) => recovered),
        skipped: topics.flatMap(({ skipped }) => skipped),
      }
    } finally {
      await client.end()
    }
  }
}

function sum(topics: readonly RedrivenTopic[], of: (one: RedrivenTopic) => number): number {
  return topics.reduce((total, one) => total + of(one), 0)
}
