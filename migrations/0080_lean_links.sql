-- A first load writes every link, and each of its indexes with it: half the time of the write went into comparing keys that
-- begin alike and into two pairs of indexes of which one can do the work of both.

-- Ids of CRM records are codes, not words: compared byte by byte.
ALTER TABLE crm_record_links ALTER COLUMN crm_record_id TYPE text COLLATE "C";
-- True where the link ties two records, or will; else null, which a unique index does not count: closed links may be many.
ALTER TABLE crm_record_links ADD COLUMN is_open boolean
  GENERATED ALWAYS AS (CASE WHEN state IN ('linked', 'creating', 'out_of_scope') THEN true END) STORED;

DROP INDEX crm_record_links_one_per_record, crm_record_links_one_per_crm_record, crm_record_links_record,
  crm_record_links_crm_record;
-- One partner at most, on either side; and the way to the links of a record, closed ones too. The first begins with what
-- tells records apart: matching asks for nothing else (see app.lookup_matches).
CREATE UNIQUE INDEX crm_record_links_one_per_record
  ON crm_record_links (record_id, workspace_id, config_id, entity_type, is_open);
CREATE UNIQUE INDEX crm_record_links_one_per_crm_record
  ON crm_record_links (workspace_id, config_id, entity_type, crm_record_id, is_open);

-- The journal and the bases are written and read whole: as text there is nothing to take apart.
ALTER TABLE crm_sync_changes ALTER COLUMN fields DROP DEFAULT;
ALTER TABLE crm_sync_changes ALTER COLUMN fields TYPE json USING fields::json;
ALTER TABLE crm_sync_changes ALTER COLUMN fields SET DEFAULT '[]';
ALTER TABLE crm_record_links ALTER COLUMN base DROP DEFAULT;
ALTER TABLE crm_record_links ALTER COLUMN base TYPE json USING base::json;
ALTER TABLE crm_record_links ALTER COLUMN base SET DEFAULT '{}';

-- What a transaction may see, as expressions that become part of the statements' plans: with a WHERE they were parsed and
-- planned anew for every policy of every statement.
CREATE OR REPLACE FUNCTION app.readable_workspace() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT CASE WHEN app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(app.workspace_id()) IS NOT NULL)
                    THEN app.workspace_id() END $$;
CREATE OR REPLACE FUNCTION app.workspace_for(VARIADIC roles text[]) RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT CASE WHEN app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(app.workspace_id()) = ANY (roles))
                    THEN app.workspace_id() END $$;

-- Match keys are equal or not; their order means nothing to anybody.
DROP INDEX accounts_domain, accounts_name, contacts_email, opportunities_name;
CREATE INDEX accounts_domain ON accounts (app.match_domain(domain) COLLATE "C") WHERE deleted_at IS NULL;
CREATE INDEX accounts_name ON accounts (app.match_name(name) COLLATE "C") WHERE deleted_at IS NULL;
CREATE INDEX contacts_email ON contacts (lower(btrim(email)) COLLATE "C") WHERE deleted_at IS NULL;
CREATE INDEX opportunities_name ON opportunities (app.match_name(name) COLLATE "C") WHERE deleted_at IS NULL;

-- Living records of the transaction's workspace that no link of the connection binds and that share a match key with one of
-- `keys`; accounts have two kinds of keys, domains in `keys` and names in `names`. With its owner's rights: under row-level
-- security an index on an expression is not used, because what the expression might tell of other rows is not known. Ids
-- only. OFFSET 0 keeps each search by itself; IS TRUE keeps indexes that begin with the workspace out of it, which seem as
-- good while the workspace's rows are not counted and read all of them for each key.
CREATE OR REPLACE FUNCTION app.lookup_matches(config uuid, entity text, keys text[], names text[]) RETURNS SETOF uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET jit = off
  AS $$
DECLARE
  workspace uuid := app.readable_workspace();
BEGIN
  RETURN QUERY
  SELECT found.id FROM (
    SELECT a.id FROM unnest(keys) k (key), LATERAL (
      SELECT a.id FROM public.accounts a
      WHERE entity = 'account' AND (a.workspace_id = workspace) IS TRUE AND a.deleted_at IS NULL
        AND app.match_domain(a.domain) COLLATE "C" = k.key OFFSET 0) a
    UNION
    SELECT a.id FROM unnest(names) k (key), LATERAL (
      SELECT a.id FROM public.accounts a
      WHERE entity = 'account' AND (a.workspace_id = workspace) IS TRUE AND a.deleted_at IS NULL
        AND app.match_name(a.name) COLLATE "C" = k.key OFFSET 0) a
    UNION
    SELECT c.id FROM unnest(keys) k (key), LATERAL (
      SELECT c.id FROM public.contacts c
      WHERE entity = 'contact' AND (c.workspace_id = workspace) IS TRUE AND c.deleted_at IS NULL
        AND lower(btrim(c.email)) COLLATE "C" = k.key OFFSET 0) c
    UNION
    SELECT o.id FROM unnest(keys) k (key), LATERAL (
      SELECT o.id FROM public.opportunities o
      WHERE entity = 'opportunity' AND (o.workspace_id = workspace) IS TRUE AND o.deleted_at IS NULL
        AND app.match_name(o.name) COLLATE "C" = k.key OFFSET 0) o
  ) found
  WHERE NOT EXISTS (SELECT FROM public.crm_record_links l
                    WHERE l.record_id = found.id AND (l.workspace_id = workspace) IS TRUE
                      AND (l.config_id = config) IS TRUE AND l.state <> 'apart' OFFSET 0);
END $$;
