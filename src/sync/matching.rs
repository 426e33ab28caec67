//! Which unlinked records are the same: one to one or not at all (`sync.md`, "One run").

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::normalise::{folded, host, normalise};
use super::{Record, Value};
use crate::model::{Entity, FieldKind};

/// A record with its match keys, the higher first.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate<'a> {
    /// The record's id on its side.
    pub id: &'a str,
    /// Its keys by [`match_keys`].
    pub keys: Vec<Value>,
}

/// What matching says about one CRM record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MatchOutcome {
    /// The two are the same.
    Pair {
        /// CRM record.
        crm: String,
        /// App record.
        app: String,
    },
    /// Several could be: a question, never a guess.
    Ambiguous {
        /// CRM record.
        crm: String,
        /// App records that it could be.
        app: Vec<String>,
    },
    /// It has no partner.
    Alone {
        /// CRM record.
        crm: String,
    },
}

/// The match keys of a record in app form, the higher first: contact by e-mail; account by domain, then exact normalised
/// name; opportunity by name, account and close date.
pub fn match_keys(entity: Entity, app_form: &Record) -> Vec<Value> {
    let text = |field: &str, kind: FieldKind| normalise(kind, app_form.get(field).unwrap_or(&None));
    match entity {
        Entity::Contact => vec![text("email", FieldKind::Email).map(|email| email.trim().to_lowercase())],
        Entity::Account => {
            let domain = text("domain", FieldKind::Domain).map(|domain| host(&domain));
            let name = text("name", FieldKind::Text).map(|name| folded(&name).to_lowercase());
            vec![domain.filter(|domain| !domain.is_empty()), name]
        }
        Entity::Opportunity => {
            let name = text("name", FieldKind::Text).map(|name| folded(&name).to_lowercase());
            let account = text("account_id", FieldKind::Reference).unwrap_or_default();
            let close_date = text("close_date", FieldKind::Date).unwrap_or_default();
            vec![name.map(|name| format!("{name}\u{1f}{account}\u{1f}{close_date}"))]
        }
    }
}

/// Matches CRM records with app records. A lower key counts only where the higher is empty on a side. `apart` lists pairs
/// (CRM, app) that a person said are not the same. Outcomes come in the order of `crm`.
pub fn match_records(
    crm: &[Candidate<'_>],
    app: &[Candidate<'_>],
    apart: &HashSet<(String, String)>,
) -> Vec<MatchOutcome> {
    let mut by_key: HashMap<(usize, &str), Vec<usize>> = HashMap::new();
    for (index, candidate) in app.iter().enumerate() {
        for (rank, key) in candidate.keys.iter().enumerate() {
            if let Some(key) = key {
                by_key.entry((rank, key)).or_default().push(index);
            }
        }
    }
    let partners: Vec<BTreeSet<usize>> = crm.iter().map(|candidate| partners(candidate, app, &by_key, apart)).collect();
    let mut claims: BTreeMap<usize, usize> = BTreeMap::new();
    for index in partners.iter().flatten() {
        *claims.entry(*index).or_default() += 1;
    }
    crm.iter()
        .zip(partners)
        .map(|(candidate, partners)| {
            let crm = candidate.id.to_owned();
            let mut found = partners.iter().copied();
            match (found.next(), found.next()) {
                (None, _) => MatchOutcome::Alone { crm },
                (Some(only), None) if claims.get(&only) == Some(&1) => {
                    MatchOutcome::Pair { crm, app: app[only].id.to_owned() }
                }
                _ => MatchOutcome::Ambiguous {
                    crm,
                    app: partners.into_iter().map(|index| app[index].id.to_owned()).collect(),
                },
            }
        })
        .collect()
}

fn partners(
    candidate: &Candidate<'_>,
    app: &[Candidate<'_>],
    by_key: &HashMap<(usize, &str), Vec<usize>>,
    apart: &HashSet<(String, String)>,
) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for (rank, key) in candidate.keys.iter().enumerate() {
        let Some(key) = key else { continue };
        for index in by_key.get(&(rank, key.as_str())).into_iter().flatten() {
            let other = &app[*index];
            let higher_is_empty =
                (0..rank).all(|higher| candidate.keys[higher].is_none() || other.keys[higher].is_none());
            if higher_is_empty && !apart.contains(&(candidate.id.to_owned(), other.id.to_owned())) {
                found.insert(*index);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Some((*text).to_owned()).filter(|text| !text.is_empty())).collect()
    }

    fn record(fields: &[(&str, &str)]) -> Record {
        fields.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned()))).collect()
    }

    fn outcomes(crm: &[(&str, &[&str])], app: &[(&str, &[&str])]) -> Vec<MatchOutcome> {
        let candidates = |side: &[(&'static str, &[&str])]| -> Vec<Candidate<'static>> {
            side.iter().map(|(id, texts)| Candidate { id, keys: keys(texts) }).collect()
        };
        let leak = |side: &[(&str, &[&str])]| -> Vec<(&'static str, Vec<String>)> {
            side.iter()
                .map(|(id, texts)| (&*(*id).to_owned().leak(), texts.iter().map(|text| (*text).to_owned()).collect()))
                .collect()
        };
        let (crm, app) = (leak(crm), leak(app));
        let crm: Vec<(&'static str, Vec<&str>)> =
            crm.iter().map(|(id, texts)| (*id, texts.iter().map(String::as_str).collect())).collect();
        let app: Vec<(&'static str, Vec<&str>)> =
            app.iter().map(|(id, texts)| (*id, texts.iter().map(String::as_str).collect())).collect();
        let crm: Vec<(&'static str, &[&str])> = crm.iter().map(|(id, texts)| (*id, texts.as_slice())).collect();
        let app: Vec<(&'static str, &[&str])> = app.iter().map(|(id, texts)| (*id, texts.as_slice())).collect();
        match_records(&candidates(&crm), &candidates(&app), &HashSet::new())
    }

    fn pair(crm: &str, app: &str) -> MatchOutcome {
        MatchOutcome::Pair { crm: crm.to_owned(), app: app.to_owned() }
    }

    #[test]
    fn keys_are_of_the_entity() {
        let contact = match_keys(Entity::Contact, &record(&[("email", " Ann@Acme.example ")]));
        assert_eq!(contact, keys(&["ann@acme.example"]));
        let account =
            match_keys(Entity::Account, &record(&[("domain", "https://www.acme.example/"), ("name", "ACME  Ltd ")]));
        assert_eq!(account, keys(&["acme.example", "acme ltd"]));
        assert_eq!(match_keys(Entity::Contact, &Record::new()), vec![None]);
    }

    #[test]
    fn one_to_one_is_a_pair() {
        assert_eq!(outcomes(&[("c", &["x"])], &[("a", &["x"])]), [pair("c", "a")]);
    }

    #[test]
    fn a_lower_key_counts_only_where_the_higher_is_empty() {
        let app: &[(&str, &[&str])] = &[("a", &["other.example", "acme"])];
        assert_eq!(outcomes(&[("c", &["acme.example", "acme"])], app), [MatchOutcome::Alone { crm: "c".to_owned() }]);
        assert_eq!(outcomes(&[("c", &["", "acme"])], app), [pair("c", "a")]);
    }

    #[test]
    fn ambiguity_is_never_a_guess_in_either_direction() {
        let several = outcomes(&[("c", &["x"])], &[("a", &["x"]), ("b", &["x"])]);
        assert_eq!(
            several,
            [MatchOutcome::Ambiguous { crm: "c".to_owned(), app: vec!["a".to_owned(), "b".to_owned()] }]
        );
        let claimed = outcomes(&[("c", &["x"]), ("d", &["x"])], &[("a", &["x"])]);
        assert!(claimed.iter().all(|outcome| matches!(outcome, MatchOutcome::Ambiguous { .. })));
    }

    #[test]
    fn what_a_person_kept_apart_stays_apart() {
        let crm = [Candidate { id: "c", keys: keys(&["x"]) }];
        let app = [Candidate { id: "a", keys: keys(&["x"]) }];
        let apart = HashSet::from([("c".to_owned(), "a".to_owned())]);
        assert_eq!(match_records(&crm, &app, &apart), [MatchOutcome::Alone { crm: "c".to_owned() }]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_record_has_two_partners(
            crm in prop::collection::vec(prop::collection::vec("[ab]?", 2), 0..6),
            app in prop::collection::vec(prop::collection::vec("[ab]?", 2), 0..6),
        ) {
            let side = |prefix: &str, rows: &[Vec<String>]| -> Vec<(String, Vec<Value>)> {
                rows.iter().enumerate().map(|(i, texts)| {
                    (format!("{prefix}{i}"), texts.iter().map(|t| Some(t.clone()).filter(|t| !t.is_empty())).collect())
                }).collect()
            };
            let (crm, app) = (side("c", &crm), side("a", &app));
            let candidates = |rows: &'_ [(String, Vec<Value>)]| -> Vec<(String, Vec<Value>)> { rows.to_vec() };
            let (crm, app) = (candidates(&crm), candidates(&app));
            let crm: Vec<Candidate<'_>> = crm.iter().map(|(id, keys)| Candidate { id, keys: keys.clone() }).collect();
            let app: Vec<Candidate<'_>> = app.iter().map(|(id, keys)| Candidate { id, keys: keys.clone() }).collect();
            let mut used = HashSet::new();
            for outcome in match_records(&crm, &app, &HashSet::new()) {
                if let MatchOutcome::Pair { app, .. } = outcome {
                    prop_assert!(used.insert(app));
                }
            }
        }
    }
}
