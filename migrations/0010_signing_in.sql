-- A sign-in to another org stops unless its admin said beforehand that old links may be closed.
ALTER TABLE crm_oauth_states ADD COLUMN start_afresh boolean NOT NULL DEFAULT false;

-- How many records the CRM had when it was last asked, for the wizard's counts on both sides.
ALTER TABLE crm_descriptions ADD COLUMN record_count bigint CHECK (record_count >= 0);
