//! Tabs, each with its own address.

use leptos::prelude::*;

use crate::view::instant::grouped;

/// One tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    /// Its address.
    pub href: String,
    /// Its label.
    pub label: String,
    /// A number beside the label.
    pub count: Option<i64>,
    /// Whether it is the one shown.
    pub current: bool,
}

/// A row of tabs.
#[component]
pub fn Tabs(
    /// What the tabs choose between, for screen readers.
    #[prop(into)]
    label: String,
    /// The tabs.
    #[prop(into)]
    tabs: Signal<Vec<Tab>>,
) -> impl IntoView {
    let items = move || {
        tabs.get()
            .into_iter()
            .map(|tab| {
                view! {
                    <a href=tab.href aria-current=tab.current.then_some("page")>
                        {tab.label}
                        {tab.count.map(|count| view! { <span class="n">{grouped(count)}</span> })}
                    </a>
                }
            })
            .collect_view()
    };
    view! {
        <nav class="tabs" aria-label=label>
            {items}
        </nav>
    }
}
