//! A simulated CRM on a loopback port, with the test's clock, and the control interface of `contract.md`, section 4.

use std::collections::BTreeMap;
use std::sync::Arc;

use crosstie::clock::{Clock, ManualClock};
use crosstie::simulator::hubspot::HubspotSimulator;
use crosstie::simulator::salesforce::SalesforceSimulator;
use crosstie::simulator::{self, SimulatorOptions};
use serde_json::{Map, Value as Json, json};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A simulated org and the way to steer it.
pub struct Simulator {
    /// Its address, without a final slash.
    pub url: String,
    pub(super) http: reqwest::Client,
    _stop: DropGuard,
}

/// A record as `/_simulator/records` tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct CrmRecord {
    /// The CRM's id.
    pub id: String,
    /// Whether it is in the recycle bin.
    pub deleted: bool,
    /// Fields by API name; empty ones may be left out.
    pub fields: Map<String, Json>,
    /// Ids of associated records by object, where the CRM associates.
    pub associations: Map<String, Json>,
}

impl CrmRecord {
    /// A field as text; `None` where it is empty.
    pub fn text(&self, field: &str) -> Option<String> {
        match self.fields.get(field) {
            None | Some(Json::Null) => None,
            Some(Json::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        }
    }
}

/// Requests that reached the CRM.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    /// All but `token`.
    pub calls: u64,
    /// Each operation by itself.
    pub by_operation: BTreeMap<String, u64>,
}

impl Stats {
    /// Requests of one operation.
    pub fn of(&self, operation: &str) -> u64 {
        self.by_operation.get(operation).copied().unwrap_or_default()
    }
}

impl Simulator {
    /// Starts a Salesforce org.
    pub async fn start(options: &SimulatorOptions, clock: Arc<ManualClock>, http: reqwest::Client) -> Self {
        let org = SalesforceSimulator::open(options, now_of(clock)).expect("an org");
        let (listener, url, stop) = place().await;
        tokio::spawn(org.serve(listener, stop.clone().cancelled_owned()));
        Simulator { url, http, _stop: stop.drop_guard() }
    }

    /// Starts a HubSpot account.
    pub async fn start_hubspot(options: &SimulatorOptions, clock: Arc<ManualClock>, http: reqwest::Client) -> Self {
        let account = HubspotSimulator::open(options, now_of(clock)).expect("an account");
        let (listener, url, stop) = place().await;
        tokio::spawn(account.serve(listener, stop.clone().cancelled_owned()));
        Simulator { url, http, _stop: stop.drop_guard() }
    }

    /// Posts to the control interface: `control("settings", json!({ "rotation": false }))`.
    pub async fn control(&self, path: &str, body: Json) -> Json {
        let refused = |refusal: String| panic!("/_simulator/{path} refused {body}: {refusal}");
        self.try_control(path, body.clone()).await.unwrap_or_else(refused)
    }

    /// The same, where it may be refused.
    pub async fn try_control(&self, path: &str, body: Json) -> Result<Json, String> {
        let request = self.http.post(format!("{}/_simulator/{path}", self.url)).json(&body);
        let response = request.send().await.expect("the simulator answers");
        let status = response.status();
        let text = response.text().await.expect("an answer");
        if !status.is_success() {
            return Err(format!("{status} {text}"));
        }
        Ok(serde_json::from_str(&text).expect("JSON"))
    }

    /// Edits as a person in the CRM would.
    pub async fn edit(&self, object: &str, id: &str, fields: Json) {
        self.control("edit", json!({ "object": object, "id": id, "fields": fields })).await;
    }

    /// Creates as a person in the CRM would; returns the id.
    pub async fn create(&self, object: &str, fields: Json) -> String {
        let made = self.control("edit", json!({ "object": object, "fields": fields })).await;
        made["id"].as_str().expect("an id").to_owned()
    }

    /// `delete`, `undelete` or `purge`, as a person in the CRM would.
    pub async fn act(&self, action: &str, object: &str, id: &str) {
        self.control("edit", json!({ "action": action, "object": object, "id": id })).await;
    }

    /// Merges `id` into `into`, as a person in the CRM would.
    pub async fn merge(&self, object: &str, id: &str, into: &str) {
        self.control("edit", json!({ "action": "merge", "object": object, "id": id, "mergeInto": into })).await;
    }

    /// Another application makes a HubSpot contact or deal belong to this company and to no other.
    pub async fn set_company(&self, object: &str, id: &str, company: Option<&str>) {
        let token = self.control("token", json!({})).await;
        let token = token["access_token"].as_str().expect("a token");
        let url = |company: &str| format!("{}/crm/v4/objects/{object}/{id}/associations/companies/{company}", self.url);
        let before = self.record(object, id).await.associations.get("companies").cloned();
        for old in before.iter().flat_map(|ids| ids.as_array().into_iter().flatten()).filter_map(Json::as_str) {
            self.http.delete(url(old)).bearer_auth(token).send().await.expect("an answer");
        }
        let Some(company) = company else { return };
        // With the type of the primary company and the one without a label (dossier 4.2).
        let types = if object == "contacts" { [1, 279] } else { [5, 341] };
        let types =
            types.map(|id| json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id })).to_vec();
        self.http.put(url(company)).bearer_auth(token).json(&types).send().await.expect("an answer");
    }

    /// Sets the faults of the next calls: `faults(json!([{ "match": { "operation": "query" }, "fault": "reset", "times": 1 }]))`.
    pub async fn faults(&self, rules: Json) {
        self.control("faults", json!({ "rules": rules })).await;
    }

    /// Takes every fault away.
    pub async fn clear_faults(&self) {
        self.faults(json!([])).await;
    }

    /// Every record of an object, those in the recycle bin too, in id order.
    pub async fn all_records(&self, object: &str) -> Vec<CrmRecord> {
        let answer = self.http.get(format!("{}/_simulator/records/{object}", self.url)).send().await;
        let text = answer.expect("the simulator answers").text().await.expect("an answer");
        text.lines()
            .map(|line| {
                let record: Json = serde_json::from_str(line).expect("a record");
                CrmRecord {
                    id: record["id"].as_str().expect("an id").to_owned(),
                    deleted: record["deleted"] == true,
                    fields: record["fields"].as_object().cloned().unwrap_or_default(),
                    associations: record["associations"].as_object().cloned().unwrap_or_default(),
                }
            })
            .collect()
    }

    /// The living records of an object in id order.
    pub async fn records(&self, object: &str) -> Vec<CrmRecord> {
        self.all_records(object).await.into_iter().filter(|record| !record.deleted).collect()
    }

    /// One record, in the recycle bin or not.
    pub async fn record(&self, object: &str, id: &str) -> CrmRecord {
        let found = self.all_records(object).await.into_iter().find(|record| record.id == id);
        found.unwrap_or_else(|| panic!("the org has no {object} {id}"))
    }

    /// The living record whose field has this value.
    pub async fn find(&self, object: &str, field: &str, value: &str) -> CrmRecord {
        let mut found: Vec<CrmRecord> = self.records(object).await;
        found.retain(|record| record.text(field).as_deref() == Some(value));
        assert_eq!(found.len(), 1, "{object} with {field} = {value}");
        found.remove(0)
    }

    /// Requests since the start or the last [`Simulator::clear_stats`].
    pub async fn stats(&self) -> Stats {
        let answer = self.http.get(format!("{}/_simulator/stats", self.url)).send().await;
        let stats: Json = answer.expect("the simulator answers").json().await.expect("JSON");
        let by_operation = stats["byOperation"].as_object().expect("operations").iter();
        Stats {
            calls: stats["calls"].as_u64().expect("a count"),
            by_operation: by_operation
                .map(|(name, count)| (name.clone(), count.as_u64().unwrap_or_default()))
                .collect(),
        }
    }

    /// Sets the statistics to zero.
    pub async fn clear_stats(&self) {
        let answer = self.http.delete(format!("{}/_simulator/stats", self.url)).send().await;
        assert!(answer.expect("the simulator answers").status().is_success());
    }
}

fn now_of(clock: Arc<ManualClock>) -> simulator::Clock {
    Arc::new(move || clock.now().timestamp_millis())
}

async fn place() -> (TcpListener, String, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    (listener, url, CancellationToken::new())
}
