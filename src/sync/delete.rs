//! What a delete on one side does to the other (`sync.md`, "Deletes" and "Guards").

use crate::model::{ConflictPolicy, Side, SyncDirection};

/// What becomes of the other side's record and of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteDecision {
    /// The app record is deleted at the run's end.
    DeleteApp,
    /// The CRM record is deleted at the run's end.
    DeleteCrm,
    /// The app record is kept, marked "no longer in CRM".
    MarkGoneCrm,
    /// The CRM record is kept.
    MarkGoneApp,
    /// The app's edit wins over the CRM's delete: its record is kept.
    KeepApp,
    /// The CRM's edit wins over the app's delete: its record is kept.
    KeepCrm,
    /// A person decides.
    Conflict,
}

/// Decides about a link whose record on side `gone` was deleted. `option_on`: the option that carries deletes to the other
/// side; `other_edited`: the other side was edited since the sides agreed. Instants are epoch milliseconds of our clock.
pub fn decide_delete(
    gone: Side,
    option_on: bool,
    other_edited: bool,
    edited_at: Option<i64>,
    deleted_at: Option<i64>,
    policy: ConflictPolicy,
    direction: SyncDirection,
) -> DeleteDecision {
    let (delete, mark, keep) = match gone {
        Side::Crm => (DeleteDecision::DeleteApp, DeleteDecision::MarkGoneCrm, DeleteDecision::KeepApp),
        Side::App => (DeleteDecision::DeleteCrm, DeleteDecision::MarkGoneApp, DeleteDecision::KeepCrm),
    };
    let travels = match gone {
        Side::Crm => direction.pulls(),
        Side::App => direction.pushes(),
    };
    if !option_on || !travels {
        return mark;
    }
    if !other_edited {
        return delete;
    }
    match (policy, gone) {
        (ConflictPolicy::CrmWins, Side::Crm) | (ConflictPolicy::AppWins, Side::App) => delete,
        (ConflictPolicy::CrmWins, Side::App) | (ConflictPolicy::AppWins, Side::Crm) => keep,
        (ConflictPolicy::LastWriteWins, _) => match (edited_at, deleted_at) {
            (Some(edited_at), Some(deleted_at)) if deleted_at > edited_at => delete,
            _ => keep,
        },
        (ConflictPolicy::ManualReview, _) => DeleteDecision::Conflict,
    }
}

/// Whether a run must be held: more than so many deletes *and* more than so many percent of an entity's links, those of the
/// last 24 hours included.
pub fn guard_holds(deletes: u64, recent_24h: u64, links: u64, guard_records: u32, guard_percent: u32) -> bool {
    let all = deletes.saturating_add(recent_24h);
    deletes > 0
        && all > u64::from(guard_records)
        && all.saturating_mul(100) > links.saturating_add(recent_24h).saturating_mul(u64::from(guard_percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        use ConflictPolicy::{AppWins, CrmWins, LastWriteWins, ManualReview};
        use DeleteDecision::{Conflict, DeleteApp, DeleteCrm, KeepApp, KeepCrm, MarkGoneApp, MarkGoneCrm};
        // gone, option, other edited, edited at, deleted at, policy, expected
        let cases = [
            (Side::Crm, true, false, None, Some(5), LastWriteWins, DeleteApp),
            (Side::Crm, false, false, None, Some(5), LastWriteWins, MarkGoneCrm),
            (Side::Crm, false, true, Some(9), Some(5), CrmWins, MarkGoneCrm),
            (Side::App, true, false, None, Some(5), LastWriteWins, DeleteCrm),
            (Side::App, false, false, None, Some(5), LastWriteWins, MarkGoneApp),
            (Side::Crm, true, true, Some(9), Some(5), CrmWins, DeleteApp),
            (Side::Crm, true, true, Some(9), Some(5), AppWins, KeepApp),
            (Side::Crm, true, true, Some(9), Some(5), LastWriteWins, KeepApp),
            (Side::Crm, true, true, Some(4), Some(5), LastWriteWins, DeleteApp),
            (Side::Crm, true, true, Some(4), None, LastWriteWins, KeepApp),
            (Side::Crm, true, true, Some(4), Some(5), ManualReview, Conflict),
            (Side::App, true, true, Some(9), Some(5), CrmWins, KeepCrm),
            (Side::App, true, true, Some(9), Some(5), AppWins, DeleteCrm),
        ];
        for (gone, option, edited, edited_at, deleted_at, policy, expected) in cases {
            let decided =
                decide_delete(gone, option, edited, edited_at, deleted_at, policy, SyncDirection::Bidirectional);
            assert_eq!(decided, expected, "{gone} {option} {edited} {edited_at:?} {deleted_at:?} {policy}");
        }
    }

    #[test]
    fn deletes_follow_the_direction() {
        let decided = decide_delete(Side::Crm, true, false, None, None, ConflictPolicy::CrmWins, SyncDirection::Push);
        assert_eq!(decided, DeleteDecision::MarkGoneCrm);
    }

    #[test]
    fn the_guard_wants_both_number_and_share() {
        assert!(!guard_holds(50, 0, 100, 50, 10), "no more than 50");
        assert!(!guard_holds(60, 0, 600, 50, 10), "no more than 10 %");
        assert!(guard_holds(61, 0, 600, 50, 10));
        assert!(guard_holds(30, 31, 300, 50, 10), "the last day counts");
        assert!(!guard_holds(0, 1000, 10, 50, 10), "nothing to delete, nothing to hold");
    }
}
