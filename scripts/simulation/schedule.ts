import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import type { Pipeline } from '../../src/runtime/pipeline/pipeline.ts'
import { Random } from '../../src/testing/random.ts'
import { type Adversity, randomAdversity } from '../../src/testing/simulation/adversity.ts'
import type { SimulationOptions } from '../../src/testing/simulation/simulate.ts'
import type { FrameStyle } from '../../src/testing/unkind/frames.ts'
import { type UnkindTrades, unkindTrades } from '../../src/testing/unkind/unkindTrades.ts'

/** Everything that one seed decides. */
export interface Schedule {
  readonly seed: number
  readonly style: FrameStyle
  readonly input: UnkindTrades
  /** False where the feed is so unkind that only the two runs can be compared, not the naive model. */
  readonly hasTruth: boolean
  readonly options: SimulationOptions
  readonly adversity: Adversity
}

/** The tolerances that src/pipelines/realtime.ts promises; a feed within them has one true result. */
const promised = { maxOutOfOrdernessMs: 2_000, allowedLatenessMs: 30_000 }

export function scheduleOf(seed: number): Schedule {
  const random = new Random(`schedule ${seed}`)
  const partitions = random.int(1, 3)
  const style: FrameStyle = { market: random.pick(['spot', 'spot', 'usdm']), timeUnit: random.pick(['ms', 'ms', 'us']) }
  const isMerciless = random.chance(0.2)
  const count = random.chance(0.2) ? random.int(10, 40) : random.int(1, 4)
  const symbols = symbolsOf(Math.max(partitions, count))
  const trades = random.int(80, 200)
  const input = unkindTrades({
    seed,
    trades,
    partitions,
    symbols,
    style,
    isMerciless,
    hasGaps: random.chance(0.5),
    ...promised,
  })
  const options: SimulationOptions = {
    pipeline: pipelineOf(style),
    topic: 'trades',
    partitions,
    records: input.records,
    closesOpen: random.chance(0.8),
    archive: {
      maxRecords: random.int(10, 150),
      maxBytes: random.int(2_000, 60_000),
      maxPendingBytes: random.pick([2_000, 20_000, 1_000_000]),
      maxUploads: random.int(1, 3),
    },
  }
  return { seed, style, input, hasTruth: !isMerciless, options, adversity: randomAdversity(seed) }
}

function symbolsOf(count: number): string[] {
  const known = ['BTCUSDT', 'ETHUSDT', 'SHIBUSDT', 'BNBUSDT']
  return Array.from({ length: count }, (_, i) => known[i] ?? `N${i}USDT`)
}

const pipelines = new Map<string, Pipeline>()

/** One for each style, because making a codec compiles its schema. */
function pipelineOf(style: FrameStyle): Pipeline {
  const key = `${style.market} ${style.timeUnit}`
  const known = pipelines.get(key) ?? realtime(tradeCodec(style))
  pipelines.set(key, known)
  return known
}
