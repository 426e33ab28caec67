//! Stories against an account, put to it without a network.

mod associations;
mod control;
mod deliveries;
mod files;
mod garbage;
mod journal;
mod schemas;
mod search;
mod webhooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value as Json, json};

use super::*;
use crate::simulator::commands;

/// When every story begins.
const NOW: i64 = 1_790_000_020_000;

struct Account {
    portal: Portal,
    now: Arc<AtomicI64>,
    token: String,
}

fn small() -> SimulatorOptions {
    SimulatorOptions { seed: 1, accounts: 20, contacts: 40, opportunities: 10, state_dir: None, no_limits: false }
}

fn account(options: &SimulatorOptions) -> Account {
    let now = Arc::new(AtomicI64::new(NOW));
    let ticking = now.clone();
    let clock: Clock = Arc::new(move || ticking.load(Ordering::SeqCst));
    let portal = Portal::open(options, clock).expect("a world");
    let mut account = Account { portal, now, token: String::new() };
    let granted = account.ask("POST", "/_simulator/token", json!({})).1;
    account.token = granted["access_token"].as_str().expect("a token").to_owned();
    account
}

struct Served {
    url: String,
    http: reqwest::Client,
    _stop: tokio::sync::oneshot::Sender<()>,
}

async fn served(options: &SimulatorOptions) -> Served {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let simulator = HubspotSimulator::open(options, Arc::new(|| NOW)).expect("a world");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(simulator.serve(listener, async move {
        let _ = stopped.await;
    }));
    Served { url, http: reqwest::Client::builder().no_proxy().build().expect("a client"), _stop: stop }
}

impl Account {
    fn ask(&mut self, method: &str, address: &str, body: Json) -> (u16, Json) {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().expect("a header"));
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let asked = Asked { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers, body };
        self.portal.tick();
        let reply = if path.starts_with("/_simulator") {
            commands::answer(&mut self.portal, &asked)
        } else {
            self.portal.answer(&asked)
        };
        self.portal.keep().expect("room");
        (reply.status, serde_json::from_str(&reply.body).unwrap_or(Json::Null))
    }

    fn create(&mut self, object: &str, properties: Json) -> String {
        let (status, made) =
            self.ask("POST", &format!("/crm/v3/objects/{object}"), json!({ "properties": properties }));
        assert_eq!(status, 201, "{made}");
        made["id"].as_str().expect("an id").to_owned()
    }
}

#[test]
fn a_restart_forgets_nothing() {
    let folder = std::env::temp_dir().join(format!("crosstie-hubspot-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let mut first = account(&options);
    let definition = json!({ "groupName": "dealinformation", "name": "own_key", "label": "Own", "type": "string",
                             "fieldType": "text", "hasUniqueValue": true });
    assert_eq!(first.ask("POST", "/crm/v3/properties/deals", definition).0, 201);
    let deal = first.create("deals", json!({ "dealname": "Kept", "dealstage": "closedwon", "own_key": "K" }));
    let company = first.create("companies", json!({ "name": "Kept" }));
    let path = format!("/crm/v4/objects/deals/{deal}/associations/default/companies/{company}");
    assert_eq!(first.ask("PUT", &path, Json::Null).0, 200);
    first.ask("PATCH", &format!("/crm/v3/objects/deals/{deal}"), json!({ "properties": { "dealname": "Changed" } }));
    let token = first.token.clone();
    drop(first);
    // Opened twice: as it was appended, and as it was written anew.
    for _ in 0..2 {
        let mut again = account(&options);
        again.token.clone_from(&token);
        let address =
            "/crm/v3/objects/deals/K?idProperty=own_key&associations=companies&propertiesWithHistory=dealname";
        let (status, read) = again.ask("GET", address, Json::Null);
        assert_eq!(status, 200, "{read}");
        assert_eq!(read["associations"]["companies"]["results"][0]["id"], company);
        let values: Vec<&Json> = read["propertiesWithHistory"]["dealname"]
            .as_array()
            .expect("versions")
            .iter()
            .map(|version| &version["value"])
            .collect();
        assert_eq!(values, ["Changed", "Kept"]);
    }
    std::fs::remove_dir_all(folder).expect("it was made");
}

#[test]
fn six_of_ten_companies_are_in_both_crms() {
    let mut account = account(&SimulatorOptions { accounts: 80, ..small() });
    let theirs: std::collections::HashSet<String> = crate::simulator::seed::companies(1, 100)
        .into_iter()
        .enumerate()
        .filter(|(index, _)| index % 10 < 8)
        .filter_map(|(_, company)| company.domain)
        .collect();
    let page = account.ask("GET", "/crm/v3/objects/companies?limit=100", Json::Null).1;
    let ours = page["results"].as_array().expect("records");
    let shared = ours.iter().filter(|one| one["properties"]["domain"].as_str().is_some_and(|d| theirs.contains(d)));
    assert_eq!((ours.len(), shared.count()), (80, 60));
}

#[test]
fn a_range_of_changes_is_found_in_its_order_and_archived_records_are_not() {
    let mut account = account(&small());
    let made: Vec<String> = (0..3)
        .map(|turn| {
            account.now.store(NOW + 1000 * (turn + 1), Ordering::SeqCst);
            account.create("contacts", json!({ "lastname": format!("Range {turn}") }))
        })
        .collect();
    account.ask("DELETE", &format!("/crm/v3/objects/contacts/{}", made[1]), Json::Null);
    let filters = json!([{ "propertyName": "lastmodifieddate", "operator": "BETWEEN",
                           "value": (NOW + 1).to_string(), "highValue": (NOW + 9000).to_string() }]);
    let body = json!({ "filterGroups": [{ "filters": filters }], "sorts": ["-lastmodifieddate"] });
    let found = account.ask("POST", "/crm/v3/objects/contacts/search", body).1;
    let ids: Vec<&Json> = found["results"].as_array().expect("records").iter().map(|one| &one["id"]).collect();
    assert_eq!(ids, [&made[2], &made[0]]);
    let turned = json!({ "filters": [{ "propertyName": "lastmodifieddate", "operator": "BETWEEN",
                                       "value": (NOW + 9).to_string(), "highValue": NOW.to_string() }] });
    assert_eq!(account.ask("POST", "/crm/v3/objects/contacts/search", turned).1["total"], 0);
}

#[test]
fn a_merge_moves_addresses_and_associations_and_the_bin_empties_in_time() {
    let mut account = account(&small());
    let kept = account.create("contacts", json!({ "email": "kept@kestrel.example" }));
    let lost = account.create("contacts", json!({ "email": "lost@kestrel.example", "phone": "1" }));
    let company = account.create("companies", json!({ "name": "C" }));
    let path = format!("/crm/v4/objects/contacts/{lost}/associations/default/companies/{company}");
    account.ask("PUT", &path, Json::Null);
    let merge = json!({ "object": "contacts", "action": "merge", "id": lost, "mergeInto": kept });
    assert_eq!(account.ask("POST", "/_simulator/edit", merge).1["id"], kept);
    let address =
        "/crm/v3/objects/contacts/lost@kestrel.example?idProperty=email&associations=companies&properties=phone";
    let read = account.ask("GET", address, Json::Null).1;
    assert_eq!((&read["id"], &read["properties"]["phone"]), (&json!(kept), &json!("1")));
    assert_eq!(read["associations"]["companies"]["results"][0]["id"], company);
    account.ask("DELETE", &format!("/crm/v3/objects/companies/{company}"), Json::Null);
    let archived = format!("/crm/v3/objects/companies/{company}?archived=true");
    assert_eq!(account.ask("GET", &archived, Json::Null).0, 200);
    account.ask("POST", "/_simulator/clock", json!({ "advanceMs": 91 * stamps::DAY_MS }));
    account.token =
        account.ask("POST", "/_simulator/token", json!({})).1["access_token"].as_str().expect("text").to_owned();
    assert_eq!(account.ask("GET", &archived, Json::Null).0, 404);
}
