-- What pipelines have to say to Kafka: stored with their checkpoint, sent by the relay, then deleted.

CREATE TABLE kafka_outbox (
  topic      text   NOT NULL,
  -- Transactions commit in another order than they take ids. Rows are sent by (xid, id) and only when every older transaction is over,
  -- so none can turn up behind the place that the relay has reached.
  xid        xid8   NOT NULL DEFAULT pg_current_xact_id(),
  id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  -- ms UTC.
  event_time bigint NOT NULL,
  key        text,
  value      text,
  PRIMARY KEY (topic, xid, id)
);
