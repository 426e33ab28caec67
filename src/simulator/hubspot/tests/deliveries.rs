//! Events on their way to a receiver, by real requests.

use std::sync::atomic::{AtomicU16, AtomicUsize};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than any pause between two attempts.
const HALF_A_DAY_MS: i64 = stamps::DAY_MS / 2;

/// A request as it arrived.
struct Arrived {
    headers: HeaderMap,
    body: String,
}

impl Arrived {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().expect("text")
    }

    fn events(&self) -> Vec<Json> {
        serde_json::from_str(&self.body).expect("an array")
    }

    fn names(&self) -> Vec<String> {
        let name = |event: &Json| event["propertyValue"].as_str().expect("a value").to_owned();
        let mut names: Vec<String> = self.events().iter().map(name).collect();
        names.sort();
        names
    }
}

/// How a receiver answers, and how many requests it holds.
struct Manner {
    status: AtomicU16,
    answers: Semaphore,
    held: AtomicUsize,
    most_held: AtomicUsize,
    arrived: mpsc::UnboundedSender<Arrived>,
}

async fn receive(State(manner): State<Arc<Manner>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let held = manner.held.fetch_add(1, Ordering::SeqCst) + 1;
    manner.most_held.fetch_max(held, Ordering::SeqCst);
    let body = String::from_utf8(body.to_vec()).expect("text");
    let status = manner.status.load(Ordering::SeqCst);
    manner.arrived.send(Arrived { headers, body }).expect("the test listens");
    manner.answers.acquire().await.expect("it stays open").forget();
    manner.held.fetch_sub(1, Ordering::SeqCst);
    StatusCode::from_u16(status).expect("a status")
}

struct Receiver {
    url: String,
    manner: Arc<Manner>,
    arrived: mpsc::UnboundedReceiver<Arrived>,
}

impl Receiver {
    /// Answers so many requests, and holds the others.
    async fn answering(answers: usize) -> Self {
        let (sender, arrived) = mpsc::unbounded_channel();
        let manner = Arc::new(Manner {
            status: AtomicU16::new(204),
            answers: Semaphore::new(answers),
            held: AtomicUsize::new(0),
            most_held: AtomicUsize::new(0),
            arrived: sender,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/hooks?of=hubspot", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(receive).with_state(manner.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Receiver { url, manner, arrived }
    }

    fn answers(&self, status: u16) {
        self.manner.status.store(status, Ordering::SeqCst);
    }

    async fn next(&mut self) -> Arrived {
        let arrived = tokio::time::timeout(PATIENCE, self.arrived.recv()).await;
        arrived.expect("in time").expect("a request")
    }
}

struct Served {
    url: String,
    http: reqwest::Client,
    stop: oneshot::Sender<()>,
    stopped: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn new(options: &SimulatorOptions) -> Self {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let simulator = HubspotSimulator::open(options, Arc::new(|| NOW)).expect("a world");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (stop, stopping) = oneshot::channel::<()>();
        let stopped = tokio::spawn(simulator.serve(listener, async move {
            let _ = stopping.await;
        }));
        Served { url, http: reqwest::Client::builder().no_proxy().build().expect("a client"), stop, stopped }
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Json) -> Json {
        let request = self.http.request(method, format!("{}{path}", self.url)).json(&body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    }

    /// Tells a receiver of last names, once somebody has installed the application.
    async fn subscribe(&self, receiver: &Receiver, most: u64) {
        let hooks = |path: &str| format!("/webhooks/v3/{APP_ID}/{path}?hapikey=crosstie-demo-developer-key");
        let settings = json!({ "targetUrl": receiver.url, "throttling": { "maxConcurrentRequests": most } });
        self.ask(reqwest::Method::PUT, &hooks("settings"), settings).await;
        let names = json!({ "eventType": "contact.propertyChange", "propertyName": "lastname", "active": true });
        self.ask(reqwest::Method::POST, &hooks("subscriptions"), names).await;
        self.ask(reqwest::Method::POST, "/_simulator/token", json!({})).await;
    }

    async fn add(&self, name: &str) {
        let edit = json!({ "object": "contacts", "fields": { "lastname": name } });
        self.ask(reqwest::Method::POST, "/_simulator/edit", edit).await;
    }

    async fn forward(&self, ms: i64) {
        self.ask(reqwest::Method::POST, "/_simulator/clock", json!({ "advanceMs": ms })).await;
    }
}

#[tokio::test]
async fn an_event_arrives_signed() {
    let mut receiver = Receiver::answering(1000).await;
    let served = Served::new(&small()).await;
    served.subscribe(&receiver, 10).await;
    served.add("Zoë").await;
    let arrived = receiver.next().await;
    assert_eq!(arrived.names(), ["Zoë"]);
    assert_eq!(arrived.events()[0]["attemptNumber"], 0);
    assert_eq!(arrived.header("content-type"), "application/json");
    assert_eq!(arrived.header("x-hubspot-signature-version"), "v1");
    let digest = Sha256::digest(format!("{}{}", oauth::CLIENT.1, arrived.body));
    let expected: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(arrived.header("x-hubspot-signature"), expected);
    assert_eq!(arrived.header("x-hubspot-request-timestamp"), NOW.to_string());
    assert_eq!(arrived.header("x-hubspot-signature-v3").len(), 44);
}

#[tokio::test]
async fn what_is_refused_comes_again_when_the_clock_says_so() {
    let mut receiver = Receiver::answering(1000).await;
    let served = Served::new(&small()).await;
    served.subscribe(&receiver, 10).await;
    receiver.answers(500);
    served.add("First").await;
    assert_eq!(receiver.next().await.names(), ["First"]);
    served.add("Second").await;
    assert_eq!(receiver.next().await.names(), ["Second"], "not the first so soon");
    receiver.answers(204);
    served.forward(HALF_A_DAY_MS).await;
    let mut again = Vec::new();
    while again.len() < 2 {
        let arrived = receiver.next().await;
        assert!(arrived.events().iter().all(|event| event["attemptNumber"] == 1));
        again.extend(arrived.names());
    }
    again.sort();
    assert_eq!(again, ["First", "Second"]);
    served.forward(HALF_A_DAY_MS).await;
    served.add("Third").await;
    assert_eq!(receiver.next().await.names(), ["Third"], "what was taken comes no more");
}

#[tokio::test]
async fn what_was_taken_may_come_again() {
    let mut receiver = Receiver::answering(1000).await;
    let served = Served::new(&small()).await;
    served.subscribe(&receiver, 10).await;
    let duplicates = |on: bool| served.ask(reqwest::Method::POST, "/_simulator/webhooks", json!({ "duplicates": on }));
    duplicates(true).await;
    served.add("Twice").await;
    let (first, second) = (receiver.next().await, receiver.next().await);
    assert_eq!(first.names(), ["Twice"]);
    assert_eq!((&second.body, second.events()[0]["attemptNumber"].as_i64()), (&first.body, Some(0)));
    duplicates(false).await;
    for name in ["Once", "Last"] {
        served.add(name).await;
        assert_eq!(receiver.next().await.names(), [name]);
    }
}

#[tokio::test]
async fn the_eleventh_attempt_is_the_last() {
    let mut receiver = Receiver::answering(1000).await;
    let served = Served::new(&small()).await;
    served.subscribe(&receiver, 10).await;
    receiver.answers(404);
    served.add("Refused").await;
    for attempt in 0..=10 {
        assert_eq!(receiver.next().await.events()[0]["attemptNumber"], attempt);
        served.forward(HALF_A_DAY_MS).await;
    }
    receiver.answers(200);
    served.forward(HALF_A_DAY_MS).await;
    served.add("Taken").await;
    assert_eq!(receiver.next().await.names(), ["Taken"]);
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_the_receiver_wants() {
    let mut receiver = Receiver::answering(0).await;
    let served = Served::new(&small()).await;
    served.subscribe(&receiver, 6).await;
    for serial in 0..12 {
        served.add(&format!("Name {serial}")).await;
    }
    let mut names = Vec::new();
    for _ in 0..6 {
        names.extend(receiver.next().await.names());
    }
    receiver.manner.answers.add_permits(1000);
    while names.len() < 12 {
        names.extend(receiver.next().await.names());
    }
    assert_eq!(receiver.manner.most_held.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn what_nobody_took_is_posted_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-hubspot-restart-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let mut receiver = Receiver::answering(0).await;
    let served = Served::new(&options).await;
    served.subscribe(&receiver, 10).await;
    served.add("Kept").await;
    assert_eq!(receiver.next().await.names(), ["Kept"]);
    served.stop.send(()).expect("it serves");
    served.stopped.await.expect("no panic").expect("no error");
    receiver.manner.answers.add_permits(1000);
    let again = Served::new(&options).await;
    let arrived = receiver.next().await;
    assert_eq!((arrived.names(), &arrived.events()[0]["attemptNumber"]), (vec!["Kept".to_owned()], &json!(0)));
    drop(again);
    std::fs::remove_dir_all(folder).expect("it was made");
}
