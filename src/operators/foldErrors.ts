import { ConfigurationError, OperatorError } from '../runtime/errors.ts'
import type { Window } from './window.ts'

export function lacksWithdraw(name: string): ConfigurationError {
  return new ConfigurationError(
    `${name}: the sessions above it allow lateness, so a result may be taken back: give aggregateWindow \`withdraws: true\`, or topN \`withdrawBy\`; other folds cannot stand below them. ` +
      'Outlets know what to do with what is withdrawn.',
  )
}

export function lacksMerge(name: string): ConfigurationError {
  return new ConfigurationError(
    `${name}: the windows above it share values or become one, so it needs to know how two accumulators are made one: give it merge(earlier, later).`,
  )
}

/** No record can be set aside for it: the values of both sessions have been counted, and are kept nowhere else. */
export function notMerged(name: string, { key, start, end }: Window, error: unknown): Error {
  if (error instanceof ConfigurationError || error instanceof OperatorError) return error
  return new OperatorError(
    `${name}: merge threw where sessions of ${key} have become one, [${start}, ${end}): ${String(error)}. Mend merge and start again: nothing is lost, it goes on there.`,
    { cause: error },
  )
}
