import type { Cell } from '../queries/tableRows.ts'
import { printable } from './deadLetterFormat.ts'
import { textTable } from './textTable.ts'

/** Rows as a table for people, as CSV or as JSON. */
export function rowsText(
  format: 'table' | 'csv' | 'json',
  names: readonly string[],
  rows: readonly (readonly Cell[])[],
): string {
  if (format === 'json') {
    const objects = rows.map((row) => JSON.stringify(Object.fromEntries(names.map((name, i) => [name, row[i]]))))
    return objects.length === 0 ? '[]\n' : `[\n${objects.join(',\n')}\n]\n`
  }
  if (format === 'csv') return [names, ...rows].map((row) => `${row.map(csvCell).join(',')}\n`).join('')
  return `${textTable(
    names,
    rows.map((row) => row.map(tableCell)),
  ).join('\n')}\n`
}

/** As COPY writes it: nothing for null, and empty text in quotes. */
function csvCell(cell: Cell): string {
  if (cell === null) return ''
  const text = String(cell)
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function tableCell(cell: Cell): string {
  return cell === null ? 'null' : printable(String(cell))
}
