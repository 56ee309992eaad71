-- Messages that their destination refuses stand in the outbox until somebody has them sent again; the way to Kafka of before is gone.

ALTER TABLE outbox
  ADD COLUMN refused_at timestamptz,
  -- What the destination said; null while the message waits to be sent.
  ADD COLUMN refusal    text,
  -- Somebody has asked to send it again.
  ADD COLUMN is_retried boolean NOT NULL DEFAULT false,
  ADD CHECK ((refused_at IS NULL) = (refusal IS NULL) AND (refused_at IS NOT NULL OR NOT is_retried));

CREATE INDEX outbox_refused ON outbox (pipeline, topic, partition, outlet, sequence) WHERE refused_at IS NOT NULL;

DO $$
DECLARE
  left_over bigint;
BEGIN
  LOCK TABLE kafka_outbox;
  SELECT count(*) INTO left_over FROM kafka_outbox;
  IF left_over > 0 THEN
    RAISE EXCEPTION '% messages in kafka_outbox are not sent yet, and this release does not send them', left_over
      USING DETAIL = 'Run the release before with withRelay or relayOutbox until the table is empty, then migrate; or delete its rows, which loses them.';
  END IF;
END
$$;

DROP TABLE kafka_outbox;
