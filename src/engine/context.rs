//! What a step must know of an entity: mapped fields with their kinds, directions, rules and transforms.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::scope::Scope;
use super::sweeps::{Allowance, LetGo};
use crate::connectors::EntityDescription;
use crate::model::{Entity, FieldDirection, FieldKind, LogDirection, SyncDirection, app_field};
use crate::store::setup::{ConnectionSetup, StoredMapping};
use crate::sync::{MappedField, MergeContext, People, ValueMap};

/// One mapping, ready for work.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// As the pure core sees it.
    pub mapped: MappedField,
    /// JavaScript, if any.
    pub transform: Option<String>,
    /// Pairs of values.
    pub value_map: ValueMap,
    /// The entity that the field points to.
    pub references: Option<Entity>,
    /// The people that the field names.
    pub people: Option<Arc<People>>,
}

/// An entity of a connection in one run.
#[derive(Debug, Clone)]
pub(crate) struct EntityContext {
    /// The entity.
    pub entity: Entity,
    /// What the CRM lets us see.
    pub description: EntityDescription,
    /// Mappings whose field is observed, resting ones included.
    pub fields: Vec<Field>,
    /// Which records take part; `None`: all.
    pub scope: Option<Scope>,
    /// Policy and clocks.
    pub merge: MergeContext,
    /// Zone of the CRM's account.
    pub zone: Tz,
    /// The time of the step, epoch milliseconds.
    pub now: i64,
    /// Fingerprint of what a full read covers; another one widens.
    pub covers: String,
    /// Whether values may be written into the app.
    pub pulls: bool,
    /// Whether values may be written into the CRM.
    pub pushes: bool,
    /// The description was fetched in this run: what it does not list has been taken away, not emptied.
    pub is_described: bool,
    /// The database was restored since the last run: nothing is overwritten before an admin has said so.
    pub is_wary: bool,
    /// Changes of one field that may still go before their share is known.
    pub allowance: Arc<Allowance>,
    /// The connection pushes and this run does not: edits in the app go on waiting for one that does.
    pub keeps_app_edits: bool,
    /// The connection pulls and this run does not: the window is read again by one that does.
    pub keeps_crm_edits: bool,
}

/// Edits closer together than this have no order (`sync.md`, "Policies").
const TIE_WINDOW_MS: i64 = 2000;

impl EntityContext {
    /// Puts together what a run in `direction` does with the entity of `description`.
    pub(crate) fn new(
        connection: &ConnectionSetup,
        direction: SyncDirection,
        description: EntityDescription,
        mappings: &[StoredMapping],
        now: DateTime<Utc>,
        let_go: LetGo,
    ) -> Self {
        let entity = description.entity;
        let allowed = connection.direction.common(direction);
        let excluded = &connection.rules.of(entity).exclude_fields;
        let allowed_for = |mapping: &StoredMapping| {
            if excluded.contains(&mapping.app_field) { FieldDirection::None } else { allowed }
        };
        let people = Arc::new(People::new(description.people.as_deref().unwrap_or_default()));
        let fields: Vec<Field> = mappings
            .iter()
            .filter_map(|mapping| field(entity, &description, mapping, allowed_for(mapping), &people))
            .collect();
        let scope = Scope::of(connection, &description, now);
        let covers = fingerprint(connection, mappings, &fields, excluded, scope.as_ref());
        EntityContext {
            entity,
            fields,
            scope,
            merge: MergeContext {
                policy: connection.policy,
                tie_window_ms: TIE_WINDOW_MS,
                clock_skew_ms: connection.clock_skew_ms,
            },
            zone: connection.time_zone.as_deref().and_then(|zone| zone.parse().ok()).unwrap_or(Tz::UTC),
            now: now.timestamp_millis(),
            covers,
            is_described: true,
            is_wary: false,
            allowance: Arc::new(Allowance::new(let_go)),
            pulls: allowed.pulls(),
            pushes: allowed.pushes(),
            keeps_app_edits: connection.direction.pushes() && !allowed.pushes(),
            keeps_crm_edits: connection.direction.pulls() && !allowed.pulls(),
            description,
        }
    }

    /// Whether the connection does more than this run: nothing counts as settled that another run would still carry.
    pub(crate) fn is_narrower(&self) -> bool {
        self.keeps_app_edits || self.keeps_crm_edits
    }

    /// The CRM fields to read: mapped ones, and what the filter compares.
    pub(crate) fn crm_fields(&self) -> Vec<String> {
        let mut names: Vec<String> = self.fields.iter().map(|field| field.mapped.crm_field.clone()).collect();
        for name in self.filter_fields() {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// Whether a script has a word in any of its values.
    pub(crate) fn has_transforms(&self) -> bool {
        self.fields.iter().any(|field| field.transform.is_some())
    }

    /// The directions that have a log.
    pub(crate) fn log_directions(&self) -> Vec<LogDirection> {
        let pull = self.pulls.then_some(LogDirection::Pull);
        let push = self.pushes.then_some(LogDirection::Push);
        pull.into_iter().chain(push).collect()
    }
}

fn field(
    entity: Entity,
    description: &EntityDescription,
    mapping: &StoredMapping,
    allowed: FieldDirection,
    people: &Arc<People>,
) -> Option<Field> {
    let described = description.field(&mapping.crm_field)?;
    let own = app_field(entity, &mapping.app_field);
    Some(Field {
        mapped: MappedField {
            app_field: mapping.app_field.clone(),
            crm_field: mapping.crm_field.clone(),
            app_kind: own.map_or(FieldKind::Text, |field| field.kind),
            crm_kind: described.kind,
            direction: mapping.direction.common(allowed),
            rule: mapping.rule,
            crm_createable: described.createable,
            crm_updateable: described.updateable,
            crm_max_length: described.max_length,
            crm_decimals: described.decimals,
        },
        transform: mapping.transform.clone(),
        value_map: ValueMap(mapping.value_map.clone()),
        references: own.and_then(|field| field.references),
        people: own.filter(|own| described.pairs_people(own.kind)).map(|_| people.clone()),
    })
}

/// Whether a mapping pairs people, and the description does not know them yet.
pub(crate) fn lacks_people(description: &EntityDescription, mappings: &[StoredMapping]) -> bool {
    let pairs_people = |mapping: &StoredMapping| {
        let described = description.field(&mapping.crm_field);
        let own = app_field(description.entity, &mapping.app_field);
        described.zip(own).is_some_and(|(described, own)| described.pairs_people(own.kind))
    };
    description.people.is_none() && mappings.iter().any(pairs_people)
}

/// Mapped fields that the connected user may not see or not write: an edit for one rests until that changes.
fn closed_fields<'a>(mappings: &'a [StoredMapping], fields: &[Field]) -> Vec<&'a str> {
    let is_closed = |mapping: &&StoredMapping| {
        let field = fields.iter().find(|field| field.mapped.app_field == mapping.app_field);
        field.is_none_or(|field| mapping.direction.pushes() && !field.mapped.crm_updateable)
    };
    mappings.iter().filter(is_closed).map(|mapping| mapping.app_field.as_str()).collect()
}

fn fingerprint(
    connection: &ConnectionSetup,
    mappings: &[StoredMapping],
    fields: &[Field],
    excluded: &[String],
    scope: Option<&Scope>,
) -> String {
    // Only compared with itself, and a difference costs one full read: no cryptographic hash is needed.
    let mut hasher = DefaultHasher::new();
    connection.direction.hash(&mut hasher);
    connection.options.create_missing.hash(&mut hasher);
    for mapping in mappings {
        // The id too: a mapping that was removed and made again has no base.
        (mapping.id, &mapping.app_field, &mapping.crm_field, mapping.direction).hash(&mut hasher);
    }
    fields.len().hash(&mut hasher);
    // Where nothing is narrowed the print is what it was before there were filters.
    if !excluded.is_empty() {
        excluded.hash(&mut hasher);
    }
    let closed = closed_fields(mappings, fields);
    if !closed.is_empty() {
        closed.hash(&mut hasher);
    }
    if let Some(scope) = scope {
        scope.hash_into(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}
