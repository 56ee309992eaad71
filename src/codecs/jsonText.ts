/** Objects and arrays may be nested this deep; frames of exchanges need four levels. */
export const maxJsonDepth = 128

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c
const colon = 0x3a

/** Which bytes of a string need no second look: printable ASCII except the quote and the backslash. */
export const plain = new Uint8Array(256)
for (let byte = 0x20; byte < 0x80; byte += 1) plain[byte] = byte === quote || byte === backslash ? 0 : 1

/** The closing byte of every open object and array. Shared, since a check never waits and never calls out. */
const closers = new Uint8Array(maxJsonDepth)

/**
 * Whether the bytes at `[start, end)` are one JSON object on one line: RFC 8259 to the letter, valid UTF-8, no line break and at most
 * `maxJsonDepth` levels. Blanks and tabs between the tokens are fine. Allocates nothing, never throws.
 */
export function isJsonObject(buffer: Uint8Array, start: number, end: number): boolean {
  const at = skipBlanks(buffer, start, end)
  if (at >= end || buffer[at] !== openBrace) return false
  const last = jsonValueEnd(buffer, at, end)
  return last >= 0 && skipBlanks(buffer, last, end) === end
}

/**
 * Where the JSON value that starts at `at` ends (the position after it), or -1 where it is not valid by the rules of `isJsonObject`.
 * @param levels how deep its objects and arrays may be nested, at most `maxJsonDepth`
 */
export function jsonValueEnd(buffer: Uint8Array, start: number, end: number, levels = maxJsonDepth): number {
  let at = start
  let depth = 0
  for (;;) {
    // A value is due here.
    if (at >= end) return -1
    const first = buffer[at] as number
    if (first === quote) at = jsonStringEnd(buffer, at, end)
    else if (first === openBrace || first === openBracket) {
      if (depth === levels) return -1
      // Both closers are two above their openers in ASCII.
      closers[depth] = first + 2
      depth += 1
      at = skipBlanks(buffer, at + 1, end)
      if (at >= end) return -1
      if (buffer[at] !== first + 2) {
        if (first === openBrace) at = memberValueStart(buffer, at, end)
        if (at < 0) return -1
        continue
      }
      depth -= 1
      at += 1
    } else at = jsonScalarEnd(buffer, at, end)
    if (at < 0) return -1

    // A value is complete here: close what ends with it, until a comma asks for the next one.
    for (;;) {
      if (depth === 0) return at
      at = skipBlanks(buffer, at, end)
      if (at >= end) return -1
      const next = buffer[at] as number
      const closer = closers[depth - 1] as number
      at += 1
      if (next === comma) {
        at = skipBlanks(buffer, at, end)
        if (closer === closeBrace) at = memberValueStart(buffer, at, end)
        if (at < 0) return -1
        break
      }
      if (next !== closer) return -1
      depth -= 1
    }
  }
}

/** Where the string whose opening quote is at `start` ends (after its closing quote), or -1. */
export function jsonStringEnd(buffer: Uint8Array, start: number, end: number): number {
  let at = start + 1
  for (;;) {
    while (at < end && plain[buffer[at] as number] === 1) at += 1
    if (at >= end) return -1
    const byte = buffer[at] as number
    if (byte === quote) return at + 1
    at = byte === backslash ? escapeEnd(buffer, at, end) : byte < 0x80 ? -1 : utf8End(buffer, at, end)
    if (at < 0) return -1
  }
}

function memberValueStart(buffer: Uint8Array, start: number, end: number): number {
  if (start >= end || buffer[start] !== quote) return -1
  let at = jsonStringEnd(buffer, start, end)
  if (at < 0) return -1
  at = skipBlanks(buffer, at, end)
  if (at >= end || buffer[at] !== colon) return -1
  return skipBlanks(buffer, at + 1, end)
}

function skipBlanks(buffer: Uint8Array, start: number, end: number): number {
  let at = start
  for (; at < end; at += 1) {
    const byte = buffer[at] as number
    if (byte !== 0x20 && byte !== 0x09) break
  }
  return at
}

function isDigit(buffer: Uint8Array, at: number, end: number): boolean {
  return at < end && (buffer[at] as number) >= 0x30 && (buffer[at] as number) <= 0x39
}

function jsonScalarEnd(buffer: Uint8Array, start: number, end: number): number {
  switch (buffer[start]) {
    case 0x74:
      return matches(buffer, start, end, 'true')
    case 0x66:
      return matches(buffer, start, end, 'false')
    case 0x6e:
      return matches(buffer, start, end, 'null')
    default:
      return jsonNumberEnd(buffer, start, end)
  }
}

function matches(buffer: Uint8Array, start: number, end: number, text: string): number {
  if (start + text.length > end) return -1
  for (let index = 0; index < text.length; index += 1) {
    if (buffer[start + index] !== text.charCodeAt(index)) return -1
  }
  return start + text.length
}

/** Where the number that starts at `start` ends, or -1. */
export function jsonNumberEnd(buffer: Uint8Array, start: number, end: number): number {
  let at = buffer[start] === 0x2d ? start + 1 : start
  if (!isDigit(buffer, at, end)) return -1
  if (buffer[at] === 0x30) at += 1
  else at = digitsEnd(buffer, at, end)
  if (at < end && buffer[at] === 0x2e) {
    if (!isDigit(buffer, at + 1, end)) return -1
    at = digitsEnd(buffer, at + 1, end)
  }
  if (at < end && (buffer[at] === 0x65 || buffer[at] === 0x45)) {
    at += 1
    if (at < end && (buffer[at] === 0x2b || buffer[at] === 0x2d)) at += 1
    if (!isDigit(buffer, at, end)) return -1
    at = digitsEnd(buffer, at, end)
  }
  return at
}

function digitsEnd(buffer: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (((buffer[at] as number) - 0x30) & 0xff) < 10) at += 1
  return at
}

function escapeEnd(buffer: Uint8Array, start: number, end: number): number {
  if (start + 1 >= end) return -1
  switch (buffer[start + 1]) {
    case quote:
    case backslash:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return start + 2
    case 0x75: {
      if (start + 6 > end) return -1
      for (let at = start + 2; at < start + 6; at += 1) if (!isHexDigit(buffer[at] as number)) return -1
      return start + 6
    }
    default:
      return -1
  }
}

function isHexDigit(byte: number): boolean {
  const lower = byte | 0x20
  return (byte >= 0x30 && byte <= 0x39) || (lower >= 0x61 && lower <= 0x66)
}

/** Where the multi-byte character at `start` ends, or -1 for overlong forms, surrogates, code points past U+10FFFF and torn sequences. */
function utf8End(buffer: Uint8Array, start: number, end: number): number {
  const first = buffer[start] as number
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0
  if (length === 0 || start + length > end) return -1
  const second = buffer[start + 1] as number
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return -1
  for (let at = start + 2; at < start + length; at += 1) {
    if (((buffer[at] as number) & 0xc0) !== 0x80) return -1
  }
  return start + length
}

/** Deeper than anybody means, and less than a parser needs a noticeable part of the memory for: it keeps some hundred bytes for each level that is open. */
const mostLevels = 10_000

/** Whether objects and arrays are nested so deep that a parser would take many times the size of the text. Looks at brackets alone, which need not fit together. */
export function isTooDeep(buffer: Uint8Array, start: number, end: number): boolean {
  if (end - start <= mostLevels) return false
  let depth = 0
  let isInText = false
  for (let at = start; at < end; at++) {
    const byte = buffer[at] as number
    if (isInText) {
      if (byte === backslash) at++
      else if (byte === quote) isInText = false
    } else if (byte === quote) isInText = true
    else if (byte === openBrace || byte === openBracket) {
      depth += 1
      if (depth > mostLevels) return true
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1
  }
  return false
}
