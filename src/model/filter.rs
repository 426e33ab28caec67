//! Which records take part, as stored and sent.

use serde::{Deserialize, Serialize};

use super::text_enum::text_enum;
use super::{Entity, FieldKind};

text_enum! {
    /// How a rule of a filter compares a CRM field.
    FilterOperator ("filter operator") {
        /// The same, text without case.
        Equals = "equals",
        /// Anything else, empty included.
        NotEquals = "not_equals",
        /// Has the text in it, or the choice among its choices.
        Contains = "contains",
        /// Begins with the text.
        StartsWith = "starts_with",
        /// Greater, or later.
        Greater = "gt",
        /// Greater or the same.
        GreaterOrEqual = "gte",
        /// Less, or earlier.
        Less = "lt",
        /// Less or the same.
        LessOrEqual = "lte",
        /// Has no value.
        IsEmpty = "is_empty",
        /// Has a value.
        IsNotEmpty = "is_not_empty",
        /// One of a list.
        In = "in",
        /// Today or one of the days before it.
        WithinDays = "within_days",
    }
}

impl FilterOperator {
    /// Whether it means something for a field of this kind.
    pub const fn fits(self, kind: FieldKind) -> bool {
        use FieldKind as K;
        match self {
            Self::IsEmpty | Self::IsNotEmpty | Self::Equals | Self::NotEquals => true,
            Self::Contains => {
                !matches!(kind, K::Number | K::Money | K::Percent | K::Date | K::DateTime | K::Boolean | K::Reference)
            }
            Self::StartsWith => matches!(kind, K::Text | K::LongText | K::Email | K::Phone | K::Domain | K::Choice),
            Self::Greater | Self::GreaterOrEqual | Self::Less | Self::LessOrEqual => {
                matches!(kind, K::Number | K::Money | K::Percent | K::Date | K::DateTime)
            }
            Self::In => !matches!(kind, K::Boolean),
            Self::WithinDays => matches!(kind, K::Date | K::DateTime),
        }
    }

    /// Whether it compares with a value.
    pub const fn takes_value(self) -> bool {
        !matches!(self, Self::IsEmpty | Self::IsNotEmpty)
    }

    /// The operator between the field's name and the value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Equals => "is",
            Self::NotEquals => "is not",
            Self::Contains => "contains",
            Self::StartsWith => "starts with",
            Self::Greater => "is greater than",
            Self::GreaterOrEqual => "is at least",
            Self::Less => "is less than",
            Self::LessOrEqual => "is at most",
            Self::IsEmpty => "is empty",
            Self::IsNotEmpty => "is not empty",
            Self::In => "is one of",
            Self::WithinDays => "is within the last days",
        }
    }
}

/// What narrows a connection, by entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncRules {
    /// Of accounts.
    pub accounts: EntityRules,
    /// Of contacts.
    pub contacts: EntityRules,
    /// Of opportunities.
    pub opportunities: EntityRules,
}

/// What narrows one entity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EntityRules {
    /// A tree of groups and rules over CRM fields; none lets every record take part.
    pub filter: Option<serde_json::Value>,
    /// App fields whose values travel in no direction.
    pub exclude_fields: Vec<String>,
}

impl SyncRules {
    /// The rules of one entity.
    pub const fn of(&self, entity: Entity) -> &EntityRules {
        match entity {
            Entity::Account => &self.accounts,
            Entity::Contact => &self.contacts,
            Entity::Opportunity => &self.opportunities,
        }
    }

    /// The rules of one entity, to be changed.
    pub const fn of_mut(&mut self, entity: Entity) -> &mut EntityRules {
        match entity {
            Entity::Account => &mut self.accounts,
            Entity::Contact => &mut self.contacts,
            Entity::Opportunity => &mut self.opportunities,
        }
    }
}

impl EntityRules {
    /// Whether they narrow nothing.
    pub const fn is_empty(&self) -> bool {
        self.filter.is_none() && self.exclude_fields.is_empty()
    }
}
