-- What somebody outside has answered an operator (`lookup` with record: true), so that a replay of the records gives the same rows: the service may say something else by then.
CREATE TABLE lookup_answer (
  pipeline   text    NOT NULL,
  topic      text    NOT NULL,
  partition  integer NOT NULL,
  -- Which input the record came from, from 0, and its offset there.
  input      integer NOT NULL,
  "offset"   bigint  NOT NULL,
  operator   text    NOT NULL,
  -- Counts the values of this record that came to the operator, from 0.
  ordinal    integer NOT NULL,
  -- What was asked about.
  key        text    NOT NULL,
  -- Event time of the value, or the timestamp of its record; ms UTC.
  at         bigint,
  -- JSON, as the operator saves an answer; of a failure, what the error said.
  answer     text    NOT NULL,
  is_failure boolean NOT NULL,
  PRIMARY KEY (pipeline, topic, partition, input, "offset", operator, ordinal)
);
