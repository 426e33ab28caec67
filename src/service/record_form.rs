//! The record form: every field as text, of which only what was changed is written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Number, Value};
use uuid::Uuid;

use super::record_page::{AccountNames, plain};
use super::{FieldProblem, ServiceError, Services, Viewer, records as edits};
use crate::model::{Capability, Entity, FieldKind, app_field, app_fields};
use crate::store::record_evidence::{self, AccountName};
use crate::store::records::{self, StoredRecord};
use crate::store::{StoreError, WorkspaceTx};
use crate::view::record_page::FormField;
use crate::view::records::Record;

const MOST_CHOICES: i64 = 50;
const MOST_NAMESAKES: i64 = 20;

/// The empty form of a new record.
pub fn empty(viewer: &Viewer, entity: Entity) -> Result<Vec<FormField>, ServiceError> {
    viewer.require(Capability::EditRecords)?;
    Ok(fields_of(entity, None, &AccountNames::new()))
}

/// Accounts to choose from, as they are written into the form: at most 50, by name.
pub async fn account_choices(services: &Services, viewer: &Viewer, text: &str) -> Result<Vec<String>, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let found = record_evidence::search_accounts(&mut tx, text.trim(), MOST_CHOICES).await?;
    tx.commit().await?;
    Ok(found.iter().map(choice).collect())
}

/// Makes a record of what was typed.
pub async fn create(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    typed: &BTreeMap<String, String>,
) -> Result<Record, ServiceError> {
    viewer.require(Capability::EditRecords)?;
    let mut tx = services.begin(viewer).await?;
    let fields = read(&mut tx, entity, typed, None).await?;
    tx.commit().await?;
    edits::create(services, viewer, entity, &fields).await
}

/// Writes what was typed over the version that the form showed; only what differs from it.
pub async fn save(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    version: &str,
    typed: &BTreeMap<String, String>,
) -> Result<Record, ServiceError> {
    viewer.require(Capability::EditRecords)?;
    let mut tx = services.begin(viewer).await?;
    let shown = records::find(&mut tx, entity, id).await?.ok_or_else(|| ServiceError::not_found("record"))?;
    let fields = read(&mut tx, entity, typed, Some(&shown)).await?;
    tx.commit().await?;
    edits::update_version(services, viewer, entity, id, &fields, Some(version)).await
}

/// What a form names so that it overwrites nothing unseen.
pub(super) fn version_of(record: &StoredRecord) -> String {
    version_at(record.updated_at)
}

fn version_at(at: DateTime<Utc>) -> String {
    at.timestamp_micros().to_string()
}

/// Every field as it is typed.
pub(super) fn fields_of(entity: Entity, record: Option<&StoredRecord>, names: &AccountNames) -> Vec<FormField> {
    let known = app_fields(entity).iter().map(|field| FormField {
        name: field.name.to_owned(),
        label: field.label.to_owned(),
        kind: field.kind,
        value: record.map(|record| typed_form(field.kind, record.fields.get(field.name), names)).unwrap_or_default(),
        required: field.required,
    });
    let custom = record.into_iter().flat_map(|record| &record.fields).filter(|(name, _)| name.starts_with("custom."));
    let custom = custom.map(|(name, value)| FormField {
        name: name.clone(),
        label: name.clone(),
        kind: FieldKind::LongText,
        value: typed_form(FieldKind::LongText, Some(value), names),
        required: false,
    });
    known.chain(custom).collect()
}

fn typed_form(kind: FieldKind, value: Option<&Value>, names: &AccountNames) -> String {
    let text = value.and_then(plain).unwrap_or_default();
    match kind {
        FieldKind::Reference => names.get(&text).map_or(text, choice),
        _ => text.replace("\r\n", "\n"),
    }
}

/// An account as a person finds it in a list: with its domain, else with the beginning of its id.
fn choice(account: &AccountName) -> String {
    match account.domain.as_deref().filter(|domain| !domain.is_empty()) {
        Some(domain) => format!("{} · {domain}", account.name),
        None => format!("{} · {}", account.name, &account.id.to_string()[..8]),
    }
}

/// Typed text as values of their kinds; what is as the form showed it is left out.
async fn read(
    tx: &mut WorkspaceTx,
    entity: Entity,
    typed: &BTreeMap<String, String>,
    shown: Option<&StoredRecord>,
) -> Result<Map<String, Value>, ServiceError> {
    let names = shown_names(tx, shown).await?;
    let mut fields = Map::new();
    let mut problems = Vec::new();
    for (name, text) in typed {
        let text = text.replace("\r\n", "\n");
        let before = shown.and_then(|record| record.fields.get(name));
        let kind = app_field(entity, name).map_or(FieldKind::LongText, |field| field.kind);
        if shown.is_some() && text == typed_form(kind, before, &names) {
            continue;
        }
        let value = match kind {
            _ if text.trim().is_empty() => Ok(Value::Null),
            FieldKind::Reference => chosen_account(tx, text.trim()).await?,
            FieldKind::Number | FieldKind::Money | FieldKind::Percent => number(&text),
            _ => Ok(as_before(before, text)),
        };
        match value {
            Ok(value) => {
                fields.insert(name.clone(), value);
            }
            Err(message) => problems.push(FieldProblem { field: name.clone(), message }),
        }
    }
    if problems.is_empty() { Ok(fields) } else { Err(ServiceError::invalid_fields(problems)) }
}

async fn shown_names(tx: &mut WorkspaceTx, shown: Option<&StoredRecord>) -> Result<AccountNames, StoreError> {
    let id = shown.and_then(|record| record.fields.get("account_id")?.as_str()?.parse().ok());
    let accounts = record_evidence::account_names(tx, id.as_slice()).await?;
    Ok(accounts.into_iter().map(|account| (account.id.to_string(), account)).collect())
}

/// A key of custom keeps its type where the text still is one of it.
fn as_before(before: Option<&Value>, text: String) -> Value {
    match before {
        Some(Value::Number(_)) => number(&text).unwrap_or(Value::String(text)),
        Some(Value::Bool(_)) if text.trim() == "true" => Value::Bool(true),
        Some(Value::Bool(_)) if text.trim() == "false" => Value::Bool(false),
        _ => Value::String(text),
    }
}

fn number(text: &str) -> Result<Value, String> {
    let digits: String = text.chars().filter(|letter| !letter.is_whitespace() && *letter != ',').collect();
    digits.parse::<Number>().map(Value::Number).map_err(|_| "Write a number such as 48200000.10.".to_owned())
}

async fn chosen_account(tx: &mut WorkspaceTx, text: &str) -> Result<Result<Value, String>, StoreError> {
    if text.parse::<Uuid>().is_ok() {
        return Ok(Ok(Value::String(text.to_owned())));
    }
    let name = text.rsplit_once(" · ").map_or(text, |(name, _)| name);
    let mut found = record_evidence::accounts_named(tx, name, MOST_NAMESAKES).await?;
    if found.is_empty() && name != text {
        found = record_evidence::accounts_named(tx, text, MOST_NAMESAKES).await?;
    }
    if let Some(exact) = only(found.iter().filter(|account| choice(account) == text)) {
        return Ok(Ok(Value::String(exact.id.to_string())));
    }
    Ok(match (only(found.iter()), found.is_empty()) {
        (Some(account), _) => Ok(Value::String(account.id.to_string())),
        (None, true) => Err(format!("There is no account named {name}. Choose one from the list.")),
        (None, false) => Err(format!("Several accounts are named {name}. Choose one from the list, or give its id.")),
    })
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    let first = items.next()?;
    items.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_with_and_without_separators() {
        for (text, digits) in [("48,200,000.10", "48200000.10"), (" 12 ", "12"), ("-0.5", "-0.5")] {
            assert_eq!(number(text).expect("a number").to_string(), digits);
        }
        for text in ["twelve", "1.2.3", "0x10", "٣"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_of_custom_keeps_its_type() {
        assert_eq!(as_before(Some(&json!(true)), "false".to_owned()), json!(false));
        assert_eq!(as_before(Some(&json!(3)), "4".to_owned()).to_string(), "4");
        assert_eq!(as_before(Some(&json!(3)), "many".to_owned()), json!("many"));
        assert_eq!(as_before(None, "4".to_owned()), json!("4"));
    }

    #[test]
    fn only_one_is_only() {
        assert_eq!(only([1].into_iter()), Some(1));
        assert_eq!(only([1, 2].into_iter()), None);
        assert_eq!(only(std::iter::empty::<u8>()), None);
    }
}
