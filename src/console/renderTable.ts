import { renderFacts } from './renderLine.ts'
import type { CandleLine, ConsoleSnapshot } from './snapshot.ts'
import { countText, decimalText } from './text.ts'

const headings = ['symbol', 'minute', 'open', 'high', 'low', 'close', 'volume', 'trades'] as const
/** Dropped from a narrow terminal in this order; symbol, close and trades stay. */
const droppable = ['minute', 'volume', 'open', 'low', 'high'] as const
const gap = '  '
const maxRows = 20

/**
 * The live table as lines of at most `width` characters, without escape sequences. Symbols beyond 20 are counted on one line,
 * so that a frame fits a screen.
 */
export function renderTable(snapshot: ConsoleSnapshot, width: number): readonly string[] {
  const lines = [snapshot.title]
  if (snapshot.isSimulated) lines.push(simulatedNotice)
  lines.push('')
  if (snapshot.candles.length === 0) lines.push('No candle yet: waiting for the first trades.')
  else lines.push(...candleLines(snapshot.candles, width))
  lines.push('', ...renderFacts(snapshot))
  return lines.map((line) => (line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line))
}

export const simulatedNotice = '*** SIMULATED PRICES: invented by a random generator, not a market ***'

function candleLines(candles: readonly CandleLine[], width: number): readonly string[] {
  const shown = candles.slice(0, maxRows)
  const rows = shown.map(cells)
  const all = headings.map((heading, index) => ({
    heading,
    texts: rows.map((row) => row[index] ?? ''),
    width: rows.reduce((widest, row) => Math.max(widest, row[index]?.length ?? 0), heading.length),
  }))
  let columns = all
  for (const name of droppable) {
    if (lineWidth(columns) <= width) break
    columns = columns.filter((column) => column.heading !== name)
  }
  const line = (texts: readonly string[]) =>
    texts
      .map((text, index) => {
        const size = columns[index]?.width ?? 0
        return index === 0 ? text.padEnd(size) : text.padStart(size)
      })
      .join(gap)
      .trimEnd()
  const lines = [
    line(columns.map((column) => column.heading)),
    ...rows.map((_, row) => line(columns.map((column) => column.texts[row] ?? ''))),
  ]
  if (candles.length > shown.length) lines.push(`and ${candles.length - shown.length} more symbols`)
  return lines
}

function lineWidth(columns: readonly { readonly width: number }[]): number {
  return columns.reduce((sum, column) => sum + column.width, gap.length * (columns.length - 1))
}

function cells(candle: CandleLine): readonly string[] {
  return [
    candle.symbol,
    `${new Date(candle.openTime).toISOString().slice(11, 16)}${candle.isClosed ? '' : '*'}`,
    decimalText(candle.open),
    decimalText(candle.high),
    decimalText(candle.low),
    decimalText(candle.close),
    decimalText(candle.volume),
    countText(candle.tradeCount),
  ]
}
