-- What ties a file of a record to a file of a CRM, so that each is there once on either side. A tie belongs to the app record:
-- it outlives a merge of its partners in the CRM.

CREATE TABLE crm_file_ties (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  record_id uuid NOT NULL,
  -- Where it is in the CRM, or is to go.
  crm_record_id text NOT NULL,
  -- NULL: the CRM's is still to come.
  file_id uuid,
  -- The CRM's file as last listed: { id, version, name, size, md5 }. NULL: the app's is still to go.
  crm_file jsonb,
  crm_file_id text GENERATED ALWAYS AS (crm_file ->> 'id') STORED,
  -- What both held when they last agreed.
  sha256 text,
  state text NOT NULL CHECK (state IN ('linked', 'pull', 'push', 'sending')),
  -- When it was sent, while no answer is known.
  sent_at timestamptz CHECK ((sent_at IS NULL) = (state <> 'sending')),
  -- Why it could not be moved: { code, crmCode, message, side, fields, retryable }.
  failure jsonb,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE,
  FOREIGN KEY (workspace_id, file_id) REFERENCES crm_files (workspace_id, id),
  CHECK (file_id IS NOT NULL OR crm_file IS NOT NULL)
);
CREATE UNIQUE INDEX crm_file_ties_one_per_file ON crm_file_ties (workspace_id, config_id, file_id);
CREATE UNIQUE INDEX crm_file_ties_one_per_crm_file
  ON crm_file_ties (workspace_id, config_id, entity_type, record_id, crm_file_id);
CREATE INDEX crm_file_ties_waiting ON crm_file_ties (workspace_id, config_id, id) WHERE state <> 'linked';

ALTER TABLE crm_file_ties ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_file_ties FORCE ROW LEVEL SECURITY;
CREATE POLICY "Members read what ties files" ON crm_file_ties FOR SELECT
  USING (workspace_id = (SELECT app.readable_workspace()));
CREATE POLICY "The system ties files" ON crm_file_ties FOR ALL
  USING (workspace_id = (SELECT app.workspace_for('admin')))
  WITH CHECK (workspace_id = (SELECT app.workspace_for('admin')));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm_file_ties TO crosstie_app;
