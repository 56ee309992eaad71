import { setTimeout as sleep } from 'node:timers/promises'
import { zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import type { QualityBoundary } from '../../src/batch/batchWindow.ts'
import { divideHalfEven, formatFixed } from '../../src/exact/decimal.ts'
import { readLiveFiles } from '../../src/lake/lakeFacts.ts'
import { silverBoundary } from '../../src/pipelines/silverBoundary.ts'
import { CorruptRecordError } from '../../src/runtime/errors.ts'
import { Rejection } from '../../src/runtime/log/codec.ts'
import { RecordView } from '../../src/runtime/log/record.ts'
import { Random } from '../../src/testing/random.ts'
import { unkindTrades } from '../../src/testing/unkind/unkindTrades.ts'
import { batchWorld, goldTables, type Kline } from './batchWorld.ts'

/** Of whose expectations a pass knows nothing. */
const judgedBy = (judge: QualityBoundary['judge']): QualityBoundary => ({ expects: null, judge })
const minute = 60_000
const midnight = Date.parse('2026-01-15T00:00:00Z')
const kline = (openTime: number, more: Partial<Kline> = {}): Kline => ({
  symbol: 'BTCUSDT',
  openTime,
  open: '10',
  high: '12',
  low: '9',
  close: '11',
  volume: '2',
  quoteVolume: '21',
  tradeCount: 4,
  takerBuyVolume: '1',
  takerBuyQuoteVolume: '10.5',
  ...more,
})

describe('a batch pass', { timeout: 240_000 }, () => {
  it('makes the same of what came bit by bit, late and corrected, as a full one makes anew', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 1_000_000 }), async (seed) => {
        const random = new Random(seed)
        const { records, candles } = unkindTrades({
          seed,
          trades: 300,
          maxOutOfOrdernessMs: 2_000,
          allowedLatenessMs: 3_600_000,
          hasGaps: true,
          partitions: 2,
          averageStepMs: 5_000,
        })
        const minutes = candles.filter(({ interval }) => interval === '1m')
        // Some draws are of a market that stands still.
        fc.pre(minutes.length > 10)
        const world = await batchWorld(2)
        try {
          const slices = random.int(2, 5)
          for (let i = 0; i < slices; i++) {
            const from = Math.floor((records.length * i) / slices)
            await world.live(records.slice(from, Math.floor((records.length * (i + 1)) / slices)))
            const told = minutes.filter(() => random.chance(0.3))
            // Some are told wrongly at first, and some tell of more than there was.
            if (told.length > 0)
              await world.klines(
                told.map((one) => (random.chance(0.3) ? { ...one, tradeCount: one.tradeCount + 1 } : one)),
              )
            if (random.chance(0.7)) await world.pass()
          }
          await world.live([], 'drain-and-close')
          await world.pass()
          const incremental = await world.dump()
          expect(incremental.silver_klines_1m?.length).toBeGreaterThan(5)
          await world.pass({ isFull: true })
          expect(await world.dump()).toEqual(incremental)
          expect(await world.pass()).toEqual({ records: 0, minutes: 0, candles: 0, blocked: 0, commits: 0, refused: 0 })
        } finally {
          await world.close()
        }
      }),
      { numRuns: 4, endOnFailure: true },
    )
  })

  it('makes of the trades what a naive model makes of them', async () => {
    const world = await batchWorld()
    try {
      const { records, candles } = unkindTrades({
        seed: 7,
        trades: 400,
        maxOutOfOrdernessMs: 2_000,
        allowedLatenessMs: 3_600_000,
        averageStepMs: 3_000,
      })
      await world.live(records, 'drain-and-close')
      await world.pass()
      for (const table of ['silver_klines_1m', ...goldTables]) {
        const interval = table.split('_').at(-1)
        const { rows } = await world.pool.query(
          `SELECT symbol, (extract(epoch FROM open_time) * 1000)::float8 AS "openTime", open::text, high::text, low::text, close::text, volume::text, quote_volume::text AS "quoteVolume",
             trade_count::float8 AS "tradeCount", taker_buy_volume::text AS "takerBuyVolume", taker_buy_quote_volume::text AS "takerBuyQuoteVolume", vwap::text
           FROM ${table} ORDER BY open_time, symbol`,
        )
        const expected = candles
          .filter((candle) => candle.interval === interval)
          .map(({ interval: _, firstTradeId: __, lastTradeId: ___, ...rest }) => rest)
          .sort((a, b) => a.openTime - b.openTime || (a.symbol < b.symbol ? -1 : 1))
        expect(rows).toEqual(expected)
      }
    } finally {
      await world.close()
    }
  })

  it('takes ours where both are the same, the exchange’s where not, and whichever is alone', async () => {
    const world = await batchWorld()
    try {
      const at = (n: number) => midnight + n * minute
      await world.klines([kline(at(0)), kline(at(1)), kline(at(2), { tradeCount: 0, volume: '0', quoteVolume: '0' })])
      const ours = (openTime: number, tradeCount: number) =>
        world.pool.query(
          `INSERT INTO archived_klines_1m VALUES ('spot', 'BTCUSDT', '1m', timestamptz 'epoch' + $1 * interval '1 ms', 10, 12, 9, 11, 2, 21.0000000012345678, $2, 1, 10.5, 10.5, 1, 4, true, 1)`,
          [openTime, tradeCount],
        )
      await ours(at(0), 4)
      await ours(at(1), 3)
      await ours(at(3), 3)
      await world.pass()
      const silver = async () =>
        (
          await world.pool.query(
            `SELECT source, trade_count::int AS n, quote_volume::text AS q, vwap::text AS v FROM silver_klines_1m ORDER BY open_time`,
          )
        ).rows.map(({ source, n, q, v }) => `${source} ${n} ${q} ${v}`)
      expect(await silver()).toEqual([
        'trades 4 21.0000000012345678 10.50000000',
        'exchange 4 21.0000000000000000 10.50000000',
        'exchange 0 0.0000000000000000 null',
        'trades 3 21.0000000012345678 10.50000000',
      ])
      // What the exchange took back is gone, and its own word counts again where ours changes.
      await world.pool.query(`DELETE FROM raw_klines WHERE trade_count = 0`)
      await world.pool.query(`UPDATE archived_klines_1m SET trade_count = 4 WHERE trade_count = 3 AND open_time < $1`, [
        new Date(at(3)),
      ])
      expect(await world.pass()).toMatchObject({ minutes: 2 })
      expect((await silver()).map((line) => line.split(' ')[0])).toEqual(['trades', 'trades', 'trades'])
    } finally {
      await world.close()
    }
  })

  it('has the price by volume of a kline rounded once, half to even', async () => {
    const world = await batchWorld()
    try {
      const drawn = fc.sample(
        fc.tuple(
          fc.bigInt({ min: 0n, max: 10n ** 20n }),
          fc.oneof(fc.constantFrom(200_000_000n, 400_000_000n, 800_000_000n), fc.bigInt({ min: 1n, max: 10n ** 14n })),
        ),
        { numRuns: 500, seed: 5 },
      )
      const { rows } = await world.pool.query<{ vwap: string | null }>(
        'SELECT vwap_of(quote, volume)::text AS vwap FROM unnest($1::numeric[], $2::numeric[]) WITH ORDINALITY AS drawn (quote, volume, n) ORDER BY n',
        [drawn.map(([quote]) => formatFixed(quote, 8, 8)), drawn.map(([, volume]) => formatFixed(volume, 8, 8))],
      )
      expect(rows.map(({ vwap }) => vwap)).toEqual(
        drawn.map(([quote, volume]) => formatFixed(divideHalfEven(quote * 100_000_000n, volume), 8, 8)),
      )
      expect((await world.pool.query('SELECT vwap_of(0, 0) AS vwap')).rows).toEqual([{ vwap: null }])
    } finally {
      await world.close()
    }
  })

  it('says which minute has trades and no volume, and goes on where its hour is blocked', async () => {
    const world = await batchWorld()
    try {
      await world.klines([kline(midnight), kline(midnight + minute, { volume: '0' })])
      await expect(world.pass()).rejects.toThrow(
        'the minute of BTCUSDT (spot) at 2026-01-15T00:01:00.000Z has 4 trades and no volume',
      )
      expect(await world.pass({ quality: silverBoundary })).toMatchObject({ minutes: 2, candles: 0, blocked: 1 })
      await world.pool.query(`UPDATE raw_klines SET volume = 2`)
      expect(await world.pass({ quality: silverBoundary })).toMatchObject({ minutes: 1, candles: 5, blocked: 0 })
    } finally {
      await world.close()
    }
  })

  it('makes no candle of a window that is blocked, and makes it once the window is sound', async () => {
    const world = await batchWorld()
    try {
      await world.klines(Array.from({ length: 180 }, (_, i) => kline(midnight + i * minute)))
      const asked: number[] = []
      const count = async (table: string) =>
        Number((await world.pool.query(`SELECT count(*) FROM ${table}`)).rows[0]?.count)
      await world.pass({
        quality: judgedBy(async (_, windows, { runId }) => {
          expect(runId).toBe('run-1')
          asked.push(windows.length)
          return windows.slice(1, 2)
        }),
      })
      expect(asked).toEqual([3])
      expect(await count('gold_klines_1h')).toBe(2)
      expect(await count('gold_klines_5m')).toBe(24)
      expect(await count('gold_klines_1d')).toBe(0)
      expect(await count('silver_klines_1m')).toBe(180)
      await world.klines([kline(midnight + 70 * minute, { close: '11.5' })])
      await world.pass({ quality: judgedBy(async () => []) })
      expect([await count('gold_klines_1h'), await count('gold_klines_1d')]).toEqual([3, 1])
    } finally {
      await world.close()
    }
  })

  it('judges a blocked hour again though no minute has changed, and tells which are blocked', async () => {
    const world = await batchWorld()
    try {
      await world.klines(Array.from({ length: 180 }, (_, i) => kline(midnight + i * minute)))
      await world.pass({ quality: judgedBy(async (_, windows) => windows) })
      const blocked = async () =>
        (
          await world.pool.query<{ at: Date; run_id: string }>(
            'SELECT from_time AS at, run_id FROM blocked_window ORDER BY 1',
          )
        ).rows.map(({ at, run_id }) => [(at.getTime() - midnight) / 3_600_000, run_id])
      expect(await blocked()).toEqual([0, 1, 2].map((hour) => [hour, 'run-1']))
      expect((await world.dump()).gold_klines_5m).toEqual([])
      // The check was mended; of the minutes none has changed.
      const asked: number[] = []
      const counts = await world.pass({
        quality: judgedBy(async (_, windows) => {
          asked.push(...windows.map(({ from }) => (from - midnight) / 3_600_000))
          return windows.slice(2)
        }),
      })
      expect(asked).toEqual([0, 1, 2])
      expect(counts).toMatchObject({ minutes: 0, blocked: 1, candles: 24 + 8 + 2 })
      expect(await blocked()).toEqual([[2, 'run-2']])
      // An hour whose minutes are gone is nothing to hold up.
      await world.pool.query('DELETE FROM raw_klines WHERE open_time >= $1', [new Date(midnight + 120 * minute)])
      const emptied: number[] = []
      await world.pass({
        quality: judgedBy(async (_, windows, run) => {
          emptied.push(...run.emptied.map(({ from }) => (from - midnight) / 3_600_000))
          return windows.filter(({ from }) => from >= midnight + 120 * minute)
        }),
      })
      expect(emptied).toEqual([2])
      expect(await blocked()).toEqual([])
      expect((await world.dump()).gold_klines_1d).toHaveLength(1)
    } finally {
      await world.close()
    }
  })

  it('judges anew what somebody has written to meanwhile, and makes gold of what it has judged', async () => {
    const world = await batchWorld()
    try {
      await world.klines(Array.from({ length: 60 }, (_, i) => kline(midnight + i * minute)))
      let rounds = 0
      const counts = await world.pass({
        quality: judgedBy(async (client, windows) => {
          rounds += 1
          if (rounds === 1) await world.klines([kline(midnight + minute, { close: '11.5' })])
          const { rowCount } = await client.query(
            'SELECT FROM silver_klines_1m AS ours JOIN raw_klines AS theirs USING (market, symbol, open_time) WHERE ours.close <> theirs.close',
          )
          return rowCount === 0 ? [] : windows
        }),
      })
      expect(rounds).toBe(2)
      expect(counts).toMatchObject({ minutes: 61, blocked: 0 })
      expect((await world.dump()).gold_klines_1h).toHaveLength(1)
      expect(await world.pass()).toMatchObject({ minutes: 0, candles: 0 })
    } finally {
      await world.close()
    }
  })

  it('makes everything anew in full: longer candles and the lake as well, whoever has changed them', async () => {
    const world = await batchWorld()
    try {
      const { records } = unkindTrades({
        seed: 3,
        trades: 200,
        maxOutOfOrdernessMs: 2_000,
        allowedLatenessMs: 3_600_000,
        averageStepMs: 5_000,
      })
      await world.live(records, 'drain-and-close')
      await world.klines([kline(midnight), kline(midnight + minute)])
      await world.pass()
      const before = await world.dump()
      await world.pool.query(`DELETE FROM gold_klines_1h`)
      await world.pool.query(`UPDATE gold_klines_5m SET close = close + 1`)
      await world.pool.query(
        `INSERT INTO gold_klines_1d SELECT market, 'GONE', open_time, open, high, low, close, volume, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, vwap FROM gold_klines_1d LIMIT 1`,
      )
      await world.pass({ isFull: true })
      expect(await world.dump()).toEqual(before)
      // A file of the lake that is another than the table: nobody has noted a change.
      await world.pool.query('ALTER TABLE gold_klines_4h DISABLE TRIGGER ALL')
      await world.pool.query('UPDATE gold_klines_4h SET close = close + 1')
      await world.pool.query('ALTER TABLE gold_klines_4h ENABLE TRIGGER ALL')
      await world.pool.query('DELETE FROM dirty_day')
      expect(await world.pass({ isFull: true })).toMatchObject({ commits: 0 })
      expect(await world.dump()).toEqual(before)
      // Without an archive there is nothing to make its minutes of again, so they stay.
      await world.pass({ isFull: true, archive: null })
      expect(await world.dump()).toEqual(before)
    } finally {
      await world.close()
    }
  })

  it('forgets nothing where the archive cannot be read', async () => {
    const world = await batchWorld(2)
    try {
      const input = unkindTrades({
        seed: 4,
        trades: 1_500,
        maxOutOfOrdernessMs: 2_000,
        allowedLatenessMs: 30_000,
        partitions: 2,
      })
      await world.live(input.records, 'drain-and-close')
      await world.pass()
      const minutes = async () =>
        (await world.pool.query('SELECT row_to_json(m)::text AS text FROM archived_klines_1m m ORDER BY 1')).rows
      const [before, silver] = [await minutes(), await world.dump()]
      expect(before.length).toBeGreaterThan(5)
      const [key, body] = [...world.archive.objects].at(-1) as [string, Buffer]
      world.archive.objects.delete(key)
      await expect(world.pass({ isFull: true })).rejects.toThrow(CorruptRecordError)
      world.archive.objects.set(key, body.subarray(0, -1))
      await expect(world.pass({ isFull: true })).rejects.toThrow(/is not as it was written/)
      expect(await minutes()).toEqual(before)
      expect(await world.pass()).toMatchObject({ minutes: 0, candles: 0 })
      world.archive.objects.set(key, body)
      await world.pass({ isFull: true })
      expect([await minutes(), await world.dump()]).toEqual([before, silver])
    } finally {
      await world.close()
    }
  })

  it('takes nothing away from a pass under way when everything is made anew, but waits for it', async () => {
    const world = await batchWorld()
    try {
      const { records } = unkindTrades({
        seed: 4,
        trades: 100,
        maxOutOfOrdernessMs: 2_000,
        allowedLatenessMs: 3_600_000,
        averageStepMs: 5_000,
      })
      await world.live(records, 'drain-and-close')
      const minutes = async () =>
        Number((await world.pool.query('SELECT count(*) FROM archived_klines_1m')).rows[0]?.count)
      let full: Promise<unknown> = Promise.resolve()
      let during = 0
      await world.pass({
        quality: judgedBy(async () => {
          full = world.pass({ isFull: true })
          await sleep(700)
          during = await minutes()
          return []
        }),
      })
      await full
      expect(during).toBe(await minutes())
      expect(during).toBeGreaterThan(0)
    } finally {
      await world.close()
    }
  })

  it('brings each archived trade into the lake once, in files of its day', async () => {
    const world = await batchWorld(2)
    try {
      const { records } = unkindTrades({
        seed: 5,
        trades: 2_500,
        maxOutOfOrdernessMs: 2_000,
        allowedLatenessMs: 3_600_000,
        averageStepMs: 60_000,
        partitions: 2,
      })
      const half = Math.floor(records.length / 2)
      await world.live(records.slice(0, half))
      expect((await world.pass()).commits).toBeGreaterThan(6)
      await world.live(records.slice(half), 'drain-and-close')
      // A store that fails in the middle leaves what was before.
      const put = world.lakeStore.put.bind(world.lakeStore)
      world.lakeStore.put = async (key, ...more) => {
        if (key.includes('bronze_trades/commits')) throw new Error('no room')
        return put(key, ...more)
      }
      await expect(world.pass()).rejects.toThrow('no room')
      world.lakeStore.put = put
      await world.pass()
      const client = await world.pool.connect()
      const files = await readLiveFiles(client, 'market.bronze_trades')
      client.release()
      const offsets: string[] = []
      for (const { path, day } of files) {
        const body = (await world.lakeStore.get(`market/bronze_trades/${path}`)) as Buffer
        const file = body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer
        const metadata = parquetMetadata(file)
        for (const element of metadata.schema) {
          if (element.name === 'trade_time')
            for (const meaning of ['converted_type', 'logical_type'] as const) delete element[meaning]
        }
        const columns = ['trade_time', 'log_partition', 'log_offset']
        const compressors = { ZSTD: (input: Uint8Array) => zstdDecompressSync(input) }
        for (const row of await parquetReadObjects({ file, metadata, compressors, columns })) {
          offsets.push(`${row.log_partition} ${row.log_offset}`)
          expect(Math.floor(Number(row.trade_time) / 86_400_000_000)).toBe(day)
        }
      }
      const expected: string[] = []
      for (const partition of [0, 1]) {
        const reader = world.log.reader(partition)
        const view = new RecordView()
        const fetch = () => reader.fetch({ maxBytes: 1_000_000, maxWaitMs: 0 })
        for (let batch = await fetch(); batch !== null; batch = await fetch()) {
          while (batch.read(view)) {
            const event = world.trades.decode(view)
            if (event === undefined || event instanceof Rejection || event.type !== 'trade') continue
            expected.push(`${partition} ${view.offset}`)
          }
        }
      }
      expect(expected.length).toBeGreaterThan(1_000)
      expect(offsets.sort()).toEqual(expected.sort())
      expect(new Set(files.map(({ day }) => day)).size).toBeGreaterThan(1)
      expect(await world.pass()).toMatchObject({ commits: 0 })
    } finally {
      await world.close()
    }
  })

  it('follows a minute that was moved, and a table that was emptied', async () => {
    const world = await batchWorld()
    try {
      await world.klines([0, 1, 2].map((n) => kline(midnight + n * minute)))
      await world.pass()
      await world.pool.query(
        `UPDATE raw_klines SET symbol = 'XBTUSD', open_time = open_time + interval '2 days' WHERE open_time = $1`,
        [new Date(midnight)],
      )
      expect(await world.pass()).toMatchObject({ minutes: 2 })
      expect((await world.dump()).silver_klines_1m?.map((text) => JSON.parse(text).symbol)).toEqual([
        'BTCUSDT',
        'BTCUSDT',
        'XBTUSD',
      ])
      await world.pool.query('TRUNCATE raw_klines')
      expect(await world.pass()).toMatchObject({ minutes: 3, commits: 6 })
      expect(await world.dump()).toEqual(Object.fromEntries(['silver_klines_1m', ...goldTables].map((t) => [t, []])))
    } finally {
      await world.close()
    }
  })

  it('tells of an hour that is blocked when it becomes so, and why, and not again while it stays so', async () => {
    const world = await batchWorld()
    try {
      await world.klines(Array.from({ length: 180 }, (_, i) => kline(midnight + i * minute)))
      await world.pass({ quality: silverBoundary })
      expect(world.told).toEqual([])
      await world.klines([kline(midnight + 70 * minute, { high: '1' })])
      await world.pass({ quality: silverBoundary })
      await world.pass({ quality: silverBoundary })
      expect(world.told).toHaveLength(1)
      expect(world.told[0]).toContain(
        '1 hour is blocked from now on, so that no longer candle is made of it: spot BTCUSDT 2026-01-15T01:00Z. What fails: ',
      )
      expect(world.told[0]).toContain('low <= open <= high (1 of 60 rows fail')
      await world.klines([kline(midnight + 70 * minute)])
      await world.pass({ quality: silverBoundary })
      await world.klines([0, 1, 2, 3, 4, 5].map((hour) => kline(midnight + hour * 3_600_000, { close: '99' })))
      await world.pass({ quality: silverBoundary })
      expect(world.told).toHaveLength(2)
      expect(world.told[1]).toMatch(/^6 hours are blocked .*T04:00Z and 1 more\. /)
    } finally {
      await world.close()
    }
  })

  it('holds up the hour of a number that is none, and nothing else', async () => {
    const world = await batchWorld()
    try {
      const at = (n: number) => midnight + n * minute
      const odd = [
        kline(at(90), { high: 'NaN' }),
        kline(at(91), { quoteVolume: 'Infinity' }),
        kline(at(92), { volume: '1e30' }),
        kline(at(93)),
      ]
      await world.klines([kline(at(0)), kline(at(60)), ...odd])
      await world.pool.query('UPDATE raw_klines SET quote_volume = NULL WHERE open_time = $1', [new Date(at(93))])
      expect(await world.pass({ quality: silverBoundary })).toMatchObject({ minutes: 2, blocked: 1, candles: 3 })
      const { rows } = await world.pool.query('SELECT expected FROM quarantine WHERE expected IS NOT NULL')
      expect(rows.map(({ expected }) => expected.high).sort()).toEqual([12, 12, 12, 'NaN'])
    } finally {
      await world.close()
    }
  })

  it('leaves all as it was where it fails, and the next one makes it', async () => {
    const world = await batchWorld()
    try {
      await world.klines([kline(midnight)])
      const broken = world.pass({
        quality: judgedBy(async () => {
          throw new Error('no verdict')
        }),
      })
      await expect(broken).rejects.toThrow('no verdict')
      expect((await world.dump()).silver_klines_1m).toEqual([])
      expect(await world.pass()).toMatchObject({ minutes: 1, candles: 5, commits: 6 })
    } finally {
      await world.close()
    }
  })

  it('does not pass over what is committed while it runs', async () => {
    const world = await batchWorld()
    try {
      await world.klines([kline(midnight)])
      const slow = await world.pool.connect()
      await slow.query('BEGIN')
      await slow.query(`DELETE FROM raw_klines`)
      await world.pass()
      await slow.query('COMMIT')
      slow.release()
      expect((await world.dump()).silver_klines_1m).toHaveLength(1)
      await world.pass()
      expect(await world.dump()).toEqual(Object.fromEntries(['silver_klines_1m', ...goldTables].map((t) => [t, []])))
    } finally {
      await world.close()
    }
  })

  it('writes the changed days alone to the lake, in one commit a table', async () => {
    const world = await batchWorld()
    try {
      const files = async () => {
        const client = await world.pool.connect()
        try {
          return await readLiveFiles(client, 'market.silver_klines_1m')
        } finally {
          client.release()
        }
      }
      await world.klines([kline(midnight), kline(midnight + 86_400_000)])
      await world.pass()
      const before = await files()
      await world.klines([kline(midnight + minute)])
      expect(await world.pass()).toMatchObject({ commits: 6 })
      const after = await files()
      expect(after.map(({ rowCount, added }) => [rowCount, added]).sort()).toEqual([
        [1, 1],
        [2, 2],
      ])
      expect(after.filter(({ path }) => before.some((known) => known.path === path))).toHaveLength(1)
    } finally {
      await world.close()
    }
  })

  it('goes part by part, the newest days first, and judges each hour once, when its minutes are in silver', async () => {
    const world = await batchWorld()
    try {
      const day = 86_400_000
      const days = 40
      const times = Array.from({ length: days }, (_, n) => [-2, -1, 0, 1].map((i) => midnight + n * day + i * minute))
      await world.klines(times.flat().map((time) => kline(time)))
      const judged: string[] = []
      const emptied: string[] = []
      const newest: number[] = []
      const name = ({ symbol, from }: { symbol: string; from: number }) => `${symbol} ${from}`
      const judge: QualityBoundary['judge'] = async (client, windows, run) => {
        judged.push(...windows.map(name))
        emptied.push(...run.emptied.map(name))
        const { rows } = await client.query<{ newest: number; missing: number }>(
          `SELECT (SELECT extract(epoch FROM max(open_time))::float8 * 1000 FROM silver_klines_1m) AS newest, count(*)::integer AS missing
           FROM raw_klines AS r JOIN unnest($1::float8[], $2::float8[]) AS given (from_ms, to_ms)
             ON extract(epoch FROM open_time) * 1000 >= from_ms AND extract(epoch FROM open_time) * 1000 < to_ms
           WHERE NOT EXISTS (SELECT FROM silver_klines_1m AS s WHERE s.symbol = r.symbol AND s.open_time = r.open_time AND s.close = r.close)`,
          [windows.map(({ from }) => from), windows.map(({ to }) => to)],
        )
        newest.push(rows[0]?.newest as number)
        expect(rows[0]?.missing).toBe(0)
        return []
      }
      const counts = await world.pass({ quality: judgedBy(judge) })
      expect(counts).toMatchObject({ minutes: 4 * days, blocked: 0 })
      expect(newest.length).toBeGreaterThan(2)
      expect(new Set(newest)).toEqual(new Set([midnight + (days - 1) * day + minute]))
      expect(new Set(judged).size).toBe(2 * days)
      expect(judged).toHaveLength(2 * days)
      expect(new Set(emptied).size).toBe(emptied.length)
      // What was made along is what PostgreSQL has, day by day.
      const client = await world.pool.connect()
      try {
        for (const table of ['silver_klines_1m', ...goldTables]) {
          const { rows } = await client.query<{ day: number; rows: number }>(
            `SELECT floor(extract(epoch FROM open_time) / 86400)::integer AS day, count(*)::integer AS rows FROM ${table} GROUP BY 1 ORDER BY 1`,
          )
          const files = await readLiveFiles(client, `market.${table}`)
          expect(
            files.map((file) => ({ day: file.day, rows: file.rowCount })).sort((a, b) => (a.day ?? 0) - (b.day ?? 0)),
          ).toEqual(rows)
        }
      } finally {
        client.release()
      }
      // What is corrected is in silver as it was until its part comes.
      judged.length = 0
      await world.klines(times.flat().map((time) => kline(time, { close: '11.5' })))
      expect(await world.pass({ quality: judgedBy(judge) })).toMatchObject({ minutes: 4 * days, blocked: 0 })
      expect(new Set(judged).size).toBe(judged.length)
      const before = await world.dump()
      judged.length = 0
      expect(await world.pass({ quality: judgedBy(judge), isFull: true })).toMatchObject({
        minutes: 0,
        candles: 0,
        commits: 0,
      })
      expect(judged).toHaveLength(2 * days)
      expect(await world.dump()).toEqual(before)
    } finally {
      await world.close()
    }
  })

  it('tells once of an hour that is held up, though it was judged once more in the same pass', async () => {
    const world = await batchWorld()
    try {
      const day = 86_400_000
      await world.klines(Array.from({ length: 30 }, (_, n) => kline(midnight + n * day)))
      let calls = 0
      const counts = await world.pass({
        quality: judgedBy(async (_, windows) => {
          calls += 1
          // Somebody corrects a minute of a part that is done, in one that is blocked.
          if (calls === 2) {
            const at = windows.at(-1)?.from as number
            await world.klines([kline(midnight + 29 * day, { close: '11.5' }), kline(at, { close: '11.5' })])
          }
          return windows.filter(({ from }) => from === midnight + 29 * day || calls === 2)
        }),
      })
      expect(counts.blocked).toBe(1)
      expect(world.told.map((text) => text.slice(0, 18))).toEqual(['1 hour is blocked '])
      expect((await world.dump()).gold_klines_1d).toHaveLength(29)
      expect((await world.pass()).minutes).toBe(0)
    } finally {
      await world.close()
    }
  })
})
