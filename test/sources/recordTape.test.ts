import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { ConfigurationError } from '../../src/runtime/errors.ts'
import { binanceFeed } from '../../src/sources/binance/binanceFeed.ts'
import { type Recorded, type RecordTapeOptions, recordTape } from '../../src/sources/recordTape.ts'
import { simulatorFeed } from '../../src/sources/simulator/simulatorFeed.ts'
import { isMarkedSimulated, simulatedMark } from '../../src/sources/tapeMark.ts'
import { SimulatedExchange } from '../../src/testing/exchange/simulatedExchange.ts'

const folder = mkdtempSync(join(tmpdir(), 'record-tape-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let exchange: SimulatedExchange
let path: string
let files = 0
beforeEach(async () => {
  exchange = await SimulatedExchange.start({ firstId: 100 })
  path = join(folder, `tape-${files++}.jsonl`)
})
afterEach(() => exchange.close())

function record(over: Partial<RecordTapeOptions> = {}): Promise<Recorded> {
  return recordTape({
    feed: binanceFeed({
      market: 'spot',
      symbols: ['BTCUSDT'],
      endpoints: exchange,
      isSimulated: true,
      jitter: () => 0,
    }),
    path,
    what: 'binance spot, BTCUSDT',
    isSimulated: false,
    maxFrames: null,
    clock: systemClock,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    onNotice: () => undefined,
    ...over,
  })
}

/** Trades come one by one until the recording has as many as it wants. */
async function recordTrades(count: number): Promise<Recorded> {
  const recording = record({ maxFrames: count })
  await exchange.untilSubscribed('BTCUSDT')
  const trading = setInterval(() => exchange.trade('BTCUSDT'), 5)
  try {
    return await recording
  } finally {
    clearInterval(trading)
  }
}

const idsOf = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { data: { t: number } }).data.t)

const consecutive = (ids: readonly number[]) =>
  ids.every((id, index) => index === 0 || id === (ids[index - 1] ?? 0) + 1)

describe('a recording', { timeout: 30_000 }, () => {
  test('has the frames as the exchange sent them, as many as were asked for, and goes on without a gap or a repeat', async () => {
    expect((await recordTrades(10)).frames).toBe(10)
    // While nobody records, trades go on; they are fetched as at any gap.
    for (let missed = 0; missed < 5; missed++) exchange.trade('BTCUSDT')
    const { frames, bytes } = await recordTrades(20)
    const text = readFileSync(path, 'utf8')
    expect(frames).toBe(30)
    expect(text).toHaveLength(bytes)
    expect(idsOf(text)).toHaveLength(30)
    expect(consecutive(idsOf(text))).toBe(true)
  })

  test('that was killed in the middle of a line goes on from its position', async () => {
    await recordTrades(10)
    appendFileSync(path, '{"stream":"btcusdt@trade","data":{"e":"tr')
    await recordTrades(5)
    const ids = idsOf(readFileSync(path, 'utf8'))
    expect(ids).toHaveLength(15)
    expect(consecutive(ids)).toBe(true)
  })

  test('of invented prices says so in its first line, also where it was ended before a frame', async () => {
    const feed = simulatorFeed({ symbols: ['BTCUSDT'], tradesPerSecond: 200 })
    const ended = AbortSignal.abort()
    await record({ feed, what: 'simulator', isSimulated: true, signal: ended })
    expect(existsSync(`${path}.position`)).toBe(false)
    await record({ feed, what: 'simulator', isSimulated: true, maxFrames: 20 })
    const text = readFileSync(path)
    expect(isMarkedSimulated(text)).toBe(true)
    expect(text.toString().trim().split('\n')).toHaveLength(21)
  })

  test('of invented prices is known as one also where a tool has written its first line anew', () => {
    const frame = '{"stream":"btcusdt@trade","data":{}}\n'
    const mark = simulatedMark.toString()
    for (const text of [`\uFEFF${mark}`, `\n\n${mark}`, mark.replace(':', ': '), `${frame}${mark}`, `${mark}\r`]) {
      expect(isMarkedSimulated(Buffer.from(`${text}\n${frame}`)), text).toBe(true)
    }
    expect(isMarkedSimulated(Buffer.from(`${frame}{"tape":"mine"}\n`))).toBe(false)
  })

  test('does not overwrite what it has not written, nor go on with something else', async () => {
    writeFileSync(path, 'mine\n')
    await expect(record({ maxFrames: 1 })).rejects.toThrow('is there and no recording wrote it')
    expect(readFileSync(path, 'utf8')).toBe('mine\n')
    rmSync(path)
    await recordTrades(3)
    await expect(record({ what: 'binance usdm, BTCUSDT', maxFrames: 1 })).rejects.toThrow(
      'is a recording of binance spot',
    )
    truncateSync(path, 10)
    await expect(record({ maxFrames: 1 })).rejects.toThrow('is shorter than what was recorded')
    await expect(record({ path: join(folder, 'nowhere/tape.jsonl'), maxFrames: 1 })).rejects.toThrow(ConfigurationError)
  })
})
