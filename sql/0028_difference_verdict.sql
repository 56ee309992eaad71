-- What was found out about a difference between our candle and the exchange's, and what was done about it.

ALTER TABLE candle_difference
  -- In words, of the newest look; NULL before one.
  ADD COLUMN verdict    text,
  -- When the trades of the candle were looked at last.
  ADD COLUMN checked_at timestamptz,
  -- How often the trades of the candle were brought in again.
  ADD COLUMN refills    integer NOT NULL DEFAULT 0;
