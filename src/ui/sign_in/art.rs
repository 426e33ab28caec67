//! The track beside the sign-in form: rails in gauge, the current tie driven in.

use leptos::prelude::*;

/// Decoration only.
#[component]
pub(super) fn TrackArt() -> impl IntoView {
    let ties = (0..27)
        .filter(|tie| *tie != 11)
        .map(|tie| view! { <rect x="176" y=(tie * 40 - 20).to_string() width="248" height="13" rx="1" /> })
        .collect_view();
    view! {
        <div class="login-art" aria-hidden="true">
            <svg viewBox="0 0 600 900" preserveAspectRatio="xMidYMid slice" fill="none" stroke="currentColor">
                {ties}
                <rect class="art-driven" x="150" y="420" width="300" height="13" rx="1" />
                <path class="art-rails" d="M232 -100v1200M242 -100v1200M358 -100v1200M368 -100v1200" />
                <path class="art-gauge" d="M242 405h116M248 401l-6 4 6 4M352 401l6 4-6 4" />
                <rect class="art-plate" x="268" y="394" width="64" height="22" />
                <text class="art-text" x="300" y="409" text-anchor="middle">
                    "in gauge"
                </text>
            </svg>
        </div>
    }
}
