import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { exitOnSignal } from '../src/cli/exitOnSignal.ts'
import { startOrJoin } from '../src/embedded/embeddedPostgres.ts'
import { killAtDelivery } from './alertKills/killAtDelivery.ts'

// PostgreSQL is ended when this process exits, and a signal alone would not have it exit so.
exitOnSignal()

const help = `Kills a process that tells alerts, again and again, while a request is under way, has just been answered, or decisions are stored, and compares what was decided with what was told.

  npm run alerts:kills -- --kills 1000 --seed 1

  --kills N    how many                                  (100)
  --seed S     decides at which request, and when of it  (1)
`
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    help: { type: 'boolean', default: false },
  },
})

if (values.help) process.stdout.write(help)
else {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-alert-kills-'))
  const server = await startOrJoin(join(folder, 'postgres'))
  try {
    const { user, password, host, port, database } = server.connection
    const kills = Number(values.kills)
    const summary = await killAtDelivery({
      kills,
      seed: Number(values.seed),
      address: server.connection,
      databaseUrl: `postgres://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`,
      schema: 'alert_kills',
      dataDir: join(folder, 'data'),
      minutes: kills * 15 + 100,
      pauseMs: 5,
      say: (line) => void process.stderr.write(`${line}\n`),
    })
    process.stdout.write(`${JSON.stringify(summary)}\n`)
    process.exitCode = summary.equal ? 0 : 1
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
