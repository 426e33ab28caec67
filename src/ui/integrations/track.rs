//! The last runs as a track: one tie per run, broken ones where something failed.

use leptos::prelude::*;

use crate::model::RunState;
use crate::view::integrations::Tie;

/// Width of the drawing, and of the place that one run has.
const WIDTH: f32 = 480.0;

/// The track; the oldest run at the left.
#[component]
pub fn Track(
    /// The runs.
    ties: Vec<Tie>,
    /// The same in words.
    words: String,
) -> impl IntoView {
    let count = ties.len();
    let step = WIDTH / 24.0;
    let start = WIDTH - step * count as f32;
    let label = format!("Last {count} runs: {words}");
    let marks = ties
        .into_iter()
        .enumerate()
        .map(|(place, tie)| {
            let (class, y, height) = match tie.state {
                RunState::Failed => ("t t-fail", "3", "22"),
                RunState::Partial | RunState::Held | RunState::Cancelled => ("t t-part", "2", "12"),
                RunState::Running | RunState::Queued => ("t t-run", "2", "24"),
                RunState::Completed => ("t", "2", "24"),
            };
            let x = format!("{:.1}", start + step * place as f32 + 6.0);
            view! {
                <rect class=class x=x y=y width="7.7" height=height>
                    <title>{tie.title}</title>
                </rect>
            }
        })
        .collect_view();
    view! {
        <div class="track-box">
            <div class="row between xs muted">
                <span>{if count == 1 { "The last run".to_owned() } else { format!("Last {count} runs") }}</span>
                <span>{words}</span>
            </div>
            <svg class="track" viewBox="0 0 480 28" preserveAspectRatio="none" role="img" aria-label=label>
                <path class="rails" d="M0 8.5h480M0 19.5h480" vector-effect="non-scaling-stroke" />
                {marks}
            </svg>
        </div>
    }
}
