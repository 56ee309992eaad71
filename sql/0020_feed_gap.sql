-- Trades that a feed knows to be missing, or has known to be. The ingest writes each gap, and each change of it, into the topic between the trades; the realtime pipeline
-- makes the row, in the same transaction as the candles.
CREATE TABLE feed_gap (
  market     text        NOT NULL,
  symbol     text        NOT NULL,
  -- How often the ids of the symbol had started again: 0 at first.
  epoch      integer     NOT NULL,
  first_id   bigint      NOT NULL,
  last_id    bigint      NOT NULL,
  -- Of the newest trade before it and the first one behind it.
  from_time  timestamptz NOT NULL,
  to_time    timestamptz NOT NULL,
  -- open; filled; absent: the exchange does not have them; lost: they cannot be had; restarted: no gap, but the ids start again behind it.
  state      text        NOT NULL,
  -- How many trades are missing still.
  missing    bigint      NOT NULL,
  reason     text        NOT NULL,
  -- By the clock of the feed.
  seen_at    timestamptz NOT NULL,
  -- NULL while it is open.
  filled_at  timestamptz,
  -- 1 at first, one more with each change.
  revision   integer     NOT NULL,
  row_owner  integer,
  PRIMARY KEY (market, symbol, epoch, first_id)
);

CREATE INDEX feed_gap_open ON feed_gap (seen_at) WHERE state = 'open';
