//! The embedded cluster's logins and database, made by its superuser.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::store::ROLES_SQL;

/// The cluster's superuser; the server never works with it.
pub(super) const SUPERUSER: &str = "postgres";

/// Owner of the database: the server's login, an ordinary one.
pub(super) const OWNER: &str = "crosstie";

/// Login of other programs.
pub(super) const WRITER: &str = "crosstie_writer";

/// The database.
pub(super) const DATABASE: &str = "crosstie";

/// Makes what is missing; safe to run again.
pub(super) async fn ensure(superuser_url: &str, owner_password: &str, writer_password: &str) -> anyhow::Result<()> {
    let mut connection =
        PgConnection::connect(superuser_url).await.context("the embedded Postgres refused its superuser")?;
    // Passwords are of letters, digits, `-` and `_`: made here, never given.
    let logins = format!(
        "{ROLES_SQL}
         DO $$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') THEN CREATE ROLE {OWNER} LOGIN; END IF;
         END $$;
         ALTER ROLE {OWNER} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{owner_password}';
         ALTER ROLE {WRITER} PASSWORD '{writer_password}';
         GRANT crosstie_app, crosstie_lookup TO {OWNER};"
    );
    sqlx::raw_sql(AssertSqlSafe(logins)).execute(&mut connection).await.context("the logins could not be made")?;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut connection)
        .await?;
    if !there {
        let create = format!("CREATE DATABASE {DATABASE} OWNER {OWNER}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.context("no database could be made")?;
    }
    connection.close().await?;
    Ok(())
}
