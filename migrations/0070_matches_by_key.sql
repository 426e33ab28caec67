-- Matching asks for each key by itself, through an index that nothing else can stand in for. Asked for all at once, a table
-- that Postgres has not counted yet (a first load fills it faster than that) was read in full for every page, because two
-- thousand keys seemed to find everything.
DROP FUNCTION app.lookup_matches(uuid, text, text[]);
DROP INDEX accounts_domain, accounts_name, contacts_email, opportunities_name, crm_record_links_record;
CREATE INDEX accounts_domain ON accounts (app.match_domain(domain)) WHERE deleted_at IS NULL;
CREATE INDEX accounts_name ON accounts (app.match_name(name)) WHERE deleted_at IS NULL;
CREATE INDEX contacts_email ON contacts (lower(btrim(email))) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_name ON opportunities (app.match_name(name)) WHERE deleted_at IS NULL;
CREATE INDEX crm_record_links_record ON crm_record_links (record_id);

-- Living records of the transaction's workspace that no link of the connection binds and that share a match key with one of
-- `keys`; accounts have two kinds of keys, domains in `keys` and names in `names`. With its owner's rights: under row-level
-- security an index on an expression is not used, because what the expression might tell of other rows is not known. Ids
-- only. OFFSET 0 keeps each search by itself; IS TRUE keeps indexes that begin with the workspace out of it, which seem as
-- good while the workspace's rows are not counted and read all of them for each key.
CREATE FUNCTION app.lookup_matches(config uuid, entity text, keys text[], names text[]) RETURNS SETOF uuid
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
        AND app.match_domain(a.domain) = k.key OFFSET 0) a
    UNION
    SELECT a.id FROM unnest(names) k (key), LATERAL (
      SELECT a.id FROM public.accounts a
      WHERE entity = 'account' AND (a.workspace_id = workspace) IS TRUE AND a.deleted_at IS NULL
        AND app.match_name(a.name) = k.key OFFSET 0) a
    UNION
    SELECT c.id FROM unnest(keys) k (key), LATERAL (
      SELECT c.id FROM public.contacts c
      WHERE entity = 'contact' AND (c.workspace_id = workspace) IS TRUE AND c.deleted_at IS NULL
        AND lower(btrim(c.email)) = k.key OFFSET 0) c
    UNION
    SELECT o.id FROM unnest(keys) k (key), LATERAL (
      SELECT o.id FROM public.opportunities o
      WHERE entity = 'opportunity' AND (o.workspace_id = workspace) IS TRUE AND o.deleted_at IS NULL
        AND app.match_name(o.name) = k.key OFFSET 0) o
  ) found
  WHERE NOT EXISTS (SELECT FROM public.crm_record_links l
                    WHERE l.record_id = found.id AND (l.workspace_id = workspace) IS TRUE
                      AND (l.config_id = config) IS TRUE AND l.state <> 'apart' OFFSET 0);
END $$;
ALTER FUNCTION app.lookup_matches(uuid, text, text[], text[]) OWNER TO crosstie_lookup;
