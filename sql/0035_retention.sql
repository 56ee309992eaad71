-- What was deleted because it was older than it is to be kept (MILLRACE_KEEP), a row a kind of rows. Read by status, and by the comparison with the exchange, which must not take what was deleted for
-- what is missing.
CREATE TABLE retention (
  -- As the setting names it.
  kind          text        PRIMARY KEY,
  keep_ms       bigint      NOT NULL,
  -- When it was looked at last.
  ran_at        timestamptz NOT NULL,
  -- How many rows were deleted, ever.
  deleted_rows  bigint      NOT NULL,
  -- The newest time of a deleted row; of candles and indicators their open time. NULL while none was.
  deleted_until timestamptz
);
