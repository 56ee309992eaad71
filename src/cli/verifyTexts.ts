import { countText } from '../console/text.ts'
import type { Difference } from '../verify/difference.ts'
import type { Verified } from '../verify/verify.ts'
import type { VerifiedPipeline, VerifiedTable } from '../verify/verifyPipeline.ts'
import { textTable } from './textTable.ts'
import { formatTime } from './time.ts'

const mostShown = 100
const headings = ['what', 'table', 'row', 'column', 'stored', 'compared with']

const remedies: ReadonlyMap<Difference['kind'], string> = new Map([
  [
    'differs',
    'stored rows are not what the archive makes. Somebody has changed them, or other code has made them: compare with the time of the last release.',
  ],
  ['missing', 'the archive makes rows that are not stored. Somebody has deleted them, or they were never written.'],
  [
    'extra',
    'stored rows that the archive does not make. Another program has written them, or the archive lacks their records.',
  ],
  [
    'exchange',
    'stored and archived agree, and the exchange has something else: trades that the feed has missed (`millrace status` shows its gaps), or a kline that was corrected (`millrace backfill` fetches it again).',
  ],
])

/** The report on candles, for people. */
export function candleReport(found: Verified, to: number): string {
  const { differences, records, candles, deadLetters, klines, until } = found
  const lines = [...differenceLines(differences), ...rewoundLines(found)]
  if (until < to)
    lines.push(
      `Compared up to ${formatTime(until)}: the archive does not reach further yet. It does after a clean stop, or the next hour.`,
    )
  const nothing =
    'nothing, for no closed candle lies wholly in the range. Name a longer one, or one in which there were trades'
  lines.push(
    `${countText(records)} records read again; ${countText(candles)} candles, ${countText(deadLetters)} dead letters and ${countText(klines)} klines of the exchange compared: ${resultText(differences, isAnyCandle(found), nothing)}.`,
  )
  return `${lines.join('\n')}\n`
}

/** Whether candles were looked at: what has looked at nothing has found nothing out. */
export function isAnyCandle({ candles, deadLetters, differences }: Verified): boolean {
  return candles + deadLetters + differences.length > 0
}

/** The report on a pipeline of the user's own, for people. */
export function pipelineReport(found: VerifiedPipeline, notCompared: readonly string[]): string {
  const { differences, records, tables, deadLetters, readFrom, doubts } = found
  const begin = readFrom === null ? 'the beginning of the archive' : formatTime(readFrom)
  const nothing =
    'nothing, for there is no row and no dead letter in the range. Name another one, or leave --from and --to out, and all is compared'
  const lines = [
    ...differenceLines(differences),
    ...doubts,
    ...(doubts.length === 0 ? [] : ['']),
    ...tables.map(tableLine),
    ...rewoundLines(found),
    ...notCompared,
    `${countText(records)} records read again, from ${begin} on; ${countText(rowsOf(tables))} rows and ${countText(deadLetters)} dead letters compared: ${resultText(differences, isAnyRow(found), nothing)}.`,
  ]
  return `${lines.join('\n')}\n`
}

/** Whether rows or dead letters were looked at. */
export function isAnyRow({ tables, deadLetters, differences }: VerifiedPipeline): boolean {
  return rowsOf(tables) + deadLetters + differences.length > 0
}

function rowsOf(tables: readonly VerifiedTable[]): number {
  return tables.reduce((sum, table) => sum + ('leftOut' in table ? 0 : table.compared), 0)
}

function tableLine(table: VerifiedTable): string {
  if ('leftOut' in table) return `${table.table}: not compared, for ${table.leftOut}.`
  const { compared, by, elsewhere, provisional } = table
  return [
    `${table.table}: ${countText(compared)} rows compared${by === null ? '' : `, by ${by}`}`,
    ...(elsewhere === 0
      ? []
      : [
          `${countText(elsewhere)} left out that other pipelines have too, or several partitions: their records do not say whose they are`,
        ]),
    ...(provisional === 0 ? [] : [`${countText(provisional)} left out that are not closed yet`]),
  ].join('; ')
}

function rewoundLines({ rewoundLetters }: Pick<Verified, 'rewoundLetters'>): string[] {
  if (rewoundLetters === 0) return []
  return [
    `${countText(rewoundLetters)} dead letters left out, for the log has lost their records since: the pipeline went back before them (\`millrace offsets list\`).`,
  ]
}

function differenceLines(differences: readonly Difference[]): string[] {
  const lines: string[] = []
  if (differences.length > 0) lines.push(...textTable(headings, differences.slice(0, mostShown).flatMap(cellsOf)), '')
  if (differences.length > mostShown)
    lines.push(`… and ${countText(differences.length - mostShown)} more; --json lists all.`, '')
  const kinds = Map.groupBy(differences, ({ kind }) => kind)
  for (const [kind, remedy] of remedies) {
    const count = kinds.get(kind)?.length ?? 0
    if (count > 0) lines.push(`${countText(count)} ${kind}: ${remedy}`)
  }
  return lines
}

function resultText(differences: readonly Difference[], isAnything: boolean, nothing: string): string {
  if (differences.length > 0) return `${countText(differences.length)} differ`
  return isAnything ? 'all the same' : nothing
}

function cellsOf({ kind, table, row, columns }: Difference): readonly string[][] {
  const cells = Object.entries(columns)
  if (cells.length === 0) return [[kind, table, row, '', '', '']]
  return cells.map(([column, [stored, other]]) => [kind, table, row, column, stored ?? '', other ?? ''])
}
