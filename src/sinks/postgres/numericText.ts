const mostWholeDigits = 131_072
const mostPartDigits = 16_383

/** Whether numeric has room for so many digits before the point, and behind it. */
export function fitsNumeric(wholeDigits: number, partDigits: number): boolean {
  return wholeDigits <= mostWholeDigits && partDigits <= mostPartDigits
}

/** The text where it is a number, without an exponent, that numeric holds; otherwise null. */
export function numericText(text: string): string | null {
  if (!/^-?\d+(?:\.\d+)?$/.test(text)) return null
  if (text.length <= mostPartDigits) return text
  const [whole = '', part = ''] = text.replace(/^-?0*/, '').split('.')
  return fitsNumeric(whole.length, part.length) ? text : null
}
