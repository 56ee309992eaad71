-- When a message was stored, for telling how long the oldest one waits: event times may lie years back.
ALTER TABLE outbox ADD COLUMN stored_at timestamptz NOT NULL DEFAULT now();
