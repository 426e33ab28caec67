//! Writes into the app's rows and what follows from their success or refusal: a row that Postgres refuses fails alone.

use std::collections::{BTreeMap, HashMap};

use chrono::DateTime;
use uuid::Uuid;

use super::{Batch, field_change};
use crate::engine::translate::Translated;
use crate::model::{ChangeAction, FieldKind, LinkState, LogDirection, Side};
use crate::store::app_rows::{self, AppRow, RowWrite};
use crate::store::changes::NewChange;
use crate::store::links::{FieldChoice, LinkFailure, LinkWrite};
use crate::store::{StoreError, WorkspaceTx};
use crate::sync::{Assignment, Record, Rule, Value, base_after_app_write, same};

/// A write of one app row, with what follows from its success or refusal.
pub(super) struct AppWrite {
    pub(super) row: RowWrite,
    pub(super) is_new: bool,
    pub(super) link: LinkWrite,
    /// What a person decided and this write carries out in the app; a refusal keeps it.
    pub(super) decided: BTreeMap<String, FieldChoice>,
    pub(super) fields: Vec<WrittenField>,
    pub(super) change: NewChange,
}

/// A field that an app write brings.
pub(super) struct WrittenField {
    pub(super) app_field: String,
    pub(super) crm_value: Value,
    pub(super) written: Value,
}

impl Batch<'_> {
    /// Plans the write of values into a row that is there.
    pub(super) fn update_app(
        &mut self,
        app: &AppRow,
        link: LinkWrite,
        to_app: Vec<Assignment>,
        translated: &Translated,
        decided: &BTreeMap<String, FieldChoice>,
    ) {
        let mut row = whole_row(app);
        let mut fields = Vec::new();
        let mut journal = Vec::new();
        for assignment in to_app {
            let app_field = assignment.app_field;
            set(&mut row.columns, &mut row.custom, &app_field, assignment.after.clone());
            if let Some(at) = assignment.changed_at.and_then(DateTime::from_timestamp_millis) {
                row.field_changed_at.insert(app_field.clone(), at.to_rfc3339());
            }
            let is_person = decided.contains_key(&app_field);
            let rule = if is_person { Rule::Person.as_str() } else { assignment.rule.as_str() };
            journal.push(field_change(&app_field, &app_field, &assignment.before, &assignment.after, rule));
            let position = self.context.fields.iter().position(|field| field.mapped.app_field == app_field);
            let crm_value = position.and_then(|position| translated.states[position].crm.clone()).flatten();
            fields.push(WrittenField { app_field, crm_value, written: assignment.after });
        }
        let change = NewChange {
            link_id: Some(link.id),
            record_id: Some(app.id),
            crm_record_id: link.crm_record_id.clone(),
            side: Side::App,
            action: ChangeAction::Update,
            state: "done",
            fields: journal,
            refusal: None,
        };
        let mut decided = decided.clone();
        decided.retain(|field, _| fields.iter().any(|written| written.app_field == *field));
        self.app_writes.push(AppWrite { row, is_new: false, link, decided, fields, change });
    }

    /// Writes all planned rows: together, and one by one where Postgres refuses one.
    pub(super) async fn write_app(
        &mut self,
        tx: &mut WorkspaceTx,
        config_id: Uuid,
        writes: Vec<AppWrite>,
    ) -> Result<(), StoreError> {
        let (new, changed): (Vec<AppWrite>, Vec<AppWrite>) = writes.into_iter().partition(|write| write.is_new);
        tx.begin_engine_write(config_id).await?;
        for (writes, is_new) in [(new, true), (changed, false)] {
            if writes.is_empty() {
                continue;
            }
            tx.savepoint().await?;
            let rows: Vec<&RowWrite> = writes.iter().map(|write| &write.row).collect();
            match self.write_rows(tx, &rows, is_new).await {
                Ok(stored) => self.wrote(writes, stored),
                Err(error) if error.is_row_refusal() => {
                    tx.rollback_to_savepoint().await?;
                    self.write_one_by_one(tx, writes).await?;
                }
                Err(error) => return Err(error),
            }
        }
        tx.end_engine_write().await
    }

    async fn write_one_by_one(&mut self, tx: &mut WorkspaceTx, writes: Vec<AppWrite>) -> Result<(), StoreError> {
        for write in writes {
            tx.savepoint().await?;
            match self.write_rows(tx, &[&write.row], write.is_new).await {
                Ok(stored) => self.wrote(vec![write], stored),
                Err(error) if error.is_row_refusal() => {
                    tx.rollback_to_savepoint().await?;
                    self.refused_by_app(write, &error);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn write_rows(
        &self,
        tx: &mut WorkspaceTx,
        rows: &[&RowWrite],
        is_new: bool,
    ) -> Result<HashMap<Uuid, Record>, StoreError> {
        if is_new {
            app_rows::insert(tx, self.context.entity, rows).await
        } else {
            app_rows::update(tx, self.context.entity, rows).await
        }
    }

    /// Moves the bases to what Postgres stored; a value that came back other than written makes the link due.
    fn wrote(&mut self, writes: Vec<AppWrite>, mut stored: HashMap<Uuid, Record>) {
        for mut write in writes {
            let Some(mut other) = stored.remove(&write.row.id) else { continue };
            for field in write.fields {
                let now = match other.remove(&field.app_field) {
                    None => field.written,
                    Some(now) => {
                        write.link.due |= !same(self.kind(&field.app_field), &now, &field.written);
                        now
                    }
                };
                if write.link.decision.as_ref().is_some_and(|open| open.contains_key(&field.app_field)) {
                    // A value that a person put together is agreed only once the CRM has it too.
                    continue;
                }
                write.link.base.insert(field.app_field, base_after_app_write(field.crm_value, now));
            }
            let counters = self.counters(LogDirection::Pull);
            counters.synced += 1;
            counters.created += i64::from(write.is_new);
            counters.updated += i64::from(!write.is_new);
            self.links.push(write.link);
            self.changes.push((LogDirection::Pull, write.change));
        }
    }

    fn refused_by_app(&mut self, write: AppWrite, error: &StoreError) {
        let constraint = error.constraint().unwrap_or("a column's type").to_owned();
        let failure = LinkFailure {
            code: "app_constraint".to_owned(),
            crm_code: None,
            message: format!(
                "The app's database does not accept the CRM's value ({constraint}). Correct the value in the CRM, then retry."
            ),
            side: Side::App,
            fields: write.fields.iter().map(|field| field.app_field.clone()).collect(),
            retryable: true,
        };
        let mut link = write.link;
        // The values wait on the link, and so does what a person decided about them.
        link.seen.extend(write.fields.into_iter().map(|field| (field.app_field, field.crm_value)));
        link.decision.get_or_insert_default().extend(write.decided);
        link.decision = link.decision.filter(|open| !open.is_empty());
        if link.state == LinkState::OutOfScope {
            // What took it out is still to be carried over.
            link.state = LinkState::Linked;
        }
        if write.is_new {
            link.seen.clear();
            link.record_id = None;
            link.state = LinkState::Creating;
            link.base.clear();
            link.seen.clear();
        }
        self.fail(LogDirection::Pull, link, failure);
    }

    fn kind(&self, app_field: &str) -> FieldKind {
        let field = self.context.fields.iter().find(|field| field.mapped.app_field == app_field);
        field.map_or(FieldKind::Text, |field| field.mapped.app_kind)
    }
}

/// The columns as they are; keys of `custom` that nobody changes are left out and stay as they are.
fn whole_row(app: &AppRow) -> RowWrite {
    let columns = app.fields.iter().filter(|(field, _)| !field.starts_with("custom."));
    RowWrite {
        id: app.id,
        columns: columns.map(|(field, value)| (field.clone(), value.clone())).collect(),
        custom: Record::new(),
        field_changed_at: Default::default(),
    }
}

/// Sets a field where it is kept: a column, or a key of `custom`.
pub(super) fn set(columns: &mut Record, custom: &mut Record, app_field: &str, value: Value) {
    match app_field.strip_prefix("custom.") {
        Some(key) => custom.insert(key.to_owned(), value),
        None => columns.insert(app_field.to_owned(), value),
    };
}
