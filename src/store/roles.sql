-- The three roles that Crosstie's schema is owned, read and looked up by. Needs a login that may create roles with
-- BYPASSRLS (a superuser). Safe to run again.
DO $$
BEGIN
  -- Every statement of the server runs as this role: it owns nothing and row-level security binds it.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crosstie_app') THEN
    BEGIN
      CREATE ROLE crosstie_app NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
  -- Owner of the few functions that look up an id before the workspace is known.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crosstie_lookup') THEN
    BEGIN
      CREATE ROLE crosstie_lookup NOLOGIN BYPASSRLS;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
  -- Other programs write accounts, contacts and opportunities through this login.
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'crosstie_writer') THEN
    BEGIN
      CREATE ROLE crosstie_writer LOGIN BYPASSRLS;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
    END;
  END IF;
END
$$;
