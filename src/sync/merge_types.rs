//! What a merge takes and what it answers.

use super::Value;
use crate::model::{ConflictPolicy, Side};

/// Both values of a field when the sides last agreed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FieldBase {
    /// The CRM's value as it stores it.
    pub crm: Value,
    /// The app's value.
    pub app: Value,
}

/// One field's state on both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldState {
    /// The last agreement; none is a first meeting.
    pub base: Option<FieldBase>,
    /// The app's value now; `None`: not observed.
    pub app: Option<Value>,
    /// The CRM's value now; `None`: not observed.
    pub crm: Option<Value>,
    /// The CRM's value in app form, or why it cannot be brought there.
    pub crm_as_app: Result<Value, String>,
    /// The app's value in CRM form, or why it cannot be brought there.
    pub app_as_crm: Result<Value, String>,
    /// When the app's value changed, epoch milliseconds.
    pub app_changed_at: Option<i64>,
    /// When the CRM's value changed, epoch milliseconds by the CRM's clock.
    pub crm_changed_at: Option<i64>,
    /// A person decided this field; it merges by itself, apart from its group.
    pub decided: bool,
    /// A value of ours that was on its way to the CRM and not applied when it was asked: if the CRM shows it, that is no edit.
    pub late: Option<Value>,
}

/// Who wins, and what the clocks are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct MergeContext {
    /// The connection's policy.
    pub policy: ConflictPolicy,
    /// Edits closer together have no order; the CRM's wins. Milliseconds.
    pub tie_window_ms: i64,
    /// The CRM's clock minus ours, milliseconds; taken out.
    pub clock_skew_ms: i64,
}

/// Why a field gets the value it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Only the CRM's value changed.
    CrmChanged,
    /// Only the app's value changed.
    AppChanged,
    /// At the first meeting one side was empty.
    FirstMeetingOneSide,
    /// Both changed; the later edit won, by the time at which the CRM's record was last edited.
    LastWriteWins,
    /// Both changed; the later edit won, by the time at which the CRM's field was last edited.
    LastWriteWinsByField,
    /// Both changed, so close together that their order is not known; the CRM's won.
    LastWriteTied,
    /// Both changed; the connection says that the CRM wins.
    CrmWins,
    /// Both changed; the connection says that the app wins.
    AppWins,
    /// Both changed; the field's rule says that the app wins.
    FieldRuleUseApp,
    /// Both changed; the field's rule says that the CRM wins.
    FieldRuleUseCrm,
    /// Both changed; the field only comes from the CRM.
    DirectionPull,
    /// Both changed; the field only goes to the CRM.
    DirectionPush,
    /// A person decided.
    Person,
    /// A write has overwritten the CRM's edit unseen.
    PutBack,
    /// The record was made from the CRM's.
    CreatedFromCrm,
    /// The record was made from the app's.
    CreatedFromApp,
}

impl Rule {
    /// Every rule.
    pub const ALL: &'static [Rule] = &[
        Rule::CrmChanged,
        Rule::AppChanged,
        Rule::FirstMeetingOneSide,
        Rule::LastWriteWins,
        Rule::LastWriteWinsByField,
        Rule::LastWriteTied,
        Rule::CrmWins,
        Rule::AppWins,
        Rule::FieldRuleUseApp,
        Rule::FieldRuleUseCrm,
        Rule::DirectionPull,
        Rule::DirectionPush,
        Rule::Person,
        Rule::PutBack,
        Rule::CreatedFromCrm,
        Rule::CreatedFromApp,
    ];

    /// The text form in the journal.
    pub const fn as_str(self) -> &'static str {
        match self {
            Rule::CrmChanged => "crm_changed",
            Rule::AppChanged => "app_changed",
            Rule::FirstMeetingOneSide => "first_meeting_one_side",
            Rule::LastWriteWins => "last_write_wins",
            Rule::LastWriteWinsByField => "last_write_wins_by_field",
            Rule::LastWriteTied => "last_write_tied",
            Rule::CrmWins => "crm_wins",
            Rule::AppWins => "app_wins",
            Rule::FieldRuleUseApp => "field_rule_use_app",
            Rule::FieldRuleUseCrm => "field_rule_use_crm",
            Rule::DirectionPull => "direction_pull",
            Rule::DirectionPush => "direction_push",
            Rule::Person => "person",
            Rule::PutBack => "put_back",
            Rule::CreatedFromCrm => "created_from_crm",
            Rule::CreatedFromApp => "created_from_app",
        }
    }

    /// The rule as a sentence for people.
    pub const fn label(self) -> &'static str {
        match self {
            Rule::CrmChanged => "Only the CRM had changed",
            Rule::AppChanged => "Only the app had changed",
            Rule::FirstMeetingOneSide => "First meeting; the other side was empty",
            Rule::LastWriteWins => "Both had changed; the later edit won, by the record's last edit in the CRM",
            Rule::LastWriteWinsByField => "Both had changed; the later edit won, by the field's history in the CRM",
            Rule::LastWriteTied => "Both had changed, and which was later is not known; the CRM's value won",
            Rule::CrmWins => "Both had changed; the CRM always wins",
            Rule::AppWins => "Both had changed; the app always wins",
            Rule::FieldRuleUseApp => "Both had changed; this field always uses the app",
            Rule::FieldRuleUseCrm => "Both had changed; this field always uses the CRM",
            Rule::DirectionPull => "Both had changed; this field only comes from the CRM",
            Rule::DirectionPush => "Both had changed; this field only goes to the CRM",
            Rule::Person => "A person decided",
            Rule::PutBack => "Put back what was edited in the CRM while it was being written",
            Rule::CreatedFromCrm => "Created from the CRM's record",
            Rule::CreatedFromApp => "Created from the app's record",
        }
    }
}

impl std::str::FromStr for Rule {
    type Err = crate::model::UnknownText;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Rule::ALL.iter().copied().find(|rule| rule.as_str() == text);
        known.ok_or_else(|| crate::model::UnknownText { kind: "rule", text: text.to_owned() })
    }
}

/// A value to write to one side.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Field name on the side that is written.
    pub field: String,
    /// App field of the mapping.
    pub app_field: String,
    /// Value there before.
    pub before: Value,
    /// Value to write.
    pub after: Value,
    /// Why.
    pub rule: Rule,
    /// When the edit that this brings was made, epoch milliseconds of our clock.
    pub changed_at: Option<i64>,
}

/// Both sides changed a field and differ.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldConflict {
    /// App field of the mapping.
    pub app_field: String,
    /// The app's value.
    pub app: Value,
    /// The CRM's value in app form.
    pub crm_as_app: Value,
    /// The CRM's value as it stores it.
    pub crm_raw: Value,
    /// The app's value at the last agreement.
    pub base_app: Value,
    /// The rule that settled it; none waits for a person.
    pub decided: Option<Rule>,
    /// The side that won.
    pub winner: Option<Side>,
}

/// A value that cannot be brought to a side.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldFailure {
    /// App field of the mapping.
    pub app_field: String,
    /// The side that was to be written.
    pub side: Side,
    /// Crosstie's code.
    pub code: &'static str,
    /// Sentence for people.
    pub message: String,
}

/// Something that a decision leaves at rest, said so that nothing is lost silently.
#[derive(Debug, Clone, PartialEq)]
pub enum Note {
    /// An edit rests because the field does not travel that way.
    Rests {
        /// App field of the mapping.
        app_field: String,
        /// The side whose edit rests.
        side: Side,
    },
    /// A value was overwritten by a rule; it stands in the journal as the value before.
    Overwritten {
        /// App field of the mapping.
        app_field: String,
        /// The side whose value was overwritten.
        side: Side,
        /// The value.
        value: Value,
    },
    /// A side was not observed, so the field was left alone.
    NotObserved {
        /// App field of the mapping.
        app_field: String,
    },
}

/// What a merge decides about one record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// Values to write to the app.
    pub to_app: Vec<Assignment>,
    /// Values to write to the CRM.
    pub to_crm: Vec<Assignment>,
    /// Fields that both sides changed.
    pub conflicts: Vec<FieldConflict>,
    /// Bases of fields on which the sides agree as read, by app field.
    pub new_base: Vec<(String, FieldBase)>,
    /// CRM values that are not as last agreed and not settled by this decision, by app field.
    pub seen: Vec<(String, Value)>,
    /// What is left at rest.
    pub notes: Vec<Note>,
    /// What cannot be brought over.
    pub failures: Vec<FieldFailure>,
}

impl Decision {
    /// Whether neither side is written.
    pub fn writes_nothing(&self) -> bool {
        self.to_app.is_empty() && self.to_crm.is_empty()
    }
}

/// What a CRM write does to a field's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrmWriteBase {
    /// The base moves.
    Moved(FieldBase),
    /// The CRM kept its old value: nothing moves, the write failed.
    Kept,
}
