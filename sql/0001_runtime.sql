-- What the runtime keeps per stream task. One checkpoint is one transaction over these tables and the pipeline's own.
-- Natural key everywhere: (pipeline, topic, partition), one partition's share of one pipeline.

-- One row per stream task: the fence and the place to resume from.
CREATE TABLE stream_task (
  pipeline            text        NOT NULL,
  topic               text        NOT NULL,
  partition           integer     NOT NULL,
  -- The fencing token: a claim raises it, and a commit of an older generation finds no row to update.
  generation          bigint      NOT NULL,
  -- Who claimed, as host:pid. For people; nothing decides by it.
  owner               text        NOT NULL,
  claimed_at          timestamptz NOT NULL,
  -- The first offset whose effects are not stored. NULL until the first commit; afterwards it only grows.
  next_offset         bigint,
  -- ms UTC of event time, NULL until the first event time.
  watermark           bigint,
  -- Where the archive goes on: at or below next_offset, because an object spans many checkpoints. NULL without an archive.
  archive_next_offset bigint,
  -- Size of all frames in task_state, for status lines.
  state_bytes         bigint      NOT NULL DEFAULT 0,
  committed_at        timestamptz,
  PRIMARY KEY (pipeline, topic, partition)
)
-- Many updates a second to few rows: free room in the page keeps them heap-only, without touching the index.
WITH (fillfactor = 50);

-- The operators' state: a base, then what changed since, in the order of sequence. A new base removes the frames before it.
CREATE TABLE task_state (
  pipeline  text    NOT NULL,
  topic     text    NOT NULL,
  partition integer NOT NULL,
  sequence  bigint  NOT NULL,
  kind      text    NOT NULL CHECK (kind IN ('base', 'delta')),
  body      text    NOT NULL,
  PRIMARY KEY (pipeline, topic, partition, sequence)
)
-- Every frame is dead again within seconds; vacuum early, so that the table stays as small as what it holds.
WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 500);

-- Records that were set aside, with reason and place. The key is where the letter came from and not when it was written,
-- so a replay after a crash finds its letter already here.
CREATE TABLE dead_letter (
  pipeline    text        NOT NULL,
  topic       text        NOT NULL,
  partition   integer     NOT NULL,
  "offset"    bigint      NOT NULL,
  operator    text        NOT NULL,
  -- Counts letters of the same offset and operator from 0.
  ordinal     integer     NOT NULL,
  -- Stable and short, for grouping.
  reason      text        NOT NULL,
  detail      text        NOT NULL,
  -- The record's event time, or else its timestamp.
  record_time timestamptz,
  key         text,
  -- The record's value as it was received, cut to the store's limit.
  payload     bytea,
  created_at  timestamptz NOT NULL DEFAULT now(),
  -- When a person had it processed again; NULL while it waits.
  redriven_at timestamptz,
  PRIMARY KEY (pipeline, topic, partition, "offset", operator, ordinal)
);

CREATE INDEX dead_letter_by_reason ON dead_letter (pipeline, reason, created_at);

-- The archive's manifest. Readers trust it and not the listing of the object store: an object that is not here was uploaded by
-- an attempt that never committed. One object begins at an offset, hence the key; other bytes under it are refused.
CREATE TABLE archive_object (
  pipeline      text        NOT NULL,
  topic         text        NOT NULL,
  partition     integer     NOT NULL,
  first_offset  bigint      NOT NULL,
  last_offset   bigint      NOT NULL,
  -- Of the object in its store.
  key           text        NOT NULL,
  record_count  bigint      NOT NULL,
  size_bytes    bigint      NOT NULL,
  -- Lower-case hex, of the object's bytes as they are stored.
  sha256        text        NOT NULL,
  min_timestamp timestamptz NOT NULL,
  max_timestamp timestamptz NOT NULL,
  symbols       text[]      NOT NULL,
  PRIMARY KEY (pipeline, topic, partition, first_offset),
  CHECK (last_offset >= first_offset)
);

-- "What is there for this span of time" is the question of every batch over the archive.
CREATE INDEX archive_object_by_time ON archive_object (topic, min_timestamp);

-- Forward steps of the watermark that no record caused. A replay applies them at the same offset, so that it equals the live run.
CREATE TABLE idle_advance (
  pipeline  text    NOT NULL,
  topic     text    NOT NULL,
  partition integer NOT NULL,
  "offset"  bigint  NOT NULL,
  -- ms UTC of event time.
  watermark bigint  NOT NULL,
  PRIMARY KEY (pipeline, topic, partition, "offset", watermark)
);

-- Ends the transaction that calls it. A checkpoint is sent as one bundle of statements, commit included, without waiting for answers;
-- what must stop it has to stop it here. MR001: the claim is not the newest, or an offset would go down. MR002: other
-- bytes under the same identity.
CREATE FUNCTION refuse(code text, message text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
END
$$;
