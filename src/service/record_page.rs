//! The record screens: list, and one record with both sides of each link.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use super::paging::PageAsked;
use super::records::search_text;
use super::{ServiceError, Services, Viewer, files, record_form, record_why};
use crate::model::{
    ConflictStatus, Entity, Environment, FieldDirection, FieldKind, LinkState, Provider, app_field, app_fields,
};
use crate::store::record_evidence::{self, LinkEvidence, OfferingConnection, RecordConflict};
use crate::store::records::{self, RecordFilter, RecordWindow, StoredRecord};
use crate::store::setup::{self, StoredMapping};
use crate::store::{StoreError, WorkspaceTx};
use crate::sync;
use crate::view::Pagination;
use crate::view::instant::{Moment, counted};
use crate::view::record_page::{
    Agreement, ComparedField, ConflictOnPage, FailureOnPage, LinkOnPage, OwnField, RecordListPage, RecordPage,
    RecordRow, RowLink,
};

const MOST_CONFLICTS: i64 = 50;

/// The list of one entity. `offset` leaves out what earlier pages showed.
pub async fn list(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    q: Option<&str>,
    with_deleted: bool,
    offset: i64,
) -> Result<RecordListPage, ServiceError> {
    let part = PageAsked { offset: Some(offset), ..PageAsked::default() }.read()?;
    let filter = RecordFilter { text: search_text(q)?, with_deleted, updated_since: None };
    let window = RecordWindow { limit: part.limit, offset: part.offset, after: None };
    let mut tx = services.begin(viewer).await?;
    let mut counts = Vec::new();
    for entity in Entity::ALL {
        counts.push((*entity, records::count(&mut tx, *entity, &RecordFilter::default()).await?));
    }
    let total = records::count(&mut tx, entity, &filter).await?;
    let found = records::list(&mut tx, entity, &filter, window).await?;
    let names = names_of_accounts(&mut tx, &found).await?;
    let mut links = links_of(&mut tx, entity, &found).await?;
    let now = tx.now();
    tx.commit().await?;
    let columns = columns_of(entity);
    let rows = found.iter().map(|record| RecordRow {
        id: record.id,
        title: title_of(entity, record),
        details: columns.iter().map(|(column, _)| shown(entity, record, column, &names)).collect(),
        links: links.remove(&record.id).unwrap_or_default(),
        updated: Moment::new(record.updated_at, now),
        deleted: record.deleted_at.is_some(),
    });
    Ok(RecordListPage {
        entity,
        counts,
        columns: columns.iter().map(|(_, heading)| (*heading).to_owned()).collect(),
        rows: rows.collect(),
        pagination: Pagination { total, limit: part.limit, offset: part.offset, next_cursor: None },
    })
}

/// One record. `chosen` is the field whose history is shown, else the one that needs it most.
pub async fn show(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    chosen: Option<&str>,
) -> Result<RecordPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let record = records::find(&mut tx, entity, id).await?.ok_or_else(|| ServiceError::not_found("record"))?;
    let evidence = record_evidence::link_evidence(&mut tx, entity, id).await?;
    let conflicts = record_evidence::conflicts(&mut tx, entity, id, MOST_CONFLICTS).await?;
    let offers = record_evidence::offering_connections(&mut tx, entity).await?;
    let names = names_of_accounts(&mut tx, std::slice::from_ref(&record)).await?;
    let files = files::on_page(&mut tx, entity, id, services.blobs.limit()).await?;
    let now = tx.now();
    let mut links = Vec::new();
    for link in &evidence {
        let mappings = setup::mappings(&mut tx, link.config_id, entity).await?;
        let waiting = waiting_fields(&conflicts, link.config_id);
        links.push(link_on_page(entity, &record, link, &mappings, &waiting, &names, now));
    }
    let chosen =
        chosen.map(str::to_owned).or_else(|| field_that_needs_it(&links)).unwrap_or_else(|| first_field(entity));
    let why = record_why::why(&mut tx, entity, &record, &chosen, &conflicts, &names).await?;
    tx.commit().await?;
    let checked = evidence.first().and_then(|link| link.last_sync_at).map(|at| Moment::new(at, now));
    Ok(RecordPage {
        id,
        entity,
        title: title_of(entity, &record),
        version: record_form::version_of(&record),
        created: Moment::new(record.created_at, now),
        updated: Moment::new(record.updated_at, now),
        deleted: record.deleted_at.map(|at| Moment::new(at, now)),
        sentence: sentence(entity, &record, &links, checked.as_ref(), &offers),
        own_fields: own_fields(entity, &record, &links, &names),
        files,
        conflicts: conflicts_that_wait(conflicts),
        why,
        form: record_form::fields_of(entity, Some(&record), &names),
        links,
    })
}

/// Names of accounts by id.
pub(super) type AccountNames = BTreeMap<String, record_evidence::AccountName>;

/// The record's name for people.
pub(super) fn title_of(entity: Entity, record: &StoredRecord) -> String {
    let text = |field: &str| record.fields.get(field).and_then(Value::as_str).unwrap_or_default();
    match entity {
        Entity::Contact => format!("{} {}", text("first_name"), text("last_name")).trim().to_owned(),
        Entity::Account | Entity::Opportunity => text("name").to_owned(),
    }
}

/// A field's value as a person reads it.
pub(super) fn shown(entity: Entity, record: &StoredRecord, field: &str, names: &AccountNames) -> Option<String> {
    let value = plain(record.fields.get(field)?)?;
    let kind = app_field(entity, field).map_or(FieldKind::Text, |field| field.kind);
    match kind {
        FieldKind::Number | FieldKind::Money => Some(with_separators(&value)),
        FieldKind::Percent => Some(format!("{value} %")),
        FieldKind::Reference => Some(names.get(&value).map_or(value, |account| account.name.clone())),
        _ => Some(value),
    }
}

/// The text of a value; nothing where it is empty.
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        other => Some(other.to_string()),
    }
}

async fn names_of_accounts(tx: &mut WorkspaceTx, found: &[StoredRecord]) -> Result<AccountNames, StoreError> {
    let referred = found.iter().filter_map(|record| record.fields.get("account_id")?.as_str()?.parse().ok());
    let ids: Vec<Uuid> = referred.collect();
    let accounts = record_evidence::account_names(tx, &ids).await?;
    Ok(accounts.into_iter().map(|account| (account.id.to_string(), account)).collect())
}

async fn links_of(
    tx: &mut WorkspaceTx,
    entity: Entity,
    found: &[StoredRecord],
) -> Result<BTreeMap<Uuid, Vec<RowLink>>, StoreError> {
    let ids: Vec<Uuid> = found.iter().map(|record| record.id).collect();
    let mut links: BTreeMap<Uuid, Vec<RowLink>> = BTreeMap::new();
    for link in record_evidence::links(tx, entity, &ids).await? {
        links.entry(link.record_id).or_default().push(RowLink { provider: link.provider, state: link.state });
    }
    Ok(links)
}

const fn columns_of(entity: Entity) -> [(&'static str, &'static str); 3] {
    match entity {
        Entity::Account => [("domain", "Domain"), ("industry", "Industry"), ("phone", "Phone")],
        Entity::Contact => [("email", "E-mail"), ("title", "Title"), ("account_id", "Account")],
        Entity::Opportunity => [("stage", "Stage"), ("amount", "Amount"), ("account_id", "Account")],
    }
}

fn link_on_page(
    entity: Entity,
    record: &StoredRecord,
    link: &LinkEvidence,
    mappings: &[StoredMapping],
    waiting: &[&str],
    names: &AccountNames,
    now: chrono::DateTime<chrono::Utc>,
) -> LinkOnPage {
    let fields = mappings.iter().map(|mapping| {
        let (agreement, note) = compare(entity, record, link, mapping, waiting);
        ComparedField {
            name: mapping.app_field.clone(),
            here: shown(entity, record, &mapping.app_field, names),
            href: href_of(record, &mapping.app_field),
            there: there(link, &mapping.app_field),
            crm_field: mapping.crm_field.clone(),
            direction: mapping.direction,
            agreement,
            note,
        }
    });
    let mut fields: Vec<_> = fields.collect();
    let position = |name: &str| app_fields(entity).iter().position(|field| field.name == name).unwrap_or(usize::MAX);
    fields.sort_by_key(|field| position(&field.name));
    LinkOnPage {
        provider: link.provider,
        environment: link.environment,
        noun: format!("{} {}", link.provider.title(), crm_noun(link.provider, entity)),
        crm_url: crm_url(link),
        crm_record_id: link.crm_record_id.clone(),
        state: link.state,
        explanation: explanation(link.state, link.provider.title()),
        failure: link.failure.as_ref().map(|failure| FailureOnPage {
            message: failure.message.clone(),
            crm_code: failure.crm_code.clone(),
            advice: if failure.retryable {
                "It is tried again with the next sync.".to_owned()
            } else {
                "It is tried again when a value on either side or the mapping changes.".to_owned()
            },
        }),
        deletes_in_crm: link.deletes_in_crm && link.state == LinkState::Linked,
        since: Moment::new(link.created_at, now),
        fields,
    }
}

/// The CRM's value as last read.
fn there(link: &LinkEvidence, field: &str) -> Option<String> {
    match link.seen.get(field) {
        Some(seen) => seen.clone(),
        None => link.base.get(field).and_then(|base| base.crm.clone()),
    }
}

fn compare(
    entity: Entity,
    record: &StoredRecord,
    link: &LinkEvidence,
    mapping: &StoredMapping,
    waiting: &[&str],
) -> (Agreement, String) {
    let name = mapping.app_field.as_str();
    let crm = link.provider.title();
    let kind = app_field(entity, name).map_or(FieldKind::Text, |field| field.kind);
    let here = record.fields.get(name).and_then(plain);
    let base = link.base.get(name);
    let edited_here = base.is_some_and(|base| !sync::same(kind, &base.app, &here));
    let edited_there = link.seen.contains_key(name);
    let failed = link.failure.as_ref().is_some_and(|failure| failure.fields.iter().any(|field| field == name));
    if waiting.contains(&name) {
        return (Agreement::Conflict, "Both sides changed; a person decides.".to_owned());
    }
    if failed {
        return (Agreement::Failed, "Could not be written; see above.".to_owned());
    }
    match (link.state, mapping.direction) {
        (LinkState::Linked | LinkState::Creating, FieldDirection::None) => {
            return (Agreement::Rests, "The mapping rests: nothing travels.".to_owned());
        }
        (LinkState::Linked | LinkState::Creating, _) => {}
        _ => return (Agreement::Rests, "The link rests: nothing travels.".to_owned()),
    }
    match (base, edited_here, edited_there) {
        (None, _, false) => (Agreement::NotCompared, "The two sides have not met yet.".to_owned()),
        (_, true, _) if mapping.direction.pushes() => (Agreement::Waits, format!("Goes to {crm} with the next sync.")),
        (_, true, _) => (Agreement::Rests, format!("Edited here, but {crm} decides this field.")),
        (_, false, true) if mapping.direction.pulls() => {
            (Agreement::Waits, "Comes here with the next sync.".to_owned())
        }
        (_, false, true) => (Agreement::Rests, format!("Edited in {crm}, but the app decides this field.")),
        (Some(base), false, false) if sync::same_meaning(kind, &base.crm, &base.app) => {
            (Agreement::Agrees, "The same on both sides.".to_owned())
        }
        (Some(_), false, false) => (Agreement::Agrees, "Equal after the mapping, or accepted so.".to_owned()),
    }
}

fn waiting_fields(conflicts: &[RecordConflict], config_id: Uuid) -> Vec<&str> {
    let waiting = conflicts
        .iter()
        .filter(|conflict| conflict.config_id == config_id && conflict.status == ConflictStatus::Pending);
    waiting.flat_map(|conflict| conflict.fields.iter().map(String::as_str)).collect()
}

fn conflicts_that_wait(conflicts: Vec<RecordConflict>) -> Vec<ConflictOnPage> {
    let waiting = conflicts.into_iter().filter(|conflict| conflict.status == ConflictStatus::Pending);
    waiting.map(|conflict| ConflictOnPage { id: conflict.id, kind: conflict.kind, fields: conflict.fields }).collect()
}

fn field_that_needs_it(links: &[LinkOnPage]) -> Option<String> {
    let fields = links.first()?.fields.iter();
    let urgency = |field: &&ComparedField| match field.agreement {
        Agreement::Failed => 0,
        Agreement::Conflict => 1,
        Agreement::Waits => 2,
        _ => 3,
    };
    fields.min_by_key(urgency).map(|field| field.name.clone())
}

fn first_field(entity: Entity) -> String {
    app_fields(entity).first().map(|field| field.name.to_owned()).unwrap_or_default()
}

fn own_fields(entity: Entity, record: &StoredRecord, links: &[LinkOnPage], names: &AccountNames) -> Vec<OwnField> {
    let is_compared = |name: &str| links.iter().any(|link| link.fields.iter().any(|field| field.name == name));
    let known = app_fields(entity).iter().map(|field| field.name);
    let custom = record.fields.keys().map(String::as_str).filter(|name| name.starts_with("custom."));
    let own = known.chain(custom).filter(|name| !is_compared(name));
    own.map(|name| OwnField {
        name: name.to_owned(),
        value: shown(entity, record, name, names),
        href: href_of(record, name),
    })
    .collect()
}

/// Address of the record that a field refers to.
fn href_of(record: &StoredRecord, field: &str) -> Option<String> {
    let id = record.fields.get(field).filter(|_| field == "account_id")?.as_str()?;
    Some(format!("/records/accounts/{id}"))
}

/// The one true sentence, in parts; what matters is marked.
fn sentence(
    entity: Entity,
    record: &StoredRecord,
    links: &[LinkOnPage],
    checked: Option<&Moment>,
    offers: &[OfferingConnection],
) -> Vec<(String, bool)> {
    let plain = |text: &str| (text.to_owned(), false);
    let strong = |text: String| (text, true);
    if record.deleted_at.is_some() {
        return vec![strong("Deleted here.".to_owned()), plain(" Nothing is lost: it can be brought back as it was.")];
    }
    let Some(link) = links.first() else { return vec![plain(&unlinked(entity, offers))] };
    let crm = link.provider.title();
    let with = |agreement| link.fields.iter().filter(move |field| field.agreement == agreement);
    let agreeing = with(Agreement::Agrees).count();
    let total = link.fields.len();
    let when = checked.map(|at| format!(", checked {}", at.text)).unwrap_or_default();
    let mut parts = match link.explanation.as_ref().filter(|_| link.state != LinkState::Linked) {
        Some(explanation) => vec![plain(explanation)],
        None => vec![
            strong(format!("{agreeing} of {}", counted(total as u64, "field"))),
            plain(&format!(" {} with {crm}{when}.", if total == 1 { "agrees" } else { "agree" })),
        ],
    };
    for (agreement, verb) in
        [(Agreement::Conflict, "waits for a decision"), (Agreement::Failed, "could not be written")]
    {
        let fields: Vec<_> = with(agreement).map(|field| label_of(entity, &field.name)).collect();
        if !fields.is_empty() {
            let verb = if fields.len() > 1 { verb.replace("waits", "wait") } else { verb.to_owned() };
            parts.extend([plain(" "), strong(fields.join(", ")), plain(&format!(" {verb}."))]);
        }
    }
    if link.failure.is_some() && with(Agreement::Failed).next().is_none() {
        parts.push(strong(" It could not be written.".to_owned()));
    }
    parts
}

fn unlinked(entity: Entity, offers: &[OfferingConnection]) -> String {
    let noun = entity.as_str();
    match offers.first() {
        None => format!("This {noun} exists here only: no connected CRM takes {}.", entity.plural()),
        Some(offer) if offer.creates => {
            format!(
                "This {noun} is in no CRM yet. The next sync looks for it in {} or makes it there.",
                offer.provider.title()
            )
        }
        Some(offer) => format!(
            "This {noun} exists here only: the connection to {} makes no new records there.",
            offer.provider.title()
        ),
    }
}

/// The field's name for people.
pub(super) fn label_of(entity: Entity, name: &str) -> String {
    app_field(entity, name).map_or_else(|| name.to_owned(), |field| field.label.to_owned())
}

const fn crm_noun(provider: Provider, entity: Entity) -> &'static str {
    match (provider, entity) {
        (Provider::Salesforce, Entity::Account) => "account",
        (Provider::Hubspot, Entity::Account) => "company",
        (_, Entity::Contact) => "contact",
        (Provider::Salesforce, Entity::Opportunity) => "opportunity",
        (Provider::Hubspot, Entity::Opportunity) => "deal",
    }
}

/// The record's page in a real CRM; a simulator has none.
fn crm_url(link: &LinkEvidence) -> Option<String> {
    let (instance, id) = (link.instance_url.as_deref()?, link.crm_record_id.as_deref()?);
    let is_real = link.environment != Environment::Simulator && link.provider == Provider::Salesforce;
    (is_real && instance.starts_with("https://")).then(|| format!("{}/{id}", instance.trim_end_matches('/')))
}

fn explanation(state: LinkState, crm: &str) -> Option<String> {
    Some(match state {
        LinkState::Linked => return None,
        LinkState::Creating => format!("It is being created in {crm}; the outcome is not known yet."),
        LinkState::OutOfScope => {
            format!("It left the filter of the connection to {crm} and rests. Nothing was deleted.")
        }
        LinkState::GoneCrm => format!("It is no longer in {crm}. The record here was kept."),
        LinkState::GoneApp => {
            format!("It was deleted here. The record in {crm} has its own fate by the connection's options.")
        }
        LinkState::Merged => format!("In {crm} it was merged into another record."),
        LinkState::NotVisible => format!("{crm} no longer shows it to the connected user. Nothing was deleted."),
        LinkState::Apart => format!("A person said that this and the record in {crm} are not the same."),
    })
}

/// Digits with separators for thousands; what is no plain number stays as it is.
fn with_separators(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let (whole, rest) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return number.to_owned();
    }
    let mut text = String::from(sign);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_get_separators() {
        for (number, text) in [
            ("0", "0"),
            ("-1234.50", "-1,234.50"),
            ("48200000.00", "48,200,000.00"),
            ("123456789012345678901234567890", "123,456,789,012,345,678,901,234,567,890"),
            ("1e5", "1e5"),
        ] {
            assert_eq!(with_separators(number), text);
        }
    }
}
