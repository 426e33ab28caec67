//! Guard against sweeps: the first changes of a field go, the others wait on their links until the share is known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::context::{EntityContext, Field};
use super::position::{Phase, Position};
use super::run::{Step, StepError};
use super::translate::Pair;
use crate::model::{Entity, Side};
use crate::store::links::{self, Guarded, LinkWrite};
use crate::store::{WorkspaceTx, app_rows, guarded, runs};
use crate::sync::{Decision, FieldBase, FieldState, SWEEP_RECORDS, group_of, is_sweeping, sweep_holds};

/// Links whose values an admin's rejection settles in one step.
const REJECTED: i64 = 500;

/// What a run has let go of each entity, side and field; stored with its position. A death may lose the count of one page.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct LetGo(BTreeMap<String, Option<u64>>);

impl LetGo {
    /// Changes let go of a field; `None`: its share is known, all may go.
    fn count(&self, entity: Entity, side: Side, app_field: &str) -> Option<u64> {
        self.0.get(&key(entity, side, app_field)).copied().unwrap_or(Some(0))
    }

    /// All changes of a field may go.
    fn free(&mut self, entity: Entity, side: Side, app_field: &str) {
        self.0.insert(key(entity, side, app_field), None);
    }
}

fn key(entity: Entity, side: Side, app_field: &str) -> String {
    format!("{entity}.{side}.{app_field}")
}

/// The changes that one step may still let go, shared by the parts of a page.
#[derive(Debug, Default)]
pub(crate) struct Allowance(Mutex<LetGo>);

impl Allowance {
    /// What a run may still let go.
    pub(crate) fn new(let_go: LetGo) -> Self {
        Allowance(Mutex::new(let_go))
    }

    /// What has been let go by now.
    pub(crate) fn let_go(&self) -> LetGo {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes one change of a field, if one of so many is left.
    fn take(&self, entity: Entity, side: Side, app_field: &str, most: u64) -> bool {
        let mut let_go = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match let_go.0.entry(key(entity, side, app_field)).or_insert(Some(0)) {
            None => true,
            Some(count) if *count < most => {
                *count += 1;
                true
            }
            Some(_) => false,
        }
    }
}

/// Takes changes out of a decision that the run may not let go yet: both sides keep their values, the link keeps in mind
/// what waits. Values for the CRM are looked at where they are about to be sent (`sends`). A group goes or waits whole.
pub(crate) fn hold_back(
    context: &EntityContext,
    states: &[FieldState],
    decision: &mut Decision,
    link: &mut LinkWrite,
    sends: bool,
) {
    let state = |app_field: &str| {
        let place = context.fields.iter().position(|field| field.mapped.app_field == app_field);
        place.map(|place| &states[place])
    };
    let mut waiting: BTreeMap<String, Side> = BTreeMap::new();
    for (side, assignments) in [(Side::App, &decision.to_app), (Side::Crm, &decision.to_crm)] {
        if side == Side::Crm && !sends {
            continue;
        }
        for assignment in assignments {
            // A restored database has forgotten what the sides have agreed on since.
            let has_base = !context.is_wary && state(&assignment.app_field).is_some_and(|state| state.base.is_some());
            let most = if context.is_wary { 0 } else { SWEEP_RECORDS };
            if is_sweeping(assignment, has_base)
                && !context.allowance.take(context.entity, side, &assignment.app_field, most)
            {
                waiting.insert(assignment.app_field.clone(), side);
            }
        }
        let groups: BTreeSet<&str> = waiting.keys().filter_map(|field| group_of(field)).collect();
        let of_groups =
            assignments.iter().filter(|set| group_of(&set.app_field).is_some_and(|own| groups.contains(own)));
        let of_groups: Vec<String> = of_groups.map(|set| set.app_field.clone()).collect();
        waiting.extend(of_groups.into_iter().map(|field| (field, side)));
    }
    if waiting.is_empty() {
        return;
    }
    decision.to_app.retain(|set| !waiting.contains_key(&set.app_field));
    decision.to_crm.retain(|set| !waiting.contains_key(&set.app_field));
    decision.conflicts.retain(|conflict| !waiting.contains_key(&conflict.app_field));
    for (app_field, side) in waiting {
        if let Some(state) = state(&app_field)
            && let Some(crm) = &state.crm
            && state.base.as_ref().is_none_or(|base| base.crm != *crm)
        {
            link.seen.insert(app_field.clone(), crm.clone());
        }
        link.guarded.insert(app_field, Guarded { side, held_by: None });
    }
}

/// Looks at what waits of each field now that all is read and written: too much is held, with its reason for the admin, the
/// rest is free. Tells which entities have something to go on with.
pub(crate) async fn judge(
    step: &Step,
    tx: &mut WorkspaceTx,
    let_go: &mut LetGo,
    held: &mut Vec<serde_json::Value>,
) -> Result<Vec<Entity>, StepError> {
    let config_id = step.run.config_id;
    let mut again = Vec::new();
    for waiting in guarded::count(tx, config_id).await? {
        let guarded::Waiting { entity, side, app_field, links } = waiting;
        let all = links::count_open(tx, config_id, entity).await?;
        let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
        let gone = let_go.count(entity, side, &app_field);
        let changes = unsigned(links) + gone.unwrap_or_default();
        if gone.is_some() && (step.run.is_wary || sweep_holds(changes, unsigned(all))) {
            guarded::hold(tx, config_id, entity, side, &app_field, step.run.id).await?;
            held.push(serde_json::json!({
                "entityType": entity.plural(), "side": side, "field": app_field, "changes": links, "links": all,
                "restored": step.run.is_wary,
            }));
        } else {
            guarded::free(tx, config_id, entity, side, &app_field).await?;
            let_go.free(entity, side, &app_field);
            if step.run.entities.contains(&entity) && !again.contains(&entity) {
                again.push(entity);
            }
        }
    }
    Ok(again)
}

/// Lets what a run held go, as an admin has approved: its entities are worked on again. `None`: it held no changes.
pub(crate) async fn approve(step: &Step, tx: &mut WorkspaceTx) -> Result<Option<Position>, StepError> {
    let mut let_go = step.position.let_go.clone();
    let mut entities = Vec::new();
    for waiting in guarded::count_held(tx, step.run.id).await? {
        let_go.free(waiting.entity, waiting.side, &waiting.app_field);
        if !entities.contains(&waiting.entity) {
            entities.push(waiting.entity);
        }
    }
    if entities.is_empty() {
        return Ok(None);
    }
    guarded::approve(tx, step.run.id).await?;
    Ok(Some(Position { let_go, ..Position::start(entities) }))
}

/// Settles some of the links whose changes an admin has rejected: each side keeps what it has, and both count as agreed. Tells
/// whether there were any.
pub(crate) async fn reject(step: &Step) -> Result<bool, StepError> {
    for entity in Entity::ALL.iter().copied() {
        let (mut tx, context) = step.begin_with_context(entity).await?;
        runs::hold_step(&mut tx, step.run.id).await?;
        let ids = guarded::record_ids(&mut tx, entity, step.run.id, REJECTED).await?;
        if ids.is_empty() {
            tx.commit().await?;
            continue;
        }
        step.advance(&mut tx, &step.position.to_phase(Phase::Delete)).await?;
        let rows = app_rows::lock(&mut tx, entity, &ids).await?;
        let stored = links::by_record_ids(&mut tx, step.run.config_id, entity, &ids).await?;
        let mut writes = Vec::new();
        for link in stored {
            let app = rows.iter().find(|row| Some(row.id) == link.record_id).cloned();
            let pair = Pair { link: Some(link), app, ..Pair::default() };
            writes.extend(rejected(&context, &pair, step.run.id));
        }
        links::write(&mut tx, step.run.config_id, entity, &writes).await?;
        tx.commit().await?;
        return Ok(true);
    }
    Ok(false)
}

fn rejected(context: &EntityContext, pair: &Pair, run_id: Uuid) -> Option<LinkWrite> {
    let mut link = pair.link.as_ref()?.to_write();
    let held: Vec<String> =
        link.guarded.iter().filter(|(_, of)| of.held_by == Some(run_id)).map(|(f, _)| f.clone()).collect();
    for app_field in held {
        link.guarded.remove(&app_field);
        let field: Option<&Field> = context.fields.iter().find(|field| field.mapped.app_field == app_field);
        if let Some((crm, app)) = field.and_then(|field| pair.crm_value(field).zip(pair.app_value(field))) {
            link.seen.remove(&app_field);
            link.base.insert(app_field, FieldBase { crm, app });
        }
    }
    Some(link)
}
