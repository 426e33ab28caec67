-- What a full comparison found that the readings before should have brought; NULL where a run compared nothing.
ALTER TABLE crm_sync_logs ADD COLUMN records_missed bigint;
