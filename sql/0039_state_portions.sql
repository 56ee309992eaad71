-- A whole state that is large is written in portions, one a checkpoint. They count once the last of them is stored, which removes the frames before the first.

ALTER TABLE task_state DROP CONSTRAINT task_state_kind_check,
  ADD CONSTRAINT task_state_kind_check CHECK (kind IN ('base', 'delta', 'first', 'further', 'last'));
