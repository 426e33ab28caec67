//! Buttons. One primary per view; what a role may not do is disabled with the reason, never hidden.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

/// How much a button asks for attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ButtonKind {
    /// The way on that the screen recommends; one per view.
    Primary,
    /// Any other action.
    #[default]
    Plain,
    /// An action in passing.
    Quiet,
    /// Takes something away, and asks before it does.
    Danger,
    /// The last word of a dialog that takes something away.
    DangerSolid,
    /// Looks like a link within a sentence.
    Link,
}

fn class_of(kind: ButtonKind, small: bool, icon_only: bool) -> String {
    let mut class = "btn".to_owned();
    class.push_str(match kind {
        ButtonKind::Primary => " btn-primary",
        ButtonKind::Plain => "",
        ButtonKind::Quiet => " btn-quiet",
        ButtonKind::Danger => " btn-danger",
        ButtonKind::DangerSolid => " btn-danger-solid",
        ButtonKind::Link => " btn-link",
    });
    if small {
        class.push_str(" btn-sm");
    }
    if icon_only {
        class.push_str(" btn-icon");
    }
    class
}

/// A button. Submits its form unless `on_click` is given. With a reason in `disabled` it stays focusable, says why and does
/// nothing; while `busy` it keeps its label and takes no second press.
#[component]
pub fn Button(
    /// How much it asks for attention.
    #[prop(optional)]
    kind: ButtonKind,
    /// For tables and cards.
    #[prop(optional)]
    small: bool,
    /// Square, for a drawing alone; give `label`.
    #[prop(optional)]
    icon_only: bool,
    /// As wide as its form.
    #[prop(optional)]
    wide: bool,
    /// Name for screen readers where the content is a drawing.
    #[prop(optional, into)]
    label: Option<String>,
    /// Why it cannot be pressed, as a sentence; nothing where it can.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
    /// Its action is under way.
    #[prop(optional, into)]
    busy: Signal<bool>,
    /// Name of the form member that this button sets.
    #[prop(optional, into)]
    name: Option<String>,
    /// Value of that member.
    #[prop(optional, into)]
    value: Option<String>,
    /// Focused when its dialog opens.
    #[prop(optional)]
    autofocus: bool,
    /// What a press does; without it the form is submitted.
    #[prop(optional, into)]
    on_click: Option<Callback<()>>,
    /// The label.
    children: Children,
) -> impl IntoView {
    let submits = on_click.is_none();
    let blocked = move || disabled.get().is_some();
    let press = move |event: MouseEvent| {
        if blocked() || busy.get_untracked() {
            event.prevent_default();
            event.stop_propagation();
        } else if let Some(on_click) = on_click {
            on_click.run(());
        }
    };
    view! {
        <button
            class=class_of(kind, small, icon_only)
            class:w-full=wide
            type=move || if submits && !blocked() { "submit" } else { "button" }
            name=name
            value=value
            autofocus=autofocus
            aria-label=label
            aria-disabled=move || blocked().then_some("true")
            aria-busy=move || busy.get().then_some("true")
            title=move || disabled.get()
            on:click=press
        >
            <Show when=move || busy.get()>
                <span class="spinner" aria-hidden="true"></span>
            </Show>
            {children()}
            {move || disabled.get().map(|reason| view! { <span class="sr">{format!(". {reason}")}</span> })}
        </button>
    }
}

/// A link that looks like a button. With a reason in `disabled` it leads nowhere and says why.
#[component]
pub fn LinkButton(
    /// Where it leads.
    #[prop(into)]
    href: Signal<String>,
    /// How much it asks for attention.
    #[prop(optional)]
    kind: ButtonKind,
    /// For tables and cards.
    #[prop(optional)]
    small: bool,
    /// Square, for a drawing alone; give `label`.
    #[prop(optional)]
    icon_only: bool,
    /// Name for screen readers where the content is a drawing.
    #[prop(optional, into)]
    label: Option<String>,
    /// Why it cannot be followed, as a sentence; nothing where it can.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
    /// Leads out of the pages: the browser loads the address itself.
    #[prop(optional)]
    external: bool,
    /// The label.
    children: Children,
) -> impl IntoView {
    let blocked = move || disabled.get().is_some();
    view! {
        <a
            class=class_of(kind, small, icon_only)
            href=move || (!blocked()).then(|| href.get())
            rel=external.then_some("external")
            role=move || blocked().then_some("link")
            tabindex=move || blocked().then_some("0")
            aria-label=label
            aria-disabled=move || blocked().then_some("true")
            title=move || disabled.get()
        >
            {children()}
            {move || disabled.get().map(|reason| view! { <span class="sr">{format!(". {reason}")}</span> })}
        </a>
    }
}
