-- Candles, one table an interval, so that a dashboard over minutes never scans days and each can be kept for as long as it is useful.
-- Natural key: market, symbol, interval, open_time. The row of a key is replaced by one whose revision is not older.

CREATE TABLE fact_realtime_trades_1m (
  -- Which order book: spot, usdm, or simulated for invented prices.
  market                 text        NOT NULL,
  symbol                 text        NOT NULL,
  interval               text        NOT NULL,
  -- The candle covers [open_time, open_time + interval).
  open_time              timestamptz NOT NULL,
  -- Decimals of the exchange's text, exact: prices and volumes have at most 8 places, quote sums at most 16.
  open                   numeric     NOT NULL,
  high                   numeric     NOT NULL,
  low                    numeric     NOT NULL,
  close                  numeric     NOT NULL,
  -- Base asset.
  volume                 numeric     NOT NULL,
  -- Sum of price times quantity, quote asset.
  quote_volume           numeric     NOT NULL,
  trade_count            bigint      NOT NULL,
  -- The part of both that takers bought.
  taker_buy_volume       numeric     NOT NULL,
  taker_buy_quote_volume numeric     NOT NULL,
  -- quote_volume / volume, rounded once to 8 places, half to even.
  vwap                   numeric     NOT NULL,
  first_trade_id         bigint      NOT NULL,
  last_trade_id          bigint      NOT NULL,
  -- False for a provisional candle of the trades so far.
  is_closed              boolean     NOT NULL,
  -- 0 while provisional, 1 at the first close, one more for each correction.
  revision               integer     NOT NULL,
  PRIMARY KEY (market, symbol, interval, open_time)
)
-- The open candle is rewritten several times a second: free room in the page keeps that heap-only.
WITH (fillfactor = 70);

CREATE TABLE fact_realtime_trades_5m  (LIKE fact_realtime_trades_1m INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE fact_realtime_trades_15m (LIKE fact_realtime_trades_1m INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE fact_realtime_trades_1h  (LIKE fact_realtime_trades_1m INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE fact_realtime_trades_4h  (LIKE fact_realtime_trades_1m INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE fact_realtime_trades_1d  (LIKE fact_realtime_trades_1m INCLUDING ALL) WITH (fillfactor = 70);
