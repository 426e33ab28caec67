//! Who wins a conflict (`sync.md`, "Policies").

use super::merge::Claim;
use super::merge_types::{MergeContext, Rule};
use crate::model::{ConflictPolicy, FieldRule, Side};

/// The winner and the rule that made it; `None` waits for a person. A field's rule goes before the connection's policy.
pub(super) fn settle(claim: Claim, context: &MergeContext) -> Option<(Side, Rule)> {
    match (claim.rule, context.policy) {
        (Some(FieldRule::UseApp), _) => Some((Side::App, Rule::FieldRuleUseApp)),
        (Some(FieldRule::UseCrm), _) => Some((Side::Crm, Rule::FieldRuleUseCrm)),
        (None, ConflictPolicy::AppWins) => Some((Side::App, Rule::AppWins)),
        (None, ConflictPolicy::CrmWins) => Some((Side::Crm, Rule::CrmWins)),
        (None, ConflictPolicy::LastWriteWins) => match later(claim.app_changed_at, claim.crm_changed_at, context) {
            Some(side) => Some((side, Rule::LastWriteWins)),
            None => Some((Side::Crm, Rule::LastWriteTied)),
        },
        (None, ConflictPolicy::ManualReview) => None,
    }
}

/// The side of the later edit, once the difference of the clocks is taken out; `None` within the tie window or without a time.
pub(super) fn later(app_at: Option<i64>, crm_at: Option<i64>, context: &MergeContext) -> Option<Side> {
    let ahead = app_at? - (crm_at? - context.clock_skew_ms);
    match ahead {
        _ if ahead > context.tie_window_ms => Some(Side::App),
        _ if ahead < -context.tie_window_ms => Some(Side::Crm),
        _ => None,
    }
}
