import { renderFacts, separator } from './renderLine.ts'
import type { ConsoleSnapshot, LiveTable } from './snapshot.ts'
import { wrapText } from './text.ts'
import { inputTable, operatorTable } from './workTables.ts'

const gap = '  '

/**
 * The live table as at most `height` lines of at most `width` characters, without escape sequences. Rows for which there is no room
 * are counted on one line. Inputs, where there are several, and operators are below it where there is room for all of them.
 * @param widest kept from one time to the next, columns only grow, so that they do not jump
 */
export function renderTable(
  snapshot: ConsoleSnapshot,
  width: number,
  height = 30,
  widest: ColumnWidths = new Map(),
): readonly string[] {
  const facts = wrapped(renderFacts(snapshot), width)
  const { table } = snapshot.panel
  const lines = [snapshot.title]
  if (snapshot.caution !== null) lines.push(...wrapText(snapshot.caution.text, width))
  lines.push('')
  if (table.rows.length === 0) lines.push(table.ifEmpty)
  else {
    // Beside the rows are the headings, the count of what is left out, a blank line, and the note.
    const room = Math.max(1, height - lines.length - facts.length - 3 - noteLines(table, width).length)
    lines.push(...tableLines(table, width, room, widest))
  }
  for (const more of [inputsOf(snapshot), operatorTable(snapshot.operators)]) {
    // One line is blank, one has the headings, and the facts have a blank line of their own.
    const room = height - lines.length - facts.length - 3 - noteLines(more, width).length
    if (more.rows.length > 0 && more.rows.length <= room) lines.push('', ...tableLines(more, width, room, widest))
  }
  lines.push('', ...facts)
  return lines.map((line) => (line.length > width ? `${line.slice(0, Math.max(0, width - 1))}…` : line))
}

/** Of one input, the facts say all. */
function inputsOf({ inputs }: ConsoleSnapshot): LiveTable {
  return inputTable(inputs.length === 1 ? [] : inputs)
}

/** How wide each column has been, by the first heading of its table and its own. */
export type ColumnWidths = Map<string, number>

function tableLines(table: LiveTable, width: number, maxRows: number, widest: ColumnWidths): readonly string[] {
  const rows = table.rows.slice(0, maxRows)
  const all = table.headings.map((heading, index) => ({
    heading,
    texts: rows.map((row) => row[index] ?? ''),
    width: rows.reduce(
      (most, row) => Math.max(most, row[index]?.length ?? 0),
      Math.max(heading.length, widest.get(`${table.headings[0]}/${heading}`) ?? 0),
    ),
  }))
  for (const column of all) widest.set(`${table.headings[0]}/${column.heading}`, column.width)
  let columns = all
  for (const name of table.droppable) {
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
  const leftOut = table.rows.length - rows.length
  if (leftOut > 0) lines.push(`and ${leftOut} more ${table.rowsAre}`)
  return [...lines, ...noteLines(table, width)]
}

function noteLines({ note }: LiveTable, width: number): readonly string[] {
  return note === null ? [] : wrapText(note, width)
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
