-- The lake is written day by day: without these each day was looked for in all of the table.
CREATE INDEX ON silver_klines_1m (open_time);
CREATE INDEX ON gold_klines_5m (open_time);
CREATE INDEX ON gold_klines_15m (open_time);
CREATE INDEX ON gold_klines_1h (open_time);
CREATE INDEX ON gold_klines_4h (open_time);
CREATE INDEX ON gold_klines_1d (open_time);
