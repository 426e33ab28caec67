//! Fields of forms. Each has its label, a hint or what is wrong, and says why it is disabled.

use leptos::prelude::*;

use super::{Shape, Tone};

/// Label, control, hint and error. The control is the child and takes `id`; describe it by `{id}-hint`.
#[component]
pub fn Field(
    /// Id of the control.
    #[prop(into)]
    id: String,
    /// Label.
    #[prop(into)]
    label: String,
    /// What to know before filling it in.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: MaybeProp<String>,
    /// The control.
    children: Children,
) -> impl IntoView {
    let hint_id = format!("{id}-hint");
    let below = move || match (error.get(), hint.get()) {
        (Some(error), _) => Some(
            view! {
                <p class="hint hint-bad" id=hint_id.clone()>
                    <Shape tone=Tone::Bad />
                    {error}
                </p>
            }
            .into_any(),
        ),
        (None, Some(hint)) => Some(view! { <p class="hint" id=hint_id.clone()>{hint}</p> }.into_any()),
        (None, None) => None,
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            {children()}
            {below}
        </div>
    }
}

/// One line of text.
#[component]
pub fn TextField(
    /// Label.
    #[prop(into)]
    label: String,
    /// Name of the form member.
    #[prop(into)]
    name: String,
    /// Value at first.
    #[prop(optional, into)]
    value: String,
    /// Id, where the name is not unique in the page.
    #[prop(optional, into)]
    id: Option<String>,
    /// `text`, `email`, `password`, `number`, `date`, `time`, `search`.
    #[prop(default = "text")]
    kind: &'static str,
    /// The browser's name for what belongs here.
    #[prop(optional)]
    autocomplete: Option<&'static str>,
    /// Example in the empty field.
    #[prop(optional, into)]
    placeholder: Option<String>,
    /// Must be filled in.
    #[prop(optional)]
    required: bool,
    /// Longest text.
    #[prop(optional)]
    max_length: Option<u32>,
    /// Smallest number or earliest date.
    #[prop(optional, into)]
    min: Option<String>,
    /// Largest number or latest date.
    #[prop(optional, into)]
    max: Option<String>,
    /// What to know before filling it in.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: MaybeProp<String>,
    /// Why it cannot be filled in.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
    /// Hears each change.
    #[prop(optional, into)]
    on_input: Option<Callback<String>>,
) -> impl IntoView {
    let id = id.unwrap_or_else(|| format!("f-{name}"));
    let described = format!("{id}-hint");
    let hint = MaybeProp::derive(move || disabled.get().or_else(|| hint.get()));
    view! {
        <Field id=id.clone() label=label hint=hint error=error>
            <input
                class="input"
                id=id
                name=name
                type=kind
                value=value
                autocomplete=autocomplete
                placeholder=placeholder
                required=required
                maxlength=max_length
                min=min
                max=max
                aria-invalid=move || error.get().map(|_| "true")
                aria-describedby=move || (error.get().is_some() || hint.get().is_some()).then(|| described.clone())
                disabled=move || disabled.get().is_some()
                on:input=move |event| {
                    if let Some(on_input) = on_input {
                        on_input.run(event_target_value(&event));
                    }
                }
            />
        </Field>
    }
}

/// Several lines of text.
#[component]
pub fn TextAreaField(
    /// Label.
    #[prop(into)]
    label: String,
    /// Name of the form member.
    #[prop(into)]
    name: String,
    /// Value at first.
    #[prop(optional, into)]
    value: String,
    /// Lines shown.
    #[prop(default = 3)]
    rows: u32,
    /// In the type of values and code.
    #[prop(optional)]
    mono: bool,
    /// What to know before filling it in.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: MaybeProp<String>,
    /// Why it cannot be filled in.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
) -> impl IntoView {
    let id = format!("f-{name}");
    let described = format!("{id}-hint");
    let hint = MaybeProp::derive(move || disabled.get().or_else(|| hint.get()));
    view! {
        <Field id=id.clone() label=label hint=hint error=error>
            <textarea
                class=if mono { "textarea mono" } else { "textarea" }
                id=id
                name=name
                rows=rows
                spellcheck=if mono { "false" } else { "true" }
                aria-invalid=move || error.get().map(|_| "true")
                aria-describedby=move || (error.get().is_some() || hint.get().is_some()).then(|| described.clone())
                disabled=move || disabled.get().is_some()
            >
                {value}
            </textarea>
        </Field>
    }
}

/// One of a list.
#[component]
pub fn SelectField(
    /// Label.
    #[prop(into)]
    label: String,
    /// Name of the form member.
    #[prop(into)]
    name: String,
    /// Values with their labels.
    #[prop(into)]
    options: Vec<(String, String)>,
    /// The value chosen at first.
    #[prop(optional, into)]
    value: String,
    /// Label for screen readers only: for filters.
    #[prop(optional)]
    bare: bool,
    /// What to know before choosing.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// What is wrong with the value.
    #[prop(optional, into)]
    error: MaybeProp<String>,
    /// Why nothing can be chosen.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
    /// Hears each choice.
    #[prop(optional, into)]
    on_change: Option<Callback<String>>,
) -> impl IntoView {
    let id = format!("f-{name}");
    let described = format!("{id}-hint");
    let hint = MaybeProp::derive(move || disabled.get().or_else(|| hint.get()));
    let choices = options
        .into_iter()
        .map(|(option, text)| {
            let selected = option == value;
            view! { <option value=option selected=selected>{text}</option> }
        })
        .collect_view();
    let bare_label = bare.then(|| label.clone());
    let select = view! {
        <select
            class="select"
            id=id.clone()
            name=name
            aria-label=bare_label
            aria-invalid=move || error.get().map(|_| "true")
            aria-describedby=move || (error.get().is_some() || hint.get().is_some()).then(|| described.clone())
            disabled=move || disabled.get().is_some()
            on:change=move |event| {
                if let Some(on_change) = on_change {
                    on_change.run(event_target_value(&event));
                }
            }
        >
            {choices}
        </select>
    };
    if bare {
        select.into_any()
    } else {
        view! { <Field id=id label=label hint=hint error=error>{select}</Field> }.into_any()
    }
}

/// Yes or no.
#[component]
pub fn CheckField(
    /// Label.
    #[prop(into)]
    label: String,
    /// Name of the form member.
    #[prop(into)]
    name: String,
    /// Value that is sent while it is checked.
    #[prop(into, default = "true".to_owned())]
    value: String,
    /// Checked at first.
    #[prop(optional)]
    checked: bool,
    /// What it means.
    #[prop(optional, into)]
    hint: MaybeProp<String>,
    /// Why it cannot be changed.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
    /// Hears each change.
    #[prop(optional, into)]
    on_change: Option<Callback<bool>>,
) -> impl IntoView {
    view! {
        <label class="choice" title=move || disabled.get()>
            <input
                class="check"
                type="checkbox"
                name=name
                value=value
                checked=checked
                disabled=move || disabled.get().is_some()
                on:change=move |event| {
                    if let Some(on_change) = on_change {
                        on_change.run(event_target_checked(&event));
                    }
                }
            />
            <span>
                {label}
                {move || disabled.get().or_else(|| hint.get()).map(|hint| view! { <span class="hint block">{hint}</span> })}
            </span>
        </label>
    }
}

/// One of a few choices as a card; the whole card is the target. Put several into
/// `<fieldset class="cards"><legend class="sr">…</legend>…</fieldset>`.
#[component]
pub fn RadioCard(
    /// Name of the form member; the same for all cards of one choice.
    #[prop(into)]
    name: String,
    /// Value that is sent while it is chosen.
    #[prop(into)]
    value: String,
    /// Heading.
    #[prop(into)]
    title: String,
    /// What it means.
    #[prop(optional, into)]
    hint: Option<String>,
    /// Chosen at first.
    #[prop(optional)]
    checked: bool,
    /// Why it cannot be chosen.
    #[prop(optional, into)]
    disabled: MaybeProp<String>,
    /// Hears that it was chosen.
    #[prop(optional, into)]
    on_choose: Option<Callback<String>>,
    /// A drawing above the heading.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let chosen = value.clone();
    view! {
        <label class="radio-card" title=move || disabled.get()>
            {children.map(|children| children())}
            <span class="rc-head">
                <input
                    class="radio"
                    type="radio"
                    name=name
                    value=value
                    checked=checked
                    disabled=move || disabled.get().is_some()
                    on:change=move |_| {
                        if let Some(on_choose) = on_choose {
                            on_choose.run(chosen.clone());
                        }
                    }
                />
                {title}
            </span>
            {hint.map(|hint| view! { <span class="hint block">{hint}</span> })}
            {move || disabled.get().map(|reason| view! { <span class="hint block">{reason}</span> })}
        </label>
    }
}
