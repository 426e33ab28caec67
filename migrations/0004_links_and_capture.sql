-- Links between app records and CRM records, and the trigger that notices edits in the app.

CREATE TABLE crm_record_links (
  workspace_id uuid NOT NULL,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  -- No foreign key: the link survives a plain DELETE of its record.
  record_id uuid,
  crm_record_id text,
  state text NOT NULL CHECK (state IN
    ('linked', 'creating', 'out_of_scope', 'gone_crm', 'gone_app', 'merged', 'not_visible', 'apart')),
  -- Both values of each mapping when the sides last agreed: { "phone": { "crm": "…", "app": "…" } }.
  base jsonb NOT NULL DEFAULT '{}',
  -- The CRM's values as last read, by app field, where they differ from the base and are not settled: { "phone": "…" }.
  seen jsonb NOT NULL DEFAULT '{}',
  -- When a person last changed the record in the CRM, as last read.
  crm_edited_at timestamptz,
  -- The CRM's newest known modification stamp, own writes included: an older reading is dropped.
  crm_modified_at timestamptz,
  -- Why the record could not be written: { code, crmCode, message, side, fields, retryable, at }.
  failure jsonb,
  -- Merge in the next run.
  due boolean NOT NULL DEFAULT false,
  -- What a person decided and the next run carries out, by app field: { "phone": { "choice": "app" | "crm" | "value", "value": "…" } }.
  decision jsonb,
  -- A delete that waits for the run's end, on this side.
  pending_delete text CHECK (pending_delete IN ('app', 'crm')),
  -- The app record was deleted by the engine, so that an undelete in the CRM may bring it back.
  deleted_by_engine boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE,
  CHECK (record_id IS NOT NULL OR crm_record_id IS NOT NULL)
);
-- One partner at most, on either side.
CREATE UNIQUE INDEX crm_record_links_one_per_record ON crm_record_links (workspace_id, config_id, entity_type, record_id)
  WHERE state IN ('linked', 'creating', 'out_of_scope') AND record_id IS NOT NULL;
CREATE UNIQUE INDEX crm_record_links_one_per_crm_record ON crm_record_links (workspace_id, config_id, entity_type, crm_record_id)
  WHERE state IN ('linked', 'creating', 'out_of_scope') AND crm_record_id IS NOT NULL;
CREATE INDEX crm_record_links_record ON crm_record_links (workspace_id, record_id);
CREATE INDEX crm_record_links_crm_record ON crm_record_links (workspace_id, config_id, entity_type, crm_record_id);
CREATE INDEX crm_record_links_due ON crm_record_links (workspace_id, config_id, entity_type, id) WHERE due;
CREATE INDEX crm_record_links_failed ON crm_record_links (workspace_id, config_id, entity_type) WHERE failure IS NOT NULL;
CREATE INDEX crm_record_links_deletes ON crm_record_links (workspace_id, config_id, entity_type) WHERE pending_delete IS NOT NULL;

-- CRM records without a partner that have candidates in the app: decided when the reading is complete.
CREATE TABLE crm_match_candidates (
  workspace_id uuid NOT NULL,
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  crm_record_id text NOT NULL,
  fields jsonb NOT NULL,
  crm_modified_at timestamptz NOT NULL,
  crm_edited_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, config_id, entity_type, crm_record_id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);

-- One row per changed record and connection; a record and its rows are read in one statement and exactly those rows are
-- deleted in the transaction that stores the outcome, so a late commit's row stays.
CREATE TABLE crm_pending_changes (
  workspace_id uuid NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  config_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('account', 'contact', 'opportunity')),
  record_id uuid NOT NULL,
  action text NOT NULL CHECK (action IN ('insert', 'update', 'delete', 'first_look')),
  -- Names of the changed fields; keys of custom as `custom.<key>`.
  changed_fields text[] NOT NULL DEFAULT '{}',
  -- The row's last values, for a plain DELETE.
  old_values jsonb,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, config_id) REFERENCES crm_sync_configs (workspace_id, id) ON DELETE CASCADE
);
CREATE INDEX crm_pending_changes_record ON crm_pending_changes (workspace_id, config_id, entity_type, record_id);

ALTER TABLE crm_record_links ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_record_links FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_match_candidates ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_match_candidates FORCE ROW LEVEL SECURITY;
ALTER TABLE crm_pending_changes ENABLE ROW LEVEL SECURITY;
ALTER TABLE crm_pending_changes FORCE ROW LEVEL SECURITY;

CREATE POLICY "Members read links" ON crm_record_links FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "The system and deciders write links" ON crm_record_links FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'))
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'));
CREATE POLICY "The system matches" ON crm_match_candidates FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));
CREATE POLICY "Members see what waits" ON crm_pending_changes FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "The system works off what waits" ON crm_pending_changes FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));

GRANT SELECT, INSERT, UPDATE, DELETE ON crm_record_links, crm_match_candidates, crm_pending_changes TO crosstie_app;
GRANT SELECT, INSERT ON crm_pending_changes TO crosstie_lookup;

-- The fields in which two versions of a row differ; keys of custom one by one, bookkeeping columns left out.
CREATE FUNCTION app.changed_fields(before jsonb, after jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE
  AS $$
    SELECT coalesce(array_agg(field ORDER BY field), '{}') FROM (
      SELECT key AS field FROM jsonb_each(after)
      WHERE key NOT IN ('workspace_id', 'id', 'custom', 'field_changed_at', 'created_at', 'updated_at')
        AND value IS DISTINCT FROM before -> key
      UNION ALL
      SELECT 'custom.' || coalesce(n.key, o.key)
      FROM jsonb_each(after -> 'custom') n FULL JOIN jsonb_each(before -> 'custom') o ON o.key = n.key
      WHERE n.value IS DISTINCT FROM o.value
    ) changed
  $$;

-- Appends what a statement changed for every connection of the workspace but the one that the engine's own statement names
-- in `crosstie.connection`. Runs with the rights of its owner, which row-level security does not bind: any program may have
-- made the change. The first argument is the entity. One NOTIFY per transaction: equal payloads fold into one.
CREATE FUNCTION app.capture_insert() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO crm_pending_changes (workspace_id, config_id, entity_type, record_id, action, changed_at)
  SELECT n.workspace_id, c.id, TG_ARGV[0], n.id, 'insert', app.stamp()
  FROM new_rows n JOIN crm_sync_configs c ON c.workspace_id = n.workspace_id
  WHERE c.id::text <> coalesce(current_setting('crosstie.connection', true), '');
  IF FOUND THEN PERFORM pg_notify('crosstie_changes', ''); END IF;
  RETURN NULL;
END $$;

-- Also stamps the changed fields, unless the engine wrote: its stamps carry the time of the edit that it brings.
CREATE FUNCTION app.capture_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  -- The stamping below fires this trigger once more.
  IF current_setting('crosstie.stamping', true) = 'on' THEN RETURN NULL; END IF;
  IF EXISTS (SELECT FROM new_rows n WHERE NOT EXISTS
             (SELECT FROM old_rows o WHERE o.workspace_id = n.workspace_id AND o.id = n.id)) THEN
    RAISE EXCEPTION 'a record cannot change its workspace or its id' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  INSERT INTO crm_pending_changes (workspace_id, config_id, entity_type, record_id, action, changed_fields, changed_at)
  SELECT d.workspace_id, c.id, TG_ARGV[0], d.id, 'update', d.fields, app.stamp()
  FROM (SELECT n.workspace_id, n.id, app.changed_fields(to_jsonb(o), to_jsonb(n)) AS fields
        FROM new_rows n JOIN old_rows o ON o.workspace_id = n.workspace_id AND o.id = n.id) d
  JOIN crm_sync_configs c ON c.workspace_id = d.workspace_id
  WHERE cardinality(d.fields) > 0 AND c.id::text <> coalesce(current_setting('crosstie.connection', true), '');
  IF FOUND THEN PERFORM pg_notify('crosstie_changes', ''); END IF;
  IF coalesce(current_setting('crosstie.connection', true), '') = '' THEN
    PERFORM set_config('crosstie.stamping', 'on', true);
    EXECUTE format(
      'UPDATE public.%I t SET updated_at = app.stamp(), field_changed_at = t.field_changed_at || s.stamps
       FROM (SELECT n.workspace_id, n.id, (SELECT jsonb_object_agg(f, app.stamp())
                    FROM unnest(app.changed_fields(to_jsonb(o), to_jsonb(n))) f) AS stamps
             FROM new_rows n JOIN old_rows o ON o.workspace_id = n.workspace_id AND o.id = n.id) s
       WHERE t.workspace_id = s.workspace_id AND t.id = s.id AND s.stamps IS NOT NULL', TG_TABLE_NAME);
    PERFORM set_config('crosstie.stamping', 'off', true);
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION app.capture_delete() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  INSERT INTO crm_pending_changes (workspace_id, config_id, entity_type, record_id, action, old_values, changed_at)
  SELECT o.workspace_id, c.id, TG_ARGV[0], o.id, 'delete', to_jsonb(o), app.stamp()
  FROM old_rows o JOIN crm_sync_configs c ON c.workspace_id = o.workspace_id
  WHERE c.id::text <> coalesce(current_setting('crosstie.connection', true), '');
  IF FOUND THEN PERFORM pg_notify('crosstie_changes', ''); END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION app.refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE would lose edits unseen: use DELETE' USING ERRCODE = 'feature_not_supported';
END $$;

ALTER FUNCTION app.capture_insert() OWNER TO crosstie_lookup;
ALTER FUNCTION app.capture_update() OWNER TO crosstie_lookup;
ALTER FUNCTION app.capture_delete() OWNER TO crosstie_lookup;

CREATE TRIGGER accounts_capture_insert AFTER INSERT ON accounts REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_insert('account');
CREATE TRIGGER accounts_capture_update AFTER UPDATE ON accounts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_update('account');
CREATE TRIGGER accounts_capture_delete AFTER DELETE ON accounts REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_delete('account');
CREATE TRIGGER accounts_no_truncate BEFORE TRUNCATE ON accounts
  FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_truncate();
CREATE TRIGGER contacts_capture_insert AFTER INSERT ON contacts REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_insert('contact');
CREATE TRIGGER contacts_capture_update AFTER UPDATE ON contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_update('contact');
CREATE TRIGGER contacts_capture_delete AFTER DELETE ON contacts REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_delete('contact');
CREATE TRIGGER contacts_no_truncate BEFORE TRUNCATE ON contacts
  FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_truncate();
CREATE TRIGGER opportunities_capture_insert AFTER INSERT ON opportunities REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_insert('opportunity');
CREATE TRIGGER opportunities_capture_update AFTER UPDATE ON opportunities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_update('opportunity');
CREATE TRIGGER opportunities_capture_delete AFTER DELETE ON opportunities REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.capture_delete('opportunity');
CREATE TRIGGER opportunities_no_truncate BEFORE TRUNCATE ON opportunities
  FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_truncate();
