//! Before a record is created in the CRM: whether the CRM has it already, and which ones wait for a person.

use std::collections::{BTreeMap, HashMap, HashSet};

use uuid::Uuid;

use super::{Plan, is_new_to_crm, may_create};
use crate::connectors::{CrmRecord, KeyLookup};
use crate::engine::context::EntityContext;
use crate::engine::matching::seen;
use crate::engine::run::{Step, StepError};
use crate::engine::translate::{Pair, References, Transformed, translate};
use crate::model::{ConflictKind, Entity, LinkState};
use crate::store::app_rows::AppRow;
use crate::store::questions::{self, Question};
use crate::store::{WorkspaceTx, links, pending};
use crate::sync::{Candidate, MatchOutcome, Record, match_keys, match_records};

/// What is known of the records that would be created.
pub(super) struct Partners {
    /// CRM records that are the partners of app records.
    pub(super) found: HashMap<Uuid, CrmRecord>,
    /// App records that a person is asked about.
    pub(super) waiting: HashSet<Uuid>,
    /// Links of CRM records that could not be created in the app, by CRM id.
    pub(super) links: HashMap<String, Uuid>,
}

/// What the CRM has under the external ids and match keys of records that would be created.
pub(super) async fn look_up(
    step: &Step,
    context: &EntityContext,
    pairs: &[Pair],
    transformed: &Transformed,
) -> Result<Vec<CrmRecord>, StepError> {
    let allowed = may_create(step, context);
    let new: Vec<(usize, &Pair)> =
        pairs.iter().enumerate().filter(|(_, pair)| allowed && is_new_to_crm(pair)).collect();
    let references = References::default();
    let takes_part = |place: usize, pair: &Pair| {
        context.scope.is_none() || context.app_takes_part(&translate(context, pair, place, &references, transformed))
    };
    let new: Vec<(usize, &Pair)> = new.into_iter().filter(|(place, pair)| takes_part(*place, pair)).collect();
    let mut found = Vec::new();
    for new in new.chunks(step.connector()?.batch_size()) {
        found.extend(look_up_batch(step, context, new, transformed).await?);
    }
    Ok(found)
}

async fn look_up_batch(
    step: &Step,
    context: &EntityContext,
    new: &[(usize, &Pair)],
    transformed: &Transformed,
) -> Result<Vec<CrmRecord>, StepError> {
    let mut lookups = Vec::new();
    if let Some(field) = external_id_field(step, context)? {
        let values = new.iter().filter_map(|(_, pair)| Some(external_id(step, pair.app.as_ref()?.id))).collect();
        lookups.push(KeyLookup { field, values });
    }
    let key_field = match context.entity {
        Entity::Contact => "email",
        Entity::Account | Entity::Opportunity => "name",
    };
    let key = context.fields.iter().position(|field| field.mapped.app_field == key_field);
    if let Some(index) = key {
        let references = References::default();
        let values: Vec<String> = new
            .iter()
            .filter_map(|(place, pair)| {
                translate(context, pair, *place, &references, transformed).states[index].app_as_crm.clone().ok()?
            })
            .collect();
        if !values.is_empty() {
            lookups.push(KeyLookup { field: context.fields[index].mapped.crm_field.clone(), values });
        }
    }
    let mut fields = context.crm_fields();
    fields.extend(external_id_field(step, context)?);
    let (fields, lookups, entity) = (&fields, &lookups, context.entity);
    step.call(|crm| async move { crm.connector.find(&crm.session, entity, fields, lookups).await }).await
}

fn external_id_field(step: &Step, context: &EntityContext) -> Result<Option<String>, StepError> {
    Ok(step.connector()?.external_id_field(&context.description))
}

/// The external id of an app record: names workspace and record, so that another's is never overwritten.
pub(crate) fn external_id(step: &Step, record_id: impl std::fmt::Display) -> String {
    format!("{}:{record_id}", step.workspace_id)
}

impl Plan<'_> {
    /// Which of the records to create are in the CRM already, and which wait for a person.
    pub(super) async fn partners(
        &mut self,
        tx: &mut WorkspaceTx,
        pairs: &[Pair],
        found: Vec<CrmRecord>,
    ) -> Result<Partners, StepError> {
        let (config_id, entity) = (self.step.run.config_id, self.context.entity);
        let asked = questions::pending_matches(tx, config_id, entity).await?;
        let mut partners = Partners {
            found: HashMap::new(),
            waiting: asked.into_iter().filter_map(|(record_id, _)| record_id).collect(),
            links: HashMap::new(),
        };
        let crm_ids: Vec<String> = found.iter().map(|record| record.id.clone()).collect();
        let mut linked = HashSet::new();
        for link in links::by_crm_ids(tx, config_id, entity, &crm_ids).await? {
            let Some(crm_id) = link.crm_record_id else { continue };
            if link.state == LinkState::Creating && link.record_id.is_none() {
                partners.links.insert(crm_id, link.id);
            } else {
                linked.insert(crm_id);
            }
        }
        let mut free: HashMap<String, CrmRecord> = found
            .into_iter()
            .filter(|record| !linked.contains(&record.id))
            .map(|record| (record.id.clone(), record))
            .collect();
        let new: Vec<&AppRow> =
            pairs.iter().filter(|pair| is_new_to_crm(pair)).filter_map(|pair| pair.app.as_ref()).collect();
        if let Some(field) = external_id_field(self.step, self.context)? {
            let own: HashMap<String, Uuid> = new.iter().map(|row| (external_id(self.step, row.id), row.id)).collect();
            let ours: Vec<(Uuid, String)> = free
                .values()
                .filter_map(|record| {
                    let value = record.fields.get(&field)?.as_ref()?;
                    Some((*own.get(value)?, record.id.clone()))
                })
                .collect();
            for (record_id, crm_id) in ours {
                partners.found.extend(free.remove(&crm_id).map(|record| (record_id, record)));
            }
        }
        self.match_free(tx, &new, free, &mut partners).await?;
        Ok(partners)
    }

    async fn match_free(
        &mut self,
        tx: &mut WorkspaceTx,
        new: &[&AppRow],
        mut free: HashMap<String, CrmRecord>,
        partners: &mut Partners,
    ) -> Result<(), StepError> {
        let (config_id, entity) = (self.step.run.config_id, self.context.entity);
        let mut forms: BTreeMap<&String, Record> =
            free.iter().map(|(id, record)| (id, seen(self.context, &record.fields))).collect();
        // Keys are compared in app form: a reference by the app record that it is linked with.
        for field in &self.context.fields {
            let Some(target) = field.references else { continue };
            let name = &field.mapped.app_field;
            let ids: Vec<String> = forms.values().filter_map(|form| form.get(name).cloned().flatten()).collect();
            let partner = links::record_ids_of(tx, config_id, target, &ids).await?;
            for value in forms.values_mut().filter_map(|form| form.get_mut(name)) {
                *value = value.as_ref().and_then(|id| partner.get(id)).map(Uuid::to_string);
            }
        }
        let crm: Vec<Candidate<'_>> =
            forms.iter().map(|(id, form)| Candidate { id, keys: match_keys(entity, form) }).collect();
        let ids: Vec<(String, &AppRow)> = new
            .iter()
            .filter(|row| !partners.found.contains_key(&row.id) && !partners.waiting.contains(&row.id))
            .map(|row| (row.id.to_string(), *row))
            .collect();
        let app: Vec<Candidate<'_>> =
            ids.iter().map(|(id, row)| Candidate { id, keys: match_keys(entity, &row.fields) }).collect();
        let apart: HashSet<(String, String)> = pending::apart(tx, config_id, entity)
            .await?
            .into_iter()
            .map(|(crm_id, record_id)| (crm_id, record_id.to_string()))
            .collect();
        for outcome in match_records(&crm, &app, &apart) {
            match outcome {
                MatchOutcome::Pair { crm, app } => {
                    if let (Ok(record_id), Some(record)) = (app.parse(), free.remove(&crm)) {
                        partners.found.insert(record_id, record);
                    }
                }
                MatchOutcome::Ambiguous { crm, app } => {
                    let Some(record) = free.get(&crm) else { continue };
                    for record_id in app.iter().filter_map(|id| id.parse::<Uuid>().ok()) {
                        let row = new.iter().find(|row| row.id == record_id);
                        self.batch.ask(match_question(self.context, record, row.copied()));
                        partners.waiting.insert(record_id);
                    }
                }
                MatchOutcome::Alone { .. } => {}
            }
        }
        Ok(())
    }
}

/// Asks a person whether a CRM record and an app record are the same.
pub(crate) fn match_question(context: &EntityContext, record: &CrmRecord, row: Option<&AppRow>) -> Question {
    let crm = seen(context, &record.fields);
    let app: Record = row
        .map(|row| {
            row.fields
                .iter()
                .filter(|(field, _)| crm.contains_key(*field))
                .map(|(f, v)| (f.clone(), v.clone()))
                .collect()
        })
        .unwrap_or_default();
    Question {
        kind: ConflictKind::Match,
        link_id: None,
        record_id: row.map(|row| row.id),
        crm_record_id: Some(record.id.clone()),
        fields: crm.keys().filter(|field| app.get(*field) != crm.get(*field)).cloned().collect(),
        app,
        crm: crm.clone(),
        base: Record::new(),
        crm_raw: crm,
        settled: false,
    }
}
