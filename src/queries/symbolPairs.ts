/** The markets and symbols of which there are candles, as `pair` of a recursive query: found by skipping from one to the next through the primary key, for to read them from the rows would read the whole table. */
export const symbolPairs = `pair AS (
  (SELECT market, symbol FROM fact_realtime_trades_1m ORDER BY market, symbol LIMIT 1)
  UNION ALL
  SELECT next.market, next.symbol
  FROM pair, LATERAL (
    SELECT market, symbol FROM fact_realtime_trades_1m
    WHERE (market, symbol) > (pair.market, pair.symbol)
    ORDER BY market, symbol LIMIT 1
  ) next
)`
