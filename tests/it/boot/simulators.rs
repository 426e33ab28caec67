//! The simulators as a process: what they have acknowledged they know after a kill.

use reqwest::Method;
use serde_json::{Value as Json, json};

use super::program::{DataDir, Program, command};

/// Kills, each between the answer to a write and the next request.
const KILLS: u32 = 20;

/// Both simulators of one process, and where they listen.
struct Running {
    program: Program,
    salesforce: String,
    hubspot: String,
    http: reqwest::Client,
}

impl Running {
    fn start(state: &DataDir) -> Self {
        let mut simulate = command(&["simulate", "--salesforce", "127.0.0.1:0", "--hubspot", "127.0.0.1:0"]);
        simulate.args(["--accounts", "5", "--contacts", "5", "--opportunities", "5", "--state"]).arg(state.path());
        let mut program = Program::spawn(&mut simulate);
        let address = |line: String| {
            let (_, rest) = line.split_once("address=").expect("an address");
            format!("http://{}", rest.split_whitespace().next().expect("an address"))
        };
        let salesforce = address(program.says("the Salesforce simulator listens"));
        let hubspot = address(program.says("the HubSpot simulator listens"));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Running { program, salesforce, hubspot, http }
    }

    async fn token(&self, crm: &str) -> String {
        let asked = self.http.post(format!("{crm}/_simulator/token")).json(&json!({}));
        let token: Json = asked.send().await.expect("an answer").json().await.expect("JSON");
        token["access_token"].as_str().expect("a token").to_owned()
    }

    async fn ask(&self, method: Method, token: &str, url: String, body: &Json) -> (u16, Json) {
        let asked = self.http.request(method, url).bearer_auth(token).json(body);
        let answer = asked.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }
}

/// What the last answer promised of a record.
struct Promise {
    id: String,
    name: String,
}

/// Creates in one round, changes in the next, deletes in the third; tells the record and the name that it has now.
async fn salesforce_round(running: &Running, token: &str, round: u32, before: Option<Promise>) -> Option<Promise> {
    let accounts = format!("{}/services/data/v62.0/sobjects/Account", running.salesforce);
    let name = format!("Kept {round}");
    match before {
        None => {
            let (status, answer) = running.ask(Method::POST, token, accounts, &json!({ "Name": name })).await;
            assert_eq!(status, 201, "{answer}");
            Some(Promise { id: answer["id"].as_str().expect("an id").to_owned(), name })
        }
        Some(promise) if round % 3 == 1 => {
            let url = format!("{accounts}/{}", promise.id);
            assert_eq!(running.ask(Method::PATCH, token, url, &json!({ "Name": name })).await.0, 204);
            Some(Promise { name, ..promise })
        }
        Some(promise) => {
            let url = format!("{accounts}/{}", promise.id);
            assert_eq!(running.ask(Method::DELETE, token, url, &json!({})).await.0, 204);
            None
        }
    }
}

/// The same for a company of HubSpot.
async fn hubspot_round(running: &Running, token: &str, round: u32, before: Option<Promise>) -> Option<Promise> {
    let companies = format!("{}/crm/v3/objects/companies", running.hubspot);
    let name = format!("Kept {round}");
    let body = json!({ "properties": { "name": name } });
    match before {
        None => {
            let (status, answer) = running.ask(Method::POST, token, companies, &body).await;
            assert_eq!(status, 201, "{answer}");
            Some(Promise { id: answer["id"].as_str().expect("an id").to_owned(), name })
        }
        Some(promise) if round % 3 == 1 => {
            let url = format!("{companies}/{}", promise.id);
            assert_eq!(running.ask(Method::PATCH, token, url, &body).await.0, 200);
            Some(Promise { name, ..promise })
        }
        Some(promise) => {
            let url = format!("{companies}/{}", promise.id);
            assert_eq!(running.ask(Method::DELETE, token, url, &json!({})).await.0, 204);
            None
        }
    }
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_over_twenty_kills() {
    let state = DataDir::new();
    let mut running = Running::start(&state);
    let tokens = (running.token(&running.salesforce).await, running.token(&running.hubspot).await);
    let (mut at_salesforce, mut at_hubspot) = (None, None);
    for round in 0..KILLS {
        let ids = [&at_salesforce, &at_hubspot].map(|promise: &Option<Promise>| Some(promise.as_ref()?.id.clone()));
        // The order of the two alternates: each is the last to be answered before a kill.
        if round % 2 == 0 {
            at_salesforce = salesforce_round(&running, &tokens.0, round, at_salesforce).await;
            at_hubspot = hubspot_round(&running, &tokens.1, round, at_hubspot).await;
        } else {
            at_hubspot = hubspot_round(&running, &tokens.1, round, at_hubspot).await;
            at_salesforce = salesforce_round(&running, &tokens.0, round, at_salesforce).await;
        }
        running.program.kill();
        running = Running::start(&state);

        let id = at_salesforce.as_ref().map(|promise| promise.id.clone()).or(ids[0].clone()).expect("an id");
        let url = format!("{}/services/data/v62.0/sobjects/Account/{id}", running.salesforce);
        let (status, answer) = running.ask(Method::GET, &tokens.0, url, &json!({})).await;
        match &at_salesforce {
            Some(promise) => assert_eq!((status, answer["Name"].as_str()), (200, Some(promise.name.as_str()))),
            None => assert_eq!(status, 404, "round {round}: deleted, and there again"),
        }
        let id = at_hubspot.as_ref().map(|promise| promise.id.clone()).or(ids[1].clone()).expect("an id");
        let url = format!("{}/crm/v3/objects/companies/{id}?properties=name", running.hubspot);
        let (status, answer) = running.ask(Method::GET, &tokens.1, url, &json!({})).await;
        match &at_hubspot {
            Some(promise) => {
                assert_eq!((status, answer["properties"]["name"].as_str()), (200, Some(promise.name.as_str())));
            }
            None => assert_eq!(status, 404, "round {round}: archived, and there again"),
        }
    }
}
