-- Which migrations this schema has seen. The migrator makes this table first and then applies what is missing, in order.
-- Names are unqualified throughout this folder: the search_path decides the schema, so that real and simulated data live
-- side by side in one database without ever meeting in one table.

CREATE TABLE IF NOT EXISTS migration (
  number     integer     PRIMARY KEY,
  name       text        NOT NULL,
  -- Of the file as it was applied: an applied migration that was changed afterwards is refused.
  sha256     text        NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
