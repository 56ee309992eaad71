-- An exchange may tell less of its candles than another: those of Coinbase have prices and volume. NULL is what it does not tell, and is compared with nothing.
ALTER TABLE raw_klines
  ALTER COLUMN quote_volume DROP NOT NULL,
  ALTER COLUMN trade_count DROP NOT NULL,
  ALTER COLUMN taker_buy_volume DROP NOT NULL,
  ALTER COLUMN taker_buy_quote_volume DROP NOT NULL;
