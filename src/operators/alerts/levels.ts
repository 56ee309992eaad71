import { type Fixed8, formatFixed, parseFixed8, toFixed8 } from '../../exact/decimal.ts'
import { ConfigurationError } from '../../runtime/errors.ts'
import type { AlertBounds, Threshold } from './alertRule.ts'
import type { Verdict } from './standing.ts'

/** What a value is held against, in counts of 1e-8. */
export interface Levels {
  readonly isAbove: boolean
  readonly threshold: Fixed8
  readonly clear: Fixed8
}

/** Throws `ConfigurationError` on what is no bound, none or two. */
export function levelsOf(what: string, { above, below, clear }: AlertBounds): Levels {
  if ((above === undefined) === (below === undefined))
    throw new ConfigurationError(`${what} needs either above or below, and not both.`)
  const isAbove = above !== undefined
  const threshold = unitsOf(`${what}: ${isAbove ? 'above' : 'below'}`, (above ?? below) as Threshold)
  const cleared = clear === undefined ? threshold : unitsOf(`${what}: clear`, clear)
  if (isAbove ? cleared > threshold : cleared < threshold) {
    throw new ConfigurationError(
      `${what}: clear must be on the good side of the threshold, ${isAbove ? 'not above' : 'not below'} ${decimalText(threshold)}.`,
    )
  }
  return { isAbove, threshold, clear: cleared }
}

export function verdictOf(value: Fixed8, { isAbove, threshold, clear }: Levels): Verdict {
  if (isAbove) return value > threshold ? 'bad' : value <= clear ? 'clear' : 'between'
  return value < threshold ? 'bad' : value >= clear ? 'clear' : 'between'
}

/** Without zeros that say nothing: `65000.5`. */
export function decimalText(units: Fixed8): string {
  return formatFixed(units, 8, 8).replace(/\.?0+$/, '')
}

function unitsOf(what: string, value: Threshold): Fixed8 {
  const text = String(value)
  const units = parseFixed8(text.replace(/^-/, ''))
  if (units === null) {
    throw new ConfigurationError(
      `${what} must be a decimal number with at most 8 places, such as 65000.5, got ${JSON.stringify(value)}.`,
    )
  }
  return text.startsWith('-') ? toFixed8(-BigInt(units)) : units
}
