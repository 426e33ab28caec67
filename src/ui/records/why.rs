//! "Why is this the value?": what happened to one field, newest first.

use leptos::prelude::*;

use crate::ui::components::RelativeTime;
use crate::view::record_page::{Why, WhyEvent};

/// The panel beside the fields.
#[component]
pub(super) fn WhyPanel(why: Why) -> impl IntoView {
    let Why { field, value, answer, events } = why;
    let title = match &value {
        Some(value) => view! {
            "Why is "
            <span class="mono">{field}</span>
            {format!(" “{}”?", shortened(value))}
        }
        .into_any(),
        None => view! {
            "Why is "
            <span class="mono">{field}</span>
            " empty?"
        }
        .into_any(),
    };
    let events = events.into_iter().enumerate().map(|(index, event)| happened(index == 0, event)).collect_view();
    view! {
        <aside class="why-panel" id="why" aria-labelledby="why-title">
            <h2 id="why-title">{title}</h2>
            <p class="small mt-2 mb-4">{answer}</p>
            <ol class="history">{events}</ol>
        </aside>
    }
}

fn happened(is_newest: bool, event: WhyEvent) -> impl IntoView {
    let values = event.values.map(|(before, after)| {
        view! {
            <p class="value">
                {before.map(|before| view! { <del>{before}</del> " " })}
                {match after {
                    Some(after) => view! { <ins>{after}</ins> }.into_any(),
                    None => view! { <span class="value-none">"empty"</span> }.into_any(),
                }}
            </p>
        }
    });
    let log = event.log_id.map(|id| view! { <a href=format!("/logs/{id}")>"the run's log"</a> });
    let has_meta = event.reason.is_some() || log.is_some();
    let divider = (event.reason.is_some() && log.is_some()).then_some(" · ");
    view! {
        <li class:here=is_newest>
            <b class="medium">{event.title}</b>
            " "
            <span class="meta num">
                <RelativeTime at=event.at />
            </span>
            {values}
            {has_meta.then(|| view! { <p class="meta">{event.reason}{divider}{log}</p> })}
        </li>
    }
}

/// The beginning of a long value.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 60;
    if value.chars().count() <= LONGEST {
        return value.to_owned();
    }
    let start: String = value.chars().take(LONGEST).collect();
    format!("{start}…")
}
