import { ConfigurationError } from './errors.ts'

/**
 * A row that its table cannot hold: a column's `of` has thrown, or given what is not of the column's type. The worker sets the row aside, unless it is told to
 * stop; then the descriptor of the table is what is to be mended.
 */
export class BadRowError extends ConfigurationError {}
