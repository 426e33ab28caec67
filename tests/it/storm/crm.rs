//! What the storm knows of a CRM: its objects, the pairs of fields that people edit, values that they enter. One such list
//! per CRM; everything else of the storm is the same for all.

use std::collections::BTreeMap;

use crosstie::model::{Entity, FieldKind};

use super::history::{Fault, Rights};

/// A CRM as the storm sees it.
pub struct Crm {
    /// Objects by entity.
    pub object: fn(Entity) -> &'static str,
    /// The two-way mappings of an entity; the first is the name that carries the mark.
    pub fields: fn(Entity) -> &'static [Field],
    /// Operations that faults meet.
    pub operations: &'static [&'static str],
    /// Calls that a run makes per entity where nothing has changed.
    pub looks: u64,
    /// What the CRM does by itself, as its control interface takes it: sets the automatic value of a number, refuses some
    /// records. `None` where the CRM has no such rules.
    pub rules: fn(u32, bool) -> Option<serde_json::Value>,
    /// What the connected user may not do, as the control interface takes it. `None` where the CRM has no such rights.
    pub rights: fn(&BTreeMap<(Entity, &'static str), Rights>) -> Option<serde_json::Value>,
    /// Whether an edit can commit later.
    pub has_transactions: bool,
    /// A fault as the control interface takes it.
    pub fault: fn(Fault) -> serde_json::Value,
}

/// A pair of fields that are mapped both ways.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    pub app: &'static str,
    pub crm: &'static str,
    pub kind: FieldKind,
    /// What a CRM record cannot be without.
    pub required: bool,
}

const fn field(app: &'static str, crm: &'static str, kind: FieldKind) -> Field {
    Field { app, crm, kind, required: false }
}

const fn required(app: &'static str, crm: &'static str, kind: FieldKind) -> Field {
    Field { app, crm, kind, required: true }
}

const ACCOUNT: &[Field] = &[
    required("name", "Name", FieldKind::Text),
    field("phone", "Phone", FieldKind::Phone),
    field("domain", "Website", FieldKind::Domain),
    field("industry", "Industry", FieldKind::Choice),
    field("employee_count", "NumberOfEmployees", FieldKind::Number),
    field("annual_revenue", "AnnualRevenue", FieldKind::Money),
    field("billing_city", "BillingCity", FieldKind::Text),
    field("description", "Description", FieldKind::LongText),
];

const CONTACT: &[Field] = &[
    required("last_name", "LastName", FieldKind::Text),
    field("first_name", "FirstName", FieldKind::Text),
    field("email", "Email", FieldKind::Email),
    field("title", "Title", FieldKind::Text),
    field("mobile_phone", "MobilePhone", FieldKind::Phone),
    field("account_id", "AccountId", FieldKind::Reference),
];

const OPPORTUNITY: &[Field] = &[
    required("name", "Name", FieldKind::Text),
    field("amount", "Amount", FieldKind::Money),
    required("stage", "StageName", FieldKind::Choice),
    required("close_date", "CloseDate", FieldKind::Date),
    field("description", "Description", FieldKind::LongText),
    field("account_id", "AccountId", FieldKind::Reference),
];

/// The simulated Salesforce.
pub const SALESFORCE: Crm = Crm {
    object: |entity| match entity {
        Entity::Account => "Account",
        Entity::Contact => "Contact",
        Entity::Opportunity => "Opportunity",
    },
    fields: |entity| match entity {
        Entity::Account => ACCOUNT,
        Entity::Contact => CONTACT,
        Entity::Opportunity => OPPORTUNITY,
    },
    operations: &["query", "deleted", "composite", "collections_upsert", "collections_delete", "describe", "token"],
    looks: 2,
    rules: |automation, refuses| Some(rules(automation, refuses)),
    rights: |rights| {
        let of = |wanted: Rights| -> Vec<String> {
            let fields = rights.iter().filter(|(_, rights)| **rights == wanted);
            fields.map(|((entity, field), _)| format!("{}.{field}", (SALESFORCE.object)(*entity))).collect()
        };
        Some(serde_json::json!({ "hidden": of(Rights::None), "readOnly": of(Rights::Read) }))
    },
    has_transactions: true,
    fault: |fault| match fault {
        Fault::Reset => serde_json::json!({ "fault": "reset" }),
        Fault::LostResponse => serde_json::json!({ "fault": "lost_response" }),
        Fault::RateLimit => serde_json::json!({ "fault": "rate_limit" }),
        Fault::Unavailable => serde_json::json!({ "fault": "status", "status": 503 }),
        Fault::Garbage => serde_json::json!({ "fault": "garbage" }),
        Fault::RowLock => serde_json::json!({ "fault": "status", "status": 400, "code": "UNABLE_TO_LOCK_ROW",
                                              "message": "unable to obtain exclusive access to this record" }),
    },
};

/// Rules of the simulated Salesforce: an automation that overwrites a text where another ends in a digit, another that does
/// so wherever a deal is at a stage, and a refusal of some texts.
fn rules(automation: u32, refuses: bool) -> serde_json::Value {
    let (digit, text) = (automation % 10, automatic(automation));
    let automation = match automation {
        0 => serde_json::json!([]),
        _ => serde_json::json!([
            { "object": "Account", "when": format!("Phone LIKE '%{digit}'"), "set": { "Description": text } },
            { "object": "Contact", "when": format!("FirstName LIKE '%{digit}'"), "set": { "Title": text } },
            { "object": "Opportunity", "when": "StageName = 'Qualification'", "set": { "Description": text } },
        ]),
    };
    let validation = match refuses {
        false => serde_json::json!([]),
        true => serde_json::json!([
            { "object": "Account", "when": "BillingCity LIKE '%3'", "message": "No such city.", "field": "BillingCity" },
            { "object": "Contact", "when": "FirstName LIKE '%3'", "message": "No such name.", "field": "FirstName" },
        ]),
    };
    serde_json::json!({ "automation": automation, "validation": validation })
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

/// A value of this kind that no other number makes (choices but for a few).
pub fn value(kind: FieldKind, serial: u32) -> String {
    const STAGES: [&str; 5] = ["Prospecting", "Qualification", "Needs Analysis", "Proposal/Price Quote", "Closed Won"];
    match kind {
        FieldKind::Phone => format!("+44 20 {:06}", serial),
        FieldKind::Domain => format!("host{serial}.example"),
        FieldKind::Email => format!("someone.{serial}@people.example"),
        FieldKind::Number | FieldKind::Money => (1000 + serial).to_string(),
        FieldKind::Date => {
            let day = chrono::NaiveDate::from_ymd_opt(2026, 1, 1).unwrap_or_default();
            (day + chrono::Days::new(u64::from(serial))).to_string()
        }
        FieldKind::Choice => STAGES[serial as usize % STAGES.len()].to_owned(),
        FieldKind::LongText => format!("first line {serial}\nsecond line {serial}"),
        _ => format!("text {serial}"),
    }
}
