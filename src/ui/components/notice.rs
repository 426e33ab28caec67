//! What happened, in a line: a notice, a refusal.

use leptos::prelude::*;
use leptos::server_fn::ServerFn;

use super::{Shape, Tone};
use crate::view::Problem;

/// A line that says what is true now and, as a child, what leads on.
#[component]
pub fn Notice(
    /// Which tone.
    tone: Tone,
    /// Sentence, and a button or link beside it.
    children: Children,
) -> impl IntoView {
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! {
        <div class=tone.notice_class() role=role>
            <Shape tone=tone />
            <div>{children()}</div>
        </div>
    }
}

/// A refusal in plain words, with the way to sign in where that helps and the incident's number where there is one.
#[component]
pub fn ProblemNotice(
    /// What was refused and why.
    problem: Problem,
) -> impl IntoView {
    let tone = if problem.status == 409 { Tone::Wait } else { Tone::Bad };
    let sign_in = problem.is_signed_out();
    view! {
        <Notice tone=tone>
            {problem.detail}
            {sign_in
                .then(|| {
                    view! {
                        " "
                        <a href="/sign-in" rel="external">
                            "Sign in"
                        </a>
                    }
                })}
            {problem
                .incident
                .map(|incident| {
                    view! {
                        " "
                        <span class="muted">
                            "Incident "
                            <span class="id">{incident}</span>
                            "."
                        </span>
                    }
                })}
        </Notice>
    }
}

/// The refusal that an action ended with, if it did; also after a form was sent without script.
#[component]
pub fn ActionNotice<S>(
    /// The action.
    action: ServerAction<S>,
) -> impl IntoView
where
    S: ServerFn<Error = Problem> + Clone + Send + Sync + 'static,
    S::Output: Clone + Send + Sync + 'static,
{
    let value = action.value();
    move || value.get().and_then(Result::err).map(|problem| view! { <ProblemNotice problem=problem /> })
}
