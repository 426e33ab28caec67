//! The settings of a connection: schedule, direction, policy, entities, options, guards.

mod changes;
mod drawing;
mod schedule;
mod server;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};

use super::components::{
    ActionNotice, Button, ButtonKind, CheckField, EnvironmentBadge, Icon, IconName, Notice, RadioCard, SelectField,
    Tone, Topic, use_live,
};
use super::layout::use_reason;
use super::mappings::{ToConnection, refused};
use crate::model::{Capability, ConflictPolicy, Entity, Provider, SyncDirection, SyncFrequency};
use crate::view::Problem;
use crate::view::connections::Config;
use crate::view::instant::{counted, grouped};
use crate::view::settings::SettingsPage as Page;
use changes::Draft;
use drawing::DirectionDrawing;
use schedule::Schedule;
use server::{SaveSettings, load_settings};

/// `/settings`: on to the connection that was used last.
#[component]
pub fn SettingsRedirect() -> impl IntoView {
    view! { <ToConnection title="Sync settings" part="settings" /> }
}

/// `/integrations/:provider/settings`.
#[component]
pub fn SettingsPage() -> impl IntoView {
    let (params, query) = (use_params_map(), use_query_map());
    let provider = Memo::new(move |_| params.read().get("provider").and_then(|name| name.parse::<Provider>().ok()));
    let saved = Memo::new(move |_| query.read().get("saved").unwrap_or_default());
    let page = Resource::new(
        move || (provider.get(), saved.get()),
        |(provider, saved)| async move { load_settings(provider.ok_or_else(Problem::not_found)?, saved).await },
    );
    // A run's end changes nothing that is typed here; another admin's change does.
    use_live().refetch(&[Topic::Connection], page);
    let body = move || {
        page.get().map(|loaded| match loaded {
            Ok(page) => view! { <Screen page=page was_saved=!saved.get_untracked().is_empty() /> }.into_any(),
            Err(problem) => refused(problem).into_any(),
        })
    };
    view! { <Transition>{body}</Transition> }
}

#[component]
fn Screen(page: Page, was_saved: bool) -> impl IntoView {
    let config = page.config.clone();
    let crm = config.provider.title();
    let draft = Draft::of(&config);
    let save = ServerAction::<SaveSettings>::new();
    let reason = use_reason(Capability::ManageConnections);
    let stored = StoredValue::new(config.clone());
    let changes = Memo::new(move |_| stored.with_value(|config| draft.changes(config)));
    let error = move |field: &'static str| {
        Signal::derive(move || save.value().get().and_then(Result::err).and_then(|problem| problem.field(field)))
    };
    let saved = if page.saved.is_empty() {
        "Saved. Nothing was different.".to_owned()
    } else {
        format!("Saved. {}", page.saved.join(" "))
    };
    view! {
        <Title text=format!("Sync settings, {crm}") />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/integrations">"Integrations"</a>
            <Icon name=IconName::Next />
            <span>{crm}</span>
            <Icon name=IconName::Next />
            <span>"Settings"</span>
        </nav>
        <div class="page-head">
            <div>
                <h1>
                    "Sync settings " <span class="h1-sub">{crm}</span> " "
                    <EnvironmentBadge environment=config.environment />
                </h1>
                <p class="sentence">{sentence(&config)}</p>
            </div>
        </div>
        {was_saved.then(|| view! { <Notice tone=Tone::Ok>{saved}</Notice> })}
        {reason
            .clone()
            .map(|reason| {
                view! { <Notice tone=Tone::Off>{format!("{reason} You see how it is set.")}</Notice> }
            })}
        <ActionForm action=save attr:class="settings-form" attr:data-dirty=move || (!changes.read().is_empty()).then_some("true")>
            <input type="hidden" name="provider" value=config.provider.as_str() />
            <ActionNotice action=save />
            <Schedule page=page.clone() draft=draft reason=reason.clone() error=error("schedule") />
            <Direction draft=draft reason=reason.clone() />
            <Policy page=page.clone() draft=draft reason=reason.clone() />
            <Entities page=page draft=draft reason=reason.clone() error=error("syncEntities") />
            <Safety draft=draft reason=reason.clone() records=error("options.guardRecords") percent=error("options.guardPercent") />
            <Advanced crm=crm draft=draft reason=reason.clone() />
            <div class="actionbar">
                <Button kind=ButtonKind::Primary busy=save.pending() disabled=reason>
                    {move || match changes.read().len() {
                        0 => "Save settings".to_owned(),
                        many => format!("Save {}", counted(many as u64, "change")),
                    }}
                </Button>
                {move || {
                    (!changes.read().is_empty())
                        .then(|| {
                            view! {
                                <a class="btn" href=format!("/integrations/{}/settings", config.provider) rel="external" data-discard="">
                                    "Discard"
                                </a>
                                <span class="small">{changes.get().join(" ")}</span>
                            }
                        })
                }}
            </div>
        </ActionForm>
    }
    .into_any()
}

/// What is true now, before anything else.
fn sentence(config: &Config) -> impl IntoView {
    let direction = match config.sync_direction {
        SyncDirection::Bidirectional => "both ways",
        SyncDirection::Push => "from the app to the CRM",
        SyncDirection::Pull => "from the CRM to the app",
    };
    let frequency = match config.sync_frequency {
        SyncFrequency::Realtime => "as changes come",
        SyncFrequency::Hourly => "every hour",
        SyncFrequency::Daily => "every day",
        SyncFrequency::Manual => "when a person asks",
    };
    let decides = match config.conflict_resolution {
        ConflictPolicy::LastWriteWins => "The later edit decides conflicts.",
        ConflictPolicy::CrmWins => "The CRM decides conflicts.",
        ConflictPolicy::AppWins => "The app decides conflicts.",
        ConflictPolicy::ManualReview => "A person decides conflicts.",
    };
    let guard =
        format!("{} and {} %", counted(config.options.guard_records.into(), "record"), config.options.guard_percent);
    view! {
        "Syncs "
        <strong>{format!("{direction}, {frequency}")}</strong>
        {format!(". {decides} Runs that would delete more than ")}
        <strong>{guard}</strong>
        " wait for approval."
    }
}

#[component]
fn Direction(draft: Draft, reason: Option<String>) -> impl IntoView {
    let choices = [
        (SyncDirection::Bidirectional, "Bidirectional", "Changes sync both ways."),
        (SyncDirection::Push, "Push only", "Changes go from the app to the CRM."),
        (SyncDirection::Pull, "Pull only", "Changes come from the CRM to the app."),
    ];
    let cards = choices
        .into_iter()
        .map(|(direction, title, hint)| {
            let checked = draft.direction.get_untracked() == direction.as_str();
            view! {
                <RadioCard
                    name="form[direction]"
                    value=direction.as_str()
                    title=title
                    hint=hint
                    checked=checked
                    disabled=reason.clone()
                    on_choose=Callback::new(move |value| draft.direction.set(value))
                >
                    <DirectionDrawing direction=direction />
                </RadioCard>
            }
        })
        .collect_view();
    view! {
        <section class="set">
            <header>
                <h2 class="h3">"Direction"</h2>
                <p>"Mappings can narrow it, field by field."</p>
            </header>
            <div>
                <fieldset class="cards">
                    <legend class="sr">"Sync direction"</legend>
                    {cards}
                </fieldset>
            </div>
        </section>
    }
}

#[component]
fn Policy(page: Page, draft: Draft, reason: Option<String>) -> impl IntoView {
    let options: Vec<(String, String)> =
        ConflictPolicy::ALL.iter().map(|policy| (policy.to_string(), policy.label().to_owned())).collect();
    let about = move || match draft.policy.get().parse() {
        Ok(ConflictPolicy::LastWriteWins) => {
            "The later of the two edits stays. The other value is kept in the log and can be brought back."
        }
        Ok(ConflictPolicy::CrmWins) => "The CRM's value stays. The app's is kept in the log and can be brought back.",
        Ok(ConflictPolicy::AppWins) => "The app's value stays. The CRM's is kept in the log and can be brought back.",
        _ => "Neither side is touched until a person decides under Conflicts. Everything else goes on.",
    };
    let waiting = (page.waiting > 0).then(|| {
        let (subject, verb) = if page.waiting == 1 { ("1 conflict", "waits") } else { ("", "wait") };
        let subject =
            if subject.is_empty() { format!("{} conflicts", grouped(page.waiting)) } else { subject.to_owned() };
        view! {
            <p class="hint">
                <a href="/conflicts">{subject}</a>
                {format!(" {verb} for a person. Another policy decides only those that come from now on.")}
            </p>
        }
    });
    view! {
        <section class="set">
            <header>
                <h2 class="h3">"When both sides changed"</h2>
                <p>"The same field, to different values, since they last agreed."</p>
            </header>
            <div class="policy">
                <SelectField
                    label="Conflict resolution"
                    name="form[policy]"
                    value=draft.policy.get_untracked()
                    options=options
                    hint=Signal::derive(move || Some(about().to_owned()))
                    disabled=reason
                    on_change=Callback::new(move |value| draft.policy.set(value))
                />
                {waiting}
            </div>
        </section>
    }
}

#[component]
fn Entities(page: Page, draft: Draft, reason: Option<String>, error: Signal<Option<String>>) -> impl IntoView {
    let boxes = Entity::ALL
        .iter()
        .map(|entity| {
            let entity = *entity;
            let chosen = draft.entity(entity);
            let records = page.records.iter().find(|(of, _)| *of == entity).map(|(_, words)| words.clone());
            view! {
                <CheckField
                    label=entity.title()
                    name=format!("form[{}]", entity.plural())
                    checked=chosen.get_untracked()
                    hint=records.unwrap_or_default()
                    disabled=reason.clone()
                    on_change=Callback::new(move |on| chosen.set(on))
                />
            }
        })
        .collect_view();
    view! {
        <section class="set">
            <header>
                <h2 class="h3">"What takes part"</h2>
                <p>"What is switched off rests; its links and mappings are kept."</p>
            </header>
            <div>
                <div class="check-cols">{boxes}</div>
                {move || error.get().map(|error| view! { <p class="hint hint-bad">{error}</p> })}
            </div>
        </section>
    }
}

#[component]
fn Safety(
    draft: Draft,
    reason: Option<String>,
    records: Signal<Option<String>>,
    percent: Signal<Option<String>>,
) -> impl IntoView {
    let is_locked = reason.is_some();
    view! {
        <section class="set">
            <header>
                <h2 class="h3">"Safety"</h2>
                <p>"A run that crosses the guard stops before its first delete and asks an admin."</p>
            </header>
            <div>
                <div class="guard">
                    <span>"Hold when a run would delete more than"</span>
                    {guard_input("form[guard_records]", "Records", 72, draft.guard_records, is_locked, records)}
                    <span>"records and"</span>
                    {guard_input(
                        "form[guard_percent]",
                        "Per cent of an entity",
                        56,
                        draft.guard_percent,
                        is_locked,
                        percent,
                    )}
                    <span>"% of an entity's links"</span>
                </div>
                {move || {
                    records.get().or_else(|| percent.get()).map(|error| view! { <p class="hint hint-bad">{error}</p> })
                }}
            </div>
        </section>
    }
}

/// One number of the guard; `width` in pixels.
fn guard_input(
    name: &'static str,
    label: &'static str,
    width: u32,
    value: RwSignal<String>,
    is_locked: bool,
    error: Signal<Option<String>>,
) -> impl IntoView {
    view! {
        <input
            class="input num"
            name=name
            aria-label=label
            inputmode="numeric"
            style:width=format!("{width}px")
            value=value.get_untracked()
            disabled=is_locked
            aria-invalid=move || error.get().map(|_| "true")
            on:input=move |event| value.set(event_target_value(&event))
        />
    }
}

#[component]
fn Advanced(crm: &'static str, draft: Draft, reason: Option<String>) -> impl IntoView {
    let choices = [
        (
            "Create new records if not found",
            "form[create_missing]",
            draft.create_missing,
            "A record with no partner is created on the other side. Off: it rests.".to_owned(),
        ),
        (
            "Delete records when deleted in CRM",
            "form[delete_in_app]",
            draft.delete_in_app,
            "They are marked as deleted here and can be restored. Off: they stay, marked “no longer in CRM”."
                .to_owned(),
        ),
        (
            "Delete in CRM when deleted in app",
            "form[delete_in_crm]",
            draft.delete_in_crm,
            format!("They go to the recycle bin of {crm}. Off: {crm} keeps them, the link is closed."),
        ),
        (
            "Sync attachments and files",
            "form[sync_files]",
            draft.sync_files,
            format!(
                "Files of linked records travel as the records do. A file that is deleted on one side stays on the other. \
                 Off: files stay where they are; {crm} is not asked for any."
            ),
        ),
    ];
    let boxes = choices
        .into_iter()
        .map(|(label, name, chosen, hint)| {
            view! {
                <CheckField
                    label=label
                    name=name
                    checked=chosen.get_untracked()
                    hint=hint
                    disabled=reason.clone()
                    on_change=Callback::new(move |on| chosen.set(on))
                />
            }
        })
        .collect_view();
    view! {
        <section class="set">
            <header>
                <h2 class="h3">"Advanced"</h2>
            </header>
            <div class="check-cols">{boxes}</div>
        </section>
    }
}
