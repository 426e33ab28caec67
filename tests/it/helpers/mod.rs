//! The ground that integration tests stand on: a whole Crosstie in this process, with everything outside it simulated.
//!
//! ```ignore
//! #[tokio::test]
//! async fn an_edit_in_the_crm_arrives_in_the_app() {
//!     let app = TestApp::start().await;                 // own database, empty org, a clock that stands still
//!     let id = app.simulator.create("Account", json!({ "Name": "Kestrel Foods" })).await;
//!     app.connect_salesforce().await;                   // default mappings, accounts and contacts, two-way
//!     app.sync().await.expect_state("completed");       // triggers as admin, steps the jobs by hand until the run is over
//!     app.simulator.edit("Account", &id, json!({ "Phone": "+1 5" })).await;
//!     app.sync().await.expect_state("completed");
//!     assert_eq!(app.rows("SELECT phone FROM accounts").await, [json!({ "phone": "+1 5" })]);
//!     app.assert_agreement().await;
//! }
//! ```
//!
//! * `CROSSTIE_TEST_DATABASE_URL` names a Postgres server by its superuser; every test has a database of its own, copied from
//!   a migrated template, which is dropped at the end (`CROSSTIE_TEST_KEEP=1` keeps it to look at). The program logs in as an
//!   ordinary role that owns the database, so that row-level security binds it.
//! * The clock stands still until [`TestApp::advance`]; the app, the simulator and [`TestApp::sql`] share it. Nobody sleeps.
//! * No worker runs by itself. [`TestApp::step`] works on one job for one step of a run; [`TestApp::sync`] goes on until the
//!   run is over and moves the clock where a run waits for a time. [`TestApp::schedule`] looks at the schedules once.
//! * People: [`TestApp::sign_in_as`] gives a [`Client`] with a session cookie, [`TestApp::api_key_of`] one with a key,
//!   [`TestApp::signed_out`] one with neither. Paths are the real ones: `client.get("/api/crm/configs").await.expect(200)`.
//! * A second workspace with its own people: [`TestApp::other_workspace`].
//! * What people do in the CRM, faults, statistics: [`Simulator`]. What other programs do in Postgres: [`TestApp::sql`].
//! * At the end of a test no job may be left waiting; one that is meant to be says so with [`TestApp::leave_jobs`].

mod client;
mod connection;
mod consent;
mod database;
mod files;
mod people;
mod simulator;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, TimeDelta, Utc};
use crosstie::blobs::BlobStore;
use crosstie::clock::{Clock, ManualClock};
use crosstie::connectors::HttpSettings;
use crosstie::connectors::hubspot::{API_VERSION, HubspotConnector};
use crosstie::connectors::salesforce::SalesforceConnector;
use crosstie::engine::{CrmAccess, CrmClient, Engine, EngineSettings, worker};
use crosstie::model::{Provider, Role};
use crosstie::security::{SeededRng, Vault};
use crosstie::service::events::EventBus;
use crosstie::service::{ServiceSettings, Services, Viewer, administration};
use crosstie::simulator::SimulatorOptions;
use crosstie::transform::{TransformHost, TransformLimits};
use leptos::config::LeptosOptions;
use serde_json::Value as Json;
use tokio::sync::OnceCell;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

pub use client::{Answer, Client, answer};
pub use connection::object;
pub use consent::Consent;
pub use simulator::{CrmRecord, Simulator};

use client::Pass;
use database::TestDatabase;

/// Most bytes of a file.
pub const FILE_LIMIT: u64 = 1 << 20;

/// What a test starts from.
#[derive(Debug, Clone)]
pub struct TestOptions {
    /// Seed of the org and of the app's randomness.
    pub seed: u64,
    /// Companies in the org.
    pub accounts: usize,
    /// People in the org.
    pub contacts: usize,
    /// Deals in the org.
    pub opportunities: usize,
    /// Time-outs of calls to the CRM.
    pub http: HttpSettings,
    /// Records above which Salesforce is read by a query job.
    pub bulk_above: u64,
    /// How long a run keeps its turn; of no time it is one step, and nothing is read ahead.
    pub turn: TimeDelta,
}

impl Default for TestOptions {
    fn default() -> Self {
        TestOptions {
            seed: 1,
            accounts: 0,
            contacts: 0,
            opportunities: 0,
            http: HttpSettings::default(),
            bulk_above: 10_000,
            turn: TimeDelta::zero(),
        }
    }
}

/// A whole Crosstie with one workspace, beside a simulated Salesforce and a simulated HubSpot.
pub struct TestApp {
    /// Its use cases.
    pub services: Services,
    /// Its engine; a clone is another worker process.
    pub engine: Engine,
    /// The clock of everything.
    pub clock: Arc<ManualClock>,
    /// The simulated Salesforce.
    pub simulator: Simulator,
    /// The simulated HubSpot, empty and without limits at first.
    pub hubspot: Simulator,
    /// The first workspace.
    pub workspace_id: Uuid,
    /// Its address, without a final slash.
    pub url: String,
    database: TestDatabase,
    http: reqwest::Client,
    seed: u64,
    admin: OnceCell<Viewer>,
    leaves_jobs: AtomicBool,
    _stop: DropGuard,
}

impl TestApp {
    /// An app without records beside an empty org.
    pub async fn start() -> Self {
        Self::with(TestOptions::default()).await
    }

    /// An app without records beside an org as the options say.
    pub async fn with(options: TestOptions) -> Self {
        // Another test of this process may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::new(beginning()));
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        let http = http.expect("a client");
        let world = SimulatorOptions {
            seed: options.seed,
            accounts: options.accounts,
            contacts: options.contacts,
            opportunities: options.opportunities,
            state_dir: None,
            no_limits: false,
        };
        let simulator = Simulator::start(&world, clock.clone(), http.clone()).await;
        let empty = SimulatorOptions { accounts: 0, contacts: 0, opportunities: 0, no_limits: true, ..world };
        let hubspot = Simulator::start_hubspot(&empty, clock.clone(), http.clone()).await;
        let database = TestDatabase::create().await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (services, engine) = wire(&database, &clock, [&simulator.url, &hubspot.url], &url, &options);
        let stop = CancellationToken::new();
        let pages = crosstie::ui::server::pages(services.clone(), leptos_options());
        let router = crosstie::api::app_router(services.clone(), pages, stop.clone());
        let stopped = stop.clone().cancelled_owned();
        tokio::spawn(async move { axum::serve(listener, router).with_graceful_shutdown(stopped).await });
        let workspace_id = administration::create_workspace(&services, "Kestrel").await.expect("a workspace");
        TestApp {
            services,
            engine,
            clock,
            simulator,
            hubspot,
            workspace_id,
            url,
            database,
            http,
            seed: options.seed,
            admin: OnceCell::new(),
            leaves_jobs: AtomicBool::new(false),
            _stop: stop.drop_guard(),
        }
    }

    /// Moves the clock of the app and of the org on.
    pub fn advance(&self, by: TimeDelta) {
        self.clock.advance(by);
    }

    /// Works on one due job for one step; `false` where none is due.
    pub async fn step(&self) -> bool {
        worker::work_once(&self.engine).await.expect("a turn")
    }

    /// Works until no job is due. The clock stands still: what waits for a time goes on waiting.
    pub async fn work(&self) {
        while self.step().await {}
    }

    /// Looks at the schedules once; tells how many runs it started.
    pub async fn schedule(&self) -> usize {
        worker::schedule_once(&self.engine).await.expect("a look")
    }

    /// Runs statements as another program would, in one transaction, at the test's time.
    pub async fn sql(&self, statements: &str) {
        self.try_sql(statements).await.unwrap_or_else(|error| panic!("{error}: {statements}"));
    }

    /// The same, where it may be refused.
    pub async fn try_sql(&self, statements: &str) -> Result<(), sqlx::Error> {
        self.begin_sql(statements).await?.commit().await
    }

    /// Runs statements as another program would, whose transaction is still open and holds the locks that it has taken.
    pub async fn begin_sql(&self, statements: &str) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
        let mut tx = self.database.writer.begin().await?;
        let now = format!("SET LOCAL crosstie.now = '{}'", self.clock.now().to_rfc3339());
        sqlx::raw_sql(sqlx::AssertSqlSafe(now)).execute(&mut *tx).await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(&mut *tx).await?;
        Ok(tx)
    }

    /// Returns once so many transactions wait for a lock.
    pub async fn until_locked_out(&self, transactions: usize) {
        let waiting =
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while self.rows(waiting).await.len() < transactions {
            tokio::task::yield_now().await;
        }
    }

    /// Inserts a record as another program would: `insert("accounts", json!({ "name": "Kestrel" }))`. Returns its id.
    pub async fn insert(&self, table: &str, fields: Json) -> Uuid {
        let (id, statement) = self.insertion(table, fields);
        self.sql(&statement).await;
        id
    }

    /// The same in a transaction that is still open.
    pub async fn begin_insert(&self, table: &str, fields: Json) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let (_, statement) = self.insertion(table, fields);
        self.begin_sql(&statement).await.unwrap_or_else(|error| panic!("{error}: {statement}"))
    }

    fn insertion(&self, table: &str, fields: Json) -> (Uuid, String) {
        let id = self.services.rng.uuid();
        let mut row = fields;
        row["id"] = Json::String(id.to_string());
        row["workspace_id"] = Json::String(self.workspace_id.to_string());
        let columns: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        let columns = columns.join(", ");
        let row = row.to_string().replace('\'', "''");
        let statement = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, '{row}')"
        );
        (id, statement)
    }

    /// Rows of a query as JSON objects. Sees every table and workspace.
    pub async fn rows(&self, query: &str) -> Vec<Json> {
        self.database.rows(query).await
    }

    /// The only row of a query.
    pub async fn row(&self, query: &str) -> Json {
        let mut rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "rows of {query}");
        rows.remove(0)
    }

    /// Runs statements with every right, to bring about what no program does.
    pub async fn as_superuser(&self, statements: &str) {
        self.database.as_superuser(statements).await;
    }

    /// Address of the database for a program that logs in as the owner.
    pub fn database_url(&self) -> String {
        self.database.owner_url()
    }

    /// The key that seals the tokens, for a program that opens them.
    pub fn secret_key(&self) -> String {
        Vault::generate_key(&SeededRng::new(self.seed))
    }

    /// This test ends with jobs waiting, and means to.
    pub fn leave_jobs(&self) {
        self.leaves_jobs.store(true, Ordering::Relaxed);
    }

    /// A client that is not signed in.
    pub fn signed_out(&self) -> Client {
        Client { http: self.http.clone(), url: self.url.clone(), pass: Pass::None }
    }

    /// The first workspace's person of this role, signed in.
    pub async fn sign_in_as(&self, role: Role) -> Client {
        people::add(self, self.workspace_id, role).await;
        self.signed_out().signed_in(&people::email(self.workspace_id, role), people::PASSWORD).await
    }

    /// The first workspace's person of this role, with an API key.
    pub async fn api_key_of(&self, role: Role) -> Client {
        Client { pass: Pass::Key(people::api_key(self, self.workspace_id, role).await), ..self.signed_out() }
    }

    /// The first workspace's admin as use cases see one, for calls of `service` without HTTP between.
    pub async fn admin(&self) -> &Viewer {
        self.admin.get_or_init(|| people::viewer(self, self.workspace_id, Role::Admin)).await
    }

    /// Another workspace and its admin, with an API key.
    pub async fn other_workspace(&self) -> (Uuid, Client) {
        let id = administration::create_workspace(&self.services, "Alder").await.expect("a workspace");
        let key = people::api_key(self, id, Role::Admin).await;
        (id, Client { pass: Pass::Key(key), ..self.signed_out() })
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let left = if self.leaves_jobs.load(Ordering::Relaxed) || std::thread::panicking() {
            Vec::new()
        } else {
            self.database.jobs_left()
        };
        self.database.remove();
        if !std::thread::panicking() {
            assert!(left.is_empty(), "jobs are left at the end of the test: {left:?}");
        }
    }
}

/// When every test begins: a Monday.
pub fn beginning() -> DateTime<Utc> {
    "2026-03-02T09:00:00Z".parse().expect("an instant")
}

fn wire(
    database: &TestDatabase,
    clock: &Arc<ManualClock>,
    [salesforce, hubspot]: [&str; 2],
    url: &str,
    options: &TestOptions,
) -> (Services, Engine) {
    let rng = Arc::new(SeededRng::new(options.seed));
    let vault = Arc::new(Vault::new(&Vault::generate_key(rng.as_ref())).expect("a key"));
    let client = |provider, address: &str| CrmClient {
        provider,
        simulator: true,
        client_id: "crosstie-demo".to_owned(),
        client_secret: "crosstie-demo-secret".to_owned().into(),
        login_url: address.to_owned(),
        api_url: None,
    };
    let salesforce_connector = SalesforceConnector::new(options.http, clock.clone()).expect("a connector");
    let crm = Arc::new(CrmAccess {
        pool: database.pool.clone(),
        clock: clock.clone(),
        rng: rng.clone(),
        vault: vault.clone(),
        connectors: vec![
            Arc::new(salesforce_connector.with_bulk_above(options.bulk_above)),
            Arc::new(HubspotConnector::new(options.http, clock.clone(), API_VERSION).expect("a connector")),
        ],
        clients: vec![client(Provider::Salesforce, salesforce), client(Provider::Hubspot, hubspot)],
        public_url: url.to_owned(),
    });
    let program = PathBuf::from(env!("CARGO_BIN_EXE_crosstie"));
    // A machine that runs many tests at once is slow: no call is ended for being waited for.
    let limits =
        TransformLimits { call: std::time::Duration::from_secs(20), batch: std::time::Duration::from_secs(40) };
    let transforms = Arc::new(TransformHost::new(program, vec!["transform-child".to_owned()], limits));
    let settings = EngineSettings { turn: options.turn, ..EngineSettings::default() };
    let blobs = BlobStore::in_memory(FILE_LIMIT);
    let engine = Engine { crm: crm.clone(), transforms: transforms.clone(), blobs: blobs.clone(), settings };
    let services = Services {
        pool: database.pool.clone(),
        clock: clock.clone(),
        rng,
        vault,
        crm,
        transforms,
        blobs,
        settings: Arc::new(ServiceSettings { public_url: url.to_owned(), demo: None }),
        events: EventBus::new(),
    };
    (services, engine)
}

/// The list of pages is made anew for every router; making it is not safe from two threads at once.
fn leptos_options() -> LeptosOptions {
    static OPTIONS: OnceLock<LeptosOptions> = OnceLock::new();
    OPTIONS.get_or_init(|| LeptosOptions::builder().output_name("crosstie").build()).clone()
}
