//! Roll-up summary fields: what the children of a record come to (dossier 2.3, 7). They are reckoned along with every change of
//! a child, however it comes about, so that reading one looks at no child. Invariant: a total is that of the living children,
//! and nothing of the parent moves with it, not even its stamp (dossier 2.12, 9.3).

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use super::ids::Id;
use super::packed::Value;
use super::schema::Object;
use super::world::{Record, World, whole_second};

/// A roll-up summary field.
pub(super) struct Rollup {
    place: usize,
    parent: &'static str,
    name: &'static str,
    label: &'static str,
    child: &'static str,
    /// The child's reference to its parent.
    link: &'static str,
    /// The child's amount that is summed up; without one children are counted.
    summed: Option<&'static str>,
}

const COUNT: usize = 2;

/// What an admin has added to accounts. Opportunities are no details of a master, yet may be rolled up to their account.
static ROLLUPS: [Rollup; COUNT] = [
    Rollup {
        place: 0,
        parent: "Account",
        name: "Opportunity_Count__c",
        label: "Opportunities",
        child: "Opportunity",
        link: "AccountId",
        summed: None,
    },
    Rollup {
        place: 1,
        parent: "Account",
        name: "Opportunity_Amount__c",
        label: "Opportunity Amount",
        child: "Opportunity",
        link: "AccountId",
        summed: Some("Amount"),
    },
];

/// What the living children of each parent come to: a count, or hundredths of an amount. Without children there is no entry.
#[derive(Debug, Default)]
pub(super) struct Totals(HashMap<Id, [i128; COUNT]>);

/// Whether a record comes or goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Comes,
    Goes,
}

impl std::fmt::Debug for Rollup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name)
    }
}

/// Recalculates the roll-ups of a living record as an admin may force it, or a new roll-up field does. The totals are right
/// at any time, but the real one moves the stamp, and it alone: who reads by stamps meets a change of nothing (dossier 2.12).
pub(super) fn recalculate(world: &mut World, object: &'static Object, id: &Id, at: i64) {
    if let Some(mut record) = world.at(object, id).filter(|record| !record.deleted).cloned() {
        record.stamp = whole_second(at).max(record.stamp);
        world.put(object.name, record);
    }
}

/// The roll-up behind a field.
pub(super) fn of(object: &str, field: &str) -> Option<&'static Rollup> {
    of_object(object).find(|rollup| rollup.name == field)
}

/// Whether an object has roll-ups.
pub(super) fn has_any(object: &str) -> bool {
    of_object(object).next().is_some()
}

/// An object's roll-up fields as its describe shows them.
pub(super) fn described(object: &str) -> impl Iterator<Item = Json> {
    of_object(object).map(|rollup| {
        let (kind, scale) = if rollup.summed.is_some() { ("currency", 2) } else { ("double", 0) };
        json!({
            "name": rollup.name, "label": rollup.label, "type": kind, "soapType": "xsd:double", "length": 0,
            "byteLength": 0, "precision": 18, "scale": scale, "digits": 0, "nillable": true, "createable": false,
            "updateable": false, "defaultedOnCreate": false, "calculated": true, "unique": false, "externalId": false,
            "idLookup": false, "caseSensitive": false, "filterable": true, "sortable": true, "groupable": false,
            "nameField": false, "custom": true, "compoundFieldName": null, "referenceTo": [], "relationshipName": null,
            "restrictedPicklist": false, "extraTypeInfo": null, "picklistValues": [], "permissionable": true,
        })
    })
}

/// The parents that a record is rolled up to: writing it locks them.
pub(super) fn parents(object: &str, record: &Record) -> impl Iterator<Item = Id> {
    let links: Vec<&str> = of_child(object).map(|rollup| rollup.link).collect();
    links.into_iter().filter_map(move |link| Id::parse(record.fields.get(link)?.as_str()?))
}

impl Totals {
    /// Reckons with a record that comes or goes.
    pub(super) fn follow(&mut self, object: &str, record: &Record, change: Change) {
        for rollup in of_child(object).filter(|_| !record.deleted) {
            let parent = record.fields.get(rollup.link).and_then(Value::as_str).and_then(Id::parse);
            let Some(parent) = parent else { continue };
            let worth = rollup.summed.map_or(1, |field| hundredths(record.fields.get(field)));
            let totals = self.0.entry(parent).or_default();
            match change {
                Change::Comes => totals[rollup.place] += worth,
                Change::Goes => totals[rollup.place] -= worth,
            }
            if totals.iter().all(|total| *total == 0) {
                self.0.remove(&parent);
            }
        }
    }

    /// A total as comparisons see it.
    pub(super) fn number(&self, rollup: &Rollup, parent: &Id) -> f64 {
        let total = self.total(rollup, parent) as f64;
        if rollup.summed.is_some() { total / 100.0 } else { total }
    }

    /// A total as answers show it.
    pub(super) fn shown(&self, rollup: &Rollup, parent: &Id) -> String {
        let total = self.total(rollup, parent);
        if rollup.summed.is_none() {
            return total.to_string();
        }
        let sign = if total < 0 { "-" } else { "" };
        let (whole, part) = (total.unsigned_abs() / 100, total.unsigned_abs() % 100);
        let part = format!("{part:02}");
        let part = part.trim_end_matches('0');
        if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
    }

    fn total(&self, rollup: &Rollup, parent: &Id) -> i128 {
        self.0.get(parent).map_or(0, |totals| totals[rollup.place])
    }
}

fn of_object(object: &str) -> impl Iterator<Item = &'static Rollup> {
    ROLLUPS.iter().filter(move |rollup| rollup.parent == object)
}

fn of_child(object: &str) -> impl Iterator<Item = &'static Rollup> {
    ROLLUPS.iter().filter(move |rollup| rollup.child == object)
}

/// An amount as stored, whose scale is two; none counts nothing.
fn hundredths(value: Option<Value<'_>>) -> i128 {
    let Some(Value::Number(digits)) = value else { return 0 };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    format!("{whole}{part:0<2.2}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_hundredths_and_come_out_as_they_went_in() {
        for (digits, expected) in [("12", 1200), ("12.5", 1250), ("-0.05", -5), ("100.10", 10_010), ("0", 0)] {
            assert_eq!(hundredths(Some(Value::Number(digits))), expected, "{digits}");
        }
        assert_eq!((hundredths(None), hundredths(Some(Value::Text("1")))), (0, 0));
        let parent = Id::parse("001Si0000000001").expect("an id");
        for (total, expected) in [(1200, "12"), (1250, "12.5"), (-5, "-0.05"), (0, "0"), (7, "0.07")] {
            let totals = Totals(HashMap::from([(parent, [0, total])]));
            assert_eq!(totals.shown(&ROLLUPS[1], &parent), expected);
        }
    }
}
