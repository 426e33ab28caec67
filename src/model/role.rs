//! Who may do what. The table of `contract.md`, section 2.

use super::text_enum::text_enum;

text_enum! {
    /// Role of a person in a workspace.
    Role ("role") {
        /// Everything.
        Admin = "admin",
        /// Mappings, filters, field rules, trigger, pause, resume, records.
        SalesOps = "sales_ops",
        /// Conflicts and records.
        Reviewer = "reviewer",
        /// Reads everything, Audit and exports included.
        Compliance = "compliance",
        /// Reads.
        Member = "member",
    }
}

/// One thing a role may or may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Connect, disconnect, direction, frequency, policy, options, approvals.
    ManageConnections,
    /// Mappings, filters and field rules.
    ManageMappings,
    /// Trigger, cancel, pause, resume, retry.
    RunSync,
    /// Resolve and ignore conflicts.
    SettleConflicts,
    /// Create, edit and delete the app's records.
    EditRecords,
    /// Members and API keys.
    ManagePeople,
}

impl Role {
    /// Whether this role may do `capability`.
    pub const fn may(self, capability: Capability) -> bool {
        match self {
            Role::Admin => true,
            Role::SalesOps => {
                matches!(capability, Capability::ManageMappings | Capability::RunSync | Capability::EditRecords)
            }
            Role::Reviewer => matches!(capability, Capability::SettleConflicts | Capability::EditRecords),
            Role::Compliance | Role::Member => false,
        }
    }

    /// The role in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            Role::Admin => "Admin",
            Role::SalesOps => "Sales ops",
            Role::Reviewer => "Reviewer",
            Role::Compliance => "Compliance",
            Role::Member => "Member",
        }
    }
}

impl Capability {
    /// Why a control is disabled for a role without this capability.
    pub const fn reason(self) -> &'static str {
        match self {
            Capability::ManageConnections => "Only an admin may change a connection.",
            Capability::ManageMappings => "Only an admin or sales ops may change mappings.",
            Capability::RunSync => "Only an admin or sales ops may start or stop a sync.",
            Capability::SettleConflicts => "Only an admin or a reviewer may settle conflicts.",
            Capability::EditRecords => "Your role may read records but not change them.",
            Capability::ManagePeople => "Only an admin may manage people and keys.",
        }
    }
}
