-- The embedded log: topics of partitions, whose rows are whole record batches of bytes. A row a batch, and not a row a record,
-- makes reading and writing cost a small part of what a row a record would.

CREATE TABLE log_topic (
  topic      text        PRIMARY KEY,
  -- Fixed for good: the partition of a key depends on it.
  partitions integer     NOT NULL CHECK (partitions > 0),
  created_at timestamptz NOT NULL DEFAULT now()
);

-- What is left of a partition: offsets from earliest_offset up to, not including, next_offset. An append locks the row and
-- moves next_offset, so offsets have neither gaps nor repeats; retention moves earliest_offset.
CREATE TABLE log_partition (
  topic           text    NOT NULL REFERENCES log_topic,
  partition       integer NOT NULL,
  earliest_offset bigint  NOT NULL DEFAULT 0,
  next_offset     bigint  NOT NULL DEFAULT 0,
  PRIMARY KEY (topic, partition),
  CHECK (earliest_offset <= next_offset)
)
-- One update an append: free room in the page keeps it heap-only.
WITH (fillfactor = 50);

CREATE TABLE log_batch (
  topic         text        NOT NULL,
  partition     integer     NOT NULL,
  base_offset   bigint      NOT NULL,
  -- Offset of the last record + 1, which is the base_offset of the batch after it.
  next_offset   bigint      NOT NULL,
  record_count  integer     NOT NULL,
  -- The newest record timestamp in it, ms UTC, or -1. For people who look for a time; retention goes by appended_at, because
  -- records of a tape lie years back and a wrong clock lies ahead.
  max_timestamp bigint      NOT NULL,
  size_bytes    integer     NOT NULL,
  appended_at   timestamptz NOT NULL DEFAULT now(),
  -- A Kafka record batch (magic 2).
  bytes         bytea       NOT NULL,
  PRIMARY KEY (topic, partition, base_offset),
  CHECK (next_offset > base_offset)
);

-- Out of line and not compressed: it is read whole, many times a second, and should cost a copy and nothing else.
ALTER TABLE log_batch ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Who appends, and how far it came. The position is stored with the records of its append, so that a producer that starts again
-- knows exactly what the log holds already. The generation fences an older holder of the same name.
CREATE TABLE log_producer (
  topic      text   NOT NULL REFERENCES log_topic,
  producer   text   NOT NULL,
  generation bigint NOT NULL,
  -- The producer's own words; NULL until its first append.
  position   text,
  PRIMARY KEY (topic, producer)
)
WITH (fillfactor = 50);
