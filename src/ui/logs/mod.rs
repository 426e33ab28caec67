//! What runs did: the list of logs, and one log.

mod detail;
mod list;
mod server;

use leptos::prelude::*;

use super::refusal::PageRefusal;
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
    view! {
        <PageRefusal
            problem=problem
            thing="log"
            text="The address may have been mistyped, or the connection it belonged to is gone."
            href="/logs"
            all="All logs"
        />
    }
}
