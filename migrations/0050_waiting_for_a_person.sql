-- An edit of a record that waits for a person's answer starts no run of a real-time connection: it would find the same
-- question again, for ever. The edit stays, and goes along once the question is answered. Nor does an edit of an entity that
-- the connection does not synchronise.
GRANT SELECT ON crm_sync_conflicts TO crosstie_lookup;

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
                          AND r.state IN ('queued', 'running', 'held'))
        LIMIT most $$;
