//! Who is let in, for every route of the API and every server function. Both lists are read from the sources: a new one
//! without a row in the tables below fails here.

use std::collections::BTreeSet;
use std::path::Path;

use crosstie::model::{Provider, Role};
use reqwest::Method;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::helpers::{Answer, Client, TestApp, answer};

/// What another workspace's admin gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stranger {
    /// What is the stranger's own, or what nobody owns.
    Own,
    /// 404, as if it were not there.
    NotFound,
}

use Stranger::{NotFound, Own};

/// Every route under `/api`: method, path, a body that is well formed, and what another workspace's admin gets.
fn routes() -> Vec<(&'static str, &'static str, Json, Stranger)> {
    let none = || json!({});
    let record = || json!({ "fields": { "name": "Kestrel" } });
    let mapping =
        json!({ "entityType": "accounts", "crmField": "Fax", "appField": "custom.fax", "syncDirection": "pull" });
    vec![
        ("DELETE", "/crm/configs/{id}/field-mappings/{mapping_id}", none(), NotFound),
        ("DELETE", "/crm/disconnect/{provider}", none(), NotFound),
        ("DELETE", "/crm/records/{entity}/{id}", none(), NotFound),
        ("DELETE", "/crm/records/{entity}/{id}/files/{file_id}", none(), NotFound),
        ("GET", "/auth/me", none(), Own),
        ("GET", "/crm/configs", none(), Own),
        ("GET", "/crm/configs/{id}", none(), NotFound),
        ("GET", "/crm/configs/{id}/field-mappings", none(), NotFound),
        ("GET", "/crm/conflicts", none(), Own),
        ("GET", "/crm/conflicts/{id}", none(), NotFound),
        ("GET", "/crm/events", none(), Own),
        ("GET", "/crm/records/{entity}", none(), Own),
        ("GET", "/crm/records/{entity}/{id}", none(), NotFound),
        ("GET", "/crm/records/{entity}/{id}/files", none(), NotFound),
        ("GET", "/crm/records/{entity}/{id}/files/{file_id}", none(), NotFound),
        ("GET", "/crm/sync/jobs/{job_id}", none(), NotFound),
        ("GET", "/crm/sync/logs", none(), Own),
        ("GET", "/crm/sync/logs/{id}", none(), NotFound),
        ("GET", "/crm/{provider}/available-fields", none(), NotFound),
        ("PATCH", "/crm/configs/{id}", json!({ "syncDirection": "pull" }), NotFound),
        ("PATCH", "/crm/configs/{id}/field-mappings/{mapping_id}", json!({ "syncDirection": "pull" }), NotFound),
        ("PATCH", "/crm/configs/{id}/pause", none(), NotFound),
        ("PATCH", "/crm/configs/{id}/resume", none(), NotFound),
        ("PATCH", "/crm/records/{entity}/{id}", record(), NotFound),
        ("POST", "/auth/login", none(), Own),
        ("POST", "/auth/logout", none(), Own),
        ("POST", "/auth/workspace", json!({ "workspaceId": "{workspace}" }), NotFound),
        ("POST", "/crm/configs/{id}/field-mappings", mapping, NotFound),
        ("POST", "/crm/configs/{id}/field-mappings/preview", json!({ "entityType": "accounts" }), NotFound),
        ("POST", "/crm/configs/{id}/field-mappings/auto-map", json!({ "entityType": "accounts" }), NotFound),
        ("POST", "/crm/conflicts/{id}/ignore", none(), NotFound),
        ("POST", "/crm/conflicts/{id}/resolve", json!({ "strategy": "use_app" }), NotFound),
        ("POST", "/crm/connect", json!({ "provider": "salesforce" }), Own),
        ("POST", "/crm/oauth/callback", json!({ "provider": "salesforce", "code": "x", "state": "x" }), Own),
        ("POST", "/crm/records/{entity}", record(), Own),
        ("POST", "/crm/records/{entity}/{id}/files", none(), NotFound),
        ("POST", "/crm/sync/jobs/{job_id}/approve", none(), NotFound),
        ("POST", "/crm/sync/jobs/{job_id}/cancel", none(), NotFound),
        ("POST", "/crm/sync/jobs/{job_id}/reject", none(), NotFound),
        ("POST", "/crm/sync/logs/{id}/retry", none(), NotFound),
        ("POST", "/crm/sync/trigger", json!({ "configId": "{config}" }), NotFound),
        ("POST", "/crm/{provider}/test-connection", none(), Own),
        (
            "PUT",
            "/crm/configs/{id}/field-rules",
            json!({ "entityType": "accounts", "appField": "phone", "rule": "use_app" }),
            NotFound,
        ),
    ]
}

/// Every server function: name, a form, and what another workspace's admin gets. A form that names nothing of a workspace
/// need not be complete.
const FUNCTIONS: &[(&str, &str, Stranger)] = &[
    ("accept_suggestions", "provider=salesforce&entity=account&accepted[0]=Fax%3Dcustom.fax", NotFound),
    ("add_member", "email=a@b.test&name=A&role=member&password=a-password", Own),
    ("begin_sign_in", "provider=salesforce", Own),
    ("cancel_run", "job_id={run}", NotFound),
    ("complete_set_up", "provider=salesforce", Own),
    ("create_api_key", "name=reports", Own),
    ("create_record", "entity=account&fields[name]=Kestrel", Own),
    ("decide_held_run", "job_id={run}&approve=true", NotFound),
    ("delete_file", "entity=account&id={record}&file={file}", NotFound),
    ("delete_record", "entity=account&id={record}", NotFound),
    ("disconnect_crm", "provider=salesforce", Own),
    ("find_accounts", "q=kestrel", Own),
    ("ignore_conflict", "id={conflict}&version=1", NotFound),
    ("last_used_provider", "", Own),
    ("load_api_keys", "", Own),
    ("load_authorise", "provider=salesforce", Own),
    ("load_choose", "", Own),
    ("load_configure", "provider=salesforce", Own),
    ("load_conflict", "id={conflict}", NotFound),
    ("load_conflicts", "asked[status]=", Own),
    ("load_done", "provider=salesforce", Own),
    ("load_frame_status", "", Own),
    ("load_integrations", "", Own),
    ("load_log", "id={log}&most=10", NotFound),
    ("load_logs", "asked[status]=", Own),
    ("load_mappings", "provider=salesforce&entity=account", Own),
    ("load_members", "", Own),
    ("load_record", "entity=account&id={record}", NotFound),
    ("load_record_form", "entity=account", Own),
    ("load_records", "entity=account&with_deleted=false&offset=0", Own),
    ("load_settings", "provider=salesforce", Own),
    ("load_suggestions", "provider=salesforce&entity=account", Own),
    ("preview_schedule", "", Own),
    ("remove_mapping", "provider=salesforce&entity=account&mapping={mapping_id}", NotFound),
    ("resolve_conflict", "id={conflict}&version=1", Own),
    ("restore_record", "entity=account&id={record}", NotFound),
    ("retry_log", "id={log}", NotFound),
    ("revoke_api_key", "id={record}", NotFound),
    ("save_mapping", "provider=salesforce&entity=account", Own),
    ("save_record", "entity=account&id={record}&version=1&fields[name]=x", NotFound),
    ("save_settings", "provider=salesforce", Own),
    ("set_mapping_direction", "provider=salesforce&entity=account&mapping={mapping_id}&direction=pull", NotFound),
    ("set_member_role", "id={person}&role=member", NotFound),
    ("set_paused", "config_id={config}&paused=true", NotFound),
    ("set_up", "", Own),
    ("set_up_page", "token=x", Own),
    ("settle_conflict", "id={conflict}&version=1&strategy=use_app", NotFound),
    ("sign_in", "", Own),
    ("sign_in_as_demo_person", "", Own),
    ("sign_in_page", "", Own),
    ("sign_out", "", Own),
    ("sign_out_everywhere", "", Own),
    ("switch_workspace", "workspace_id={workspace}", NotFound),
    ("sync_now", "config_id={config}&what=everything", NotFound),
    ("test_again", "provider=salesforce", Own),
    ("try_mapping", "provider=salesforce&entity=account", Own),
    ("undo_mapping_change", "provider=salesforce&change={record}", NotFound),
];

/// What nobody needs to be signed in for.
const OPEN_ROUTES: [&str; 1] = ["POST /auth/login"];
const OPEN_FUNCTIONS: [&str; 5] = ["set_up", "set_up_page", "sign_in", "sign_in_as_demo_person", "sign_in_page"];

/// Things of the first workspace that an address may name.
struct Ours {
    workspace: Uuid,
    person: Uuid,
    config: Uuid,
    mapping: String,
    record: Uuid,
    file: String,
    run: Uuid,
    log: String,
    conflict: Uuid,
}

impl Ours {
    async fn make(app: &TestApp) -> Self {
        let config = app.connect_salesforce().await;
        let record = app.insert("accounts", json!({ "name": "Kestrel" })).await;
        let file = app.add_file("accounts", record, "Offer.pdf", b"offer").await;
        let run = app.sync().await.expect_state("completed").id;
        let one = async |query: &str| app.row(query).await["id"].as_str().expect("an id").to_owned();
        let mapping = one("SELECT id FROM crm_field_mappings ORDER BY id LIMIT 1").await;
        let log = one("SELECT id FROM crm_sync_logs ORDER BY id LIMIT 1").await;
        let conflict = app.services.rng.uuid();
        app.as_superuser(&format!(
            "INSERT INTO crm_sync_conflicts (workspace_id, id, config_id, entity_type, entity_id, app_data, crm_data,
               conflicting_fields, detected_at, updated_at)
             VALUES ('{}', '{conflict}', '{config}', 'account', '{record}', '{{}}', '{{}}', '{{phone}}', now(), now())",
            app.workspace_id
        ))
        .await;
        Ours {
            workspace: app.workspace_id,
            person: app.admin().await.user_id,
            config,
            mapping,
            record,
            file,
            run,
            log,
            conflict,
        }
    }

    /// The text with its placeholders filled in; `{id}` is what the path is about.
    fn fill(&self, path: &str, text: &str) -> String {
        let id = match path {
            _ if path.contains("/configs/") => self.config.to_string(),
            _ if path.contains("/conflicts/") => self.conflict.to_string(),
            _ if path.contains("/logs/") => self.log.clone(),
            _ => self.record.to_string(),
        };
        text.replace("{id}", &id)
            .replace("{mapping_id}", &self.mapping)
            .replace("{file_id}", &self.file)
            .replace("{file}", &self.file)
            .replace("{job_id}", &self.run.to_string())
            .replace("{entity}", "accounts")
            .replace("{provider}", Provider::Salesforce.as_str())
            .replace("{workspace}", &self.workspace.to_string())
            .replace("{config}", &self.config.to_string())
            .replace("{record}", &self.record.to_string())
            .replace("{conflict}", &self.conflict.to_string())
            .replace("{log}", &self.log)
            .replace("{run}", &self.run.to_string())
            .replace("{person}", &self.person.to_string())
    }

    async fn ask(&self, client: &Client, method: &str, path: &str, body: &Json) -> Answer {
        // This one cannot be asked without saying for what.
        let query = if path.ends_with("available-fields") { "?entityType=accounts" } else { "" };
        let address = format!("/api{}{query}", self.fill(path, path));
        let body: Json = serde_json::from_str(&self.fill(path, &body.to_string())).expect("JSON");
        let request = client.request(method.parse::<Method>().expect("a method"), &address).json(&body);
        answer(format!("{method} {address}"), request).await
    }

    async fn call(&self, client: &Client, name: &str, form: &str) -> Answer {
        let request = client.request(Method::POST, &format!("/fn/{name}"));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(self.fill("", form));
        answer(format!("/fn/{name}"), request).await
    }
}

#[tokio::test]
async fn who_is_not_signed_in_gets_nowhere() {
    let app = TestApp::start().await;
    let ours = Ours::make(&app).await;
    let nobody = app.signed_out();
    let expired = nobody.clone();
    for (method, path, body, _) in built_routes() {
        if !OPEN_ROUTES.contains(&format!("{method} {path}").as_str()) {
            ours.ask(&expired, method, path, &body).await.refused(401, "not_signed_in");
            // Not even what is malformed is looked at.
            ours.ask(&nobody, method, path, &json!([])).await.refused(401, "not_signed_in");
        }
    }
    for (name, form, _) in built_functions() {
        if !OPEN_FUNCTIONS.contains(&name) {
            ours.call(&nobody, name, form).await.refused(401, "not_signed_in");
            ours.call(&nobody, name, "").await.refused(401, "not_signed_in");
        }
    }
}

#[tokio::test]
async fn another_workspace_is_not_there() {
    let app = TestApp::start().await;
    let ours = Ours::make(&app).await;
    let (_, stranger) = app.other_workspace().await;
    for (method, path, body, gets) in built_routes() {
        // The stream never ends; what it carries is the workspace's own by its filter.
        if path == "/crm/events" {
            continue;
        }
        let given = ours.ask(&stranger, method, path, &body).await;
        if path == "/auth/workspace" {
            given.refused(409, "key_has_one_workspace");
        } else if gets == NotFound {
            assert_eq!(given.status, 404, "{method} {path}: {}", given.text);
        } else {
            assert_ne!(given.status, 500, "{method} {path}: {}", given.text);
            assert!(!given.text.contains(&ours.record.to_string()), "{method} {path} shows ours: {}", given.text);
        }
    }
    for (name, form, gets) in built_functions() {
        let given = ours.call(&stranger, name, form).await;
        if name == "switch_workspace" {
            given.refused(409, "key_has_one_workspace");
        } else if gets == NotFound {
            assert_eq!(given.status, 404, "{name}: {}", given.text);
        } else {
            assert_ne!(given.status, 500, "{name}: {}", given.text);
            assert!(!given.text.contains(&ours.record.to_string()), "{name} shows ours: {}", given.text);
        }
    }
    app.leave_jobs();
}

#[tokio::test]
async fn our_own_admin_gets_everywhere() {
    let app = TestApp::start().await;
    let ours = Ours::make(&app).await;
    let admin = app.api_key_of(Role::Admin).await;
    for (method, path, body, gets) in built_routes().into_iter().filter(|(method, ..)| *method == "GET") {
        if path != "/crm/events" && gets == NotFound {
            let given = ours.ask(&admin, method, path, &body).await;
            assert_eq!(given.status, 200, "{method} {path}: the table's own address leads nowhere: {}", given.text);
        }
    }
}

#[test]
fn the_tables_hold_every_route_and_every_server_function() {
    let known: BTreeSet<String> = routes().iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    let missing: Vec<_> = routes_of_sources().difference(&known).cloned().collect();
    assert_eq!(missing, Vec::<String>::new(), "give each a row in the table of this file");
    let known: BTreeSet<String> = FUNCTIONS.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let missing: Vec<_> = functions_of_sources().into_iter().filter(|name| !known.contains(name)).collect();
    assert_eq!(missing, Vec::<String>::new(), "give each a row in the table of this file");
}

#[test]
fn no_two_server_functions_share_an_address() {
    let mut names = functions_of_sources();
    names.sort();
    let doubled: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
    assert_eq!(doubled, Vec::<String>::new());
}

/// The rows whose route is there: what the contract names comes piece by piece.
fn built_routes() -> Vec<(&'static str, &'static str, Json, Stranger)> {
    let there = routes_of_sources();
    routes().into_iter().filter(|(method, path, ..)| there.contains(&format!("{method} {path}"))).collect()
}

fn built_functions() -> Vec<(&'static str, &'static str, Stranger)> {
    let there = functions_of_sources();
    FUNCTIONS.iter().copied().filter(|(name, ..)| there.iter().any(|built| built == name)).collect()
}

fn sources(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, texts: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(std::fs::read_to_string(&path).expect("a source"));
            }
        }
    }
    let mut texts = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut texts);
    texts
}

/// `.route("/path", get(a).post(b))` in `src/api`, with the prefix under which it is nested.
fn routes_of_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in sources("src/api") {
        let prefix = if text.contains("fn rest(") { "" } else { "/crm" };
        for (start, _) in text.match_indices(".route(") {
            let rest = &text[start + ".route(".len()..];
            let path = rest.split('"').nth(1).expect("a path");
            // The browser comes back from the CRM to a page, which sends to the sign-in.
            if path == "/oauth/callback/{provider}" {
                continue;
            }
            let methods = &rest[..end_of_call(rest)];
            for method in ["get", "post", "put", "patch", "delete"] {
                let call = format!("{method}(");
                let named = methods.match_indices(&call).any(|(at, _)| {
                    methods[..at].chars().next_back().is_some_and(|before| !before.is_alphanumeric() && before != '_')
                });
                if named {
                    found.insert(format!("{} {prefix}{path}", method.to_uppercase()));
                }
            }
        }
    }
    found
}

/// Where the parenthesis closes that was open at the beginning.
fn end_of_call(text: &str) -> usize {
    let mut open = 1;
    for (at, letter) in text.char_indices() {
        match letter {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return at;
        }
    }
    text.len()
}

fn functions_of_sources() -> Vec<String> {
    let texts = sources("src/ui");
    let ends = texts
        .iter()
        .flat_map(|text| text.match_indices("endpoint = \"").map(move |(at, mark)| &text[at + mark.len()..]));
    ends.map(|rest| rest.split('"').next().expect("a name").to_owned()).collect()
}
