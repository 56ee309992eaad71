import { resolve } from 'node:path'
import { Shutdown } from '../../host/shutdown.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk } from '../exit.ts'
import { noReader } from '../terminalView.ts'
import { checkConsole, startWebConsole } from '../webConsole.ts'

/** Serves the console in the browser until it is stopped. */
export async function consoleCommand(context: CommandContext): Promise<number> {
  const { settings, output } = context
  checkConsole(context)
  if (!databaseExists(settings)) {
    output.err(
      `There is no data in ${resolve(settings.dataDir)} yet: start \`${commandFor(context, 'run realtime')}\` there, or name another --data-dir.`,
    )
    return exitFailure
  }
  return withDatabase(settings, output.err, async (database) => {
    const stopping = new Shutdown(() => undefined)
    output.onClosed(() => stopping.begin(noReader))
    try {
      const running = await startWebConsole(context, {
        address: database.address,
        onlySchema: settings.onlySchema ?? null,
      })
      try {
        await output.out(`The console: ${running.url}\nIt shows ${database.location}. Ctrl-C stops it.\n`)
        await new Promise<void>((stopped) => stopping.whenStopping(() => stopped()))
      } finally {
        await running.close()
      }
    } finally {
      stopping.dispose()
    }
    return exitOk
  })
}
