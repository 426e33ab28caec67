-- Connections to CRMs, their mappings, rules and sealed credentials.

-- AES-256-GCM sealed by the server with CROSSTIE_SECRET_KEY; the database never sees what is inside.
CREATE TABLE vault.secrets (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('oauth_tokens', 'oauth_state')),
  sealed bytea NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id)
);

CREATE TABLE crm_sync_configs (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  crm_provider text NOT NULL CHECK (crm_provider IN ('salesforce', 'hubspot')),
  environment text NOT NULL CHECK (environment IN ('production', 'sandbox', 'simulator')),
  is_active boolean NOT NULL DEFAULT true,
  credentials_vault_id uuid,
  oauth_instance_url text,
  oauth_user_email text,
  oauth_user_name text,
  oauth_user_id text,
  -- Where the sign-in took place, so that refresh and revoke go to the same host.
  oauth_login_url text NOT NULL,
  -- Org or portal id: a sign-in to another one never meets the old links.
  organization_id text,
  time_zone text,
  sync_direction text NOT NULL DEFAULT 'bidirectional' CHECK (sync_direction IN ('push', 'pull', 'bidirectional')),
  sync_frequency text NOT NULL DEFAULT 'hourly' CHECK (sync_frequency IN ('realtime', 'hourly', 'daily', 'manual')),
  schedule jsonb,
  sync_entities text[] NOT NULL DEFAULT ARRAY['accounts', 'contacts']
    CHECK (sync_entities <@ ARRAY['accounts', 'contacts', 'opportunities']),
  -- The published set of mappings, by entity. Written only by publishing; crm_field_mappings is the truth.
  field_mappings jsonb NOT NULL DEFAULT '{}',
  sync_rules jsonb,
  conflict_resolution text NOT NULL DEFAULT 'last_write_wins'
    CHECK (conflict_resolution IN ('last_write_wins', 'crm_wins', 'app_wins', 'manual_review')),
  options jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'connected' CHECK (status IN ('connected', 'disconnected', 'error', 'paused')),
  -- Nothing runs by itself before set-up is complete or someone triggers the first run.
  setup_completed_at timestamptz,
  last_sync_at timestamptz,
  last_sync_status text CHECK (last_sync_status IN ('success', 'failed', 'partial')),
  last_sync_error text,
  next_sync_at timestamptz,
  -- Calls made today by Crosstie, and the org's own count as last heard.
  calls_day date,
  calls_today bigint NOT NULL DEFAULT 0,
  org_calls_used bigint,
  org_calls_allowed bigint,
  -- No call before this instant: the CRM's limit is used up.
  limited_until timestamptz,
  clock_skew_ms bigint NOT NULL DEFAULT 0,
  -- One process refreshes the tokens at a time; a rotated token that is used twice would end the grant.
  refreshing_until timestamptz,
  created_by uuid REFERENCES auth.users (id),
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  CONSTRAINT crm_sync_configs_one_per_crm UNIQUE (workspace_id, crm_provider),
  FOREIGN KEY (workspace_id, credentials_vault_id) REFERENCES vault.secrets (workspace_id, id)
);
CREATE INDEX idx_crm_sync_configs_next_sync ON crm_sync_configs (next_sync_at)
  WHERE is_active AND status = 'connected';

-- What the CRM described last, per entity.
CREATE TABLE crm_descriptions (
  workspace_id uuid NOT NULL,
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  description jsonb NOT NULL,
  fetched_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, config_id, entity_type),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);

-- Where the reading of an entity stands.
CREATE TABLE crm_cursors (
  workspace_id uuid NOT NULL,
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  -- Everything the CRM changed before this instant has been read. NULL: read the entity in full.
  read_until timestamptz,
  -- Fingerprint of what the last full read covered (mappings, direction, filter); another one widens and reads in full again.
  covers text,
  PRIMARY KEY (workspace_id, config_id, entity_type),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE crm_field_mappings (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  crm_field text NOT NULL CHECK (length(crm_field) BETWEEN 1 AND 255),
  app_field text NOT NULL CHECK (length(app_field) BETWEEN 1 AND 255),
  sync_direction text NOT NULL DEFAULT 'bidirectional' CHECK (sync_direction IN ('push', 'pull', 'bidirectional', 'none')),
  transform_function text,
  value_map jsonb,
  -- Why the mapping rests although it is switched on: its field is gone or hidden in the CRM.
  suspended_reason text,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  CONSTRAINT crm_field_mappings_crm_field_key UNIQUE (workspace_id, config_id, entity_type, crm_field),
  CONSTRAINT crm_field_mappings_app_field_key UNIQUE (workspace_id, config_id, entity_type, app_field),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX idx_crm_field_mappings_config ON crm_field_mappings (workspace_id, config_id, entity_type);

-- "Always use App", "Always use CRM": decides a field's conflicts ahead of the connection's policy.
CREATE TABLE crm_field_rules (
  workspace_id uuid NOT NULL,
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  app_field text NOT NULL,
  rule text NOT NULL CHECK (rule IN ('use_app', 'use_crm')),
  created_by uuid REFERENCES auth.users (id),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, config_id, entity_type, app_field),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);

-- Sign-ins under way. `state_hash` is looked up before the workspace is known.
CREATE TABLE crm_oauth_states (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  state_hash bytea NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  crm_provider text NOT NULL CHECK (crm_provider IN ('salesforce', 'hubspot')),
  environment text NOT NULL CHECK (environment IN ('production', 'sandbox', 'simulator')),
  login_url text NOT NULL,
  -- Sealed like a token.
  sealed_verifier bytea NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (workspace_id, id)
);

ALTER TABLE vault.secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE vault.secrets FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_configs ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_sync_configs FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_descriptions ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_descriptions FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_cursors FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_field_mappings ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_field_mappings FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_field_rules ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_field_rules FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_oauth_states ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_oauth_states FORCE ROW LEVEL SECURITY;

CREATE POLICY "Admins and the system keep secrets" ON vault.secrets FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));

CREATE POLICY "Members read CRM configs" ON crm_sync_configs FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Admins can manage CRM configs" ON crm_sync_configs FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));
-- Sales ops may pause, resume and set filters; which columns is the service's check.
CREATE POLICY "Sales ops update CRM configs" ON crm_sync_configs FOR UPDATE
  USING (app.may(workspace_id, 'sales_ops')) WITH CHECK (app.may(workspace_id, 'sales_ops'));

CREATE POLICY "Members read descriptions" ON crm_descriptions FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Whoever maps refreshes descriptions" ON crm_descriptions FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops')) WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops'));

CREATE POLICY "Members read cursors" ON crm_cursors FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "The system moves cursors" ON crm_cursors FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops')) WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops'));

CREATE POLICY "Members read mappings" ON crm_field_mappings FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Sales ops write mappings" ON crm_field_mappings FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops')) WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops'));

CREATE POLICY "Members read field rules" ON crm_field_rules FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Sales ops and reviewers write field rules" ON crm_field_rules FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'))
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'));

CREATE POLICY "Admins sign in to CRMs" ON crm_oauth_states FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));

GRANT SELECT, INSERT, UPDATE, DELETE ON vault.secrets, crm_sync_configs, crm_descriptions, crm_cursors, crm_field_mappings,
  crm_field_rules, crm_oauth_states TO crosstie_app;
GRANT SELECT ON crm_oauth_states, crm_sync_configs TO crosstie_lookup;

CREATE FUNCTION app.lookup_oauth_state(hash bytea) RETURNS TABLE (state_id uuid, user_id uuid, workspace_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT s.id, s.user_id, s.workspace_id FROM public.crm_oauth_states s WHERE s.state_hash = hash $$;
ALTER FUNCTION app.lookup_oauth_state(bytea) OWNER TO crosstie_lookup;

CREATE FUNCTION app.lookup_due_connections(at timestamptz, most int) RETURNS TABLE (workspace_id uuid, config_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT c.workspace_id, c.id FROM public.crm_sync_configs c
        WHERE c.is_active AND c.status = 'connected' AND c.next_sync_at <= at
        ORDER BY c.next_sync_at LIMIT most $$;
ALTER FUNCTION app.lookup_due_connections(timestamptz, int) OWNER TO crosstie_lookup;
