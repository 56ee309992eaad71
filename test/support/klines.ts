import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { eightPlaces } from '../../src/cli/candleFormat.ts'
import { type CommandPlace, runCommand } from './commandLine.ts'

const shared = resolve('../shared/data')

/** Recorded tapes with the exchange's own candles; some minutes at the edges are not fully on the tape. */
export const tapes = [
  { market: 'spot', folder: join(shared, 'spot-btcusdt-2024-08-08'), minutes: 10 },
  { market: 'usdm', folder: join(shared, 'usdm-btcusdt-2024-08-08'), minutes: 5 },
] as const

export const hasTapes = tapes.every(({ folder }) => existsSync(folder))

export const tapeFile = (folder: string) => join(folder, 'frames.trades.jsonl.gz')

type Row = Readonly<Record<string, string | undefined>>

/** Rows of `millrace candles --format csv`. Throws what the command said when it failed. */
export async function candlesOf(place: CommandPlace, symbol: string, ...more: string[]): Promise<readonly Row[]> {
  const { code, stdout, stderr } = await runCommand(['candles', '--symbol', symbol, '--format', 'csv', ...more], place)
  if (code !== 0) throw new Error(stderr)
  return rowsOf(stdout)
}

/** Where our candles differ from the exchange's own, on the minutes that the tape covers fully; and how many those are. */
export async function differencesFromKlines(
  place: CommandPlace,
  { market, folder }: { readonly market: string; readonly folder: string },
): Promise<{ readonly compared: number; readonly differences: readonly string[] }> {
  const ours = new Map(
    (await candlesOf(place, 'BTCUSDT', '--market', market)).map((candle) => [candle.open_time, candle]),
  )
  const klines = rowsOf(readFileSync(join(folder, 'klines_1m.csv'), 'utf8')).filter(
    (kline) => kline.fully_covered_by_trades === 'true',
  )
  const differences: string[] = []
  for (const kline of klines) {
    const openTime = new Date(Number(kline.open_time ?? kline.open_time_ms)).toISOString()
    const candle = ours.get(openTime)
    const compare = (name: string, expected: string | undefined) => {
      if (expected === undefined || expected === '' || candle?.[name] === expected) return
      differences.push(`${openTime} ${name}: ${candle?.[name]}, the exchange has ${expected}`)
    }
    for (const name of ['open', 'high', 'low', 'close', 'volume', 'quote_volume', 'taker_buy_volume']) {
      const text = kline[name] ?? kline[name.replace('taker_buy_volume', 'taker_buy_base_volume')]
      compare(name, text === undefined || text === '' ? undefined : eightPlaces(text))
    }
    compare('trade_count', kline.trade_count ?? kline.count ?? kline.trades)
  }
  return { compared: klines.length, differences }
}

function rowsOf(csv: string): readonly Row[] {
  const [head = '', ...lines] = csv.trim().split(/\r?\n/)
  const names = head.split(',')
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, index) => [names[index] ?? '', cell])))
}
