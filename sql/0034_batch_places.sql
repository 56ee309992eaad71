-- Hours of silver that no candle of gold is made of, because of their quality. Every pass judges them again, so that they count once they pass, whether it was the minutes that were wrong or the check.
CREATE TABLE blocked_window (
  market    text        NOT NULL,
  symbol    text        NOT NULL,
  from_time timestamptz NOT NULL,
  to_time   timestamptz NOT NULL CHECK (to_time > from_time),
  -- Since when, and the run that has judged it last, and when: its reasons are in quality_window.
  since     timestamptz NOT NULL,
  judged_at timestamptz NOT NULL,
  run_id    text        NOT NULL,
  PRIMARY KEY (market, symbol, from_time)
);

-- A row that was given another key is missing where it was, so what was there before has changed as well.
CREATE OR REPLACE FUNCTION note_dirty_minutes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO dirty_window (market, symbol, from_time, to_time)
    SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute' FROM silver_klines_1m GROUP BY market, symbol;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO dirty_window (market, symbol, from_time, to_time)
    SELECT market, symbol, min(open_time), max(open_time) + interval '1 minute'
    FROM (
      SELECT * FROM (SELECT * FROM new_rows EXCEPT SELECT * FROM old_rows) AS came
      UNION ALL SELECT * FROM (SELECT * FROM old_rows EXCEPT SELECT * FROM new_rows) AS went
    ) AS changed
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
CREATE TRIGGER dirty_truncated AFTER TRUNCATE ON archived_klines_1m FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();
CREATE TRIGGER dirty_truncated AFTER TRUNCATE ON raw_klines FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_minutes();

-- What is emptied at a stroke says so too: every day that the lake has of the table.
CREATE FUNCTION note_emptied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO dirty_day (table_name, day)
  SELECT DISTINCT TG_TABLE_NAME, date '1970-01-01' + file.day
  FROM lake_mirror AS mirror JOIN lake_file AS file ON file.table_name = mirror.lake_name AND file.removed IS NULL
  WHERE mirror.table_name = TG_TABLE_NAME;
  RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION follow_in_lake(followed text, day_column text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  argument text := CASE WHEN day_column IS NULL THEN '' ELSE quote_literal(day_column) END;
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_inserted AFTER INSERT ON %I REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_days(%s)', followed, argument);
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_updated AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_days(%s)', followed, argument);
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_deleted AFTER DELETE ON %I REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION note_dirty_days(%s)', followed, argument);
  EXECUTE format('CREATE OR REPLACE TRIGGER lake_truncated AFTER TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION note_emptied()', followed);
  PERFORM note_all_days(followed, day_column);
END
$$;

-- Says that all of a table has changed: the days that it has, and those that the lake has of it.
CREATE FUNCTION note_all_days(followed text, day_column text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF day_column IS NULL THEN
    EXECUTE format('INSERT INTO dirty_day (table_name) SELECT %L WHERE EXISTS (SELECT FROM %I)', followed, followed);
  ELSE
    EXECUTE format('INSERT INTO dirty_day (table_name, day) SELECT DISTINCT %L, (%I AT TIME ZONE ''UTC'')::date FROM %I', followed, day_column, followed);
  END IF;
  INSERT INTO dirty_day (table_name, day)
  SELECT DISTINCT followed, date '1970-01-01' + file.day
  FROM lake_mirror AS mirror JOIN lake_file AS file ON file.table_name = mirror.lake_name AND file.removed IS NULL
  WHERE mirror.table_name = followed;
END
$$;

SELECT follow_in_lake(table_name, day_column) FROM lake_mirror WHERE to_regclass(quote_ident(table_name)) IS NOT NULL;

-- Up to where the trades of the archive are in the lake (market.bronze_trades), by partition of its topic.
CREATE TABLE bronze_place (
  topic       text    NOT NULL,
  partition   integer NOT NULL,
  next_offset bigint  NOT NULL,
  PRIMARY KEY (topic, partition)
);
