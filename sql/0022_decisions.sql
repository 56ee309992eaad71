-- A decision about offsets may be taken back before it has had any effect, and ends where a rewind lets other records come to its offsets. It stays here, and no claim reads it.
ALTER TABLE skipped_range
  ADD COLUMN taken_back_at timestamptz,
  ADD COLUMN taken_back_by text,
  ADD CHECK ((taken_back_at IS NULL) = (taken_back_by IS NULL));

-- Hand-overs are numbered, and a task knows the newest one that there was when it began with nothing. Rows that are given to nobody are for tasks that begin after it: they
-- carry its number, negative, in row_owner. What a task holds that began before lacks what such a row was made of; a copy holds all that the task had that it is a copy of.
ALTER TABLE row_handover ADD COLUMN id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY;
ALTER TABLE row_owner
  ADD COLUMN begun_after integer NOT NULL DEFAULT 0,
  ADD COLUMN copy_of integer REFERENCES row_owner;
