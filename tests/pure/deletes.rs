//! Deletes, guards and sweeps, against the table of `sync.md`, "Deletes", and arithmetic in fractions.

use crosstie::model::{ConflictPolicy, Side, SyncDirection};
use crosstie::sync::{Assignment, DeleteDecision, Rule, decide_delete, guard_holds, is_sweeping, sweep_holds};
use proptest::prelude::*;

/// What a row of the table says becomes of the other side's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Deleted,
    Marked,
    Kept,
    Asked,
}

/// The table: option, edited, policy, the delete is the later; `None` fits all.
type Row = (Option<bool>, Option<bool>, Option<ConflictPolicy>, Option<bool>, Fate);

const OF_CRM_DELETES: &[Row] = &[
    (Some(false), None, None, None, Fate::Marked),
    (None, Some(false), None, None, Fate::Deleted),
    (None, None, Some(ConflictPolicy::CrmWins), None, Fate::Deleted),
    (None, None, Some(ConflictPolicy::AppWins), None, Fate::Kept),
    (None, None, Some(ConflictPolicy::ManualReview), None, Fate::Asked),
    (None, None, None, Some(true), Fate::Deleted),
    (None, None, None, Some(false), Fate::Kept),
];

const OF_APP_DELETES: &[Row] = &[
    (Some(false), None, None, None, Fate::Marked),
    (None, Some(false), None, None, Fate::Deleted),
    (None, None, Some(ConflictPolicy::CrmWins), None, Fate::Kept),
    (None, None, Some(ConflictPolicy::AppWins), None, Fate::Deleted),
    (None, None, Some(ConflictPolicy::ManualReview), None, Fate::Asked),
    (None, None, None, Some(true), Fate::Deleted),
    (None, None, None, Some(false), Fate::Kept),
];

fn fate(gone: Side, option: bool, edited: bool, policy: ConflictPolicy, delete_is_later: bool) -> Fate {
    let rows = if gone == Side::Crm { OF_CRM_DELETES } else { OF_APP_DELETES };
    let fits = |row: &&Row| {
        row.0.is_none_or(|wanted| wanted == option)
            && row.1.is_none_or(|wanted| wanted == edited)
            && row.2.is_none_or(|wanted| wanted == policy)
            && row.3.is_none_or(|wanted| wanted == delete_is_later)
    };
    rows.iter().find(fits).expect("the table has a row for every case").4
}

fn assignment(before: Option<&str>, after: Option<&str>, rule: Rule) -> Assignment {
    let value = |text: Option<&str>| text.map(str::to_owned);
    let (field, app_field) = ("Phone".to_owned(), "phone".to_owned());
    Assignment { field, app_field, before: value(before), after: value(after), rule, changed_at: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_delete_follows_the_table(
        gone in prop::sample::select(Side::ALL), option in any::<bool>(), edited in any::<bool>(),
        edited_at in prop::option::of(0..4_i64), deleted_at in prop::option::of(0..4_i64),
        policy in prop::sample::select(ConflictPolicy::ALL), direction in prop::sample::select(SyncDirection::ALL),
    ) {
        // Without both times nobody knows that the delete was later, and a record is not deleted on a guess.
        let later = edited_at.zip(deleted_at).is_some_and(|(edited, deleted)| deleted > edited);
        let travels = direction == SyncDirection::Bidirectional
            || direction == if gone == Side::Crm { SyncDirection::Pull } else { SyncDirection::Push };
        let expected = match (gone, fate(gone, option && travels, edited, policy, later)) {
            (Side::Crm, Fate::Deleted) => DeleteDecision::DeleteApp,
            (Side::Crm, Fate::Marked) => DeleteDecision::MarkGoneCrm,
            (Side::Crm, Fate::Kept) => DeleteDecision::KeepApp,
            (Side::App, Fate::Deleted) => DeleteDecision::DeleteCrm,
            (Side::App, Fate::Marked) => DeleteDecision::MarkGoneApp,
            (Side::App, Fate::Kept) => DeleteDecision::KeepCrm,
            (_, Fate::Asked) => DeleteDecision::Conflict,
        };
        prop_assert_eq!(decide_delete(gone, option, edited, edited_at, deleted_at, policy, direction), expected);
    }

    #[test]
    fn the_guard_holds_more_than_number_and_share(
        deletes in 0..120_u64, recent in 0..120_u64, links in 0..2000_u64,
    ) {
        // The links of the last day's deletes are closed: they were links of the whole.
        let (all, whole) = ((deletes + recent) as f64, (links + recent) as f64);
        let holds = deletes > 0 && all > 50.0 && (whole == 0.0 || all / whole > 0.1 + 1e-9);
        let on_the_edge = whole > 0.0 && ((all / whole) - 0.1).abs() < 1e-9;
        prop_assert_eq!(guard_holds(deletes, recent, links, 50, 10), holds && !on_the_edge);
    }

    #[test]
    fn the_guard_never_lets_go_what_it_held_with_less(
        deletes in 1..500_u64, recent in 0..500_u64, links in 0..2000_u64, more in 1..100_u64,
    ) {
        if guard_holds(deletes, recent, links, 50, 10) {
            prop_assert!(guard_holds(deletes + more, recent, links, 50, 10), "one more delete");
        } else {
            prop_assert!(!guard_holds(deletes, recent, links + more, 50, 10), "one more link");
        }
    }

    #[test]
    fn a_sweep_is_more_than_fifty_and_a_quarter(changes in 0..200_u64, links in 0..1000_u64) {
        let holds = changes >= 51 && 4 * changes > links;
        prop_assert_eq!(sweep_holds(changes, links), holds);
    }

    #[test]
    fn only_emptying_and_first_overwriting_sweeps(
        before in prop::sample::select(vec![None, Some("a"), Some("b")]),
        after in prop::sample::select(vec![None, Some("a"), Some("b")]),
        rule in prop::sample::select(Rule::ALL.to_vec()), has_base in any::<bool>(),
    ) {
        let by_a_person = ["person", "put_back", "created_from_crm", "created_from_app"].contains(&rule.as_str());
        let expected = match (before, after) {
            _ if by_a_person => false,
            (None, _) => false,
            (Some(_), None) => true,
            (Some(_), Some(_)) => !has_base,
        };
        prop_assert_eq!(is_sweeping(&assignment(before, after, rule), has_base), expected);
    }
}
