//! A field that somebody edited in the CRM between our reading and our write: the image before tells, and the write has
//! overwritten it already (`sync.md`, "Lost updates in the CRM").
//!
//! It is merged against the old base. Where the app's value wins nothing is left to do; else the CRM gets its value back,
//! noted on the link with the outcome of the write, so that a death in between loses nothing. After that both sides merge.

use uuid::Uuid;

use crate::connectors::{RecordWrite, WriteImages, WriteKind};
use crate::engine::context::EntityContext;
use crate::engine::push_outcome::PushItem;
use crate::model::ConflictKind;
use crate::store::links::{FieldChoice, LinkWrite, PUT_BACK, StoredLink};
use crate::store::questions::Question;
use crate::sync::{Assignment, FieldConflict, FieldState, Record, Rule, merge, same, same_meaning};

/// What a write of one record has overwritten.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Values to put back, by app field, as the CRM stores them.
    pub put_back: Record,
    /// When they were entered, epoch milliseconds.
    pub edited_at: Option<i64>,
    /// Fields that the app won, for people to see.
    pub question: Option<Question>,
}

/// Compares the image before with what was merged.
pub(crate) fn of_record(context: &EntityContext, item: &PushItem, link: &StoredLink, images: &WriteImages) -> Lost {
    let mut lost = Lost { edited_at: images.edited_before, ..Lost::default() };
    let mut won = Vec::new();
    for assignment in &item.assignments {
        let before = images.before.as_ref().and_then(|before| before.get(&assignment.field));
        let field = context.fields.iter().find(|field| field.mapped.app_field == assignment.app_field);
        let (Some(before), Some(field)) = (before, field) else { continue };
        let kind = field.mapped.crm_kind;
        let base = link.base.get(&assignment.app_field);
        let is_known = same(kind, before, &assignment.before) || base.is_some_and(|base| same(kind, &base.crm, before));
        if is_known || same_meaning(kind, before, &assignment.after) {
            continue;
        }
        let state = FieldState {
            base: base.cloned(),
            app: Some(item.app_values.get(&assignment.app_field).cloned().flatten()),
            crm: Some(before.clone()),
            crm_as_app: Ok(before.clone()),
            app_as_crm: Ok(assignment.after.clone()),
            app_changed_at: assignment.changed_at,
            crm_changed_at: images.edited_before,
            decided: false,
            late: None,
        };
        let decision = merge(&[(&field.mapped, state)], &context.merge);
        if decision.to_crm.is_empty() {
            lost.put_back.insert(assignment.app_field.clone(), before.clone());
        } else {
            won.extend(decision.conflicts);
        }
    }
    lost.question = (!won.is_empty()).then(|| settled_question(item, link, &won));
    lost
}

/// Notes on the link what is to be put back; until then these fields stay as they were merged before.
pub(crate) fn keep_to_put_back(stored: &StoredLink, link: &mut LinkWrite, lost: Lost) {
    let mut decision = link.decision.take().unwrap_or_default();
    for (app_field, value) in lost.put_back {
        match stored.base.get(&app_field) {
            Some(base) => link.base.insert(app_field.clone(), base.clone()),
            None => link.base.remove(&app_field),
        };
        link.seen.insert(app_field.clone(), value.clone());
        decision.insert(app_field, FieldChoice { choice: PUT_BACK.to_owned(), value, app: None, crm: None });
    }
    link.decision = Some(decision);
    link.crm_edited_at = lost.edited_at.and_then(chrono::DateTime::from_timestamp_millis).or(link.crm_edited_at);
    link.due = true;
}

/// The write that gives the CRM its values back, where a link has some.
pub(crate) fn put_back_item(context: &EntityContext, link: &StoredLink, record_id: Uuid) -> Option<PushItem> {
    let crm_id = link.crm_record_id.clone()?;
    let assignments: Vec<Assignment> = context
        .fields
        .iter()
        .filter_map(|field| {
            let choice = link.decision.get(&field.mapped.app_field).filter(|choice| choice.choice == PUT_BACK)?;
            Some(Assignment {
                field: field.mapped.crm_field.clone(),
                app_field: field.mapped.app_field.clone(),
                before: None,
                after: choice.value.clone(),
                rule: Rule::PutBack,
                changed_at: None,
            })
        })
        .collect();
    if assignments.is_empty() {
        return None;
    }
    Some(PushItem {
        intent_id: 0,
        link_id: link.id,
        record_id,
        crm_record_id: Some(crm_id.clone()),
        write: RecordWrite {
            // Whatever is there is our own write.
            kind: WriteKind::Update { crm_id, merged: Record::new() },
            fields: assignments.iter().map(|set| (set.field.clone(), set.after.clone())).collect(),
        },
        assignments,
        app_values: Default::default(),
        change_ids: Vec::new(),
        waits: false,
        decided: Default::default(),
        failure: None,
        puts_back: true,
    })
}

/// The CRM has its values again: both sides merge next.
pub(crate) fn has_put_back(item: &PushItem, link: &mut LinkWrite, images: &WriteImages) {
    give_up(item, link);
    let stamp = images.modified_at.and_then(chrono::DateTime::from_timestamp_millis);
    link.crm_modified_at = stamp.or(link.crm_modified_at);
    link.due = true;
}

/// Nothing is left to put back: it is done, or the CRM refuses it.
pub(crate) fn give_up(item: &PushItem, link: &mut LinkWrite) {
    if let Some(decision) = link.decision.as_mut().filter(|_| item.puts_back) {
        decision.retain(|_, choice| choice.choice != PUT_BACK);
    }
    link.decision = link.decision.take().filter(|decision| !decision.is_empty());
}

fn settled_question(item: &PushItem, link: &StoredLink, won: &[FieldConflict]) -> Question {
    let collect = |value: fn(&FieldConflict) -> &crate::sync::Value| -> Record {
        won.iter().map(|conflict| (conflict.app_field.clone(), value(conflict).clone())).collect()
    };
    Question {
        kind: ConflictKind::Field,
        link_id: Some(link.id),
        record_id: Some(item.record_id),
        crm_record_id: link.crm_record_id.clone(),
        app: collect(|conflict| &conflict.app),
        crm: collect(|conflict| &conflict.crm_as_app),
        base: collect(|conflict| &conflict.base_app),
        crm_raw: collect(|conflict| &conflict.crm_raw),
        fields: won.iter().map(|conflict| conflict.app_field.clone()).collect(),
        settled: true,
    }
}
