//! Small drawings. They lie once in every page (`Sprite`, written by the server) and are referred to.

use leptos::prelude::*;

/// A drawing of 16 by 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IconName {
    /// A plus.
    Plus,
    /// An arrow that opens downwards.
    Down,
    /// On to the next.
    Next,
    /// Back to the one before.
    Previous,
    /// A cross.
    Close,
    /// A check mark.
    Check,
    /// A lock.
    Lock,
    /// Leads out of Crosstie.
    Out,
    /// More actions.
    More,
    /// Light and dark.
    Theme,
    /// A magnifying glass.
    Search,
}

impl IconName {
    const fn address(self) -> &'static str {
        match self {
            IconName::Plus => "#i-plus",
            IconName::Down => "#i-down",
            IconName::Next => "#i-next",
            IconName::Previous => "#i-prev",
            IconName::Close => "#i-x",
            IconName::Check => "#i-check",
            IconName::Lock => "#i-lock",
            IconName::Out => "#i-out",
            IconName::More => "#i-more",
            IconName::Theme => "#i-theme",
            IconName::Search => "#i-search",
        }
    }
}

/// A drawing; the text beside it or the control's label says what it means.
#[component]
pub fn Icon(
    /// Which drawing.
    name: IconName,
) -> impl IntoView {
    view! {
        <svg class="ic" aria-hidden="true">
            <use_ href=name.address()></use_>
        </svg>
    }
}
