import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { countText } from '../../console/text.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { ownModule } from '../../runtime/ownPackage.ts'
import { Ledger } from '../../schedule/ledger.ts'
import { openPool } from '../../sinks/postgres/connection.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { type Database, openDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { loadJob } from '../loadJob.ts'
import { workOn } from './runJob.ts'

/** Has the intervals of a range run, and runs them here, in as many processes as are asked for. Exit code 1 where one was given up. */
export async function backfillRuns(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const [file = ''] = args
  const { from, to, backfillWorkers: workers } = settings
  if (from === undefined || to === undefined) throw new UsageError('--from or --to is missing; say which intervals.')
  if (from >= to) throw new UsageError('--from must be before --to.')
  const job = await loadJob(file)
  const database = await openDatabase(settings, output.err)
  try {
    await prepareDatabase(database.address, settings.schema)
    const pool = openPool(database.address, { schema: settings.schema, maxConnections: 1 })
    try {
      const ledger = new Ledger(pool, job)
      await ledger.register()
      const count = await ledger.backfill({ from, to }, settings.backfillAgain)
      await output.out(`Job ${job.name}: ${countText(count)} intervals to run.\n`)
    } finally {
      await pool.end()
    }
    if (job.parallel < workers) {
      output.err(`The job runs ${job.parallel} at a time (parallel of defineJob): more workers than that wait.`)
    }
    const others = Array.from({ length: workers - 1 }, () => anotherWorker(context, file, database))
    const end = await workOn(context, job, { database, schema: settings.schema, untilDone: true })
    const codes = await Promise.all(others)
    await output.out(`${countText(end.done)} done by this process${workers === 1 ? '' : ', the rest by the others'}.\n`)
    const isGivenUp = end.givenUp > 0 || codes.some((code) => code !== exitOk)
    if (isGivenUp) output.err(`What failed: ${commandFor(context, `runs list --job ${job.name} --state failed`)}`)
    return isGivenUp ? exitFailure : exitOk
  } finally {
    await database.close()
  }
}

/** Another process that runs what is due. One that dies loses its interval to the others. */
function anotherWorker({ settings, env }: CommandContext, file: string, database: Database): Promise<number | null> {
  const words = ['run', file, '--schema', settings.schema, '--data-dir', settings.dataDir]
  const child = spawn(process.execPath, [fileURLToPath(ownModule('cli/main')), ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...env,
      ...('connectionString' in database.address ? { DATABASE_URL: database.address.connectionString } : {}),
    },
  })
  const forward = () => void child.kill('SIGTERM')
  process.on('SIGTERM', forward)
  return new Promise((resolve) => {
    const end = (code: number | null) => {
      process.off('SIGTERM', forward)
      resolve(code)
    }
    child.on('error', () => end(null))
    child.on('exit', (code) => end(code))
  })
}
