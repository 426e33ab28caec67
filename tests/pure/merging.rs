//! The merge, against the tables of `sync.md` ("The base", "Merging one record", "Policies") as an oracle that knows words by
//! number and transforms that give any word for any other.

use crosstie::model::{ConflictPolicy, FieldDirection, FieldKind, FieldRule, Side};
use crosstie::sync::{
    CrmWriteBase, FieldBase, FieldState, MappedField, MergeContext, Note, Rule, Value, base_after_app_write,
    base_after_crm_write, merge,
};
use proptest::prelude::*;

/// Texts; beside each, which of them are the same on one side, and which agree across the sides.
const WORDS: [(&str, u8, u8); 8] =
    [("", 0, 0), (" ", 0, 0), ("x y", 1, 1), ("x y\r\n", 1, 1), ("x  y", 2, 1), ("z", 3, 3), ("w", 4, 4), ("Z", 5, 5)];

fn is_same(a: usize, b: usize) -> bool {
    WORDS[a].1 == WORDS[b].1
}

fn is_agreed(a: usize, b: usize) -> bool {
    WORDS[a].2 == WORDS[b].2
}

fn value(word: usize) -> Value {
    Some(WORDS[word].0.to_owned()).filter(|text| !text.is_empty())
}

#[derive(Debug, Clone)]
struct Case {
    /// What the CRM's and the app's value was.
    base: Option<(usize, usize)>,
    app: Option<usize>,
    crm: Option<usize>,
    /// What the transforms make of them; `None`: they fail.
    crm_as_app: Option<usize>,
    app_as_crm: Option<usize>,
    app_at: Option<i64>,
    crm_at: Option<i64>,
    decided: bool,
    late: Option<usize>,
    direction: FieldDirection,
    rule: Option<FieldRule>,
    updateable: bool,
    longest: Option<u32>,
}

fn word() -> impl Strategy<Value = usize> {
    0..WORDS.len()
}

/// Mostly there.
fn some<T: Clone + std::fmt::Debug + 'static>(
    of: impl Strategy<Value = T> + 'static,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.9, of)
}

fn case() -> impl Strategy<Value = Case> {
    let values = (prop::option::weighted(0.7, (word(), word())), some(word()), some(word()));
    let transforms = (prop::option::weighted(0.3, some(word())), prop::option::weighted(0.3, some(word())));
    let times = (some(0..12_000_i64), some(0..12_000_i64));
    let asides = (prop::bool::weighted(0.1), prop::option::weighted(0.2, word()));
    let direction = prop::sample::select(vec![
        FieldDirection::Bidirectional,
        FieldDirection::Bidirectional,
        FieldDirection::Pull,
        FieldDirection::Push,
        FieldDirection::None,
    ]);
    let rule = prop::option::weighted(0.2, prop::sample::select(FieldRule::ALL));
    let limits = (prop::bool::weighted(0.9), prop::option::weighted(0.1, 0..3_u32));
    (values, transforms, times, asides, direction, rule, limits).prop_map(
        |(
            (base, app, crm),
            (to_app, to_crm),
            (app_at, crm_at),
            (decided, late),
            direction,
            rule,
            (updateable, longest),
        )| {
            // Without a transform the values pass as they are.
            let crm_as_app = to_app.unwrap_or(crm);
            let app_as_crm = to_crm.unwrap_or(app);
            Case {
                base,
                app,
                crm,
                crm_as_app,
                app_as_crm,
                app_at,
                crm_at,
                decided,
                late,
                direction,
                rule,
                updateable,
                longest,
            }
        },
    )
}

impl Case {
    fn field(&self, app_field: &str) -> MappedField {
        MappedField {
            app_field: app_field.to_owned(),
            crm_field: app_field.to_uppercase(),
            app_kind: FieldKind::Text,
            crm_kind: FieldKind::Text,
            direction: self.direction,
            rule: self.rule,
            crm_createable: true,
            crm_updateable: self.updateable,
            crm_max_length: self.longest,
            crm_decimals: None,
        }
    }

    fn state(&self) -> FieldState {
        let brought = |word: Option<usize>| word.map(value).ok_or_else(|| "no".to_owned());
        FieldState {
            base: self.base.map(|(crm, app)| FieldBase { crm: value(crm), app: value(app) }),
            app: self.app.map(value),
            crm: self.crm.map(value),
            crm_as_app: brought(self.crm_as_app),
            app_as_crm: brought(self.app_as_crm),
            app_changed_at: self.app_at,
            crm_changed_at: self.crm_at,
            decided: self.decided,
            late: self.late.map(value),
        }
    }

    /// What became of the sides since they agreed: the app changed, the CRM changed, and whether they agree now.
    fn looked_at(&self) -> Option<(bool, bool, bool)> {
        let (app, crm) = (self.app?, self.crm?);
        let (app_changed, crm_changed) = match self.base {
            None => (!is_same(app, 0), !is_same(crm, 0)),
            Some(_) if self.late.is_some_and(|late| is_agreed(late, crm)) => (true, false),
            Some((crm_was, app_was)) => (!is_same(app, app_was), !is_same(crm, crm_was)),
        };
        let unmoved = self.base.is_some() && !app_changed && !crm_changed;
        let agree = unmoved
            || self.crm_as_app.is_some_and(|brought| is_agreed(brought, app))
            || self.app_as_crm.is_some_and(|brought| is_agreed(brought, crm));
        Some((app_changed, crm_changed, agree))
    }
}

/// What a table says of one field.
#[derive(Debug, Clone, Default, PartialEq)]
struct Said {
    /// What the app is to hold and why.
    to_app: Option<(usize, &'static str)>,
    to_crm: Option<(usize, &'static str)>,
    /// A conflict, with the rule that decides it.
    conflict: Option<Option<&'static str>>,
    /// Both values as read are the new base.
    agrees: bool,
    /// The side whose edit rests.
    rests: Option<Side>,
    /// The side whose value was overwritten.
    overwritten: Option<Side>,
    unobserved: bool,
    /// The CRM's value is kept beside the base.
    seen: bool,
    failed: Option<(Side, &'static str)>,
}

/// Times and rule of whoever decides a conflict: the field's own, or its group's.
#[derive(Clone, Copy)]
struct Deciding {
    rule: Option<FieldRule>,
    app_at: Option<i64>,
    crm_at: Option<i64>,
}

fn winner(deciding: Deciding, context: &MergeContext) -> Option<(Side, &'static str)> {
    match deciding.rule {
        Some(FieldRule::UseApp) => return Some((Side::App, "field_rule_use_app")),
        Some(FieldRule::UseCrm) => return Some((Side::Crm, "field_rule_use_crm")),
        None => {}
    }
    match context.policy {
        ConflictPolicy::CrmWins => Some((Side::Crm, "crm_wins")),
        ConflictPolicy::AppWins => Some((Side::App, "app_wins")),
        ConflictPolicy::ManualReview => None,
        ConflictPolicy::LastWriteWins => {
            // The same clock for both, then a clear lead; the CRM's wins where there is none.
            let lead = deciding.app_at.zip(deciding.crm_at).map(|(app, crm)| app + context.clock_skew_ms - crm);
            Some(match lead {
                Some(lead) if lead > context.tie_window_ms => (Side::App, "last_write_wins"),
                Some(lead) if lead < -context.tie_window_ms => (Side::Crm, "last_write_wins"),
                _ => (Side::Crm, "last_write_tied"),
            })
        }
    }
}

/// The table of `sync.md`, for one field. `torn`: its group was changed on both sides.
fn table(case: &Case, torn: Option<Deciding>, context: &MergeContext) -> Said {
    use FieldDirection::{Bidirectional, None as Rest, Pull, Push};
    let mut said = Said::default();
    let Some((app_changed, crm_changed, agree)) = case.looked_at() else {
        return Said { unobserved: true, ..said };
    };
    let (app, crm) = (case.app.expect("observed"), case.crm.expect("observed"));
    let first = case.base.is_none();
    if agree {
        said.agrees = case.base != Some((crm, app));
        // Nothing and nothing are the same base, however they are written in the table.
        if case.base.is_some_and(|(crm_was, app_was)| value(crm_was) == value(crm) && value(app_was) == value(app)) {
            said.agrees = false;
        }
        return said;
    }
    let torn = torn.filter(|_| !first && !case.decided);
    let own = Deciding { rule: case.rule, app_at: case.app_at, crm_at: case.crm_at };
    // What is written, why, and whose value it overwrites.
    let (side, why, overwrites): (Side, &'static str, Option<Side>) =
        match (app_changed || torn.is_some(), crm_changed || torn.is_some(), case.direction) {
            (false, false, _) => return said,
            (false, true, Bidirectional | Pull) if first => (Side::App, "first_meeting_one_side", None),
            (true, false, Bidirectional | Push) if first => (Side::Crm, "first_meeting_one_side", None),
            (false, true, Bidirectional | Pull) => (Side::App, "crm_changed", None),
            (true, false, Bidirectional | Push) => (Side::Crm, "app_changed", None),
            (false, true, Push | Rest) => return rests(case, Side::Crm),
            (true, false, Pull | Rest) | (true, true, Rest) => return rests(case, Side::App),
            (true, true, Pull) => (Side::App, "direction_pull", Some(Side::App)),
            (true, true, Push) => (Side::Crm, "direction_push", Some(Side::Crm)),
            (true, true, Bidirectional) => {
                if case.crm_as_app.is_none() {
                    return Said { failed: Some((Side::App, "transform_failed")), seen: is_news(case), ..said };
                }
                let winner = winner(torn.unwrap_or(own), context);
                said.conflict = Some(winner.map(|(_, rule)| rule));
                let Some((side, rule)) = winner else { return Said { seen: is_news(case), ..said } };
                (
                    if side == Side::App { Side::Crm } else { Side::App },
                    rule,
                    Some(if side == Side::App { Side::Crm } else { Side::App }),
                )
            }
        };
    match (side, case.crm_as_app, case.app_as_crm) {
        (Side::App, Some(brought), _) => (said.to_app, said.overwritten) = (Some((brought, why)), overwrites),
        (Side::App, None, _) => (said.failed, said.seen) = (Some((Side::App, "transform_failed")), is_news(case)),
        (Side::Crm, _, _) if !case.updateable => (said.rests, said.seen) = (Some(Side::App), is_news(case)),
        (Side::Crm, _, None) => (said.failed, said.seen) = (Some((Side::Crm, "transform_failed")), is_news(case)),
        (Side::Crm, _, Some(brought)) => {
            said.seen = is_news(case);
            let length = u32::try_from(WORDS[brought].0.chars().count()).expect("a short word");
            if case.longest.is_some_and(|longest| length > longest) {
                said.failed = Some((Side::Crm, "value_too_long"));
            } else {
                (said.to_crm, said.overwritten) = (Some((brought, why)), overwrites);
            }
        }
    }
    said
}

fn rests(case: &Case, side: Side) -> Said {
    Said { rests: Some(side), seen: is_news(case), ..Said::default() }
}

/// Whether the CRM's value is another than the base's, letter by letter.
fn is_news(case: &Case) -> bool {
    case.base.is_none_or(|(crm_was, _)| value(crm_was) != case.crm.and_then(value))
}

/// What the core says of each field, in the oracle's words.
fn asked(fields: &[(&str, &Case)], context: &MergeContext) -> Vec<Said> {
    let mapped: Vec<MappedField> = fields.iter().map(|(name, case)| case.field(name)).collect();
    let states: Vec<(&MappedField, FieldState)> =
        mapped.iter().zip(fields).map(|(field, (_, case))| (field, case.state())).collect();
    let decision = merge(&states, context);
    let told = |name: &str, case: &Case| {
        let word = |held: &Value| (0..WORDS.len()).find(|word| value(*word) == *held).expect("a word of the table");
        let mut said = Said::default();
        for set in decision.to_app.iter().filter(|set| set.app_field == name) {
            assert_eq!((&set.field, Some(&set.before)), (&set.app_field, case.app.map(value).as_ref()));
            assert_eq!(set.changed_at, case.crm_at.map(|at| at - context.clock_skew_ms), "it carries the edit's time");
            assert!(said.to_app.replace((word(&set.after), set.rule.as_str())).is_none());
        }
        for set in decision.to_crm.iter().filter(|set| set.app_field == name) {
            assert_eq!(
                (set.field.as_str(), Some(&set.before)),
                (name.to_uppercase().as_str(), case.crm.map(value).as_ref())
            );
            assert_eq!(set.changed_at, case.app_at);
            assert!(said.to_crm.replace((word(&set.after), set.rule.as_str())).is_none());
        }
        for conflict in decision.conflicts.iter().filter(|conflict| conflict.app_field == name) {
            assert_eq!(conflict.winner.is_some(), conflict.decided.is_some());
            assert_eq!(
                (Some(&conflict.app), Some(&conflict.crm_raw)),
                (case.app.map(value).as_ref(), case.crm.map(value).as_ref())
            );
            assert!(said.conflict.replace(conflict.decided.map(Rule::as_str)).is_none());
        }
        for (_, base) in decision.new_base.iter().filter(|(of, _)| of == name) {
            assert_eq!(
                (Some(&base.app), Some(&base.crm)),
                (case.app.map(value).as_ref(), case.crm.map(value).as_ref())
            );
            said.agrees = true;
        }
        for (_, held) in decision.seen.iter().filter(|(of, _)| of == name) {
            assert_eq!(Some(held), case.crm.map(value).as_ref());
            assert!(!said.seen, "kept once");
            said.seen = true;
        }
        for failure in decision.failures.iter().filter(|failure| failure.app_field == name) {
            assert!(said.failed.replace((failure.side, failure.code)).is_none());
        }
        for note in &decision.notes {
            match note {
                Note::Rests { app_field, side } if app_field == name => said.rests = Some(*side),
                Note::NotObserved { app_field } if app_field == name => said.unobserved = true,
                Note::Overwritten { app_field, side, value: lost } if app_field == name => {
                    let held = if *side == Side::App { case.app } else { case.crm };
                    assert_eq!(Some(lost), held.map(value).as_ref());
                    said.overwritten = Some(*side);
                }
                _ => {}
            }
        }
        said
    };
    fields.iter().map(|(name, case)| told(name, case)).collect()
}

fn normal(mut said: Said) -> Said {
    // Nothing is written in two ways in the table.
    for (word, _) in said.to_app.iter_mut().chain(&mut said.to_crm) {
        *word = (0..=*word).find(|other| value(*other) == value(*word)).unwrap_or(*word);
    }
    said
}

fn context() -> impl Strategy<Value = MergeContext> {
    (prop::sample::select(ConflictPolicy::ALL), 0..4000_i64, -5000..5000_i64)
        .prop_map(|(policy, tie_window_ms, clock_skew_ms)| MergeContext { policy, tie_window_ms, clock_skew_ms })
}

/// The times and the rule of a group that both sides changed and on which they do not agree.
fn torn(members: &[&Case]) -> Option<Deciding> {
    let own = |case: &&&Case| case.base.is_some() && !case.decided;
    let differing: Vec<(&Case, bool, bool)> = members
        .iter()
        .filter(own)
        .filter_map(|case| case.looked_at().filter(|(_, _, agree)| !agree).map(|(app, crm, _)| (*case, app, crm)))
        .collect();
    let app: Vec<&Case> = differing.iter().filter(|(_, app, _)| *app).map(|(case, ..)| *case).collect();
    let crm: Vec<&Case> = differing.iter().filter(|(_, _, crm)| *crm).map(|(case, ..)| *case).collect();
    (!app.is_empty() && !crm.is_empty()).then(|| Deciding {
        rule: differing.iter().find_map(|(case, ..)| case.rule),
        app_at: app.iter().filter_map(|case| case.app_at).max(),
        crm_at: crm.iter().filter_map(|case| case.crm_at).max(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn one_field_follows_the_table(case in case(), context in context()) {
        let said = asked(&[("title", &case)], &context);
        prop_assert_eq!(&said[0], &normal(table(&case, None, &context)));
    }

    #[test]
    fn fields_are_decided_each_for_itself(cases in prop::collection::vec(case(), 2..5), context in context()) {
        let names = ["name", "title", "phone", "website"];
        let fields: Vec<(&str, &Case)> = names.into_iter().zip(&cases).collect();
        let expected: Vec<Said> = fields.iter().map(|(_, case)| normal(table(case, None, &context))).collect();
        prop_assert_eq!(asked(&fields, &context), expected);
    }

    #[test]
    fn a_group_is_decided_as_one(cases in prop::collection::vec(case(), 5), context in context()) {
        let names = ["billing_street", "amount", "billing_city", "currency", "title"];
        let fields: Vec<(&str, &Case)> = names.into_iter().zip(&cases).collect();
        let (address, money) = (torn(&[&cases[0], &cases[2]]), torn(&[&cases[1], &cases[3]]));
        let groups = [address, money, address, money, None];
        let expected: Vec<Said> =
            fields.iter().zip(groups).map(|((_, case), torn)| normal(table(case, torn, &context))).collect();
        prop_assert_eq!(asked(&fields, &context), expected);
    }

    #[test]
    fn a_torn_group_has_one_winner(cases in prop::collection::vec(case(), 2), context in context()) {
        let both_ways = |case: &Case| Case {
            direction: FieldDirection::Bidirectional, updateable: true, longest: None, decided: false, late: None,
            crm_as_app: case.crm, app_as_crm: case.app, base: case.base.or(Some((2, 2))), ..case.clone()
        };
        let cases: Vec<Case> = cases.iter().map(both_ways).collect();
        let said = asked(&[("amount", &cases[0]), ("currency", &cases[1])], &context);
        prop_assert!(said.iter().all(|said| said.to_app.is_none()) || said.iter().all(|said| said.to_crm.is_none())
            || torn(&[&cases[0], &cases[1]]).is_none(), "half of each: {said:?}");
    }

    #[test]
    fn the_base_moves_as_the_table_says(
        sent in word(), from in word(), stored in prop::option::of(word()), was in prop::option::of((word(), word())),
    ) {
        let previous = was.map(|(crm, app)| FieldBase { crm: value(crm), app: value(app) });
        let image = stored.map(value);
        let base = base_after_crm_write(FieldKind::Text, &value(sent), &value(from), image.as_ref(), previous.as_ref());
        let crm = match stored {
            Some(stored) if is_agreed(stored, sent) => Some(stored),
            Some(stored) if was.is_some_and(|(crm, _)| is_same(crm, stored)) => None,
            _ => Some(sent),
        };
        let expected = match crm {
            Some(crm) => CrmWriteBase::Moved(FieldBase { crm: value(crm), app: value(from) }),
            None => CrmWriteBase::Kept,
        };
        prop_assert_eq!(base, expected);
        let written = base_after_app_write(value(sent), value(from));
        prop_assert_eq!(written, FieldBase { crm: value(sent), app: value(from) });
    }
}
