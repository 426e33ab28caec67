//! The way to query: a transaction that works for one workspace.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Transaction};
use uuid::Uuid;

use super::StoreError;

/// On whose behalf a transaction runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A worker, for the workspace that its job belongs to.
    System,
    /// A signed-in person.
    Person(Uuid),
}

/// A transaction bound to a workspace, an actor and an instant. Rolls back when dropped.
#[derive(Debug)]
pub struct WorkspaceTx {
    transaction: Transaction<'static, Postgres>,
    workspace_id: Uuid,
    actor: Actor,
    now: DateTime<Utc>,
}

impl WorkspaceTx {
    /// Begins a transaction that sees and touches `workspace_id` only. `now` stamps what it writes.
    pub async fn begin(
        pool: &PgPool,
        workspace_id: Uuid,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let scope = format!("SET LOCAL app.workspace_id = '{workspace_id}'; {}", actor_settings(actor));
        Self::begin_scoped(pool, &scope, workspace_id, actor, now).await
    }

    /// Begins a transaction before the workspace is known: only look-ups and the person's own rows.
    pub async fn begin_without_workspace(pool: &PgPool, actor: Actor, now: DateTime<Utc>) -> Result<Self, StoreError> {
        Self::begin_scoped(pool, &actor_settings(actor), Uuid::nil(), actor, now).await
    }

    async fn begin_scoped(
        pool: &PgPool,
        scope: &str,
        workspace_id: Uuid,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        // True SET LOCAL statements, because set_config() does not travel to the nodes of a distributed Postgres. Nothing in
        // this text comes from outside: ids and an instant only. No statement is worth compiling for: each is small.
        let begin = format!(
            "BEGIN; SET LOCAL ROLE crosstie_app; SET LOCAL jit = off; SET LOCAL crosstie.now = '{}'; {scope}",
            now.format("%Y-%m-%d %H:%M:%S%.6f+00")
        );
        // In a task of its own, which nobody cancels: whoever gave up while BEGIN is under way (a browser that hangs up, a
        // worker that dies) would leave sqlx 0.9 with a pooled connection inside a transaction that nobody ends, and the
        // next borrower's statements in it (sqlx issue 4393). Here the transaction is made, dropped and rolled back.
        let pool = pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(begin)).await });
        let transaction = begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??;
        Ok(WorkspaceTx { transaction, workspace_id, actor, now })
    }

    /// The workspace of this transaction; nil before one is known.
    pub fn workspace_id(&self) -> Uuid {
        self.workspace_id
    }

    /// The instant of this transaction.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The connection to run a statement on.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }

    /// From here to [`WorkspaceTx::end_engine_write`] statements are the engine's own for this connection: the capture
    /// triggers skip it, so that a write is never taken for an edit.
    pub async fn begin_engine_write(&mut self, config_id: Uuid) -> Result<(), StoreError> {
        let statement = format!("SET LOCAL crosstie.connection = '{config_id}'");
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(self.connection()).await?;
        Ok(())
    }

    /// Ends what [`WorkspaceTx::begin_engine_write`] began.
    pub async fn end_engine_write(&mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("SET LOCAL crosstie.connection = ''").execute(self.connection()).await?;
        Ok(())
    }

    /// From here to [`WorkspaceTx::end_inserts`] plans are kept. An INSERT needs no statistics, but its foreign keys are
    /// checked row by row, and where plans are made anew so is the plan of each check: a third of a first load's time.
    pub async fn begin_inserts(&mut self) -> Result<(), StoreError> {
        if self.actor == Actor::System {
            sqlx::raw_sql("SET LOCAL plan_cache_mode = auto").execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Ends what [`WorkspaceTx::begin_inserts`] began.
    pub async fn end_inserts(&mut self) -> Result<(), StoreError> {
        if self.actor == Actor::System {
            sqlx::raw_sql(PLANS_ANEW).execute(self.connection()).await?;
        }
        Ok(())
    }

    /// Marks a point to return to where a row is refused.
    pub async fn savepoint(&mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("SAVEPOINT row").execute(self.connection()).await?;
        Ok(())
    }

    /// Returns to the last [`WorkspaceTx::savepoint`].
    pub async fn rollback_to_savepoint(&mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("ROLLBACK TO SAVEPOINT row").execute(self.connection()).await?;
        Ok(())
    }

    /// Commits without waiting for the disk: a commit that waits follows and takes this one along, or both are lost.
    pub async fn commit_ahead(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("SET LOCAL synchronous_commit = off").execute(self.connection()).await?;
        self.commit().await
    }

    /// Commits.
    pub async fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit().await?)
    }
}

/// A worker fills tables faster than their statistics follow: a plan that is kept was made for an empty one.
const PLANS_ANEW: &str = "SET LOCAL plan_cache_mode = force_custom_plan";

fn actor_settings(actor: Actor) -> String {
    match actor {
        Actor::System => format!("SET LOCAL app.actor = 'system'; {PLANS_ANEW}"),
        Actor::Person(user_id) => format!("SET LOCAL app.actor = 'person'; SET LOCAL app.user_id = '{user_id}'"),
    }
}
