import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { DeadLetter } from '../runtime/checkpoint.ts'
import { clampTime, escapeText } from '../sinks/postgres/columnText.ts'
import { type Compared, compareRows } from './difference.ts'

/** Dead letters of one partition whose records have offsets from, inclusive, to, exclusive. */
export interface LetterScope {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly fromOffset: number
  readonly toOffset: number
  /** Letters of up to then may have been deleted because of their age, ms UTC; null where none was. */
  readonly deletedUntil: number | null
}

interface StoredLetter {
  readonly offset: number
  readonly operator: string
  readonly ordinal: number
  readonly reason: string
  readonly detail: string
  readonly record_time: string | null
  readonly key: Buffer | null
  readonly payload: Buffer | null
}

const storedText = `SELECT "offset"::float8 AS "offset", operator, ordinal, reason, detail, floor(extract(epoch FROM record_time) * 1000)::text AS record_time, key, payload
FROM dead_letter WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" >= $4 AND "offset" < $5`

type Cells = Readonly<Record<string, string | null>>

/** Some dead letters were compared. */
export interface ComparedLetters extends Compared {
  /** The time of the oldest record (ms UTC) of which a letter was made that is not stored; null where there is none. */
  readonly oldestMissing: number | null
}

/** Compares stored dead letters with those that were made. Whether one was redriven is no part of it. */
export async function compareLetters(
  pool: pg.Pool,
  scope: LetterScope,
  made: readonly DeadLetter[],
): Promise<ComparedLetters> {
  const { pipeline, topic, partition, fromOffset, toOffset, deletedUntil } = scope
  const { rows } = await pool.query<StoredLetter>(storedText, [pipeline, topic, partition, fromOffset, toOffset])
  const nameOf = ({ offset, operator, ordinal }: Pick<StoredLetter, 'offset' | 'operator' | 'ordinal'>) =>
    `${topic}/${partition} offset ${String(offset).padStart(12)}, ${operator} ${ordinal}`
  const stored = new Map(
    rows.map((row): [string, Cells] => {
      const { reason, detail, record_time, key, payload } = row
      return [nameOf(row), { reason, detail, record_time, key: digest(key), payload: digest(payload) }]
    }),
  )
  const mayBeDeleted = ({ recordTime }: DeadLetter) => deletedUntil !== null && (recordTime ?? 0) <= deletedUntil
  const isExpected = (letter: DeadLetter) =>
    !mayBeDeleted(letter) || stored.has(nameOf({ ...letter, operator: escapeText(letter.operator) }))
  const letters = made.filter(({ offset }) => offset >= fromOffset && offset < toOffset).filter(isExpected)
  const expected = new Map(
    letters.map((letter): [string, Cells] => {
      const { operator, reason, detail, recordTime, key, payload } = letter
      const name = nameOf({ ...letter, operator: escapeText(operator) })
      const time = recordTime === null ? null : String(clampTime(recordTime))
      return [
        name,
        {
          reason: escapeText(reason),
          detail: escapeText(detail),
          record_time: time,
          key: digest(key),
          payload: digest(payload),
        },
      ]
    }),
  )
  const missing = letters.filter((letter) => !stored.has(nameOf({ ...letter, operator: escapeText(letter.operator) })))
  const times = missing.flatMap(({ recordTime }) => (recordTime === null ? [] : [recordTime]))
  const oldestMissing = times.length === 0 ? null : times.reduce((least, time) => Math.min(least, time))
  return { ...compareRows('dead_letter', stored, expected), oldestMissing }
}

function digest(bytes: Uint8Array | null): string | null {
  return bytes === null
    ? null
    : `${bytes.length} bytes, SHA-256 ${createHash('sha256').update(bytes).digest('hex').slice(0, 16)}`
}
