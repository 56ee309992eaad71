-- Whose messages are sent, which leader wrote what was read, and how many checkpoints there were.

ALTER TABLE stream_task
  -- A topic keeps how far it was sent to under the names of pipeline, topic, partition and outlet. Another database, or another schema, may have the same names, and would
  -- take that place for its own: so a task has an id besides, which is there before its first message and goes with what it has saved.
  ADD COLUMN outbox_id uuid NOT NULL DEFAULT gen_random_uuid(),
  -- False for tasks of before: their places stand under the names alone, and go on there with the id in the place.
  ADD COLUMN is_outbox_named boolean NOT NULL DEFAULT true,
  -- Under which leader of the partition the record before next_offset was written, where the log says. A leader that lacked records, elected while nobody read,
  -- leaves the offsets and changes what they mean.
  ADD COLUMN leader_epoch integer,
  -- Counts checkpoints. A server that took over without the last of them is told from the one that had them, although the generation is the same.
  ADD COLUMN commits bigint NOT NULL DEFAULT 0;

UPDATE stream_task SET is_outbox_named = false;

ALTER TABLE task_input ADD COLUMN leader_epoch integer;
