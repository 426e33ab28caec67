-- What the screens of logs and conflicts ask for.

-- A log's conflicts are those that its run found.
CREATE INDEX crm_sync_conflicts_run ON crm_sync_conflicts (workspace_id, run_id) WHERE run_id IS NOT NULL;
-- A list of conflicts in any state, newest first.
CREATE INDEX crm_sync_conflicts_newest ON crm_sync_conflicts (workspace_id, detected_at DESC, id DESC);
-- A log's failures are looked up apart from its many writes.
CREATE INDEX crm_sync_changes_refused ON crm_sync_changes (workspace_id, log_id, id) WHERE state = 'refused';
