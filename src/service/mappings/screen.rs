//! The mapping screen: rows with samples and problems, the editor's form, what was just published.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::editor::try_out;
use super::preview::unmapped_required;
use super::{DESCRIPTION_AGE, DraftMapping, check, connection, undo, view};
use crate::connectors::{EntityDescription, FieldDescription};
use crate::model::{
    ConflictPolicy, ConnectionStatus, Entity, FieldDirection, FieldRule, Provider, SyncDirection, app_fields,
};
use crate::service::{ServiceError, Services, Viewer, descriptions};
use crate::store::app_rows::{self, AppRow};
use crate::store::links::{self, StoredLink};
use crate::store::mappings::{self, MappingChange, MappingRow, Published};
use crate::store::setup::ConnectionSetup;
use crate::store::{WorkspaceTx, connections};
use crate::view::instant::{counted, grouped};
use crate::view::mappings as views;
use crate::view::mappings::{FieldChoice, MappingForm, MappingsPage, PublishedChange, RowProblem};

/// Most records of the picker.
const MOST_RECORDS: i64 = 50;

/// Longest sample that a row shows.
const LONGEST_SAMPLE: usize = 200;

/// What the address of the screen says.
#[derive(Debug, Clone, Default)]
pub struct PageQuery {
    /// Part of a field's name.
    pub search: String,
    /// Only mappings with problems.
    pub only_problems: bool,
    /// The record whose values are shown.
    pub record: Option<Uuid>,
    /// The changes that were just published.
    pub changes: Vec<Uuid>,
    /// A mapping to try on sample records.
    pub trial: Option<MappingForm>,
}

/// The CRM of the connection that was used last.
pub async fn last_used(services: &Services, viewer: &Viewer) -> Result<Option<Provider>, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let mut stored = connections::list(&mut tx).await?;
    tx.commit().await?;
    stored.sort_by_key(|connection| {
        std::cmp::Reverse((connection.status != ConnectionStatus::Disconnected, connection.last_sync_at))
    });
    Ok(stored.first().map(|connection| connection.provider))
}

/// The mapping screen of one entity.
pub async fn page(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    entity: Entity,
    query: PageQuery,
) -> Result<MappingsPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    let connection = connection(&mut tx, config_id).await?;
    let mut description = descriptions::stored(&mut tx, config_id, entity).await?;
    tx.commit().await?;
    if description.is_none() {
        // Only the first look at an entity asks the CRM; without an answer the screen works with what is stored.
        description =
            descriptions::at_most(services, viewer.workspace_id, config_id, provider, entity, DESCRIPTION_AGE)
                .await
                .ok();
    }
    let trial = match &query.trial {
        Some(form) => Some(try_out(services, viewer, provider, entity, form).await?),
        None => None,
    };
    let mut tx = services.begin(viewer).await?;
    let all = mappings::list(&mut tx, config_id).await?;
    let rules = mappings::rules(&mut tx, config_id).await?;
    let failures = mappings::failures(&mut tx, config_id, entity).await?;
    let record_names = mappings::linked_records(&mut tx, config_id, entity, MOST_RECORDS).await?;
    let record = query.record.or_else(|| record_names.first().map(|(id, _)| *id));
    let shown = shown_record(&mut tx, config_id, entity, record).await?;
    let change = published_change(&mut tx, config_id, &query.changes).await?;
    tx.commit().await?;

    let counts = Entity::ALL.iter().map(|of| (*of, count(all.iter().filter(|row| row.entity == *of)))).collect();
    let mut of_entity: Vec<MappingRow> = all.into_iter().filter(|row| row.entity == entity).collect();
    of_entity.sort_by_key(|row| (place_of(entity, &row.app_field), row.app_field.clone()));
    let look = Look {
        connection: &connection,
        description: description.as_ref(),
        rules: &rules,
        failures: &failures,
        shown: shown.as_ref(),
    };
    let drafts: Vec<DraftMapping> = of_entity.iter().map(draft_of).collect();
    let crm_fields = description.as_ref().map_or_else(Vec::new, |described| crm_choices(described, &drafts));
    let app_fields = app_choices(entity, &drafts);
    let total = count(of_entity.iter());
    let rows: Vec<views::MappingRow> = of_entity.into_iter().map(|row| look.row(row)).collect();
    let problems = count(rows.iter().filter(|row| !row.problems.is_empty()));
    Ok(MappingsPage {
        config_id,
        provider,
        environment: connection.environment,
        entity,
        counts,
        in_sync: connection.entities.contains(&entity),
        mapped: match crm_fields.len() {
            0 => grouped(total),
            shown => format!("{} of {}", grouped(total), grouped(shown as i64)),
        },
        problems,
        rows: rows.into_iter().filter(|row| matches(row, &query)).collect(),
        total,
        unmapped_required: description.as_ref().map_or_else(Vec::new, |described| required_labels(described, &drafts)),
        records: record_names,
        record: shown.map(|shown| shown.id),
        app_fields,
        crm_fields,
        policy: connection.policy.label().to_owned(),
        change,
        trial,
    })
}

pub(super) async fn config_of(tx: &mut WorkspaceTx, provider: Provider) -> Result<Uuid, ServiceError> {
    let stored = connections::by_provider(tx, provider).await?;
    stored.map(|connection| connection.id).ok_or_else(|| ServiceError::not_found("connection"))
}

fn draft_of(row: &MappingRow) -> DraftMapping {
    DraftMapping {
        crm_field: row.crm_field.clone(),
        app_field: row.app_field.clone(),
        direction: row.direction,
        transform: row.transform.clone(),
        value_map: row.value_map.clone().unwrap_or_default(),
    }
}

/// The record whose values are shown: the app's as they are, the CRM's as last read.
struct Shown {
    id: Uuid,
    row: AppRow,
    link: StoredLink,
}

async fn shown_record(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    record: Option<Uuid>,
) -> Result<Option<Shown>, ServiceError> {
    let Some(id) = record else { return Ok(None) };
    let row = app_rows::read(tx, entity, &[id]).await?.into_iter().next();
    let link = links::by_record_ids(tx, config_id, entity, &[id]).await?.into_iter().next();
    Ok(row.zip(link).map(|(row, link)| Shown { id, row, link }))
}

/// What a row is put together from.
struct Look<'a> {
    connection: &'a ConnectionSetup,
    description: Option<&'a EntityDescription>,
    rules: &'a [(Entity, String, FieldRule)],
    failures: &'a BTreeMap<String, i64>,
    shown: Option<&'a Shown>,
}

impl Look<'_> {
    fn row(&self, row: MappingRow) -> views::MappingRow {
        let provider = self.connection.provider;
        let app = check::app_side(row.entity, &row.app_field);
        let crm = self.description.and_then(|description| description.field(&row.crm_field));
        let rule = self.rules.iter().find(|(entity, field, _)| *entity == row.entity && *field == row.app_field);
        let rule = rule.map(|(_, _, rule)| *rule);
        let locked = crm.filter(|crm| check::is_read_only(crm)).map(|crm| check::read_only_reason(provider, crm));
        let sample = |value: Option<String>| value.map(|text| shortened(&text));
        views::MappingRow {
            app_label: app.as_ref().map_or_else(|| row.app_field.clone(), |app| app.label.clone()),
            app_kind: app.map(|app| app.kind.label().to_owned()).unwrap_or_default(),
            crm_label: crm.map_or_else(|| row.crm_field.clone(), |crm| crm.label.clone()),
            crm_type: crm.map(|crm| crm.crm_type.clone()).unwrap_or_default(),
            next_direction: next_direction(row.direction, locked.is_some()),
            rule,
            decides: decides(row.direction, rule, self.connection.policy).to_owned(),
            transform: transform_words(&row),
            app_sample: sample(self.shown.and_then(|shown| shown.row.fields.get(&row.app_field).cloned().flatten())),
            crm_sample: sample(self.shown.and_then(|shown| crm_value(&shown.link, &row.app_field))),
            problems: self.problems(&row, crm, locked.as_deref()),
            locked: locked.filter(|_| !row.direction.pushes()),
            mapping: view(row),
        }
    }

    fn problems(&self, row: &MappingRow, crm: Option<&FieldDescription>, locked: Option<&str>) -> Vec<RowProblem> {
        let mut problems = Vec::new();
        let crm_title = self.connection.provider.title();
        let mut add = |severe: bool, short: &str, long: String, href: Option<String>| {
            problems.push(RowProblem { severe, short: short.to_owned(), long, href });
        };
        if row.suspended.is_some() || (self.description.is_some() && crm.is_none()) {
            let long = format!(
                "{crm_title} no longer shows this field to the connected user, so the mapping rests. Give the user access to it, or map another field."
            );
            add(true, "not visible", long, None);
        }
        if let Some(failed) = self.failures.get(&row.app_field).filter(|failed| **failed > 0) {
            let records = counted(failed.unsigned_abs(), "record");
            let long = format!("{records} could not be written because of this field. Open them to see why.");
            let href = format!("/records/{}?state=failed", row.entity.plural());
            add(true, &format!("{records} failed"), long, Some(href));
        }
        if let Some(reason) = locked.filter(|_| row.direction.pushes()) {
            add(false, "read-only", format!("{reason} Choose pull."), None);
        }
        if row.direction != FieldDirection::None
            && row.direction.common(self.connection.direction.into()) == FieldDirection::None
        {
            let only = if self.connection.direction == SyncDirection::Pull { "pulls" } else { "pushes" };
            let long = format!(
                "The connection only {only}, so this mapping rests. Change its direction, or the connection's in Settings."
            );
            add(false, "rests", long, None);
        }
        problems
    }
}

fn crm_value(link: &StoredLink, app_field: &str) -> Option<String> {
    link.seen.get(app_field).cloned().unwrap_or_else(|| link.base.get(app_field).and_then(|base| base.crm.clone()))
}

pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LONGEST_SAMPLE).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Two-way, push, pull, none; a field that can only be pulled knows two.
const fn next_direction(direction: FieldDirection, pull_only: bool) -> FieldDirection {
    match (direction, pull_only) {
        (FieldDirection::Pull, true) | (FieldDirection::Pull, false) => FieldDirection::None,
        (_, true) => FieldDirection::Pull,
        (FieldDirection::Bidirectional, false) => FieldDirection::Push,
        (FieldDirection::Push, false) => FieldDirection::Pull,
        (FieldDirection::None, false) => FieldDirection::Bidirectional,
    }
}

const fn decides(direction: FieldDirection, rule: Option<FieldRule>, policy: ConflictPolicy) -> &'static str {
    match (direction, rule, policy) {
        (FieldDirection::None, _, _) => "",
        (FieldDirection::Pull, _, _) => "CRM",
        (FieldDirection::Push, _, _) => "App",
        (FieldDirection::Bidirectional, Some(FieldRule::UseApp), _) => "App, always",
        (FieldDirection::Bidirectional, Some(FieldRule::UseCrm), _) => "CRM, always",
        (FieldDirection::Bidirectional, None, ConflictPolicy::LastWriteWins) => "Later edit",
        (FieldDirection::Bidirectional, None, ConflictPolicy::CrmWins) => "CRM",
        (FieldDirection::Bidirectional, None, ConflictPolicy::AppWins) => "App",
        (FieldDirection::Bidirectional, None, ConflictPolicy::ManualReview) => "Ask",
    }
}

pub(super) fn transform_words(row: &MappingRow) -> Option<String> {
    let pairs = row.value_map.as_ref().map(|pairs| counted(pairs.len() as u64, "pair"));
    let script = row.transform.as_ref().map(|_| "script".to_owned());
    match (script, pairs) {
        (Some(script), Some(pairs)) => Some(format!("{script}, {pairs}")),
        (script, pairs) => script.or(pairs),
    }
}

fn matches(row: &views::MappingRow, query: &PageQuery) -> bool {
    let wanted = query.search.trim().to_lowercase();
    let names = [&row.mapping.app_field, &row.app_label, &row.mapping.crm_field, &row.crm_label];
    (wanted.is_empty() || names.iter().any(|name| name.to_lowercase().contains(&wanted)))
        && (!query.only_problems || !row.problems.is_empty())
}

fn place_of(entity: Entity, app_field: &str) -> usize {
    app_fields(entity).iter().position(|field| field.name == app_field).unwrap_or(usize::MAX)
}

fn count<T>(rows: impl Iterator<Item = T>) -> i64 {
    i64::try_from(rows.count()).unwrap_or(i64::MAX)
}

fn required_labels(description: &EntityDescription, drafts: &[DraftMapping]) -> Vec<String> {
    let label = |name: String| description.field(&name).map_or(name.clone(), |field| field.label.clone());
    unmapped_required(description, drafts).into_iter().map(label).collect()
}

fn crm_choices(description: &EntityDescription, drafts: &[DraftMapping]) -> Vec<FieldChoice> {
    let mut choices: Vec<FieldChoice> = description
        .fields
        .iter()
        .map(|field| {
            let mut about = vec![field.crm_type.clone()];
            about.extend(field.max_length.map(|length| format!("up to {} characters", grouped(length.into()))));
            about.extend(field.required.then(|| "required".to_owned()));
            about.extend(check::is_read_only(field).then(|| "read-only".to_owned()));
            FieldChoice {
                name: field.name.clone(),
                label: field.label.clone(),
                about: about.join(", "),
                read_only: check::is_read_only(field),
                taken: drafts.iter().any(|draft| draft.crm_field == field.name),
            }
        })
        .collect();
    choices.sort_by(|a, b| (a.label.to_lowercase(), &a.name).cmp(&(b.label.to_lowercase(), &b.name)));
    choices
}

fn app_choices(entity: Entity, drafts: &[DraftMapping]) -> Vec<FieldChoice> {
    let is_taken = |name: &str| drafts.iter().any(|draft| draft.app_field == name);
    app_fields(entity)
        .iter()
        .map(|field| FieldChoice {
            name: field.name.to_owned(),
            label: field.label.to_owned(),
            about: if field.required {
                format!("{}, required", field.kind.label())
            } else {
                field.kind.label().to_owned()
            },
            read_only: false,
            taken: is_taken(field.name),
        })
        .collect()
}

async fn published_change(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    ids: &[Uuid],
) -> Result<Option<PublishedChange>, ServiceError> {
    let (mut changes, mut undoable) = (Vec::new(), true);
    for id in ids {
        let Some(change) = mappings::change(tx, config_id, *id).await? else { continue };
        undoable = undoable && undo::is_latest(tx, config_id, &change).await?;
        changes.push(change);
    }
    let (mapping, sentence) = match &changes[..] {
        [] => return Ok(None),
        [only] => (only.after.as_ref().map(|_| only.mapping_id), sentence(only)),
        several => (None, sentence_of_several(several)),
    };
    Ok(Some(PublishedChange { ids: changes.iter().map(|change| change.id).collect(), mapping, sentence, undoable }))
}

/// What several changes did that were published at once.
fn sentence_of_several(changes: &[MappingChange]) -> String {
    let mappings = counted(changes.len() as u64, "mapping");
    let fields = |side: fn(&MappingChange) -> Option<&Published>| {
        changes.iter().filter_map(side).map(|one| one.app_field.as_str()).collect::<Vec<_>>().join(", ")
    };
    if changes.iter().all(|change| change.before.is_none()) {
        let fields = fields(|change| change.after.as_ref());
        format!("{mappings} are new: {fields}. Their values meet for the first time in the next run.")
    } else if changes.iter().all(|change| change.after.is_none()) {
        let fields = fields(|change| change.before.as_ref());
        format!("{mappings} are gone: {fields}. Nothing in your data has changed.")
    } else {
        format!("{mappings} were changed.")
    }
}

/// What a change did, as a sentence.
fn sentence(change: &MappingChange) -> String {
    let first_run = "Its values meet for the first time in the next run.";
    match (&change.before, &change.after) {
        (None, Some(after)) => format!("{} is mapped to {}. {first_run}", after.app_field, after.crm_field),
        (Some(before), None) => {
            format!(
                "{} is no longer mapped to {}. Nothing in your data has changed.",
                before.app_field, before.crm_field
            )
        }
        (Some(before), Some(after)) if before.app_field != after.app_field => {
            format!("{} is mapped to {} instead of {}. {first_run}", after.crm_field, after.app_field, before.app_field)
        }
        (Some(before), Some(after)) => format!("{}: {}.", after.app_field, differences(before, after)),
        (None, None) => "Nothing was changed.".to_owned(),
    }
}

fn differences(before: &Published, after: &Published) -> String {
    let mut parts = Vec::new();
    if before.sync_direction != after.sync_direction {
        parts.push(format!("{} instead of {}", after.sync_direction.label(), before.sync_direction.label()));
    }
    if before.transform_function != after.transform_function {
        let what = if after.transform_function.is_some() { "another transform" } else { "no transform" };
        parts.push(format!("{what}, for values that change from now on"));
    }
    if before.value_map != after.value_map {
        parts.push("other pairs, for values that change from now on".to_owned());
    }
    match (before.rule == after.rule, after.rule) {
        (true, _) => {}
        (false, Some(FieldRule::UseApp)) => parts.push("the app decides when both changed".to_owned()),
        (false, Some(FieldRule::UseCrm)) => parts.push("the CRM decides when both changed".to_owned()),
        (false, None) => parts.push("the connection's policy decides when both changed".to_owned()),
    }
    if parts.is_empty() { "saved without a change".to_owned() } else { parts.join("; ") }
}
