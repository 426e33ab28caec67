//! Stories against a served org, by plain HTTP.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;

struct Served {
    url: String,
    http: reqwest::Client,
    _stop: tokio::sync::oneshot::Sender<()>,
}

async fn served(options: &SimulatorOptions) -> Served {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock: Clock = Arc::new(|| 1_790_000_000_000);
    let simulator = SalesforceSimulator::open(options, clock).expect("a world");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(simulator.serve(listener, async move {
        let _ = stopped.await;
    }));
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client");
    Served { url, http, _stop: stop }
}

fn small() -> SimulatorOptions {
    SimulatorOptions { seed: 1, accounts: 20, contacts: 40, opportunities: 10, state_dir: None, no_limits: false }
}

impl Served {
    async fn control(&self, path: &str, body: Json) -> Json {
        let url = format!("{}/_simulator/{path}", self.url);
        self.http.post(url).json(&body).send().await.expect("an answer").json().await.expect("JSON")
    }

    async fn token(&self) -> String {
        self.control("token", json!({})).await["access_token"].as_str().expect("a token").to_owned()
    }

    async fn get(&self, token: &str, path: &str) -> (u16, Json) {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(token);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn query(&self, token: &str, soql: &str) -> (u16, Json) {
        let query: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.get(token, &format!("/services/data/v62.0/queryAll?q={query}")).await
    }
}

#[tokio::test]
async fn consent_exchange_refresh_and_reuse_of_a_rotated_token() {
    let org = served(&small()).await;
    let verifier = "a-verifier-that-is-long-enough-for-the-standard-0123456789";
    let challenge = {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
    };
    let redirect = "http://127.0.0.1:1/callback";
    let asked = [
        ("response_type", "code"),
        ("client_id", "crosstie-demo"),
        ("redirect_uri", redirect),
        ("state", "s 1"),
        ("code_challenge", challenge.as_str()),
        ("scope", "api refresh_token"),
    ];
    let page =
        org.http.get(format!("{}/services/oauth2/authorize", org.url)).query(&asked).send().await.expect("a page");
    assert!(page.text().await.expect("HTML").contains(">Allow<"));
    let mut form = asked.to_vec();
    form.push(("decision", "allow"));
    let allowed =
        org.http.post(format!("{}/services/oauth2/authorize", org.url)).form(&form).send().await.expect("a redirect");
    let location = url::Url::parse(allowed.headers()["location"].to_str().expect("text")).expect("an address");
    let pairs: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(pairs["state"], "s 1");
    let token_url = format!("{}/services/oauth2/token", org.url);
    let exchange = |verifier: &'static str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "crosstie-demo"),
            ("client_secret", "crosstie-demo-secret"),
            ("redirect_uri", redirect),
            ("code", pairs["code"].as_str()),
            ("code_verifier", verifier),
        ];
        org.http.post(&token_url).form(&form).send()
    };
    let granted: Json = exchange(verifier).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(granted["instance_url"], org.url);
    assert!(granted.get("expires_in").is_none(), "Salesforce does not tell");
    let again: Json = exchange(verifier).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(again["error"], "invalid_grant", "a code is good once");
    let refresh = |token: String| {
        let form = [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", "crosstie-demo".to_owned()),
            ("client_secret", "crosstie-demo-secret".to_owned()),
            ("refresh_token", token),
        ];
        org.http.post(&token_url).form(&form).send()
    };
    let first = granted["refresh_token"].as_str().expect("a refresh token").to_owned();
    let rotated: Json = refresh(first.clone()).await.expect("an answer").json().await.expect("JSON");
    let second = rotated["refresh_token"].as_str().expect("rotation gives a new one").to_owned();
    assert_ne!(first, second);
    let reused: Json = refresh(first).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(reused["error"], "invalid_grant");
    let dead: Json = refresh(second).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(dead["error"], "invalid_grant", "re-use ends the grant");
}

#[tokio::test]
async fn queries_page_and_see_what_was_deleted() {
    let org = served(&SimulatorOptions { accounts: 450, ..small() }).await;
    let token = org.token().await;
    let query: String = url::form_urlencoded::byte_serialize(b"SELECT Id, Name FROM Account").collect();
    let request = org.http.get(format!("{}/services/data/v62.0/query?q={query}", org.url)).bearer_auth(&token);
    let page: Json = request
        .header("Sforce-Query-Options", "batchSize=200")
        .send()
        .await
        .expect("a page")
        .json()
        .await
        .expect("JSON");
    assert_eq!((page["totalSize"].as_u64(), page["done"].as_bool()), (Some(450), Some(false)));
    let (_, second) = org.get(&token, page["nextRecordsUrl"].as_str().expect("a next page")).await;
    let (_, third) = org.get(&token, second["nextRecordsUrl"].as_str().expect("a next page")).await;
    assert_eq!((third["records"].as_array().map(Vec::len), third["done"].as_bool()), (Some(50), Some(true)));
    let id = page["records"][0]["Id"].as_str().expect("an id").to_owned();
    org.control("edit", json!({ "action": "delete", "object": "Account", "id": id })).await;
    let (_, deleted) = org.query(&token, &format!("SELECT Id, IsDeleted FROM Account WHERE Id IN ('{id}')")).await;
    assert_eq!(deleted["records"][0]["IsDeleted"], true);
    let (status, error) = org.query(&token, "SELECT Nope FROM Account").await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("INVALID_FIELD")));
}

#[tokio::test]
async fn collections_answer_record_by_record_and_upserts_find_what_they_made() {
    let org = served(&small()).await;
    let token = org.token().await;
    let upsert = |name: &'static str| {
        let body = json!({ "allOrNone": false, "records": [
            { "attributes": { "type": "Account" }, "Crosstie_Id__c": "w:1", "Name": name },
            { "attributes": { "type": "Account" }, "Crosstie_Id__c": "w:2" } ]});
        let url = format!("{}/services/data/v62.0/composite/sobjects/Account/Crosstie_Id__c", org.url);
        org.http.patch(url).bearer_auth(&token).json(&body).send()
    };
    let first: Json = upsert("One").await.expect("an answer").json().await.expect("JSON");
    assert_eq!(first[0]["created"], true);
    assert_eq!(first[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let second: Json = upsert("Two").await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&second[0]["created"], &second[0]["id"]), (&json!(false), &first[0]["id"]));
}

#[tokio::test]
async fn faults_cut_lose_and_spoil_answers() {
    let org = served(&small()).await;
    let token = org.token().await;
    let create = || {
        let url = format!("{}/services/data/v62.0/sobjects/Account", org.url);
        org.http.post(url).bearer_auth(&token).json(&json!({ "Name": "Fault Ltd" })).send()
    };
    let rule = |fault: &str| json!({ "rules": [{ "match": { "operation": "create" }, "fault": fault, "times": 1 }] });
    let count = || async {
        let (_, found) = org.query(&token, "SELECT Id FROM Account WHERE Name = 'Fault Ltd'").await;
        found["totalSize"].as_u64().unwrap_or_default()
    };
    org.control("faults", rule("reset")).await;
    assert!(create().await.is_err(), "nothing comes back");
    assert_eq!(count().await, 0, "and nothing was applied");
    org.control("faults", rule("lost_response")).await;
    assert!(create().await.is_err(), "nothing comes back");
    assert_eq!(count().await, 1, "but it was applied");
    org.control("faults", rule("garbage")).await;
    let garbage = create().await.expect("an answer");
    assert!(garbage.text().await.expect("text").contains("<html>"));
    org.control("faults", rule("rate_limit")).await;
    assert_eq!(create().await.expect("an answer").status().as_u16(), 403);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-simulator-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let (token, id) = {
        let org = served(&options).await;
        let made = org.control("edit", json!({ "object": "Account", "fields": { "Name": "Kept Ltd" } })).await;
        (org.token().await, made["id"].as_str().expect("an id").to_owned())
    };
    let org = served(&options).await;
    let (status, record) = org.get(&token, &format!("/services/data/v62.0/sobjects/Account/{id}")).await;
    assert_eq!((status, record["Name"].as_str()), (200, Some("Kept Ltd")), "record and token are kept");
    std::fs::remove_dir_all(folder).expect("the folder was made");
}
