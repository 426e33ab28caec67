-- What a statement may see is decided once a statement, not once a row: the policies compare with a workspace that a
-- sub-query without parameters gives. A page that counts a hundred thousand records asked for the person's role as often.

-- The transaction's workspace where it may read there: as the system, or as a person who belongs to it.
CREATE FUNCTION app.readable_workspace() RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT app.workspace_id()
        WHERE app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(app.workspace_id()) IS NOT NULL) $$;

-- The same where the person's role is one of these (the system always may).
CREATE FUNCTION app.workspace_for(VARIADIC roles text[]) RETURNS uuid LANGUAGE sql STABLE
  AS $$ SELECT app.workspace_id()
        WHERE app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(app.workspace_id()) = ANY (roles)) $$;

DO $$
DECLARE
  policy record;
  uses text;
  checks text;
BEGIN
  FOR policy IN
    SELECT schemaname, tablename, policyname, qual, with_check FROM pg_policies
    WHERE concat(qual, with_check) ~ 'app\.(in_workspace|may)\(' OR policyname IN ('The system writes the journal', 'The system writes sync logs')
  LOOP
    uses := policy.qual;
    checks := policy.with_check;
    uses := regexp_replace(uses, 'app\.in_workspace\(workspace_id\)', '(workspace_id = (SELECT app.readable_workspace()))', 'g');
    checks := regexp_replace(checks, 'app\.in_workspace\(workspace_id\)', '(workspace_id = (SELECT app.readable_workspace()))', 'g');
    uses := regexp_replace(uses, 'app\.may\(workspace_id, (VARIADIC ARRAY\[[^]]*\])\)', '(workspace_id = (SELECT app.workspace_for(\1)))', 'g');
    checks := regexp_replace(checks, 'app\.may\(workspace_id, (VARIADIC ARRAY\[[^]]*\])\)', '(workspace_id = (SELECT app.workspace_for(\1)))', 'g');
    IF policy.policyname IN ('The system writes the journal', 'The system writes sync logs') THEN
      uses := '(workspace_id = (SELECT app.workspace_for(VARIADIC ARRAY[]::text[])))';
      checks := uses;
    END IF;
    EXECUTE format('ALTER POLICY %I ON %I.%I %s %s', policy.policyname, policy.schemaname, policy.tablename,
                   'USING (' || uses || ')', 'WITH CHECK (' || checks || ')');
  END LOOP;
END $$;

DROP FUNCTION app.in_workspace(uuid);
DROP FUNCTION app.may(uuid, text[]);

-- Links that are due are taken up in the order of their records, like the edits that wait.
DROP INDEX crm_record_links_due;
CREATE INDEX crm_record_links_due ON crm_record_links (workspace_id, config_id, entity_type, record_id) WHERE due;
-- Pairs that a person keeps apart are few, and every batch asks for them.
CREATE INDEX crm_record_links_apart ON crm_record_links (workspace_id, config_id, entity_type) WHERE state = 'apart';

-- Living records of the transaction's workspace that no link of the connection binds and that share a match key with one of
-- `keys`. With its owner's rights: under row-level security an index on an expression is not used, because what the
-- expression might tell of other rows is not known. Ids only; planned anew each time, because a first load fills the tables
-- faster than their statistics follow.
GRANT SELECT ON crm_record_links TO crosstie_lookup;
CREATE FUNCTION app.lookup_matches(config uuid, entity text, keys text[]) RETURNS SETOF uuid
  LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
  AS $$
DECLARE
  workspace uuid := app.readable_workspace();
BEGIN
  RETURN QUERY
  SELECT found.id FROM (
    SELECT a.id FROM public.accounts a
    WHERE entity = 'account' AND a.workspace_id = workspace AND a.deleted_at IS NULL AND app.match_domain(a.domain) = ANY (keys)
    UNION
    SELECT a.id FROM public.accounts a
    WHERE entity = 'account' AND a.workspace_id = workspace AND a.deleted_at IS NULL AND app.match_name(a.name) = ANY (keys)
    UNION
    SELECT c.id FROM public.contacts c
    WHERE entity = 'contact' AND c.workspace_id = workspace AND c.deleted_at IS NULL AND lower(btrim(c.email)) = ANY (keys)
    UNION
    SELECT o.id FROM public.opportunities o
    WHERE entity = 'opportunity' AND o.workspace_id = workspace AND o.deleted_at IS NULL AND app.match_name(o.name) = ANY (keys)
  ) found
  WHERE NOT EXISTS (SELECT FROM public.crm_record_links l WHERE l.workspace_id = workspace AND l.record_id = found.id
                    AND l.config_id = config AND l.state <> 'apart');
END $$;
ALTER FUNCTION app.lookup_matches(uuid, text, text[]) OWNER TO crosstie_lookup;
