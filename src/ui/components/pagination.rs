//! Newer and older pages of a list, as addresses.

use leptos::prelude::*;

use crate::view::instant::grouped;

/// "51 to 100 of 1,204", with links to what is before and after. `href` gives the address of an offset.
#[component]
pub fn Pagination(
    /// Rows in all.
    total: i64,
    /// Rows on a page.
    limit: i64,
    /// Rows before this page.
    offset: i64,
    /// Address of the page that begins at an offset.
    #[prop(into)]
    href: Callback<i64, String>,
) -> impl IntoView {
    let last = (offset + limit).min(total);
    let newer = (offset > 0).then(|| href.run((offset - limit).max(0)));
    let older = (last < total).then(|| href.run(offset + limit));
    let range = if total == 0 {
        "None".to_owned()
    } else {
        format!("{} to {} of {}", grouped(offset + 1), grouped(last), grouped(total))
    };
    view! {
        <nav class="table-foot" aria-label="Pages">
            <span class="num">{range}</span>
            <span class="row push">
                {newer.map(|href| view! { <a class="btn btn-sm" href=href rel="prev">"Newer"</a> })}
                {older.map(|href| view! { <a class="btn btn-sm" href=href rel="next">"Older"</a> })}
            </span>
        </nav>
    }
}
