import { renderFacts, separator } from './renderLine.ts'
import type { CandleLine, ConsoleSnapshot } from './snapshot.ts'
import { countText, decimalText } from './text.ts'

const headings = ['symbol', 'minute', 'open', 'high', 'low', 'close', 'volume', 'trades'] as const
/** Dropped from a narrow terminal in this order; symbol, close and trades stay. */
const droppable = ['minute', 'volume', 'open', 'low', 'high'] as const
const gap = '  '

/**
 * The live table as at most `height` lines of at most `width` characters, without escape sequences. Symbols for which there is no room
 * are counted on one line.
 */
export function renderTable(snapshot: ConsoleSnapshot, width: number, height = 30): readonly string[] {
  const facts = wrapped(renderFacts(snapshot), width)
  const lines = [snapshot.title]
  if (snapshot.isSimulated) lines.push(simulatedNotice)
  lines.push('')
  if (snapshot.candles.length === 0) lines.push('No candle yet: waiting for the first trades.')
  else {
    // Two lines beside the rows are the headings and the count of what is left out; one is blank.
    const room = Math.max(1, height - lines.length - facts.length - 3)
    lines.push(...candleLines(snapshot.candles, width, room))
  }
  lines.push('', ...facts)
  return lines.map((line) => (line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line))
}

export const simulatedNotice = '*** SIMULATED PRICES: invented by a random generator, not a market ***'

function candleLines(candles: readonly CandleLine[], width: number, maxRows: number): readonly string[] {
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

/** Breaks lines between facts where they do not fit. */
function wrapped(lines: readonly string[], width: number): readonly string[] {
  return lines.flatMap((line) => {
    const broken: string[] = []
    for (const fact of line.split(separator)) {
      const last = broken.at(-1)
      if (last !== undefined && last.length + separator.length + fact.length <= width) {
        broken[broken.length - 1] = last + separator + fact
      } else broken.push(fact)
    }
    return broken
  })
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
