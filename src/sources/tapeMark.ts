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

/** Why what lies behind such a line does not go where it was to go; `what` is where the line stands. */
export function refusedMark(what: string): string {
  return `${what} says that prices are invented, so all that follows it is. It only goes into a topic with "simulated" in its name, such as crypto.trades.simulated.raw; two tapes that were joined are to be taken apart`
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
