//! `/logs/:id`: one log as a sentence, five numbers, a timeline, causes, conflicts and changes.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::{use_params_map, use_query_map};
use uuid::Uuid;

use super::Refused;
use super::server::{RetryLog, load_log};
use crate::model::Capability;
use crate::ui::components::{
    ActionNotice, Badge, Button, ButtonKind, Icon, IconName, LinkButton, Notice, RelativeTime, Section, Shape,
    StatusBadge, Table, Tone, Topic, use_live,
};
use crate::ui::integrations::{DecideHeldRun, HeldRun};
use crate::ui::use_reason;
use crate::view::Problem;
use crate::view::instant::{counted, grouped};
use crate::view::logs::{Cause, ChangeLine, ConflictLine, Log, LogPage, StageBar};

/// Changes shown at first, and after "Show more".
const CHANGES: (i64, i64) = (50, 1000);

/// One log.
#[component]
pub fn LogDetailPage() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let id = params.read().get("id").and_then(|id| id.parse::<Uuid>().ok());
        let all = query.read().get("changes").as_deref() == Some("all");
        (id, if all { CHANGES.1 } else { CHANGES.0 })
    });
    let page = Resource::new(
        move || asked.get(),
        |(id, most)| async move {
            match id {
                Some(id) => load_log(id, most).await,
                None => Err(Problem::not_found()),
            }
        },
    );
    use_live().refetch(&[Topic::Run, Topic::Conflict], page);
    let retry = ServerAction::<RetryLog>::new();
    let decide = ServerAction::<DecideHeldRun>::new();
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Detail page=page retry=retry decide=decide /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Detail(page: LogPage, retry: ServerAction<RetryLog>, decide: ServerAction<DecideHeldRun>) -> impl IntoView {
    let log = page.row.log.clone();
    let stopped = log.error_message.clone();
    let sentence = page.sentence.clone();
    view! {
        <Title text=page.sentence.clone() />
        <nav class="crumbs" aria-label="Breadcrumb">
            <a href="/logs">"Logs"</a>
            <Icon name=IconName::Next />
            <span class="id">{log.id.to_string()}</span>
        </nav>
        <div class="page-head">
            <div>
                <h1>{sentence}</h1>
                <Facts page=page.clone() />
            </div>
        </div>
        <ActionNotice action=retry />
        <ActionNotice action=decide />
        {stopped.map(|sentence| view! { <Notice tone=Tone::Bad>{sentence}</Notice> })}
        {page.held.clone().map(|run| view! { <HeldRun provider=page.row.provider.as_str() run=run decide=decide /> })}
        <Retry page=page.clone() retry=retry />
        <Five log=log.clone() sum=page.sum.clone() />
        <Stages stages=page.stages timeline=page.timeline />
        <Causes causes=page.causes failed=log.records_failed />
        <Conflicts conflicts=page.conflicts crm=page.row.provider.title() />
        <Changes changes=page.changes shown=page.shown_records all=page.changed_records log_id=log.id />
        <Siblings siblings=page.siblings />
    }
}

#[component]
fn Facts(page: LogPage) -> impl IntoView {
    let status = if page.row.held {
        view! { <Badge tone=Tone::Wait word="Held for approval" /> }.into_any()
    } else {
        view! { <StatusBadge status=page.row.log.status /> }.into_any()
    };
    view! {
        <p class="small muted num mt-2 row row-wrap">
            {status} <span><RelativeTime at=page.row.at /> ", " {page.row.duration}</span>
            <span>{page.started_by}</span> <span>{page.calls}</span>
        </p>
    }
}

#[component]
fn Retry(page: LogPage, retry: ServerAction<RetryLog>) -> impl IntoView {
    let reason = use_reason(Capability::RunSync);
    let failed = page.row.log.records_failed;
    let label = match failed {
        0 => "Run it again".to_owned(),
        1 => "Retry 1 failed record".to_owned(),
        failed => format!("Retry {} failed records", grouped(failed)),
    };
    let queued = move || matches!(retry.value().get(), Some(Ok(_)));
    page.row.can_retry.then(|| {
        view! {
            <div class="row row-wrap mb-6">
                <ActionForm action=retry>
                    <input type="hidden" name="id" value=page.row.log.id.to_string() />
                    <Button kind=ButtonKind::Primary disabled=reason busy=retry.pending()>
                        {label}
                    </Button>
                </ActionForm>
                <Show when=queued>
                    <span class="small muted">"Queued: a new log tells how it went."</span>
                </Show>
            </div>
        }
    })
}

#[component]
fn Five(log: Log, sum: String) -> impl IntoView {
    let cell = |number: i64, word: &'static str, href: &'static str| {
        let class = if number == 0 { "is-zero" } else { "" };
        if number == 0 {
            view! { <div class=class><b>"0"</b><span>{word}</span></div> }.into_any()
        } else {
            view! { <a href=href class=class><b>{grouped(number)}</b><span>{word}</span></a> }.into_any()
        }
    };
    let failed = if log.records_failed == 0 {
        cell(0, "failed", "#failed")
    } else {
        view! {
            <a href="#failed">
                <b>{grouped(log.records_failed)}</b>
                <span class="c-bad">
                    <Shape tone=Tone::Bad />
                    "failed"
                </span>
            </a>
        }
        .into_any()
    };
    view! {
        <div class="five">
            {cell(log.records_created, "created", "#changes")} {cell(log.records_updated, "updated", "#changes")}
            {cell(log.records_deleted, "deleted", "#changes")} {cell(log.records_skipped, "skipped", "#stages")} {failed}
        </div>
        <p class="xs muted num mt-2">{sum}</p>
    }
}

#[component]
fn Stages(stages: Vec<StageBar>, timeline: String) -> impl IntoView {
    if stages.is_empty() {
        return ().into_any();
    }
    let bars = stages
        .into_iter()
        .map(|stage| {
            let class = if stage.is_remote { "bar bar-api" } else { "bar" };
            view! {
                <li>
                    <span class="medium">{stage.name}</span>
                    <span class="lane" aria-hidden="true">
                        <i class=class style:left=format!("{:.2}%", stage.left) style:width=format!("{:.2}%", stage.width)></i>
                    </span>
                    <span class="r">{stage.time}</span>
                    <span class="r g-rec">{stage.records}</span>
                    <span class="r g-api">{stage.calls}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <div id="stages">
            <Section title="Stages">
                <ol class="gantt">
                    <li class="gantt-head">
                        <span>"Stage"</span>
                        <span class="row between num">
                            <span>"0 s"</span>
                            <span>{timeline}</span>
                        </span>
                        <span class="r">"Time"</span>
                        <span class="r g-rec">"Records"</span>
                        <span class="r g-api">"API calls"</span>
                    </li>
                    {bars}
                </ol>
            </Section>
        </div>
    }
    .into_any()
}

#[component]
fn Causes(causes: Vec<Cause>, failed: i64) -> impl IntoView {
    if causes.is_empty() {
        return ().into_any();
    }
    let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
    let aside = format!("{}, {}", counted(unsigned(failed), "record"), counted(causes.len() as u64, "cause"));
    let cards = causes
        .into_iter()
        .map(|cause| {
            let more = unsigned(cause.count).saturating_sub(cause.records.len() as u64);
            let chips = cause
                .records
                .into_iter()
                .map(|(name, href)| match href {
                    Some(href) => view! { <a class="chip" href=href>{name}</a> }.into_any(),
                    None => view! { <span class="chip">{name}</span> }.into_any(),
                })
                .collect_view();
            view! {
                <div class="card cause">
                    <div class="card-body">
                        <h3>
                            <span class="c-bad inline-shape">
                                <Shape tone=Tone::Bad />
                            </span>
                            {cause.title}
                            " "
                            <span class="muted num">{grouped(cause.count)}</span>
                        </h3>
                        <p class="small my-2">{cause.advice}</p>
                        <p class="row row-wrap">
                            {chips} {(more > 0).then(|| view! { <span class="xs muted">{format!("and {more} more")}</span> })}
                        </p>
                    </div>
                    <details class="tech">
                        <summary>"For support"</summary>
                        <p class="mono xs">{cause.support}</p>
                    </details>
                </div>
            }
        })
        .collect_view();
    view! {
        <div id="failed">
            <Section title="What failed" aside=move || aside.clone()>
                {cards}
            </Section>
        </div>
    }
    .into_any()
}

#[component]
fn Conflicts(conflicts: Vec<ConflictLine>, crm: &'static str) -> impl IntoView {
    if conflicts.is_empty() {
        return ().into_any();
    }
    let waiting = conflicts.iter().filter(|conflict| conflict.waits).count();
    let aside = if waiting == 0 { "none waits any more".to_owned() } else { format!("{waiting} wait") };
    let rows = conflicts
        .into_iter()
        .map(|conflict| {
            let href = format!("/conflicts/{}", conflict.id);
            view! {
                <tr>
                    <th scope="row" class="lead">
                        <a class="n" href=href.clone()>{conflict.record}</a>
                    </th>
                    <td data-l="Field">{conflict.fields}</td>
                    <td data-l="Here"><Value value=conflict.here /></td>
                    <td data-l="There"><Value value=conflict.there /></td>
                    <td data-l="State" class="muted">{conflict.outcome}</td>
                    <td class="fit">
                        <div class="act">
                            <LinkButton small=true href=href>
                                {if conflict.waits { "Review" } else { "View" }}
                            </LinkButton>
                        </div>
                    </td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div id="conflicts">
            <Section title="Conflicts" aside=move || aside.clone()>
                <Table caption="Conflicts of this run">
                    <thead>
                        <tr>
                            <th scope="col">"Record"</th>
                            <th scope="col">"Fields"</th>
                            <th scope="col">"Here"</th>
                            <th scope="col">{format!("In {crm}")}</th>
                            <th scope="col">"State"</th>
                            <th scope="col"><span class="sr">"Action"</span></th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </Table>
            </Section>
        </div>
    }
    .into_any()
}

/// A value of a record; an empty one in words.
#[component]
fn Value(value: Option<String>) -> impl IntoView {
    match value {
        Some(value) => view! { <span class="value">{value}</span> }.into_any(),
        None => view! { <span class="value value-none">"empty"</span> }.into_any(),
    }
}

#[component]
fn Changes(changes: Vec<ChangeLine>, shown: i64, all: i64, log_id: Uuid) -> impl IntoView {
    if changes.is_empty() {
        return ().into_any();
    }
    let count = |count: i64| counted(u64::try_from(count).unwrap_or_default(), "record");
    let aside = count(all);
    let foot = format!("{} of {}", grouped(shown), count(all));
    let more = (shown < all && shown < CHANGES.1).then(|| format!("/logs/{log_id}?changes=all#changes"));
    let rows = changes.into_iter().map(change_row).collect_view();
    let foot = move || {
        let (foot, more) = (foot.clone(), more.clone());
        view! {
            <div class="table-foot">
                <span class="num">{foot}</span>
                {more.map(|href| view! { <a class="btn btn-sm push" href=href>"Show more"</a> })}
            </div>
        }
    };
    view! {
        <div id="changes">
            <Section title="What changed" aside=move || aside.clone()>
                <Table caption="What changed" foot=foot>
                    <thead>
                        <tr>
                            <th scope="col">"Record"</th>
                            <th scope="col">"Field"</th>
                            <th scope="col">"Before and after"</th>
                            <th scope="col">"Decided by"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </Table>
            </Section>
        </div>
    }
    .into_any()
}

fn change_row(change: ChangeLine) -> impl IntoView {
    let record = match change.href {
        Some(href) => view! { <a class="n" href=href>{change.record}</a> }.into_any(),
        None => view! { <span class="id">{change.record}</span> }.into_any(),
    };
    let action = (!change.action.is_empty()).then(|| {
        let colon = if change.after.is_some() { ": " } else { "" };
        view! { <span class="muted">{format!("{}{colon}", change.action)}</span> }
    });
    let is_field = !change.field.is_empty();
    view! {
        <tr>
            <td class="lead">{record}</td>
            <td data-l="Field">
                <span class="api">{change.field}</span>
            </td>
            <td data-l="Change">
                <span class="value">
                    {action} {change.before.map(|before| view! { <del>{before}</del> })} " "
                    {match (change.after, is_field) {
                        (Some(after), _) => view! { <ins>{after}</ins> }.into_any(),
                        (None, true) => view! { <span class="value-none">"empty"</span> }.into_any(),
                        (None, false) => ().into_any(),
                    }}
                </span>
            </td>
            <td data-l="Decided by" class="muted">
                {change.rule}
            </td>
        </tr>
    }
}

#[component]
fn Siblings(siblings: Vec<(Uuid, String)>) -> impl IntoView {
    if siblings.is_empty() {
        return ().into_any();
    }
    let links = siblings
        .into_iter()
        .map(|(id, label)| view! { <a class="n" href=format!("/logs/{id}")>{label}</a> })
        .collect_view();
    view! {
        <Section title="The same run">
            <p class="row row-wrap small">{links}</p>
        </Section>
    }
    .into_any()
}
