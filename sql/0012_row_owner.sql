-- Whose a row of an upsert table is: the task (pipeline, topic, partition) that wrote it first. Another task does not replace it. Never cleaned: rows
-- outlive the state of the task that made them.
CREATE TABLE row_owner (
  id        integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline  text    NOT NULL,
  topic     text    NOT NULL,
  partition integer NOT NULL,
  UNIQUE (pipeline, topic, partition)
);

-- Which pipelines have been started with an upsert table: whoever comes next under another name is told before it has written anything.
CREATE TABLE row_writer (
  table_name text NOT NULL,
  pipeline   text NOT NULL,
  topic      text NOT NULL,
  PRIMARY KEY (table_name, pipeline, topic)
);

-- What persons have handed over, with `millrace state own` or `millrace state copy --with-rows`. Nothing decides by it.
CREATE TABLE row_handover (
  handed_at      timestamptz NOT NULL DEFAULT now(),
  table_name     text        NOT NULL,
  from_pipeline  text        NOT NULL,
  from_topic     text        NOT NULL,
  from_partition integer     NOT NULL,
  -- NULL for whoever writes the rows next.
  to_pipeline    text,
  to_topic       text,
  to_partition   integer,
  row_count      bigint      NOT NULL
);

-- NULL for a row of before: it belongs to who writes it next.
ALTER TABLE fact_realtime_trades_1m  ADD COLUMN row_owner integer;
ALTER TABLE fact_realtime_trades_5m  ADD COLUMN row_owner integer;
ALTER TABLE fact_realtime_trades_15m ADD COLUMN row_owner integer;
ALTER TABLE fact_realtime_trades_1h  ADD COLUMN row_owner integer;
ALTER TABLE fact_realtime_trades_4h  ADD COLUMN row_owner integer;
ALTER TABLE fact_realtime_trades_1d  ADD COLUMN row_owner integer;
