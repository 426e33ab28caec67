//! The table of `sync.md`, "Merging one record", row by row, and the promises as properties.

use proptest::prelude::*;

use super::*;
use crate::model::{ConflictPolicy, FieldDirection, FieldRule};

fn field(direction: FieldDirection) -> MappedField {
    named("title", "Title", direction)
}

fn named(app_field: &str, crm_field: &str, direction: FieldDirection) -> MappedField {
    MappedField {
        app_field: app_field.to_owned(),
        crm_field: crm_field.to_owned(),
        app_kind: FieldKind::Text,
        crm_kind: FieldKind::Text,
        direction,
        rule: None,
        crm_createable: true,
        crm_updateable: true,
        crm_max_length: None,
        crm_decimals: None,
    }
}

fn value(text: &str) -> Value {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// `base` is `-` for a first meeting, else one text for both sides.
fn state(base: &str, app: &str, crm: &str) -> FieldState {
    FieldState {
        base: (base != "-").then(|| FieldBase { crm: value(base), app: value(base) }),
        app: Some(value(app)),
        crm: Some(value(crm)),
        crm_as_app: Ok(value(crm)),
        app_as_crm: Ok(value(app)),
        app_changed_at: Some(10_000),
        crm_changed_at: Some(50_000),
        decided: false,
        late: None,
    }
}

fn context(policy: ConflictPolicy) -> MergeContext {
    MergeContext { policy, tie_window_ms: 2000, clock_skew_ms: 0 }
}

fn merged(field: &MappedField, state: FieldState, policy: ConflictPolicy) -> Decision {
    merge(&[(field, state)], &context(policy))
}

/// What a decision does, in short: `app=x`, `crm=x`, `ask`, `base`, or nothing.
fn short(decision: &Decision) -> String {
    let mut parts: Vec<String> = Vec::new();
    let text = |value: &Value| value.clone().unwrap_or_default();
    parts.extend(decision.to_app.iter().map(|set| format!("app={}", text(&set.after))));
    parts.extend(decision.to_crm.iter().map(|set| format!("crm={}", text(&set.after))));
    parts.extend(decision.conflicts.iter().filter(|conflict| conflict.decided.is_none()).map(|_| "ask".to_owned()));
    parts.extend(decision.new_base.iter().map(|_| "base".to_owned()));
    parts.join(" ")
}

#[test]
fn every_row_of_the_merge_table() {
    use ConflictPolicy::{AppWins, CrmWins, LastWriteWins, ManualReview};
    use FieldDirection::{Bidirectional, None as Rest, Pull, Push};
    // base, app, crm, direction, policy, expected
    let cases = [
        ("a", "a", "a", Bidirectional, LastWriteWins, ""),
        ("a", "a", "c", Bidirectional, LastWriteWins, "app=c"),
        ("a", "a", "c", Pull, LastWriteWins, "app=c"),
        ("a", "a", "c", Push, LastWriteWins, ""),
        ("a", "b", "a", Bidirectional, LastWriteWins, "crm=b"),
        ("a", "b", "a", Pull, LastWriteWins, ""),
        ("a", "b", "a", Push, LastWriteWins, "crm=b"),
        ("a", "b", "b", Bidirectional, ManualReview, "base"),
        ("a", "b", "b", Pull, ManualReview, "base"),
        ("a", "b", "c", Bidirectional, CrmWins, "app=c"),
        ("a", "b", "c", Bidirectional, AppWins, "crm=b"),
        ("a", "b", "c", Bidirectional, LastWriteWins, "app=c"),
        ("a", "b", "c", Bidirectional, ManualReview, "ask"),
        ("a", "b", "c", Pull, ManualReview, "app=c"),
        ("a", "b", "c", Push, ManualReview, "crm=b"),
        ("a", "b", "c", Rest, CrmWins, ""),
        ("a", "a", "", Bidirectional, CrmWins, "app="),
        ("a", "", "a", Bidirectional, CrmWins, "crm="),
        ("-", "", "", Bidirectional, LastWriteWins, "base"),
        ("-", "b", "", Bidirectional, CrmWins, "crm=b"),
        ("-", "", "c", Bidirectional, AppWins, "app=c"),
        ("-", "b", "", Pull, CrmWins, ""),
        ("-", "", "c", Push, CrmWins, ""),
        ("-", "b", "b", Bidirectional, ManualReview, "base"),
        ("-", "b", "c", Bidirectional, ManualReview, "ask"),
        ("-", "b", "c", Bidirectional, CrmWins, "app=c"),
        ("-", "b", "c", Pull, ManualReview, "app=c"),
    ];
    for (base, app, crm, direction, policy, expected) in cases {
        let decision = merged(&field(direction), state(base, app, crm), policy);
        assert_eq!(short(&decision), expected, "{base} {app} {crm} {direction} {policy}");
    }
}

#[test]
fn a_field_rule_goes_before_the_policy() {
    let mut ruled = field(FieldDirection::Bidirectional);
    ruled.rule = Some(FieldRule::UseApp);
    let decision = merged(&ruled, state("a", "b", "c"), ConflictPolicy::ManualReview);
    assert_eq!(short(&decision), "crm=b");
    assert_eq!(decision.conflicts[0].decided, Some(Rule::FieldRuleUseApp));
}

#[test]
fn the_later_edit_wins_once_the_clocks_are_compared() {
    let field = field(FieldDirection::Bidirectional);
    // app at, crm at, skew, winner
    let cases = [
        (10_000, 9_000, 0, "app=c"),
        (13_000, 9_000, 0, "crm=b"),
        (10_000, 13_000, 0, "app=c"),
        (10_000, 13_000, 6_000, "crm=b"),
    ];
    for (app_at, crm_at, skew, expected) in cases {
        let state = FieldState { app_changed_at: Some(app_at), crm_changed_at: Some(crm_at), ..state("a", "b", "c") };
        let context = MergeContext { clock_skew_ms: skew, ..context(ConflictPolicy::LastWriteWins) };
        assert_eq!(short(&merge(&[(&field, state)], &context)), expected, "{app_at} {crm_at} {skew}");
    }
    let untimed = FieldState { app_changed_at: None, ..state("a", "b", "c") };
    assert_eq!(short(&merged(&field, untimed, ConflictPolicy::LastWriteWins)), "app=c");
}

#[test]
fn what_was_not_observed_is_left_alone() {
    let unseen = FieldState { crm: None, ..state("a", "b", "c") };
    let decision = merged(&field(FieldDirection::Bidirectional), unseen, ConflictPolicy::CrmWins);
    assert_eq!(short(&decision), "");
    assert_eq!(decision.notes, [Note::NotObserved { app_field: "title".to_owned() }]);
}

#[test]
fn an_address_merges_as_one() {
    let street = named("billing_street", "BillingStreet", FieldDirection::Bidirectional);
    let city = named("billing_city", "BillingCity", FieldDirection::Bidirectional);
    let fields = [(&street, state("s", "s2", "s")), (&city, state("c", "c", "c2"))];
    let crm_wins = merge(&fields, &context(ConflictPolicy::CrmWins));
    assert_eq!(short(&crm_wins), "app=s app=c2", "the CRM's whole address");
    let app_wins = merge(&fields, &context(ConflictPolicy::AppWins));
    assert_eq!(short(&app_wins), "crm=s2 crm=c", "the app's whole address");
    let asked = merge(&fields, &context(ConflictPolicy::ManualReview));
    assert_eq!(short(&asked), "ask ask");
}

#[test]
fn the_latest_edit_of_an_address_wins_it_whole() {
    let street = named("billing_street", "BillingStreet", FieldDirection::Bidirectional);
    let city = named("billing_city", "BillingCity", FieldDirection::Bidirectional);
    let country = named("billing_country", "BillingCountry", FieldDirection::Bidirectional);
    let at = |app_at, crm_at, state| FieldState { app_changed_at: Some(app_at), crm_changed_at: Some(crm_at), ..state };
    let fields = [
        (&street, at(90_000, 10_000, state("s", "s2", "s3"))),
        (&city, at(10_000, 50_000, state("c", "c2", "c3"))),
        (&country, at(10_000, 50_000, state("-", "", "f3"))),
    ];
    let decision = merge(&fields, &context(ConflictPolicy::LastWriteWins));
    assert_eq!(short(&decision), "app=f3 crm=s2 crm=c2", "and what meets for the first time is not emptied");
}

#[test]
fn what_was_not_written_is_not_noted_as_overwritten() {
    let broken = FieldState { crm_as_app: Err("no host".to_owned()), ..state("a", "b", "c") };
    let decision = merged(&field(FieldDirection::Pull), broken, ConflictPolicy::CrmWins);
    assert!(decision.notes.is_empty(), "{decision:?}");
    assert_eq!(decision.failures[0].side, Side::App);
}

#[test]
fn a_value_that_is_too_long_fails_its_field_alone() {
    let mut short_field = field(FieldDirection::Bidirectional);
    short_field.crm_max_length = Some(3);
    let other = named("department", "Department", FieldDirection::Bidirectional);
    let decision = merge(
        &[(&short_field, state("a", "long", "a")), (&other, state("a", "b", "a"))],
        &context(ConflictPolicy::CrmWins),
    );
    assert_eq!(short(&decision), "crm=b");
    assert_eq!(decision.failures[0].code, "value_too_long");
    assert_eq!(decision.failures[0].side, Side::Crm);
}

#[test]
fn a_transform_that_fails_touches_neither_side() {
    let broken = FieldState { crm_as_app: Err("no host".to_owned()), ..state("a", "a", "c") };
    let decision = merged(&field(FieldDirection::Bidirectional), broken, ConflictPolicy::CrmWins);
    assert_eq!(short(&decision), "");
    assert_eq!(decision.failures[0].side, Side::App);
    assert_eq!(decision.seen, [("title".to_owned(), value("c"))], "the CRM's value is kept until it is settled");
}

#[test]
fn a_crm_write_moves_the_base_to_what_the_crm_stored() {
    let kind = FieldKind::Text;
    let previous = FieldBase { crm: value("old"), app: value("old") };
    let base = |stored: Option<&str>| {
        let stored = stored.map(value);
        base_after_crm_write(kind, &value("new"), &value("app"), stored.as_ref(), Some(&previous))
    };
    let moved = |crm: &str| CrmWriteBase::Moved(FieldBase { crm: value(crm), app: value("app") });
    assert_eq!(base(None), moved("new"), "no image: what was sent");
    assert_eq!(base(Some("new ")), moved("new "), "the same meaning: what it stored");
    assert_eq!(base(Some("third")), moved("new"), "a third value merges as the CRM's edit");
    assert_eq!(base(Some("old")), CrmWriteBase::Kept);
}

fn any_policy() -> impl Strategy<Value = ConflictPolicy> {
    prop::sample::select(ConflictPolicy::ALL)
}

fn any_direction() -> impl Strategy<Value = FieldDirection> {
    prop::sample::select(FieldDirection::ALL)
}

fn any_state() -> impl Strategy<Value = (String, String, String, i64, i64)> {
    ("[-ab ]?", "[abc ]?", "[abc ]?", 0..20_000_i64, 0..20_000_i64)
}

fn build((base, app, crm, app_at, crm_at): &(String, String, String, i64, i64)) -> FieldState {
    let base = if base.is_empty() { "-" } else { base };
    FieldState { app_changed_at: Some(*app_at), crm_changed_at: Some(*crm_at), ..state(base, app, crm) }
}

/// Carries a decision out on both sides, moving the bases as the engine does.
fn carry_out(field: &MappedField, mut state: FieldState, decision: &Decision) -> FieldState {
    for (_, base) in &decision.new_base {
        state.base = Some(base.clone());
    }
    for set in &decision.to_app {
        state.base = Some(base_after_app_write(state.crm.clone().flatten(), set.after.clone()));
        state.app = Some(set.after.clone());
    }
    for set in &decision.to_crm {
        let sent_from = state.app.clone().flatten();
        if let CrmWriteBase::Moved(base) =
            base_after_crm_write(field.crm_kind, &set.after, &sent_from, Some(&set.after), state.base.as_ref())
        {
            state.base = Some(base);
        }
        state.crm = Some(set.after.clone());
    }
    state.crm_as_app = Ok(state.crm.clone().flatten());
    state.app_as_crm = Ok(state.app.clone().flatten());
    state
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn two_way_fields_converge_and_do_not_echo(given in any_state(), policy in any_policy()) {
        let field = field(FieldDirection::Bidirectional);
        let before = build(&given);
        let decision = merged(&field, before.clone(), policy);
        let after = carry_out(&field, before, &decision);
        let again = merged(&field, after.clone(), policy);
        prop_assert!(again.writes_nothing(), "echo: {again:?}");
        if policy != ConflictPolicy::ManualReview && again.conflicts.is_empty() {
            let (app, crm) = (after.app.unwrap_or_default(), after.crm.unwrap_or_default());
            let agreed = after.base.is_some_and(|base| same(field.app_kind, &base.app, &app) && same(field.crm_kind, &base.crm, &crm));
            prop_assert!(agreed || same_meaning(field.app_kind, &app, &crm));
        }
    }

    #[test]
    fn nothing_is_lost(given in any_state(), policy in any_policy(), direction in any_direction()) {
        let field = field(direction);
        let state = build(&given);
        let decision = merged(&field, state.clone(), policy);
        let after = carry_out(&field, state.clone(), &decision);
        for (side, now, then) in [(Side::App, &state.app, &after.app), (Side::Crm, &state.crm, &after.crm)] {
            let (now, then) = (now.clone().unwrap_or_default(), then.clone().unwrap_or_default());
            if same(FieldKind::Text, &now, &then) {
                continue;
            }
            // A value that is gone from its side was never an edit, or stands in the journal as overwritten.
            let base = state.base.as_ref().map(|base| if side == Side::App { base.app.clone() } else { base.crm.clone() });
            let was_base = same(FieldKind::Text, &base.flatten(), &now);
            let noted = decision.notes.iter().any(|note| matches!(note, Note::Overwritten { side: noted, value, .. } if *noted == side && *value == now));
            prop_assert!(was_base || noted, "{side} lost {now:?}: {decision:?}");
        }
    }

    #[test]
    fn direction_holds(given in any_state(), policy in any_policy(), direction in any_direction()) {
        let decision = merged(&field(direction), build(&given), policy);
        prop_assert!(direction.pulls() || decision.to_app.is_empty());
        prop_assert!(direction.pushes() || decision.to_crm.is_empty());
    }

    #[test]
    fn empty_never_overwrites_at_a_first_meeting(app in "[ab]?", crm in "[ab]?", policy in any_policy(), direction in any_direction()) {
        let decision = merged(&field(direction), state("-", &app, &crm), policy);
        prop_assert!(decision.to_app.iter().chain(&decision.to_crm).all(|set| set.after.is_some()));
    }

    #[test]
    fn every_difference_is_accounted_for(given in any_state(), policy in any_policy(), direction in any_direction()) {
        let state = build(&given);
        let decision = merged(&field(direction), state.clone(), policy);
        let (app, crm) = (state.app.clone().unwrap_or_default(), state.crm.clone().unwrap_or_default());
        let agreed = state.base.as_ref().is_some_and(|base| base.app == app && base.crm == crm);
        let said = !decision.writes_nothing() || !decision.conflicts.is_empty() || !decision.notes.is_empty()
            || !decision.new_base.is_empty() || !decision.failures.is_empty();
        let changed = state.base.as_ref().is_none_or(|base| !same(FieldKind::Text, &base.app, &app) || !same(FieldKind::Text, &base.crm, &crm));
        prop_assert!(agreed || said || !changed);
    }
}
