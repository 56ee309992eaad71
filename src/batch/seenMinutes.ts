import { setImmediate } from 'node:timers/promises'
import { type KlineColumn, klineColumns, roundedColumns } from '../market/klineEquality.ts'
import type { Quality } from '../quality/quality.ts'
import type { QualityWindow } from '../quality/qualityWindow.ts'
import {
  type Seen,
  type SeenColumn,
  type SeenColumns,
  type SeenValue,
  Sight,
  type SoundWindow,
} from '../quality/sight.ts'
import { BinaryRow } from '../sinks/postgres/binaryRow.ts'
import { NumericBytes } from '../sinks/postgres/numericBytes.ts'
import { nameOfDay } from './day.ts'
import { type CopiedMinutes, ms2000 } from './silverMinutes.ts'

const hourMs = 3_600_000
const minuteMs = 60_000
const minutesOfHour = 60
/** Less than a millisecond of work. */
const rowsAtOnce = 128
/** Where the columns of klines begin, in `silverColumns` and in those of `klineTable`. */
const ofMinute = 3
const ofKline = 4
/** Of base 10,000. */
const digitsOf8 = 2
const digitsOf16 = 4

const digitsOf = (name: KlineColumn) => {
  if (name === 'trade_count') return null
  return (roundedColumns as readonly KlineColumn[]).includes(name) ? digitsOf16 : digitsOf8
}
const digitsOfColumns = klineColumns.map(digitsOf)
const ofKlines = Object.fromEntries(
  klineColumns.map((name): [string, SeenColumn] => {
    const digits = digitsOf(name)
    return [name, digits === null ? 'whole' : { places: 4 * digits }]
  }),
)
const silverColumns: SeenColumns = {
  ...{ market: 'text', symbol: 'text', open_time: 'time' },
  ...ofKlines,
  ...{ vwap: { places: 8 }, source: 'text' },
}
const klineTable = {
  table: 'raw_klines',
  columns: { ...{ market: 'text', symbol: 'text', interval: 'text', open_time: 'time' }, ...ofKlines } as SeenColumns,
}

/** What a quality of silver expects, as far as it can be seen of minutes beside the exchange's klines. */
export function sightOf(quality: Quality): Sight {
  return new Sight(quality, silverColumns, klineTable)
}

/** An hour, as far as it was read. */
interface SeenHour {
  rows: number
  compared: number
  isSound: boolean
  /** Each of its minutes begins with a minute of the clock. */
  isStepped: boolean
}

/** Looks at minutes that were copied, hour by hour. Lets the event loop go on in between, so that the server is given its next statement. */
export async function lookAt(copied: CopiedMinutes, sight: Sight): Promise<Seen> {
  const hours: (SeenHour | undefined)[][] = copied.days.map(() => [])
  const row = new BinaryRow()
  const reader = new MinuteReader()
  const { rows, days } = copied
  const all = rows.reader()
  for (let count = 1; all.next(row); count++) {
    const n = row.nextLong()
    const micros = row.nextLong() + ms2000 * 1_000
    const { market, symbol, day } = days[n] as CopiedMinutes['days'][number]
    reader.read(row, market, symbol, micros)
    const ofDay = hours[n] as (SeenHour | undefined)[]
    const at = Math.floor((micros / 1_000 - day) / hourMs)
    const hour = ofDay[at] ?? { rows: 0, compared: 0, isSound: true, isStepped: true }
    ofDay[at] = hour
    see(hour, reader, sight, micros)
    if (count % rowsAtOnce === 0) await setImmediate()
  }
  return new SeenHours(copied, hours, sight)
}

function see(
  hour: SeenHour,
  { hasMinute, hasKline, isReadable, minute, kline }: MinuteReader,
  sight: Sight,
  micros: number,
) {
  if (!isReadable) {
    hour.isSound = false
    return
  }
  if (hasMinute) {
    hour.rows += 1
    if (micros % (minuteMs * 1_000) !== 0) hour.isStepped = false
    if (hour.isSound && !sight.isSound(minute)) hour.isSound = false
  }
  if (!hasKline || !sight.counts(kline)) return
  if (!hasMinute || !sight.isSame(minute, kline)) hour.isSound = false
  hour.compared += 1
}

/** Reads a minute and the kline beside it into values, which the next one takes the place of. */
class MinuteReader {
  readonly minute: SeenValue[] = []
  readonly kline: SeenValue[] = []
  hasMinute = false
  hasKline = false
  /** False where a value is no number, or has more places than silver: then the values are none. */
  isReadable = true
  readonly #numeric = new NumericBytes()

  /** @param row behind the day and the time */
  read(row: BinaryRow, market: string, symbol: string, micros: number): void {
    const { minute, kline } = this
    this.isReadable = true
    minute[0] = kline[0] = market
    minute[1] = kline[1] = symbol
    minute[2] = micros
    for (let i = 0; i < digitsOfColumns.length; i++) {
      minute[ofMinute + i] = this.#value(row, digitsOfColumns[i] as number | null)
    }
    // No column of silver is null but its price by volume.
    this.hasMinute = minute[ofMinute] !== null
    minute[ofMinute + klineColumns.length] = this.#decimal(row, digitsOf8)
    minute[ofMinute + klineColumns.length + 1] = row.next()
      ? row.bytes.toString('utf8', row.start, row.start + row.length)
      : null
    kline[2] = '1m'
    kline[3] = micros
    const isSame = row.next() && row.bytes[row.start] === 1
    if (isSame) row.skip(digitsOfColumns.length)
    for (let i = 0; i < digitsOfColumns.length; i++) {
      if (isSame) kline[ofKline + i] = minute[ofMinute + i] as SeenValue
      else kline[ofKline + i] = this.#value(row, digitsOfColumns[i] as number | null)
    }
    this.hasKline = kline[ofKline] !== null
  }

  #value(row: BinaryRow, digits: number | null): SeenValue {
    return digits === null ? this.#whole(row) : this.#decimal(row, digits)
  }

  #whole(row: BinaryRow): number | null {
    if (!row.next()) return null
    const value = row.long()
    if (!Number.isSafeInteger(value)) this.isReadable = false
    return value
  }

  #decimal(row: BinaryRow, digits: number): number | bigint | null {
    if (!row.next()) return null
    const numeric = this.#numeric.load(row.bytes, row.start)
    if (numeric.hasPlaces(digits)) return digits === digitsOf8 ? numeric.fixed8() : numeric.fixed16()
    this.isReadable = false
    return 0
  }
}

/** What was seen of hours whose minutes were read with the exchange's klines beside them. */
class SeenHours implements Seen {
  readonly covered: Seen['covered']
  readonly #copied: CopiedMinutes
  readonly #hours: readonly (readonly (SeenHour | undefined)[])[]
  readonly #places: ReadonlyMap<string, number>

  constructor(copied: CopiedMinutes, hours: readonly (readonly (SeenHour | undefined)[])[], { covered }: Sight) {
    this.covered = covered
    this.#copied = copied
    this.#hours = hours
    this.#places = new Map(copied.days.map((day, n) => [nameOfDay({ ...day, from: day.day }), n]))
  }

  of({ key, from, to }: QualityWindow): SoundWindow | null {
    const n = this.#places.get(nameOfDay({ market: String(key.market), symbol: String(key.symbol), from }))
    const beside = n === undefined ? null : (this.#copied.beside[n] ?? null)
    if (n === undefined || beside === null || from < beside.from || to > beside.to) return null
    if (from % hourMs !== 0 || to - from !== hourMs) return null
    const hour = this.#hours[n]?.[(from - (this.#copied.days[n]?.day ?? 0)) / hourMs]
    if (hour === undefined || !hour.isSound) return null
    const { rows, compared, isStepped } = hour
    // No two rows of silver have the same minute.
    return { rows, compared, stepMs: isStepped && rows === minutesOfHour ? minuteMs : null }
  }
}
