import { formatKey, type StoredDeadLetter } from './deadLetterQueries.ts'
import { formatTime } from './time.ts'

export const letterHeadings = ['id', 'data set', 'reason', 'set aside', 'redriven', 'detail']

const maxDetail = 100

export function deadLetterRow(letter: StoredDeadLetter, dataSet: string): readonly string[] {
  const detail = printable(letter.detail)
  return [
    formatKey(letter),
    dataSet,
    letter.reason,
    formatTime(letter.createdAt),
    letter.redrivenAt === null ? '-' : formatTime(letter.redrivenAt),
    detail.length > maxDetail ? `${detail.slice(0, maxDetail - 1)}…` : detail,
  ]
}

/** For programs. The payload is there as text where it is UTF-8, and always as base64. */
export function deadLetterJson(letter: StoredDeadLetter, dataSet: string): Readonly<Record<string, unknown>> {
  return {
    id: formatKey(letter),
    dataSet,
    pipeline: letter.pipeline,
    topic: letter.topic,
    partition: letter.partition,
    offset: letter.offset,
    operator: letter.operator,
    ordinal: letter.ordinal,
    reason: letter.reason,
    detail: letter.detail,
    recordTime: letter.recordTime === null ? null : formatTime(letter.recordTime),
    key: letter.key,
    payload: letter.payload === null ? null : utf8(letter.payload),
    payloadBase64: letter.payload?.toString('base64') ?? null,
    createdAt: formatTime(letter.createdAt),
    redrivenAt: letter.redrivenAt === null ? null : formatTime(letter.redrivenAt),
  }
}

export function deadLetterDetails(letter: StoredDeadLetter, dataSet: string): readonly string[] {
  const payload = letter.payload === null ? null : utf8(letter.payload)
  return [
    `id           ${formatKey(letter)}`,
    `data set     ${dataSet}`,
    `reason       ${letter.reason}: ${printable(letter.detail)}`,
    `place        ${letter.topic}/${letter.partition} at offset ${letter.offset}, set aside by ${letter.operator}`,
    `record time  ${letter.recordTime === null ? '-' : formatTime(letter.recordTime)}`,
    `key          ${letter.key === null ? '-' : printable(letter.key)}`,
    `set aside    ${formatTime(letter.createdAt)}`,
    `redriven     ${letter.redrivenAt === null ? 'no' : formatTime(letter.redrivenAt)}`,
    `payload      ${letter.payload === null ? 'none' : `${letter.payload.length} bytes${payload === null ? ', base64' : ''}`}`,
    ...(letter.payload === null ? [] : [payload === null ? letter.payload.toString('base64') : printable(payload)]),
  ]
}

function utf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    // Not text: it is shown as base64.
    return null
  }
}

/** Control characters of a hostile payload must not reach the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return `\\u{${code.toString(16)}}`
  })
}
