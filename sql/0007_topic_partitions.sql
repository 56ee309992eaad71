-- How many partitions the topic had at the task's last claim that told. Keys are spread by that number: where it changes, a key's records
-- come to another partition than its state, and two tasks would write the rows of one key. So a claim under another number than the
-- greatest that is here for the pipeline and topic is refused, unless the pipeline allows it. NULL until a claim tells: for tasks of before,
-- that is their next one.
ALTER TABLE stream_task ADD COLUMN topic_partitions integer;
