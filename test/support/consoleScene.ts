import type pg from 'pg'
import type { AlertEvent } from '../../src/market/alertEvent.ts'
import { tradeCodec } from '../../src/market/tradeCodec.ts'
import { textOf } from '../../src/operators/alerts/alertText.ts'
import { realtime } from '../../src/pipelines/realtime.ts'
import { graphOf } from '../../src/runtime/task/graph.ts'
import { Random } from '../../src/testing/random.ts'
import { type CandleRow, commitCandles } from './candleRows.ts'

const minute = 60_000

export interface SceneOptions {
  /** ms UTC of the newest candle. */
  readonly now: number
  readonly market?: string
  readonly candles?: number
  /** Names that somebody else may have chosen. */
  readonly evil?: string
}

/** What a console has to show, as a pipeline would have left it: candles of some symbols with a correction, a gap and an open one, dead letters, a run. */
export async function paintScene(pool: pg.Pool, options: SceneOptions): Promise<void> {
  const { market = 'spot', candles = 420, evil } = options
  const newest = Math.floor(options.now / minute) * minute
  const prices: readonly (readonly [string, number])[] = [
    ['BTCUSDT', 61_000],
    ['ETHUSDT', 2_650],
    ['BNBUSDT', 512],
    ['SOLUSDT', 154],
    ['XRPUSDT', 0.6],
    ...(evil === undefined ? [] : ([[evil, 3]] as const)),
  ]
  const rows = prices.flatMap(([symbol, price], i) => walk(symbol, price, newest, candles, i + 1, market))
  await commitCandles(pool, rows)
  await hourly(pool)
  await pool.query(
    `INSERT INTO feed_gap (market, symbol, epoch, first_id, last_id, from_time, to_time, state, missing, reason, seen_at, revision)
     VALUES ($1, 'BTCUSDT', 0, 1, 212, to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000), 'open', 212, 'the connection was lost', now(), 1)`,
    [market, newest - 64 * minute, newest - 61 * minute],
  )
  await letters(pool, evil)
  await alerts(pool, market, newest, evil)
}

async function hourly(pool: pg.Pool): Promise<void> {
  await pool.query(`INSERT INTO fact_realtime_trades_1h
    SELECT market, symbol, '1h', date_trunc('hour', open_time), (array_agg(open ORDER BY open_time))[1], max(high), min(low),
      (array_agg(close ORDER BY open_time DESC))[1], sum(volume), sum(quote_volume), sum(trade_count), 0, 0, avg(close), 1, 1, true, 1
    FROM fact_realtime_trades_1m GROUP BY market, symbol, date_trunc('hour', open_time) ON CONFLICT DO NOTHING`)
}

function walk(
  symbol: string,
  price: number,
  newest: number,
  count: number,
  seed: number,
  market: string,
): readonly CandleRow[] {
  const chance = new Random(seed)
  const random = () => chance.fraction()
  let close = price
  const places = price < 10 ? 4 : 2
  return Array.from({ length: count }, (_, i) => {
    const open = close
    const wave = Math.sin((i + seed * 40) / 37) * 0.00045
    close = open * (1 + (random() - 0.5) * 0.0022 + wave)
    const high = Math.max(open, close) * (1 + random() * 0.0006)
    const low = Math.min(open, close) * (1 - random() * 0.0006)
    const isNewest = i === count - 1
    return {
      symbol,
      market,
      openTime: newest - (count - 1 - i) * minute,
      open: open.toFixed(places),
      high: high.toFixed(places),
      low: low.toFixed(places),
      close: close.toFixed(places),
      volume: (4 + random() * 30 + Math.abs(close / open - 1) * 12_000).toFixed(5),
      trades: 60 + Math.round(random() * 600),
      isClosed: !isNewest,
      revision: isNewest ? 0 : i === count - 30 ? 2 : 1,
    }
  })
}

async function alerts(pool: pg.Pool, market: string, newest: number, evil: string | undefined): Promise<void> {
  const decided = (
    minutes: number,
    event: Pick<AlertEvent, 'rule' | 'severity' | 'symbol' | 'transition' | 'value' | 'threshold'> & { note?: string },
  ) => {
    const openTime = newest - minutes * minute
    const { note = '', ...facts } = event
    const whole = {
      ...facts,
      kind: 'price',
      market,
      interval: '1m',
      openTime,
      corrects: null,
      revision: 1,
      at: openTime + minute,
      muted: 0,
      isComplete: true,
    }
    return { ...whole, text: textOf(whole, true, note) }
  }
  const [high, low] = [
    { rule: 'btc-high', severity: 'page', symbol: 'BTCUSDT', threshold: '61500', note: 'Call Ada' },
    { rule: 'sol-falls', severity: 'ticket', symbol: 'SOLUSDT', threshold: '150' },
  ] as const
  const events = [
    decided(12, { ...high, transition: 'firing', value: '61542.18' }),
    decided(25, { ...low, transition: 'firing', value: '149.2' }),
    decided(31, { ...low, transition: 'resolved', value: '152.4' }),
    decided(58, { ...low, transition: 'firing', value: '148.91' }),
    decided(40, { rule: 'quiet', severity: 'info', symbol: 'XRPUSDT', threshold: '', transition: 'noData', value: '' }),
    ...(evil === undefined
      ? []
      : [
          decided(2, {
            rule: 'evil',
            severity: 'info',
            symbol: evil,
            threshold: '1',
            transition: 'firing',
            value: evil,
          }),
        ]),
  ]
  for (const event of events)
    await pool.query(
      `INSERT INTO alert_event (rule, market, symbol, interval, open_time, transition, revision, kind, severity, corrects, at, value, threshold, muted, is_complete, text)
       VALUES ($1, $2, $3, $4, to_timestamp($5::float8 / 1000), $6, $7, $8, $9, $10, to_timestamp($11::float8 / 1000), $12, $13, $14, $15, $16)`,
      [
        event.rule,
        event.market,
        event.symbol,
        event.interval,
        event.openTime,
        event.transition,
        event.revision,
        event.kind,
        event.severity,
        event.corrects,
        event.at,
        event.value,
        event.threshold,
        event.muted,
        event.isComplete,
        event.text,
      ],
    )
}

async function letters(pool: pg.Pool, evil: string | undefined): Promise<void> {
  const insert = `INSERT INTO dead_letter (pipeline, topic, partition, "offset", operator, ordinal, reason, detail, record_time, key, payload, created_at)
    VALUES ('realtime', 'crypto.trades.raw', $1, $2, $3, 0, $4, $5, now(), 'BTCUSDT', $6, now() - $7 * interval '1 minute')`
  const broken = Buffer.from('{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":4012,"p":"6100')
  for (let i = 0; i < 12; i += 1) {
    await pool.query(insert, [
      i % 4,
      1041 + i,
      'decode',
      'malformed',
      'no JSON: the text ends within a string',
      broken,
      i,
    ])
  }
  for (let i = 0; i < 3; i += 1) {
    await pool.query(insert, [
      i,
      8800 + i,
      '1m',
      'late',
      'its window has closed 12 s before',
      Buffer.from('{"late":true}'),
      40 + i,
    ])
  }
  if (evil !== undefined) await pool.query(insert, [0, 1, 'decode', evil, evil, Buffer.from(evil), 1])
}

/** Says each second how the pipeline is doing, as the process that runs it does, until the function that it gives is called. */
export async function runScene(pool: pg.Pool, options: { readonly lag?: number } = {}): Promise<() => Promise<void>> {
  const graph = graphOf(realtime(tradeCodec({ market: 'spot', timeUnit: 'ms' })))
  let records = 184_000
  let turn = 0
  const say = async () => {
    turn += 1
    records += 180 + (turn % 7) * 9
    await pool.query(
      `INSERT INTO run_report (pipeline, process, started_at, graph, report) VALUES ('realtime', 'worker-1:4711', now() - interval '42 minutes', $1, $2)
       ON CONFLICT (pipeline, process) DO UPDATE SET reported_at = now(), report = EXCLUDED.report`,
      [JSON.stringify(graph), JSON.stringify(report(graph, records, turn, options.lag ?? 24))],
    )
  }
  await say()
  let saying = Promise.resolve()
  const timer = setInterval(() => {
    saying = saying.then(say)
  }, 1_000)
  return async () => {
    clearInterval(timer)
    await saying
  }
}

function report(graph: ReturnType<typeof graphOf>, records: number, turn: number, lag: number): object {
  const now = Date.now()
  const behind = Math.round(lag * (1 + 0.4 * Math.sin(turn / 5)))
  const tasks = [0, 1, 2, 3].map((partition) => ({
    partition,
    phase: 'running',
    waitingFor: null,
    generation: 7,
    nextOffset: Math.round(records / 4) + partition,
    committedOffset: Math.round(records / 4) - Math.round(behind / 4) * (partition === 2 ? 2 : 1),
    logEndOffset: Math.round(records / 4),
    watermark: now - 2_100 - partition * 40,
    committedAt: now - 140 - partition * 30,
    commitMs: 9 + partition,
    restarts: 0,
  }))
  const operators = graph.nodes.filter(({ kind }) => kind === 'operator')
  return {
    pid: 4711,
    source: 'binance spot, BTCUSDT, ETHUSDT and 3 more',
    at: now,
    records,
    recordsPerS: 186 + (turn % 5) * 4,
    waitingFor: null,
    waitingSince: null,
    isOfThePast: false,
    taskCount: 4,
    tasks,
    feeds: [{ name: 'binance', counts: { frames: records, gaps: 1, reconnects: 2, fills: 1 }, troubles: [] }],
    work: {
      deadLetters: 15,
      watermarkLagMs: 2_220,
      inputs: [{ name: 'records', topic: 'crypto.trades.raw', nextOffset: records, lagRecords: behind, lagMs: 2_220 }],
      operators: operators.map(({ name }, i) => ({
        name,
        valuesIn: i < 5 ? records : Math.round(records / (8 * i)),
        valuesOut: i < 4 ? records - 15 * Math.min(1, i) : Math.round(records / (8 * (i + 1))),
        keyCount: i < 3 ? 0 : 5,
        openUntil: i < 3 ? null : now + 30_000,
        heldBy: null,
      })),
      outlets: graph.nodes
        .filter(({ kind, isArchive }) => kind === 'outlet' && isArchive !== true)
        .map(({ name, table }, i) => ({
          outlet: name,
          kind: 'rows',
          to: table ?? name,
          count: Math.round(records / (12 + 40 * i)),
          perS: 20 / (i + 1),
          waiting: 0,
          refused: 0,
        })),
    },
  }
}
