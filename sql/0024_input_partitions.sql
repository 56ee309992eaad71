-- A task may read all partitions of its topics. Where it stands in an input, and what a person has decided about one, is by partition.
ALTER TABLE task_input ADD COLUMN input_partition integer;
UPDATE task_input SET input_partition = partition;
ALTER TABLE task_input ALTER COLUMN input_partition SET NOT NULL;
ALTER TABLE task_input DROP CONSTRAINT task_input_pkey;
ALTER TABLE task_input ADD PRIMARY KEY (pipeline, topic, partition, input_topic, input_partition);

ALTER TABLE skipped_range ADD COLUMN input_partition integer;
UPDATE skipped_range SET input_partition = partition;
ALTER TABLE skipped_range ALTER COLUMN input_partition SET NOT NULL;
