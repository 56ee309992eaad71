-- What was expected of tables, what came of it, and which rows failed. Written in the transaction that uses the verdict.

-- One row for each expectation and run.
CREATE TABLE quality_result (
  run_id      text        NOT NULL,
  -- The name of the declaration, and the table that it is about.
  quality     text        NOT NULL,
  table_name  text        NOT NULL,
  expectation text        NOT NULL,
  severity    text        NOT NULL CHECK (severity IN ('warn', 'block')),
  -- The worst of its windows. error: it could not be judged, which blocks whatever the severity; none: there was nothing to compare, which was allowed.
  state       text        NOT NULL CHECK (state IN ('pass', 'none', 'warn', 'fail', 'error')),
  -- How many windows were judged, and how many of them passed.
  windows     bigint      NOT NULL,
  passed      bigint      NOT NULL,
  -- How many rows were looked at, and how many failed.
  row_count   bigint      NOT NULL,
  failing     bigint      NOT NULL,
  -- Of the first window that did not pass.
  reason      text,
  checked_at  timestamptz NOT NULL,
  PRIMARY KEY (run_id, quality, expectation)
);
CREATE INDEX quality_result_time ON quality_result (checked_at);

-- One row for each window that did not pass an expectation.
CREATE TABLE quality_window (
  run_id      text        NOT NULL,
  quality     text        NOT NULL,
  expectation text        NOT NULL,
  -- Whose window it is, by column.
  key         jsonb       NOT NULL,
  window_from timestamptz NOT NULL,
  window_to   timestamptz NOT NULL,
  state       text        NOT NULL CHECK (state IN ('none', 'warn', 'fail', 'error')),
  row_count   bigint      NOT NULL,
  failing     bigint      NOT NULL,
  reason      text        NOT NULL,
  checked_at  timestamptz NOT NULL,
  PRIMARY KEY (run_id, quality, expectation, key, window_from, window_to)
);
CREATE INDEX quality_window_time ON quality_window (checked_at);

-- Rows that failed, whole. One that fails again in a later run stays the one row that it is.
CREATE TABLE quarantine (
  quality      text        NOT NULL,
  table_name   text        NOT NULL,
  expectation  text        NOT NULL,
  key          jsonb       NOT NULL,
  window_from  timestamptz NOT NULL,
  window_to    timestamptz NOT NULL,
  -- Of the row and of what it was held against.
  row_hash     text        NOT NULL,
  severity     text        NOT NULL CHECK (severity IN ('warn', 'block')),
  reason       text        NOT NULL,
  "row"        jsonb       NOT NULL,
  -- What another table has for it, where that is what it was held against.
  expected     jsonb,
  -- How many rows are just like it.
  copies       bigint      NOT NULL,
  -- The first run that found it, and the last.
  run_id       text        NOT NULL,
  last_run_id  text        NOT NULL,
  found_at     timestamptz NOT NULL,
  seen_at      timestamptz NOT NULL,
  -- When a later run looked at the window and the row did not fail any more; null while it does.
  released_at  timestamptz,
  PRIMARY KEY (quality, expectation, key, window_from, window_to, row_hash)
);
CREATE INDEX quarantine_open ON quarantine (quality, window_from) WHERE released_at IS NULL;
CREATE INDEX quarantine_time ON quarantine (seen_at);

-- Up to where the intervals of a job stand in batch_run.
CREATE TABLE batch_schedule (
  pipeline  text        PRIMARY KEY,
  every_ms  bigint      NOT NULL CHECK (every_ms > 0),
  -- The start of the next interval; what lies before it is in batch_run.
  next_from timestamptz NOT NULL,
  -- Counts the intervals that were given up and told of, which numbers the messages in outbox.
  failures  bigint      NOT NULL DEFAULT 0
);

-- Every interval of every job, and each attempt at it.
CREATE TABLE batch_run (
  pipeline      text        NOT NULL,
  -- The interval is [interval_from, interval_to).
  interval_from timestamptz NOT NULL,
  interval_to   timestamptz NOT NULL CHECK (interval_to > interval_from),
  -- Counts from 1.
  attempt       integer     NOT NULL CHECK (attempt > 0),
  run_id        text        NOT NULL UNIQUE,
  -- waiting for its time and a worker; lost: its worker did not say for too long that it was there.
  state         text        NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'lost')),
  -- Who wanted it: the schedule, a backfill, a retry after a failure, or a person.
  cause         text        NOT NULL CHECK (cause IN ('schedule', 'backfill', 'retry', 'person')),
  not_before    timestamptz NOT NULL,
  worker        text,
  started_at    timestamptz,
  -- Until when the worker has said that it is there.
  leased_until  timestamptz,
  ended_at      timestamptz,
  -- What the job counted, by name.
  rows          jsonb,
  error         text,
  PRIMARY KEY (pipeline, interval_from, interval_to, attempt),
  CHECK ((state = 'running') = (leased_until IS NOT NULL)),
  CHECK ((state IN ('done', 'failed', 'lost')) = (ended_at IS NOT NULL)),
  CHECK ((state IN ('failed', 'lost')) = (error IS NOT NULL))
);
-- An interval has one attempt at a time.
CREATE UNIQUE INDEX batch_run_open ON batch_run (pipeline, interval_from, interval_to) WHERE state IN ('waiting', 'running');
CREATE INDEX batch_run_waiting ON batch_run (pipeline, not_before) WHERE state IN ('waiting', 'running');
