//! The editor of one mapping: what its form says, tried on sample records, published.

use uuid::Uuid;

use super::preview::{evaluate, records, with_people};
use super::screen::{config_of, shortened};
use super::{
    DESCRIPTION_AGE, DraftMapping, MappingPatch, NewMapping, check, connection, create_with_rule, remove, undo,
    update_with_rule,
};
use crate::model::{Capability, Entity, FieldDirection, FieldRule, Provider, ValuePair};
use crate::service::{ServiceError, Services, Viewer, descriptions};
use crate::store::app_rows::AppRow;
use crate::store::mappings::MappingRow;
use crate::view::mappings::{MappingForm, Sample, Trial, TrialRow};

/// Publishes what the editor holds. Returns the change.
pub async fn save(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    entity: Entity,
    form: MappingForm,
) -> Result<Uuid, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    tx.commit().await?;
    let rule = rule_of_form(&form)?;
    let draft = draft_of_form(&form)?;
    let value_map = Some(draft.value_map).filter(|pairs| !pairs.is_empty());
    let (_, change) = if form.mapping.is_empty() {
        let new = NewMapping {
            entity,
            crm_field: draft.crm_field,
            app_field: draft.app_field,
            direction: draft.direction,
            transform: draft.transform,
            value_map,
        };
        create_with_rule(services, viewer, config_id, new, Some(rule)).await?
    } else {
        let id = form.mapping.parse().map_err(|_| ServiceError::not_found("mapping"))?;
        let patch = MappingPatch {
            app_field: Some(draft.app_field),
            direction: Some(draft.direction),
            transform: Some(draft.transform),
            value_map: Some(value_map),
        };
        update_with_rule(services, viewer, config_id, id, patch, Some(rule)).await?
    };
    Ok(change)
}

/// Changes the direction alone. Returns the change.
pub async fn set_direction(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    mapping_id: Uuid,
    direction: FieldDirection,
) -> Result<Uuid, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    tx.commit().await?;
    let patch = MappingPatch { direction: Some(direction), ..MappingPatch::default() };
    Ok(update_with_rule(services, viewer, config_id, mapping_id, patch, None).await?.1)
}

/// Removes a mapping. Returns the change.
pub async fn remove_from(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    mapping_id: Uuid,
) -> Result<Uuid, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    tx.commit().await?;
    remove(services, viewer, config_id, mapping_id).await
}

/// Takes changes back, all of them or none. Returns the changes that this is itself, and whose mappings they are about.
pub async fn undo_on(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    change_ids: &[Uuid],
) -> Result<(Vec<Uuid>, Entity), ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    tx.commit().await?;
    let undone = undo::undo(services, viewer, config_id, change_ids).await?;
    let entity = undone.first().map(|change| change.entity).ok_or_else(|| ServiceError::not_found("change"))?;
    Ok((undone.into_iter().map(|change| change.id).collect(), entity))
}

/// What the editor's mapping makes of sample records.
pub async fn try_out(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    entity: Entity,
    form: &MappingForm,
) -> Result<Trial, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let draft = draft_of_form(form)?;
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    let connection = connection(&mut tx, config_id).await?;
    tx.commit().await?;
    let description =
        descriptions::at_most(services, viewer.workspace_id, config_id, provider, entity, DESCRIPTION_AGE).await?;
    let row = MappingRow {
        id: Uuid::nil(),
        entity,
        crm_field: draft.crm_field.clone(),
        app_field: draft.app_field.clone(),
        direction: draft.direction,
        transform: draft.transform.clone(),
        value_map: Some(draft.value_map.clone()).filter(|pairs| !pairs.is_empty()),
        suspended: None,
    };
    let problems = check::problems(provider, &description, &row);
    if !problems.is_empty() {
        return Err(ServiceError::invalid_fields(problems));
    }
    let drafts = [draft];
    let description = with_people(services, viewer, &connection, description, &drafts).await?;
    let records = records(services, viewer, &connection, &description, &drafts, None).await?;
    let samples = evaluate(services, viewer, config_id, &description, &drafts, &records).await?;
    let names = records.iter().map(|record| record.app.as_ref().map_or_else(String::new, |row| name_of(entity, row)));
    let mut rows: Vec<TrialRow> = names
        .zip(samples)
        .enumerate()
        .map(|(place, (name, sample))| trial_row(place, name, sample, &drafts[0]))
        .collect();
    let is_bad = |row: &TrialRow| row.here.is_err() || row.there.is_err();
    rows.sort_by_key(|row| !is_bad(row));
    let failed = rows.iter().filter(|row| is_bad(row)).count();
    let fine = rows.len() - failed;
    let summary = match (failed, fine) {
        (0, 0) => "There are no records to try it on yet".to_owned(),
        (0, fine) => format!("{fine} fine"),
        (failed, 0) => format!("{failed} fail"),
        (failed, fine) => format!("{failed} fail · {fine} fine"),
    };
    Ok(Trial { summary, failed: failed > 0, rows })
}

fn trial_row(place: usize, name: String, sample: Sample, draft: &DraftMapping) -> TrialRow {
    let error = sample.errors.into_iter().next().map(|error| error.message);
    let crm = sample.crm.get(&draft.crm_field).cloned().flatten();
    let app = sample.app.as_ref().and_then(|app| app.get(&draft.app_field).cloned().flatten());
    let (here, there) = if draft.direction.pulls() {
        (sample.mapped.get(&draft.app_field).cloned().flatten(), crm)
    } else if draft.direction.pushes() {
        (app, sample.to_crm.get(&draft.crm_field).cloned().flatten())
    } else {
        (app, crm)
    };
    let short = |value: Option<String>| value.map(|text| shortened(&text));
    let (here, there) = (short(here), short(there));
    let (here, there) = match (error, draft.direction.pulls()) {
        (None, _) => (Ok(here), Ok(there)),
        (Some(error), true) => (Err(error), Ok(there)),
        (Some(error), false) => (Ok(here), Err(error)),
    };
    let record = if name.is_empty() { format!("Record {}", place + 1) } else { name };
    TrialRow { record, here, there }
}

fn draft_of_form(form: &MappingForm) -> Result<DraftMapping, ServiceError> {
    let direction = form
        .direction
        .parse()
        .map_err(|_| ServiceError::invalid("syncDirection", "Choose two-way, push, pull or none."))?;
    let app = form.pair_app.iter().map(|value| value.trim());
    let crm = form.pair_crm.iter().map(|value| value.trim());
    let pairs = app.zip(crm).filter(|(app, crm)| !app.is_empty() || !crm.is_empty());
    Ok(DraftMapping {
        crm_field: form.crm_field.trim().to_owned(),
        app_field: form.app_field.trim().to_owned(),
        direction,
        // A browser sends a text area's line ends as CR LF.
        transform: Some(form.transform.replace("\r\n", "\n")).filter(|script| !script.trim().is_empty()),
        value_map: pairs.map(|(app, crm)| ValuePair { crm: crm.to_owned(), app: app.to_owned() }).collect(),
    })
}

fn rule_of_form(form: &MappingForm) -> Result<Option<FieldRule>, ServiceError> {
    if form.rule.is_empty() {
        return Ok(None);
    }
    let unknown = |_| ServiceError::invalid("rule", "Choose the connection's policy, the app or the CRM.");
    form.rule.parse().map(Some).map_err(unknown)
}

fn name_of(entity: Entity, row: &AppRow) -> String {
    let field = |name: &str| row.fields.get(name).cloned().flatten();
    match entity {
        Entity::Account | Entity::Opportunity => field("name").unwrap_or_default(),
        Entity::Contact => {
            [field("first_name"), field("last_name")].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
    }
}
