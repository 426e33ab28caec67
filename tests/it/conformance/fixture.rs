//! A CRM, its connector and a session; the names by which its world is known.

use std::sync::Arc;

use chrono::TimeDelta;
use crosstie::clock::ManualClock;
use crosstie::connectors::hubspot::{API_VERSION, HubspotConnector};
use crosstie::connectors::salesforce::SalesforceConnector;
use crosstie::connectors::{
    CallMeter, Connector, ConnectorError, CrmRecord, EntityDescription, HttpSettings, OAuthSettings, ReadWindow,
    RecordWrite, Session, WriteKind, WriteOutcome,
};
use crosstie::model::{Entity, RecordRefusal};
use crosstie::simulator::SimulatorOptions;
use crosstie::sync::{Record, Value};
use serde_json::{Value as Json, json};

use crate::helpers::{Simulator, beginning};

/// How one CRM calls what every CRM has.
#[derive(Debug)]
pub struct Names {
    /// Objects of accounts, contacts and opportunities.
    pub objects: [&'static str; 3],
    /// Fields of an account: name, phone, number of employees, and one of a list with two of its values.
    pub name: &'static str,
    pub phone: &'static str,
    pub employees: &'static str,
    pub choice: (&'static str, &'static str, &'static str),
    /// Fields of a contact: name, e-mail, the account.
    pub last_name: &'static str,
    pub email: &'static str,
    pub account: &'static str,
    /// The field of an account that names its owner.
    pub owner: &'static str,
    /// A field that is only read.
    pub read_only: &'static str,
    /// A field without which no opportunity is made.
    pub required: &'static str,
    /// Values of every kind: entity, field, as written, as read.
    pub samples: &'static [(Entity, &'static str, &'static str, &'static str)],
    /// How a number that is none is refused: Crosstie's code, and the fields that it names.
    pub no_number: (&'static str, &'static [&'static str]),
    /// What a write ends as that the CRM's gateway answered: some say that nothing was done.
    pub gateway: &'static str,
    /// Which limit it is that the simulator's fault is about.
    pub limit: &'static str,
    /// Operations that the simulator counts: reading changes, updating, creating.
    pub operations: (&'static str, &'static str, &'static str),
}

const SALESFORCE: Names = Names {
    objects: ["Account", "Contact", "Opportunity"],
    name: "Name",
    phone: "Phone",
    employees: "NumberOfEmployees",
    choice: ("Industry", "Energy", "Media"),
    last_name: "LastName",
    email: "Email",
    account: "AccountId",
    owner: "OwnerId",
    read_only: "CreatedDate",
    required: "StageName",
    samples: &[
        (Entity::Account, "Name", "Müller & Söhne \"O'Neil\" \\ 😀 Ltd", "Müller & Söhne \"O'Neil\" \\ 😀 Ltd"),
        (Entity::Account, "Description", "Two\nlines; and more", "Two\nlines; and more"),
        (Entity::Account, "AnnualRevenue", "123456789012345678", "123456789012345678"),
        (Entity::Account, "Industry", "Energy", "Energy"),
        (Entity::Contact, "Birthdate", "1980-02-29", "1980-02-29"),
        (Entity::Contact, "EmailBouncedDate", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000+0000"),
        (Entity::Opportunity, "IsPrivate", "true", "true"),
        (Entity::Opportunity, "Amount", "12.6", "12.6"),
    ],
    no_number: ("rejected", &[]),
    gateway: "transient",
    limit: "daily",
    operations: ("query", "composite", "collections_upsert"),
};

const HUBSPOT: Names = Names {
    objects: ["companies", "contacts", "deals"],
    name: "name",
    phone: "phone",
    employees: "numberofemployees",
    choice: ("industry", "OIL_ENERGY", "RETAIL"),
    last_name: "lastname",
    email: "email",
    account: "associatedcompanyid",
    owner: "hubspot_owner_id",
    read_only: "createdate",
    required: "dealstage",
    samples: &[
        (Entity::Account, "name", "Müller & Söhne \"O'Neil\" \\ 😀 Ltd", "Müller & Söhne \"O'Neil\" \\ 😀 Ltd"),
        (Entity::Account, "description", "Two\nlines; and more", "Two\nlines; and more"),
        (Entity::Account, "annualrevenue", "123456789012345678.9", "123456789012345678.9"),
        (Entity::Account, "industry", "OIL_ENERGY", "OIL_ENERGY"),
        (Entity::Account, "hs_is_target_account", "true", "true"),
        (Entity::Account, "closedate", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00.000Z"),
        (Entity::Contact, "hs_buying_role", "CHAMPION;END_USER", "CHAMPION;END_USER"),
        (Entity::Opportunity, "amount", "12.6", "12.6"),
    ],
    no_number: ("wrong_type", &["numberofemployees"]),
    gateway: "unknown",
    limit: "limited",
    operations: ("search", "batch_update", "batch_create"),
};

/// A CRM with its connector and a session.
pub struct Fixture {
    pub connector: Arc<dyn Connector>,
    pub simulator: Simulator,
    pub session: Session,
    pub names: &'static Names,
    pub clock: Arc<ManualClock>,
}

impl Fixture {
    /// Salesforce, empty.
    pub async fn salesforce() -> Self {
        let (clock, http, options) = ground();
        let simulator = Simulator::start(&options, clock.clone(), http).await;
        let connector = SalesforceConnector::new(HttpSettings::default(), clock.clone()).expect("a connector");
        Self::new(Arc::new(connector), simulator, &SALESFORCE, clock).await
    }

    /// HubSpot, empty.
    pub async fn hubspot() -> Self {
        let (clock, http, options) = ground();
        let simulator = Simulator::start_hubspot(&options, clock.clone(), http).await;
        let connector =
            HubspotConnector::new(HttpSettings::default(), clock.clone(), API_VERSION).expect("a connector");
        Self::new(Arc::new(connector), simulator, &HUBSPOT, clock).await
    }

    async fn new(
        connector: Arc<dyn Connector>,
        simulator: Simulator,
        names: &'static Names,
        clock: Arc<ManualClock>,
    ) -> Self {
        let token = simulator.control("token", json!({})).await;
        let session = Session {
            instance_url: simulator.url.clone(),
            access_token: token["access_token"].as_str().expect("a token").to_owned().into(),
            client: client(&simulator.url),
            meter: Arc::new(CallMeter::default()),
            pace: None,
        };
        Fixture { connector, simulator, session, names, clock }
    }

    /// The same connector in another process, as far as it can tell.
    pub fn another_connector(&self) -> Arc<dyn Connector> {
        let (settings, clock) = (HttpSettings::default(), self.clock.clone());
        match self.connector.provider() {
            crosstie::model::Provider::Salesforce => {
                Arc::new(SalesforceConnector::new(settings, clock).expect("a connector"))
            }
            crosstie::model::Provider::Hubspot => {
                Arc::new(HubspotConnector::new(settings, clock, API_VERSION).expect("a connector"))
            }
        }
    }

    /// The client that the CRM knows.
    pub fn client(&self) -> OAuthSettings {
        client(&self.simulator.url)
    }

    /// The CRM's object of an entity.
    pub fn object(&self, entity: Entity) -> &'static str {
        match entity {
            Entity::Account => self.names.objects[0],
            Entity::Contact => self.names.objects[1],
            Entity::Opportunity => self.names.objects[2],
        }
    }

    /// Moves the CRM's clock on.
    pub fn minutes_pass(&self, minutes: i64) {
        self.clock.advance(TimeDelta::minutes(minutes));
    }

    /// Now, epoch milliseconds.
    pub fn now(&self) -> i64 {
        use crosstie::clock::Clock as _;
        self.clock.now().timestamp_millis()
    }

    /// A person makes an account in the CRM.
    pub async fn account(&self, name: &str) -> String {
        self.simulator.create(self.object(Entity::Account), json!({ self.names.name: name })).await
    }

    /// A person edits an account in the CRM.
    pub async fn edit(&self, id: &str, field: &str, value: Json) {
        self.simulator.edit(self.object(Entity::Account), id, json!({ field: value })).await;
    }

    /// What an entity looks like, with the external-id field where one can be made.
    pub async fn described(&self, entity: Entity) -> EntityDescription {
        self.connector.make_external_id_field(&self.session, entity).await.expect("an answer");
        self.connector.describe(&self.session, entity).await.expect("a description")
    }

    /// Every page of a window, with the number of pages.
    pub async fn read_all(&self, window: &ReadWindow) -> (Vec<CrmRecord>, usize) {
        let (mut records, mut position, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = self.connector.read(&self.session, window, position.as_deref()).await.expect("a page");
            records.extend(page.records);
            pages += 1;
            assert!(pages < 100, "the reading does not end");
            position = page.next;
            if position.is_none() {
                return (records, pages);
            }
        }
    }

    /// A window of accounts' changes with name and phone.
    pub fn window(&self, since: Option<i64>) -> ReadWindow {
        let fields = vec![self.names.name.to_owned(), self.names.phone.to_owned()];
        ReadWindow { entity: Entity::Account, fields, since, filter: None }
    }

    /// One account by id.
    pub async fn by_id(&self, id: &str) -> CrmRecord {
        let mut found = self.read(Entity::Account, &[self.names.name, self.names.phone], &[id.to_owned()]).await;
        assert_eq!(found.len(), 1, "{id}");
        found.remove(0)
    }

    /// Records by id.
    pub async fn read(&self, entity: Entity, fields: &[&str], ids: &[String]) -> Vec<CrmRecord> {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        self.connector.read_by_id(&self.session, entity, &fields, ids).await.expect("records")
    }

    /// Writes, and gives the outcomes. As in a run, a batch that is refused whole is halved.
    pub async fn write(&self, entity: Entity, writes: &[RecordWrite]) -> Vec<WriteOutcome> {
        let description = self.described(entity).await;
        let mut outcomes = Vec::with_capacity(writes.len());
        let mut waiting = vec![writes];
        while let Some(part) = waiting.pop() {
            match self.connector.write(&self.session, &description, part).await {
                Err(ConnectorError::Rejected { .. }) if part.len() > 1 => {
                    let (first, rest) = part.split_at(part.len() / 2);
                    waiting.extend([rest, first]);
                }
                Err(ConnectorError::Rejected { crm_code }) => outcomes.push(rejected(crm_code)),
                answer => outcomes.extend(answer.expect("outcomes")),
            }
        }
        outcomes
    }

    /// Creates a record that must be taken; gives its id.
    pub async fn created(&self, entity: Entity, external_id: &str, fields: &[(&str, &str)]) -> String {
        let outcome = self.write(entity, &[create(external_id, fields)]).await.remove(0);
        let WriteOutcome::Done { crm_id, created: true, .. } = outcome else { panic!("a new record: {outcome:?}") };
        crm_id
    }
}

/// What becomes of a record that is refused by itself, but as a whole request.
fn rejected(crm_code: String) -> WriteOutcome {
    WriteOutcome::Refused(RecordRefusal {
        code: "rejected".to_owned(),
        crm_code,
        message: "The record was refused.".to_owned(),
        fields: Vec::new(),
        retryable: true,
    })
}

fn ground() -> (Arc<ManualClock>, reqwest::Client, SimulatorOptions) {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build();
    let options =
        SimulatorOptions { seed: 1, accounts: 0, contacts: 0, opportunities: 0, state_dir: None, no_limits: true };
    (Arc::new(ManualClock::new(beginning())), http.expect("a client"), options)
}

fn client(url: &str) -> OAuthSettings {
    OAuthSettings {
        client_id: "crosstie-demo".to_owned(),
        client_secret: "crosstie-demo-secret".to_owned().into(),
        login_url: url.to_owned(),
        api_url: url.to_owned(),
        redirect_url: "http://127.0.0.1:9/oauth/callback".to_owned(),
    }
}

/// A value.
pub fn text(value: &str) -> Value {
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

/// Values by field; an empty text is none.
pub fn record(fields: &[(&str, &str)]) -> Record {
    fields.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
}

/// An update that merged `merged`.
pub fn update(id: &str, merged: &[(&str, &str)], fields: &[(&str, &str)]) -> RecordWrite {
    let kind = WriteKind::Update { crm_id: id.to_owned(), merged: record(merged) };
    RecordWrite { kind, fields: record(fields) }
}

/// A create.
pub fn create(external_id: &str, fields: &[(&str, &str)]) -> RecordWrite {
    let kind = WriteKind::Create { external_id: Some(external_id.to_owned()) };
    RecordWrite { kind, fields: record(fields) }
}
