//! Both sides of a record read again, for a person who decides about it.
//!
//! The CRM is read outside any transaction; the app's row under lock, in the transaction that stores the decision. Policy and
//! rules are left out: what both sides changed is a conflict here, whoever would win it.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::context::{EntityContext, lacks_people};
use super::matching::seen;
use super::read::{is_alive, stored_description};
use super::sweeps::LetGo;
use super::translate::{Pair, References, Transformed, translate};
use super::{AccessError, CrmAccess, CrmConnection};
use crate::connectors::{ConnectorError, CrmRecord, EntityDescription};
use crate::model::{ConflictPolicy, Entity, LinkState};
use crate::store::app_rows::{self, AppRow};
use crate::store::links::{FieldChoice, StoredLink};
use crate::store::setup::{self, ConnectionSetup};
use crate::store::{Actor, StoreError, WorkspaceTx};
use crate::sync::{FieldState, MappedField, Person, Record, Value, merge, same};
use crate::transform::TransformHost;

/// The record that is looked at again.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its workspace.
    pub workspace_id: Uuid,
    /// Its connection.
    pub config_id: Uuid,
    /// Its entity.
    pub entity: Entity,
    /// Its link; none where it is asked whether the two are the same.
    pub link: Option<StoredLink>,
    /// The app record.
    pub record_id: Option<Uuid>,
    /// The CRM record.
    pub crm_record_id: Option<String>,
}

/// Both sides of a record as they are now.
pub struct SecondLook {
    context: EntityContext,
    pair: Pair,
    crm_alive: bool,
    transformed: Transformed,
}

/// What the two sides say.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Fields that both sides changed and in which they differ.
    pub fields: Vec<String>,
    /// App values of the fields asked for.
    pub app: Record,
    /// CRM values in app form.
    pub crm: Record,
    /// App values at the last agreement.
    pub base: Record,
    /// CRM values as stored.
    pub crm_raw: Record,
    /// Values that cannot be brought over, with the reason.
    pub failures: Vec<(String, String)>,
}

/// Reads a record's CRM side now, and the app's without a lock. `choices` are tried on it.
pub async fn look_again(
    crm: &CrmAccess,
    transforms: &TransformHost,
    subject: &Subject,
    choices: &BTreeMap<String, FieldChoice>,
) -> Result<SecondLook, AccessError> {
    let (connection, mut stored, app) = load(crm, subject).await?;
    let mut caller = Caller { crm, subject, open: crm.open(subject.workspace_id, subject.config_id).await? };
    let mut description = match stored.take() {
        Some(description) => description,
        None => caller.describe().await?,
    };
    let mut tx = begin(crm, subject).await?;
    let mappings = setup::mappings(&mut tx, subject.config_id, subject.entity).await?;
    let now = tx.now();
    tx.commit().await?;
    if lacks_people(&description, &mappings) {
        description.people = Some(caller.people().await?);
    }
    let mut context =
        EntityContext::new(&connection, connection.direction, description, &mappings, now, LetGo::default());
    context.merge.policy = ConflictPolicy::ManualReview;
    context.fields.iter_mut().for_each(|field| field.mapped.rule = None);
    let record = caller.read(&context.crm_fields()).await?;
    note_calls(crm, subject, &caller.open).await?;
    let mut link = subject.link.clone().unwrap_or_else(|| unlinked(subject));
    link.decision = choices.clone();
    let crm_alive = record.as_ref().is_some_and(|record| !record.deleted);
    let pair = Pair {
        link: Some(link),
        app,
        crm: record.as_ref().map(|record| record.fields.clone()),
        crm_edited_at: record.map(|record| record.edited_at),
        ..Pair::default()
    };
    let transformed = Transformed::run(transforms, &context, std::slice::from_ref(&pair), Transformed::default()).await;
    Ok(SecondLook { context, pair, crm_alive, transformed })
}

impl SecondLook {
    /// Reads the app's row again and locks it until the transaction ends; `false` where it has moved since the look.
    pub async fn lock(&mut self, tx: &mut WorkspaceTx) -> Result<bool, StoreError> {
        let ids: Vec<Uuid> = self.pair.app.iter().map(|row| row.id).collect();
        let now = app_rows::lock(tx, self.context.entity, &ids).await?.pop();
        let unmoved = now == self.pair.app;
        self.pair.app = now;
        Ok(unmoved)
    }

    /// Whether the CRM record is there and not in the recycle bin.
    pub fn crm_alive(&self) -> bool {
        self.crm_alive
    }

    /// Whether the app record is there and not deleted.
    pub fn app_alive(&self) -> bool {
        self.pair.app.as_ref().is_some_and(is_alive)
    }

    /// Whether the app record is there and marked as deleted.
    pub fn app_in_bin(&self) -> bool {
        self.pair.app.as_ref().is_some_and(|row| !is_alive(row))
    }

    /// Leaves the choices out that were tried.
    pub fn forget_choices(&mut self) {
        if let Some(link) = &mut self.pair.link {
            link.decision.clear();
        }
    }

    /// The CRM's values by app field, as a link keeps them.
    pub fn seen(&self) -> Record {
        self.pair.crm.as_ref().map(|crm| seen(&self.context, crm)).unwrap_or_default()
    }

    /// Whether both sides still hold these values, by app field.
    pub fn holds(&self, app: &Record, crm_raw: &Record) -> bool {
        let now = self.seen();
        self.context.fields.iter().all(|field| {
            let name = &field.mapped.app_field;
            let app_now = self.pair.app.as_ref().and_then(|row| row.fields.get(name).cloned().flatten());
            let app_holds = app.get(name).is_none_or(|value| same(field.mapped.app_kind, value, &app_now));
            let crm_now: Value = now.get(name).cloned().flatten();
            app_holds && crm_raw.get(name).is_none_or(|value| same(field.mapped.crm_kind, value, &crm_now))
        })
    }

    /// Why the CRM would not take a value that a person put together, where its list of values tells.
    fn not_an_option(&self, mapped: &MappedField, state: &FieldState) -> Option<String> {
        let choice = self.pair.link.as_ref()?.decision.get(&mapped.app_field)?;
        let described = self.context.description.field(&mapped.crm_field)?;
        let value = state.app_as_crm.as_ref().ok()?.as_ref()?;
        let refused = choice.choice == "value" && described.restricted && !described.options.contains(value);
        refused.then(|| format!("The CRM does not know {value} for {}. Choose one of its values.", described.label))
    }

    /// What a merge finds, with the choices tried; values are told of `fields` and of what is in conflict.
    pub async fn findings(
        &self,
        tx: &mut WorkspaceTx,
        config_id: Uuid,
        fields: &[String],
    ) -> Result<Findings, StoreError> {
        let pairs = std::slice::from_ref(&self.pair);
        let references = References::load(tx, config_id, &self.context, pairs).await?;
        let translated = translate(&self.context, &self.pair, 0, &references, &self.transformed);
        let inputs: Vec<(&MappedField, FieldState)> =
            self.context.fields.iter().map(|field| &field.mapped).zip(translated.states).collect();
        let decision = merge(&inputs, &self.context.merge);
        let mut findings = Findings {
            fields: decision.conflicts.iter().map(|conflict| conflict.app_field.clone()).collect(),
            failures: decision.failures.into_iter().map(|failure| (failure.app_field, failure.message)).collect(),
            ..Findings::default()
        };
        let raw = self.seen();
        for (mapped, state) in inputs {
            let name = &mapped.app_field;
            findings.failures.extend(self.not_an_option(mapped, &state).map(|message| (name.clone(), message)));
            if !fields.contains(name) && !findings.fields.contains(name) {
                continue;
            }
            let app = self.pair.app.as_ref().and_then(|row: &AppRow| row.fields.get(name).cloned().flatten());
            findings.app.insert(name.clone(), app);
            findings.crm.insert(name.clone(), state.crm_as_app.unwrap_or_default());
            let base = self.pair.link.as_ref().and_then(|link| link.base.get(name));
            findings.base.insert(name.clone(), base.and_then(|base| base.app.clone()));
            findings.crm_raw.insert(name.clone(), raw.get(name).cloned().flatten());
        }
        Ok(findings)
    }
}

/// The calls of one look; an access token that is not accepted is refreshed once.
struct Caller<'a> {
    crm: &'a CrmAccess,
    subject: &'a Subject,
    open: CrmConnection,
}

impl Caller<'_> {
    async fn describe(&mut self) -> Result<EntityDescription, AccessError> {
        let entity = self.subject.entity;
        match self.open.connector.describe(&self.open.session, entity).await {
            Err(ConnectorError::TokenExpired) => {
                self.reopen().await?;
                self.open.connector.describe(&self.open.session, entity).await.map_err(AccessError::Crm)
            }
            answer => answer.map_err(AccessError::Crm),
        }
    }

    async fn people(&mut self) -> Result<Vec<Person>, AccessError> {
        match self.open.connector.people(&self.open.session).await {
            Err(ConnectorError::TokenExpired) => {
                self.reopen().await?;
                self.open.connector.people(&self.open.session).await.map_err(AccessError::Crm)
            }
            answer => answer.map_err(AccessError::Crm),
        }
    }

    async fn read(&mut self, fields: &[String]) -> Result<Option<CrmRecord>, AccessError> {
        let Some(crm_id) = self.subject.crm_record_id.clone() else { return Ok(None) };
        let (entity, ids) = (self.subject.entity, [crm_id]);
        let answer = match self.open.connector.read_by_id(&self.open.session, entity, fields, &ids).await {
            Err(ConnectorError::TokenExpired) => {
                self.reopen().await?;
                self.open.connector.read_by_id(&self.open.session, entity, fields, &ids).await
            }
            answer => answer,
        };
        Ok(answer.map_err(AccessError::Crm)?.into_iter().next())
    }

    async fn reopen(&mut self) -> Result<(), AccessError> {
        let Subject { workspace_id, config_id, .. } = self.subject;
        self.open = self.crm.reopen(*workspace_id, *config_id, &self.open.session).await?;
        Ok(())
    }
}

async fn note_calls(crm: &CrmAccess, subject: &Subject, open: &CrmConnection) -> Result<(), StoreError> {
    let usage = open.session.meter.usage();
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let org = (usage.org_allowed > 0).then(|| (signed(usage.org_used), signed(usage.org_allowed)));
    let mut tx = begin(crm, subject).await?;
    setup::note_calls(&mut tx, subject.config_id, signed(usage.calls), org, usage.clock_difference_ms).await?;
    tx.commit().await
}

async fn begin(crm: &CrmAccess, subject: &Subject) -> Result<WorkspaceTx, StoreError> {
    WorkspaceTx::begin(&crm.pool, subject.workspace_id, Actor::System, crm.clock.now()).await
}

async fn load(
    crm: &CrmAccess,
    subject: &Subject,
) -> Result<(ConnectionSetup, Option<EntityDescription>, Option<AppRow>), AccessError> {
    let mut tx = begin(crm, subject).await?;
    let connection = setup::connection(&mut tx, subject.config_id).await?.ok_or(AccessError::NotConnected)?;
    let any_age = chrono::DateTime::UNIX_EPOCH;
    let description =
        stored_description(&mut tx, subject.config_id, subject.entity, any_age).await?.map(|(stored, _)| stored);
    let ids: Vec<Uuid> = subject.record_id.into_iter().collect();
    let app = app_rows::read(&mut tx, subject.entity, &ids).await?.pop();
    tx.commit().await?;
    Ok((connection, description, app))
}

/// A link as it would be if the two were linked now.
fn unlinked(subject: &Subject) -> StoredLink {
    StoredLink {
        id: Uuid::nil(),
        record_id: subject.record_id,
        crm_record_id: subject.crm_record_id.clone(),
        state: LinkState::Linked,
        base: BTreeMap::new(),
        seen: BTreeMap::new(),
        crm_modified_at: None,
        crm_edited_at: None,
        failure: None,
        due: false,
        decision: BTreeMap::new(),
        pending_delete: None,
        deleted_by_engine: false,
        held_fields: Vec::new(),
        guarded: Default::default(),
        late: BTreeMap::new(),
    }
}
