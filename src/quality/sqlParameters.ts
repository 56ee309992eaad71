/** The parameters of a statement, in the order in which its text names them. */
export class SqlParameters {
  readonly values: unknown[] = []

  /** Gives the placeholder of a value. */
  add(value: unknown): string {
    this.values.push(value)
    return `$${this.values.length}`
  }
}
