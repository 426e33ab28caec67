//! What mappings make of real records, before anything is published. Reads a few records from the CRM; writes nothing.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

use super::{DESCRIPTION_AGE, check, connection};
use crate::connectors::{CrmRecord, EntityDescription, ReadWindow};
use crate::model::{Capability, Entity, FieldDirection, FieldKind, ValuePair};
use crate::service::{ServiceError, Services, Viewer, descriptions};
use crate::store::app_rows::{self, AppRow};
use crate::store::setup::ConnectionSetup;
use crate::store::{links, mappings};
use crate::sync::{People, Record, Value, ValueMap, fit};
use crate::transform::{Direction, TransformCall};
use crate::view::mappings::{Preview, Sample, SampleError};

/// Most records of a preview.
const MOST: usize = 10;

/// A mapping that is looked at and not stored.
#[derive(Debug, Clone)]
pub struct DraftMapping {
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// Direction.
    pub direction: FieldDirection,
    /// JavaScript, if any.
    pub transform: Option<String>,
    /// Pairs of values.
    pub value_map: Vec<ValuePair>,
}

/// A record with both of its sides, as far as they are there.
pub(super) struct SampleRecord {
    pub(super) crm: Record,
    pub(super) app: Option<AppRow>,
}

/// Shows what `drafts` (else the published mappings) make of one record or of a few.
pub async fn preview(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    entity: Entity,
    drafts: Option<Vec<DraftMapping>>,
    record_id: Option<Uuid>,
) -> Result<Preview, ServiceError> {
    let drafted = drafts.is_some();
    if drafted {
        // Somebody's own JavaScript runs.
        viewer.require(Capability::ManageMappings)?;
    }
    let mut tx = services.begin(viewer).await?;
    let connection = connection(&mut tx, config_id).await?;
    let published = mappings::list(&mut tx, config_id).await?;
    tx.commit().await?;
    let drafts = drafts.unwrap_or_else(|| {
        let of_entity = published.into_iter().filter(|row| row.entity == entity);
        of_entity
            .map(|row| DraftMapping {
                crm_field: row.crm_field,
                app_field: row.app_field,
                direction: row.direction,
                transform: row.transform,
                value_map: row.value_map.unwrap_or_default(),
            })
            .collect()
    });
    let description =
        descriptions::at_most(services, viewer.workspace_id, config_id, connection.provider, entity, DESCRIPTION_AGE)
            .await?;
    if drafted {
        // What is published and no longer shown rests; it is no reason to refuse.
        refuse_unknown(entity, &description, &drafts)?;
    }
    let description = with_people(services, viewer, &connection, description, &drafts).await?;
    let records = records(services, viewer, &connection, &description, &drafts, record_id).await?;
    let samples = evaluate(services, viewer, config_id, &description, &drafts, &records).await?;
    Ok(Preview { samples, unmapped_required: unmapped_required(&description, &drafts) })
}

/// The description with the people that `drafts` name, where they name some.
pub(super) async fn with_people(
    services: &Services,
    viewer: &Viewer,
    connection: &ConnectionSetup,
    description: EntityDescription,
    drafts: &[DraftMapping],
) -> Result<EntityDescription, ServiceError> {
    if !drafts.iter().any(|draft| pairs_people(&description, draft)) {
        return Ok(description);
    }
    let ConnectionSetup { id, provider, .. } = *connection;
    descriptions::with_people(services, viewer.workspace_id, id, provider, description).await
}

fn pairs_people(description: &EntityDescription, draft: &DraftMapping) -> bool {
    let side = check::app_side(description.entity, &draft.app_field);
    side.zip(description.field(&draft.crm_field)).is_some_and(|(side, crm)| crm.pairs_people(side.kind))
}

fn refuse_unknown(
    entity: Entity,
    description: &EntityDescription,
    drafts: &[DraftMapping],
) -> Result<(), ServiceError> {
    let unknown = drafts.iter().find_map(|draft| {
        if check::app_side(entity, &draft.app_field).is_none() {
            Some(&draft.app_field)
        } else {
            description.field(&draft.crm_field).is_none().then_some(&draft.crm_field)
        }
    });
    match unknown {
        Some(field) => Err(ServiceError::invalid(
            "mappings",
            format!("There is no field {} in {}. Check its API name.", check::quoted(field), entity.plural()),
        )),
        None => Ok(()),
    }
}

/// CRM fields that a create must bring and that no mapping fills.
pub(super) fn unmapped_required(description: &EntityDescription, drafts: &[DraftMapping]) -> Vec<String> {
    let is_filled = |name: &str| drafts.iter().any(|draft| draft.crm_field == name && draft.direction.pushes());
    let required = description.fields.iter().filter(|field| field.required);
    required.filter(|field| !is_filled(&field.name)).map(|field| field.name.clone()).collect()
}

/// Linked records first; before the first sync the first ones that the CRM has.
pub(super) async fn records(
    services: &Services,
    viewer: &Viewer,
    connection: &ConnectionSetup,
    description: &EntityDescription,
    drafts: &[DraftMapping],
    record_id: Option<Uuid>,
) -> Result<Vec<SampleRecord>, ServiceError> {
    let entity = description.entity;
    let mut tx = services.begin(viewer).await?;
    let ids: Vec<Uuid> = match record_id {
        Some(id) => vec![id],
        None => {
            let linked = mappings::linked_records(&mut tx, connection.id, entity, MOST as i64).await?;
            linked.into_iter().map(|(id, _)| id).collect()
        }
    };
    let rows = app_rows::read(&mut tx, entity, &ids).await?;
    let crm_ids = links::crm_ids_of(&mut tx, connection.id, entity, &ids).await?;
    tx.commit().await?;
    if record_id.is_some() && rows.is_empty() {
        return Err(ServiceError::not_found("record"));
    }
    let fields: Vec<String> =
        description.fields.iter().map(|field| &field.name).filter(|name| is_mapped(drafts, name)).cloned().collect();
    let found =
        read(services, viewer, connection, entity, fields, crm_ids.values().cloned().collect(), record_id).await?;
    if rows.is_empty() {
        return Ok(found.into_iter().map(|record| SampleRecord { crm: record.fields, app: None }).collect());
    }
    let mut by_id: HashMap<String, Record> = found.into_iter().map(|record| (record.id, record.fields)).collect();
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let crm = crm_ids.get(&row.id).and_then(|id| by_id.remove(id));
            // A record that was asked for by name is shown without a partner too.
            (crm.is_some() || record_id.is_some())
                .then(|| SampleRecord { crm: crm.unwrap_or_default(), app: Some(row) })
        })
        .collect())
}

fn is_mapped(drafts: &[DraftMapping], crm_field: &str) -> bool {
    drafts.iter().any(|draft| draft.crm_field == crm_field)
}

async fn read(
    services: &Services,
    viewer: &Viewer,
    connection: &ConnectionSetup,
    entity: Entity,
    fields: Vec<String>,
    ids: Vec<String>,
    record_id: Option<Uuid>,
) -> Result<Vec<CrmRecord>, ServiceError> {
    if ids.is_empty() && record_id.is_some() {
        return Ok(Vec::new());
    }
    let (fields, ids) = (&fields, &ids);
    descriptions::call(services, viewer.workspace_id, connection.id, connection.provider, |crm| async move {
        if !ids.is_empty() {
            return crm.connector.read_by_id(&crm.session, entity, fields, ids).await;
        }
        let window = ReadWindow { entity, fields: fields.clone(), since: None, filter: None };
        let mut page = crm.connector.read(&crm.session, &window, None).await?;
        page.records.truncate(MOST);
        Ok(page.records)
    })
    .await
}

/// Runs every mapping over every record, both ways as its direction allows.
pub(super) async fn evaluate(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    description: &EntityDescription,
    drafts: &[DraftMapping],
    records: &[SampleRecord],
) -> Result<Vec<Sample>, ServiceError> {
    let entity = description.entity;
    let partners = partners(services, viewer, config_id, description, drafts, records).await?;
    let people = People::new(description.people.as_deref().unwrap_or_default());
    let transformed = transformed(services, drafts, records).await;
    let mut samples = Vec::with_capacity(records.len());
    for (place, record) in records.iter().enumerate() {
        let mut sample = Sample {
            crm: BTreeMap::new(),
            app: record.app.as_ref().map(|_| BTreeMap::new()),
            mapped: BTreeMap::new(),
            to_crm: BTreeMap::new(),
            errors: Vec::new(),
        };
        for (index, draft) in drafts.iter().enumerate() {
            let side = check::app_side(entity, &draft.app_field);
            let names_people = pairs_people(description, draft);
            let crm_value = record.crm.get(&draft.crm_field).cloned();
            let app_value = record.app.as_ref().map(|row| row.fields.get(&draft.app_field).cloned().flatten());
            if let Some(value) = &crm_value {
                sample.crm.insert(draft.crm_field.clone(), value.clone());
            }
            if let (Some(app), Some(value)) = (&mut sample.app, &app_value) {
                app.insert(draft.app_field.clone(), value.clone());
            }
            if let Some(value) = crm_value.filter(|_| draft.direction.pulls()) {
                let map = ValueMap(draft.value_map.clone());
                let kind = side.as_ref().map_or(FieldKind::Text, |side| side.kind);
                let outcome = match side.as_ref().and_then(|side| side.references) {
                    Some(_) => partners.to_app(&value),
                    None if names_people => person(&value, |id| people.address(id)),
                    None => {
                        transformed.answer(place, index, true, value).and_then(|value| fit(kind, map.to_app(&value)))
                    }
                };
                note(&mut sample.mapped, &mut sample.errors, draft, &draft.app_field, outcome);
            }
            if let Some(value) = app_value.filter(|_| draft.direction.pushes()) {
                let outcome = match side.as_ref().and_then(|side| side.references) {
                    Some(_) => partners.to_crm(&value),
                    None if names_people => person(&value, |address| people.id(address)),
                    None => transformed.answer(place, index, false, value),
                };
                let outcome = outcome.and_then(|value| within_length(description, draft, value));
                note(&mut sample.to_crm, &mut sample.errors, draft, &draft.crm_field, outcome);
            }
        }
        samples.push(sample);
    }
    Ok(samples)
}

fn person(value: &Value, partner: impl Fn(&str) -> Option<String>) -> Result<Value, String> {
    let Some(name) = value else { return Ok(None) };
    partner(name)
        .map(Some)
        .ok_or_else(|| "nobody on the other side has this e-mail address; it waits for that".to_owned())
}

fn note(
    values: &mut BTreeMap<String, Value>,
    errors: &mut Vec<SampleError>,
    draft: &DraftMapping,
    field: &str,
    outcome: Result<Value, String>,
) {
    let value = outcome.unwrap_or_else(|message| {
        errors.push(SampleError { app_field: draft.app_field.clone(), message });
        None
    });
    values.insert(field.to_owned(), value);
}

fn within_length(description: &EntityDescription, draft: &DraftMapping, value: Value) -> Result<Value, String> {
    let longest = description.field(&draft.crm_field).and_then(|field| field.max_length);
    match (longest, &value) {
        (Some(longest), Some(text)) if text.chars().count() > longest as usize => {
            Err(format!("the value is longer than the {longest} characters that the CRM takes"))
        }
        _ => Ok(value),
    }
}

/// What transforms answered, by place of the record and of the mapping, and direction.
struct Transformed {
    answers: HashMap<(usize, usize, bool), Result<Value, String>>,
    maps: Vec<Option<ValueMap>>,
}

impl Transformed {
    fn answer(&self, place: usize, index: usize, to_app: bool, value: Value) -> Result<Value, String> {
        match self.answers.get(&(place, index, to_app)) {
            Some(answer) => answer.clone(),
            None if to_app => Ok(value),
            None => Ok(self.maps[index].as_ref().map_or(value.clone(), |map| map.to_crm(&value))),
        }
    }
}

async fn transformed(services: &Services, drafts: &[DraftMapping], records: &[SampleRecord]) -> Transformed {
    let maps: Vec<Option<ValueMap>> =
        drafts.iter().map(|draft| (!draft.value_map.is_empty()).then(|| ValueMap(draft.value_map.clone()))).collect();
    let (mut keys, mut calls) = (Vec::new(), Vec::new());
    for (place, record) in records.iter().enumerate() {
        for (index, draft) in drafts.iter().enumerate() {
            let Some(script) = &draft.transform else { continue };
            if let Some(value) = record.crm.get(&draft.crm_field).cloned().flatten().filter(|_| draft.direction.pulls())
            {
                keys.push((place, index, true));
                calls.push(TransformCall {
                    script: script.clone(),
                    direction: Direction::ToApp,
                    value: Some(value),
                    record: record.crm.clone(),
                });
            }
            let app = record.app.as_ref().filter(|_| draft.direction.pushes());
            if let Some((row, value)) =
                app.and_then(|row| Some((row, row.fields.get(&draft.app_field).cloned().flatten()?)))
            {
                let value = Some(value);
                keys.push((place, index, false));
                calls.push(TransformCall {
                    script: script.clone(),
                    direction: Direction::ToCrm,
                    value: maps[index].as_ref().map_or(value.clone(), |map| map.to_crm(&value)),
                    record: row.fields.clone(),
                });
            }
        }
    }
    let answers = if calls.is_empty() { Vec::new() } else { services.transforms.run(calls).await };
    Transformed { answers: keys.into_iter().zip(answers).collect(), maps }
}

/// References of the records, both ways.
#[derive(Default)]
struct Partners {
    to_app: BTreeMap<String, Uuid>,
    to_crm: BTreeMap<Uuid, String>,
}

impl Partners {
    fn to_app(&self, crm_id: &Value) -> Result<Value, String> {
        let Some(crm_id) = crm_id else { return Ok(None) };
        let record = self.to_app.get(crm_id).ok_or("its record is not linked yet; it waits for that")?;
        Ok(Some(record.to_string()))
    }

    fn to_crm(&self, record_id: &Value) -> Result<Value, String> {
        let Some(record_id) = record_id else { return Ok(None) };
        let crm_id = record_id.parse().ok().and_then(|id: Uuid| self.to_crm.get(&id));
        Ok(Some(crm_id.ok_or("its record is not linked yet; it waits for that")?.clone()))
    }
}

async fn partners(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    description: &EntityDescription,
    drafts: &[DraftMapping],
    records: &[SampleRecord],
) -> Result<Partners, ServiceError> {
    let mut partners = Partners::default();
    let mut tx = services.begin(viewer).await?;
    for draft in drafts {
        let side = check::app_side(description.entity, &draft.app_field);
        let Some(entity) = side.and_then(|side| side.references) else { continue };
        let crm_ids: Vec<String> =
            records.iter().filter_map(|record| record.crm.get(&draft.crm_field).cloned().flatten()).collect();
        let record_ids: Vec<Uuid> = records
            .iter()
            .filter_map(|record| record.app.as_ref()?.fields.get(&draft.app_field).cloned().flatten()?.parse().ok())
            .collect();
        partners.to_app.extend(links::record_ids_of(&mut tx, config_id, entity, &crm_ids).await?);
        partners.to_crm.extend(links::crm_ids_of(&mut tx, config_id, entity, &record_ids).await?);
    }
    tx.commit().await?;
    Ok(partners)
}
