//! The company that a contact or deal belongs to: HubSpot's primary association, shown as a field (dossier 4).
//!
//! Reading is by the property that mirrors it; writing is by the associations, because the mirror of a deal cannot be written.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::ConnectorError;
use super::api::{Api, Written};
use super::errors;
use super::records::Text;
use crate::model::Entity;
use crate::sync::Value;

/// Records whose associations one call reads.
const READ_BATCH: usize = 1000;

/// The types of an association that is primary: that one, and the one without a label that goes with it.
struct Kinds {
    primary: u64,
    plain: u64,
}

/// A record's company as it is to be.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// The contact or deal.
    pub id: String,
    /// The company; `None`: none.
    pub company: Value,
    /// The company until now.
    pub before: Value,
}

#[derive(Debug, Default, Deserialize)]
struct Batch {
    #[serde(default)]
    results: Vec<Ends>,
    #[serde(default)]
    errors: Vec<Json>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ends {
    #[serde(default)]
    from: Option<End>,
    #[serde(default)]
    to: Vec<Associated>,
    #[serde(default)]
    paging: Option<super::records::Paging>,
}

#[derive(Debug, Deserialize)]
struct End {
    id: Text,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Associated {
    to_object_id: Text,
    #[serde(default)]
    association_types: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kind {
    type_id: u64,
}

/// The property that mirrors an entity's primary company.
pub(super) const fn reference(entity: Entity) -> Option<&'static str> {
    match entity {
        Entity::Account => None,
        Entity::Contact => Some("associatedcompanyid"),
        Entity::Opportunity => Some("hs_primary_associated_company"),
    }
}

/// Whether a property is such a mirror.
pub(super) fn is_reference(entity: Entity, property: &str) -> bool {
    reference(entity) == Some(property)
}

fn kinds(entity: Entity) -> Kinds {
    match entity {
        Entity::Opportunity => Kinds { primary: 5, plain: 341 },
        Entity::Account | Entity::Contact => Kinds { primary: 1, plain: 279 },
    }
}

/// The types that a primary association is made with.
fn types(entity: Entity) -> Json {
    let Kinds { primary, plain } = kinds(entity);
    let one = |id: u64| json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": id });
    json!([one(primary), one(plain)])
}

/// The member of a new record that makes it belong to a company.
pub(super) fn of_new_record(entity: Entity, company: &str) -> Json {
    json!([{ "to": { "id": company }, "types": types(entity) }])
}

/// The primary companies of records. Each record that was asked for has an entry.
pub(super) async fn primaries(
    api: &Api<'_>,
    entity: Entity,
    ids: &[String],
) -> Result<HashMap<String, Value>, ConnectorError> {
    let path = api.paths.associations(entity, Entity::Account, "read");
    let primary = kinds(entity).primary;
    let mut found: HashMap<String, Value> = ids.iter().map(|id| (id.clone(), None)).collect();
    for ids in ids.chunks(READ_BATCH) {
        let mut inputs: Vec<Json> = ids.iter().map(|id| json!({ "id": id })).collect();
        while !inputs.is_empty() {
            let batch: Batch = api.ask(&path, &json!({ "inputs": inputs })).await?;
            inputs.clear();
            for ends in batch.results {
                let Some(id) = ends.from.and_then(|from| from.id.0) else { continue };
                let main = |to: &&Associated| to.association_types.iter().any(|kind| kind.type_id == primary);
                let company = ends.to.iter().find(main).and_then(|to| to.to_object_id.0.clone());
                // A record with very many companies shows them by the page.
                if let (None, Some(after)) = (&company, ends.paging.as_ref().and_then(super::records::Paging::after)) {
                    inputs.push(json!({ "id": id, "after": after }));
                }
                if company.is_some() {
                    found.insert(id, company);
                }
            }
        }
    }
    Ok(found)
}

/// Ids of all that records are associated with at a path, by record; those without are left out.
pub(super) async fn all(
    api: &Api<'_>,
    path: &str,
    ids: &[String],
) -> Result<HashMap<String, Vec<String>>, ConnectorError> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    for ids in ids.chunks(READ_BATCH) {
        let mut inputs: Vec<Json> = ids.iter().map(|id| json!({ "id": id })).collect();
        while !inputs.is_empty() {
            let batch: Batch = api.ask(path, &json!({ "inputs": inputs })).await?;
            inputs.clear();
            for ends in batch.results {
                let Some(id) = ends.from.and_then(|from| from.id.0) else { continue };
                if let Some(after) = ends.paging.as_ref().and_then(super::records::Paging::after) {
                    inputs.push(json!({ "id": id, "after": after }));
                }
                found.entry(id).or_default().extend(ends.to.into_iter().filter_map(|to| to.to_object_id.0));
            }
        }
    }
    Ok(found)
}

/// Makes records belong to companies, or to none. Answers with the errors, by record id.
pub(super) async fn write(
    api: &Api<'_>,
    entity: Entity,
    changes: &[Change],
) -> Result<HashMap<String, Json>, ConnectorError> {
    let to = |company: &String| json!({ "id": company });
    let set: Vec<(String, Json)> = changes
        .iter()
        .filter_map(|change| {
            let company = change.company.as_ref()?;
            let from = json!({ "id": change.id });
            Some((change.id.clone(), json!({ "from": from, "to": to(company), "types": types(entity) })))
        })
        .collect();
    // The whole association goes: a company that is left without a label may become the main one again.
    let cleared: Vec<(String, Json)> = changes
        .iter()
        .filter(|change| change.company.is_none())
        .filter_map(|change| {
            let before = change.before.as_ref()?;
            Some((change.id.clone(), json!({ "from": { "id": change.id }, "to": [to(before)] })))
        })
        .collect();
    let mut refused = HashMap::new();
    refused.extend(apply(api, &api.paths.associations(entity, Entity::Account, "create"), set).await?);
    refused.extend(apply(api, &api.paths.associations(entity, Entity::Account, "archive"), cleared).await?);
    Ok(refused)
}

/// Sends inputs; a batch that is refused is halved until what is wrong stands alone.
async fn apply(
    api: &Api<'_>,
    path: &str,
    inputs: Vec<(String, Json)>,
) -> Result<HashMap<String, Json>, ConnectorError> {
    let mut refused = HashMap::new();
    let mut waiting = vec![inputs];
    while let Some(mut inputs) = waiting.pop() {
        if inputs.is_empty() {
            continue;
        }
        let bodies: Vec<&Json> = inputs.iter().map(|(_, input)| input).collect();
        match api.change::<Batch>(path, &json!({ "inputs": bodies })).await? {
            Written::Answered(batch) if batch.errors.is_empty() => {}
            Written::Refused { status: errors::LOCKED, .. } => {
                return Err(ConnectorError::Transient { detail: "locked".to_owned() });
            }
            Written::Answered(_) | Written::Refused { .. } if inputs.len() > 1 => {
                // Setting an association that is there changes nothing, so that halves may be sent again.
                let rest = inputs.split_off(inputs.len() / 2);
                waiting.extend([inputs, rest]);
            }
            Written::Answered(batch) => {
                let error = batch.errors.into_iter().next().unwrap_or_default();
                refused.extend(inputs.into_iter().map(|(id, _)| (id, error.clone())));
            }
            Written::Refused { body, .. } => refused.extend(inputs.into_iter().map(|(id, _)| (id, body.clone()))),
        }
    }
    Ok(refused)
}
