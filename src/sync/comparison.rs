//! What a full comparison finds that the readings before it should have brought (`sync.md`, "Finding changes").

use std::collections::BTreeMap;

use super::Value;
use super::mapping::MappedField;
use super::merge_types::FieldState;
use super::normalise::same;

/// What is known of a linked record beside its fields.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The CRM's values that wait on the link, by app field.
    pub seen: &'a BTreeMap<String, Value>,
    /// An edit in the app waits, or the link says why it does not go.
    pub app_waits: bool,
    /// The CRM's record has not changed since before the last reading.
    pub crm_is_old: bool,
}

/// Whether a side differs from what was last agreed, and nothing tells of it.
pub fn is_missed(fields: &[(&MappedField, &FieldState)], known: Known<'_>) -> bool {
    fields.iter().any(|(field, state)| {
        let (Some(base), Some(app), Some(crm)) = (&state.base, &state.app, &state.crm) else { return false };
        let seen = known.seen.get(&field.app_field);
        let waits = seen.is_some_and(|seen| same(field.crm_kind, seen, crm));
        let crm_changed = !waits && !same(field.crm_kind, &base.crm, crm);
        let app_changed = seen.is_none() && !same(field.app_kind, &base.app, app);
        (crm_changed && known.crm_is_old && field.direction.pulls())
            || (app_changed && !known.app_waits && field.direction.pushes() && field.crm_updateable)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{FieldDirection, FieldKind};
    use crate::sync::FieldBase;

    const NOBODY: BTreeMap<String, Value> = BTreeMap::new();

    fn field() -> MappedField {
        MappedField {
            app_field: "phone".to_owned(),
            crm_field: "Phone".to_owned(),
            app_kind: FieldKind::Text,
            crm_kind: FieldKind::Text,
            direction: FieldDirection::Bidirectional,
            rule: None,
            crm_createable: true,
            crm_updateable: true,
            crm_max_length: None,
            crm_decimals: None,
        }
    }

    fn state(base: &str, app: &str, crm: &str) -> FieldState {
        let value = |text: &str| Some(text.to_owned());
        FieldState {
            base: Some(FieldBase { crm: value(base), app: value(base) }),
            app: Some(value(app)),
            crm: Some(value(crm)),
            crm_as_app: Ok(value(crm)),
            app_as_crm: Ok(value(app)),
            app_changed_at: None,
            crm_changed_at: None,
            decided: false,
            late: None,
        }
    }

    #[test]
    fn a_change_that_nothing_tells_of_was_missed() {
        let quiet = Known { seen: &NOBODY, app_waits: false, crm_is_old: true };
        // Base, app, CRM; what else is known; whether it was missed.
        let seen = BTreeMap::from([("phone".to_owned(), Some("2".to_owned()))]);
        for (base, app, crm, known, missed) in [
            ("1", "1", "1", quiet, false),
            ("1", "1", "2", quiet, true),
            ("1", "1", "2", Known { crm_is_old: false, ..quiet }, false),
            ("1", "1", "2", Known { seen: &seen, ..quiet }, false),
            ("1", "1", "3", Known { seen: &seen, ..quiet }, true),
            ("1", "2", "1", quiet, true),
            ("1", "2", "1", Known { app_waits: true, ..quiet }, false),
            ("1", "2", "1", Known { seen: &seen, ..quiet }, false),
            ("1", "1 ", "1", quiet, false),
        ] {
            let found = is_missed(&[(&field(), &state(base, app, crm))], known);
            assert_eq!(found, missed, "{base} {app} {crm} {known:?}");
        }
    }
}
