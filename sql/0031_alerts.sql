-- What an outlet says once, ever, under an identity of its own: stored with the message, so that a replay of the topic, or the same decision in another task, makes no second one.
-- Never deleted by the runtime.
CREATE TABLE message_identity (
  pipeline  text        NOT NULL,
  outlet    text        NOT NULL,
  identity  text        NOT NULL,
  stored_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (pipeline, outlet, identity)
);

-- Of a message that waits: where it is dropped unsent, so is what says that it was made.
ALTER TABLE outbox ADD COLUMN identity text;

-- What alert rules have decided, a row a decision, in the transaction of the candles that it was decided by.
CREATE TABLE alert_event (
  rule       text        NOT NULL,
  market     text        NOT NULL,
  -- What was measured, where it is no symbol.
  symbol     text        NOT NULL,
  -- Empty where it was no candle.
  interval   text        NOT NULL,
  -- Of the candle, or the moment.
  open_time  timestamptz NOT NULL,
  -- firing, resolved, noData, dataBack, flapping, corrected.
  transition text        NOT NULL,
  -- 1 at first, one more each time that a correction changes what is told at this candle.
  revision   integer     NOT NULL,
  kind       text        NOT NULL,
  severity   text        NOT NULL,
  -- What was told before and is corrected.
  corrects   text,
  -- When it is true from, event time.
  at         timestamptz NOT NULL,
  -- Decimals as text, because the unit depends on the rule; empty where there is nothing.
  value      text        NOT NULL,
  threshold  text        NOT NULL,
  muted      integer     NOT NULL,
  is_complete boolean    NOT NULL,
  text       text        NOT NULL,
  row_owner  integer,
  PRIMARY KEY (rule, market, symbol, interval, open_time, transition, revision)
);

CREATE INDEX alert_event_by_time ON alert_event (at DESC);
