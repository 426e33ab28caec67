//! Brings a database to this version's schema.

use sqlx::PgPool;

use super::StoreError;

/// The SQL that makes the roles, for a superuser to run where the server's own login may not.
pub const ROLES_SQL: &str = include_str!("roles.sql");

const ROLES: [&str; 3] = ["crosstie_app", "crosstie_lookup", "crosstie_writer"];

/// Why a database cannot be brought to this version's schema.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The roles are missing and this login may not make them.
    #[error("the database lacks Crosstie's roles; run this as a superuser, then start again:\n{sql}")]
    RolesMissing {
        /// What to run.
        sql: String,
    },
    /// Somebody else's `auth` or `vault` schema is in the way.
    #[error(
        "the database already has a schema named {0} that is not Crosstie's; give DATABASE_URL a database of its own"
    )]
    ForeignSchema(String),
    /// A migration failed.
    #[error("a migration failed")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The database refused a statement.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes the roles where the login may, then runs the migrations under sqlx's lock: several servers may start at once.
pub async fn migrate(pool: &PgPool) -> Result<(), MigrateError> {
    ensure_roles(pool).await?;
    refuse_foreign_schemas(pool).await?;
    sqlx::migrate!().run(pool).await?;
    Ok(())
}

async fn ensure_roles(pool: &PgPool) -> Result<(), MigrateError> {
    let login: String =
        sqlx::query_scalar("SELECT current_user::text").fetch_one(pool).await.map_err(StoreError::from)?;
    let missing = || MigrateError::RolesMissing {
        sql: format!("{ROLES_SQL}GRANT crosstie_app, crosstie_lookup TO \"{}\";\n", login.replace('"', "\"\"")),
    };
    if !roles_usable(pool).await? {
        sqlx::raw_sql(ROLES_SQL).execute(pool).await.map_err(|_| missing())?;
        sqlx::raw_sql("GRANT crosstie_app, crosstie_lookup TO CURRENT_USER")
            .execute(pool)
            .await
            .map_err(|_| missing())?;
    }
    Ok(())
}

async fn roles_usable(pool: &PgPool) -> Result<bool, MigrateError> {
    let usable: bool = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = ANY ($1)) = cardinality($1)
                AND coalesce((SELECT bool_and(pg_has_role(current_user, oid, 'MEMBER')) FROM pg_roles
                              WHERE rolname IN ('crosstie_app', 'crosstie_lookup')), false)",
    )
    .bind(ROLES.map(str::to_owned).to_vec())
    .fetch_one(pool)
    .await
    .map_err(StoreError::from)?;
    Ok(usable)
}

async fn refuse_foreign_schemas(pool: &PgPool) -> Result<(), MigrateError> {
    let foreign: Option<String> = sqlx::query_scalar(
        "SELECT nspname::text FROM pg_namespace
         WHERE nspname IN ('auth', 'vault') AND to_regclass('public._sqlx_migrations') IS NULL ORDER BY nspname LIMIT 1",
    )
    .fetch_optional(pool)
    .await
    .map_err(StoreError::from)?;
    match foreign {
        Some(schema) => Err(MigrateError::ForeignSchema(schema)),
        None => Ok(()),
    }
}
