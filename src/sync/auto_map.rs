//! Which field of a CRM belongs to which field of the app: proposals from meaning, names, types and, where records are
//! matched, equality of values. Each says how certain it is and why; a person decides.

mod meaning;
mod synonyms;

use std::collections::BTreeSet;

use super::{Record, Value, ValueMap, default_mapping, same_meaning};
use crate::model::{Entity, FieldKind, Provider};
use meaning::{Likeness, Meaning};

/// Below this nothing is proposed.
const LEAST: f64 = 0.6;

/// So many records with a value on both sides tell something.
const FEWEST_RECORDS: usize = 5;

/// Values alone speak for a pair from this share of equal ones on, and only where they are not all the same few.
const NEARLY_ALL: f64 = 0.9;
const FEWEST_VALUES: usize = 3;

/// What values alone can make certain at most: two fields may agree by habit and not mean the same.
const BY_VALUES: f64 = 0.85;

/// A field of the CRM that is not mapped yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeCrmField {
    /// API name.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// What the value means.
    pub kind: FieldKind,
    /// The entity that it points to.
    pub references: Option<Entity>,
    /// Whether it names a person of the CRM.
    pub person: bool,
}

/// A field of the app that is not mapped yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeAppField {
    /// Name; `custom.<key>` for the workspace's own.
    pub name: String,
    /// Name for people.
    pub label: String,
    /// What the value means; a field of the workspace's own may mean anything.
    pub kind: FieldKind,
    /// The entity that it points to.
    pub references: Option<Entity>,
}

/// Two linked records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchedRecord {
    /// By CRM field.
    pub crm: Record,
    /// By app field.
    pub app: Record,
}

/// Two fields that may belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// Field in the CRM.
    pub crm_field: String,
    /// Field in the app.
    pub app_field: String,
    /// How certain it is, 0 to 1.
    pub score: f64,
    /// Why, in words for a person.
    pub reason: String,
}

/// Proposes at most one partner for each field, the most certain first.
pub fn auto_map(
    provider: Provider,
    entity: Entity,
    crm: &[FreeCrmField],
    app: &[FreeAppField],
    matched: &[MatchedRecord],
) -> Vec<Proposal> {
    let mut proposals = Vec::new();
    for app in app {
        let meaning = Meaning::new(entity, &app.name, &app.label);
        proposals.extend(crm.iter().filter_map(|crm| propose(provider, entity, &meaning, crm, app, matched)));
    }
    // Equal scores stay in the order of the app's fields, then in that of the CRM's.
    proposals.sort_by(|a, b| b.score.total_cmp(&a.score));
    let (mut crm_taken, mut app_taken) = (BTreeSet::new(), BTreeSet::new());
    proposals.retain(|proposal| {
        let is_free = !crm_taken.contains(&proposal.crm_field) && !app_taken.contains(&proposal.app_field);
        if is_free {
            crm_taken.insert(proposal.crm_field.clone());
            app_taken.insert(proposal.app_field.clone());
        }
        is_free
    });
    proposals
}

fn propose(
    provider: Provider,
    entity: Entity,
    meaning: &Meaning,
    crm: &FreeCrmField,
    app: &FreeAppField,
    matched: &[MatchedRecord],
) -> Option<Proposal> {
    let kinship = kinship(crm, app)?;
    let named = meaning.likeness(entity, &crm.name, &crm.label);
    let default = default_mapping(provider, entity, &crm.name, &app.name);
    // What a script makes of a value cannot be compared here, and an id of one side is none of the other.
    let is_comparable = crm.kind != FieldKind::Reference
        && (app.kind == FieldKind::Domain || default.is_none_or(|default| default.transform.is_none()));
    let map = ValueMap(default.and_then(|default| default.value_pairs()).unwrap_or_default());
    let equality = if is_comparable { Equality::of(crm, app, &map, matched) } else { None };
    let score = score(kinship, named.map(|(certain, _)| certain), equality.as_ref())?;
    Some(Proposal {
        crm_field: crm.name.clone(),
        app_field: app.name.clone(),
        score,
        reason: reason(named.map(|(_, why)| why), &app.label, equality.as_ref()),
    })
}

fn score(kinship: f64, named: Option<f64>, equality: Option<&Equality>) -> Option<f64> {
    let score = match (named, equality) {
        (None, Some(equality)) if equality.tells() => BY_VALUES * equality.share() * equality.weight(),
        (None, _) => return None,
        (Some(named), None) => named * kinship,
        (Some(named), Some(equality)) => {
            let (named, share) = (named * kinship, equality.share());
            // Fields that were never synchronised may well differ: that lowers an equal name, it does not rule it out.
            if share >= 0.5 { named + (1.0 - named) * share * equality.weight() } else { named * (0.7 + 0.6 * share) }
        }
    };
    let rounded = (score.min(1.0) * 100.0).round() / 100.0;
    (rounded >= LEAST).then_some(rounded)
}

fn reason(named: Option<Likeness>, label: &str, equality: Option<&Equality>) -> String {
    let of_names = named.map(|why| match why {
        Likeness::SameName => "same name".to_owned(),
        Likeness::SameMeaning => format!("same meaning, {}", label.to_lowercase()),
        Likeness::SimilarName => "similar name".to_owned(),
    });
    let of_values = equality.map(|equality| {
        let percent = (equality.share() * 100.0).floor();
        format!("{percent} % of {} matched records equal", equality.both)
    });
    [of_names, of_values].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// How well a value of the CRM's kind does in the app's field, 0 to 1; none where it can never be one.
fn kinship(crm: &FreeCrmField, app: &FreeAppField) -> Option<f64> {
    use FieldKind as K;
    if app.references.is_some() || app.kind == K::Reference {
        return (app.references.is_some() && app.references == crm.references).then_some(1.0);
    }
    if crm.kind == K::Reference {
        return (crm.person && app.kind == K::Email).then_some(1.0);
    }
    if app.name.starts_with("custom.") || crm.kind == app.kind {
        return Some(1.0);
    }
    match (crm.kind, app.kind) {
        (K::Text | K::LongText, K::Text | K::LongText) => Some(1.0),
        (K::Text, K::Choice | K::Phone | K::Domain) | (K::Choice, K::Text) => Some(0.95),
        (K::Number, K::Money | K::Percent) | (K::Money, K::Number) => Some(0.95),
        (K::DateTime, K::Date) => Some(0.95),
        (K::Text, K::Email) => Some(0.92),
        (K::Email | K::Phone | K::Domain | K::Number, K::Text) => Some(0.85),
        (K::Text, K::Number | K::Money | K::Percent | K::Date) => Some(0.75),
        _ => None,
    }
}

/// How far the values of matched records are equal.
struct Equality {
    both: usize,
    equal: usize,
    different_values: usize,
}

impl Equality {
    /// Counts the records that have a value on both sides; none where they are too few.
    fn of(crm: &FreeCrmField, app: &FreeAppField, map: &ValueMap, matched: &[MatchedRecord]) -> Option<Self> {
        let mut found = Equality { both: 0, equal: 0, different_values: 0 };
        let mut values = BTreeSet::new();
        for record in matched {
            let ours = record.app.get(&app.name).unwrap_or(&None);
            let theirs: Value = record.crm.get(&crm.name).and_then(|value| map.to_app(value));
            if ours.is_none() || theirs.is_none() {
                continue;
            }
            found.both += 1;
            if same_meaning(app.kind, ours, &theirs) {
                found.equal += 1;
                values.insert(ours);
            }
        }
        found.different_values = values.len();
        (found.both >= FEWEST_RECORDS).then_some(found)
    }

    fn share(&self) -> f64 {
        self.equal as f64 / self.both as f64
    }

    /// How much so many records say: few of them less.
    fn weight(&self) -> f64 {
        self.both as f64 / (self.both as f64 + 1.0)
    }

    /// Whether the values alone speak for a pair.
    fn tells(&self) -> bool {
        self.share() >= NEARLY_ALL && self.different_values >= FEWEST_VALUES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crm(name: &str, label: &str, kind: FieldKind) -> FreeCrmField {
        FreeCrmField { name: name.to_owned(), label: label.to_owned(), kind, references: None, person: false }
    }

    fn app(name: &str, label: &str, kind: FieldKind) -> FreeAppField {
        FreeAppField { name: name.to_owned(), label: label.to_owned(), kind, references: None }
    }

    /// As many records as values, each value on both sides but for those that are named.
    fn records(crm_field: &str, app_field: &str, values: &[&str], other: usize) -> Vec<MatchedRecord> {
        let record = |(place, value): (usize, &&str)| {
            let ours = if place < other { format!("other {place}") } else { (*value).to_owned() };
            MatchedRecord {
                crm: Record::from([(crm_field.to_owned(), Some((*value).to_owned()))]),
                app: Record::from([(app_field.to_owned(), Some(ours))]),
            }
        };
        values.iter().enumerate().map(record).collect()
    }

    fn propose(crm: &[FreeCrmField], app: &[FreeAppField], matched: &[MatchedRecord]) -> Vec<(String, String)> {
        let proposals = auto_map(Provider::Salesforce, Entity::Contact, crm, app, matched);
        proposals.into_iter().map(|proposal| (proposal.crm_field, proposal.app_field)).collect()
    }

    const TEN: [&str; 10] = ["a1", "b2", "c3", "d4", "e5", "f6", "g7", "h8", "i9", "j0"];

    #[test]
    fn values_alone_speak_for_a_pair() {
        let fields = ([crm("X7__c", "Field 7", FieldKind::Text)], [app("title", "Title", FieldKind::Text)]);
        let of = |matched: &[MatchedRecord]| propose(&fields.0, &fields.1, matched).len();
        assert_eq!(of(&[]), 0, "nothing speaks for it");
        assert_eq!(of(&records("X7__c", "title", &TEN, 0)), 1);
        assert_eq!(of(&records("X7__c", "title", &TEN, 1)), 1, "nine of ten");
        assert_eq!(of(&records("X7__c", "title", &TEN, 2)), 0, "eight of ten may be chance");
        assert_eq!(of(&records("X7__c", "title", &TEN[..4], 0)), 0, "too few records");
        assert_eq!(of(&records("X7__c", "title", &["x"; 10], 0)), 0, "all the same says nothing");
    }

    #[test]
    fn values_decide_between_equal_names() {
        let both = [crm("Email__c", "E-Mail", FieldKind::Email), crm("Mail_2__c", "E-Mail", FieldKind::Email)];
        let email = [app("email", "E-mail", FieldKind::Email)];
        let mut matched = records("Mail_2__c", "email", &TEN, 0);
        for record in &mut matched {
            record.crm.insert("Email__c".to_owned(), Some("nobody@acme.example".to_owned()));
        }
        assert_eq!(propose(&both, &email, &[])[0].0, "Email__c");
        assert_eq!(propose(&both, &email, &matched), [("Mail_2__c".to_owned(), "email".to_owned())]);
        let proposals = auto_map(Provider::Salesforce, Entity::Contact, &both, &email, &matched);
        assert_eq!(proposals[0].reason, "same name; 100 % of 10 matched records equal");
        assert!(proposals[0].score > 0.98, "{}", proposals[0].score);
    }

    #[test]
    fn values_are_compared_as_the_default_mapping_pairs_them() {
        let industry = [crm("industry", "Industry", FieldKind::Choice)];
        let free = [app("industry", "Industry", FieldKind::Choice)];
        let pairs = [("BANKING", "Banking"), ("RETAIL", "Retail"), ("FARMING", "Agriculture")];
        let matched: Vec<MatchedRecord> = pairs
            .iter()
            .cycle()
            .take(9)
            .map(|(crm, app)| MatchedRecord {
                crm: Record::from([("industry".to_owned(), Some((*crm).to_owned()))]),
                app: Record::from([("industry".to_owned(), Some((*app).to_owned()))]),
            })
            .collect();
        let found = auto_map(Provider::Hubspot, Entity::Account, &industry, &free, &matched);
        assert_eq!(found[0].reason, "same name; 100 % of 9 matched records equal");
    }

    #[test]
    fn kinds_rule_out_what_can_never_be() {
        let title = [app("title", "Title", FieldKind::Text)];
        assert!(propose(&[crm("Title", "Title", FieldKind::Boolean)], &title, &[]).is_empty());
        let own = [app("custom.title", "title", FieldKind::Text)];
        assert_eq!(propose(&[crm("Title", "Title", FieldKind::Boolean)], &own, &[]).len(), 1);
        let account =
            FreeAppField { references: Some(Entity::Account), ..app("account_id", "Account", FieldKind::Reference) };
        let link = |entity| FreeCrmField { references: entity, ..crm("AccountId", "Account ID", FieldKind::Reference) };
        assert_eq!(propose(&[link(Some(Entity::Account))], std::slice::from_ref(&account), &[]).len(), 1);
        assert!(propose(&[link(Some(Entity::Contact)), link(None)], &[account], &[]).is_empty());
    }
}
