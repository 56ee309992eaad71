/** What is not as the archive, or the exchange, has it. */
export interface Difference {
  /**
   * `missing`: the archive makes a row that is not stored. `extra`: one is stored that it does not make. `differs`: both, and they are not the same. `exchange`: the row is as the archive makes it, and
   * the exchange's kline is another.
   */
  readonly kind: 'missing' | 'extra' | 'differs' | 'exchange'
  /** The table that the row is in. */
  readonly table: string
  /** Which row, for people. */
  readonly row: string
  /** By column: what is stored, and what it is compared with. None where one of the rows is not there. */
  readonly columns: Readonly<Record<string, readonly [stored: string | null, other: string | null]>>
}

/** Some rows were compared. */
export interface Compared {
  readonly compared: number
  readonly differences: readonly Difference[]
}

/** Times from, inclusive, to, exclusive; ms UTC. */
export interface TimeRange {
  readonly from: number
  readonly to: number
}

type Cells = Readonly<Record<string, string | null>>

/** Compares rows by their names, in order. Columns are those of the row that is made. */
export function compareRows(
  table: string,
  stored: ReadonlyMap<string, Cells>,
  made: ReadonlyMap<string, Cells>,
): Compared {
  const names = [...new Set([...stored.keys(), ...made.keys()])].sort()
  const differences = names.flatMap((row): Difference[] => {
    const [ours, theirs] = [stored.get(row), made.get(row)]
    if (ours === undefined) return [{ kind: 'missing', table, row, columns: {} }]
    if (theirs === undefined) return [{ kind: 'extra', table, row, columns: {} }]
    const columns = differingColumns(ours, theirs)
    return columns === null ? [] : [{ kind: 'differs', table, row, columns }]
  })
  return { compared: names.length, differences }
}

/** Null where all are the same. */
function differingColumns(ours: Cells, theirs: Cells): Difference['columns'] | null {
  const differing = Object.keys(theirs).filter((name) => (ours[name] ?? null) !== theirs[name])
  if (differing.length === 0) return null
  return Object.fromEntries(differing.map((name) => [name, [ours[name] ?? null, theirs[name] ?? null]]))
}
