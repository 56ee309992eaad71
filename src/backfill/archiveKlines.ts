import type { TimeUnit } from '../market/timeUnit.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { archiveLines } from './archiveFile.ts'
import { ArchiveTimes } from './archiveTimes.ts'
import { columnNames, type RawKline, rawKlineOf } from './rawKline.ts'

/**
 * The candles of one archive of the exchange, in pages of a piece of the file. A first line of column names is passed over; a row that cannot be read ends it, because
 * the rest of such a file cannot be trusted either.
 * @param onUnit told once, in which unit its times are
 */
export async function* archiveKlines(
  path: string,
  onUnit: (unit: TimeUnit) => void,
): AsyncGenerator<readonly RawKline[], void, undefined> {
  const times = new ArchiveTimes(path, onUnit)
  for await (const { lines, firstLine } of archiveLines(path)) {
    // Of an open time that is there twice the last one counts, as where it is written twice.
    const page = new Map<number, RawKline>()
    for (const [index, text] of lines.entries()) {
      const line = firstLine + index
      if (line === 1 && isHeader(path, text)) continue
      const kline = klineOf(path, text, line, times)
      page.set(kline.openTime, kline)
    }
    if (page.size > 0) yield [...page.values()]
  }
}

function isHeader(path: string, text: string): boolean {
  if (/^\d/.test(text)) return false
  if (text.split(',')[0] === columnNames[0] && text.split(',').length === columnNames.length) return true
  throw new ConfigurationError(
    `Archive ${path}: its first line is neither a candle nor the names of the exchange's ${columnNames.length} columns: ${JSON.stringify(text.slice(0, 80))}.`,
  )
}

function klineOf(path: string, text: string, line: number, times: ArchiveTimes): RawKline {
  const cells = text.split(',')
  if (cells.length !== columnNames.length) {
    throw new ConfigurationError(
      `Archive ${path}, line ${line}: a candle has ${columnNames.length} columns, got ${cells.length}.`,
    )
  }
  const [open = '', , , , , , close = '', , count = ''] = cells
  const row: unknown[] = [...cells]
  row[0] = times.read(open, line)
  row[6] = times.read(close, line)
  row[8] = /^\d{1,15}$/.test(count) ? Number(count) : count
  const kline = rawKlineOf(row)
  if (typeof kline !== 'string') return kline
  throw new ConfigurationError(`Archive ${path}, line ${line}, ${kline}.`)
}
