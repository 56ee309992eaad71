import { fitsNumeric } from './numericText.ts'

/** PostgreSQL follows JSON down as far as its stack goes, which with the usual 2 MB is some 15,000 levels. */
const mostLevels = 10_000
const quote = 0x22
const backslash = 0x5c
const numberText = /-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?/y

/** Whether jsonb can hold the text, which is JSON: it refuses numbers that numeric does not hold, and what is nested very deep. */
export function fitsJsonb(json: string): boolean {
  // Nothing in it can be too large then.
  if (json.length <= mostLevels && !/[eE][+-]?\d{4}/.test(json)) return true
  let depth = 0
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at)
    if (code === quote) at = stringEnd(json, at)
    else if (isOpener(code)) {
      depth += 1
      if (depth > mostLevels) return false
    } else if (isCloser(code)) depth -= 1
    else if (isNumberStart(code)) {
      numberText.lastIndex = at
      const [text = '', whole = '', part = '', exponent = '0'] = numberText.exec(json) ?? []
      if (!fitsNumeric(whole.length + Number(exponent), part.length - Number(exponent))) return false
      at += text.length - 1
    }
  }
  return true
}

/** Where the closing quote of the string is. */
function stringEnd(json: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    const code = json.charCodeAt(at)
    if (code === backslash) at += 1
    else if (code === quote) return at
  }
}

function isOpener(code: number): boolean {
  return code === 0x5b || code === 0x7b
}

function isCloser(code: number): boolean {
  return code === 0x5d || code === 0x7d
}

function isNumberStart(code: number): boolean {
  return code === 0x2d || (code >= 0x30 && code <= 0x39)
}
