//! Engines that are broken in one place each.

/// What an engine does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Own writes into the app are captured as edits for the connection that made them, and its own writes never known.
    EchoNotSuppressed,
    /// The cursor moves with the first page.
    CursorBeforeReading,
    /// The cursor moves to the newest row's stamp, and the next window begins there.
    CursorToRowStamp,
    /// A write into the app leaves the base as it was.
    BaseKeptAfterAppWrite,
    /// A write into the CRM leaves the base as it was.
    BaseKeptAfterCrmWrite,
    /// The base of a write into the CRM is what the row holds by now.
    BaseFromRowByNow,
    /// A write whose answer is lost is sent again without a look at the CRM.
    SentAgainUnseen,
    /// Creates carry no external id and are not looked up.
    CreateWithoutExternalId,
    /// The pending rows are deleted before the call that carries them over, and its failure brings nothing back.
    PendingBeforeCall,
    /// All pending rows of a connection are deleted with a batch, not only those that were read.
    PendingNotRead,
    /// A field that is not observed counts as empty.
    UnobservedIsEmpty,
    /// At a first meeting an empty side overwrites.
    EmptyOverwrites,
    /// A record that is not found counts as deleted.
    AbsenceIsDelete,
    /// Options do not stop deletes.
    DeleteOptionIgnored,
    /// Directions do not stop values.
    DirectionIgnored,
    /// Nobody is asked: the CRM wins.
    ManualDecided,
    /// A reading with the stamp that is known is not looked at.
    EqualStampProves,
    /// A reading older than the newest known is taken.
    StaleReadingTaken,
    /// A late write of the engine's own counts as an edit.
    LateWriteIsEdit,
    /// A record may be linked twice.
    LinkedTwice,
    /// The engine's writes into the app are captured for no connection.
    SecondCrmNotTold,
    /// Open intents are left alone.
    IntentsNotSettled,
    /// Intents are written down after the call.
    IntentAfterCall,
    /// What a rule overwrites is not written down.
    JournalForgotten,
    /// A conflict is closed although both sides differ.
    ConflictForgotten,
    /// A refused record is not tried again, and nobody is told.
    RefusalForgotten,
    /// A record whose match keys are in the CRM is created there all the same.
    CreateWithoutKeyLookup,
    /// A decision overwrites what was entered since it was made.
    DecisionWithoutVersion,
    /// Nothing: what the broken ones of a prompt world are compared with.
    NoneInAPromptWorld,
}

impl Mutant {
    pub const ALL: [Mutant; 28] = [
        Mutant::EchoNotSuppressed,
        Mutant::CursorBeforeReading,
        Mutant::CursorToRowStamp,
        Mutant::BaseKeptAfterAppWrite,
        Mutant::BaseKeptAfterCrmWrite,
        Mutant::BaseFromRowByNow,
        Mutant::SentAgainUnseen,
        Mutant::CreateWithoutExternalId,
        Mutant::PendingBeforeCall,
        Mutant::PendingNotRead,
        Mutant::UnobservedIsEmpty,
        Mutant::EmptyOverwrites,
        Mutant::AbsenceIsDelete,
        Mutant::DeleteOptionIgnored,
        Mutant::DirectionIgnored,
        Mutant::ManualDecided,
        Mutant::EqualStampProves,
        Mutant::StaleReadingTaken,
        Mutant::LateWriteIsEdit,
        Mutant::LinkedTwice,
        Mutant::SecondCrmNotTold,
        Mutant::IntentsNotSettled,
        Mutant::IntentAfterCall,
        Mutant::JournalForgotten,
        Mutant::ConflictForgotten,
        Mutant::RefusalForgotten,
        Mutant::CreateWithoutKeyLookup,
        Mutant::DecisionWithoutVersion,
    ];

    /// Whether the CRMs show at once what they hold, and the engine's windows hardly overlap: an overlap heals what a cursor
    /// does wrong.
    pub fn is_prompt(self) -> bool {
        matches!(self, Mutant::CursorBeforeReading | Mutant::NoneInAPromptWorld)
    }
}
