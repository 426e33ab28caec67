-- Changes that empty a field or overwrite it without a common past wait on their links where too many records would get them:
-- { "phone": { "side": "app", "heldBy": "the run whose approval it waits for, once its share is known" } }
ALTER TABLE crm_record_links ADD COLUMN guarded jsonb NOT NULL DEFAULT '{}';
CREATE INDEX crm_record_links_guarded ON crm_record_links (workspace_id, config_id) WHERE guarded <> '{}';
