-- Answers of POSTs that carried an Idempotency-Key, for a day: the same request again gets the same answer and does nothing.

CREATE TABLE idempotency_answers (
  workspace_id uuid NOT NULL,
  -- Another person's request is another request, whatever its key.
  user_id uuid NOT NULL,
  path text NOT NULL,
  key text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
  body_hash bytea NOT NULL,
  started_at timestamptz NOT NULL,
  -- NULL while the first request is under way.
  status int,
  content_type text,
  body bytea,
  PRIMARY KEY (workspace_id, user_id, path, key),
  FOREIGN KEY (workspace_id, user_id) REFERENCES workspace_members (workspace_id, user_id) ON DELETE CASCADE
);
CREATE INDEX idempotency_answers_age ON idempotency_answers (workspace_id, started_at);

ALTER TABLE idempotency_answers ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_answers FORCE ROW LEVEL SECURITY;
CREATE POLICY "People keep their own answers" ON idempotency_answers FOR ALL
  USING (app.in_workspace(workspace_id) AND user_id = auth.uid())
  WITH CHECK (app.in_workspace(workspace_id) AND user_id = auth.uid());
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency_answers TO crosstie_app;
