-- Files of records. What they hold is kept outside, once per workspace under its SHA-256.

CREATE TABLE crm_files (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  -- No foreign key: one of three tables, and a file survives a plain DELETE of its record.
  record_id uuid NOT NULL,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
  content_type text NOT NULL,
  size bigint NOT NULL CHECK (size >= 0),
  sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  -- What the CRMs tell their files apart by.
  md5 text NOT NULL CHECK (md5 ~ '^[0-9a-f]{32}$'),
  -- Who added it; NULL: the engine.
  created_by uuid,
  created_at timestamptz NOT NULL,
  -- When its content last changed.
  updated_at timestamptz NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (workspace_id, id)
);
CREATE INDEX crm_files_of_record ON crm_files (workspace_id, entity_type, record_id);

ALTER TABLE crm_files ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_files FORCE ROW LEVEL SECURITY;
CREATE POLICY "Members read files" ON crm_files FOR SELECT 
  USING (workspace_id = (SELECT app.readable_workspace()));
CREATE POLICY "Editors write files" ON crm_files FOR ALL
  USING (workspace_id = (SELECT app.workspace_for('admin', 'sales_ops', 'reviewer')))
  WITH CHECK (workspace_id = (SELECT app.workspace_for('admin', 'sales_ops', 'reviewer')));
GRANT SELECT, INSERT, UPDATE, DELETE ON crm_files TO crosstie_app;
