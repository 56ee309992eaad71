import { countText } from '../../console/text.ts'
import type { IngestReport } from '../../sources/ingest/runIngest.ts'
import type { RunPlan } from './runPlan.ts'

type Counts = IngestReport['counts']

/** Lines on frames that did not become records as they are. */
export function frameNotes({ symbols }: RunPlan, counts: Counts): readonly string[] {
  const { unreadable = 0, otherStreams = 0, otherSymbols = 0 } = counts
  return [
    ...(unreadable === 0
      ? []
      : [`${countText(unreadable)} frames cannot be read; they are set aside as dead letters.`]),
    ...(otherStreams === 0
      ? []
      : [`${countText(otherStreams)} frames of other streams were left out: trades are those of SYMBOL@trade.`]),
    ...(otherSymbols === 0
      ? []
      : [`${countText(otherSymbols)} trades of other symbols than ${symbols?.join(', ')} were left out.`]),
  ]
}

/** Why a tape that was read from its first line to its last gave nothing, or null where it gave something or was read before. */
export function emptyTape(plan: RunPlan, { end, counts }: Pick<IngestReport, 'end' | 'counts'>): string | null {
  const { frames = 0, trades = 0, otherStreams = 0, otherSymbols = 0, linesBefore = 0 } = counts
  if (plan.source !== 'tape' || end !== 'feed-ended' || linesBefore > 0 || trades > 0) return null
  if (frames === 0)
    return 'the tape holds no frame, only blank lines or what it says of itself. A tape has a frame of the exchange a line, such as `millrace record` writes.'
  const whole = `none of the ${countText(frames)} frames of the tape is a trade`
  if (otherSymbols === 0) {
    return otherStreams === 0
      ? `${whole} or can be read. A tape has a frame of the exchange a line, such as \`millrace record\` writes; \`npx millrace dead-letters list\` says what is wrong with these.`
      : `${whole}: ${countText(otherStreams)} are of other streams, such as aggTrade or kline. Record SYMBOL@trade, as \`millrace record\` does.`
  }
  return `${whole} of ${plan.symbols?.join(', ')}: ${countText(otherSymbols)} are of other symbols. Name symbols that it holds with --symbols, or leave that out to take all.`
}
