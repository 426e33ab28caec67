-- What was published about mappings, by whom: the screen says it and can take it back.

CREATE TABLE crm_mapping_changes (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL,
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  -- No foreign key: the change outlives a removed mapping.
  mapping_id uuid NOT NULL,
  -- { crmField, appField, syncDirection, transformFunction, valueMap, rule }; NULL before it was made, and after it was removed.
  before jsonb,
  after jsonb,
  changed_by uuid REFERENCES auth.users (id),
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE,
  CHECK (before IS NOT NULL OR after IS NOT NULL)
);
CREATE INDEX crm_mapping_changes_config ON crm_mapping_changes (workspace_id, config_id, changed_at DESC);

ALTER TABLE crm_mapping_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_mapping_changes FORCE ROW LEVEL SECURITY;

CREATE POLICY "Members read mapping changes" ON crm_mapping_changes FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Sales ops publish mappings" ON crm_mapping_changes FOR INSERT
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops'));

GRANT SELECT, INSERT ON crm_mapping_changes TO crosstie_app;
