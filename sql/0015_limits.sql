-- A letter keeps the beginning of what is large in its record. Which parts it has not in full, by name (key, headers, payload): how many bytes the whole has and its
-- SHA-256. NULL where all of the record is here.
ALTER TABLE dead_letter ADD COLUMN cut jsonb;

-- What a person has decided that a pipeline leaves out of a partition of one of its inputs: offsets from, and up to but not including. Read at each claim; kept for good, for
-- it says why a record has no effect.
CREATE TABLE skipped_range (
  pipeline    text        NOT NULL,
  -- Of the leading input; which task it is.
  topic       text        NOT NULL,
  partition   integer     NOT NULL,
  input_topic text        NOT NULL,
  from_offset bigint      NOT NULL,
  to_offset   bigint      NOT NULL,
  -- 'skip': records or batches that are there. 'loss': records that the log no longer has.
  kind        text        NOT NULL CHECK (kind IN ('skip', 'loss')),
  decided_by  text        NOT NULL,
  reason      text        NOT NULL,
  decided_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, topic, partition, input_topic, from_offset, to_offset),
  CHECK (from_offset >= 0 AND to_offset > from_offset)
);
