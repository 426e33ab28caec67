-- Every policy of every statement asks what its transaction may see. As functions in SQL the answers were parsed and planned
-- into each statement anew, a tenth of Postgres' work in a first load; these keep their plans for as long as the connection
-- lives. Each is still asked once a statement, not once a row.
CREATE OR REPLACE FUNCTION app.readable_workspace() RETURNS uuid LANGUAGE plpgsql STABLE
  AS $$
BEGIN
  IF app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(app.workspace_id()) IS NOT NULL) THEN
    RETURN app.workspace_id();
  END IF;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION app.workspace_for(VARIADIC roles text[]) RETURNS uuid LANGUAGE plpgsql STABLE
  AS $$
BEGIN
  IF app.actor() = 'system' OR (app.actor() = 'person' AND app.role_in(app.workspace_id()) = ANY (roles)) THEN
    RETURN app.workspace_id();
  END IF;
  RETURN NULL;
END $$;
