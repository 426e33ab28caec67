//! Which way values may travel.

use super::text_enum::text_enum;

text_enum! {
    /// Direction of a connection or a run.
    SyncDirection ("sync direction") {
        /// Both ways.
        Bidirectional = "bidirectional",
        /// From the app to the CRM only.
        Push = "push",
        /// From the CRM to the app only.
        Pull = "pull",
    }
}

text_enum! {
    /// Direction of one mapping.
    FieldDirection ("field direction") {
        /// Both ways.
        Bidirectional = "bidirectional",
        /// From the app to the CRM only.
        Push = "push",
        /// From the CRM to the app only.
        Pull = "pull",
        /// The field rests.
        None = "none",
    }
}

impl SyncDirection {
    /// Whether values may go to the CRM.
    pub const fn pushes(self) -> bool {
        !matches!(self, SyncDirection::Pull)
    }

    /// Whether values may come from the CRM.
    pub const fn pulls(self) -> bool {
        !matches!(self, SyncDirection::Push)
    }

    /// What two directions have in common; pull with push have nothing.
    pub fn common(self, other: SyncDirection) -> FieldDirection {
        FieldDirection::from(self).common(FieldDirection::from(other))
    }

    /// The direction in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            SyncDirection::Bidirectional => "Two-way",
            SyncDirection::Push => "Push only",
            SyncDirection::Pull => "Pull only",
        }
    }
}

impl FieldDirection {
    /// Whether values may go to the CRM.
    pub const fn pushes(self) -> bool {
        matches!(self, FieldDirection::Bidirectional | FieldDirection::Push)
    }

    /// Whether values may come from the CRM.
    pub const fn pulls(self) -> bool {
        matches!(self, FieldDirection::Bidirectional | FieldDirection::Pull)
    }

    /// What two directions have in common.
    pub const fn common(self, other: FieldDirection) -> FieldDirection {
        let pushes = self.pushes() && other.pushes();
        let pulls = self.pulls() && other.pulls();
        match (pushes, pulls) {
            (true, true) => FieldDirection::Bidirectional,
            (true, false) => FieldDirection::Push,
            (false, true) => FieldDirection::Pull,
            (false, false) => FieldDirection::None,
        }
    }

    /// The direction in words for a screen.
    pub const fn label(self) -> &'static str {
        match self {
            FieldDirection::Bidirectional => "two-way",
            FieldDirection::Push => "push",
            FieldDirection::Pull => "pull",
            FieldDirection::None => "none",
        }
    }
}

impl From<SyncDirection> for FieldDirection {
    fn from(direction: SyncDirection) -> Self {
        match direction {
            SyncDirection::Bidirectional => FieldDirection::Bidirectional,
            SyncDirection::Push => FieldDirection::Push,
            SyncDirection::Pull => FieldDirection::Pull,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_and_push_have_nothing_in_common() {
        assert_eq!(SyncDirection::Pull.common(SyncDirection::Push), FieldDirection::None);
        assert_eq!(SyncDirection::Pull.common(SyncDirection::Bidirectional), FieldDirection::Pull);
        assert_eq!(FieldDirection::Bidirectional.common(FieldDirection::Push), FieldDirection::Push);
    }
}
