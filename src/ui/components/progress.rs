//! How far something is. Number and time left stand beside it in words.

use leptos::prelude::*;

/// A bar that fills; without a percentage it stays empty.
#[component]
pub fn Meter(
    /// Percent done.
    #[prop(into)]
    percent: Signal<Option<u8>>,
    /// What is measured, for screen readers.
    #[prop(into)]
    label: String,
    /// The higher bar of a card.
    #[prop(optional)]
    large: bool,
) -> impl IntoView {
    view! {
        <span
            class=if large { "meter meter-lg" } else { "meter" }
            role="progressbar"
            aria-label=label
            aria-valuemin="0"
            aria-valuemax="100"
            aria-valuenow=move || percent.get()
        >
            <i style:width=move || format!("{}%", percent.get().unwrap_or(0).min(100))></i>
        </span>
    }
}

/// Grey lines where rows stream in later.
#[component]
pub fn Skeleton(
    /// How many lines.
    #[prop(default = 3)]
    lines: usize,
) -> impl IntoView {
    view! {
        <div class="stack" aria-hidden="true">
            {(0..lines).map(|_| view! { <span class="skel"></span> }).collect_view()}
        </div>
    }
}
