//! An address where nothing is.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::ui::components::{ButtonKind, EmptyState, LinkButton};
use crate::ui::server::set_status;

/// The page for an address where nothing is.
#[component]
pub fn NotFound() -> impl IntoView {
    set_status(404);
    view! {
        <Title text="Nothing here" />
        <main id="main" class="main mx-auto">
            <EmptyState
                title="There is nothing at this address"
                text="It may have been mistyped, or what was here has been removed."
            >
                <LinkButton href="/integrations" kind=ButtonKind::Primary external=true>
                    "Go to Integrations"
                </LinkButton>
            </EmptyState>
        </main>
    }
}
