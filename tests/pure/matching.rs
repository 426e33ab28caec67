//! Which unlinked records are the same, against a judge that looks at every pair.

use std::collections::HashSet;

use crosstie::model::Entity;
use crosstie::sync::{Candidate, MatchOutcome, Record, Value, match_keys, match_records};
use proptest::prelude::*;

const CRM: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];
const APP: [&str; 6] = ["a0", "a1", "a2", "a3", "a4", "a5"];

fn keys() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(prop::sample::select(vec![None, None, Some("x"), Some("y"), Some("z")]), 2)
        .prop_map(|keys| keys.into_iter().map(|key| key.map(str::to_owned)).collect())
}

/// The highest key that both have decides; there is no other.
fn may_be_the_same(one: &[Value], other: &[Value]) -> bool {
    let both = one.iter().zip(other).find_map(|(one, other)| Some(one.as_ref()? == other.as_ref()?));
    both == Some(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn one_to_one_or_not_at_all(
        crm in prop::collection::vec(keys(), 0..6),
        app in prop::collection::vec(keys(), 0..6),
        apart in prop::collection::hash_set((0..6_usize, 0..6_usize), 0..3),
    ) {
        let candidates = |names: &'static [&'static str], all: &[Vec<Value>]| -> Vec<Candidate<'static>> {
            all.iter().zip(names).map(|(keys, id)| Candidate { id, keys: keys.clone() }).collect()
        };
        let kept: HashSet<(String, String)> =
            apart.iter().map(|(crm, app)| (CRM[*crm].to_owned(), APP[*app].to_owned())).collect();
        let outcomes = match_records(&candidates(&CRM, &crm), &candidates(&APP, &app), &kept);
        prop_assert_eq!(outcomes.len(), crm.len(), "each has an outcome");
        let could = |c: usize, a: usize| !apart.contains(&(c, a)) && may_be_the_same(&crm[c], &app[a]);
        for (c, outcome) in outcomes.iter().enumerate() {
            let partners: Vec<usize> = (0..app.len()).filter(|a| could(c, *a)).collect();
            let rivals = |a: usize| (0..crm.len()).filter(|other| could(*other, a)).count();
            let id = CRM[c].to_owned();
            let expected = match partners.as_slice() {
                [] => MatchOutcome::Alone { crm: id },
                [only] if rivals(*only) == 1 => MatchOutcome::Pair { crm: id, app: APP[*only].to_owned() },
                several => {
                    MatchOutcome::Ambiguous { crm: id, app: several.iter().map(|a| APP[*a].to_owned()).collect() }
                }
            };
            prop_assert_eq!(outcome, &expected, "{:?} among {:?}", crm[c], app);
        }
    }

    #[test]
    fn keys_pair_what_is_written_differently(
        entity in prop::sample::select(Entity::ALL), one in 0..4_usize, other in 0..4_usize, spelled in 0..3_usize, day in 1..4_u32,
        same_day in any::<bool>(),
    ) {
        let mails = ["ann@acme.example", "bob@acme.example", "ann@acme.org", "a@b"];
        let hosts = ["acme.example", "shop.example", "acme.org", "www2.example"];
        let names = ["Acme Ltd", "Acme", "Kestrel & Sons", "acme-ltd"];
        let spell = |text: &str, host: bool| match spelled {
            0 => text.to_owned(),
            1 => text.to_uppercase() + "  ",
            _ if host => format!("https://www.{text}/about"),
            _ => text.replace(' ', "   ") + "\r\n",
        };
        let record = |fields: &[(&str, String)]| -> Record {
            fields.iter().map(|(name, value)| ((*name).to_owned(), Some(value.clone()))).collect()
        };
        let date = |day: u32| format!("2026-03-0{day}");
        let other_day = if same_day { day } else { day + 1 };
        let (first, second, alike) = match entity {
            Entity::Contact => {
                let spelled = if spelled == 2 { format!(" {}", mails[other]) } else { spell(mails[other], false) };
                (record(&[("email", mails[one].to_owned())]), record(&[("email", spelled)]), one == other)
            }
            Entity::Account => (
                record(&[("domain", hosts[one].to_owned()), ("name", names[one].to_owned())]),
                record(&[("domain", spell(hosts[other], true)), ("name", names[one].to_owned())]),
                one == other,
            ),
            Entity::Opportunity => (
                record(&[("name", names[one].to_owned()), ("account_id", "k".to_owned()), ("close_date", date(day))]),
                record(&[("name", spell(names[other], false)), ("account_id", "k".to_owned()), ("close_date", date(other_day))]),
                one == other && same_day,
            ),
        };
        let (crm, app) = (match_keys(entity, &first), match_keys(entity, &second));
        let outcome = match_records(&[Candidate { id: "c", keys: crm }], &[Candidate { id: "a", keys: app }], &HashSet::new());
        let expected = if alike {
            MatchOutcome::Pair { crm: "c".to_owned(), app: "a".to_owned() }
        } else {
            MatchOutcome::Alone { crm: "c".to_owned() }
        };
        prop_assert_eq!(outcome, vec![expected], "{:?} {:?}", first, second);
    }

    #[test]
    fn a_name_pairs_accounts_only_where_a_domain_is_missing(
        left in any::<bool>(), right in any::<bool>(), same_name in any::<bool>(), same_domain in any::<bool>(),
    ) {
        let record = |has_domain: bool, domain: &str, name: &str| -> Record {
            let domain = has_domain.then(|| domain.to_owned());
            [("domain".to_owned(), domain), ("name".to_owned(), Some(name.to_owned()))].into()
        };
        let one = match_keys(Entity::Account, &record(left, "acme.example", "Acme Ltd"));
        let domain = if same_domain { "acme.example" } else { "acme.org" };
        let other = match_keys(Entity::Account, &record(right, domain, if same_name { "ACME  ltd" } else { "Acme" }));
        let outcome = match_records(&[Candidate { id: "c", keys: one }], &[Candidate { id: "a", keys: other }], &HashSet::new());
        let pairs = matches!(outcome.as_slice(), [MatchOutcome::Pair { .. }]);
        prop_assert_eq!(pairs, if left && right { same_domain } else { same_name });
    }
}
