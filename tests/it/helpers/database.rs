//! A database per test, copied from one migrated template; dropped when the test ends.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};

use crosstie::clock::{Clock, SystemClock};
use crosstie::store;
use serde_json::Value as Json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};

/// Names the server that tests may do anything with.
const SETTING: &str = "CROSSTIE_TEST_DATABASE_URL";

/// The ordinary role that owns the databases: no superuser, bound by row-level security. Also its password.
const OWNER: &str = "crosstie_test_owner";

/// What other programs log in as. Also its password on a test server.
const WRITER: &str = "crosstie_writer";

/// Any number: tests of every process wait for each other under it.
const TEMPLATE_LOCK: i64 = 7_240_115_902;

/// After so many minutes a test's database is left over from one that was killed.
const LEFT_OVER_MINUTES: i64 = 60;

/// A test's own database.
pub struct TestDatabase {
    name: String,
    server: PgConnectOptions,
    /// Logs in as the owner, as the program does.
    pub pool: PgPool,
    /// Logs in as what other programs use.
    pub writer: PgPool,
    superuser: PgPool,
}

impl TestDatabase {
    /// Copies the template.
    pub async fn create() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var(SETTING).unwrap_or_else(|_| {
            panic!("{SETTING} is not set. Set it to the superuser address of a Postgres server that tests may use, such as postgres://postgres@127.0.0.1:5432/postgres.")
        });
        let server: PgConnectOptions = url.parse().unwrap_or_else(|error| panic!("{SETTING} is no address: {error}"));
        let minutes = SystemClock.now().timestamp() / 60;
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("crosstie_test_{minutes}_{}_{number}", std::process::id());
        let mut connection = PgConnection::connect_with(&server)
            .await
            .unwrap_or_else(|error| panic!("the server that {SETTING} names does not answer: {error}"));
        let template = template(&mut connection, &server).await;
        execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")).await;
        drop_left_over(&mut connection, minutes).await;
        connection.close().await.expect("the connection closes");
        let pool = |options: PgConnectOptions, most| {
            PgPoolOptions::new().max_connections(most).connect_lazy_with(options.database(&name))
        };
        let owner = server.clone().username(OWNER).password(OWNER);
        let writer = server.clone().username(WRITER).password(WRITER);
        TestDatabase { pool: pool(owner, 8), writer: pool(writer, 4), superuser: pool(server.clone(), 2), name, server }
    }

    /// Address for a program that logs in as the owner.
    pub fn owner_url(&self) -> String {
        let options = &self.server;
        format!("postgres://{OWNER}:{OWNER}@{}:{}/{}", options.get_host(), options.get_port(), self.name)
    }

    /// Rows of a query as JSON objects; sees everything.
    pub async fn rows(&self, query: &str) -> Vec<Json> {
        let query = AssertSqlSafe(format!("SELECT to_jsonb(q) FROM ({query}) q"));
        sqlx::query_scalar(query).fetch_all(&self.superuser).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs statements with every right: only for what no program does, such as bringing about a state.
    pub async fn as_superuser(&self, statements: &str) {
        let done = sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&self.superuser).await;
        done.unwrap_or_else(|error| panic!("{error}: {statements}"));
    }

    /// Jobs that still wait or are worked on. Blocks; for the end of a test.
    pub fn jobs_left(&self) -> Vec<String> {
        let options = self.server.clone().database(&self.name);
        apart(async move {
            let mut connection = PgConnection::connect_with(&options).await.expect("a connection");
            let query = "SELECT kind || ' ' || key || ' at ' || run_at FROM jobs WHERE state IN ('queued', 'running')";
            sqlx::query_scalar(query).fetch_all(&mut connection).await.expect("the jobs")
        })
    }

    /// Drops the database. Blocks; for the end of a test.
    pub fn remove(&self) {
        if std::env::var_os("CROSSTIE_TEST_KEEP").is_some() {
            return;
        }
        let (server, name) = (self.server.clone(), self.name.clone());
        apart(async move {
            let mut connection = PgConnection::connect_with(&server).await.expect("a connection");
            execute(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        });
    }
}

/// Name of the template for this version's migrations, made by whoever comes first.
async fn template(connection: &mut PgConnection, server: &PgConnectOptions) -> String {
    let name = format!("crosstie_template_{:016x}", migrations_fingerprint());
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut *connection).await.expect("the lock");
    // It is marked as a template last of all: one without the mark was left half made.
    let made: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1 AND datistemplate)")
        .bind(&name)
        .fetch_one(&mut *connection)
        .await
        .expect("the databases");
    if !made {
        make_roles(connection).await;
        execute(connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        execute(connection, format!("CREATE DATABASE {name} OWNER {OWNER}")).await;
        let owner = server.clone().username(OWNER).password(OWNER).database(&name);
        let pool = PgPoolOptions::new().max_connections(2).connect_lazy_with(owner);
        store::migrate(&pool).await.unwrap_or_else(|error| panic!("the template cannot be migrated: {error:?}"));
        pool.close().await;
        execute(connection, format!("ALTER DATABASE {name} IS_TEMPLATE true ALLOW_CONNECTIONS false")).await;
    }
    sqlx::query("SELECT pg_advisory_unlock($1)").bind(TEMPLATE_LOCK).execute(connection).await.expect("the lock");
    name
}

async fn make_roles(connection: &mut PgConnection) {
    execute(connection, store::ROLES_SQL.to_owned()).await;
    let owner = format!(
        "DO $$ BEGIN
           IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{OWNER}') THEN CREATE ROLE {OWNER} LOGIN; END IF;
         END $$;
         ALTER ROLE {OWNER} PASSWORD '{OWNER}';
         ALTER ROLE {WRITER} PASSWORD '{WRITER}';
         GRANT crosstie_app, crosstie_lookup TO {OWNER};"
    );
    execute(connection, owner).await;
}

fn migrations_fingerprint() -> u64 {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the migrations")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    store::ROLES_SQL.hash(&mut hasher);
    for file in files {
        file.file_name().hash(&mut hasher);
        std::fs::read(&file).expect("a migration").hash(&mut hasher);
    }
    hasher.finish()
}

/// Drops what tests that were killed have left.
async fn drop_left_over(connection: &mut PgConnection, minutes: i64) {
    let query = "SELECT datname::text FROM pg_database WHERE datname ~ '^crosstie_test_[0-9]+_[0-9]+_[0-9]+$'";
    let names: Vec<String> = sqlx::query_scalar(query).fetch_all(&mut *connection).await.expect("the databases");
    for name in names {
        let made_at = name.split('_').nth(2).and_then(|minutes| minutes.parse::<i64>().ok());
        if made_at.is_some_and(|made_at| made_at < minutes - LEFT_OVER_MINUTES) {
            execute(connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(connection: &mut PgConnection, statement: String) {
    let text = statement.clone();
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await;
    done.unwrap_or_else(|error| panic!("{error}: {text}"));
}

/// Runs to the end on a thread of its own: a test's own runtime cannot be waited for where it ends.
fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work)
    });
    thread.join().expect("the thread ends well")
}
