//! Three-way merge of one record, field by field (`sync.md`, "Merging one record").
//!
//! Fields of a group (an address, amount with currency) merge as one: each counts as changed on a side where any of them
//! did, and the winner, whom the group's latest edits decide, takes them all. A field that meets for the first time stays
//! out of that, because empty never overwrites.

use std::collections::HashMap;

use super::Value;
use super::mapping::{MappedField, group_of};
use super::merge_types::{
    Assignment, CrmWriteBase, Decision, FieldBase, FieldConflict, FieldFailure, FieldState, MergeContext, Note, Rule,
};
use super::normalise::{same, same_meaning};
use super::policy::settle;
use crate::model::{FieldKind, FieldRule, Side};

/// Decides every field of one record.
pub fn merge(fields: &[(&MappedField, FieldState)], context: &MergeContext) -> Decision {
    let compared: Vec<Option<Compared<'_>>> = fields.iter().map(|(field, state)| Compared::new(field, state)).collect();
    let groups = torn_groups(&compared);
    let mut decision = Decision::default();
    for ((field, _), compared) in fields.iter().zip(compared) {
        match compared {
            None => decision.notes.push(Note::NotObserved { app_field: field.app_field.clone() }),
            Some(mut compared) => {
                let torn = own_group(&compared).and_then(|group| groups.get(group));
                if let Some(torn) = torn {
                    compared.app_changed = true;
                    compared.crm_changed = true;
                    compared.claim = torn.claim;
                }
                decide(&compared, context, &mut decision);
            }
        }
    }
    decision
}

/// The base of a field that the engine wrote into the app: what Postgres stored, and the CRM value that it came from.
pub fn base_after_app_write(crm_value: Value, stored: Value) -> FieldBase {
    FieldBase { crm: crm_value, app: stored }
}

/// The base of a field that the engine wrote into the CRM. `stored` is the CRM's image after, where it gives one.
pub fn base_after_crm_write(
    kind: FieldKind,
    sent: &Value,
    sent_from_app: &Value,
    stored: Option<&Value>,
    previous: Option<&FieldBase>,
) -> CrmWriteBase {
    let moved = |crm: &Value| CrmWriteBase::Moved(FieldBase { crm: crm.clone(), app: sent_from_app.clone() });
    match stored {
        None => moved(sent),
        Some(stored) if same_meaning(kind, stored, sent) => moved(stored),
        Some(stored) if previous.is_some_and(|base| same(kind, &base.crm, stored)) => CrmWriteBase::Kept,
        // A third value: with the sent one as base it merges as the CRM's own edit.
        Some(_) => moved(sent),
    }
}

/// A field of which both sides were observed.
struct Compared<'a> {
    field: &'a MappedField,
    state: &'a FieldState,
    app: &'a Value,
    crm: &'a Value,
    app_changed: bool,
    crm_changed: bool,
    agree: bool,
    claim: Claim,
}

/// What decides a conflict: the field's own, or its group's.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Claim {
    /// A rule that goes before the policy.
    pub rule: Option<FieldRule>,
    /// When the app's value changed, epoch milliseconds.
    pub app_changed_at: Option<i64>,
    /// When the CRM's value changed, epoch milliseconds by the CRM's clock.
    pub crm_changed_at: Option<i64>,
}

impl<'a> Compared<'a> {
    fn new(field: &'a MappedField, state: &'a FieldState) -> Option<Self> {
        let (app, crm) = (state.app.as_ref()?, state.crm.as_ref()?);
        // Our own late write, as the CRM spells it: the app's value is sent again, whether it is still that one or another by now.
        let is_late = state.late.as_ref().is_some_and(|late| same_meaning(field.crm_kind, late, crm));
        let (app_changed, crm_changed) = match &state.base {
            Some(_) if is_late => (true, false),
            Some(base) => (!same(field.app_kind, &base.app, app), !same(field.crm_kind, &base.crm, crm)),
            None => (!same(field.app_kind, app, &None), !same(field.crm_kind, crm, &None)),
        };
        let changed = app_changed || crm_changed || state.base.is_none();
        let agree = !changed
            || state.crm_as_app.as_ref().is_ok_and(|crm_as_app| same_meaning(field.app_kind, crm_as_app, app))
            || state.app_as_crm.as_ref().is_ok_and(|app_as_crm| same_meaning(field.crm_kind, crm, app_as_crm));
        let (app_changed_at, crm_changed_at) = (state.app_changed_at, state.crm_changed_at);
        let claim = Claim { rule: field.rule, app_changed_at, crm_changed_at };
        Some(Compared { field, state, app, crm, app_changed, crm_changed, agree, claim })
    }

    fn is_first_meeting(&self) -> bool {
        self.state.base.is_none()
    }

    fn base_app(&self) -> Value {
        self.state.base.as_ref().and_then(|base| base.app.clone())
    }
}

/// What the fields of a group have in common that do not agree.
#[derive(Default)]
struct Group {
    app_changed: bool,
    crm_changed: bool,
    claim: Claim,
}

/// The group in which a field merges, if it does not merge by itself.
fn own_group(compared: &Compared<'_>) -> Option<&'static str> {
    group_of(&compared.field.app_field).filter(|_| !compared.is_first_meeting() && !compared.state.decided)
}

/// Groups that both sides changed and that differ somewhere, with their first rule and their latest edits.
fn torn_groups(compared: &[Option<Compared<'_>>]) -> HashMap<&'static str, Group> {
    let mut groups: HashMap<&'static str, Group> = HashMap::new();
    for compared in compared.iter().flatten().filter(|compared| !compared.agree) {
        let Some(group) = own_group(compared) else { continue };
        let group = groups.entry(group).or_default();
        group.claim.rule = group.claim.rule.or(compared.claim.rule);
        if compared.app_changed {
            group.app_changed = true;
            group.claim.app_changed_at = group.claim.app_changed_at.max(compared.claim.app_changed_at);
        }
        if compared.crm_changed {
            group.crm_changed = true;
            group.claim.crm_changed_at = group.claim.crm_changed_at.max(compared.claim.crm_changed_at);
        }
    }
    groups.retain(|_, group| group.app_changed && group.crm_changed);
    groups
}

fn decide(compared: &Compared<'_>, context: &MergeContext, decision: &mut Decision) {
    let direction = compared.field.direction;
    if compared.agree {
        agree(compared, decision);
        return;
    }
    match (compared.app_changed, compared.crm_changed) {
        // A first meeting of two empty sides agrees; with a base nothing has changed.
        (false, false) => {}
        (false, true) if direction.pulls() => {
            let rule = if compared.is_first_meeting() { Rule::FirstMeetingOneSide } else { Rule::CrmChanged };
            to_app(compared, context, decision, rule);
        }
        (false, true) => rests(compared, decision, Side::Crm),
        (true, false) if direction.pushes() => {
            let rule = if compared.is_first_meeting() { Rule::FirstMeetingOneSide } else { Rule::AppChanged };
            to_crm(compared, decision, rule);
        }
        (true, false) => rests(compared, decision, Side::App),
        (true, true) => both_changed(compared, context, decision),
    }
}

fn agree(compared: &Compared<'_>, decision: &mut Decision) {
    let now = FieldBase { crm: compared.crm.clone(), app: compared.app.clone() };
    if compared.state.base.as_ref() != Some(&now) {
        decision.new_base.push((compared.field.app_field.clone(), now));
    }
}

fn both_changed(compared: &Compared<'_>, context: &MergeContext, decision: &mut Decision) {
    let direction = compared.field.direction;
    match (direction.pulls(), direction.pushes()) {
        (false, false) => rests(compared, decision, Side::App),
        (true, false) => {
            to_app(compared, context, decision, Rule::DirectionPull);
        }
        (false, true) => {
            to_crm(compared, decision, Rule::DirectionPush);
        }
        (true, true) => conflict(compared, context, decision),
    }
}

fn conflict(compared: &Compared<'_>, context: &MergeContext, decision: &mut Decision) {
    let crm_as_app = match &compared.state.crm_as_app {
        Ok(value) => value.clone(),
        Err(message) => {
            fail(compared, decision, Side::App, "transform_failed", message.clone());
            keep_seen(compared, decision);
            return;
        }
    };
    let settled = settle(compared.claim, context);
    decision.conflicts.push(FieldConflict {
        app_field: compared.field.app_field.clone(),
        app: compared.app.clone(),
        crm_as_app,
        crm_raw: compared.crm.clone(),
        base_app: compared.base_app(),
        decided: settled.map(|(_, rule)| rule),
        winner: settled.map(|(side, _)| side),
    });
    match settled {
        None => keep_seen(compared, decision),
        Some((Side::Crm, rule)) => {
            to_app(compared, context, decision, rule);
        }
        Some((Side::App, rule)) => {
            to_crm(compared, decision, rule);
        }
    }
}

fn to_app(compared: &Compared<'_>, context: &MergeContext, decision: &mut Decision, rule: Rule) {
    match &compared.state.crm_as_app {
        Ok(value) => {
            overwritten(compared, decision, Side::App);
            decision.to_app.push(Assignment {
                field: compared.field.app_field.clone(),
                app_field: compared.field.app_field.clone(),
                before: compared.app.clone(),
                after: value.clone(),
                rule,
                changed_at: compared.state.crm_changed_at.map(|at| at - context.clock_skew_ms),
            });
        }
        Err(message) => {
            fail(compared, decision, Side::App, "transform_failed", message.clone());
            keep_seen(compared, decision);
        }
    }
}

fn to_crm(compared: &Compared<'_>, decision: &mut Decision, rule: Rule) {
    keep_seen(compared, decision);
    if !compared.field.crm_updateable {
        decision.notes.push(Note::Rests { app_field: compared.field.app_field.clone(), side: Side::App });
        return;
    }
    let value = match &compared.state.app_as_crm {
        Ok(value) => value.clone(),
        Err(message) => return fail(compared, decision, Side::Crm, "transform_failed", message.clone()),
    };
    if let Some(sentence) = too_long(compared.field, &value) {
        return fail(compared, decision, Side::Crm, "value_too_long", sentence);
    }
    overwritten(compared, decision, Side::Crm);
    decision.to_crm.push(Assignment {
        field: compared.field.crm_field.clone(),
        app_field: compared.field.app_field.clone(),
        before: compared.crm.clone(),
        after: value,
        rule,
        changed_at: compared.state.app_changed_at,
    });
}

fn too_long(field: &MappedField, value: &Value) -> Option<String> {
    let most = usize::try_from(field.crm_max_length?).ok()?;
    let length = value.as_deref()?.chars().count();
    (length > most && field.crm_kind != FieldKind::Reference).then(|| {
        format!(
            "{} has {length} characters and the CRM takes {most}. Shorten it here, then it is sent by itself.",
            field.app_field
        )
    })
}

fn rests(compared: &Compared<'_>, decision: &mut Decision, side: Side) {
    decision.notes.push(Note::Rests { app_field: compared.field.app_field.clone(), side });
    keep_seen(compared, decision);
}

/// Notes the edit of a side that is about to be written, where there was one.
fn overwritten(compared: &Compared<'_>, decision: &mut Decision, side: Side) {
    if !(compared.app_changed && compared.crm_changed) {
        return;
    }
    let value = if side == Side::App { compared.app } else { compared.crm };
    decision.notes.push(Note::Overwritten { app_field: compared.field.app_field.clone(), side, value: value.clone() });
}

/// Keeps the CRM's value on the link while it is neither the base nor settled.
fn keep_seen(compared: &Compared<'_>, decision: &mut Decision) {
    let is_base = compared.state.base.as_ref().is_some_and(|base| base.crm == *compared.crm);
    if !is_base {
        decision.seen.push((compared.field.app_field.clone(), compared.crm.clone()));
    }
}

fn fail(compared: &Compared<'_>, decision: &mut Decision, side: Side, code: &'static str, message: String) {
    let app_field = compared.field.app_field.clone();
    let message = if code == "transform_failed" {
        format!("{app_field} could not be brought over: {message}. Correct the value or the mapping, then retry.")
    } else {
        message
    };
    decision.failures.push(FieldFailure { app_field, side, code, message });
}

#[cfg(test)]
mod tests;
