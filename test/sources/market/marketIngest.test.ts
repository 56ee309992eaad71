import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigurationError, RetryableError } from '../../../src/runtime/errors.ts'
import type { LogWriter } from '../../../src/runtime/log/log.ts'
import { partitionOf } from '../../../src/sources/ingest/murmur2.ts'
import { type IngestOptions, type IngestProgress, runIngest } from '../../../src/sources/ingest/runIngest.ts'
import type { FrameFeed } from '../../../src/sources/market/frameFeed.ts'
import { type MarketFeedOptions, marketFeed } from '../../../src/sources/market/marketFeed.ts'
import { simulatedFrames } from '../../../src/sources/simulator/simulatedFrames.ts'
import { simulatorFeed } from '../../../src/sources/simulator/simulatorFeed.ts'
import { tapeFeed } from '../../../src/sources/tape.ts'
import { MemoryLog } from '../../../src/testing/memoryLog.ts'
import { VirtualClock } from '../../../src/testing/virtualClock.ts'
import { isHeartbeat, type LoggedRecord, logContents } from '../ingest/logContents.ts'

const start = Date.UTC(2024, 7, 9)
const partitions = 4
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ingest-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
function tapeOf(lines: readonly (string | Buffer)[]): string {
  const path = join(folder, `tape-${files++}.jsonl`)
  writeFileSync(path, Buffer.concat(lines.flatMap((line) => [Buffer.from(line as string), Buffer.from('\n')])))
  return path
}

function ingest(path: string, log: MemoryLog, options: Partial<IngestOptions> = {}, market: MarketFeedOptions = {}) {
  const feed = marketFeed(tapeFeed({ path }), market)
  return runIngest({ feed, writer: log.writer(), producer: 'tape', partitions, ...options })
}

/** A tape is a real file: virtual time stands still while it is read. */
function heldTape(path: string, clock: VirtualClock): FrameFeed {
  const feed = tapeFeed({ path })
  return {
    name: feed.name,
    open: async (position) => {
      const reader = await clock.hold(feed.open(position))
      return {
        read: (options) => clock.hold(reader.read(options)),
        progress: () => reader.progress(),
        close: () => reader.close(),
      }
    },
  }
}

async function ingested(path: string, market: MarketFeedOptions = {}): Promise<LoggedRecord[]> {
  const log = new MemoryLog({ partitions })
  await ingest(path, log, {}, market)
  return logContents(log)
}

/** Fails as a store does: before the append, or after it with a lost reply. */
function failing(inner: LogWriter, faultAt: (append: number) => 'before' | 'after' | null): LogWriter {
  let appends = 0
  return {
    claim: (producer) => inner.claim(producer),
    append: async (records, position) => {
      const fault = faultAt(appends++)
      if (fault === 'before') throw new RetryableError('injected: refused')
      await inner.append(records, position)
      if (fault === 'after') throw new RetryableError('injected: reply lost')
    },
    close: () => inner.close(),
  }
}

class Crash extends Error {}

/** The process dies: before the append reached the log, or after it, and nothing is told to anybody. */
function crashing(inner: LogWriter, crashAt: number, isStored: boolean): LogWriter {
  let appends = 0
  return {
    ...inner,
    claim: (producer) => inner.claim(producer),
    append: async (records, position) => {
      const isCrash = appends++ === crashAt
      if (!isCrash || isStored) await inner.append(records, position)
      if (isCrash) throw new Crash()
    },
  }
}

function trade(symbol: string, id: number, time: number): string {
  return `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${time},"s":"${symbol}","t":${id},"p":"1.5","q":"2","T":${time},"m":true,"M":true}}`
}

const unkind: readonly (string | Buffer)[] = [
  '{"broken',
  '[]',
  'null',
  Buffer.from([0xff, 0xfe, 0x01]),
  '{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"2","A":"1"}',
  '{"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":1,"u":2,"b":[],"a":[]}}',
  '{"result":null,"id":1}',
  trade('BTCUSDT', 7, Date.UTC(3000, 0, 1)),
  trade('BTCUSDT', 8, 1),
  trade('BTCUSDT', 9, (start + 5_000) * 1_000),
  `${trade('BTCUSDT', 10, start)} `,
  `{"e":"trade","s":"BTCUSDT","t":"7","T":${start}}`,
  '',
]

describe('a tape in a log', () => {
  test('keeps each symbol in order, in the partition of its key, with its trade time', async () => {
    const frames = [...simulatedFrames({ seed: 3, symbols: 20, from: start, count: 3_000 })].map(String)
    const log = new MemoryLog({ partitions })
    const report = await ingest(tapeOf(frames), log)
    const records = (await logContents(log)).filter((record) => !isHeartbeat(record))
    expect(report).toMatchObject({ end: 'feed-ended', unconfirmedRecords: 0, counts: { frames: 3_000, trades: 3_000 } })
    expect(records).toHaveLength(3_000)
    const next = new Map<string, number>()
    for (const { partition, key, value, timestamp } of records) {
      const data = JSON.parse(value ?? '').data
      expect(key).toBe(data.s)
      expect(partition).toBe(partitionOf(Buffer.from(data.s), partitions))
      expect(timestamp).toBe(data.T)
      expect(data.t).toBe((next.get(data.s) ?? 0) + 1)
      next.set(data.s, data.t)
    }
    expect(new Set(records.map((record) => record.value))).toEqual(new Set(frames))
  })

  test('frames of other streams are left out, frames that nobody can read go to partition 0 as they are', async () => {
    const log = new MemoryLog({ partitions })
    const lines = [trade('BTCUSDT', 1, start), ...unkind, trade('BTCUSDT', 11, start + 1)]
    const report = await ingest(tapeOf(lines), log)
    expect(report.counts).toMatchObject({ trades: 6, otherStreams: 3, unreadable: 5, otherSymbols: 0 })
    const records = await logContents(log)
    const aside = records.filter((record) => record.key === null)
    expect(aside.map((record) => record.partition)).toEqual([0, 0, 0, 0, 0])
    expect(aside.map((record) => record.timestamp)).toEqual([start, start, start, start, start])
    expect(aside[0]?.value).toBe('{"broken')
    const times = records.filter((record) => record.key === 'BTCUSDT').map((record) => record.timestamp)
    expect(times).toEqual([start, start, start, start, start, start + 1])
  })

  test('a frame of a megabyte stays whole, one past the limit is cut and marked', async () => {
    const large = trade('BTCUSDT', 1, start).replace('"p"', `"x":"${'y'.repeat(1_000_000)}","p"`)
    const [whole] = await ingested(tapeOf([large]))
    expect(whole).toMatchObject({ key: 'BTCUSDT', value: large })
    const [cut] = await ingested(tapeOf([large]), { maxFrameBytes: 5_000 })
    expect(cut).toMatchObject({ key: null, partition: 0 })
    expect(cut?.value).toMatch(/^!cut: frame of 1000\d+ bytes/)
  })

  test('trades of symbols that were not asked for are left out and counted', async () => {
    const log = new MemoryLog({ partitions })
    const lines = [trade('BTCUSDT', 1, start), trade('ETHUSDT', 1, start), trade('BTCUSDT', 2, start)]
    const report = await ingest(tapeOf(lines), log, {}, { symbols: ['BTCUSDT'] })
    expect(report.counts).toMatchObject({ trades: 2, otherSymbols: 1 })
    expect((await logContents(log)).map((record) => record.key)).toEqual(['BTCUSDT', 'BTCUSDT'])
  })

  test('times in microseconds are told in milliseconds, rounded down', async () => {
    const [record] = await ingested(tapeOf([trade('BTCUSDT', 1, start * 1_000 + 1_999)]), { timeUnit: 'us' })
    expect(record?.timestamp).toBe(start + 1)
  })

  test('a partition that falls quiet is told the time, once it has had a trade', async () => {
    const busy = 'ETHUSDT'
    const quiet = 'BTCUSDT'
    expect(partitionOf(Buffer.from(busy), partitions)).not.toBe(partitionOf(Buffer.from(quiet), partitions))
    const lines = [trade(quiet, 1, start)]
    for (let id = 1; id <= 100; id++) lines.push(trade(busy, id, start + id * 100))
    const heartbeats = (await ingested(tapeOf(lines))).filter(isHeartbeat)
    expect(heartbeats.map((record) => record.partition)).toEqual(
      [1, 1, 1, 1].map(() => partitionOf(Buffer.from(quiet), partitions)),
    )
    expect(heartbeats.map((record) => record.timestamp - start)).toEqual([2_000, 4_000, 6_000, 8_000])
    expect(heartbeats[0]?.value).toBe(`{"e":"heartbeat","E":${start + 2_000}}`)
  })
})

describe('exactly once', () => {
  // Sparse times, so that partitions fall quiet, with a halt and unkind frames in between.
  const frames = [...simulatedFrames({ seed: 9, symbols: 7, from: start, count: 400, tradesPerSecond: 3 })].map(String)
  const later = [
    ...simulatedFrames({ seed: 10, symbols: 7, from: start + 20_000_000, count: 200, tradesPerSecond: 2 }),
  ].map(String)
  const lines = [...frames.flatMap((frame, index) => [frame, ...(index % 31 === 0 ? unkind : [])]), ...later]

  test('killed anywhere and started again, it writes the very records of a run without a kill', async () => {
    const path = tapeOf(lines)
    const expected = await ingested(path)
    expect(expected.filter(isHeartbeat).length).toBeGreaterThan(20)
    const kill = fc.record({ at: fc.nat(12), isStored: fc.boolean(), maxRecords: fc.integer({ min: 1, max: 60 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(kill, { maxLength: 6 }), async (kills) => {
        const log = new MemoryLog({ partitions })
        for (const { at, isStored, maxRecords } of kills) {
          const run = ingest(path, log, { writer: crashing(log.writer(), at, isStored), batch: { maxRecords } })
          await run.catch((error: unknown) => {
            if (!(error instanceof Crash)) throw error
          })
        }
        await ingest(path, log)
        expect(await logContents(log)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('killed after each single line, it writes the very records of a run without a kill', async () => {
    const halts = [...simulatedFrames({ seed: 11, symbols: 4, from: start, count: 60, tradesPerSecond: 1 })].map(String)
    const path = tapeOf(
      halts.map((frame, index) =>
        frame.replace(
          /("[ET]":)(\d+)/g,
          (_, name, time) => `${name}${Number(time) + Math.floor(index / 8) * 9_000_000}`,
        ),
      ),
    )
    const expected = await ingested(path)
    expect(expected.filter(isHeartbeat).length).toBeGreaterThan(5)
    const log = new MemoryLog({ partitions })
    for (let lives = 0; lives < 100; lives++) {
      const writer = crashing(log.writer(), 0, true)
      const report = await ingest(path, log, { writer, batch: { maxRecords: 1 } }).catch((error: unknown) => {
        if (!(error instanceof Crash)) throw error
        return null
      })
      if (report !== null) break
    }
    expect(await logContents(log)).toEqual(expected)
  })

  test('after a fault it goes on behind what another ingest has written meanwhile', async () => {
    const path = tapeOf(lines)
    const expected = await ingested(path)
    const log = new MemoryLog({ partitions })
    const inner = log.writer()
    let appends = 0
    const writer: LogWriter = {
      ...inner,
      append: async (records, position) => {
        if (++appends !== 3) return inner.append(records, position)
        await ingest(path, log, { writer: crashing(log.writer(), 4, true), batch: { maxRecords: 33 } }).catch(
          () => undefined,
        )
        throw new RetryableError('injected: no answer')
      },
    }
    const report = await ingest(path, log, { writer, batch: { maxRecords: 20 } })
    expect(report.end).toBe('feed-ended')
    expect(await logContents(log)).toEqual(expected)
  })

  test('a log that fails, or loses replies, changes nothing', async () => {
    const path = tapeOf(lines)
    const expected = await ingested(path)
    const fault = fc.constantFrom('before', 'after', null, null)
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fault), fc.integer({ min: 1, max: 50 }), async (faults, maxRecords) => {
        const log = new MemoryLog({ partitions })
        const clock = new VirtualClock()
        const writer = failing(log.writer(), () => faults.next().value ?? null)
        const run = ingest(path, log, { feed: marketFeed(heldTape(path, clock)), writer, clock, batch: { maxRecords } })
        const report = await clock.run(run)
        expect(report).toMatchObject({ end: 'feed-ended', unconfirmedRecords: 0 })
        expect(report.records).toBe(expected.length)
        expect(await logContents(log)).toEqual(expected)
      }),
      { numRuns: 30 },
    )
  })

  test('a second ingest of the same producer fences the first, which ends quietly', async () => {
    const path = tapeOf(lines)
    const expected = await ingested(path)
    const log = new MemoryLog({ partitions })
    const inner = log.writer()
    let second: Promise<unknown> | null = null
    const writer: LogWriter = {
      ...inner,
      append: async (records, position) => {
        await inner.append(records, position)
        second ??= ingest(path, log)
        await second
      },
    }
    const first = await ingest(path, log, { writer, batch: { maxRecords: 20 } })
    expect(first.end).toBe('fenced')
    await second
    expect(await logContents(log)).toEqual(expected)
  })

  test('a finished tape is found finished', async () => {
    const path = tapeOf(lines)
    const log = new MemoryLog({ partitions })
    await ingest(path, log)
    const before = await logContents(log)
    expect(await ingest(path, log)).toMatchObject({ end: 'feed-ended', records: 0 })
    expect(await logContents(log)).toEqual(before)
  })
})

describe('a stop', () => {
  test('lets the last batch into the log, and the next start goes on behind it', async () => {
    const path = tapeOf([...simulatedFrames({ seed: 1, symbols: 5, from: start, count: 2_000 })])
    const expected = await ingested(path)
    const log = new MemoryLog({ partitions })
    const stop = new AbortController()
    const inner = log.writer()
    let appends = 0
    const writer: LogWriter = {
      ...inner,
      append: async (records, position) => {
        if (++appends === 3) stop.abort()
        await inner.append(records, position)
      },
    }
    const report = await ingest(path, log, { writer, signal: stop.signal, batch: { maxRecords: 100 } })
    expect(report.end).toBe('stopped')
    expect(await logContents(log)).toHaveLength(report.records)
    expect(report.records).toBeLessThan(expected.length)
    await ingest(path, log)
    expect(await logContents(log)).toEqual(expected)
  })

  test('does not wait for a log that is gone', async () => {
    const stop = new AbortController()
    const log = new MemoryLog({ partitions })
    const clock = new VirtualClock()
    const seen: IngestProgress[] = []
    const writer = failing(log.writer(), () => 'before')
    const onProgress = (progress: IngestProgress) => {
      seen.push(progress)
      if (seen.length === 4) stop.abort()
    }
    const path = tapeOf([trade('BTCUSDT', 1, start)])
    const report = await clock.run(
      ingest(path, log, { feed: marketFeed(heldTape(path, clock)), writer, clock, signal: stop.signal, onProgress }),
    )
    expect(report).toMatchObject({ end: 'stopped', records: 0, unconfirmedRecords: 1 })
    expect(seen.some((progress) => progress.waitingFor?.includes('injected: refused') === true)).toBe(true)
  })
})

test('what came before a broken end of a tape is in the log when the error is told', async () => {
  const path = join(folder, 'cut.gz')
  const log = new MemoryLog({ partitions })
  const { gzipSync } = await import('node:zlib')
  const frames = [...simulatedFrames({ seed: 1, symbols: 3, from: start, count: 5_000 })]
  const whole = gzipSync(Buffer.concat(frames.flatMap((frame) => [frame, Buffer.from('\n')])))
  writeFileSync(path, whole.subarray(0, whole.length / 2))
  await expect(ingest(path, log)).rejects.toThrow(ConfigurationError)
  expect((await logContents(log)).length).toBeGreaterThan(1_000)
  writeFileSync(path, whole)
  await ingest(path, log)
  expect((await logContents(log)).filter((record) => record.key !== null)).toHaveLength(5_000)
})

test('another number of partitions than before is refused', async () => {
  const path = tapeOf([trade('BTCUSDT', 1, start)])
  const log = new MemoryLog({ partitions })
  await ingest(path, log)
  await expect(ingest(path, log, { partitions: 3 })).rejects.toThrow(/wrote 4 partitions before, 3 are asked for/)
})

describe('a simulated market', () => {
  test('goes on where it was: ids without gaps, times that never go back', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog({ partitions, clock })
    for (let run = 0; run < 3; run++) {
      const stop = new AbortController()
      const feed = marketFeed(simulatorFeed({ symbols: ['BTCUSDT', 'ETHUSDT'], seed: 4, clock }))
      const done = runIngest({
        feed,
        writer: log.writer(),
        producer: 'simulator',
        partitions,
        clock,
        signal: stop.signal,
      })
      await clock.advance(10_000)
      stop.abort()
      expect(await clock.run(done)).toMatchObject({ end: 'stopped' })
      await clock.advance(60_000)
    }
    const records = await logContents(log)
    const next = new Map<string, number>()
    let time = 0
    const trades = records.filter((record) => record.key !== null).map((record) => JSON.parse(record.value ?? '').data)
    for (const data of trades) {
      expect(data.t).toBe((next.get(data.s) ?? 0) + 1)
      next.set(data.s, data.t)
    }
    for (const data of [...trades].filter((one) => one.s === 'BTCUSDT')) {
      expect(data.T).toBeGreaterThanOrEqual(time)
      time = data.T
    }
    expect(trades.length).toBeGreaterThan(800)
    expect(trades.length).toBeLessThan(1_600)
  })

  test('quiet partitions are told the time by the clock', async () => {
    const clock = new VirtualClock()
    const log = new MemoryLog({ partitions, clock })
    const stop = new AbortController()
    const feed = marketFeed(simulatorFeed({ symbols: ['BTCUSDT'], tradesPerSecond: 0.02, clock }))
    const done = runIngest({
      feed,
      writer: log.writer(),
      producer: 'simulator',
      partitions,
      clock,
      signal: stop.signal,
    })
    await clock.advance(600_000)
    stop.abort()
    await clock.run(done)
    const records = await logContents(log)
    const heartbeats = records.filter(isHeartbeat)
    expect(heartbeats.length).toBeGreaterThan(100)
    let seen = 0
    for (const { timestamp } of records) {
      expect(timestamp).toBeGreaterThanOrEqual(seen)
      seen = timestamp
    }
  })
})

const shared = '../shared/data'
describe.skipIf(!existsSync(shared))('recorded tapes', () => {
  test.each(['spot-btcusdt-2024-08-08', 'usdm-btcusdt-2024-08-08'])(
    '%s goes into the log line by line',
    async (name) => {
      const path = join(shared, name, 'frames.trades.jsonl.gz')
      const lines = gunzipSync(readFileSync(path)).toString().trimEnd().split('\n')
      const records = await ingested(path)
      expect(records.map((record) => record.value)).toEqual(lines)
      expect(new Set(records.map((record) => record.key))).toEqual(new Set(['BTCUSDT']))
      expect(records.map((record) => record.timestamp)).toEqual(lines.map((line) => JSON.parse(line).data.T))
    },
  )

  test('whole captures of every stream give their trades and leave nothing unaccounted for', async () => {
    for (const name of ['spot_btcusdt_20240808', 'spot_30s.ws', 'us_30s.ws', 'usdm_30s.ws']) {
      const text = gunzipSync(readFileSync(join(shared, 'captures', `${name}.gz`))).toString()
      const lines = text
        .trimEnd()
        .split('\n')
        .filter((line) => line.includes('{'))
        .map((line) => line.slice(line.indexOf('{')))
      const log = new MemoryLog({ partitions })
      const report = await ingest(tapeOf(lines), log)
      const trades = lines.filter((line) => line.includes('"e":"trade"'))
      expect(report.counts).toMatchObject({
        trades: trades.length,
        unreadable: 0,
        otherStreams: lines.length - trades.length,
      })
    }
  })
})

if (!existsSync(shared)) console.warn(`SKIPPED: the ingest of recorded tapes, because ${shared} is absent.`)
