//! Auto-map: which fields may belong together, with a score and the reason. Proposes; only a person publishes.

use std::collections::HashMap;

use uuid::Uuid;

use super::screen::{config_of, transform_words};
use super::{DESCRIPTION_AGE, check, connection, insert, publish, published, rule_of};
use crate::connectors::{CrmRecord, EntityDescription};
use crate::model::{Capability, Entity, FieldDirection, FieldKind, Provider, app_fields};
use crate::service::{ServiceError, Services, Viewer, descriptions};
use crate::store::app_rows::{self, AppRow};
use crate::store::mappings::{self, MappingChange, MappingRow};
use crate::store::setup::ConnectionSetup;
use crate::store::{WorkspaceTx, links};
use crate::sync::{FreeAppField, FreeCrmField, MatchedRecord, Proposal, Record, auto_map, default_mapping};
use crate::view::instant::counted;
use crate::view::mappings::{SuggestedMapping, Suggestion, Suggestions};

/// Linked records whose values are compared at most.
const MOST_RECORDS: i64 = 200;

/// Newest records in which the workspace's own fields are looked for.
const NEWEST: i64 = 1_000;

/// Fields that one reading asks for: their names travel in the address.
const FIELDS_PER_READING: usize = 150;

/// What may be mapped, the most certain first. Nothing is saved.
pub async fn suggestions(
    services: &Services,
    viewer: &Viewer,
    config_id: Uuid,
    entity: Entity,
) -> Result<Vec<Suggestion>, ServiceError> {
    let found = propose(services, viewer, config_id, entity).await?;
    let suggestion = |proposal: Proposal| Suggestion {
        crm_field: proposal.crm_field,
        app_field: proposal.app_field,
        score: proposal.score,
        reason: proposal.reason,
    };
    Ok(found.proposals.into_iter().map(suggestion).collect())
}

/// The same for the mapping screen, each with the mapping that it would become.
pub async fn propose_on(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    entity: Entity,
) -> Result<Suggestions, ServiceError> {
    let config_id = config_of_provider(services, viewer, provider).await?;
    let Found { proposals, description, compared } = propose(services, viewer, config_id, entity).await?;
    let row = |proposal: Proposal| {
        let draft = draft(provider, &description, &proposal.crm_field, &proposal.app_field)?;
        let label = description.field(&proposal.crm_field).map(|field| field.label.clone());
        Some(SuggestedMapping {
            crm_label: label.unwrap_or_default(),
            percent: (proposal.score * 100.0).round() as u8,
            reason: proposal.reason,
            direction: draft.direction,
            transform: transform_words(&draft),
            crm_field: proposal.crm_field,
            app_field: proposal.app_field,
        })
    };
    let compared = match compared {
        0 => "Names, meanings and types were compared; no records are linked whose values could tell more.".to_owned(),
        some => {
            format!("Names, meanings, types and the values of {} were compared.", counted(some as u64, "linked record"))
        }
    };
    Ok(Suggestions { compared, rows: proposals.into_iter().filter_map(row).collect() })
}

/// Publishes proposals, each as `crm_field=app_field`: all of them or none. Returns the changes.
pub async fn accept(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    entity: Entity,
    accepted: &[String],
) -> Result<Vec<Uuid>, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    if accepted.is_empty() {
        return Err(ServiceError::invalid("accepted", "Nothing is ticked. Tick what to map, then publish it."));
    }
    let config_id = config_of_provider(services, viewer, provider).await?;
    let description =
        descriptions::at_most(services, viewer.workspace_id, config_id, provider, entity, DESCRIPTION_AGE).await?;
    let drafts = accepted.iter().map(|pair| {
        let (crm, app) = pair.split_once('=')?;
        Some(MappingRow { id: services.rng.uuid(), ..draft(provider, &description, crm, app)? })
    });
    let drafts: Vec<MappingRow> = drafts.collect::<Option<_>>().ok_or_else(|| {
        ServiceError::invalid(
            "accepted",
            "These fields can no longer be mapped like this. Look at the proposals again.",
        )
    })?;

    let mut tx = services.begin(viewer).await?;
    connection(&mut tx, config_id).await?;
    let mut changes = Vec::with_capacity(drafts.len());
    for row in drafts {
        insert(&mut tx, config_id, &row).await?;
        let rule = rule_of(&mut tx, config_id, entity, &row.app_field).await?;
        let after = Some(published(&row, rule));
        let change = MappingChange { id: services.rng.uuid(), entity, mapping_id: row.id, before: None, after };
        publish(&mut tx, config_id, &change, viewer.user_id).await?;
        changes.push(change.id);
    }
    tx.commit().await?;
    Ok(changes)
}

async fn config_of_provider(services: &Services, viewer: &Viewer, provider: Provider) -> Result<Uuid, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let config_id = config_of(&mut tx, provider).await?;
    tx.commit().await?;
    Ok(config_id)
}

/// What auto-map found, and in what.
struct Found {
    proposals: Vec<Proposal>,
    description: EntityDescription,
    /// Linked records whose values were compared.
    compared: usize,
}

async fn propose(services: &Services, viewer: &Viewer, config_id: Uuid, entity: Entity) -> Result<Found, ServiceError> {
    viewer.require(Capability::ManageMappings)?;
    let mut tx = services.begin(viewer).await?;
    let connection = connection(&mut tx, config_id).await?;
    let mut mapped = mappings::list(&mut tx, config_id).await?;
    mapped.retain(|row| row.entity == entity);
    let own = mappings::own_fields(&mut tx, entity, NEWEST).await?;
    let linked = linked(&mut tx, config_id, entity).await?;
    tx.commit().await?;

    let provider = connection.provider;
    let description =
        descriptions::at_most(services, viewer.workspace_id, config_id, provider, entity, DESCRIPTION_AGE).await?;
    let crm = free_crm_fields(&description, &mapped);
    let app = free_app_fields(entity, &own, &mapped);
    let matched = matched(services, viewer, &connection, entity, &crm, linked).await;
    let mut proposals = auto_map(provider, entity, &crm, &app, &matched);
    proposals.retain(|one| draft(provider, &description, &one.crm_field, &one.app_field).is_some());
    Ok(Found { proposals, description, compared: matched.len() })
}

async fn linked(tx: &mut WorkspaceTx, config_id: Uuid, entity: Entity) -> Result<Vec<(String, AppRow)>, ServiceError> {
    let names = mappings::linked_records(tx, config_id, entity, MOST_RECORDS).await?;
    let ids: Vec<Uuid> = names.into_iter().map(|(id, _)| id).collect();
    let mut crm_ids = links::crm_ids_of(tx, config_id, entity, &ids).await?;
    let rows = app_rows::read(tx, entity, &ids).await?;
    Ok(rows.into_iter().filter_map(|row| Some((crm_ids.remove(&row.id)?, row))).collect())
}

fn free_crm_fields(description: &EntityDescription, mapped: &[MappingRow]) -> Vec<FreeCrmField> {
    let is_free = |name: &str| mapped.iter().all(|row| row.crm_field != name);
    let fields = description.fields.iter().filter(|field| is_free(&field.name));
    fields
        .map(|field| FreeCrmField {
            name: field.name.clone(),
            label: field.label.clone(),
            kind: field.kind,
            references: field.references,
            person: field.person,
        })
        .collect()
}

fn free_app_fields(entity: Entity, own: &[String], mapped: &[MappingRow]) -> Vec<FreeAppField> {
    let names = app_fields(entity).iter().map(|field| field.name).chain(own.iter().map(String::as_str));
    names
        .filter(|name| mapped.iter().all(|row| row.app_field != *name))
        .filter_map(|name| {
            let side = check::app_side(entity, name)?;
            Some(FreeAppField {
                name: name.to_owned(),
                label: side.label,
                kind: side.kind,
                references: side.references,
            })
        })
        .collect()
}

/// Both sides of linked records. Where the CRM does not answer, the names alone must do.
async fn matched(
    services: &Services,
    viewer: &Viewer,
    connection: &ConnectionSetup,
    entity: Entity,
    crm: &[FreeCrmField],
    linked: Vec<(String, AppRow)>,
) -> Vec<MatchedRecord> {
    let names = crm.iter().filter(|field| field.kind != FieldKind::Reference).map(|field| field.name.clone());
    let (names, ids): (Vec<String>, Vec<String>) = (names.collect(), linked.iter().map(|(id, _)| id.clone()).collect());
    if ids.is_empty() {
        return Vec::new();
    }
    let ids = &ids;
    let mut found: HashMap<String, Record> = HashMap::new();
    for fields in names.chunks(FIELDS_PER_READING) {
        let ConnectionSetup { id, provider, .. } = *connection;
        let records: Vec<CrmRecord> =
            descriptions::call(services, viewer.workspace_id, id, provider, |crm| async move {
                crm.connector.read_by_id(&crm.session, entity, fields, ids).await
            })
            .await
            .unwrap_or_default();
        for record in records {
            found.entry(record.id).or_default().extend(record.fields);
        }
    }
    let pair = |(id, row): (String, AppRow)| Some(MatchedRecord { crm: found.remove(&id)?, app: row.fields });
    linked.into_iter().filter_map(pair).collect()
}

/// The mapping of two fields that works: as the default one of the two, else two-way, else pulled.
fn draft(provider: Provider, description: &EntityDescription, crm_field: &str, app_field: &str) -> Option<MappingRow> {
    let entity = description.entity;
    let default = default_mapping(provider, entity, crm_field, app_field);
    let first = default.map_or(FieldDirection::Bidirectional, |default| default.direction);
    [first, FieldDirection::Pull].into_iter().find_map(|direction| {
        let row = MappingRow {
            id: Uuid::nil(),
            entity,
            crm_field: crm_field.to_owned(),
            app_field: app_field.to_owned(),
            direction,
            transform: default.and_then(|default| default.transform).map(str::to_owned),
            value_map: default.and_then(|default| default.value_pairs()),
            suspended: None,
        };
        check::problems(provider, description, &row).is_empty().then_some(row)
    })
}
