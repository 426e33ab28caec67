-- The application's own records. Any program may write them, with plain SQL.

-- The instant that a change is stamped with: the engine's clock where it says so, else the wall clock.
CREATE FUNCTION app.stamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS $$ SELECT coalesce(nullif(current_setting('crosstie.now', true), '')::timestamptz, clock_timestamp()) $$;

CREATE TABLE accounts (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL CHECK (btrim(name) <> ''),
  domain text,
  industry text,
  phone text,
  employee_count bigint CHECK (employee_count >= 0),
  annual_revenue numeric,
  billing_street text,
  billing_city text,
  billing_state text,
  billing_postal_code text,
  billing_country text,
  description text,
  owner_email text,
  -- Workspace-defined fields, `custom.<key>` in the API.
  custom jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  -- When each field last changed, as far as that was after the record was created: { "phone": "2026-01-31T…" }.
  field_changed_at jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT app.stamp(),
  updated_at timestamptz NOT NULL DEFAULT app.stamp(),
  deleted_at timestamptz,
  PRIMARY KEY (workspace_id, id)
);

CREATE TABLE contacts (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  first_name text,
  last_name text NOT NULL CHECK (btrim(last_name) <> ''),
  email text,
  phone text,
  mobile_phone text,
  title text,
  department text,
  mailing_street text,
  mailing_city text,
  mailing_state text,
  mailing_postal_code text,
  mailing_country text,
  account_id uuid,
  custom jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  field_changed_at jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT app.stamp(),
  updated_at timestamptz NOT NULL DEFAULT app.stamp(),
  deleted_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  CONSTRAINT contacts_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts (workspace_id, id)
    ON DELETE SET NULL (account_id)
);
CREATE INDEX contacts_account ON contacts (workspace_id, account_id);

CREATE TABLE opportunities (
  workspace_id uuid NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  name text NOT NULL CHECK (btrim(name) <> ''),
  amount numeric,
  currency text,
  stage text,
  probability numeric CHECK (probability BETWEEN 0 AND 100),
  close_date date,
  description text,
  account_id uuid,
  custom jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  field_changed_at jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT app.stamp(),
  updated_at timestamptz NOT NULL DEFAULT app.stamp(),
  deleted_at timestamptz,
  PRIMARY KEY (workspace_id, id),
  CONSTRAINT opportunities_account_fkey FOREIGN KEY (workspace_id, account_id) REFERENCES accounts (workspace_id, id)
    ON DELETE SET NULL (account_id)
);
CREATE INDEX opportunities_account ON opportunities (workspace_id, account_id);

-- Pre-selection for matching, never narrower than the pure core's own comparison.
CREATE FUNCTION app.match_domain(domain text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT regexp_replace(regexp_replace(lower(btrim(domain)), '^([a-z]+://)?(www\.)?', ''), '[/?#].*$', '') $$;
CREATE FUNCTION app.match_name(name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT regexp_replace(lower(btrim(name)), '\s+', ' ', 'g') $$;

-- Matching looks records up by these; lists sort by updated_at.
CREATE INDEX accounts_domain ON accounts (workspace_id, app.match_domain(domain)) WHERE deleted_at IS NULL;
CREATE INDEX accounts_name ON accounts (workspace_id, app.match_name(name)) WHERE deleted_at IS NULL;
CREATE INDEX contacts_email ON contacts (workspace_id, lower(btrim(email))) WHERE deleted_at IS NULL;
CREATE INDEX opportunities_name ON opportunities (workspace_id, app.match_name(name)) WHERE deleted_at IS NULL;
CREATE INDEX accounts_updated ON accounts (workspace_id, updated_at DESC, id DESC);
CREATE INDEX contacts_updated ON contacts (workspace_id, updated_at DESC, id DESC);
CREATE INDEX opportunities_updated ON opportunities (workspace_id, updated_at DESC, id DESC);

ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE contacts ENABLE ROW LEVEL SECURITY;
ALTER TABLE contacts FORCE ROW LEVEL SECURITY;
ALTER TABLE opportunities ENABLE ROW LEVEL SECURITY;
ALTER TABLE opportunities FORCE ROW LEVEL SECURITY;

CREATE POLICY "Members read accounts" ON accounts FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Editors write accounts" ON accounts FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'))
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'));
CREATE POLICY "Members read contacts" ON contacts FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Editors write contacts" ON contacts FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'))
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'));
CREATE POLICY "Members read opportunities" ON opportunities FOR SELECT USING (app.in_workspace(workspace_id));
CREATE POLICY "Editors write opportunities" ON opportunities FOR ALL
  USING (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'))
  WITH CHECK (app.may(workspace_id, 'admin', 'sales_ops', 'reviewer'));

GRANT SELECT, INSERT, UPDATE, DELETE ON accounts, contacts, opportunities TO crosstie_app, crosstie_writer;
GRANT SELECT, UPDATE ON accounts, contacts, opportunities TO crosstie_lookup;
