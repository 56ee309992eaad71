import type { TimeUnit } from '../market/timeUnit.ts'
import { ConfigurationError } from '../runtime/errors.ts'

/**
 * The unit of an archive's times, by how many digits they have: 13 are milliseconds, 16 microseconds, which the exchange's spot archives have since 2025. Unlike a stream, which is asked for a unit, an
 * archive does not say it anywhere else. All times of one archive have the unit of the first. Null for anything else.
 */
export function unitOfDigits(digits: string): TimeUnit | null {
  if (/^\d{13}$/.test(digits)) return 'ms'
  return /^\d{16}$/.test(digits) ? 'us' : null
}

/** Reads the times of one archive in ms UTC, microseconds rounded down. */
export class ArchiveTimes {
  readonly #path: string
  readonly #onUnit: (unit: TimeUnit) => void
  #unit: TimeUnit | null = null

  /** @param onUnit told once, with the unit of the first time */
  constructor(path: string, onUnit: (unit: TimeUnit) => void) {
    this.#path = path
    this.#onUnit = onUnit
  }

  /** Throws `ConfigurationError` for a text that is no time, or is in another unit than the ones before. */
  read(digits: string, line: number): number {
    const unit = unitOfDigits(digits)
    if (unit === null) {
      throw new ConfigurationError(
        `Archive ${this.#path}, line ${line}: ${JSON.stringify(digits.slice(0, 40))} is no time of 13 digits (milliseconds) or 16 (microseconds).`,
      )
    }
    if (this.#unit === null) {
      this.#unit = unit
      this.#onUnit(unit)
    } else if (this.#unit !== unit) {
      throw new ConfigurationError(
        `Archive ${this.#path}, line ${line}: a time in ${unit} where those before are in ${this.#unit}. Fetch it again.`,
      )
    }
    return unit === 'ms' ? Number(digits) : Math.floor(Number(digits) / 1_000)
  }
}
