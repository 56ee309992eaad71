import { encodeHeaders } from '../runtime/log/encodeHeaders.ts'
import { type CutPart, cutPart } from '../runtime/store/keptBytes.ts'
import type { ReadRecord } from '../sources/recordAt.ts'
import type { StoredDeadLetter } from './deadLetters.ts'

/** A letter with all of its record, or why that is not to be had. */
export type CompletedLetter = { readonly letter: StoredDeadLetter } | { readonly why: string }

/** Gives a letter that keeps less than its record the rest of it, from the log, if what is there now is the record that it was made of. */
export async function completeLetter(letter: StoredDeadLetter, read: ReadRecord): Promise<CompletedLetter> {
  const { cut, topic, partition, offset } = letter
  if (cut === null) return { letter }
  const parts = Object.entries(cut).map(([part, { bytes }]: [string, CutPart]) => `${part} (${bytes} bytes)`)
  const lacking = `it keeps the beginning only of ${parts.join(', ')}, and`
  const record = await read(partition, offset)
  if (record === null) return { why: `${lacking} the log no longer has ${topic}/${partition} at offset ${offset}` }
  const isSame =
    isWhole(cut.key, letter.key, record.key) &&
    isWhole(cut.payload, letter.payload, record.value) &&
    isWhole(cut.headers, encodeHeaders(letter.headers), encodeHeaders(record.headers))
  if (!isSame) return { why: `${lacking} the log has another record at ${topic}/${partition}, offset ${offset}` }
  return { letter: { ...letter, key: record.key, headers: record.headers, payload: record.value, cut: null } }
}

function isWhole(cut: CutPart | undefined, kept: Uint8Array | null, found: Uint8Array | null): boolean {
  if (cut !== undefined) return found !== null && cutPart(found).sha256 === cut.sha256
  if (kept === null || found === null) return kept === found
  return Buffer.compare(kept, found) === 0
}
