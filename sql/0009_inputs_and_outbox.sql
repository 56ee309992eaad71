-- Tasks with several inputs, and outlets whose messages are sent after the commit.

-- Where a task goes on in the inputs that do not lead; stream_task has the leading one.
CREATE TABLE task_input (
  pipeline            text    NOT NULL,
  topic               text    NOT NULL,
  partition           integer NOT NULL,
  input_topic         text    NOT NULL,
  next_offset         bigint  NOT NULL,
  archive_next_offset bigint,
  log_id              text,
  PRIMARY KEY (pipeline, topic, partition, input_topic)
)
WITH (fillfactor = 50);

-- Where a record of one input came after a greater one of another had been let past: a replay takes it when the inputs stand at these offsets. And up to where an input
-- was read before all others, at the first start.
CREATE TABLE merge_note (
  pipeline  text     NOT NULL,
  topic     text     NOT NULL,
  partition integer  NOT NULL,
  -- Which input's record it was, from 0.
  input     integer  NOT NULL,
  -- Of the record, in its input.
  "offset"  bigint   NOT NULL,
  -- True where the input was read first, up to this offset.
  is_first  boolean  NOT NULL,
  -- Next offsets of all inputs, the leading one first.
  offsets   bigint[] NOT NULL,
  PRIMARY KEY (pipeline, topic, partition, input, "offset", is_first)
);

-- A step of time stands at the offsets of all inputs, and may move one of several times. With several inputs the task counts its steps, for their watermarks alone do not tell
-- the order of those at one place.
ALTER TABLE idle_advance ADD COLUMN others bigint[] NOT NULL DEFAULT '{}';
ALTER TABLE idle_advance ADD COLUMN sequence bigint NOT NULL DEFAULT 0;
ALTER TABLE idle_advance ADD COLUMN clock text NOT NULL DEFAULT '';
ALTER TABLE idle_advance DROP CONSTRAINT idle_advance_pkey;
ALTER TABLE idle_advance ADD PRIMARY KEY (pipeline, topic, partition, sequence, "offset", others, watermark, is_end, clock);

-- What outlets have to say to topics and other destinations: stored with the checkpoint, sent in the order of sequence, then deleted.
CREATE TABLE outbox (
  pipeline   text    NOT NULL,
  topic      text    NOT NULL,
  partition  integer NOT NULL,
  outlet     text    NOT NULL,
  -- Counts the messages of the outlet in the task from 1, without gaps; part of the task's state.
  sequence   bigint  NOT NULL,
  -- ms UTC.
  event_time bigint  NOT NULL,
  key        bytea,
  value      bytea,
  headers    jsonb   NOT NULL,
  PRIMARY KEY (pipeline, topic, partition, outlet, sequence)
)
-- Every row is dead again within seconds.
WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
