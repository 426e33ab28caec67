-- Workspaces, people, sign-in. Also the three settings that row-level security reads.
--
-- `auth` and `vault` are the schemas that the feature document borrows from Supabase; here they are ours.

CREATE SCHEMA app;
CREATE SCHEMA auth;
CREATE SCHEMA vault;
GRANT USAGE ON SCHEMA app, auth, vault TO crosstie_app, crosstie_lookup;
GRANT USAGE ON SCHEMA app TO crosstie_writer;
-- Functions are handed to crosstie_lookup, which for that must be able to create in the schema.
GRANT CREATE ON SCHEMA app TO crosstie_lookup;

-- Who acts, and where. Set by SET LOCAL at the start of each transaction; after it ends a setting reads as '', not NULL.
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.user_id', true), '')::uuid $$;
CREATE FUNCTION app.workspace_id() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT nullif(current_setting('app.workspace_id', true), '')::uuid $$;
-- 'system' for workers, 'person' for requests.
CREATE FUNCTION app.actor() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT coalesce(nullif(current_setting('app.actor', true), ''), 'none') $$;

CREATE TABLE workspaces (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL CHECK (length(btrim(name)) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL
);

CREATE TABLE auth.users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 320),
  name text NOT NULL,
  password_hash text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT users_email_key UNIQUE (email)
);

CREATE TABLE workspace_members (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('admin', 'sales_ops', 'reviewer', 'compliance', 'member')),
  created_at timestamptz NOT NULL,
  PRIMARY KEY (workspace_id, user_id)
);
CREATE INDEX workspace_members_user ON workspace_members (user_id);

-- The token itself is never stored, only its SHA-256.
CREATE TABLE auth.sessions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  token_hash bytea NOT NULL UNIQUE,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  workspace_id uuid REFERENCES workspaces (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user ON auth.sessions (user_id);

-- Failed tries, to slow the next one down. Keyed by a hash of the e-mail tried, known or not.
CREATE TABLE auth.sign_in_failures (
  email_hash bytea PRIMARY KEY,
  failures int NOT NULL,
  last_failed_at timestamptz NOT NULL,
  blocked_until timestamptz NOT NULL
);

-- Unique over all workspaces: the key is looked up before the workspace is known, hence not a key of the pair.
CREATE TABLE api_keys (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL,
  name text NOT NULL,
  token_hash bytea NOT NULL,
  prefix text NOT NULL,
  created_at timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members (workspace_id, user_id) ON DELETE CASCADE
);
CREATE INDEX api_keys_token ON api_keys (token_hash);

-- Whether the person of this transaction is a member of the workspace, and as what. SECURITY DEFINER, so that policies on
-- workspace_members itself do not ask themselves.
CREATE FUNCTION app.role_in(workspace uuid) RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT role FROM public.workspace_members WHERE workspace_id = workspace AND user_id = auth.uid() $$;

-- True where the transaction works for this workspace: as the system, or as a person who belongs to it.
CREATE FUNCTION app.in_workspace(workspace uuid) RETURNS boolean LANGUAGE sql STABLE
  AS $$ SELECT workspace = app.workspace_id()
               AND (app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(workspace) IS NOT NULL)) $$;

-- The same, and the person's role is one of these (the system always may).
CREATE FUNCTION app.may(workspace uuid, VARIADIC roles text[]) RETURNS boolean LANGUAGE sql STABLE
  AS $$ SELECT workspace = app.workspace_id()
               AND (app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(workspace) = ANY (roles))) $$;

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.users ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.users FORCE ROW LEVEL SECURITY;
ALTER TABLE workspace_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspace_members FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.sessions FORCE ROW LEVEL SECURITY;
ALTER TABLE auth.sign_in_failures ENABLE ROW LEVEL SECURITY;
ALTER TABLE auth.sign_in_failures FORCE ROW LEVEL SECURITY;
ALTER TABLE api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;

CREATE POLICY "Members see their workspaces" ON workspaces FOR SELECT
  USING (app.role_in(id) IS NOT NULL OR (app.actor() = 'system' AND id = app.workspace_id()));
-- Set-up (the first start, a command of the administrator) acts as the system in the workspace it makes.
CREATE POLICY "The system sets up workspaces" ON workspaces FOR INSERT
  WITH CHECK (app.actor() = 'system' AND id = app.workspace_id());

CREATE POLICY "People see themselves and their colleagues" ON auth.users FOR SELECT
  USING (id = auth.uid()
         OR EXISTS (SELECT FROM workspace_members m WHERE m.user_id = users.id AND m.workspace_id = app.workspace_id()));
CREATE POLICY "The system adds people" ON auth.users FOR INSERT WITH CHECK (app.actor() = 'system');
CREATE POLICY "People change themselves" ON auth.users FOR UPDATE
  USING (id = auth.uid()) WITH CHECK (id = auth.uid());

CREATE POLICY "Members see members" ON workspace_members FOR SELECT
  USING (user_id = auth.uid() OR app.in_workspace(workspace_id));
CREATE POLICY "Admins manage members" ON workspace_members FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));

CREATE POLICY "People manage their own sessions" ON auth.sessions FOR ALL
  USING (user_id = auth.uid()) WITH CHECK (user_id = auth.uid());

CREATE POLICY "The system counts failed sign-ins" ON auth.sign_in_failures FOR ALL
  USING (app.actor() = 'system') WITH CHECK (app.actor() = 'system');

CREATE POLICY "Admins manage API keys" ON api_keys FOR ALL
  USING (app.may(workspace_id, 'admin')) WITH CHECK (app.may(workspace_id, 'admin'));
CREATE POLICY "A key's person sees it" ON api_keys FOR SELECT
  USING (workspace_id = app.workspace_id() AND user_id = auth.uid());

GRANT SELECT, INSERT, UPDATE, DELETE ON workspaces, workspace_members, api_keys TO crosstie_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON auth.users, auth.sessions, auth.sign_in_failures TO crosstie_app;
GRANT SELECT ON workspaces, workspace_members, api_keys, auth.users, auth.sessions TO crosstie_lookup;
ALTER FUNCTION app.role_in(uuid) OWNER TO crosstie_lookup;

-- Look-ups before the person or the workspace is known. Each returns ids only.
CREATE FUNCTION app.lookup_user_by_email(wanted text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT id FROM auth.users WHERE email = lower(wanted) $$;
ALTER FUNCTION app.lookup_user_by_email(text) OWNER TO crosstie_lookup;

CREATE FUNCTION app.lookup_session(hash bytea, at timestamptz) RETURNS TABLE (session_id uuid, user_id uuid, workspace_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT s.id, s.user_id, s.workspace_id FROM auth.sessions s WHERE s.token_hash = hash AND s.expires_at > at $$;
ALTER FUNCTION app.lookup_session(bytea, timestamptz) OWNER TO crosstie_lookup;

CREATE FUNCTION app.lookup_api_key(hash bytea) RETURNS TABLE (key_id uuid, user_id uuid, workspace_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT k.id, k.user_id, k.workspace_id FROM public.api_keys k WHERE k.token_hash = hash AND k.revoked_at IS NULL $$;
ALTER FUNCTION app.lookup_api_key(bytea) OWNER TO crosstie_lookup;

CREATE FUNCTION app.lookup_any_user() RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT id FROM auth.users LIMIT 1 $$;
ALTER FUNCTION app.lookup_any_user() OWNER TO crosstie_lookup;

CREATE FUNCTION app.lookup_workspace_by_name(wanted text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  AS $$ SELECT id FROM public.workspaces WHERE lower(name) = lower(wanted) ORDER BY created_at LIMIT 1 $$;
ALTER FUNCTION app.lookup_workspace_by_name(text) OWNER TO crosstie_lookup;
