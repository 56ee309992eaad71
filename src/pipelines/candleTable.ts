import { formatFixed } from '../exact/decimal.ts'
import type { Candle } from '../market/candle.ts'
import type { Interval } from '../market/interval.ts'
import type { UpsertTable } from '../runtime/store/table.ts'

/** The table of one interval's candles: see sql/. A closed candle (revision 1 and up) replaces a provisional one (0), never the other way. */
export function candleTable(interval: Interval): UpsertTable<Candle> {
  return {
    mode: 'upsert',
    name: `fact_realtime_trades_${interval}`,
    key: ['market', 'symbol', 'interval', 'open_time'],
    revision: 'revision',
    columns: [
      { name: 'market', type: 'text', of: (candle) => candle.market },
      { name: 'symbol', type: 'text', of: (candle) => candle.symbol },
      { name: 'interval', type: 'text', of: (candle) => candle.interval },
      { name: 'open_time', type: 'timestamptz', of: (candle) => candle.openTime },
      { name: 'open', type: 'numeric', of: (candle) => formatFixed(candle.open, 8, 8) },
      { name: 'high', type: 'numeric', of: (candle) => formatFixed(candle.high, 8, 8) },
      { name: 'low', type: 'numeric', of: (candle) => formatFixed(candle.low, 8, 8) },
      { name: 'close', type: 'numeric', of: (candle) => formatFixed(candle.close, 8, 8) },
      { name: 'volume', type: 'numeric', of: (candle) => formatFixed(candle.volume, 8, 8) },
      { name: 'quote_volume', type: 'numeric', of: (candle) => formatFixed(candle.quoteVolume, 16, 16) },
      { name: 'trade_count', type: 'bigint', of: (candle) => candle.tradeCount },
      { name: 'taker_buy_volume', type: 'numeric', of: (candle) => formatFixed(candle.takerBuyVolume, 8, 8) },
      {
        name: 'taker_buy_quote_volume',
        type: 'numeric',
        of: (candle) => formatFixed(candle.takerBuyQuoteVolume, 16, 16),
      },
      { name: 'vwap', type: 'numeric', of: (candle) => formatFixed(candle.vwap, 8, 8) },
      { name: 'first_trade_id', type: 'bigint', of: (candle) => candle.firstTradeId },
      { name: 'last_trade_id', type: 'bigint', of: (candle) => candle.lastTradeId },
      { name: 'is_closed', type: 'boolean', of: (candle) => candle.isClosed },
      { name: 'revision', type: 'integer', of: (candle) => candle.revision },
    ],
  }
}
