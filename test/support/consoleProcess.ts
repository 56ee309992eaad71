// A console in a process of its own, for tests that kill it: told by its environment what to show.
import { consoleOn } from './consoleOn.ts'

const { CONSOLE_ADDRESS, CONSOLE_SCHEMA, CONSOLE_PORT } = process.env
const running = await consoleOn({ connectionString: CONSOLE_ADDRESS ?? '' }, CONSOLE_SCHEMA ?? '', {
  port: Number(CONSOLE_PORT ?? 0),
})
process.stdout.write(`${running.url}\n`)
