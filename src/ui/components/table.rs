//! Tables that become cards below 720 px.

use leptos::prelude::*;

use crate::view::instant::grouped;

/// A table with its frame. Give `thead` and `tbody` as children. On a phone each row is a card: write `data-l="Column"` on
/// each `td` for its label there, and class `lead` on the cell that heads the card. Classes: `r` right-aligned number,
/// `fit` as narrow as its content, `act` in the last cell for actions.
#[component]
pub fn Table(
    /// What the table lists, for screen readers.
    #[prop(into)]
    caption: String,
    /// Further classes of the table (`logs`, `conf`, `map-table`).
    #[prop(optional, into)]
    class: String,
    /// What stands below the rows, inside the frame (a [`super::Pagination`]).
    #[prop(optional, into)]
    foot: Option<ViewFn>,
    /// Head and rows.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="table-wrap to-cards">
            <table class=format!("table {class}")>
                <caption class="sr">{caption}</caption>
                {children()}
            </table>
            {foot.map(|foot| foot.run())}
        </div>
    }
}

/// A number that links to exactly the records it counts; 0 is plain faint text, never a link.
#[component]
pub fn Count(
    /// The number.
    number: i64,
    /// The records it counts.
    #[prop(optional, into)]
    href: Option<String>,
) -> impl IntoView {
    match (number, href) {
        (0, _) => view! { <span class="zero">"0"</span> }.into_any(),
        (_, Some(href)) => view! { <a class="n" href=href>{grouped(number)}</a> }.into_any(),
        (_, None) => view! { <span class="num">{grouped(number)}</span> }.into_any(),
    }
}
