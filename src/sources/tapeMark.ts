/** The first line of a tape of invented prices: without it they could be taken for those of a market. */
export const simulatedMark = Buffer.from('{"tape":"SIMULATED PRICES: invented by a random generator. Not a market."}')

const newline = 0x0a
/** Whatever a line says of a tape begins so, before white space that a tool has put in. */
const field = Buffer.from('"tape"')
const byteOrderMark = '\uFEFF'
/** A mark that a tool has written anew is not much longer. */
const mostBytes = 2 * simulatedMark.length

/** True for the lines of a tape one of which says so. */
export function isMarkedSimulated(firstLines: Buffer): boolean {
  for (let at = 0; at < firstLines.length; ) {
    const end = firstLines.indexOf(newline, at)
    const line = firstLines.subarray(at, end < 0 ? firstLines.length : end)
    if (isSimulatedMark(line)) return true
    at += line.length + 1
  }
  return false
}

/** By what it says: a tool may have written the line in another way, or a byte order mark before it. */
export function isSimulatedMark(line: Buffer): boolean {
  if (line.length > mostBytes || line.indexOf(field) < 0) return false
  try {
    const { tape } = JSON.parse(line.toString().replace(byteOrderMark, '')) as { readonly tape?: unknown }
    return typeof tape === 'string' && tape.startsWith('SIMULATED PRICES')
  } catch {
    return false
  }
}
