//! Durable jobs in Postgres.
//!
//! Must not know: CRMs, workspaces, what a job does. Invariant: a job is worked on under a lease whose token every later
//! write names; a write that finds no row means that somebody else has taken over, and the worker stops. Jobs of one queue
//! run one at a time. A job is enqueued in the transaction that causes it and ended in the one that stores its effect.
//!
//! States: `queued` → `running` → `done` or `failed`; `running` → `queued` again by [`again`], which costs no attempt. A
//! lease that ran out is claimed like a due job.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

/// Channel that tells idle workers to look. A hint: a poll stands behind it.
pub const CHANNEL: &str = "crosstie_jobs";

/// A job to enqueue.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// What to do.
    pub kind: &'a str,
    /// Unique among the queued and running jobs of the kind.
    pub key: &'a str,
    /// Jobs of one queue run one at a time.
    pub queue: &'a str,
    /// Arguments.
    pub args: serde_json::Value,
    /// Not before.
    pub run_at: DateTime<Utc>,
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// The job.
    pub id: i64,
    /// What to do.
    pub kind: String,
    /// Its arguments.
    pub args: serde_json::Value,
    /// How many claims ended without [`again`] or [`finish`], this one included.
    pub attempt: i32,
    /// Fences every later write.
    pub token: i64,
    /// The former holder's lease ran out: its last call may still be under way.
    pub taken_over: bool,
}

/// Why the queue could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Somebody else has the job by now: stop.
    #[error("the lease is lost")]
    LeaseLost,
    /// The database did not answer or refused.
    #[error("the job queue's database failed")]
    Database(#[from] sqlx::Error),
}

/// Adds a job unless one of its kind and key is queued or running; tells whether it was added.
pub async fn enqueue(connection: &mut PgConnection, job: &NewJob<'_>, now: DateTime<Utc>) -> Result<bool, QueueError> {
    let added = sqlx::query!(
        "INSERT INTO jobs (kind, key, queue, args, run_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (kind, key) WHERE state IN ('queued', 'running') DO NOTHING",
        job.kind,
        job.key,
        job.queue,
        job.args,
        job.run_at,
        now
    )
    .execute(&mut *connection)
    .await?
    .rows_affected();
    wake(connection).await?;
    Ok(added == 1)
}

/// Lets the waiting jobs of a queue start now.
pub async fn hasten(connection: &mut PgConnection, queue: &str, now: DateTime<Utc>) -> Result<(), QueueError> {
    sqlx::query!("UPDATE jobs SET run_at = $2 WHERE queue = $1 AND state = 'queued' AND run_at > $2", queue, now)
        .execute(&mut *connection)
        .await?;
    wake(connection).await
}

/// Claims the due job that has waited longest, or one whose lease ran out.
pub async fn claim(
    connection: &mut PgConnection,
    now: DateTime<Utc>,
    lease_for: TimeDelta,
) -> Result<Option<Lease>, QueueError> {
    let claimed = sqlx::query!(
        r#"WITH picked AS (
             SELECT j.id, j.state = 'running' AS taken_over FROM jobs j
             WHERE ((j.state = 'queued' AND j.run_at <= $1) OR (j.state = 'running' AND j.leased_until < $1))
               AND NOT EXISTS (SELECT FROM jobs r WHERE r.queue = j.queue AND r.state = 'running' AND r.id <> j.id)
             ORDER BY j.run_at, j.id LIMIT 1 FOR UPDATE SKIP LOCKED
           )
           UPDATE jobs SET state = 'running', attempt = attempt + 1, lease_token = lease_token + 1,
                  leased_until = $2, heartbeat_at = $1
           FROM picked WHERE jobs.id = picked.id
           RETURNING jobs.id, jobs.kind, jobs.args, jobs.attempt, jobs.lease_token, picked.taken_over AS "taken_over!""#,
        now,
        now + lease_for
    )
    .fetch_optional(connection)
    .await;
    match claimed {
        Ok(row) => Ok(row.map(|row| Lease {
            id: row.id,
            kind: row.kind,
            args: row.args,
            attempt: row.attempt,
            token: row.lease_token,
            taken_over: row.taken_over,
        })),
        // Another worker claimed a job of the same queue in the same instant.
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("jobs_running") => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Extends a lease; tells whether a cancel was asked.
pub async fn heartbeat(
    connection: &mut PgConnection,
    lease: &Lease,
    now: DateTime<Utc>,
    lease_for: TimeDelta,
) -> Result<bool, QueueError> {
    let cancel_requested = sqlx::query_scalar!(
        "UPDATE jobs SET leased_until = $3, heartbeat_at = $4 WHERE id = $1 AND lease_token = $2 AND state = 'running'
         RETURNING cancel_requested",
        lease.id,
        lease.token,
        now + lease_for,
        now
    )
    .fetch_optional(connection)
    .await?;
    cancel_requested.ok_or(QueueError::LeaseLost)
}

/// Ends a job well.
pub async fn finish(connection: &mut PgConnection, lease: &Lease, now: DateTime<Utc>) -> Result<(), QueueError> {
    let ended = sqlx::query!(
        "UPDATE jobs SET state = 'done', finished_at = $3, leased_until = NULL
         WHERE id = $1 AND lease_token = $2 AND state = 'running'",
        lease.id,
        lease.token,
        now
    )
    .execute(connection)
    .await?
    .rows_affected();
    held(ended)
}

/// Puts a job back, to go on at `run_at`. Costs no attempt.
pub async fn again(connection: &mut PgConnection, lease: &Lease, run_at: DateTime<Utc>) -> Result<(), QueueError> {
    let put_back = sqlx::query!(
        "UPDATE jobs SET state = 'queued', run_at = $3, attempt = 0, leased_until = NULL
         WHERE id = $1 AND lease_token = $2 AND state = 'running'",
        lease.id,
        lease.token,
        run_at
    )
    .execute(connection)
    .await?
    .rows_affected();
    held(put_back)
}

/// Puts a job back after an error, counting the attempt.
pub async fn retry(
    connection: &mut PgConnection,
    lease: &Lease,
    run_at: DateTime<Utc>,
    error: &str,
) -> Result<(), QueueError> {
    let put_back = sqlx::query!(
        "UPDATE jobs SET state = 'queued', run_at = $3, leased_until = NULL, last_error = $4
         WHERE id = $1 AND lease_token = $2 AND state = 'running'",
        lease.id,
        lease.token,
        run_at,
        error
    )
    .execute(connection)
    .await?
    .rows_affected();
    held(put_back)
}

/// Ends a job that cannot succeed.
pub async fn fail(
    connection: &mut PgConnection,
    lease: &Lease,
    now: DateTime<Utc>,
    error: &str,
) -> Result<(), QueueError> {
    let ended = sqlx::query!(
        "UPDATE jobs SET state = 'failed', finished_at = $3, leased_until = NULL, last_error = $4
         WHERE id = $1 AND lease_token = $2 AND state = 'running'",
        lease.id,
        lease.token,
        now,
        error
    )
    .execute(connection)
    .await?
    .rows_affected();
    held(ended)
}

/// Removes jobs that ended before `before`; tells how many.
pub async fn prune(connection: &mut PgConnection, before: DateTime<Utc>) -> Result<u64, QueueError> {
    let removed = sqlx::query!("DELETE FROM jobs WHERE state IN ('done', 'failed') AND finished_at < $1", before)
        .execute(connection)
        .await?
        .rows_affected();
    Ok(removed)
}

/// How many jobs there are, by state.
pub async fn count_by_state(connection: &mut PgConnection) -> Result<Vec<(String, i64)>, QueueError> {
    let rows =
        sqlx::query!(r#"SELECT state, count(*) AS "count!" FROM jobs GROUP BY state"#).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.state, row.count)).collect())
}

/// Ends the leases of every running job: whoever held them is known to be dead. They are claimed as taken over.
pub async fn end_leases(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<u64, QueueError> {
    let ended = sqlx::query!(
        "UPDATE jobs SET leased_until = $1::timestamptz - interval '1 ms' WHERE state = 'running' AND leased_until >= $1",
        now
    )
    .execute(connection)
    .await?
    .rows_affected();
    Ok(ended)
}

async fn wake(connection: &mut PgConnection) -> Result<(), QueueError> {
    sqlx::query!("SELECT pg_notify($1, '')", CHANNEL).execute(connection).await?;
    Ok(())
}

fn held(rows: u64) -> Result<(), QueueError> {
    if rows == 1 { Ok(()) } else { Err(QueueError::LeaseLost) }
}
