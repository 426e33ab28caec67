-- A database that was restored is older than the CRM: the first run after it asks before it overwrites or deletes.
-- The database as the last run left it: its cluster and its timeline. Empty: an operator says that it was restored.
ALTER TABLE crm_sync_configs ADD COLUMN database_history text;
ALTER TABLE crm_sync_runs ADD COLUMN is_wary boolean NOT NULL DEFAULT false;
