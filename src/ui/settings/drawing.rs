//! The three directions, drawn: app left, CRM right.

use leptos::prelude::*;

use crate::model::SyncDirection;

/// One direction.
#[component]
pub(super) fn DirectionDrawing(direction: SyncDirection) -> impl IntoView {
    let (rails, ties) = match direction {
        SyncDirection::Bidirectional => {
            ("M60 22h98l-7-5.5M160 34H62l7 5.5", "M76 17v22M92 17v22M108 17v22M124 17v22M140 17v22")
        }
        SyncDirection::Push => ("M60 28h98M151 21.5l7 6.5-7 6.5", "M76 23v10M92 23v10M108 23v10M124 23v10M140 23v10"),
        SyncDirection::Pull => ("M160 28H62M69 21.5L62 28l7 6.5", "M80 23v10M96 23v10M112 23v10M128 23v10M144 23v10"),
    };
    view! {
        <svg
            class="drawing"
            viewBox="0 0 220 56"
            preserveAspectRatio="xMidYMid meet"
            fill="none"
            stroke="currentColor"
            stroke-width="1.5"
            aria-hidden="true"
        >
            <rect x="1" y="8" width="50" height="40" rx="2" />
            <rect x="169" y="8" width="50" height="40" rx="2" />
            <text class="drawing-word" x="26" y="32" text-anchor="middle">
                "App"
            </text>
            <text class="drawing-word" x="194" y="32" text-anchor="middle">
                "CRM"
            </text>
            <path d=rails />
            <path d=ties stroke-opacity=".45" />
        </svg>
    }
}
