/** Left-aligned columns as wide as they need to be. */
export function textTable(headings: readonly string[], rows: readonly (readonly string[])[], indent = ''): string[] {
  const all = [headings, ...rows]
  const widths = headings.map((_, index) => all.reduce((width, row) => Math.max(width, row[index]?.length ?? 0), 0))
  return all.map((row) => `${indent}${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')}`.trimEnd())
}
