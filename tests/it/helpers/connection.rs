//! Connections to the simulated CRMs, their runs, and whether both sides agree.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use crosstie::clock::Clock;
use crosstie::connectors::TokenGrant;
use crosstie::engine::tokens::store_grant;
use crosstie::model::{Entity, FieldKind, Provider, SyncDirection, app_field};
use crosstie::service::runs;
use crosstie::sync::{default_mappings, same_meaning};
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{CrmRecord, Simulator, TestApp};

/// How often a run may wait for a time before a test gives up on it.
const MOST_WAITS: usize = 200;

/// A run that a test has followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run (`job_id` in the API).
    pub id: Uuid,
    /// Its state as stored.
    pub state: String,
    /// Code of what stopped it.
    pub error_code: Option<String>,
    /// Sentence of what stopped it.
    pub error: Option<String>,
}

impl Run {
    /// Asserts the state; gives the run back.
    pub fn expect_state(self, state: &str) -> Self {
        assert_eq!(self.state, state, "{self:?}");
        self
    }
}

/// A CRM's object of an entity.
pub fn object(provider: Provider, entity: Entity) -> &'static str {
    match (provider, entity) {
        (Provider::Salesforce, Entity::Account) => "Account",
        (Provider::Salesforce, Entity::Contact) => "Contact",
        (Provider::Salesforce, Entity::Opportunity) => "Opportunity",
        (Provider::Hubspot, Entity::Account) => "companies",
        (Provider::Hubspot, Entity::Contact) => "contacts",
        (Provider::Hubspot, Entity::Opportunity) => "deals",
    }
}

impl TestApp {
    /// Connects the first workspace with the simulated Salesforce: accounts and contacts, default mappings, two-way, hourly.
    /// Returns the connection's id.
    pub async fn connect_salesforce(&self) -> Uuid {
        self.connect(Provider::Salesforce).await
    }

    /// The same with the simulated HubSpot.
    pub async fn connect_hubspot(&self) -> Uuid {
        self.connect(Provider::Hubspot).await
    }

    /// The simulated CRM.
    pub fn simulator_of(&self, provider: Provider) -> &Simulator {
        match provider {
            Provider::Salesforce => &self.simulator,
            Provider::Hubspot => &self.hubspot,
        }
    }

    async fn connect(&self, provider: Provider) -> Uuid {
        let config_id = self.services.rng.uuid();
        let grant = self.grant(provider).await;
        let mut tx = self.services.begin_as_system(self.workspace_id).await.expect("a transaction");
        let now = tx.now();
        sqlx::query(
            "INSERT INTO crm_sync_configs (workspace_id, id, crm_provider, environment, oauth_login_url, created_at, updated_at)
             VALUES ($1, $2, $5, 'simulator', $3, $4, $4)",
        )
        .bind(self.workspace_id)
        .bind(config_id)
        .bind(&self.simulator_of(provider).url)
        .bind(now)
        .bind(provider.as_str())
        .execute(tx.connection())
        .await
        .expect("a connection");
        for entity in Entity::ALL.iter().copied() {
            for mapping in default_mappings(provider, entity) {
                sqlx::query(
                    "INSERT INTO crm_field_mappings (workspace_id, id, config_id, entity_type, crm_field, app_field,
                       sync_direction, transform_function, created_at, updated_at, value_map)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)",
                )
                .bind(self.workspace_id)
                .bind(self.services.rng.uuid())
                .bind(config_id)
                .bind(entity.as_str())
                .bind(mapping.crm_field)
                .bind(mapping.app_field)
                .bind(mapping.direction.as_str())
                .bind(mapping.transform)
                .bind(now)
                .bind(mapping.value_pairs().map(|pairs| json!(pairs)))
                .execute(tx.connection())
                .await
                .expect("a mapping");
            }
        }
        store_grant(&mut tx, &self.services.vault, self.services.rng.as_ref(), config_id, &grant)
            .await
            .expect("tokens");
        tx.commit().await.expect("a commit");
        config_id
    }

    /// A new sign-in of the only connection with Salesforce, as after "Reconnect".
    pub async fn sign_in_again(&self) {
        self.sign_in_again_to(Provider::Salesforce, self.config_id().await).await;
    }

    /// A new sign-in of a connection, as after "Reconnect".
    pub async fn sign_in_again_to(&self, provider: Provider, config_id: Uuid) {
        let grant = self.grant(provider).await;
        let mut tx = self.services.begin_as_system(self.workspace_id).await.expect("a transaction");
        store_grant(&mut tx, &self.services.vault, self.services.rng.as_ref(), config_id, &grant)
            .await
            .expect("tokens");
        tx.commit().await.expect("a commit");
        self.as_superuser(&format!("UPDATE crm_sync_configs SET status = 'connected' WHERE id = '{config_id}'")).await;
    }

    async fn grant(&self, provider: Provider) -> TokenGrant {
        let simulator = self.simulator_of(provider);
        let token = simulator.control("token", json!({})).await;
        let text = |name: &str| token[name].as_str().expect("a member of the token answer").to_owned();
        TokenGrant {
            access_token: text("access_token").into(),
            refresh_token: Some(text("refresh_token").into()),
            instance_url: simulator.url.clone(),
            expires_in_s: None,
            scope: String::new(),
        }
    }

    /// The first workspace's connection.
    pub async fn config_id(&self) -> Uuid {
        let row =
            self.row(&format!("SELECT id FROM crm_sync_configs WHERE workspace_id = '{}'", self.workspace_id)).await;
        row["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
    }

    /// A whole run of one of several connections.
    pub async fn sync_of(&self, config_id: Uuid) -> Run {
        let admin = self.admin().await;
        let run = runs::trigger(&self.services, admin, config_id, None, None, false).await.expect("a run");
        self.finish(run.job_id).await
    }

    /// Changes columns of the connection, past the rules of its screens: `set_config("conflict_resolution = 'crm_wins'")`.
    pub async fn set_config(&self, assignments: &str) {
        let config_id = self.config_id().await;
        self.as_superuser(&format!("UPDATE crm_sync_configs SET {assignments} WHERE id = '{config_id}'")).await;
    }

    /// A whole run as an admin asks for it, with the connection's direction and entities.
    pub async fn sync(&self) -> Run {
        let id = self.trigger(None).await;
        self.finish(id).await
    }

    /// The same in one direction only.
    pub async fn sync_only(&self, direction: SyncDirection) -> Run {
        let id = self.trigger(Some(direction)).await;
        self.finish(id).await
    }

    /// Asks for a run and returns its id; nothing is worked on yet.
    pub async fn trigger(&self, direction: Option<SyncDirection>) -> Uuid {
        let config_id = self.config_id().await;
        let admin = self.admin().await;
        runs::trigger(&self.services, admin, config_id, direction, None, false).await.expect("a run").job_id
    }

    /// Works until a run is over or held, and moves the clock on where it waits for a time.
    pub async fn finish(&self, run_id: Uuid) -> Run {
        for _ in 0..MOST_WAITS {
            self.work().await;
            let run = self.run(run_id).await;
            if !matches!(run.state.as_str(), "queued" | "running") {
                return run;
            }
            let waits = self.row("SELECT min(run_at) AS until FROM jobs WHERE state = 'queued'").await;
            let until = waits["until"].as_str().unwrap_or_else(|| panic!("nothing works on {run:?}"));
            let until: DateTime<Utc> = until.parse().expect("an instant");
            self.advance(until - self.clock.now());
        }
        panic!("the run does not end: {:?}", self.run(run_id).await);
    }

    /// A run as stored.
    pub async fn run(&self, run_id: Uuid) -> Run {
        let row = self
            .row(&format!("SELECT state, error_code, error_message FROM crm_sync_runs WHERE id = '{run_id}'"))
            .await;
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Run {
            id: run_id,
            state: text("state").expect("a state"),
            error_code: text("error_code"),
            error: text("error_message"),
        }
    }

    /// The logs of a run by entity and direction: `("account", "pull")` → the row.
    pub async fn logs(&self, run_id: Uuid) -> HashMap<(String, String), Json> {
        let rows = self.rows(&format!("SELECT * FROM crm_sync_logs WHERE run_id = '{run_id}'")).await;
        let text = |row: &Json, name: &str| row[name].as_str().expect("text").to_owned();
        rows.into_iter().map(|row| ((text(&row, "entity_type"), text(&row, "sync_direction")), row)).collect()
    }

    /// Asserts that every two-way field of every linked record means the same on both sides, of every connection.
    pub async fn assert_agreement(&self) {
        let query =
            format!("SELECT id, crm_provider FROM crm_sync_configs WHERE workspace_id = '{}'", self.workspace_id);
        for config in self.rows(&query).await {
            let text = |name: &str| config[name].as_str().expect("text");
            let provider = text("crm_provider").parse().expect("a CRM");
            self.assert_agreement_of(text("id").parse().expect("an id"), provider).await;
        }
    }

    async fn assert_agreement_of(&self, config_id: Uuid, provider: Provider) {
        let links = self
            .rows(&format!(
                "SELECT entity_type, record_id, crm_record_id FROM crm_record_links
                                        WHERE config_id = '{config_id}' AND state = 'linked'"
            ))
            .await;
        let partner: HashMap<&str, &str> = links
            .iter()
            .filter_map(|link| Some((link["crm_record_id"].as_str()?, link["record_id"].as_str()?)))
            .collect();
        for entity in Entity::ALL.iter().copied() {
            let mappings = self.two_way(config_id, entity).await;
            let rows = self.rows(&format!("SELECT * FROM {}", entity.plural())).await;
            let rows: HashMap<&str, &Json> = rows.iter().filter_map(|row| Some((row["id"].as_str()?, row))).collect();
            let records = self.simulator_of(provider).records(object(provider, entity)).await;
            let records: HashMap<&str, &CrmRecord> =
                records.iter().map(|record| (record.id.as_str(), record)).collect();
            for link in links.iter().filter(|link| link["entity_type"] == entity.as_str()) {
                let id = |name: &str| link[name].as_str().unwrap_or_default();
                let app = rows.get(id("record_id")).unwrap_or_else(|| panic!("the app record of {link}"));
                let crm = records.get(id("crm_record_id")).unwrap_or_else(|| panic!("the CRM record of {link}"));
                for mapping in &mappings {
                    agree(entity, mapping, app, crm, &partner);
                }
            }
        }
    }

    /// Asserts that every living record on either side has a partner.
    pub async fn assert_all_linked(&self, entity: Entity) {
        let links = self
            .rows(&format!(
                "SELECT record_id, crm_record_id FROM crm_record_links
                                        WHERE entity_type = '{entity}' AND state = 'linked'"
            ))
            .await;
        let rows = self.rows(&format!("SELECT id FROM {} WHERE deleted_at IS NULL", entity.plural())).await;
        let records = self.simulator.records(object(Provider::Salesforce, entity)).await;
        assert_eq!((rows.len(), records.len()), (links.len(), links.len()), "{entity}: app, CRM and links");
    }

    async fn two_way(&self, config_id: Uuid, entity: Entity) -> Vec<Mapping> {
        let query = format!("SELECT app_field, crm_field, value_map FROM crm_field_mappings WHERE config_id = '{config_id}'
                             AND entity_type = '{entity}' AND sync_direction = 'bidirectional' AND suspended_reason IS NULL");
        let rows = self.rows(&query).await;
        let text = |row: &Json, name: &str| row[name].as_str().expect("text").to_owned();
        let mapping = |row: &Json| Mapping {
            app_field: text(row, "app_field"),
            crm_field: text(row, "crm_field"),
            pairs: row["value_map"].as_array().cloned().unwrap_or_default(),
        };
        rows.iter().map(mapping).collect()
    }
}

struct Mapping {
    app_field: String,
    crm_field: String,
    pairs: Vec<Json>,
}

/// Asserts that one field means the same on both sides. Knows the default mappings' transform, and nothing of any base.
fn agree(entity: Entity, mapping: &Mapping, app: &Json, crm: &CrmRecord, partner: &HashMap<&str, &str>) {
    let field = mapping.app_field.as_str();
    let value = match field.strip_prefix("custom.") {
        Some(key) => &app["custom"][key],
        None => &app[field],
    };
    let app_value = match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    };
    let kind = app_field(entity, field).map_or(FieldKind::Text, |field| field.kind);
    let crm_value = match kind {
        FieldKind::Reference => {
            // HubSpot's association with a company stands for the reference; nobody has more than one in these tests.
            let company = || crm.associations.get("companies")?.get(0)?.as_str().map(str::to_owned);
            let id = crm.text(&mapping.crm_field).or_else(company);
            id.map(|id| partner.get(id.as_str()).map_or(id, |id| (*id).to_owned()))
        }
        _ => crm.text(&mapping.crm_field).map(|value| {
            let pair = mapping.pairs.iter().find(|pair| pair["crm"] == value.as_str());
            pair.and_then(|pair| pair["app"].as_str()).map_or(value, str::to_owned)
        }),
    };
    let message = format!("{entity} {field}: app {app_value:?}, CRM {crm_value:?} ({} and {})", app["id"], crm.id);
    assert!(same_meaning(kind, &app_value, &crm_value), "{message}");
}
