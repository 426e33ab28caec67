//! What a screen says while there is nothing to show.

use leptos::prelude::*;

/// A drawing of rails without ties, a heading, a sentence, and the actions that lead on.
#[component]
pub fn EmptyState(
    /// Heading.
    #[prop(into)]
    title: String,
    /// What that means and what leads on.
    #[prop(into)]
    text: String,
    /// With the drawing: for a whole page, not for a filtered list.
    #[prop(optional)]
    drawing: bool,
    /// Actions.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            {drawing
                .then(|| {
                    view! {
                        <svg class="drawing" viewBox="0 0 460 96" fill="none" stroke="currentColor" aria-hidden="true">
                            <path d="M0 34h150M0 62h150M310 34h150M310 62h150" />
                            <path d="M20 20v56M60 20v56M100 20v56M140 20v56M320 20v56M360 20v56M400 20v56M440 20v56" />
                            <path d="M150 34h160M150 62h160" stroke-dasharray="4 6" />
                        </svg>
                    }
                })}
            <h2>{title}</h2>
            <p>{text}</p>
            {children.map(|children| view! { <div class="row row-wrap justify-center">{children()}</div> })}
        </div>
    }
}
