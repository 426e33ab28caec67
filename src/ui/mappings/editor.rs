//! The editor of one mapping: both fields, direction, transform, pairs, and what that makes of sample records.

use leptos::ev::MouseEvent;
use leptos::prelude::*;

use super::address::{Address, Open, screen};
use super::server::{SaveMapping, TryMapping};
use super::trial::TrialTable;
use crate::model::{Capability, FieldDirection, FieldRule};
use crate::ui::components::{
    ActionNotice, Button, ButtonKind, Dialog, DirectionArrow, ProblemNotice, SelectField, Shape, Tone,
};
use crate::ui::layout::use_reason;
use crate::view::mappings::{FieldChoice, MappingForm, MappingRow, MappingsPage};

/// Empty pairs that a form without script offers.
const BLANK_PAIRS: usize = 3;

/// What the person has typed so far.
#[derive(Clone, Copy)]
struct Draft {
    app_field: RwSignal<String>,
    crm_field: RwSignal<String>,
    direction: RwSignal<String>,
    transform: RwSignal<String>,
    pairs: RwSignal<Vec<Pair>>,
}

#[derive(Clone, Copy)]
struct Pair {
    app: RwSignal<String>,
    crm: RwSignal<String>,
}

impl Pair {
    fn new(app: &str, crm: &str) -> Self {
        Pair { app: RwSignal::new(app.to_owned()), crm: RwSignal::new(crm.to_owned()) }
    }
}

impl Draft {
    fn new(form: &MappingForm) -> Self {
        let mut pairs: Vec<Pair> =
            form.pair_app.iter().zip(&form.pair_crm).map(|(app, crm)| Pair::new(app, crm)).collect();
        pairs.extend((0..BLANK_PAIRS).map(|_| Pair::new("", "")));
        Draft {
            app_field: RwSignal::new(form.app_field.clone()),
            crm_field: RwSignal::new(form.crm_field.clone()),
            direction: RwSignal::new(form.direction.clone()),
            transform: RwSignal::new(form.transform.clone()),
            pairs: RwSignal::new(pairs),
        }
    }

    fn form(self) -> MappingForm {
        let pairs = self.pairs.get_untracked();
        MappingForm {
            app_field: self.app_field.get_untracked(),
            crm_field: self.crm_field.get_untracked(),
            direction: self.direction.get_untracked(),
            transform: self.transform.get_untracked(),
            pair_app: pairs.iter().map(|pair| pair.app.get_untracked()).collect(),
            pair_crm: pairs.iter().map(|pair| pair.crm.get_untracked()).collect(),
            ..MappingForm::default()
        }
    }
}

/// What the form holds at first: what was sent to be tried, else the mapping, else a new one.
fn first_form(sent: Option<MappingForm>, row: Option<&MappingRow>) -> MappingForm {
    let Some(row) = row else {
        return sent.unwrap_or_else(|| MappingForm {
            direction: FieldDirection::Bidirectional.as_str().to_owned(),
            ..MappingForm::default()
        });
    };
    let pairs = row.mapping.value_map.clone().unwrap_or_default();
    let stored = MappingForm {
        mapping: row.mapping.id.to_string(),
        app_field: row.mapping.app_field.clone(),
        crm_field: row.mapping.crm_field.clone(),
        direction: row.mapping.sync_direction.as_str().to_owned(),
        transform: row.mapping.transform_function.clone().unwrap_or_default(),
        rule: row.rule.map(|rule| rule.as_str().to_owned()).unwrap_or_default(),
        pair_app: pairs.iter().map(|pair| pair.app.clone()).collect(),
        pair_crm: pairs.iter().map(|pair| pair.crm.clone()).collect(),
    };
    sent.filter(|sent| sent.mapping == stored.mapping).unwrap_or(stored)
}

/// Add or edit. Saving publishes at once.
#[component]
pub(super) fn Editor(
    page: MappingsPage,
    row: Option<MappingRow>,
    form: Option<MappingForm>,
    address: Memo<Address>,
    close: String,
) -> impl IntoView {
    let (provider, entity) = (page.provider, page.entity);
    let first = first_form(form, row.as_ref());
    let draft = Draft::new(&first);
    let save = ServerAction::<SaveMapping>::new();
    let attempt = ServerAction::<TryMapping>::new();
    let reason = use_reason(Capability::ManageMappings);
    let problem =
        move |field: &'static str| save.value().get().and_then(Result::err).and_then(|problem| problem.field(field));
    let title = match &row {
        Some(row) => format!("Edit mapping: {}", row.mapping.app_field),
        None => format!("Add a mapping for {}", entity.plural()),
    };
    let remove = row.as_ref().map(|row| removal(&page, row, address));
    let try_now = move |event: MouseEvent| {
        event.prevent_default();
        attempt.dispatch(TryMapping { provider, entity, form: draft.form() });
    };
    let tried = page.trial.clone();
    let cancel = close.clone();
    let dialog = if row.is_some() { "edit" } else { "add" };
    view! {
        <Dialog title=title close_href=close wide=true>
            <ActionForm action=save>
                <div class="dialog-body">
                    <p class="small muted mb-4">
                        "Saving publishes at once; the next run goes by it. It can be undone until the mapping is changed again."
                    </p>
                    <input type="hidden" name="dialog" value=dialog />
                    <input type="hidden" name="mapping" value=first.mapping.clone() />
                    <input type="hidden" name="try" value="1" />
                    <input type="hidden" name="provider" value=provider.as_str() />
                    <input type="hidden" name="entity" value=entity.as_str() />
                    <input type="hidden" name="back" value=move || address.get().back() />
                    <input type="hidden" name="form[mapping]" value=first.mapping.clone() />
                    <div class="mb-3">
                        <ActionNotice action=save />
                    </div>
                    <Fields page=page.clone() draft=draft fixed=row.is_some() problem=Callback::new(problem) />
                    <div class="add-grid">
                        <div class="stack">
                            <Transform draft=draft problem=Callback::new(problem) />
                            <Pairs page=page.clone() draft=draft problem=Callback::new(problem) />
                            <SelectField
                                label="When both sides changed"
                                name="form[rule]"
                                value=first.rule.clone()
                                options=rules(&page.policy)
                            />
                        </div>
                        <div>
                            <div class="row between mb-1">
                                <h3 class="label">"On sample records"</h3>
                                <button
                                    class="btn btn-sm"
                                    type="submit"
                                    formmethod="get"
                                    formaction=screen(provider, entity)
                                    aria-busy=move || attempt.pending().get().then_some("true")
                                    on:click=try_now
                                >
                                    "Try it"
                                </button>
                            </div>
                            <div aria-live="polite">
                                {move || match attempt.value().get() {
                                    Some(Ok(trial)) => view! { <TrialTable trial=trial crm=provider.title() /> }.into_any(),
                                    Some(Err(problem)) => view! { <ProblemNotice problem=problem /> }.into_any(),
                                    None => {
                                        match tried.clone() {
                                            Some(trial) => view! { <TrialTable trial=trial crm=provider.title() /> }.into_any(),
                                            None => not_tried(provider.title()).into_any(),
                                        }
                                    }
                                }}
                            </div>
                        </div>
                    </div>
                </div>
                <div class="dialog-foot">
                    <Button kind=ButtonKind::Primary busy=save.pending() disabled=reason>
                        "Publish mapping"
                    </Button>
                    <a class="btn" href=cancel>
                        "Cancel"
                    </a>
                    {remove}
                </div>
            </ActionForm>
        </Dialog>
    }
}

fn removal(page: &MappingsPage, row: &MappingRow, address: Memo<Address>) -> impl IntoView + use<> {
    let (provider, entity) = (page.provider, page.entity);
    let open = Open::Remove(row.mapping.id.to_string());
    let href = Signal::derive(move || address.get().with_dialog(provider, entity, &open));
    view! {
        <a class="btn btn-quiet btn-danger push" href=move || href.get()>
            "Remove mapping"
        </a>
    }
}

fn rules(policy: &str) -> Vec<(String, String)> {
    vec![
        (String::new(), format!("As the connection: {}", policy.to_lowercase())),
        (FieldRule::UseApp.as_str().to_owned(), "Always use the app's value".to_owned()),
        (FieldRule::UseCrm.as_str().to_owned(), "Always use the CRM's value".to_owned()),
    ]
}

fn not_tried(crm: &str) -> impl IntoView {
    view! {
        <p class="small muted">
            {format!("Reads up to ten linked records from {crm} and shows what this mapping makes of them. Nothing is written.")}
        </p>
    }
}

type ProblemOf = Callback<&'static str, Option<String>>;

/// Both fields with the direction between them: app left, CRM right.
#[component]
fn Fields(page: MappingsPage, draft: Draft, fixed: bool, problem: ProblemOf) -> impl IntoView {
    let crm = page.provider.title();
    let directions = FieldDirection::ALL
        .iter()
        .map(|direction| {
            let direction = *direction;
            let checked = draft.direction.get_untracked() == direction.as_str();
            view! {
                <label>
                    <input
                        type="radio"
                        name="form[direction]"
                        value=direction.as_str()
                        checked=checked
                        on:change=move |_| draft.direction.set(direction.as_str().to_owned())
                    />
                    <DirectionArrow direction=direction />
                    <span>{direction.label()}</span>
                </label>
            }
        })
        .collect_view();
    let crm_fields = StoredValue::new(page.crm_fields.clone());
    let read_only = move || {
        let chosen = draft.crm_field.get();
        let pushes = matches!(draft.direction.get().as_str(), "bidirectional" | "push");
        crm_fields.with_value(|fields| {
            let field = fields.iter().find(|field| field.name == chosen)?;
            (field.read_only && pushes)
                .then(|| format!("{} is read-only in {crm}: it can only be pulled.", field.label))
        })
    };
    view! {
        <div class="add-top">
            <FieldInput
                id="map-app"
                label="App field".to_owned()
                name="form[app_field]"
                choices=page.app_fields
                value=draft.app_field
                fallback="Or custom.<key> for a field of your own."
                error=Signal::derive(move || problem.run("appField"))
            />
            <fieldset>
                <legend class="label">"Direction"</legend>
                <div class="seg">{directions}</div>
                {move || {
                    problem.run("syncDirection").or_else(read_only).map(|reason| view! { <p class="hint hint-bad">{reason}</p> })
                }}
            </fieldset>
            <FieldInput
                id="map-crm"
                label=format!("{crm} field")
                name="form[crm_field]"
                choices=page.crm_fields
                value=draft.crm_field
                fallback="Search by label or API name."
                fixed=fixed
                error=Signal::derive(move || problem.run("crmField"))
            />
        </div>
    }
}

/// A field by its API name, searchable by label and name; below it what it is.
#[component]
fn FieldInput(
    id: &'static str,
    label: String,
    name: &'static str,
    choices: Vec<FieldChoice>,
    value: RwSignal<String>,
    fallback: &'static str,
    #[prop(optional)] fixed: bool,
    error: Signal<Option<String>>,
) -> impl IntoView {
    let list_id = format!("{id}-list");
    let hint_id = format!("{id}-hint");
    let options = choices
        .iter()
        .filter(|choice| !choice.taken)
        .map(|choice| view! { <option value=choice.name.clone()>{format!("{} · {}", choice.label, choice.about)}</option> })
        .collect_view();
    let choices = StoredValue::new(choices);
    let hint = move || {
        let typed = value.get();
        choices.with_value(|choices| match choices.iter().find(|choice| choice.name == typed) {
            Some(choice) => format!("{} · {}", choice.label, choice.about),
            None => fallback.to_owned(),
        })
    };
    let below = move || match error.get() {
        Some(error) => view! {
            <span class="hint-bad">
                <Shape tone=Tone::Bad />
                {error}
            </span>
        }
        .into_any(),
        None => hint().into_any(),
    };
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input
                class="input mono"
                id=id
                name=name
                list=list_id.clone()
                value=value.get_untracked()
                readonly=fixed
                required=true
                autocomplete="off"
                spellcheck="false"
                aria-describedby=hint_id.clone()
                aria-invalid=move || error.get().map(|_| "true")
                on:input=move |event| value.set(event_target_value(&event))
            />
            <datalist id=list_id>{options}</datalist>
            <p class="hint" id=hint_id>
                {below}
            </p>
        </div>
    }
}

#[component]
fn Transform(draft: Draft, problem: ProblemOf) -> impl IntoView {
    let example = "({\n  toApp: (value, record) => value,\n  toCrm: (value, record) => value,\n})";
    let below = move || {
        match problem.run("transformFunction") {
        Some(error) => view! {
            <span class="hint-bad">
                <Shape tone=Tone::Bad />
                {error}
            </span>
        }
        .into_any(),
        None => "One direction: an expression over value and record. Two-way: an object with toApp and toCrm. Empty: the value as it is.".into_any(),
    }
    };
    view! {
        <div class="field">
            <div class="row between">
                <label class="label" for="map-transform">
                    "Transform"
                </label>
                <span class="xs muted">"JavaScript, at most 50 ms a value"</span>
            </div>
            <textarea
                class="textarea mono"
                id="map-transform"
                name="form[transform]"
                rows="7"
                spellcheck="false"
                placeholder=example
                aria-describedby="map-transform-hint"
                aria-invalid=move || problem.run("transformFunction").map(|_| "true")
                on:input=move |event| draft.transform.set(event_target_value(&event))
            >
                {draft.transform.get_untracked()}
            </textarea>
            <p class="hint" id="map-transform-hint">
                {below}
            </p>
        </div>
    }
}

#[component]
fn Pairs(page: MappingsPage, draft: Draft, problem: ProblemOf) -> impl IntoView {
    let crm = page.provider.title();
    let grow = move |_| {
        let is_full = draft
            .pairs
            .with(|pairs| pairs.last().is_none_or(|last| !last.app.get().is_empty() || !last.crm.get().is_empty()));
        if is_full {
            draft.pairs.update(|pairs| pairs.push(Pair::new("", "")));
        }
    };
    Effect::new(grow);
    let rows = move || {
        draft
            .pairs
            .get()
            .into_iter()
            .enumerate()
            .map(|(place, pair)| {
                view! {
                    <li class="pair">
                        <input
                            class="input input-sm mono"
                            name=format!("form[pair_app][{place}]")
                            value=pair.app.get_untracked()
                            aria-label=format!("Value here, pair {}", place + 1)
                            on:input=move |event| pair.app.set(event_target_value(&event))
                        />
                        <DirectionArrow direction=FieldDirection::Bidirectional />
                        <input
                            class="input input-sm mono"
                            name=format!("form[pair_crm][{place}]")
                            value=pair.crm.get_untracked()
                            aria-label=format!("Value in {crm}, pair {}", place + 1)
                            on:input=move |event| pair.crm.set(event_target_value(&event))
                        />
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <fieldset>
            <legend class="label">"Pairs of values"</legend>
            <ul class="stack-2">{rows}</ul>
            <p class="hint">
                {format!("The value here, and the one in {crm}. A value without a pair goes over as it is; empty pairs do not count.")}
            </p>
            {move || problem.run("valueMap").map(|error| view! { <p class="hint hint-bad">{error}</p> })}
        </fieldset>
    }
}
