//! Which records take part in a run: the connection's filter, judged (`sync.md`, "Filters").
//!
//! A record with a partner is judged by the CRM's values, one without by what the app would send. A verdict that is not known
//! moves nothing: linked records stay linked, resting ones rest, nothing new is made.

use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};

use super::batch::{Batch, CrmStamps, Merged};
use super::context::EntityContext;
use super::matching::seen;
use super::translate::{Pair, Translated};
use crate::connectors::{CrmRecord, EntityDescription, WindowFilter};
use crate::model::LinkState;
use crate::store::links::{LinkWrite, StoredLink};
use crate::store::setup::ConnectionSetup;
use crate::sync::{Filter, FilterContext, Record, Value, read_filter};

/// The filter of one entity.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    /// `None`: what is stored cannot be read, so that no verdict is known.
    filter: Option<Filter>,
    context: FilterContext,
}

impl Scope {
    /// The filter of a connection's entity, if it has one.
    pub(crate) fn of(
        connection: &ConnectionSetup,
        description: &EntityDescription,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let stored = connection.rules.of(description.entity).filter.as_ref()?;
        let context = FilterContext::at(now, connection.time_zone.as_deref(), connection.crm_user.as_deref());
        match read_filter(stored, &|name| description.facts(name)) {
            Ok(None) => None,
            Ok(filter) => Some(Scope { filter, context }),
            Err(_) => Some(Scope { filter: None, context }),
        }
    }

    /// What a full reading under this filter covers: another answer makes the next run read in full. What time alone changes
    /// is so judged once a day.
    pub(crate) fn hash_into(&self, hasher: &mut impl Hasher) {
        let Some(filter) = &self.filter else { return };
        filter.to_json().to_string().hash(hasher);
        self.context.zone.name().hash(hasher);
        self.context.current_user.hash(hasher);
        if filter.goes_by_time() {
            self.context.today.hash(hasher);
        }
    }

    fn judge(&self, unread: Option<bool>, read: &dyn Fn(&str) -> Option<Value>) -> Option<bool> {
        self.filter.as_ref()?.judge(&self.context, unread, read)
    }
}

impl EntityContext {
    /// The fields that the filter compares, as far as the CRM shows them.
    pub(super) fn filter_fields(&self) -> impl Iterator<Item = &str> {
        let fields = self.scope.as_ref().and_then(|scope| scope.filter.as_ref()).map(Filter::fields);
        fields.unwrap_or_default().into_iter().filter(|name| self.description.field(name).is_some())
    }

    /// The filter as a reading in full may be narrowed by it.
    pub(super) fn window_filter(&self) -> Option<WindowFilter> {
        let scope = self.scope.as_ref()?;
        Some(WindowFilter { filter: scope.filter.clone()?, context: scope.context.clone() })
    }

    /// Whether a CRM record takes part, by its values as read.
    pub(super) fn takes_part(&self, fields: &Record) -> bool {
        self.verdict(fields) == Some(true)
    }

    fn verdict(&self, fields: &Record) -> Option<bool> {
        match &self.scope {
            Some(scope) => scope.judge(None, &|name| fields.get(name).cloned()),
            None => Some(true),
        }
    }

    /// Whether a pair has left the filter, as far as the CRM's values are known.
    pub(super) fn has_left(&self, pair: &Pair) -> bool {
        let Some(scope) = &self.scope else { return false };
        let known = |name: &str| {
            if let Some(crm) = &pair.crm {
                return crm.get(name).cloned();
            }
            pair.crm_value(self.fields.iter().find(|field| field.mapped.crm_field == name)?)
        };
        scope.judge(None, &known) == Some(false)
    }

    /// Whether an app record without partner takes part, by the values that the CRM would get.
    pub(super) fn app_takes_part(&self, translated: &Translated) -> bool {
        let Some(scope) = &self.scope else { return true };
        let states = || self.fields.iter().zip(&translated.states);
        let compares = |name: &str| self.filter_fields().any(|field| field == name);
        if states().any(|(field, state)| state.app_as_crm.is_err() && compares(&field.mapped.crm_field)) {
            // Making the record fails, and says why.
            return true;
        }
        let sent = |name: &str| {
            let (field, state) = states().find(|(field, _)| field.mapped.crm_field == name)?;
            field.mapped.direction.pushes().then(|| state.app_as_crm.clone().unwrap_or_default())
        };
        scope.judge(Some(false), &sent) == Some(true)
    }
}

/// A resting pair whose CRM record is in the filter again: merged against the old base. Where the app's record has been
/// deleted in the meantime, the push that follows meets the delete.
pub(super) fn comes_back(
    context: &EntityContext,
    batch: &mut Batch<'_>,
    (link, pair): (&StoredLink, &Pair),
    record: &CrmRecord,
    translated: Translated,
) -> Option<Merged> {
    let stamps = CrmStamps::from_ms(record.modified_at, record.edited_at);
    if pair.app.as_ref().is_some_and(super::read::is_alive) {
        return Some(batch.merge_linked(pair, translated, Some(stamps)));
    }
    batch.write_link(LinkWrite {
        state: LinkState::Linked,
        due: true,
        seen: seen(context, &record.fields),
        crm_modified_at: Some(stamps.modified_at),
        crm_edited_at: Some(stamps.edited_at),
        ..link.to_write()
    });
    None
}
