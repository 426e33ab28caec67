//! Instants: how long ago, with the exact instant and zone on hover.

use leptos::prelude::*;

use super::live::use_live;
use crate::view::instant::{Moment, relative};

/// "4 minutes ago". The server's words at first; in the browser they keep counting.
#[component]
pub fn RelativeTime(
    /// The instant.
    at: Moment,
) -> impl IntoView {
    let live = use_live();
    let Moment { iso, ms, title, text } = at;
    let words = move || live.now_ms().map_or_else(|| text.clone(), |now_ms| relative(ms, now_ms));
    view! {
        <time datetime=iso title=title>
            {words}
        </time>
    }
}
