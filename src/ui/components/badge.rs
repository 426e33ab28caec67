//! States as shape and word: the shape differs per state, so it survives greyscale.

use leptos::prelude::*;

use crate::model::{ConflictStatus, ConnectionStatus, Environment, LinkState, LogStatus, RunState};

/// What a state means for the person who looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// In agreement, done.
    Ok,
    /// Waiting, paused, held.
    Wait,
    /// Needs a person.
    Bad,
    /// Going on now.
    Run,
    /// Not there, over, without meaning now.
    Off,
}

impl Tone {
    const fn address(self) -> &'static str {
        match self {
            Tone::Ok => "#s-ok",
            Tone::Wait => "#s-wait",
            Tone::Bad => "#s-bad",
            Tone::Run => "#s-run",
            Tone::Off => "#s-off",
        }
    }

    const fn badge_class(self) -> &'static str {
        match self {
            Tone::Ok => "badge badge-ok",
            Tone::Wait => "badge badge-wait",
            Tone::Bad => "badge badge-bad",
            Tone::Run => "badge badge-run",
            Tone::Off => "badge",
        }
    }

    const fn ink_class(self) -> &'static str {
        match self {
            Tone::Ok => "c-ok",
            Tone::Wait => "c-wait",
            Tone::Bad => "c-bad",
            Tone::Run => "c-run",
            Tone::Off => "faint",
        }
    }

    /// Class of a notice in this tone.
    pub(super) const fn notice_class(self) -> &'static str {
        match self {
            Tone::Ok => "notice notice-ok",
            Tone::Wait => "notice notice-wait",
            Tone::Bad => "notice notice-bad",
            Tone::Run => "notice notice-run",
            Tone::Off => "notice",
        }
    }
}

/// A state that has a tone and a word.
pub trait Stated: Copy {
    /// What it means for the person.
    fn tone(self) -> Tone;
    /// The word beside the shape.
    fn word(self) -> &'static str;
    /// Success is quiet: shape and word without a box.
    fn is_quiet(self) -> bool {
        false
    }
}

impl Stated for ConnectionStatus {
    fn tone(self) -> Tone {
        match self {
            ConnectionStatus::Connected => Tone::Ok,
            ConnectionStatus::Disconnected => Tone::Off,
            ConnectionStatus::Error => Tone::Bad,
            ConnectionStatus::Paused => Tone::Wait,
        }
    }

    fn word(self) -> &'static str {
        match self {
            ConnectionStatus::Connected => "Connected",
            ConnectionStatus::Disconnected => "Not connected",
            ConnectionStatus::Error => "Error",
            ConnectionStatus::Paused => "Paused",
        }
    }
}

impl Stated for RunState {
    fn tone(self) -> Tone {
        match self {
            RunState::Queued | RunState::Cancelled => Tone::Off,
            RunState::Running => Tone::Run,
            RunState::Held | RunState::Partial => Tone::Wait,
            RunState::Completed => Tone::Ok,
            RunState::Failed => Tone::Bad,
        }
    }

    fn word(self) -> &'static str {
        match self {
            RunState::Queued => "Queued",
            RunState::Running => "Running",
            RunState::Held => "Held for approval",
            RunState::Completed => "Completed",
            RunState::Partial => "Partial",
            RunState::Failed => "Failed",
            RunState::Cancelled => "Cancelled",
        }
    }

    fn is_quiet(self) -> bool {
        self == RunState::Completed
    }
}

impl Stated for LogStatus {
    fn tone(self) -> Tone {
        match self {
            LogStatus::Running => Tone::Run,
            LogStatus::Completed => Tone::Ok,
            LogStatus::Partial => Tone::Wait,
            LogStatus::Failed => Tone::Bad,
            LogStatus::Cancelled => Tone::Off,
        }
    }

    fn word(self) -> &'static str {
        match self {
            LogStatus::Running => "Running",
            LogStatus::Completed => "Completed",
            LogStatus::Partial => "Partial",
            LogStatus::Failed => "Failed",
            LogStatus::Cancelled => "Cancelled",
        }
    }

    fn is_quiet(self) -> bool {
        self == LogStatus::Completed
    }
}

impl Stated for ConflictStatus {
    fn tone(self) -> Tone {
        match self {
            ConflictStatus::Pending => Tone::Wait,
            ConflictStatus::Resolved => Tone::Ok,
            ConflictStatus::Ignored => Tone::Off,
        }
    }

    fn word(self) -> &'static str {
        match self {
            ConflictStatus::Pending => "Waiting",
            ConflictStatus::Resolved => "Resolved",
            ConflictStatus::Ignored => "Ignored",
        }
    }

    fn is_quiet(self) -> bool {
        self == ConflictStatus::Resolved
    }
}

impl Stated for LinkState {
    fn tone(self) -> Tone {
        match self {
            LinkState::Linked => Tone::Ok,
            LinkState::Creating => Tone::Run,
            LinkState::OutOfScope | LinkState::Merged | LinkState::Apart => Tone::Off,
            LinkState::GoneCrm | LinkState::GoneApp | LinkState::NotVisible => Tone::Wait,
        }
    }

    fn word(self) -> &'static str {
        match self {
            LinkState::Linked => "Linked",
            LinkState::Creating => "Being created",
            LinkState::OutOfScope => "Out of scope",
            LinkState::GoneCrm => "No longer in CRM",
            LinkState::GoneApp => "Deleted here",
            LinkState::Merged => "Merged in CRM",
            LinkState::NotVisible => "Not visible in CRM",
            LinkState::Apart => "Kept apart",
        }
    }

    fn is_quiet(self) -> bool {
        self == LinkState::Linked
    }
}

/// The shape of a tone; a word must stand beside it.
#[component]
pub fn Shape(
    /// Which tone.
    tone: Tone,
) -> impl IntoView {
    view! {
        <span class=tone.ink_class()>
            <svg class="shape" aria-hidden="true">
                <use_ href=tone.address()></use_>
            </svg>
        </span>
    }
}

/// Shape and word in a box.
#[component]
pub fn Badge(
    /// Which tone.
    tone: Tone,
    /// Without the box.
    #[prop(optional)]
    quiet: bool,
    /// The word.
    #[prop(into)]
    word: String,
) -> impl IntoView {
    let class = if quiet { "badge badge-quiet" } else { tone.badge_class() };
    view! {
        <span class=class>
            <svg class="shape" aria-hidden="true">
                <use_ href=tone.address()></use_>
            </svg>
            {word}
        </span>
    }
}

/// The badge of any state of the model.
#[component]
pub fn StatusBadge<S: Stated + Send + 'static>(
    /// The state.
    status: S,
) -> impl IntoView {
    view! { <Badge tone=status.tone() quiet=status.is_quiet() word=status.word() /> }
}

/// Environment told by line, not by colour: solid is real, dashed a sandbox, hatched a simulator.
#[component]
pub fn EnvironmentBadge(
    /// Which environment.
    environment: Environment,
) -> impl IntoView {
    let class = match environment {
        Environment::Production => "env",
        Environment::Sandbox => "env env-sandbox",
        Environment::Simulator => "env env-sim",
    };
    view! { <span class=class>{environment.label()}</span> }
}
