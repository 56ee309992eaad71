/** The first line of a tape of invented prices: without it they could be taken for those of a market. */
export const simulatedMark = Buffer.from('{"tape":"SIMULATED PRICES: invented by a random generator. Not a market."}')

/** True for the lines of a tape that says so. */
export function isMarkedSimulated(firstLines: Buffer): boolean {
  return isSimulatedMark(firstLines.subarray(0, simulatedMark.length))
}

export function isSimulatedMark(line: Buffer): boolean {
  return line.length === simulatedMark.length && line.equals(simulatedMark)
}
