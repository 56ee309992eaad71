-- A letter keeps the beginning of what is large in its record. Which parts it has not in full, by name (key, headers, payload): how many bytes the whole has and its
-- SHA-256. NULL where all of the record is here.
ALTER TABLE dead_letter ADD COLUMN cut jsonb;

-- What a person has decided about the records of one partition of an input: offsets from, and up to but not including. Read at each claim; kept for good, for it says why
-- a record has no effect.
CREATE TABLE skipped_range (
  pipeline    text        NOT NULL,
  -- Of the leading input; which task it is.
  topic       text        NOT NULL,
  partition   integer     NOT NULL,
  input_topic text        NOT NULL,
  from_offset bigint      NOT NULL,
  to_offset   bigint      NOT NULL,
  -- 'skip': records that are there are left out. 'loss': the log no longer has them. 'rewind': the log lost its end, and the pipeline goes on at the first of these offsets,
  -- whose records are others from then on.
  kind        text        NOT NULL CHECK (kind IN ('skip', 'loss', 'rewind')),
  decided_by  text        NOT NULL,
  reason      text        NOT NULL,
  decided_at  timestamptz NOT NULL DEFAULT now(),
  CHECK (from_offset >= 0 AND to_offset > from_offset)
);

CREATE INDEX skipped_range_of_task ON skipped_range (pipeline, topic, partition);
