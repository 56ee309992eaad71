-- Which log the offsets of a task are of, where the log says (the id of a Kafka topic): a topic that was deleted and made anew under
-- the same name has other records under the same offsets, and must not be read on as if it were the old one.
ALTER TABLE stream_task ADD COLUMN log_id text;
