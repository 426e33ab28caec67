//! A refusal in place of a page.

use leptos::prelude::*;
use leptos_meta::Title;

use super::components::{EmptyState, LinkButton, ProblemNotice};
use super::server::set_status;
use crate::view::Problem;

/// What stands in place of a page that is refused: what is missing with the way on, or the problem in plain words.
#[component]
pub fn PageRefusal(
    /// What was refused and why.
    problem: Problem,
    /// What the page shows one of, as in "There is no such log here".
    thing: &'static str,
    /// Why it may be missing.
    text: &'static str,
    /// Where all of its kind are.
    href: &'static str,
    /// What is there.
    all: &'static str,
) -> impl IntoView {
    set_status(problem.status);
    if problem.status != 404 {
        return view! { <ProblemNotice problem=problem /> }.into_any();
    }
    view! {
        <Title text="Nothing here" />
        <EmptyState title=format!("There is no such {thing} here") text=text>
            <LinkButton href=href>{all}</LinkButton>
        </EmptyState>
    }
    .into_any()
}
