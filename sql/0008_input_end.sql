-- Where the input of a task was declared ended (a drain that closes what is open): a replay does the same there. The steps of the watermark that this
-- caused have rows of their own; of the end the watermark is that until then, so that in the order of (offset, watermark, is_end) it stands where it happened.
ALTER TABLE idle_advance ADD COLUMN is_end boolean NOT NULL DEFAULT false;
ALTER TABLE idle_advance DROP CONSTRAINT idle_advance_pkey;
ALTER TABLE idle_advance ADD PRIMARY KEY (pipeline, topic, partition, "offset", watermark, is_end);
