//! The split view: the app left, the last agreement in the middle, the CRM right, field by field.

use leptos::prelude::*;

use super::Marked;
use super::keys::{Pick, Picks, provide_picks};
use super::one::Actions;
use crate::model::{Capability, ConflictStatus, FieldDirection};
use crate::ui::components::{Button, ButtonKind, DirectionArrow, EnvironmentBadge, Fold, LinkButton, Menu};
use crate::ui::use_reason;
use crate::view::conflicts::{ConflictPage, FieldView};

/// Both sides of each field in conflict, and what may be done.
#[component]
pub(super) fn Split(page: ConflictPage, actions: Actions) -> impl IntoView {
    let is_pending = page.status == ConflictStatus::Pending;
    let picks = provide_picks(page.fields.len());
    let count = page.fields.len();
    let crm = page.provider.title();
    let fields = page
        .fields
        .iter()
        .cloned()
        .enumerate()
        .map(|(place, field)| {
            view! { <FieldRow field=field place=place count=count crm=crm is_pending=is_pending picks=picks /> }
        })
        .collect_view();
    let head = view! { <Head page=page.clone() /> };
    let agreeing = view! { <Agreeing agreeing=page.agreeing.clone() /> };
    if !is_pending {
        return view! {
            <div class="versus">{head} {fields}</div>
            {agreeing}
        }
        .into_any();
    }
    view! {
        <ActionForm action=actions.resolve attr:id="resolve-form">
            <input type="hidden" name="id" value=page.id.to_string() />
            <input type="hidden" name="version" value=page.version.to_string() />
            <div class="versus">{head} {fields}</div>
        </ActionForm>
        {agreeing}
        <Bar page=page actions=actions />
    }
    .into_any()
}

#[component]
fn Head(page: ConflictPage) -> impl IntoView {
    let record = page.record_id.map(|id| {
        let href = format!("/records/{}/{id}", page.entity.plural());
        view! { <a class="small muted truncate" href=href>"app record"</a> }
    });
    view! {
        <div class="versus-cols versus-head">
            <div>
                <b>"Crosstie"</b>
                {record}
                <span class="push hide-mid"><kbd>"←"</kbd></span>
            </div>
            <div class="muted">
                <span>"Last agreed"</span>
            </div>
            <div>
                <b>{page.provider.title()}</b>
                <EnvironmentBadge environment=page.environment />
                <span class="id truncate hide-mid">{page.crm_record_id}</span>
                <span class="push hide-mid"><kbd>"→"</kbd></span>
            </div>
        </div>
    }
}

#[component]
fn FieldRow(
    field: FieldView,
    place: usize,
    count: usize,
    crm: &'static str,
    is_pending: bool,
    picks: Picks,
) -> impl IntoView {
    let base = match field.base.clone() {
        Some(base) => view! { <span class="value">{base}</span> }.into_any(),
        None => view! { <span class="value value-none">"empty"</span> }.into_any(),
    };
    let decided = field.decided.clone().filter(|_| !is_pending);
    view! {
        <fieldset class="versus-field">
            <legend class="sr">{field.label.clone()}</legend>
            <div class="versus-name">
                <b>{field.label.clone()}</b>
                <span class="api">{field.name.clone()}</span>
                <DirectionArrow direction=FieldDirection::Bidirectional />
                <span class="api">{field.crm_field.clone()}</span>
                <span class="push xs muted num">{format!("{} of {count}", place + 1)}</span>
            </div>
            <div class="versus-cols">
                <Side field=field.clone() place=place pick=Pick::App name="Crosstie" is_pending=is_pending picks=picks />
                <div class="side side-base" data-side="Last agreed">
                    {base}
                </div>
                <Side field=field.clone() place=place pick=Pick::Crm name=crm is_pending=is_pending picks=picks />
                {is_pending.then(|| view! { <Merged field=field place=place crm=crm picks=picks /> })}
                {decided
                    .map(|value| {
                        view! {
                            <div class="merged" data-side="Decided">
                                <span class="small medium">"Decided: "</span>
                                <span class="value">{value}</span>
                            </div>
                        }
                    })}
            </div>
        </fieldset>
    }
}

#[component]
fn Side(
    field: FieldView,
    place: usize,
    pick: Pick,
    name: &'static str,
    is_pending: bool,
    picks: Picks,
) -> impl IntoView {
    let (spans, text, since) = match pick {
        Pick::Crm => (field.crm, field.crm_text, field.crm_since),
        _ => (field.app, field.app_text, field.app_since),
    };
    let value = view! {
        <Marked spans=spans />
        <span class="prov">{since}</span>
    };
    if !is_pending {
        return view! { <div class="side side-base" data-side=name>{value}</div> }.into_any();
    }
    let label = format!("Keep {name}: {text}");
    view! {
        <label class="side" class:is-focus=move || picks.is_current(place) && picks.is(place, pick) data-side=name>
            <input
                class="radio"
                type="radio"
                name=format!("choices[{}]", field.name)
                value=pick.as_str()
                required=true
                aria-label=label
                prop:checked=move || picks.is(place, pick)
                on:change=move |_| picks.set(place, pick)
            />
            {value}
        </label>
    }
    .into_any()
}

#[component]
fn Merged(field: FieldView, place: usize, crm: &'static str, picks: Picks) -> impl IntoView {
    let id = format!("merged-{place}");
    let name = format!("values[{}]", field.name);
    let text = RwSignal::new(field.app_text.clone());
    let most = field.crm_most;
    let length = move || text.get().chars().count();
    let fits = move || most.is_none_or(|most| length() <= most as usize);
    let note = move || {
        let limit = most.map_or_else(String::new, |most| format!(" of {most}"));
        if fits() {
            format!("Fits {crm}: {}{limit} characters.", length())
        } else {
            format!("{crm} takes {limit} characters and this has {}. Shorten it.", length())
                .replace("takes  of", "takes")
        }
    };
    let input = move |event| {
        text.set(event_target_value(&event));
        picks.set(place, Pick::Value);
    };
    let editor = if field.is_long {
        view! {
            <textarea class="textarea value mt-2" id=id.clone() name=name rows="3" on:input=input>
                {field.app_text.clone()}
            </textarea>
        }
        .into_any()
    } else {
        view! {
            <input class="input value mt-2" id=id.clone() name=name value=field.app_text.clone() on:input=input />
        }
        .into_any()
    };
    view! {
        <details class="merged" data-side="Merged" open=move || picks.is(place, Pick::Value)>
            <summary class="small medium row between">
                "Write a merged value"
                <kbd>"E"</kbd>
            </summary>
            <label class="choice mt-2">
                <input
                    class="radio"
                    type="radio"
                    name=format!("choices[{}]", field.name)
                    value=Pick::Value.as_str()
                    prop:checked=move || picks.is(place, Pick::Value)
                    on:change=move |_| picks.set(place, Pick::Value)
                />
                <span>{format!("Use this value for {}", field.label)}</span>
            </label>
            <label class="sr" for=id>
                {format!("Merged value of {}", field.label)}
            </label>
            {editor}
            <p class="hint" class:hint-bad=move || !fits()>
                {note}
            </p>
        </details>
    }
}

#[component]
fn Agreeing(agreeing: Vec<(String, String)>) -> impl IntoView {
    if agreeing.is_empty() {
        return ().into_any();
    }
    let names: Vec<String> = agreeing.iter().map(|(label, _)| label.clone()).collect();
    let names = names.join(", ");
    let count = agreeing.len();
    let label = move || {
        let noun = if count == 1 { "1 other field".to_owned() } else { format!("{count} other fields") };
        view! {
            <span>{noun}</span>
            <span class="muted truncate">{names.clone()}</span>
        }
    };
    let rows = agreeing
        .into_iter()
        .map(|(label, value)| {
            view! {
                <tr>
                    <th scope="row">{label}</th>
                    <td><span class="value">{value}</span></td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="mt-3">
            <Fold label=label>
                <table class="table">
                    <caption class="sr">"Fields that are not in conflict"</caption>
                    <tbody>{rows}</tbody>
                </table>
            </Fold>
        </div>
    }
    .into_any()
}

#[component]
fn Bar(page: ConflictPage, actions: Actions) -> impl IntoView {
    let reason = use_reason(Capability::SettleConflicts);
    let (for_resolve, for_ignore) = (reason.clone(), reason.clone());
    let (for_app, for_crm) = (reason.clone(), reason.clone());
    let id = page.id;
    let always = move |side: &str| format!("/conflicts/{id}?dialog=always-{side}");
    view! {
        <div class="actionbar">
            <button
                class="btn btn-primary"
                id="resolve"
                form="resolve-form"
                type=if for_resolve.is_some() { "button" } else { "submit" }
                aria-disabled=for_resolve.is_some().then_some("true")
                aria-busy=move || actions.resolve.pending().get().then_some("true")
                title=for_resolve.clone()
            >
                "Resolve with selected values"
                <kbd>"Enter"</kbd>
                {for_resolve.clone().map(|reason| view! { <span class="sr">{format!(". {reason}")}</span> })}
            </button>
            <ActionForm action=actions.ignore>
                <input type="hidden" name="id" value=id.to_string() />
                <input type="hidden" name="version" value=page.version.to_string() />
                <span id="ignore">
                    <Button disabled=for_ignore busy=actions.ignore.pending()>
                        "Ignore"
                        <kbd>"I"</kbd>
                    </Button>
                </span>
            </ActionForm>
            <span class="bar-sep hide-phone"></span>
            <span class="row hide-phone">
                <LinkButton href=always("app") disabled=for_app.clone()>
                    "Always use app…"
                </LinkButton>
                <LinkButton href=always("crm") disabled=for_crm.clone()>
                    "Always use CRM…"
                </LinkButton>
            </span>
            <span class="only-phone">
                <Menu label=|| "Always…">
                    <LinkButton kind=ButtonKind::Quiet href=always("app") disabled=for_app>
                        "Always use app…"
                    </LinkButton>
                    <LinkButton kind=ButtonKind::Quiet href=always("crm") disabled=for_crm>
                        "Always use CRM…"
                    </LinkButton>
                </Menu>
            </span>
            <span class="keys push hide-phone">
                <span><kbd>"←"</kbd> "app"</span>
                <span><kbd>"→"</kbd> "CRM"</span>
                <span><kbd>"E"</kbd> "edit"</span>
                <a class="plain" id="keys-help" href=format!("/conflicts/{id}?dialog=keys")>
                    <span><kbd>"?"</kbd> "help"</span>
                </a>
            </span>
        </div>
    }
}
