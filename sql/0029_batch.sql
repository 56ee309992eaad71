-- The batch layers: bronze is what came, silver one row a minute, gold the longer candles. A pass works on what changed: whoever writes says so in its own transaction.

-- The minutes that a pass has made of the archive, with the very operators of the live pipeline.
CREATE TABLE archived_klines_1m (LIKE fact_realtime_trades_1m INCLUDING ALL);

-- What came, under the names that dashboards look for.
CREATE VIEW bronze_historical_klines AS
SELECT market, symbol, interval, open_time, open, high, low, close, volume, close_time, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, source
FROM raw_klines;
CREATE VIEW bronze_realtime_klines AS
SELECT market, symbol, interval, open_time, open, high, low, close, volume, quote_volume, trade_count, taker_buy_volume, taker_buy_quote_volume, vwap, first_trade_id, last_trade_id, revision
FROM archived_klines_1m;

-- One row a minute: ours where the exchange has none or the same, else the exchange's.
-- quote_volume / volume, rounded once to 8 places, half to even; NULL where nothing was traded.
CREATE FUNCTION vwap_of(quote_volume numeric, volume numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
SELECT (whole + CASE WHEN 2 * (quote_volume * 100000000 - whole * volume) > volume THEN 1
                     WHEN 2 * (quote_volume * 100000000 - whole * volume) = volume THEN whole % 2 ELSE 0 END) * 0.00000001
FROM (SELECT div(quote_volume * 100000000, nullif(volume, 0)) AS whole) AS divided
$$;

CREATE TABLE silver_klines_1m (
  market                 text        NOT NULL,
  symbol                 text        NOT NULL,
  open_time              timestamptz NOT NULL,
  open                   numeric(38,8)     NOT NULL,
  high                   numeric(38,8)     NOT NULL,
  low                    numeric(38,8)     NOT NULL,
  close                  numeric(38,8)     NOT NULL,
  -- Base asset.
  volume                 numeric(38,8)     NOT NULL,
  -- Quote asset. Of our own minutes exact, of the exchange's with the eight places that it tells.
  quote_volume           numeric(38,16)     NOT NULL,
  -- 0 in a minute without trades, which the exchange has and we have not.
  trade_count            bigint      NOT NULL,
  taker_buy_volume       numeric(38,8)     NOT NULL,
  taker_buy_quote_volume numeric(38,16)     NOT NULL,
  -- NULL in a minute without trades.
  vwap                   numeric(38,8),
  -- Whose minute it is: trades for ours, exchange for theirs.
  source                 text        NOT NULL CHECK (source IN ('trades', 'exchange')),
  PRIMARY KEY (market, symbol, open_time)
);

CREATE TABLE gold_klines_5m (
  market                 text        NOT NULL,
  symbol                 text        NOT NULL,
  open_time              timestamptz NOT NULL,
  open                   numeric(38,8)     NOT NULL,
  high                   numeric(38,8)     NOT NULL,
  low                    numeric(38,8)     NOT NULL,
  close                  numeric(38,8)     NOT NULL,
  volume                 numeric(38,8)     NOT NULL,
  quote_volume           numeric(38,16)     NOT NULL,
  trade_count            bigint      NOT NULL,
  taker_buy_volume       numeric(38,8)     NOT NULL,
  taker_buy_quote_volume numeric(38,16)     NOT NULL,
  vwap                   numeric(38,8)     NOT NULL,
  PRIMARY KEY (market, symbol, open_time)
);
CREATE TABLE gold_klines_15m (LIKE gold_klines_5m INCLUDING ALL);
CREATE TABLE gold_klines_1h  (LIKE gold_klines_5m INCLUDING ALL);
CREATE TABLE gold_klines_4h  (LIKE gold_klines_5m INCLUDING ALL);
CREATE TABLE gold_klines_1d  (LIKE gold_klines_5m INCLUDING ALL);

-- Minutes of a symbol that the next pass looks at. Several rows may say the same; a pass takes those that it sees and deletes them in its transaction, so none is taken that was not yet
-- committed, and none is passed over.
CREATE TABLE dirty_window (
  market    text        NOT NULL,
  symbol    text        NOT NULL,
  from_time timestamptz NOT NULL,
  to_time   timestamptz NOT NULL CHECK (to_time > from_time)
)
WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- Days of a table whose rows the lake does not have yet as they are; NULL for a table that is not cut by days.
CREATE TABLE dirty_day (
  table_name text NOT NULL,
  day        date
)
WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- Tables whose rows the lake has as well.
CREATE TABLE lake_mirror (
  table_name text  PRIMARY KEY,
  -- In the lake, with its namespace.
  lake_name  text  NOT NULL UNIQUE,
  -- The columns in their order, each with its type in the lake.
  columns    jsonb NOT NULL,
  key        text[] NOT NULL,
  -- The column by whose day (UTC) the files are cut; NULL for a table that is not cut.
  day_column text
);

CREATE FUNCTION note_dirty_minutes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO dirty_window (market, symbol, from_time, to_time)
    SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute'
    FROM (SELECT * FROM new_rows EXCEPT SELECT * FROM old_rows) AS changed
    WHERE interval = '1m'
    GROUP BY market, symbol, floor(extract(epoch FROM open_time) / 86400);
  ELSE
    INSERT INTO dirty_window (market, symbol, from_time, to_time)
    SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute'
    FROM changed_rows
    WHERE interval = '1m'
    GROUP BY market, symbol, floor(extract(epoch FROM open_time) / 86400);
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER dirty_inserted AFTER INSERT ON archived_klines_1m REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();
CREATE TRIGGER dirty_updated AFTER UPDATE ON archived_klines_1m REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();
CREATE TRIGGER dirty_deleted AFTER DELETE ON archived_klines_1m REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();
CREATE TRIGGER dirty_inserted AFTER INSERT ON raw_klines REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();
CREATE TRIGGER dirty_updated AFTER UPDATE ON raw_klines REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();
CREATE TRIGGER dirty_deleted AFTER DELETE ON raw_klines REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();

-- Klines of before there were passes.
INSERT INTO dirty_window (market, symbol, from_time, to_time)
SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute' FROM raw_klines WHERE interval = '1m' GROUP BY market, symbol;

-- The argument is the column by whose day the table is cut; without one the whole table is meant.
CREATE FUNCTION note_dirty_days() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed text := CASE TG_OP WHEN 'UPDATE' THEN '(SELECT * FROM (SELECT * FROM new_rows EXCEPT ALL SELECT * FROM old_rows) AS came UNION ALL SELECT * FROM (SELECT * FROM old_rows EXCEPT ALL SELECT * FROM new_rows) AS went) AS changed' ELSE 'changed_rows' END;
BEGIN
  IF TG_NARGS = 0 THEN
    EXECUTE format('INSERT INTO dirty_day (table_name) SELECT %L WHERE EXISTS (SELECT FROM %s)', TG_TABLE_NAME, changed);
  ELSE
    EXECUTE format('INSERT INTO dirty_day (table_name, day) SELECT DISTINCT %L, (%I AT TIME ZONE ''UTC'')::date FROM %s', TG_TABLE_NAME, TG_ARGV[0], changed);
  END IF;
  RETURN NULL;
END
$$;

-- Has the lake follow a table: from now on whoever writes to it says which days changed, and all that is there already is said to have changed.
CREATE FUNCTION follow_in_lake(followed text, day_column text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  argument text := CASE WHEN day_column IS NULL THEN '' ELSE quote_literal(day_column) END;
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_days(%s)', followed, argument);
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_updated AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_days(%s)', followed, argument);
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_days(%s)', followed, argument);
  IF day_column IS NULL THEN
    EXECUTE format('INSERT INTO dirty_day (table_name) SELECT %L WHERE EXISTS (SELECT FROM %I)', followed, followed);
  ELSE
    EXECUTE format('INSERT INTO dirty_day (table_name, day) SELECT DISTINCT %L, (%I AT TIME ZONE ''UTC'')::date FROM %I', followed, day_column, followed);
  END IF;
END
$$;

INSERT INTO lake_mirror (table_name, lake_name, columns, key, day_column)
SELECT name, 'market.' || name,
  '[["market","string"],["symbol","string"],["open_time","timestamptz"],["open","decimal(38,8)"],["high","decimal(38,8)"],["low","decimal(38,8)"],["close","decimal(38,8)"],["volume","decimal(38,8)"],["quote_volume","decimal(38,16)"],["trade_count","long"],["taker_buy_volume","decimal(38,8)"],["taker_buy_quote_volume","decimal(38,16)"]]'::jsonb
    || CASE WHEN name LIKE 'silver%' THEN '[["vwap","decimal(38,8)?"],["source","string"]]'::jsonb ELSE '[["vwap","decimal(38,8)"]]'::jsonb END,
  ARRAY['market', 'symbol', 'open_time'], 'open_time'
FROM unnest(ARRAY['silver_klines_1m', 'gold_klines_5m', 'gold_klines_15m', 'gold_klines_1h', 'gold_klines_4h', 'gold_klines_1d']) AS followed (name);
SELECT follow_in_lake(table_name, day_column) FROM lake_mirror;
