import { intervals } from '../../market/interval.ts'
import type { OutgoingRecord } from '../../runtime/log/log.ts'
import { Random } from '../random.ts'
import type { FrameStyle } from './frames.ts'
import { Gaps } from './gaps.ts'
import { type Arrival, Lane } from './lane.ts'
import { type ExpectedCandle, naiveCandles, type TrueTrade } from './naiveCandles.ts'
import { timeline } from './timeline.ts'

/** How many trades `unkindTrades` makes, and how unkind it may be: the bounds are those of the pipeline under test. */
export interface UnkindTradesOptions {
  /** Decides everything; the same seed gives the same records. */
  readonly seed: number | string
  /** How many trades happen; repeats, broken frames and heartbeats come on top. */
  readonly trades: number
  /** No record arrives more than this behind the newest one of its partition, unless it is meant to be late. */
  readonly maxOutOfOrdernessMs: number
  /** How long after its close a window still takes corrections; 0 makes none. */
  readonly allowedLatenessMs: number
  /** How many partitions: symbol i goes to partition i modulo this; 1 unless told otherwise. */
  readonly partitions?: number
  /** At least one; BTCUSDT, ETHUSDT and SHIBUSDT unless told otherwise. */
  readonly symbols?: readonly string[]
  /** Spot with ms unless told otherwise. */
  readonly style?: FrameStyle
  /** First trade, ms UTC; some minutes before a midnight unless told otherwise. */
  readonly startMs?: number
  /** Average time between two trades; 700 unless told otherwise. */
  readonly averageStepMs?: number
  /** Repeats and late records right after a halt too, where a reader cannot tell the halt from an absurd time: there the expectation says nothing. */
  readonly isMerciless?: boolean
  /** Leaves trades out, tells of it as a feed does, and sends most of them later: for a pipeline that takes holes. False unless told otherwise. */
  readonly hasGaps?: boolean
}

/** Where a record stands in its partition, counted from 0. */
export interface RecordPlace {
  readonly partition: number
  readonly offset: number
}

/** What was done to the input, by kind. */
export interface UnkindCounts {
  /** How many trades count in candles. */
  trades: number
  /** How many records came again, at once or much later. */
  repeats: number
  /** How many trades came after their window had fired, within the allowed lateness. */
  corrections: number
  /** How many trades came after their window was over. */
  late: number
  /** How many frames were broken. */
  broken: number
  /** How many frames had an absurd time. */
  leaps: number
  /** How many sound frames no candle counts. */
  notTrades: number
  /** How many heartbeats were written. */
  heartbeats: number
  /** How many times the market stood still for hours. */
  halts: number
  /** How many times trades were left out that the feed tells of. */
  gaps: number
  /** How many of these came later. */
  filled: number
}

/** Input that is as bad as a feed can be, and the truth about it. */
export interface UnkindTrades {
  /** In the order of arrival. */
  readonly records: readonly OutgoingRecord[]
  /** Every candle of every interval, those still open at the end as well. */
  readonly candles: readonly ExpectedCandle[]
  /** Records that must be set aside: broken, absurdly dated or late. */
  readonly deadLetters: readonly RecordPlace[]
  /** Repeats from long ago: whether they are known as repeats or set aside as late, they must change nothing. */
  readonly perhapsDeadLetters: readonly RecordPlace[]
  /** How much of each kind is in the records. */
  readonly counts: Readonly<UnkindCounts>
}

/**
 * Makes trades of several symbols over boundaries of minutes, hours and days and sends them in an unkind way: out of order
 * within the bound, repeated at once and much later, corrected, late, silent, halted for hours, left out and sent later, and mixed with broken
 * frames, zero trades, heartbeats and absurd times. The seed decides everything.
 */
export function unkindTrades(options: UnkindTradesOptions): UnkindTrades {
  const random = new Random(options.seed)
  const style = options.style ?? { market: 'spot', timeUnit: 'ms' }
  const symbols = options.symbols ?? ['BTCUSDT', 'ETHUSDT', 'SHIBUSDT']
  const partitions = options.partitions ?? 1
  const counts: UnkindCounts = {
    trades: 0,
    repeats: 0,
    corrections: 0,
    late: 0,
    broken: 0,
    leaps: 0,
    notTrades: 0,
    heartbeats: 0,
    halts: 0,
    gaps: 0,
    filled: 0,
  }
  const moments = timeline(options, symbols, random.fork('timeline'), counts)
  const lanes = Array.from({ length: partitions }, (_, partition) => {
    const own = moments.filter(
      ({ trade }) => trade === null || symbols.indexOf(trade.symbol) % partitions === partition,
    )
    const gaps = new Gaps(options, style, random.fork(`gaps ${partition}`), counts)
    return new Lane(own, options, style, random.fork(`partition ${partition}`), counts, gaps).arrivals()
  })

  const records: OutgoingRecord[] = []
  const deadLetters: RecordPlace[] = []
  const perhapsDeadLetters: RecordPlace[] = []
  const counted: TrueTrade[] = []
  const next = lanes.map(() => 0)
  const merge = random.fork('merge')
  for (;;) {
    const open = lanes.flatMap((lane, partition) => ((next[partition] ?? 0) < lane.length ? [partition] : []))
    if (open.length === 0) break
    const partition = merge.pick(open)
    const offset = next[partition] as number
    next[partition] = offset + 1
    const arrival = lanes[partition]?.[offset] as Arrival
    const key = arrival.key === null ? null : Buffer.from(arrival.key)
    records.push({ partition, timestamp: arrival.timestamp, key, value: arrival.value })
    if (arrival.verdict === 'dead') deadLetters.push({ partition, offset })
    if (arrival.verdict === 'perhaps-dead') perhapsDeadLetters.push({ partition, offset })
    if (arrival.verdict === 'counts' && arrival.trade !== null) counted.push(arrival.trade)
  }
  counts.trades = counted.length
  return { records, candles: naiveCandles(counted, intervals), deadLetters, perhapsDeadLetters, counts }
}

export type { ExpectedCandle, FrameStyle }
