-- Why a pass has left the table in the lake as it was: a row that its columns cannot hold, or a column that is gone. NULL where there is no reason.
ALTER TABLE lake_mirror ADD COLUMN refused text;
