import { isUtf8 } from 'node:buffer'
import { formatKey, type StoredDeadLetter } from '../queries/deadLetters.ts'
import { shownText } from '../runtime/shownText.ts'
import type { CutPart } from '../runtime/store/keptBytes.ts'
import { dataSetName } from './database.ts'
import { shellWord } from './shellWord.ts'
import { formatTime } from './time.ts'

export const letterHeadings = ['id', 'schema', 'reason', 'set aside', 'redriven', 'detail']

const maxDetail = 100

export function deadLetterRow(letter: StoredDeadLetter, schema: string): readonly string[] {
  const detail = printable(letter.detail)
  return [
    shellWord(formatKey(letter)),
    schema,
    letter.reason,
    formatTime(letter.createdAt),
    letter.redrivenAt === null ? '-' : formatTime(letter.redrivenAt),
    detail.length > maxDetail ? `${detail.slice(0, maxDetail - 1)}…` : detail,
  ]
}

/** For programs. Key, headers and payload are there as text where they are UTF-8, and always as base64. */
export function deadLetterJson(letter: StoredDeadLetter, schema: string): Readonly<Record<string, unknown>> {
  return {
    id: formatKey(letter),
    schema,
    dataSet: dataSetName(schema),
    pipeline: letter.pipeline,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset,
    operator: letter.operator,
    ordinal: letter.ordinal,
    reason: letter.reason,
    detail: letter.detail,
    recordTime: letter.recordTime === null ? null : formatTime(letter.recordTime),
    key: utf8(letter.key),
    keyBase64: base64(letter.key),
    headers: letter.headers.map(({ key, value }) => ({ key, value: utf8(value), valueBase64: base64(value) })),
    payload: utf8(letter.payload),
    payloadBase64: base64(letter.payload),
    cut: letter.cut,
    createdAt: formatTime(letter.createdAt),
    redrivenAt: letter.redrivenAt === null ? null : formatTime(letter.redrivenAt),
  }
}

export function deadLetterDetails(letter: StoredDeadLetter, schema: string): readonly string[] {
  const payload = utf8(letter.payload)
  return [
    `id           ${shellWord(formatKey(letter))}`,
    `schema       ${schema}`,
    `reason       ${letter.reason}: ${printable(letter.detail)}`,
    `place        ${letter.topic}/${letter.partition} at offset ${letter.offset}, set aside by ${letter.operator}`,
    `record time  ${letter.recordTime === null ? '-' : formatTime(letter.recordTime)}`,
    `key          ${bytesText(letter.key)}${cutText(letter.cut?.key)}`,
    ...letter.headers.map(({ key, value }) => `header       ${printable(key)}: ${bytesText(value)}`),
    ...(letter.cut?.headers === undefined ? [] : [`headers     ${cutText(letter.cut.headers)}`]),
    `set aside    ${formatTime(letter.createdAt)}`,
    `redriven     ${letter.redrivenAt === null ? 'no' : formatTime(letter.redrivenAt)}`,
    `payload      ${letter.payload === null ? 'none' : `${letter.payload.length} bytes${payload === null ? ', base64' : ''}`}${cutText(letter.cut?.payload)}`,
    ...(letter.payload === null ? [] : [payload === null ? letter.payload.toString('base64') : printable(payload)]),
  ]
}

/** What is not shown because it is not kept. */
function cutText(cut: CutPart | undefined): string {
  return cut === undefined ? '' : ` … the beginning of ${cut.bytes} bytes, SHA-256 ${cut.sha256}`
}

/** Null also where the bytes are no text. */
function utf8(bytes: Uint8Array | null): string | null {
  if (bytes === null || !isUtf8(bytes)) return null
  return Buffer.from(bytes).toString('utf8')
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('base64')
}

/** As psql shows them: text, or hex behind `\\x` where they are no text. */
function bytesText(bytes: Uint8Array | null): string {
  if (bytes === null) return '-'
  const text = utf8(bytes)
  return text === null ? `\\x${Buffer.from(bytes).toString('hex')}` : printable(text)
}

/** Control characters of a hostile payload must not reach the terminal. */
export function printable(text: string): string {
  return shownText(text).replaceAll('\n', '\\u{a}')
}
