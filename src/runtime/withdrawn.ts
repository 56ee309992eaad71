/**
 * A result that is taken back: the row of its key is not there any more, until another one comes. Among the rows of a stream it says so where a row would stand. A table deletes the row of the
 * key, unless that is newer; a topic gets a tombstone under the key; a webhook gets `{ "withdrawn": … }`.
 */
export class Withdrawn<Row> {
  /** The row as it was: its key says which row goes, and its revision up to which one. */
  readonly row: Row
  /** Never there: it has the compiler tell what is taken back from a row that looks like it. */
  declare protected readonly isWithdrawn: true

  constructor(row: Row) {
    this.row = row
  }

  /** The same of what `make` makes of the row, for a step between operator and outlet that makes one row of another. */
  map<Other>(make: (row: Row) => Other): Withdrawn<Other> {
    return new Withdrawn(make(this.row))
  }
}

/**
 * Takes a row back: what `aggregateWindow` and `topN` emit for a result that a correction leaves no place for, and what a stream of one's own says of a row that is to go.
 *
 * ```ts
 * toPostgres(changes.pipe(map((change) => (change.isGone ? withdrawn(change.row) : change.row))), table)
 * ```
 * It keeps the row as it is.
 * @param row of which the columns of the natural key and of the revision count; one with a lesser revision than the row in the table takes nothing back
 */
export function withdrawn<Row>(row: Row): Withdrawn<Row> {
  return new Withdrawn(row)
}
