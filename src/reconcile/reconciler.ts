import type pg from 'pg'
import type { Aggregate } from '../backfill/aggregate.ts'
import { type ExchangeHistory, mostTrades, tradesBetween } from '../backfill/exchangeHistory.ts'
import type { KlineStore } from '../backfill/klineStore.ts'
import { countsOf, differingColumns } from '../market/klineEquality.ts'
import type { Market } from '../market/trade.ts'
import {
  endExplained,
  judged,
  missingKlines,
  newestMinute,
  type OpenDifference,
  openDifferences,
  tracedSymbols,
} from '../queries/minuteDifferences.ts'
import { reconcile } from '../queries/reconcile.ts'
import { candleOf } from './minuteCandle.ts'
import type { RefillWriter } from './refill.ts'

export interface ReconcilerOptions {
  /** Of the candles. */
  readonly market: Market
  /** Null for all that we have candles of. */
  readonly symbol: string | null
  readonly client: pg.Client
  readonly store: KlineStore
  readonly history: ExchangeHistory
  readonly refills: RefillWriter
  /** The topic of the candles' trades. */
  readonly topic: string
  /** How long behind the watermark its windows take trades, ms. */
  readonly allowedLatenessMs: number
  /** ms UTC, for what is told. */
  readonly now: () => number
  readonly onNotice: (line: string) => void
}

/** What one round came to. */
export interface Round {
  readonly compared: number
  readonly open: number
  readonly refilled: number
  readonly explained: number
}

const minuteMs = 60_000
/** How far back from the newest candle is compared: what is older was compared before, or is for `millrace reconcile` to compare. */
const reachMs = 3_600_000
const mostRefills = 3
/** A refill is taken within a checkpoint or two. */
const lookEveryMs = 20_000
/** What nothing corrects any more may still be corrected by the exchange. */
const overEveryMs = 600_000
/** Looked into in one round: each costs a few requests. */
const mostLooks = 50
/** Fetching the trades and appending them takes its time, in which the watermark goes on. */
const lookMs = 5_000

/**
 * Holds each closed minute of ours against the exchange's candle, and finds out which of the two is wrong where they differ: the exchange's own trades say it. Trades that our candle lacks are brought
 * into the topic again, so that the pipeline corrects it; a candle of the exchange that is not what its trades make is explained as such. What is known stands in the tables; it keeps nothing else between rounds but which minute was the newest.
 */
export class Reconciler {
  readonly #options: ReconcilerOptions
  #newestBefore: number | null = null

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** The symbols that we have candles of. */
  async symbols(): Promise<readonly string[]> {
    const { client, market, symbol } = this.#options
    return symbol === null ? await tracedSymbols(client, market) : [symbol]
  }

  /** Compares, and looks into what differs. Throws as `ExchangeHistory` does, and whatever the database and the log throw. */
  async round(): Promise<Round> {
    const { client, market, topic, allowedLatenessMs } = this.#options
    const symbols = await this.symbols()
    const newest = await newestMinute(client, market, symbols)
    if (newest === null) return { compared: 0, open: 0, refilled: 0, explained: 0 }
    const from = newest - reachMs
    await this.#fetchMissing(symbols, from, newest)
    const range = { market, symbols, from, to: null, intervals: ['1m'] as const }
    const { compared } = await reconcile(client, range)
    let refilled = 0
    let explained = 0
    const open = await openDifferences(client, {
      ...{ market, symbols, from, topic, allowedLatenessMs: allowedLatenessMs - lookMs, most: mostLooks },
    })
    for (const difference of open) {
      const outcome = await this.#look(difference)
      if (outcome === 'refilled') refilled++
      if (outcome === 'explained') explained++
    }
    return { compared, open: open.length - explained, refilled, explained }
  }

  async #fetchMissing(symbols: readonly string[], from: number, newest: number): Promise<void> {
    const { client, market, history, store } = this.#options
    // The stream tells the newest one within seconds; what it has not told by the next round REST is asked for.
    const until = newest === this.#newestBefore ? newest + minuteMs : newest
    this.#newestBefore = newest
    for (const { symbol, first, last } of await missingKlines(client, market, symbols, from, until)) {
      const series = { market, symbol, interval: '1m' } as const
      for await (const page of history.klines(symbol, '1m', { from: first, to: last + minuteMs })) {
        await store.addPage(series, page.klines, page.range)
      }
    }
  }

  async #look(difference: OpenDifference): Promise<'refilled' | 'explained' | 'open'> {
    const { client, market, history, onNotice } = this.#options
    const { symbol, openTime } = difference
    const name = `${symbol} ${new Date(openTime).toISOString()}`
    const say = async (verdict: string, isRefill = false): Promise<void> => {
      if (verdict !== difference.verdict) onNotice(`${name}: ${verdict}`)
      await judged(client, { market, symbol, openTime }, verdict, isRefill)
    }
    if (difference.gap !== null) {
      await say(`a gap is open over it (${difference.gap}): its trades are being fetched by the ingest`)
      return 'open'
    }
    if (difference.lookedMsAgo !== null && difference.lookedMsAgo < (difference.isOver ? overEveryMs : lookEveryMs))
      return 'open'
    if (await this.#again(symbol, openTime)) {
      onNotice(`${name}: the exchange tells another candle by now; it is compared anew`)
      return 'open'
    }
    const aggregates = await history.aggregates(symbol, openTime, openTime + minuteMs)
    if (aggregates === null) {
      await say(`it has more than ${mostTrades} trades: compare and fetch it by hand (backfill --trades)`)
      return 'open'
    }
    const truth = candleOf(aggregates)
    const againstTheirs = differingColumns(truth, countsOf(difference.theirs))
    if (againstTheirs.length > 0) {
      const isOurs = difference.ours !== null && differingColumns(truth, countsOf(difference.ours)).length === 0
      if (!isOurs) {
        await say(`the exchange's trades make neither candle: theirs differs in ${againstTheirs.join(', ')}`)
        return 'open'
      }
      const words = `the exchange's own trades make our candle; its candle differs from them in ${againstTheirs.join(', ')}`
      onNotice(`${name}: ${words}`)
      await endExplained(client, { market, symbol, openTime }, words)
      return 'explained'
    }
    return this.#refill(difference, aggregates, say)
  }

  /** The stream may have told it wrong, or REST corrected it since. Gives whether the exchange's candle is another one now. */
  async #again(symbol: string, openTime: number): Promise<boolean> {
    const { market, history, store } = this.#options
    const series = { market, symbol, interval: '1m' } as const
    let changed = 0
    for await (const page of history.klines(symbol, '1m', { from: openTime, to: openTime + minuteMs })) {
      changed += (await store.addPage(series, page.klines, page.range)).changed
    }
    return changed > 0
  }

  async #refill(
    difference: OpenDifference,
    aggregates: readonly Aggregate[],
    say: (verdict: string, isRefill?: boolean) => Promise<void>,
  ): Promise<'refilled' | 'open'> {
    const { market, history, refills: writer, now } = this.#options
    const { symbol, openTime, refills, ours, epoch } = difference
    const first = aggregates[0]?.firstId
    const last = aggregates.at(-1)?.lastId
    if (first === undefined || last === undefined) return 'open'
    const count = aggregates.reduce((sum, { firstId, lastId }) => sum + lastId - firstId + 1, 0)
    const missing = Math.max(0, count - Number(ours?.trade_count ?? 0))
    const lacks = `our candle has ${ours?.trade_count ?? 0} of ${count} trades (${first} to ${last})`
    if (history.trades === null) {
      await say(`${lacks}, and futures give old trades with a key only: take an archive (backfill --trades --url)`)
      return 'open'
    }
    if (refills >= mostRefills || difference.isOver) {
      await say(
        difference.isOver
          ? `${lacks}, and its windows are over, so it stays as it is${difference.theirs.trade_count === null ? '' : "; the batch layers take the exchange's minute"}. Once you know why, end this with reconcile --symbol ${symbol} --from ${new Date(openTime).toISOString()} --to ${new Date(openTime + minuteMs).toISOString()} --explain REASON`
          : `${lacks}; brought in ${refills} times and not taken: look for dead letters of that time`,
      )
      return 'open'
    }
    const trades = await tradesBetween(history.trades, symbol, first, last)
    await writer.append({
      ...{ market, symbol, epoch, trades, from: openTime, to: openTime + minuteMs, missing, refills },
      at: Math.floor(now()),
    })
    await say(`${lacks}: they were brought in again`, true)
    return 'refilled'
  }
}
