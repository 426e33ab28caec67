//! When the values in conflict were entered, where the CRM keeps a history: the later edit wins field by field, not by the
//! record's stamp. Asked for conflicting records only (`sync.md`, "Policies").

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::context::{EntityContext, Field};
use super::read::is_alive;
use super::run::{Step, StepError};
use super::translate::Pair;
use crate::model::{ConflictPolicy, LinkState};
use crate::sync::{Decision, Rule, group_of, same};

/// By CRM record and CRM field: epoch milliseconds by the CRM's clock.
pub(crate) type EditTimes = HashMap<String, BTreeMap<String, i64>>;

/// Whether any conflict of this entity is decided by times that the CRM could tell.
pub(crate) fn are_told(step: &Step, context: &EntityContext) -> Result<bool, StepError> {
    let decide = context.merge.policy == ConflictPolicy::LastWriteWins && context.pulls && context.pushes;
    Ok(decide && step.connector()?.keeps_history())
}

/// Whether both sides of any of these records changed a field.
pub(crate) fn are_needed(context: &EntityContext, pairs: &[Pair]) -> bool {
    pairs.iter().any(|pair| !in_conflict(context, pair).is_empty())
}

/// Asks when the fields in conflict got the values that the CRM shows.
pub(crate) async fn ask(step: &Step, context: &EntityContext, pairs: &[Pair]) -> Result<EditTimes, StepError> {
    let mut ids = Vec::new();
    let mut fields = BTreeSet::new();
    for pair in pairs {
        let conflicts = in_conflict(context, pair);
        let Some(id) = pair.link.as_ref().and_then(|link| link.crm_record_id.as_ref()) else { continue };
        if !conflicts.is_empty() {
            ids.push(id.clone());
            fields.extend(conflicts.into_iter().map(|field| field.mapped.crm_field.clone()));
        }
    }
    if ids.is_empty() {
        return Ok(EditTimes::default());
    }
    let fields: Vec<String> = fields.into_iter().collect();
    let (entity, ids, fields) = (context.entity, &ids, &fields);
    step.call(|crm| async move { crm.connector.edit_times(&crm.session, entity, ids, fields).await }).await
}

/// Notes on each pair what was told of its record.
pub(crate) fn note(pairs: &mut [Pair], times: &EditTimes) {
    for pair in pairs {
        let id = pair.link.as_ref().and_then(|link| link.crm_record_id.as_ref());
        if let Some(told) = id.and_then(|id| times.get(id)) {
            pair.edit_times = told.clone();
        }
    }
}

/// Has the journal say where the CRM told the time of the very field.
pub(crate) fn name_grain(context: &EntityContext, pair: &Pair, decision: &mut Decision) {
    if pair.edit_times.is_empty() {
        return;
    }
    let is_told = |app_field: &str| {
        let field = context.fields.iter().find(|field| field.mapped.app_field == app_field);
        field.is_some_and(|field| pair.edit_times.contains_key(&field.mapped.crm_field))
    };
    let written = decision.to_app.iter_mut().chain(&mut decision.to_crm).map(|set| (&set.app_field, &mut set.rule));
    let decided = decision.conflicts.iter_mut();
    let decided = decided.filter_map(|conflict| Some((&conflict.app_field, conflict.decided.as_mut()?)));
    for (app_field, rule) in written.chain(decided) {
        if *rule == Rule::LastWriteWins && is_told(app_field) {
            *rule = Rule::LastWriteWinsByField;
        }
    }
}

/// Two-way fields that both sides changed, with the others of their groups. Whether the values agree all the same is not asked:
/// too much asked for costs nothing.
fn in_conflict<'c>(context: &'c EntityContext, pair: &Pair) -> Vec<&'c Field> {
    let is_open = pair.link.as_ref().is_some_and(|link| link.state == LinkState::Linked);
    if !is_open || !pair.app.as_ref().is_some_and(is_alive) {
        return Vec::new();
    }
    let decided = |field: &Field| field.mapped.rule.is_some() || pair.choice(field).is_some();
    let is_asked = |field: &&Field| {
        let direction = field.mapped.direction;
        direction.pulls() && direction.pushes() && field.references.is_none() && !decided(field)
    };
    let changes: Vec<(&Field, &str, (bool, bool))> = context
        .fields
        .iter()
        .filter(is_asked)
        .filter_map(|field| {
            let name = field.mapped.app_field.as_str();
            Some((field, group_of(name).unwrap_or(name), changed(pair, field)?))
        })
        .collect();
    let mut by_group: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (_, group, (app, crm)) in &changes {
        let sides = by_group.entry(group).or_default();
        *sides = (sides.0 || *app, sides.1 || *crm);
    }
    let is_torn = |(_, group, _): &(&Field, &str, _)| by_group.get(group) == Some(&(true, true));
    changes.into_iter().filter(is_torn).map(|(field, ..)| field).collect()
}

/// Whether the app's value and the CRM's are others than at the last agreement; at a first meeting, whether they are there.
fn changed(pair: &Pair, field: &Field) -> Option<(bool, bool)> {
    let (app, crm) = (pair.app_value(field)?, pair.crm_value(field)?);
    Some(match pair.base(field) {
        Some(base) => (!same(field.mapped.app_kind, &base.app, &app), !same(field.mapped.crm_kind, &base.crm, &crm)),
        None if same(field.mapped.app_kind, &app, &field.value_map.to_app(&crm)) => (false, false),
        None => (app.is_some(), crm.is_some()),
    })
}
