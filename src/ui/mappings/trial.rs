//! What a mapping makes of sample records.

use leptos::prelude::*;

use crate::ui::components::{Notice, Shape, Tone};
use crate::view::mappings::{Trial, TrialRow};

/// What a mapping makes of each record, failing ones first.
#[component]
pub(super) fn TrialTable(trial: Trial, crm: &'static str) -> impl IntoView {
    let tone = if trial.failed { "xs medium c-bad" } else { "xs muted" };
    if trial.rows.is_empty() {
        return view! { <Notice tone=Tone::Off>{format!("{}.", trial.summary)}</Notice> }.into_any();
    }
    let rows = trial.rows.into_iter().map(|row| view! { <TrialLine row=row /> }).collect_view();
    view! {
        <p class=tone>{trial.summary}</p>
        <div class="table-wrap">
            <table class="table samples">
                <thead>
                    <tr>
                        <th scope="col" style:width="36%">"Record"</th>
                        <th scope="col">"Here"</th>
                        <th scope="col">{format!("In {crm}")}</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

#[component]
fn TrialLine(row: TrialRow) -> impl IntoView {
    let fails = row.here.is_err() || row.there.is_err();
    let (tone, word) = if fails { (Tone::Bad, "fails: ") } else { (Tone::Ok, "fine: ") };
    let cell = |value: Result<Option<String>, String>| match value {
        Ok(Some(text)) => {
            let title = text.clone();
            view! {
                <div class="truncate mono xs" title=title>
                    {text}
                </div>
            }
            .into_any()
        }
        Ok(None) => view! { <div class="faint xs">"empty"</div> }.into_any(),
        Err(message) => view! { <div class="c-bad xs wrap">{message}</div> }.into_any(),
    };
    view! {
        <tr>
            <td>
                <div class="row">
                    <Shape tone=tone />
                    <span class="sr">{word}</span>
                    <span class="truncate">{row.record}</span>
                </div>
            </td>
            <td>{cell(row.here)}</td>
            <td>{cell(row.there)}</td>
        </tr>
    }
}
