//! What the storm knows of the CRMs: the pairs of fields that people edit, values that they enter, what goes wrong there.
//! Everything else of the storm is the same for all.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeZone};
use crosstie::model::{Entity, FieldKind, Provider};
use crosstie::sync::default_mappings;
use serde_json::{Value as Json, json};

use super::history::{Fault, Rights};
use crate::helpers::CrmRecord;

/// Zone of the simulated HubSpot account.
pub const HUBSPOT_ZONE: chrono_tz::Tz = chrono_tz::Europe::London;

/// A CRM as the storm sees it.
pub struct Crm {
    /// Operations that faults meet.
    pub operations: &'static [&'static str],
    /// Calls that a run makes per entity where nothing has changed.
    pub looks: u64,
}

/// What the storm knows of a CRM.
pub fn crm(provider: Provider) -> &'static Crm {
    match provider {
        Provider::Salesforce => &SALESFORCE,
        Provider::Hubspot => &HUBSPOT,
    }
}

const SALESFORCE: Crm = Crm {
    operations: &["query", "deleted", "composite", "collections_upsert", "collections_delete", "describe", "token"],
    looks: 2,
};

const HUBSPOT: Crm = Crm {
    operations: &[
        "search",
        "list",
        "batch_read",
        "batch_create",
        "batch_update",
        "batch_archive",
        "associations_read",
        "associations_write",
        "properties",
        "token",
    ],
    looks: 4,
};

/// A field that is mapped both ways in every CRM.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub app: &'static str,
    pub kind: FieldKind,
    /// What a CRM record cannot be without.
    pub required: bool,
}

const fn field(app: &'static str, kind: FieldKind) -> Field {
    Field { app, kind, required: false }
}

const fn required(app: &'static str, kind: FieldKind) -> Field {
    Field { app, kind, required: true }
}

const ACCOUNT: &[Field] = &[
    required("name", FieldKind::Text),
    field("phone", FieldKind::Phone),
    field("domain", FieldKind::Domain),
    field("industry", FieldKind::Choice),
    field("employee_count", FieldKind::Number),
    field("annual_revenue", FieldKind::Money),
    field("billing_city", FieldKind::Text),
    field("description", FieldKind::LongText),
];

const CONTACT: &[Field] = &[
    required("last_name", FieldKind::Text),
    field("first_name", FieldKind::Text),
    field("email", FieldKind::Email),
    field("title", FieldKind::Text),
    field("mobile_phone", FieldKind::Phone),
    field("account_id", FieldKind::Reference),
];

const OPPORTUNITY: &[Field] = &[
    required("name", FieldKind::Text),
    field("amount", FieldKind::Money),
    required("stage", FieldKind::Choice),
    required("close_date", FieldKind::Date),
    field("description", FieldKind::LongText),
    field("account_id", FieldKind::Reference),
];

/// The fields of an entity that people edit; the first is the name that carries the mark.
pub const fn fields(entity: Entity) -> &'static [Field] {
    match entity {
        Entity::Account => ACCOUNT,
        Entity::Contact => CONTACT,
        Entity::Opportunity => OPPORTUNITY,
    }
}

impl Field {
    /// Its API name in a CRM.
    pub fn name_in(&self, provider: Provider, entity: Entity) -> &'static str {
        self.mapping(provider, entity).crm_field
    }

    fn mapping(&self, provider: Provider, entity: Entity) -> &'static crosstie::sync::DefaultMapping {
        let mut mappings = default_mappings(provider, entity).iter();
        mappings.find(|mapping| mapping.app_field == self.app).expect("a default mapping")
    }

    /// The value of a CRM's record as the app would write it; a reference is the CRM's id.
    pub fn read(&self, provider: Provider, entity: Entity, record: &CrmRecord) -> Option<String> {
        let value = record.text(self.mapping(provider, entity).crm_field).filter(|text| !text.is_empty())?;
        Some(self.in_app_form(provider, entity, value))
    }

    /// A CRM's value as the app would write it.
    pub fn in_app_form(&self, provider: Provider, entity: Entity, value: String) -> String {
        let mapping = self.mapping(provider, entity);
        let pair = mapping.value_map.iter().find(|(crm, _)| *crm == value);
        match (self.kind, provider) {
            (FieldKind::Date, Provider::Hubspot) => {
                let instant: DateTime<chrono::Utc> = value.parse().expect("an instant");
                instant.with_timezone(&HUBSPOT_ZONE).date_naive().to_string()
            }
            _ => pair.map_or(value.clone(), |(_, app)| (*app).to_owned()),
        }
    }

    /// A value in the app's form as somebody enters it in a CRM.
    pub fn entered(&self, provider: Provider, entity: Entity, value: Option<String>) -> Json {
        let mapping = self.mapping(provider, entity);
        let Some(value) = value else { return if provider == Provider::Hubspot { json!("") } else { Json::Null } };
        match (self.kind, provider) {
            (FieldKind::Number | FieldKind::Money, Provider::Salesforce) => {
                value.parse().map_or(Json::Null, Json::Number)
            }
            (FieldKind::Date, Provider::Hubspot) => {
                let day: NaiveDate = value.parse().expect("a date");
                let start = HUBSPOT_ZONE.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest();
                json!(start.expect("a midnight").to_utc().to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
            }
            _ => json!(mapping.value_map.iter().find(|(_, app)| *app == value).map_or(value.as_str(), |(crm, _)| crm)),
        }
    }
}

/// A fault as the control interface takes it.
pub fn fault(provider: Provider, fault: Fault) -> Json {
    match (fault, provider) {
        (Fault::Reset, _) => json!({ "fault": "reset" }),
        (Fault::LostResponse, _) => json!({ "fault": "lost_response" }),
        (Fault::RateLimit, _) => json!({ "fault": "rate_limit" }),
        (Fault::Unavailable, _) => json!({ "fault": "status", "status": 503 }),
        (Fault::Garbage, _) => json!({ "fault": "garbage" }),
        (Fault::RowLock, Provider::Salesforce) => {
            json!({ "fault": "status", "status": 400, "code": "UNABLE_TO_LOCK_ROW",
                                              "message": "unable to obtain exclusive access to this record" })
        }
        (Fault::RowLock, Provider::Hubspot) => json!({ "fault": "status", "status": 423 }),
    }
}

/// What the connected user may not do in Salesforce, as the control interface takes it.
pub fn field_security(rights: &BTreeMap<(Entity, &'static str), Rights>) -> Json {
    let of = |wanted: Rights| -> Vec<String> {
        let fields = rights.iter().filter(|(_, rights)| **rights == wanted);
        let object = |entity| crate::helpers::object(Provider::Salesforce, entity);
        fields.map(|((entity, field), _)| format!("{}.{field}", object(*entity))).collect()
    };
    json!({ "hidden": of(Rights::None), "readOnly": of(Rights::Read) })
}

/// Rules of the simulated Salesforce: an automation that overwrites a text where another ends in a digit, another that does
/// so wherever a deal is at a stage, and a refusal of some texts.
pub fn rules(automation: u32, refuses: bool) -> Json {
    let (digit, text) = (automation % 10, automatic(automation));
    let automation = match automation {
        0 => json!([]),
        _ => json!([
            { "object": "Account", "when": format!("Phone LIKE '%{digit}'"), "set": { "Description": text } },
            { "object": "Contact", "when": format!("FirstName LIKE '%{digit}'"), "set": { "Title": text } },
            { "object": "Opportunity", "when": "StageName = 'Qualification'", "set": { "Description": text } },
        ]),
    };
    let validation = match refuses {
        false => json!([]),
        true => json!([
            { "object": "Account", "when": "BillingCity LIKE '%3'", "message": "No such city.", "field": "BillingCity" },
            { "object": "Contact", "when": "FirstName LIKE '%3'", "message": "No such name.", "field": "FirstName" },
        ]),
    };
    json!({ "automation": automation, "validation": validation })
}

/// What an automation writes.
fn automatic(number: u32) -> String {
    format!("automatic {number}")
}

/// Whether an automation has written a value.
pub fn is_automatic(value: &Option<String>) -> bool {
    value.as_deref().is_some_and(|text| text.starts_with("automatic "))
}

/// A name that carries a mark; `serial` of 0 is how the record is first called.
pub fn name(entity: Entity, mark: u32, serial: u32) -> String {
    let kind = match entity {
        Entity::Account => "Company",
        Entity::Contact => "Person",
        Entity::Opportunity => "Deal",
    };
    if serial == 0 { format!("{kind} {mark}") } else { format!("{kind} {mark} called {serial}") }
}

/// The mark that a name carries.
pub fn mark(name: &str) -> Option<u32> {
    name.split(' ').nth(1)?.parse().ok()
}

/// A value of this field that no other number makes (choices but for a few).
pub fn value(field: &Field, serial: u32) -> String {
    const INDUSTRIES: [&str; 5] = ["Banking", "Energy", "Media", "Retail", "Utilities"];
    const STAGES: [&str; 5] = ["Prospecting", "Qualification", "Needs Analysis", "Proposal/Price Quote", "Closed Won"];
    match field.kind {
        FieldKind::Phone => format!("+44 20 {:06}", serial),
        FieldKind::Domain => format!("host{serial}.example"),
        FieldKind::Email => format!("someone.{serial}@people.example"),
        FieldKind::Number | FieldKind::Money => (1000 + serial).to_string(),
        FieldKind::Date => {
            let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
            (day + chrono::Days::new(u64::from(serial))).to_string()
        }
        FieldKind::Choice if field.app == "industry" => INDUSTRIES[serial as usize % INDUSTRIES.len()].to_owned(),
        FieldKind::Choice => STAGES[serial as usize % STAGES.len()].to_owned(),
        FieldKind::LongText => format!("first line {serial}\nsecond line {serial}"),
        _ => format!("text {serial}"),
    }
}
