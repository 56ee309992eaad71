import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Random } from '../../src/testing/random.ts'
import type { Round, RoundPlace } from './round.ts'
import { runWatched } from './watchedProcess.ts'

const startTime = 1_723_075_200_000
const mostMs = 120_000

type Spoil = (line: string, random: Random) => string

/** Each makes something of a sound frame that is no trade. */
const spoilers: readonly Spoil[] = [
  (line, random) => line.slice(0, random.int(1, line.length - 2)),
  (_, random) => '['.repeat(random.int(1, 300_000)),
  (_, random) => `{"a":"${'x'.repeat(random.int(1, 3_000_000))}"}`,
  (_, random) => '\u0000'.repeat(random.int(1, 1_000_000)),
  (line) => line.replace(/"p":"[^"]*"/, '"p":"1e999"'),
  (line) => line.replace(/"q":"[^"]*"/, '"q":5'),
  (line) => line.replace(/"s":"[^"]*"/, '"s":""'),
  (line) => line.replace(/"T":\d+/, '"T":32503680000000'),
  (line) => line.replace(/"T":\d+/, '"T":-5'),
  (line) => line.replace(/"e":"trade"/, '"e":7'),
]

/** A tape of frames of which some are no trades, under `run realtime`. */
export async function tapeRound(random: Random, { folder, env, pool }: RoundPlace): Promise<Round> {
  const lines: string[] = []
  let sound = 0
  let spoiled = 0
  for (let left = random.int(300, 3_000); left > 0; left--) {
    const line = frameOf(sound, random)
    if (random.chance(0.03)) {
      const bad = random.pick(spoilers)(line, random)
      if (bad === line) continue
      lines.push(bad)
      spoiled += 1
    }
    lines.push(line)
    sound += 1
  }
  const isPacked = random.chance(0.3)
  const tape = join(folder, isPacked ? 'tape.jsonl.gz' : 'tape.jsonl')
  const text = Buffer.from(`${lines.join('\n')}\n`)
  writeFileSync(tape, isPacked ? gzipSync(text) : text)
  const args = ['run', 'realtime', '--tape', tape, '--until-end', '--close-open']
  const end = await runWatched(args, env, folder, mostMs)
  const problems: string[] = []
  if (end.code !== 0) problems.push(`the tape ended with ${end.code}: ${end.output.slice(-600)}`)
  else {
    const [trades] = (
      await pool.query<{ count: number }>(
        `SELECT coalesce(sum(trade_count), 0)::float8 AS count FROM public.fact_realtime_trades_1m`,
      )
    ).rows
    const [letters] = (
      await pool.query<{ count: number; silent: number }>(
        `SELECT count(*)::float8 AS count, (count(*) FILTER (WHERE reason = '' OR detail = ''))::float8 AS silent FROM public.dead_letter`,
      )
    ).rows
    if (trades?.count !== sound) problems.push(`${trades?.count} trades are in candles, not ${sound}`)
    if (letters?.count !== spoiled) problems.push(`${letters?.count} dead letters, not ${spoiled}`)
    if (letters?.silent !== 0) problems.push(`${letters?.silent} dead letters without a reason`)
  }
  return { starts: 1, records: lines.length, skipped: 0, peakMb: end.peakMb, problems }
}

function frameOf(number: number, random: Random): string {
  const time = startTime + number * 7
  const data = {
    e: 'trade',
    E: time + 1,
    s: 'BTCUSDT',
    t: number + 1,
    p: `${random.int(50_000, 60_000)}.25000000`,
    q: '0.00100000',
    T: time,
    m: random.chance(0.5),
    M: true,
  }
  return JSON.stringify({ stream: 'btcusdt@trade', data })
}
