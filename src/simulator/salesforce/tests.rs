//! Stories against a served org, by plain HTTP.

mod admin;
mod assignment;
mod bulk;
mod composites;
mod control;
mod describes;
mod files;
mod garbage;
mod keys;
mod oauth;
mod picklists;
mod properties;
mod queries;
mod refusals;
mod rollups;
mod writes;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;

/// When every story begins: 40 s into a minute.
const NOW: i64 = 1_790_000_020_000;

struct Served {
    url: String,
    http: reqwest::Client,
    now: Arc<std::sync::atomic::AtomicI64>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

async fn served(options: &SimulatorOptions) -> Served {
    // Another test may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let now = Arc::new(std::sync::atomic::AtomicI64::new(NOW));
    let ticking = now.clone();
    let clock: Clock = Arc::new(move || ticking.load(std::sync::atomic::Ordering::SeqCst));
    let simulator = SalesforceSimulator::open(options, clock).expect("a world");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(simulator.serve(listener, async move {
        let _ = stopped.await;
    }));
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().expect("a client");
    Served { url, http, now, _stop: stop }
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

    /// A `query`, which sees what is alive.
    async fn live(&self, token: &str, soql: &str) -> (u16, Json) {
        let query: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.get(token, &format!("/services/data/v62.0/query?q={query}")).await
    }

    /// Sends JSON to a path under the data API.
    async fn send(&self, token: &str, method: &str, path: &str, body: Json) -> (u16, Json) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let url = format!("{}/services/data/v62.0{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// Creates a record as an integration and gives its id.
    async fn made(&self, token: &str, object: &str, fields: Json) -> String {
        let (status, answer) = self.send(token, "POST", &format!("/sobjects/{object}"), fields).await;
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// Lets time pass.
    fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }
}
