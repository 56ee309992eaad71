import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Run } from './feed/run.ts'
import type { Rates } from './feed/sender.ts'

const help = `npm run bench:feed -- [--rate 100000] [--seconds 20] [--symbols 100] [--minutes 0] [--json]

Trades from a WebSocket on loopback through the feed into a log that keeps nothing. The sender is a process of its own; the feed has one core at most, as it is one
thread. core: which part of one it took. p99: from the sender's clock in the frame to the end of the append, ms. lag: frames that were sent and not yet in the log at the end.

  --rate R     trades a second                                                       (100000)
  --seconds S  for how long, after two seconds that do not count                     (20)
  --minutes M  then 300 symbols with trades, book tickers, tickers and candles at the rate of a busy hour,
               over four feeds, for so long: memory after the first fifth and at the end (0)
  --json       as JSON alone
`

const { values } = parseArgs({
  options: {
    rate: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '20' },
    symbols: { type: 'string', default: '100' },
    minutes: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const none: Rates = { trade: 0, bookTicker: 0, ticker: 0, kline_1m: 0 }
/** Of each, over 300 symbols. */
const busy: Rates = { trade: 3_000, bookTicker: 9_000, ticker: 300, kline_1m: 150 }
const warmUpMs = 2_000

if (values.help) process.stdout.write(help)
else await bench()

async function bench(): Promise<void> {
  const say = values.json ? () => undefined : (line: string) => process.stdout.write(`${line}\n`)
  const flood = await throughput(Number(values.rate), Number(values.seconds), Number(values.symbols))
  say(
    `trades: ${flood.framesPerS} frames/s, core ${flood.core} (${flood.framesPerCpuS} frames a second of it), p50 ${flood.p50Ms} ms, p99 ${flood.p99Ms} ms, lag ${flood.lagFrames}, gaps ${flood.gaps}, sender behind ${flood.senderBehindMs} ms`,
  )
  const minutes = Number(values.minutes)
  const long = minutes > 0 ? await memory(minutes) : null
  if (long !== null) {
    say(
      `300 symbols x 4 streams, ${long.minutes} min: ${long.framesPerS} frames/s, core ${long.core}, p99 ${long.p99Ms} ms, resident ${long.earlyMb} MB then ${long.lateMb} MB, gaps ${long.gaps}`,
    )
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ trades: flood, streams: long })}\n`)
}

async function throughput(rate: number, seconds: number, count: number) {
  const run = await Run.start(symbolsOf(count), { ...none, trade: rate })
  run.ingest(null)
  await sleep(warmUpMs)
  const from = run.mark()
  await sleep(seconds * 1_000)
  const found = run.since(from)
  await run.stop()
  return found
}

async function memory(minutes: number) {
  const run = await Run.start(symbolsOf(300), busy)
  run.ingest(null)
  for (const kind of ['bookTicker', 'ticker', 'kline'] as const) run.ingest(kind)
  await sleep(warmUpMs)
  const from = run.mark()
  const totalMs = minutes * 60_000
  const residents: number[] = []
  for (let at = 0; at < totalMs; at += 2_000) {
    await sleep(2_000)
    residents.push(process.memoryUsage().rss / 1024 / 1024)
  }
  // Tickers and candles are sent to the feed of trades as well, as its words on what is quiet, and go into no record.
  const { lagFrames: _, ...found } = run.since(from)
  await run.stop()
  const fifth = Math.max(1, Math.floor(residents.length / 5))
  const most = (some: readonly number[]) => Math.round(Math.max(...some))
  return { minutes, ...found, earlyMb: most(residents.slice(0, fifth)), lateMb: most(residents.slice(-fifth)) }
}

function symbolsOf(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `A${index}USDT`)
}
