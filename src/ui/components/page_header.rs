//! Heading of a page: title, the one true sentence, actions.

use leptos::prelude::*;
use leptos_meta::Title;

/// Title, sentence, actions. The sentence comes first on every screen; `<strong>` marks what matters in it.
#[component]
pub fn PageHeader(
    /// Title of the page, also of the browser's tab.
    #[prop(into)]
    title: String,
    /// The one sentence.
    #[prop(optional, into)]
    sentence: Option<ViewFn>,
    /// Buttons at the right.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <Title text=title.clone() />
        <div class="page-head">
            <div>
                <h1>{title}</h1>
                {sentence.map(|sentence| view! { <p class="sentence">{sentence.run()}</p> })}
            </div>
            {children.map(|children| view! { <div class="actions">{children()}</div> })}
        </div>
    }
}

/// A part of a page under its own heading.
#[component]
pub fn Section(
    /// Heading.
    #[prop(into)]
    title: String,
    /// What stands beside the heading.
    #[prop(optional, into)]
    aside: Option<ViewFn>,
    /// The part.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="section">
            <div class="section-head">
                <h2>{title}</h2>
                {aside.map(|aside| view! { <span class="push small muted">{aside.run()}</span> })}
            </div>
            {children()}
        </section>
    }
}
