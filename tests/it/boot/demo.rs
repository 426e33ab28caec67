//! One demo's life: made, used, killed, started again, stopped, started over.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value as Json, json};
use sqlx::{Connection as _, PgConnection};

use super::program::{DataDir, Program, refusal, run};

#[tokio::test]
async fn a_demo_keeps_what_it_has_over_a_kill() {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data_dir = DataDir::of_demo();

    let program = Program::ready(&data_dir, &[]);
    let demo = data_dir.demo();
    has_the_contract_s_shape(&data_dir, &demo);
    lets_its_people_in(&demo).await;
    works_as_an_ordinary_owner(&demo).await;
    a_command_joins_the_running_server(&data_dir, &demo).await;
    let name = "Left before the kill";
    writes(&demo, name).await;
    let in_use = refusal(&data_dir, &["serve", "--demo"]);
    assert!(in_use.contains("in use by another crosstie"), "{in_use}");
    let postgres = data_dir.postgres_process();
    program.kill();
    assert_eq!(data_dir.postgres_process(), postgres, "Postgres is an orphan now");

    let program = Program::ready(&data_dir, &[]);
    assert_eq!(data_dir.postgres_process(), postgres, "the orphan was taken over");
    assert_eq!(data_dir.demo(), demo, "ports, key and people are the same");
    assert_eq!(accounts(&demo).await, 41);
    assert!(program.terminate().success());
    assert!(data_dir.postgres_note().is_none(), "Postgres stopped with its program");

    let program = Program::ready(&data_dir, &["--fresh"]);
    let fresh = data_dir.demo();
    assert_ne!(fresh["apiKey"], demo["apiKey"]);
    assert_eq!(accounts(&fresh).await, 40);
    assert!(program.terminate().success());
}

#[tokio::test]
async fn a_demo_s_connections_move_with_its_simulator() {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data_dir = DataDir::of_demo();
    let program = Program::ready(&data_dir, &[]);
    let demo = data_dir.demo();
    let config_id = connects(&demo).await;
    let synced = run(&data_dir, &["sync", "--connection", &config_id]);
    assert_eq!(synced.status.code(), Some(0), "{}", String::from_utf8_lossy(&synced.stderr));
    program.kill();

    // Somebody else takes the simulator's port meanwhile.
    let simulator = demo["simulators"]["salesforce"].as_str().expect("an address").to_owned();
    let taken = std::net::TcpListener::bind(simulator.trim_start_matches("http://")).expect("the port is free");
    let mut program = Program::ready(&data_dir, &[]);
    let moved = data_dir.demo();
    assert_ne!(moved["simulators"], demo["simulators"]);
    assert_eq!(moved["apiKey"], demo["apiKey"]);
    let tested = ask(&moved, "/api/crm/salesforce/test-connection", json!({})).await;
    assert_eq!(tested["connected"], true, "{tested}");

    // Postgres dies under the running server.
    assert!(std::process::Command::new("kill").args(["-s", "KILL", &data_dir.postgres_process()]).status().is_ok());
    program.says("was started again");
    let synced = run(&data_dir, &["sync", "--connection", &config_id]);
    assert_eq!(synced.status.code(), Some(0), "{}", String::from_utf8_lossy(&synced.stderr));
    let unknown = run(&data_dir, &["sync", "--connection", "00000000-0000-0000-0000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(program.terminate().success());
    drop(taken);
}

/// Through the consent page, as a person in a browser.
async fn connects(demo: &Json) -> String {
    let started = ask(demo, "/api/crm/connect", json!({ "provider": "salesforce" })).await;
    let authorize = reqwest::Url::parse(started["redirectUrl"].as_str().expect("an address")).expect("an address");
    let mut form: Vec<(String, String)> = authorize.query_pairs().into_owned().collect();
    form.push(("decision".to_owned(), "allow".to_owned()));
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let mut action = authorize;
    action.set_query(None);
    let allowed = http.post(action).form(&form).send().await.expect("an answer");
    let location = allowed.headers().get("location").and_then(|value| value.to_str().ok()).expect("back to the app");
    let back = reqwest::Url::parse(location).expect("an address");
    let part = |name: &str| back.query_pairs().find(|(key, _)| key == name).expect("a part").1.into_owned();
    let body = json!({ "provider": "salesforce", "code": part("code"), "state": part("state") });
    let connected = ask(demo, "/api/crm/oauth/callback", body).await;
    connected["config"]["id"].as_str().expect("a connection").to_owned()
}

async fn ask(demo: &Json, path: &str, body: Json) -> Json {
    let request = reqwest::Client::new().post(address(demo, path)).bearer_auth(text(demo, "apiKey")).json(&body);
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("text");
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn has_the_contract_s_shape(data_dir: &DataDir, demo: &Json) {
    let file = std::fs::metadata(data_dir.path().join("demo.json")).expect("demo.json");
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let members: Vec<&str> = demo.as_object().expect("an object").keys().map(String::as_str).collect();
    let expected = ["apiKey", "databaseUrl", "simulators", "url", "users", "workspaceId", "writerDatabaseUrl"];
    assert_eq!(members.len(), expected.len(), "{members:?}");
    assert!(expected.iter().all(|member| members.contains(member)), "{members:?}");
    let roles: Vec<&str> =
        demo["users"].as_array().expect("people").iter().filter_map(|user| user["role"].as_str()).collect();
    assert_eq!(roles, ["admin", "sales_ops", "reviewer", "compliance"]);
    assert_eq!(demo["users"][1]["email"], "salesops@demo.test");
    for crm in ["salesforce", "hubspot"] {
        assert!(demo["simulators"][crm].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{crm}");
    }
}

async fn lets_its_people_in(demo: &Json) {
    let http = reqwest::Client::new();
    for user in demo["users"].as_array().expect("people") {
        let body = json!({ "email": user["email"], "password": user["password"] });
        let answer = http.post(address(demo, "/api/auth/login")).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{}", user["email"]);
    }
    let me = me(demo, demo["apiKey"].as_str().expect("a key")).await;
    assert_eq!((me["user"]["email"].as_str(), me["user"]["role"].as_str()), (Some("admin@demo.test"), Some("admin")));
    assert_eq!(me["workspace"]["id"], demo["workspaceId"]);
    let ready = http.get(address(demo, "/readyz")).send().await.expect("an answer");
    assert_eq!(ready.status(), 200);
    let metrics = http.get(address(demo, "/metrics")).send().await.expect("an answer").text().await.expect("text");
    assert!(metrics.contains("crosstie_requests_total{"), "{metrics}");
}

async fn works_as_an_ordinary_owner(demo: &Json) {
    let mut superuser = PgConnection::connect(text(demo, "databaseUrl")).await.expect("the superuser");
    let powerful: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity a JOIN pg_roles r ON r.rolname = a.usename
         WHERE a.application_name = 'crosstie' AND (r.rolsuper OR r.rolbypassrls)",
    )
    .fetch_one(&mut superuser)
    .await
    .expect("the activity");
    assert_eq!(powerful, 0);
    let fsync: String = sqlx::query_scalar("SHOW fsync").fetch_one(&mut superuser).await.expect("a setting");
    assert_eq!(fsync, "on");
}

async fn a_command_joins_the_running_server(data_dir: &DataDir, demo: &Json) {
    let person = ["--email", "new@demo.test", "--workspace", "Kestrel Metrology"];
    let added = run(data_dir, &[&["user", "add", "--role", "reviewer"], person.as_slice()].concat());
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let made = run(data_dir, &[&["api-key", "create"], person.as_slice()].concat());
    let key = String::from_utf8(made.stdout).expect("text");
    assert_eq!(me(demo, key.trim()).await["user"]["role"], "reviewer");
    let unknown = refusal(data_dir, &["user", "add", "--role", "boss", "--email", "a@b.test", "--workspace", "x"]);
    assert!(unknown.contains("--role"), "{unknown}");
}

/// As another program would.
async fn writes(demo: &Json, name: &str) {
    let mut writer = PgConnection::connect(text(demo, "writerDatabaseUrl")).await.expect("the writer");
    let workspace_id: uuid::Uuid = text(demo, "workspaceId").parse().expect("an id");
    let insert = "INSERT INTO accounts (workspace_id, name) VALUES ($1, $2)";
    sqlx::query(insert).bind(workspace_id).bind(name).execute(&mut writer).await.expect("written");
    let refused = sqlx::query("SELECT 1 FROM workspaces").execute(&mut writer).await;
    assert!(refused.is_err(), "the writer sees nothing else");
}

async fn accounts(demo: &Json) -> i64 {
    let mut superuser = PgConnection::connect(text(demo, "databaseUrl")).await.expect("the superuser");
    sqlx::query_scalar("SELECT count(*) FROM accounts").fetch_one(&mut superuser).await.expect("a count")
}

async fn me(demo: &Json, key: &str) -> Json {
    let request = reqwest::Client::new().get(address(demo, "/api/auth/me")).bearer_auth(key);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

fn address(demo: &Json, path: &str) -> String {
    format!("{}{path}", text(demo, "url"))
}

fn text<'a>(demo: &'a Json, member: &str) -> &'a str {
    demo[member].as_str().expect("text")
}
