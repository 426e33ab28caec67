//! The root of every page.

use leptos::prelude::*;
use leptos_meta::{Title, provide_meta_context};
use leptos_router::components::Router;

use super::routes::Pages;

/// Everything inside `<body>`.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|page: String| if page.is_empty() { "Crosstie".to_owned() } else { format!("{page} · Crosstie") } />
        <Router>
            <Pages />
        </Router>
    }
}
