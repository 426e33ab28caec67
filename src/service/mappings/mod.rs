//! Mappings: what is paired with what, published at once.
//!
//! Must not know: how the engine merges. Invariants: a mapping that can never work is refused before anything is written;
//! every change drops the bases that it makes meaningless, brings the connection's published set into step, and is noted so
//! that it can be taken back.

mod auto_map;
mod check;
mod editor;
mod preview;
mod screen;
mod undo;

use chrono::TimeDelta;
use uuid::Uuid;

use super::{FieldProblem, ServiceError, Services, Viewer, descriptions};
use crate::connectors::EntityDescription;
use crate::model::{Capability, Entity, FieldDirection, FieldKind, FieldRule, Provider, ValuePair};
use crate::store::connections;
use crate::store::mappings::{self, MappingChange, MappingRow, Published, Taken};
use crate::store::setup::{self, ConnectionSetup};
use crate::store::{StoreError, WorkspaceTx, events, runs};
use crate::view::mappings::{AvailableField, FieldsAnswer, Mapping, Rule};

pub use auto_map::{accept, propose_on, suggestions};
pub(super) use check::app_side;
pub use editor::{remove_from, save, set_direction, try_out, undo_on};
pub use preview::{DraftMapping, preview};
pub use screen::{PageQuery, last_used, page};

/// How old a description may be where a field is looked up in it.
const DESCRIPTION_AGE: TimeDelta = TimeDelta::hours(1);

/// How old it may be where a field is not found in it: the admin may just have made the field.
const RECHECK_AGE: TimeDelta = TimeDelta::seconds(10);

/// A mapping to make.
#[derive(Debug, Clone)]
pub struct NewMapping {
    /// Which entity.
    pub entity: Entity,
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// Direction.
    pub direction: FieldDirection,
    /// JavaScript, if any.
    pub transform: Option<String>,
    /// Pairs of values, if any.
    pub value_map: Option<Vec<ValuePair>>,
}

/// What to change of a mapping; the inner `None` clears.
#[derive(Debug, Clone, Default)]
pub struct MappingPatch {
    /// Another field in the app.
    pub app_field: Option<String>,
    /// Another direction.
    pub direction: Option<FieldDirection>,
    /// Another transform.
    pub transform: Option<Option<String>>,
    /// Other pairs.
    pub value_map: Option<Option<Vec<ValuePair>>>,
}

/// Every mapping of a connection, newest first.
pub async fn list(services: &Services, viewer: &Viewer, config_id: Uuid) -> Result<Vec<Mapping>, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    connection(&mut tx, config_id).await?;
    let mappings = of_connection(&mut tx, config_id).await?;
    tx.commit().await?;
    Ok(mappings)
}

/// The same within the caller's transaction, which has looked that the connection is there.
pub(super) async fn of_connection(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<Vec<Mapping>, ServiceError> {
    Ok(mappings::list(tx, config_id).await?.into_iter().map(view).collect())
}

/// Makes a mapping and publishes it.
pub async fn create(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    new: NewMapping,
) -> Result<Mapping, ServiceError> {
    Ok(create_with_rule(services, viewer, config_id, new, None).await?.0)
}

async fn create_with_rule(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    new: NewMapping,
    rule: Option<Option<FieldRule>>,
) -> Result<(Mapping, Uuid), ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    let connection = connection(&mut tx, config_id).await?;
    tx.commit().await?;
    let row = MappingRow {
        id: services.rng.uuid(),
        entity: new.entity,
        crm_field: new.crm_field,
        app_field: new.app_field,
        direction: new.direction,
        transform: filled(new.transform),
        value_map: new.value_map.filter(|pairs| !pairs.is_empty()),
        suspended: None,
    };
    check(services, viewer, &connection, &row).await?;

    let mut tx = services.begin(viewer).await?;
    let change_id = services.rng.uuid();
    insert(&mut tx, config_id, &row).await?;
    let before = rule_of(&mut tx, config_id, row.entity, &row.app_field).await?;
    let after = rule.unwrap_or(before);
    mappings::set_rule(&mut tx, config_id, row.entity, &row.app_field, after, viewer.user_id).await?;
    let change = MappingChange {
        id: change_id,
        entity: row.entity,
        mapping_id: row.id,
        before: None,
        after: Some(published(&row, after)),
    };
    publish(&mut tx, config_id, &change, viewer.user_id).await?;
    tx.commit().await?;
    Ok((view(row), change_id))
}

/// Changes a mapping and publishes it.
pub async fn update(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    mapping_id: Uuid,
    patch: MappingPatch,
) -> Result<Mapping, ServiceError> {
    Ok(update_with_rule(services, viewer, config_id, mapping_id, patch, None).await?.0)
}

async fn update_with_rule(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    mapping_id: Uuid,
    patch: MappingPatch,
    rule: Option<Option<FieldRule>>,
) -> Result<(Mapping, Uuid), ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    let connection = connection(&mut tx, config_id).await?;
    let row = locked(&mut tx, config_id, mapping_id).await?;
    tx.commit().await?;
    check(services, viewer, &connection, &patched(row.clone(), &patch)).await?;

    let mut tx = services.begin(viewer).await?;
    let before = locked(&mut tx, config_id, mapping_id).await?;
    let rule_before = rule_of(&mut tx, config_id, before.entity, &before.app_field).await?;
    let after = patched(before.clone(), &patch);
    write(&mut tx, config_id, &before, &after).await?;
    let rule_after = rule.unwrap_or(rule_before);
    if before.app_field != after.app_field {
        mappings::set_rule(&mut tx, config_id, before.entity, &before.app_field, None, viewer.user_id).await?;
    }
    mappings::set_rule(&mut tx, config_id, after.entity, &after.app_field, rule_after, viewer.user_id).await?;
    let change = MappingChange {
        id: services.rng.uuid(),
        entity: after.entity,
        mapping_id,
        before: Some(published(&before, rule_before)),
        after: Some(published(&after, rule_after)),
    };
    publish(&mut tx, config_id, &change, viewer.user_id).await?;
    tx.commit().await?;
    Ok((view(after), change.id))
}

/// Removes a mapping; its values stay where they are, what was last agreed about them is forgotten. Returns the change.
pub async fn remove(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    mapping_id: Uuid,
) -> Result<Uuid, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    connection(&mut tx, config_id).await?;
    let row = locked(&mut tx, config_id, mapping_id).await?;
    let change = take_away(&mut tx, config_id, &row, services.rng.uuid(), viewer.user_id).await?;
    tx.commit().await?;
    Ok(change)
}

async fn take_away(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    row: &MappingRow,
    change_id: Uuid,
    by: Uuid,
) -> Result<Uuid, ServiceError> {
    let rule = rule_of(tx, config_id, row.entity, &row.app_field).await?;
    mappings::delete(tx, config_id, row.id).await?;
    mappings::set_rule(tx, config_id, row.entity, &row.app_field, None, by).await?;
    runs::wait_for_step(tx, config_id).await?;
    mappings::drop_bases(tx, config_id, row.entity, std::slice::from_ref(&row.app_field)).await?;
    let change = MappingChange {
        id: change_id,
        entity: row.entity,
        mapping_id: row.id,
        before: Some(published(row, rule)),
        after: None,
    };
    publish(tx, config_id, &change, by).await?;
    Ok(change.id)
}

/// Sets or lifts a field's rule. Returns every rule of the connection.
pub async fn set_rule(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    entity: Entity,
    app_field: &str,
    rule: Option<FieldRule>,
) -> Result<Vec<Rule>, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    connection(&mut tx, config_id).await?;
    let mapped = mappings::list(&mut tx, config_id).await?;
    if !mapped.iter().any(|row| row.entity == entity && row.app_field == app_field) {
        return Err(ServiceError::invalid(
            "appField",
            format!("No mapping of {} has this app field. Map it first, then set its rule.", entity.plural()),
        ));
    }
    mappings::set_rule(&mut tx, config_id, entity, app_field, rule, viewer.user_id).await?;
    let rules = mappings::rules(&mut tx, config_id).await?;
    events::announce(&mut tx, "connection", config_id, config_id).await?;
    tx.commit().await?;
    let rule = |(entity, app_field, rule): (Entity, String, FieldRule)| Rule {
        entity_type: entity.plural().to_owned(),
        app_field,
        rule,
    };
    Ok(rules.into_iter().map(rule).collect())
}

/// The fields that the CRM shows of an entity, by label.
pub async fn available_fields(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    entity: Entity,
) -> Result<FieldsAnswer, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let config_id = connections::by_provider(&mut tx, provider).await?.map(|connection| connection.id);
    tx.commit().await?;
    let config_id = config_id.ok_or_else(|| ServiceError::not_found("connection"))?;
    let description =
        descriptions::at_most(services, viewer.workspace_id, config_id, provider, entity, DESCRIPTION_AGE).await?;
    let mut fields: Vec<AvailableField> = description
        .fields
        .into_iter()
        .map(|field| AvailableField {
            read_only: check::is_read_only(&field),
            options: matches!(field.kind, FieldKind::Choice | FieldKind::MultiChoice).then_some(field.options),
            kind: field.kind.as_str().to_owned(),
            name: field.name,
            label: field.label,
            required: field.required,
            length: field.max_length,
        })
        .collect();
    fields.sort_by(|a, b| (a.label.to_lowercase(), &a.name).cmp(&(b.label.to_lowercase(), &b.name)));
    Ok(FieldsAnswer { fields })
}

pub(super) async fn connection(tx: &mut WorkspaceTx, config_id: Uuid) -> Result<ConnectionSetup, ServiceError> {
    setup::connection(tx, config_id).await?.ok_or_else(|| ServiceError::not_found("connection"))
}

async fn locked(tx: &mut WorkspaceTx, config_id: Uuid, mapping_id: Uuid) -> Result<MappingRow, ServiceError> {
    mappings::lock(tx, config_id, mapping_id).await?.ok_or_else(|| ServiceError::not_found("mapping"))
}

/// Refuses what can never work. Looks at the CRM's fields again where one is not there.
async fn check(
    services: &Services,
    viewer: &Viewer,
    connection: &ConnectionSetup,
    row: &MappingRow,
) -> Result<EntityDescription, ServiceError> {
    let described =
        |age| descriptions::at_most(services, viewer.workspace_id, connection.id, connection.provider, row.entity, age);
    let mut description = described(DESCRIPTION_AGE).await?;
    if description.field(&row.crm_field).is_none() {
        description = described(RECHECK_AGE).await?;
    }
    let mut problems = check::problems(connection.provider, &description, row);
    if let Some(problem) = transform_problem(services, row).await {
        problems.push(problem);
    }
    if problems.is_empty() { Ok(description) } else { Err(ServiceError::invalid_fields(problems)) }
}

async fn transform_problem(services: &Services, row: &MappingRow) -> Option<FieldProblem> {
    let script = row.transform.as_deref()?;
    let message = services.transforms.check(script, row.direction).await.err()?;
    let message = format!("The transform does not work: {}. Correct it.", message.trim_end_matches('.'));
    Some(FieldProblem { field: "transformFunction".to_owned(), message })
}

fn patched(mut row: MappingRow, patch: &MappingPatch) -> MappingRow {
    if let Some(app_field) = &patch.app_field {
        row.app_field.clone_from(app_field);
    }
    if let Some(direction) = patch.direction {
        row.direction = direction;
    }
    if let Some(transform) = &patch.transform {
        row.transform = filled(transform.clone());
    }
    if let Some(value_map) = &patch.value_map {
        row.value_map = value_map.clone().filter(|pairs| !pairs.is_empty());
    }
    row
}

fn filled(script: Option<String>) -> Option<String> {
    script.filter(|script| !script.trim().is_empty())
}

async fn insert(tx: &mut WorkspaceTx, config_id: Uuid, row: &MappingRow) -> Result<(), ServiceError> {
    mappings::insert(tx, config_id, row).await.map_err(|error| taken(error, row))?;
    runs::wait_for_step(tx, config_id).await?;
    // What a step of a former mapping may have left behind.
    mappings::drop_bases(tx, config_id, row.entity, std::slice::from_ref(&row.app_field)).await?;
    Ok(())
}

async fn write(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    before: &MappingRow,
    after: &MappingRow,
) -> Result<(), ServiceError> {
    mappings::update(tx, config_id, after).await.map_err(|error| taken(error, after))?;
    if before.app_field != after.app_field {
        let fields = [before.app_field.clone(), after.app_field.clone()];
        runs::wait_for_step(tx, config_id).await?;
        mappings::drop_bases(tx, config_id, after.entity, &fields).await?;
    }
    Ok(())
}

async fn publish(tx: &mut WorkspaceTx, config_id: Uuid, change: &MappingChange, by: Uuid) -> Result<(), ServiceError> {
    mappings::note_change(tx, config_id, change, by).await?;
    mappings::publish(tx, config_id).await?;
    events::announce(tx, "connection", config_id, config_id).await?;
    Ok(())
}

async fn rule_of(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
    app_field: &str,
) -> Result<Option<FieldRule>, ServiceError> {
    let rules = mappings::rules(tx, config_id).await?;
    Ok(rules.into_iter().find(|(of, field, _)| *of == entity && field == app_field).map(|(_, _, rule)| rule))
}

fn taken(error: StoreError, row: &MappingRow) -> ServiceError {
    match Taken::of(&error) {
        Some(Taken::CrmField) => ServiceError::invalid(
            "crmField",
            format!("{} is mapped already. Change that mapping, or remove it first.", row.crm_field),
        ),
        Some(Taken::AppField) => ServiceError::invalid(
            "appField",
            format!("{} is mapped already. Change that mapping, or remove it first.", row.app_field),
        ),
        None => error.into(),
    }
}

fn published(row: &MappingRow, rule: Option<FieldRule>) -> Published {
    Published {
        crm_field: row.crm_field.clone(),
        app_field: row.app_field.clone(),
        sync_direction: row.direction,
        transform_function: row.transform.clone(),
        value_map: row.value_map.clone(),
        rule,
    }
}

/// A mapping as the API shows it.
pub(super) fn view(row: MappingRow) -> Mapping {
    Mapping {
        id: row.id,
        entity_type: row.entity.plural().to_owned(),
        crm_field: row.crm_field,
        app_field: row.app_field,
        sync_direction: row.direction,
        transform_function: row.transform,
        value_map: row.value_map,
    }
}
