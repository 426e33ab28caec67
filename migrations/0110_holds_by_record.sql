-- A run that waits for an admin holds exactly the records it is about; everything else of its connection goes on.
ALTER TABLE crm_record_links
  -- The run whose approval this record's delete waits for.
  ADD COLUMN held_by uuid,
  -- App fields that are not written until a person releases them: the engine wrote them in turns.
  ADD COLUMN held_fields text[] NOT NULL DEFAULT '{}',
  -- Values that writes into the CRM sent and that were not applied when it was asked: one that turns up within a day is our
  -- own late write. { "phone": { "value": "…", "until": epoch milliseconds } }
  ADD COLUMN late jsonb NOT NULL DEFAULT '{}';
CREATE INDEX crm_record_links_held ON crm_record_links (workspace_id, held_by) WHERE held_by IS NOT NULL;

DROP INDEX crm_sync_runs_one_open;
CREATE UNIQUE INDEX crm_sync_runs_one_open ON crm_sync_runs (workspace_id, config_id) WHERE state = 'running';

-- A run that compares both sides in full, whatever the cursor says.
ALTER TABLE crm_sync_runs ADD COLUMN compares boolean NOT NULL DEFAULT false;

ALTER TABLE crm_cursors
  -- When the CRM's index was last given a second look, by reach: { "3600": epoch milliseconds }.
  ADD COLUMN looked_back jsonb NOT NULL DEFAULT '{}',
  -- When the CRM's list of deletions was last read to its end.
  ADD COLUMN deletions_read_at timestamptz,
  -- When both sides were last compared in full.
  ADD COLUMN compared_at timestamptz;

-- A held run does not keep the next one from starting.
CREATE OR REPLACE FUNCTION app.lookup_changed_connections(most int) RETURNS TABLE (workspace_id uuid, config_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT c.workspace_id, c.id FROM public.crm_sync_configs c
        WHERE c.is_active AND c.status = 'connected' AND c.sync_frequency = 'realtime' AND c.setup_completed_at IS NOT NULL
          AND c.sync_direction <> 'pull'
          AND EXISTS (SELECT FROM public.crm_pending_changes p WHERE p.workspace_id = c.workspace_id AND p.config_id = c.id
                      AND CASE p.entity_type WHEN 'account' THEN 'accounts' WHEN 'contact' THEN 'contacts'
                          ELSE 'opportunities' END = ANY (c.sync_entities)
                      AND NOT EXISTS (SELECT FROM public.crm_sync_conflicts q WHERE q.workspace_id = p.workspace_id
                                      AND q.config_id = p.config_id AND q.entity_type = p.entity_type AND q.entity_id = p.record_id
                                      AND q.status = 'pending' AND q.kind = 'match'))
          AND NOT EXISTS (SELECT FROM public.crm_sync_runs r WHERE r.workspace_id = c.workspace_id AND r.config_id = c.id
                          AND r.state IN ('queued', 'running'))
        LIMIT most $$;
ALTER FUNCTION app.lookup_changed_connections(int) OWNER TO crosstie_lookup;
