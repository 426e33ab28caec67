//! Which way values travel. The app is left and the CRM right on every screen, so an arrow to the right is always push.

use leptos::prelude::*;

use crate::model::FieldDirection;

/// The arrow of a direction; put a [`DirectionWord`] or other text beside it.
#[component]
pub fn DirectionArrow(
    /// Which direction.
    #[prop(into)]
    direction: FieldDirection,
) -> impl IntoView {
    let address = match direction {
        FieldDirection::Bidirectional => "#d-two",
        FieldDirection::Push => "#d-push",
        FieldDirection::Pull => "#d-pull",
        FieldDirection::None => "#d-none",
    };
    view! {
        <svg class="dirglyph" viewBox="0 0 24 12" aria-hidden="true">
            <use_ href=address></use_>
        </svg>
    }
}

/// Arrow and word.
#[component]
pub fn DirectionWord(
    /// Which direction.
    #[prop(into)]
    direction: FieldDirection,
) -> impl IntoView {
    view! {
        <span class="state">
            <DirectionArrow direction=direction />
            {direction.label()}
        </span>
    }
}
