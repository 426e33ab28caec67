//! The schema's own promises, by SQL as the roles that use it: workspaces are walls, other programs write three tables only,
//! and what they write is captured.

use crosstie::model::Role;
use crosstie::store::{Actor, WorkspaceTx};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::helpers::TestApp;

/// Tables that belong to no workspace, and why they need no wall of that kind.
const WITHOUT_WORKSPACE: [&str; 4] = [
    // One row per workspace: its own policy.
    "public.workspaces",
    // People belong to several workspaces: seen by colleagues and themselves.
    "auth.users",
    // Failed tries are counted before anybody is known.
    "auth.sign_in_failures",
    // A job names in its arguments what it is about; only workers read them.
    "public.jobs",
];

/// Sessions lead to a workspace but belong to a person.
const OF_A_PERSON: &str = "auth.sessions";

/// Every function that runs with its owner's rights. All but the capture triggers return ids only.
const WITH_OWNERS_RIGHTS: [&str; 13] = [
    "app.capture_delete()",
    "app.capture_insert()",
    "app.capture_update()",
    "app.lookup_any_user()",
    "app.lookup_api_key(bytea)",
    "app.lookup_changed_connections(integer)",
    "app.lookup_due_connections(timestamp with time zone,integer)",
    "app.lookup_matches(uuid,text,text[],text[])",
    "app.lookup_oauth_state(bytea)",
    "app.lookup_session(bytea,timestamp with time zone)",
    "app.lookup_user_by_email(text)",
    "app.lookup_workspace_by_name(text)",
    "app.role_in(uuid)",
];

const OUR_TABLES: &str = "
    SELECT c.oid, n.nspname || '.' || c.relname AS name, c.relrowsecurity, c.relforcerowsecurity
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('public', 'app', 'auth', 'vault') AND c.relname <> '_sqlx_migrations'";

/// Names of the tables of workspaces.
async fn tables_of_workspaces(app: &TestApp) -> Vec<String> {
    let query = format!(
        "SELECT t.name FROM ({OUR_TABLES}) t WHERE EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid
           AND a.attname = 'workspace_id' AND NOT a.attisdropped) ORDER BY t.name"
    );
    names(&app.rows(&query).await)
}

fn names(rows: &[Json]) -> Vec<String> {
    rows.iter().map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn every_table_has_its_wall() {
    let app = TestApp::start().await;
    let open = "NOT (t.relrowsecurity AND t.relforcerowsecurity)";
    let without = app.rows(&format!("SELECT t.name FROM ({OUR_TABLES}) t WHERE {open} ORDER BY 1")).await;
    assert_eq!(names(&without), ["public.jobs"], "tables without row-level security, on and forced");

    let all = names(&app.rows(&format!("SELECT t.name FROM ({OUR_TABLES}) t ORDER BY 1")).await);
    let walled = tables_of_workspaces(&app).await;
    assert!(walled.len() > 15, "the tables are found: {walled:?}");
    for table in all {
        assert!(
            walled.contains(&table) || WITHOUT_WORKSPACE.contains(&table.as_str()),
            "{table} belongs to no workspace: give it a workspace_id, or say in this test why it needs none"
        );
    }
}

#[tokio::test]
async fn the_workspace_leads_every_key_and_goes_with_every_reference() {
    let app = TestApp::start().await;
    let keys = app
        .rows(
            "SELECT n.nspname || '.' || c.relname AS name, a.attname AS first
             FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.conkey[1]
             WHERE k.contype = 'p' AND n.nspname IN ('public', 'auth', 'vault')",
        )
        .await;
    for table in tables_of_workspaces(&app).await.into_iter().filter(|table| table != OF_A_PERSON) {
        let key = keys.iter().find(|key| key["name"] == table.as_str()).unwrap_or_else(|| panic!("{table} has no key"));
        assert_eq!(key["first"], "workspace_id", "primary key of {table}");
    }
    // A foreign key between two tables of workspaces that leaves the workspace out could cross.
    let crossing = app
        .rows(
            "SELECT k.conrelid::regclass || ' ' || k.conname AS name FROM pg_constraint k
             WHERE k.contype = 'f'
               AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'workspace_id')
               AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.confrelid AND a.attname = 'workspace_id')
               AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = 'workspace_id'
                               AND a.attnum = ANY (k.conkey))",
        )
        .await;
    assert_eq!(names(&crossing), Vec::<String>::new());
}

#[tokio::test]
async fn only_the_listed_functions_run_with_their_owners_rights() {
    let app = TestApp::start().await;
    let found = app
        .rows(
            "SELECT p.oid::regprocedure::text AS name, coalesce(array_to_string(p.proconfig, ','), '') AS settings,
                    r.rolname AS owner
             FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_roles r ON r.oid = p.proowner
             WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
        )
        .await;
    assert_eq!(names(&found), WITH_OWNERS_RIGHTS);
    for function in found {
        let settings = function["settings"].as_str().unwrap_or_default();
        let path = settings.split_once(",plan_cache_mode=").map_or(settings, |(path, _)| path);
        let is_fixed = path.starts_with("search_path=pg_catalog") && path.ends_with("pg_temp");
        assert!(is_fixed, "{function}: the search path is fixed, temporary objects come last");
        assert_eq!(function["owner"], "crosstie_lookup", "{function}");
    }
}

/// A workspace with something in as many tables as a run leaves rows in.
async fn workspace_with_everything() -> TestApp {
    let app = TestApp::start().await;
    app.simulator.create("Account", json!({ "Name": "Kestrel Foods", "Phone": "+1 5" })).await;
    app.connect_salesforce().await;
    app.sync().await.expect_state("completed");
    app.insert("accounts", json!({ "name": "Alder Energy" })).await;
    app.sign_in_as(Role::Admin).await;
    app.api_key_of(Role::Admin).await;
    app
}

/// A transaction of somebody of the other workspace.
async fn stranger(app: &TestApp, actor: Option<Uuid>) -> WorkspaceTx {
    let (other, _) = app.other_workspace().await;
    let actor = actor.map_or(Actor::System, Actor::Person);
    WorkspaceTx::begin(&app.services.pool, other, actor, app.services.clock.now()).await.expect("a transaction")
}

#[tokio::test]
async fn another_workspace_sees_and_touches_nothing() {
    let app = workspace_with_everything().await;
    let ours = app.workspace_id;
    let tables = tables_of_workspaces(&app).await;
    let mut with_rows = 0;
    let member_of_ours = app.admin().await.user_id;
    // The system of another workspace, and our own admin who acts in a workspace that is not the admin's.
    for actor in [None, Some(member_of_ours)] {
        for table in &tables {
            let theirs = format!("workspace_id = '{ours}'");
            let there = app.rows(&format!("SELECT 1 FROM {table} WHERE {theirs}")).await.len();
            with_rows += usize::from(there > 0);
            // A person sees where they work and their own sessions from everywhere.
            let own = ["public.workspace_members", "public.api_keys", OF_A_PERSON].contains(&table.as_str());
            if actor.is_some() && own {
                continue;
            }
            let mut tx = stranger(&app, actor).await;
            let seen: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table} WHERE {theirs}")))
                .fetch_one(tx.connection())
                .await
                .expect("a count");
            assert_eq!(seen, 0, "{table} as {actor:?}");
            for statement in [
                format!("DELETE FROM {table} WHERE {theirs}"),
                format!("UPDATE {table} SET workspace_id = workspace_id"),
            ] {
                tx.savepoint().await.expect("a savepoint");
                match sqlx::query(AssertSqlSafe(statement.clone())).execute(tx.connection()).await {
                    Ok(done) => {
                        let own_rows = statement.starts_with("UPDATE");
                        assert!(own_rows || done.rows_affected() == 0, "{statement} as {actor:?}");
                    }
                    Err(_) => tx.rollback_to_savepoint().await.expect("back"),
                }
            }
            drop(tx);
            assert_eq!(app.rows(&format!("SELECT 1 FROM {table} WHERE {theirs}")).await.len(), there, "{table}");
        }
    }
    assert!(with_rows >= 20, "the tables hold something to be seen: {with_rows}");
}

#[tokio::test]
async fn nothing_can_be_put_into_another_workspace() {
    let app = workspace_with_everything().await;
    let ours = app.workspace_id;
    for table in tables_of_workspaces(&app).await.into_iter().filter(|table| table != OF_A_PERSON) {
        let row = app.rows(&format!("SELECT * FROM {table} WHERE workspace_id = '{ours}' LIMIT 1")).await;
        let Some(row) = row.into_iter().next() else { continue };
        let columns: Vec<&str> = row.as_object().expect("a row").keys().map(String::as_str).collect();
        let generated = app
            .rows(&format!(
                "SELECT attname AS name FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attgenerated <> ''"
            ))
            .await;
        let is_given = |column: &&str| *column != "id" && !generated.iter().any(|other| other["name"] == *column);
        let columns: Vec<&str> = columns.into_iter().filter(is_given).collect();
        let columns = columns.join(", ");
        let row = row.to_string().replace('\'', "''");
        let insert = format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM jsonb_populate_record(NULL::{table}, '{row}')"
        );
        let mut tx = stranger(&app, None).await;
        let refused = sqlx::query(AssertSqlSafe(insert)).execute(tx.connection()).await.expect_err(&table);
        let code = refused.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        // Row-level security, or before it a key that the row needs and the stranger did not give.
        assert!(["42501", "23502"].contains(&code.as_str()), "{table}: {refused}");
    }
}

#[tokio::test]
async fn without_a_workspace_nothing_is_seen() {
    let app = workspace_with_everything().await;
    let now = app.services.clock.now();
    for table in tables_of_workspaces(&app).await {
        let mut tx = WorkspaceTx::begin_without_workspace(&app.services.pool, Actor::System, now).await.expect("one");
        let count = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let seen: i64 = sqlx::query_scalar(count).fetch_one(tx.connection()).await.expect("a count");
        assert_eq!(seen, 0, "{table}");
    }
}

#[tokio::test]
async fn other_programs_write_three_tables_only() {
    let app = TestApp::start().await;
    let granted = app
        .rows(
            "SELECT table_schema || '.' || table_name AS name, string_agg(privilege_type, ' ' ORDER BY privilege_type) AS what
             FROM information_schema.role_table_grants WHERE grantee = 'crosstie_writer' GROUP BY 1 ORDER BY 1",
        )
        .await;
    let dml = "DELETE INSERT SELECT UPDATE";
    let expected = ["accounts", "contacts", "opportunities"]
        .map(|table| json!({ "name": format!("public.{table}"), "what": dml }));
    assert_eq!(granted, expected);
    for statement in [
        "SELECT * FROM crm_sync_configs",
        "SELECT * FROM vault.secrets",
        "DELETE FROM crm_pending_changes",
        "SELECT * FROM auth.users",
        "SET ROLE crosstie_app",
        "SET ROLE crosstie_lookup",
        "CREATE TABLE public.mine (id int)",
    ] {
        let refused = app.try_sql(statement).await.expect_err(statement);
        let code = refused.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{statement}: {refused}");
    }
}

#[tokio::test]
async fn what_another_program_writes_is_captured() {
    let app = TestApp::start().await;
    let config = app.connect_salesforce().await;
    let id = app.insert("accounts", json!({ "name": "Kestrel", "custom": { "tier": "A", "old": 1 } })).await;
    app.as_superuser("DELETE FROM crm_pending_changes").await;
    app.advance(chrono::TimeDelta::seconds(5));
    app.sql(&format!("UPDATE accounts SET phone = '+44 1', custom = '{{\"tier\": \"B\"}}' WHERE id = '{id}'")).await;
    let fields = "config_id, entity_type, record_id, action, changed_fields";
    let expected = json!({ "config_id": config, "entity_type": "account", "record_id": id, "action": "update",
        "changed_fields": ["custom.old", "custom.tier", "phone"] });
    assert_eq!(app.row(&format!("SELECT {fields} FROM crm_pending_changes")).await, expected);
    let stamped = app.row("SELECT field_changed_at ->> 'phone' AS at, updated_at FROM accounts").await;
    assert!(stamped["at"].as_str().is_some_and(|at| at.starts_with("2026-03-02T09:00:05")), "{stamped}");

    app.as_superuser("DELETE FROM crm_pending_changes").await;
    app.sql(&format!("UPDATE accounts SET phone = '+44 1' WHERE id = '{id}'")).await;
    assert_eq!(app.rows("SELECT 1 FROM crm_pending_changes").await.len(), 0, "nothing changed, nothing waits");
    app.sql(&format!("DELETE FROM accounts WHERE id = '{id}'")).await;
    let gone = app.row("SELECT action, old_values ->> 'name' AS name FROM crm_pending_changes").await;
    assert_eq!(gone, json!({ "action": "delete", "name": "Kestrel" }));
}

#[tokio::test]
async fn what_would_go_past_the_capture_is_refused() {
    let app = TestApp::start().await;
    let (other, _) = app.other_workspace().await;
    let id = app.insert("accounts", json!({ "name": "Kestrel" })).await;
    app.try_sql(&format!("UPDATE accounts SET workspace_id = '{other}' WHERE id = '{id}'")).await.expect_err("moved");
    app.try_sql(&format!("UPDATE accounts SET id = gen_random_uuid() WHERE id = '{id}'"))
        .await
        .expect_err("another id");
    app.try_sql("TRUNCATE accounts CASCADE").await.expect_err("truncated");
    let unnoticed = format!("SET LOCAL session_replication_role = replica; DELETE FROM accounts WHERE id = '{id}'");
    app.try_sql(&unnoticed).await.expect_err("triggers off");
    assert_eq!(app.row("SELECT name FROM accounts").await, json!({ "name": "Kestrel" }));
}
