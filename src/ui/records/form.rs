//! The fields of a record as a form. The account is chosen by typing: the list narrows while one types, and without script
//! the server reads the name.

use leptos::prelude::*;

use super::server::find_accounts;
use crate::model::FieldKind;
use crate::ui::components::{Field, TextAreaField, TextField};
use crate::view::Problem;
use crate::view::record_page::FormField;

/// Every field, two beside each other where there is room; `problem` marks those that were refused.
#[component]
pub(super) fn RecordFields(fields: Vec<FormField>, problem: Signal<Option<Problem>>) -> impl IntoView {
    let fields = fields.into_iter().map(|field| record_field(field, problem)).collect_view();
    view! { <div class="two-fields">{fields}</div> }
}

fn record_field(field: FormField, problem: Signal<Option<Problem>>) -> AnyView {
    let FormField { name, label, kind, value, required } = field;
    let member = format!("fields[{name}]");
    let id = format!("f-{}", name.replace('.', "-"));
    let error = {
        let name = name.clone();
        MaybeProp::derive(move || problem.get().and_then(|problem| problem.field(&name)))
    };
    match kind {
        FieldKind::LongText => {
            view! { <TextAreaField label=label name=member value=value error=error rows=2 /> }.into_any()
        }
        FieldKind::Reference => {
            view! { <AccountField id=id label=label name=member value=value error=error /> }.into_any()
        }
        _ => {
            let (input, hint) = match kind {
                FieldKind::Date => ("date", None),
                FieldKind::Percent => ("text", Some("From 0 to 100")),
                FieldKind::Email => ("text", None),
                FieldKind::Phone => ("tel", None),
                _ => ("text", None),
            };
            view! {
                <TextField
                    id=id
                    label=label
                    name=member
                    value=value
                    kind=input
                    required=required
                    autocomplete="off"
                    hint=hint.map(str::to_owned)
                    error=error
                />
            }
            .into_any()
        }
    }
}

#[component]
fn AccountField(id: String, label: String, name: String, value: String, error: MaybeProp<String>) -> impl IntoView {
    let typed = RwSignal::new(String::new());
    let choices = Resource::new(move || typed.get(), find_accounts);
    let list_id = format!("{id}-choices");
    let options = move || {
        let found = choices.get().and_then(Result::ok).unwrap_or_default();
        found.into_iter().map(|choice| view! { <option value=choice></option> }).collect_view()
    };
    view! {
        <Field id=id.clone() label=label hint="Type a part of its name and choose; leave it empty for none" error=error>
            <input
                class="input"
                id=id.clone()
                name=name
                type="text"
                list=list_id.clone()
                value=value
                autocomplete="off"
                aria-invalid=move || error.get().map(|_| "true")
                aria-describedby=format!("{id}-hint")
                on:input=move |event| typed.set(event_target_value(&event))
            />
            <datalist id=list_id>
                <Transition>{options}</Transition>
            </datalist>
        </Field>
    }
}
