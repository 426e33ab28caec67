//! Questions for a person: the list, and one conflict with both sides beside each other.

mod always;
mod keys;
mod list;
mod one;
mod server;
mod split;
mod whole;

pub use list::ConflictListPage;
pub use one::ConflictPage;

use leptos::prelude::*;

use crate::view::conflicts::Span;

/// A value with the characters marked that the other side does not have; an empty one in words.
#[component]
fn Marked(
    /// The value in pieces.
    spans: Vec<Span>,
) -> impl IntoView {
    if spans.is_empty() {
        return view! { <span class="value value-none">"empty"</span> }.into_any();
    }
    let pieces = spans
        .into_iter()
        .map(|span| if span.marked { view! { <mark>{span.text}</mark> }.into_any() } else { span.text.into_any() })
        .collect_view();
    view! { <span class="value">{pieces}</span> }.into_any()
}
