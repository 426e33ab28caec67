//! A native dialog whose being open is a state of the address.

use leptos::ev::{Event, MouseEvent};
use leptos::html;
use leptos::prelude::*;
use leptos_router::hooks::use_navigate;

use super::{Icon, IconName};
use crate::ui::browser;

/// A dialog over the page. It is open while it is rendered: render it where the address says so
/// (`?dialog=disconnect`), and give the address without it as `close_href`. Works without script as a page part over a
/// scrim; with script it is modal, and Esc closes it. Put a `<div class="dialog-body">` and a `<div class="dialog-foot">`
/// inside, and `autofocus` on the safe button.
#[component]
pub fn Dialog(
    /// Heading; also the dialog's name.
    #[prop(into)]
    title: String,
    /// The address without the dialog.
    #[prop(into)]
    close_href: Signal<String>,
    /// As wide as a mapping editor needs; otherwise as a question.
    #[prop(optional)]
    wide: bool,
    /// Body and foot.
    children: Children,
) -> impl IntoView {
    let element = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        if let Some(dialog) = element.get() {
            browser::show_modal(&dialog);
        }
    });
    let navigate = use_navigate();
    let close = Callback::new(move |()| navigate(&close_href.get_untracked(), Default::default()));
    let cancel = move |event: Event| {
        event.prevent_default();
        close.run(());
    };
    // What lies around a modal dialog is, to events, the dialog itself.
    let press = move |event: MouseEvent| {
        if event.target() == event.current_target() {
            close.run(());
        }
    };
    let class = if wide { "dialog" } else { "dialog dialog-sm" };
    view! {
        <a class="scrim" href=move || close_href.get() tabindex="-1" aria-hidden="true"></a>
        <dialog node_ref=element class=class open aria-labelledby="dialog-title" on:cancel=cancel on:click=press>
            <div class="dialog-head">
                <h2 id="dialog-title" class="flex-1">
                    {title}
                </h2>
                <a
                    class="btn btn-quiet btn-sm btn-icon"
                    href=move || close_href.get()
                    aria-label="Close"
                >
                    <Icon name=IconName::Close />
                </a>
            </div>
            {children()}
        </dialog>
    }
}
