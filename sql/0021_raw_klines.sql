-- Candles as the exchange made them, by REST or from its archives: what our own are compared with, and history from before we listened.

CREATE TABLE raw_klines (
  -- Which order book: spot or usdm.
  market                 text        NOT NULL,
  symbol                 text        NOT NULL,
  -- In the exchange's spelling, in which case counts: 1m is a minute, 1M a month.
  interval               text        NOT NULL,
  open_time              timestamptz NOT NULL,
  -- Decimals of the exchange's text, exact, with at most 8 places.
  open                   numeric     NOT NULL,
  high                   numeric     NOT NULL,
  low                    numeric     NOT NULL,
  close                  numeric     NOT NULL,
  -- Base asset.
  volume                 numeric     NOT NULL,
  -- The last millisecond of the candle.
  close_time             timestamptz NOT NULL,
  -- Quote asset.
  quote_volume           numeric     NOT NULL,
  trade_count            bigint      NOT NULL,
  -- The part of both that takers bought.
  taker_buy_volume       numeric     NOT NULL,
  taker_buy_quote_volume numeric     NOT NULL,
  -- Where the row came from last: rest, or the name of an archive.
  source                 text        NOT NULL,
  PRIMARY KEY (market, symbol, interval, open_time)
);

-- From where to where REST was asked, and answered: a backfill that was stopped, or is asked for again, fetches what is missing. Ranges of one series do not touch.
CREATE TABLE kline_coverage (
  market    text        NOT NULL,
  symbol    text        NOT NULL,
  interval  text        NOT NULL,
  -- Open times from here, inclusive,
  from_time timestamptz NOT NULL,
  -- to here, exclusive.
  to_time   timestamptz NOT NULL CHECK (to_time > from_time),
  PRIMARY KEY (market, symbol, interval, from_time)
);

-- Archives that were read, by their content: the exchange uploads some anew, and those are read again.
CREATE TABLE kline_archive (
  market   text   NOT NULL,
  symbol   text   NOT NULL,
  interval text   NOT NULL,
  name     text   NOT NULL,
  -- Lower-case hex, of the file as it was.
  sha256   text   NOT NULL,
  -- How many candles it has.
  rows     bigint NOT NULL,
  PRIMARY KEY (market, symbol, interval, name)
);

-- Closed candles of ours that are not as the exchange made them, or not there. A row stays when the difference is gone, so that what was wrong once can be found.
CREATE TABLE candle_difference (
  market      text        NOT NULL,
  symbol      text        NOT NULL,
  interval    text        NOT NULL,
  open_time   timestamptz NOT NULL,
  -- open until it is equal, or until somebody has said why it is not.
  state       text        NOT NULL CHECK (state IN ('open', 'equal', 'explained')),
  -- By column: ours and theirs, as text; of a candle that is not there, {"candle": ["missing", "trades"]}.
  differences jsonb       NOT NULL,
  found_at    timestamptz NOT NULL DEFAULT now(),
  ended_at    timestamptz,
  explanation text        CHECK ((state = 'explained') = (explanation IS NOT NULL)),
  PRIMARY KEY (market, symbol, interval, open_time)
);
