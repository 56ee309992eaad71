import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { ArchiveLog } from '../replay/archiveLog.ts'
import type { Replayed } from '../replay/replayRange.ts'
import { encodeHeaders } from '../runtime/log/encodeHeaders.ts'
import type { Pipeline } from '../runtime/pipeline/pipeline.ts'
import { nameToday } from '../runtime/state/renamedOperators.ts'
import type { DeadLetter } from '../runtime/store/checkpoint.ts'
import { elsewhereReason } from '../runtime/store/foreignRows.ts'
import { type InputPlace, placeName } from '../runtime/store/inputPlace.ts'
import type { CutPart, CutParts } from '../runtime/store/keptBytes.ts'
import { clampTime, escapeText, unescapeText } from '../sinks/postgres/columnText.ts'
import { type StoredHeaders, storedHeaders } from '../sinks/postgres/headersText.ts'
import { isOfLostRecord } from '../sinks/postgres/skippedRanges.ts'
import { type Compared, compareRows, type TimeRange } from './difference.ts'

/** Which dead letters are compared. */
export interface LetterScope {
  readonly pipeline: Pick<Pipeline, 'name' | 'renamed'>
  /** The archives of the inputs, the leading one first. */
  readonly logs: readonly ArchiveLog[]
  /** By the timestamps of the records; null for all that were read again. */
  readonly range: TimeRange | null
}

/** Dead letters of one partition whose records have offsets from, inclusive, to, exclusive. */
interface LetterSpan extends InputPlace {
  readonly pipeline: LetterScope['pipeline']
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
  readonly headers: StoredHeaders
  readonly payload: Buffer | null
  readonly cut: CutParts | null
  readonly is_lost: boolean
}

const storedText = `SELECT "offset"::float8 AS "offset", operator, ordinal, reason, detail, floor(extract(epoch FROM record_time) * 1000)::text AS record_time, key, headers, payload, cut, ${isOfLostRecord} AS is_lost
FROM dead_letter WHERE pipeline = $1 AND topic = $2 AND partition = $3 AND "offset" >= $4 AND "offset" < $5 AND reason <> '${elsewhereReason}'`

const deletedText = `SELECT (extract(epoch FROM deleted_until) * 1000)::float8 AS until FROM retention WHERE kind = 'dead-letters' AND deleted_until IS NOT NULL`

type Cells = Readonly<Record<string, string | null>>

/** Some dead letters were compared. */
export interface ComparedLetters extends Compared {
  /** The time of the oldest record (ms UTC) of which a letter was made that is not stored; null where there is none. */
  readonly oldestMissing: number | null
  /** How many letters were left out because the log has lost their records since. */
  readonly rewound: number
}

/**
 * Compares stored dead letters with those that were made. Whether one was redriven is no part of it, nor are letters of rows that belong to another task, which other tasks decide about, and of records that the log
 * has lost since, in whose place there are others.
 * Where a letter keeps the beginning of a part only, the length and the SHA-256 of all of it are compared, and as much of the beginning as both keep.
 */
export async function compareLetters(
  db: Pick<pg.Pool, 'query'>,
  { pipeline, logs, range }: LetterScope,
  { places, deadLetters }: Pick<Replayed, 'places' | 'deadLetters'>,
): Promise<ComparedLetters> {
  const { rows } = await db.query<{ until: number }>(deletedText)
  const found: ComparedLetters[] = []
  for (const { input, topic, partition, fromOffset, nextOffset } of places) {
    const reader = (logs[input] as ArchiveLog).reader(partition)
    const [first, behind] =
      range === null
        ? [fromOffset, nextOffset]
        : [await reader.offsetAt(Math.max(0, range.from)), await reader.offsetAt(Math.max(0, range.to))]
    const span = {
      ...{ pipeline, topic, partition, fromOffset: first, toOffset: Math.min(behind, nextOffset) },
      deletedUntil: rows[0]?.until ?? null,
    }
    const made = deadLetters.filter((letter) => letter.topic === topic && letter.partition === partition)
    found.push(await compareSpan(db, span, made))
  }
  const times = found.flatMap(({ oldestMissing }) => (oldestMissing === null ? [] : [oldestMissing]))
  return {
    compared: found.reduce((sum, { compared }) => sum + compared, 0),
    differences: found.flatMap(({ differences }) => differences),
    rewound: found.reduce((sum, { rewound }) => sum + rewound, 0),
    oldestMissing: times.length === 0 ? null : Math.min(...times),
  }
}

async function compareSpan(
  db: Pick<pg.Pool, 'query'>,
  span: LetterSpan,
  made: readonly DeadLetter[],
): Promise<ComparedLetters> {
  const { pipeline, topic, partition, fromOffset, toOffset, deletedUntil } = span
  const { rows: all } = await db.query<StoredLetter>(storedText, [
    pipeline.name,
    ...[topic, partition, fromOffset, toOffset],
  ])
  const rows = all.filter(({ is_lost }) => !is_lost)
  const place = placeName(span)
  const nameOf = ({ offset, operator, ordinal }: Pick<StoredLetter, 'offset' | 'operator' | 'ordinal'>) =>
    `${place} offset ${String(offset).padStart(12)}, ${operator} ${ordinal}`
  // A letter of before an operator was renamed has the old name.
  const today = (operator: string) => escapeText(nameToday(unescapeText(operator), pipeline))
  const known = new Map(rows.map((row) => [nameOf({ ...row, operator: today(row.operator) }), row]))
  const named = made
    .filter(({ offset, reason }) => offset >= fromOffset && offset < toOffset && reason !== elsewhereReason)
    .map((letter) => ({ letter, name: nameOf({ ...letter, operator: escapeText(letter.operator) }) }))
  const mayBeDeleted = ({ recordTime }: DeadLetter) => deletedUntil !== null && (recordTime ?? 0) <= deletedUntil
  const isExpected = ({ letter, name }: (typeof named)[number]) => !mayBeDeleted(letter) || known.has(name)
  const letters = new Map(named.filter(isExpected).map(({ letter, name }) => [name, letter]))
  const [stored, expected] = [new Map<string, Cells>(), new Map<string, Cells>()]
  for (const [name, row] of known) {
    const letter = letters.get(name)
    const { reason, detail, record_time } = row
    stored.set(name, { reason, detail, record_time, ...partCells(partsOfRow(row), letter && partsOf(letter)) })
  }
  for (const [name, letter] of letters) {
    const { reason, detail, recordTime } = letter
    const row = known.get(name)
    expected.set(name, {
      reason: escapeText(reason),
      detail: escapeText(detail),
      record_time: recordTime === null ? null : String(clampTime(recordTime)),
      ...partCells(partsOf(letter), row && partsOfRow(row)),
    })
  }
  const times = [...letters].flatMap(([name, { recordTime }]) =>
    known.has(name) || recordTime === null ? [] : [recordTime],
  )
  const oldestMissing = times.length === 0 ? null : times.reduce((least, time) => Math.min(least, time))
  return { ...compareRows('dead_letter', stored, expected), oldestMissing, rewound: all.length - rows.length }
}

/** A part of a record, as far as a letter keeps it. */
interface Part {
  readonly kept: Uint8Array | null
  readonly cut: CutPart | undefined
}

type Parts = Readonly<Record<keyof CutParts, Part>>

function partsOf({ key, headers, payload, cut = {} }: DeadLetter): Parts {
  const { key: cutKey, headers: cutHeaders, payload: cutPayload } = cut
  return {
    key: { kept: key, cut: cutKey },
    headers: { kept: encodeHeaders(headers), cut: cutHeaders },
    payload: { kept: payload, cut: cutPayload },
  }
}

function partsOfRow({ key, headers, payload, cut }: StoredLetter): Parts {
  const { key: cutKey, headers: cutHeaders, payload: cutPayload } = cut ?? {}
  return {
    key: { kept: key, cut: cutKey },
    headers: { kept: encodeHeaders(storedHeaders(headers)), cut: cutHeaders },
    payload: { kept: payload, cut: cutPayload },
  }
}

/** What is compared of the parts: the whole, and where not all of it is kept the beginning that both have. */
function partCells(parts: Parts, others: Parts | undefined): Cells {
  const cells: Record<string, string | null> = {}
  for (const name of ['key', 'headers', 'payload'] as const) {
    const { kept, cut } = parts[name]
    cells[name] = cut === undefined ? digest(kept) : sizeText(cut.bytes, cut.sha256)
    const other = others?.[name]
    // Of headers all are kept, or none.
    if (name === 'headers' || other === undefined || (cut === undefined && other.cut === undefined)) continue
    const common = Math.min(kept?.length ?? 0, other.kept?.length ?? 0)
    cells[`${name}, its beginning`] = digest(kept?.subarray(0, common) ?? null)
  }
  return cells
}

function digest(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : sizeText(bytes.length, createHash('sha256').update(bytes).digest('hex'))
}

function sizeText(bytes: number, sha256: string): string {
  return `${bytes} bytes, SHA-256 ${sha256.slice(0, 16)}`
}
