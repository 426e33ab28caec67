//! What runs did: the list of logs, and one log.

mod detail;
mod list;
mod server;

use leptos::prelude::*;
use leptos_meta::Title;

use super::components::{EmptyState, LinkButton, ProblemNotice};
use super::server::set_status;
use crate::view::Problem;

pub use detail::LogDetailPage;
pub use list::LogListPage;

/// A sentence in which `**` encloses what matters.
pub(super) fn emphasised(sentence: &str) -> impl IntoView + use<> {
    sentence
        .split("**")
        .enumerate()
        .map(|(place, part)| {
            let part = part.to_owned();
            if place % 2 == 1 { view! { <strong>{part}</strong> }.into_any() } else { part.into_any() }
        })
        .collect_view()
}

/// A refusal in place of the page.
#[component]
fn Refused(problem: Problem) -> impl IntoView {
    set_status(problem.status);
    if problem.status != 404 {
        return view! { <ProblemNotice problem=problem /> }.into_any();
    }
    view! {
        <Title text="Nothing here" />
        <EmptyState
            title="There is no such log here"
            text="The address may have been mistyped, or the connection it belonged to is gone."
        >
            <LinkButton href="/logs">"All logs"</LinkButton>
        </EmptyState>
    }
    .into_any()
}
