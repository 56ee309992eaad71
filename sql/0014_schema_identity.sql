-- Tells this schema of this database from every other one, also of another server, that keeps things in the same bucket. A copy of the database has the same.
CREATE TABLE schema_identity (
  id      uuid    NOT NULL DEFAULT gen_random_uuid(),
  -- There is one row.
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only)
);

INSERT INTO schema_identity DEFAULT VALUES;
