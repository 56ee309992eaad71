-- What each process that runs a pipeline says of itself once a second, beside the checkpoint and outside of it. For people and their
-- screens: nothing decides by it, and a row that is missing or old costs a screen its numbers and nothing else.
CREATE TABLE run_report (
  pipeline    text        NOT NULL,
  -- Which process: host:pid.
  process     text        NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT now(),
  reported_at timestamptz NOT NULL DEFAULT now(),
  -- When it ended in order; NULL while it runs, and for one that was killed.
  ended_at    timestamptz,
  -- JSON. Text rather than jsonb, which cannot hold every name that a pipeline may have.
  graph       text        NOT NULL,
  report      text        NOT NULL,
  PRIMARY KEY (pipeline, process)
)
-- One update a second to few rows: free room in the page keeps them heap-only.
WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);
