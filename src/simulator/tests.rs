//! The same seed, clock and requests give the same bytes: twice over HTTP, every header with them.

use std::future::Future;

use reqwest::Method;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::hubspot::HubspotSimulator;
use super::salesforce::SalesforceSimulator;
use super::*;

const NOW: i64 = 1_790_000_020_000;
const REDIRECT: &str = "http://127.0.0.1:1/callback";
const CLIENT: [(&str, &str); 2] = [("client_id", "crosstie-demo"), ("client_secret", "crosstie-demo-secret")];

fn options() -> SimulatorOptions {
    SimulatorOptions { seed: 7, accounts: 20, contacts: 40, opportunities: 10, state_dir: None, no_limits: false }
}

/// What a simulator has answered to a script.
struct Transcript {
    url: String,
    http: reqwest::Client,
    token: String,
    told: Vec<String>,
    _stop: oneshot::Sender<()>,
}

impl Transcript {
    /// Serves a fresh simulator to write down.
    async fn of<S>(serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> S) -> Self
    where
        S: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(serve(listener, stopped));
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
        Transcript { url, http: http.expect("a client"), token: String::new(), told: Vec::new(), _stop: stop }
    }

    /// Sends a request and writes down all of its answer: its headers and its body as text.
    async fn put(&mut self, method: Method, path: &str, form: &[(&str, &str)], body: Json) -> (String, String) {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.url));
        // Both are called by the same name, which stands in links.
        request = request.header("host", "crm.example").bearer_auth(&self.token);
        if !form.is_empty() {
            request = request.form(&form.iter().chain(&CLIENT).collect::<Vec<_>>());
        } else if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status();
        // The page and the control interface are no part of the CRM: their date is the server's own.
        let own = |name: &str| name == "date" && (path == "/" || path.starts_with("/_simulator"));
        let headers = response.headers().iter().filter(|(name, _)| !own(name.as_str()));
        let headers: String =
            headers.map(|(name, value)| format!("{name}: {}\n", value.to_str().expect("text"))).collect();
        let body = response.text().await.expect("text");
        self.told.push(format!("{method} {path}\n{status}\n{headers}\n{body}"));
        (headers, body)
    }

    async fn ask(&mut self, method: Method, path: &str, body: Json) -> Json {
        serde_json::from_str(&self.put(method, path, &[], body).await.1).unwrap_or_default()
    }

    async fn form(&mut self, path: &str, form: &[(&str, &str)]) -> Json {
        serde_json::from_str(&self.put(Method::POST, path, form, Json::Null).await.1).unwrap_or_default()
    }

    /// Allows the application on the consent page and takes its first token, without a PKCE challenge.
    async fn sign_in(&mut self, authorize: &str, token: &str, scope: &str) {
        self.ask(Method::POST, "/_simulator/settings", json!({ "pkceRequired": false })).await;
        self.ask(Method::POST, "/_simulator/clock", json!({ "set": "2026-10-01T12:00:00Z" })).await;
        let form = [
            ("response_type", "code"),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("decision", "allow"),
            ("state", "s"),
        ];
        let (headers, _) = self.put(Method::POST, authorize, &form, Json::Null).await;
        let location = headers.lines().find_map(|line| line.strip_prefix("location: ")).expect("a redirect");
        let location = url::Url::parse(location).expect("an address");
        let code = location.query_pairs().find(|(name, _)| name == "code").expect("a code").1.into_owned();
        let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
        let granted = self.form(token, &form).await;
        self.form(token, &form).await;
        let refresh = granted["refresh_token"].as_str().expect("a token").to_owned();
        let granted = self.form(token, &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
        self.token = granted["access_token"].as_str().expect("a token").to_owned();
    }
}

async fn told_by_hubspot() -> Vec<String> {
    let simulator = HubspotSimulator::open(&options(), Arc::new(|| NOW)).expect("a world");
    let mut hub = Transcript::of(|listener, stopped| simulator.serve(listener, async { drop(stopped.await) })).await;
    let scope = "oauth crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read \
                 crm.objects.companies.write crm.schemas.contacts.write";
    hub.sign_in("/oauth/authorize", "/oauth/v1/token", scope).await;
    let contacts = "/crm/v3/objects/contacts";
    let property = json!({ "name": "own", "label": "Own", "type": "string", "fieldType": "text",
                           "groupName": "contactinformation", "hasUniqueValue": true });
    hub.ask(Method::POST, "/crm/v3/properties/contacts", property).await;
    let ann = json!({ "properties": { "email": "ann@kestrel.example", "own": "1" } });
    let made = hub.ask(Method::POST, contacts, ann.clone()).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    hub.ask(Method::POST, contacts, ann).await;
    let input = |value: &str| json!({ "id": value, "idProperty": "own", "properties": { "lastname": value } });
    let inputs = json!({ "inputs": [input("1"), input("2")] });
    hub.ask(Method::POST, &format!("{contacts}/batch/upsert"), inputs).await;
    hub.ask(Method::POST, &format!("{contacts}/batch/read"), json!({ "inputs": [{ "id": id }, { "id": "7" }] })).await;
    hub.ask(Method::PATCH, &format!("{contacts}/{id}"), json!({ "properties": { "nobody_defined_this": "1" } })).await;
    hub.ask(Method::POST, "/_simulator/clock", json!({ "advanceMs": 90_000 })).await;
    hub.ask(Method::POST, "/_simulator/edit", json!({ "object": "contacts", "id": id, "fields": { "phone": "7" } }))
        .await;
    for (pair, type_id) in [("contacts/companies", 279), ("companies/contacts", 280), ("contacts/contacts", 449)] {
        let path = format!("/crm/v4/associations/definitions/configurations/{pair}/batch/create");
        let input = json!({ "category": "HUBSPOT_DEFINED", "typeId": type_id, "maxToObjectIds": 50 });
        hub.ask(Method::POST, &path, json!({ "inputs": [input] })).await;
    }
    let label = json!({ "name": "advisor", "label": "Advisor" });
    hub.ask(Method::POST, "/crm/v4/associations/contacts/companies/labels", label).await;
    let company = "/crm/v4/objects/contacts/101/associations/default/companies/9000000003";
    hub.ask(Method::PUT, company, Json::Null).await;
    let filter = json!({ "propertyName": "lastmodifieddate", "operator": "GTE", "value": "0" });
    let search = json!({ "filters": [filter], "sorts": ["-lastname"], "limit": 7, "properties": ["phone", "own"] });
    hub.ask(Method::POST, &format!("{contacts}/search"), search).await;
    for path in [
        "/crm/v3/objects/contacts?limit=3&associations=companies&propertiesWithHistory=phone",
        "/crm/objects/2026-03/contacts?limit=3&after=110&archived=False",
        "/crm/v4/objects/contacts/101/associations/companies",
        "/crm/v4/associations/definitions/configurations/all",
        "/crm/v3/properties/contacts",
        "/crm/v3/objects/deals",
        "/crm/v3/objects/widgets",
        "/oauth/v1/refresh-tokens/unknown",
        "/account-info/v3/details",
        "/_simulator/records/contacts",
        "/_simulator/stats",
        "/",
    ] {
        hub.ask(Method::GET, path, Json::Null).await;
    }
    hub.ask(Method::DELETE, &format!("{contacts}/{id}"), Json::Null).await;
    hub.ask(
        Method::POST,
        "/_simulator/faults",
        json!({ "rules": [{ "fault": "status", "status": 503, "probability": 0.5 }] }),
    )
    .await;
    for _ in 0..12 {
        hub.ask(Method::GET, &format!("{contacts}/102"), Json::Null).await;
    }
    hub.told
}

async fn told_by_salesforce() -> Vec<String> {
    let simulator = SalesforceSimulator::open(&options(), Arc::new(|| NOW)).expect("a world");
    let mut org = Transcript::of(|listener, stopped| simulator.serve(listener, async { drop(stopped.await) })).await;
    org.sign_in("/services/oauth2/authorize", "/services/oauth2/token", "api refresh_token").await;
    let base = "/services/data/v62.0";
    let accounts = format!("{base}/sobjects/Account");
    let account = json!({ "Name": "Same", "Crosstie_Id__c": "same" });
    let made = org.ask(Method::POST, &accounts, account.clone()).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    org.ask(Method::POST, &accounts, account).await;
    let tree = json!({ "records": [{ "attributes": { "type": "Account", "referenceId": "a" }, "Name": "Tree" }] });
    org.ask(Method::POST, &format!("{base}/composite/tree/Account"), tree).await;
    let record = |name: &str| json!({ "attributes": { "type": "Account" }, "Name": name, "Crosstie_Id__c": name });
    let records = json!({ "allOrNone": false, "records": [record("same"), record("x"), record("x")] });
    org.ask(Method::PATCH, &format!("{base}/composite/sobjects/Account/Crosstie_Id__c"), records).await;
    org.ask(Method::PATCH, &format!("{accounts}/{id}"), json!({ "Nope__c": "1" })).await;
    org.ask(Method::POST, "/_simulator/clock", json!({ "advanceMs": 90_000 })).await;
    org.ask(Method::POST, "/_simulator/edit", json!({ "object": "Account", "id": id, "fields": { "Phone": "7" } }))
        .await;
    let job = json!({ "operation": "query", "query": "SELECT Id, Name FROM Account ORDER BY Name" });
    let job = org.ask(Method::POST, &format!("{base}/jobs/query"), job).await;
    let job = job["id"].as_str().expect("an id").to_owned();
    for path in [
        format!("{accounts}/describe"),
        format!("{base}/sobjects"),
        format!("{accounts}/001000000000001AAA"),
        format!("{base}/query?q=SELECT+FIELDS(ALL)+FROM+Account+ORDER+BY+SystemModstamp+DESC+LIMIT+60"),
        format!("{base}/query?q=SELECT+Nope+FROM+Account"),
        format!("{base}/queryAll?q=SELECT+Id,Account.Name+FROM+Contact"),
        format!("{base}/jobs/query/{job}"),
        format!("{base}/jobs/query/{job}/results?maxRecords=5"),
        format!("{base}/limits"),
        "/services/oauth2/userinfo".to_owned(),
        "/_simulator/records/Account".to_owned(),
        "/_simulator/stats".to_owned(),
        "/".to_owned(),
    ] {
        org.ask(Method::GET, &path, Json::Null).await;
    }
    org.ask(Method::DELETE, &format!("{accounts}/{id}"), Json::Null).await;
    org.ask(
        Method::POST,
        "/_simulator/faults",
        json!({ "rules": [{ "fault": "status", "status": 503, "probability": 0.5 }] }),
    )
    .await;
    for _ in 0..12 {
        org.ask(Method::GET, &accounts, Json::Null).await;
    }
    org.told
}

/// Holds two transcripts against each other, an answer at a time.
fn same(first: &[String], second: &[String]) {
    assert_eq!(first.len(), second.len());
    for (first, second) in first.iter().zip(second) {
        assert_eq!(first, second);
    }
    for status in ["200 OK", "201 Created", "400 Bad Request", "404 Not Found", "503 Service Unavailable"] {
        let heading = format!("\n{status}\n");
        assert!(first.iter().any(|told| told.contains(&heading)), "the script meets {status}");
    }
}

#[tokio::test]
async fn hubspot_answers_the_same_bytes_to_the_same_requests() {
    same(&told_by_hubspot().await, &told_by_hubspot().await);
}

#[tokio::test]
async fn salesforce_answers_the_same_bytes_to_the_same_requests() {
    same(&told_by_salesforce().await, &told_by_salesforce().await);
}
