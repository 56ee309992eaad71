import { otherUnitHint, type TimeUnit } from '../market/timeUnit.ts'
import { ConfigurationError } from '../runtime/errors.ts'
import { newFramePeek, peekFrame } from './market/peekFrame.ts'
import { inspectTape } from './tapeFile.ts'

const newline = 0x0a

/** The T of a frame that is no trade because of it: more than a number holds exactly, as nanoseconds are. */
function longTime(line: Buffer): number | null {
  const [, digits] = /"T"\s*:\s*(\d{17,25})\s*[,}]/.exec(line.toString('latin1', 0, mostLooked)) ?? []
  return digits === undefined ? null : Number(digits)
}

/** A frame of a trade is shorter by far. */
const mostLooked = 4_096

/**
 * Throws `ConfigurationError` where the times of all trades at the head of a tape are in another unit: not one of them would be read. A single frame with an
 * absurd time is for the decoder to set aside.
 */
export async function requireTapeTimeUnit(path: string, unit: TimeUnit): Promise<void> {
  const { firstLines } = await inspectTape(path)
  const peek = newFramePeek()
  let hint: string | null = null
  for (let at = 0; at < firstLines.length; ) {
    const end = firstLines.indexOf(newline, at)
    const line = firstLines.subarray(at, end < 0 ? firstLines.length : end)
    at += line.length + 1
    peekFrame(line, peek)
    const time = peek.kind === 'trade' ? peek.tradeTime : peek.kind === 'unreadable' ? longTime(line) : null
    if (time === null) continue
    const found = otherUnitHint(time, unit)
    if (found === null) return
    hint ??= `T of the first trade, ${time}, is ${found}.`
  }
  if (hint !== null) throw new ConfigurationError(`Tape ${path}: ${hint}`)
}
