-- Durable jobs. Belongs to no workspace: a job names in its arguments whatever it is about.

CREATE TABLE jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind text NOT NULL,
  -- Unique while the job is queued or running.
  key text NOT NULL,
  -- Jobs of one queue run one at a time.
  queue text NOT NULL,
  args jsonb NOT NULL,
  state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed')),
  run_at timestamptz NOT NULL,
  attempt int NOT NULL DEFAULT 0,
  -- Raised by every claim; each later write names it, and no row means: stop.
  lease_token bigint NOT NULL DEFAULT 0,
  leased_until timestamptz,
  heartbeat_at timestamptz,
  cancel_requested boolean NOT NULL DEFAULT false,
  last_error text,
  created_at timestamptz NOT NULL,
  finished_at timestamptz
);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, key) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_due ON jobs (run_at) WHERE state = 'queued';
-- Of a queue one job at a time is claimed, also by two workers in the same instant.
CREATE UNIQUE INDEX jobs_running ON jobs (queue) WHERE state = 'running';
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE state IN ('done', 'failed');

GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO crosstie_app;
