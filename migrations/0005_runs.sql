-- Runs, their logs, the journal of what they wrote, and the questions they leave.

CREATE TABLE crm_sync_runs (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  config_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('queued', 'running', 'held', 'completed', 'partial', 'failed', 'cancelled')),
  trigger text NOT NULL CHECK (trigger IN ('manual', 'schedule', 'change', 'decision')),
  sync_direction text NOT NULL CHECK (sync_direction IN ('push', 'pull', 'bidirectional')),
  sync_entities text[] NOT NULL,
  -- Where the run stands; only the engine reads it.
  position jsonb NOT NULL DEFAULT '{}',
  -- Raised by each committed step and when a lease ends: a late worker's commit does nothing.
  version bigint NOT NULL DEFAULT 0,
  progress jsonb NOT NULL DEFAULT '{}',
  estimated_records bigint,
  cancel_requested boolean NOT NULL DEFAULT false,
  -- Deletes that an admin approved or rejected: 'approved', 'rejected'.
  held_decision text CHECK (held_decision IN ('approved', 'rejected')),
  held_reason jsonb,
  error_code text,
  error_message text,
  requested_by uuid REFERENCES auth.users (id),
  created_at timestamptz NOT NULL,
  started_at timestamptz,
  finished_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);
-- Runs of one connection never overlap, and triggers during a run cause exactly one more.
CREATE UNIQUE INDEX crm_sync_runs_one_open ON crm_sync_runs (workspace_id, config_id) WHERE state IN ('running', 'held');
CREATE UNIQUE INDEX crm_sync_runs_one_queued ON crm_sync_runs (workspace_id, config_id) WHERE state = 'queued';
CREATE INDEX crm_sync_runs_config ON crm_sync_runs (workspace_id, config_id, created_at DESC);

CREATE TABLE crm_sync_logs (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  config_id uuid NOT NULL,
  run_id uuid NOT NULL,
  sync_direction text NOT NULL CHECK (sync_direction IN ('push', 'pull')),
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  -- processed = synced + failed + skipped.
  records_processed bigint NOT NULL DEFAULT 0,
  records_synced bigint NOT NULL DEFAULT 0,
  records_failed bigint NOT NULL DEFAULT 0,
  records_skipped bigint NOT NULL DEFAULT 0,
  records_created bigint NOT NULL DEFAULT 0,
  records_updated bigint NOT NULL DEFAULT 0,
  records_deleted bigint NOT NULL DEFAULT 0,
  conflicts_detected bigint NOT NULL DEFAULT 0,
  conflicts_resolved bigint NOT NULL DEFAULT 0,
  sync_duration_ms bigint,
  status text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed', 'partial', 'cancelled')),
  error_message text,
  error_details jsonb,
  -- [{ name, startedAt, durationMs, records, calls }]
  stages jsonb NOT NULL DEFAULT '[]',
  started_at timestamptz NOT NULL,
  completed_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  CONSTRAINT crm_sync_logs_one_per_direction UNIQUE (workspace_id, run_id, sync_direction, entity_type),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE,
  FOREIGN KEY (workspace_id, run_id) REFERENCES crm_sync_runs (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX idx_crm_sync_logs_config ON crm_sync_logs (workspace_id, config_id, started_at DESC);
CREATE INDEX idx_crm_sync_logs_workspace ON crm_sync_logs (workspace_id, started_at DESC, id DESC);
CREATE INDEX idx_crm_sync_logs_status ON crm_sync_logs (workspace_id, status) WHERE status IN ('running', 'failed');

-- The journal: a row per record written, on either side. A row of a CRM write is an intent, made before the call.
CREATE TABLE crm_sync_changes (
  workspace_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  config_id uuid NOT NULL,
  run_id uuid NOT NULL,
  log_id uuid NOT NULL,
  link_id uuid,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  record_id uuid,
  crm_record_id text,
  side text NOT NULL CHECK (side IN ('app', 'crm')),
  action text NOT NULL CHECK (action IN ('create', 'update', 'delete', 'link', 'restore')),
  state text NOT NULL CHECK (state IN ('intended', 'sent', 'done', 'refused', 'unknown')),
  -- [{ field, appField, before, after, rule }]
  fields jsonb NOT NULL DEFAULT '[]',
  -- { code, crmCode, message, fields, retryable } of a refused write.
  refusal jsonb,
  created_at timestamptz NOT NULL,
  settled_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, run_id) REFERENCES crm_sync_runs (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX crm_sync_changes_log ON crm_sync_changes (workspace_id, log_id, id);
CREATE INDEX crm_sync_changes_record ON crm_sync_changes (workspace_id, record_id, id);
CREATE INDEX crm_sync_changes_open ON crm_sync_changes (workspace_id, config_id) WHERE state IN ('intended', 'sent', 'unknown');

CREATE TABLE crm_sync_conflicts (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  config_id uuid NOT NULL,
  link_id uuid,
  run_id uuid,
  kind text NOT NULL DEFAULT 'field' CHECK (kind IN ('field', 'match', 'delete', 'merge')),
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  entity_id uuid,
  crm_record_id text,
  -- Keys are app field names. `crm_data` is after toApp, `crm_raw` as the CRM stores it.
  app_data jsonb NOT NULL,
  crm_data jsonb NOT NULL,
  base_data jsonb NOT NULL DEFAULT '{}',
  crm_raw jsonb NOT NULL DEFAULT '{}',
  conflicting_fields text[] NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'resolved', 'ignored')),
  resolution_strategy text CHECK (resolution_strategy IN ('use_app', 'use_crm', 'manual', 'rule', 'converged')),
  -- A stored decision that waits for the run that carries it out: { field: value in app form }.
  merged_data jsonb,
  -- Raised whenever either side moves while the conflict is pending.
  version int NOT NULL DEFAULT 1,
  resolved_by uuid REFERENCES auth.users (id),
  resolved_at timestamptz,
  detected_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX crm_sync_conflicts_one_pending ON crm_sync_conflicts (workspace_id, config_id, entity_type, entity_id, crm_record_id)
  NULLS NOT DISTINCT WHERE status = 'pending';
CREATE INDEX idx_crm_sync_conflicts_workspace ON crm_sync_conflicts (workspace_id, status, detected_at DESC);
CREATE INDEX idx_crm_sync_conflicts_config ON crm_sync_conflicts (workspace_id, config_id, detected_at DESC);
CREATE INDEX crm_sync_conflicts_link ON crm_sync_conflicts (workspace_id, link_id) WHERE status = 'pending';

ALTER TABLE crm_sync_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_runs FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_logs FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_changes FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_conflicts ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_conflicts FORCE ROW LEVEL SECURITY;

CREATE POLICY "Members read runs" ON crm_sync_runs FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Whoever may sync starts runs" ON crm_sync_runs FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'))
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'));
CREATE POLICY "Users can view sync logs in their workspace" ON crm_sync_logs FOR SELECT
  USING (app.in_workspace(workspace_id));
CREATE POLICY "The system writes sync logs" ON crm_sync_logs FOR ALL
  USING (workspace_id = app.workspace_id() AND app.actor() = 'system')
  WITH CHECK (workspace_id = app.workspace_id() AND app.actor() = 'system');
CREATE POLICY "Members read the journal" ON crm_sync_changes FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "The system writes the journal" ON crm_sync_changes FOR ALL
  USING (workspace_id = app.workspace_id() AND app.actor() = 'system')
  WITH CHECK (workspace_id = app.workspace_id() AND app.actor() = 'system');
CREATE POLICY "Users can view conflicts in their workspace" ON crm_sync_conflicts FOR SELECT
  USING (app.in_workspace(workspace_id));
CREATE POLICY "Reviewers settle conflicts in their workspace" ON crm_sync_conflicts FOR ALL
  USING (app.may(workspace_id, 'admin', 'reviewer')) WITH CHECK (app.may(workspace_id, 'admin', 'reviewer'));

GRANT SELECT, INSERT, UPDATE, DELETE ON crm_sync_runs, crm_sync_logs, crm_sync_changes, crm_sync_conflicts TO crosstie_app;
GRANT SELECT ON crm_sync_runs TO crosstie_lookup;

-- Connections with edits that wait, for those that run in real time.
CREATE FUNCTION app.lookup_changed_connections(most int) RETURNS TABLE (workspace_id uuid, config_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT c.workspace_id, c.id FROM public.crm_sync_configs c
        WHERE c.is_active AND c.status = 'connected' AND c.sync_frequency = 'realtime' AND c.setup_completed_at IS NOT NULL
          AND c.sync_direction <> 'pull'
          AND EXISTS (SELECT FROM public.crm_pending_changes p WHERE p.workspace_id = c.workspace_id AND p.config_id = c.id)
          AND NOT EXISTS (SELECT FROM public.crm_sync_runs r WHERE r.workspace_id = c.workspace_id AND r.config_id = c.id
                          AND r.state IN ('queued', 'running', 'held'))
        LIMIT most $$;
ALTER FUNCTION app.lookup_changed_connections(int) OWNER TO crosstie_lookup;
