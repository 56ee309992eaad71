import { durationText } from '../../console/text.ts'
import { attemptsOf, givenUpRuns, listRuns as list, retryRun, type StoredRun } from '../../queries/runs.ts'
import { shownText } from '../../runtime/shownText.ts'
import type { CommandContext } from '../commandContext.ts'
import { commandFor } from '../commandFor.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

interface Run extends StoredRun {
  readonly schema: string
}

/** Prints runs of batch jobs, the newest intervals first. */
export async function listRuns(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const { job = null, runState: state = null, from = null, to = null, limit } = settings
  const runs = (await eachLedger(context, (client) => list(client, { job, state, from, to, limit: limit + 1 })))
    .sort((left, right) => right.from - left.from)
    .slice(0, limit + 1)
  const shown = runs.slice(0, limit)
  await output.out(settings.json ? jsonOf(shown) : shownText(tableOf(shown)))
  if (runs.length === 0) output.err('There is no such run.')
  if (runs.length > limit) output.err(`The newest ${limit} are shown; --limit shows more.`)
  return exitOk
}

/** Prints every attempt at the interval of a run. */
export async function showRun(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const [runId = ''] = args
  const runs = await eachLedger(context, (client) => attemptsOf(client, runId))
  if (runs.length === 0) {
    output.err(`There is no run ${runId}; \`${commandFor(context, 'runs list')}\` shows which there are.`)
    return exitFailure
  }
  await output.out(settings.json ? jsonOf(runs) : shownText(runs.map(detailsOf).join('\n')))
  return exitOk
}

/** Has intervals be run again. */
export async function retryRuns(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  if (args.length > 0 && settings.all) throw new UsageError('name runs or --all, not both.')
  if (args.length === 0 && !settings.all) throw new UsageError('which runs? Name ids, or --all for those given up.')
  const left = new Set(args)
  const made = await eachLedger(context, async (client) => {
    const ids = settings.all ? await givenUpRuns(client, settings.job ?? null) : args
    const made: { readonly runId: string }[] = []
    for (const id of ids) {
      const runId = await retryRun(client, id)
      if (runId === null) continue
      left.delete(id)
      made.push({ runId })
    }
    return made
  })
  await output.out(
    settings.json
      ? `${JSON.stringify({ waiting: made.map(({ runId }) => runId), missing: [...left] }, null, 2)}\n`
      : `${made.map(({ runId }) => `${runId} waits for a worker\n`).join('')}${made.length} to be run again, within seconds where the job is scheduled, else at its next start.\n`,
  )
  for (const id of left) output.err(`There is no run ${id}, or its interval waits or runs already.`)
  return left.size === 0 ? exitOk : exitFailure
}

async function eachLedger<T>(
  { settings, output }: CommandContext,
  use: (client: Parameters<typeof list>[0]) => Promise<readonly T[]>,
): Promise<(T & { readonly schema: string })[]> {
  if (!databaseExists(settings)) return []
  const found = await withDatabase(settings, output.err, (database) =>
    eachSchema(database, settings.onlySchema, async (client, schema) =>
      (await use(client)).map((one) => ({ schema, ...one })),
    ),
  )
  return found.flat()
}

const mostErrorChars = 100

function tableOf(runs: readonly Run[]): string {
  if (runs.length === 0) return ''
  const rows = runs.map((run) => {
    const error = run.error?.split('\n')[0] ?? ''
    return [
      run.runId,
      run.state,
      run.cause,
      tookText(run),
      run.rows === null ? '' : countsText(run.rows),
      error.length > mostErrorChars ? `${error.slice(0, mostErrorChars - 1)}…` : error,
    ]
  })
  return `${textTable(['run', 'state', 'cause', 'took', 'rows', 'error'], rows).join('\n')}\n`
}

function detailsOf(run: Run): string {
  const lines: readonly (readonly [string, string | null])[] = [
    ['run', run.runId],
    ['job', `${run.job} (schema ${run.schema})`],
    ['interval', `${formatTime(run.from)} to ${formatTime(run.to)}`],
    ['attempt', `${run.attempt}, wanted by ${run.cause}`],
    ['state', run.state],
    ['not before', run.state === 'waiting' ? formatTime(run.notBefore) : null],
    ['worker', run.worker],
    ['started', run.startedAt === null ? null : formatTime(run.startedAt)],
    ['took', tookText(run)],
    ['rows', run.rows === null ? null : countsText(run.rows)],
    ['error', run.error],
  ]
  return lines.map(([name, value]) => (value === null || value === '' ? '' : `${name.padEnd(10)}  ${value}\n`)).join('')
}

function tookText({ startedAt, endedAt }: StoredRun): string {
  return startedAt === null || endedAt === null ? '' : durationText(endedAt - startedAt)
}

function countsText(rows: Readonly<Record<string, number>>): string {
  return Object.entries(rows)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')
}

function jsonOf(runs: readonly Run[]): string {
  const iso = (time: number | null) => (time === null ? null : formatTime(time))
  const shown = runs.map((run) => ({
    ...run,
    from: iso(run.from),
    to: iso(run.to),
    notBefore: iso(run.notBefore),
    startedAt: iso(run.startedAt),
    endedAt: iso(run.endedAt),
  }))
  return `${JSON.stringify(shown, null, 2)}\n`
}
