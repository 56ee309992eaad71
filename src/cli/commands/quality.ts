import { writeFile } from 'node:fs/promises'
import type pg from 'pg'
import { countText } from '../../console/text.ts'
import { prepareDatabase } from '../../host/prepareDatabase.ts'
import { checkQuality } from '../../quality/checkQuality.ts'
import type { Quality } from '../../quality/quality.ts'
import { countUnplaced, qualityWindows } from '../../quality/qualityWindows.ts'
import type { QualityVerdict } from '../../quality/verdict.ts'
import { type QualityReport, readQuality } from '../../queries/quality.ts'
import { systemClock } from '../../runtime/clock.ts'
import { shownText } from '../../runtime/shownText.ts'
import { quoteIdentifier } from '../../sinks/postgres/connection.ts'
import type { CommandContext } from '../commandContext.ts'
import { databaseExists, withDatabase } from '../database.ts'
import { exitFailure, exitOk, UsageError } from '../exit.ts'
import { platformQuality, qualitiesOf } from '../loadQuality.ts'
import { qualityPage } from '../qualityPage.ts'
import { eachSchema } from '../schemas.ts'
import { textTable } from '../textTable.ts'
import { formatTime } from '../time.ts'

/** Judges the tables of a file's qualities over a range; exit code 1 where a window is blocked. */
export async function checkTables(context: CommandContext): Promise<number> {
  const { settings, output, args } = context
  const { from, to = systemClock.now() } = settings
  if (from === undefined) throw new UsageError('--from is missing; say from when on rows are looked at.')
  if (from >= to) throw new UsageError('--from must be before --to.')
  const qualities = await qualitiesOf(args[0])
  const everyMs = args[0] === undefined ? (await platformQuality()).candleEveryMs : null
  if (!databaseExists(settings)) throw new UsageError('There is no database yet, hence no table to look at.')
  return withDatabase(settings, output.err, async (database) => {
    await prepareDatabase(database.address, settings.schema)
    const client = await database.connect(settings.schema)
    const now = systemClock.now()
    const runId = `check/${new Date(now).toISOString()}`
    await client.query('BEGIN')
    let unplaced = 0
    const found: { readonly quality: string; readonly verdict: QualityVerdict }[] = []
    for (const quality of qualities) {
      // The platform has tables that are empty until they are used; those that somebody names are to be there.
      if (args[0] === undefined && !(await hasRows(client, quality.table))) continue
      const windows = await qualityWindows(client, quality, {
        ...{ from, to, sizeMs: settings.windowMs },
        ...(everyMs === null ? {} : { rowEveryMs: (key) => everyMs(quality, key) }),
      })
      if (windows.length === 0 && everyMs === null)
        throw new UsageError(`${quality.table} has no rows, hence no keys to look for.`)
      const lost = await countUnplaced(client, quality)
      unplaced += lost
      if (lost > 0) output.err(unplacedText(quality, lost))
      found.push({ quality: quality.name, verdict: await checkQuality(client, quality, windows, { runId, now }) })
    }
    await client.query('COMMIT')
    const reports = await readQuality(client, { quality: null, runId, limit: 20 })
    const isBlocked = found.some(({ verdict }) => verdict.isBlocked)
    await output.out(settings.json ? jsonOf(reports) : shownText(textOf(reports)))
    return isBlocked || unplaced > 0 ? exitFailure : exitOk
  })
}

function unplacedText({ table, by, time }: Quality, rows: number): string {
  return `${table}: ${countText(rows)} ${rows === 1 ? 'row has' : 'rows have'} null in ${[...by, time].join(' or ')}, or an infinite time, belong to no window, and nothing was expected of them. Give them a key and a time, and declare those columns NOT NULL.`
}

async function hasRows(client: pg.Client, table: string): Promise<boolean> {
  return (await client.query(`SELECT FROM ${quoteIdentifier(table)} LIMIT 1`)).rowCount === 1
}

/** Shows what the newest checks came to, or those of one run. */
export async function reportQuality(context: CommandContext): Promise<number> {
  const { settings, output } = context
  const range = {
    quality: settings.quality ?? null,
    runId: settings.qualityRun ?? null,
    limit: settings.qualityLimit,
  }
  const perSchema = databaseExists(settings)
    ? await withDatabase(settings, output.err, (database) =>
        eachSchema(database, settings.onlySchema, async (client, schema) => ({
          schema,
          reports: await readQuality(client, range),
        })),
      )
    : []
  const reports = perSchema.flatMap((one) => one.reports)
  if (settings.html !== undefined) {
    await writeFile(settings.html, qualityPage(perSchema, systemClock.now()))
    output.err(`Written to ${settings.html}.`)
    return exitOk
  }
  await output.out(settings.json ? jsonOf(reports) : shownText(textOf(reports)))
  if (reports.length === 0) {
    const isAsked = range.quality !== null || range.runId !== null
    output.err(
      isAsked
        ? 'There is no such check: without --quality and --run, `millrace quality report` shows the newest of each.'
        : 'Nothing was checked yet: docs/platform/quality.md says how.',
    )
  }
  return exitOk
}

/** The rows as JSON text stays text: a reader's floats would not be what is stored. */
function jsonOf(reports: readonly QualityReport[]): string {
  return `${JSON.stringify(reports, null, 2)}\n`
}

function textOf(reports: readonly QualityReport[]): string {
  return reports.map((report) => `${sectionOf(report).join('\n')}\n`).join('\n')
}

function sectionOf(report: QualityReport): readonly string[] {
  const { quality, table, runId, checkedAt, results, problems, quarantine } = report
  const name = quality === table ? table : `${quality} (table ${table})`
  const lines = [`${name}, run ${runId}, ${formatTime(checkedAt)}`, '']
  const headings = ['state', 'expectation', 'passed', 'rows', 'failing', 'reason']
  const rows = results.map((one) => [
    one.state,
    one.expectation,
    `${countText(one.passed)}/${countText(one.windows)}`,
    countText(one.rows),
    countText(one.failing),
    one.reason ?? '',
  ])
  lines.push(...textTable(headings, rows, '  '))
  if (problems.length > 0) {
    lines.push('', `  windows that did not pass${shownOf(problems.length, report.problemCount)}`)
    const windows = problems.map((one) => [
      one.state,
      Object.values(one.key).join(' '),
      `${formatTime(one.from)} to ${formatTime(one.to)}`,
      one.expectation,
      one.reason,
    ])
    lines.push(...textTable(['state', 'key', 'window', 'expectation', 'reason'], windows, '  '))
  }
  if (quarantine.length > 0) {
    lines.push('', `  in quarantine${shownOf(quarantine.length, report.quarantineCount)}`)
    for (const one of quarantine) {
      const copies = one.copies === 1 ? '' : ` (${one.copies} alike)`
      lines.push(`  ${one.reason}${copies}, since run ${one.runId}`, `    ${one.row}`)
      if (one.expected !== null) lines.push(`    the other table has ${one.expected}`)
    }
  }
  return lines
}

function shownOf(shown: number, all: number): string {
  return shown < all ? ` (${countText(shown)} of ${countText(all)}; --limit shows more)` : ''
}
