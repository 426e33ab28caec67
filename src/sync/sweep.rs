//! Sweeps: one field emptied, or overwritten without a common past, in many records of one run (`sync.md`, "Guards").

use super::merge_types::{Assignment, Rule};

/// Changes of a sweep that go before its share is known, and that no share holds.
pub const SWEEP_RECORDS: u64 = 50;

/// A sweep of more than this share of the entity's open links is held, in percent.
const SWEEP_PERCENT: u64 = 25;

/// Whether a value that is to be written may be part of a sweep: it empties a field, or overwrites one whose sides never
/// agreed (`has_base`), as at a first meeting or under a mapping that is new. What a person decided is not.
pub fn is_sweeping(assignment: &Assignment, has_base: bool) -> bool {
    let is_decided =
        matches!(assignment.rule, Rule::Person | Rule::PutBack | Rule::CreatedFromApp | Rule::CreatedFromCrm);
    !is_decided && assignment.before.is_some() && (assignment.after.is_none() || !has_base)
}

/// Whether so many changes of one field, in so many open links, must wait for an admin.
pub fn sweep_holds(changes: u64, links: u64) -> bool {
    changes > SWEEP_RECORDS && changes.saturating_mul(100) > links.saturating_mul(SWEEP_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: Option<&str>, after: Option<&str>, rule: Rule) -> Assignment {
        let value = |text: Option<&str>| text.map(str::to_owned);
        Assignment {
            field: "Phone".to_owned(),
            app_field: "phone".to_owned(),
            before: value(before),
            after: value(after),
            rule,
            changed_at: None,
        }
    }

    #[test]
    fn every_kind_of_change() {
        for (before, after, has_base, rule, sweeps) in [
            (Some("1"), None, true, Rule::CrmChanged, true),
            (Some("1"), None, true, Rule::AppChanged, true),
            (Some("1"), Some("2"), false, Rule::CrmWins, true),
            (Some("1"), Some("2"), false, Rule::DirectionPull, true),
            (Some("1"), Some("2"), true, Rule::CrmChanged, false),
            (Some("1"), Some("2"), true, Rule::LastWriteWins, false),
            (None, Some("2"), false, Rule::FirstMeetingOneSide, false),
            (Some("1"), None, true, Rule::Person, false),
            (Some("1"), None, true, Rule::PutBack, false),
        ] {
            assert_eq!(is_sweeping(&change(before, after, rule), has_base), sweeps, "{before:?} {after:?} {rule:?}");
        }
    }

    #[test]
    fn both_limits_must_be_passed() {
        for (changes, links, holds) in [
            (50, 51, false),
            (51, 51, true),
            (51, 203, true),
            (51, 204, false),
            (1000, 4000, false),
            (1001, 4000, true),
        ] {
            assert_eq!(sweep_holds(changes, links), holds, "{changes} of {links}");
        }
    }
}
