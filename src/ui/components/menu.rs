//! What unfolds: menus and folded parts, native `details`, so that they work without script.

use leptos::prelude::*;

use super::{Icon, IconName};

/// A button that unfolds a list of links and buttons.
#[component]
pub fn Menu(
    /// Text of the button.
    #[prop(into)]
    label: ViewFn,
    /// Class of the button (`btn`, `btn btn-sm btn-icon`, …).
    #[prop(default = "btn")]
    class: &'static str,
    /// Name for screen readers where the label is a drawing.
    #[prop(optional, into)]
    name: Option<String>,
    /// Links and buttons.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="menu" data-menu="">
            <summary class=class aria-label=name>
                {label.run()}
            </summary>
            <div class="menu-list">{children()}</div>
        </details>
    }
}

/// A part that is folded at first.
#[component]
pub fn Fold(
    /// Text of the heading.
    #[prop(into)]
    label: ViewFn,
    /// Unfolded at first.
    #[prop(optional)]
    open: bool,
    /// What is folded.
    children: Children,
) -> impl IntoView {
    view! {
        <details class="fold" open=open>
            <summary>
                <Icon name=IconName::Next />
                {label.run()}
            </summary>
            {children()}
        </details>
    }
}
