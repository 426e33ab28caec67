//! `/logs`: the list, filtered by its address, older pages on demand.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use leptos_router::location::Url;

use super::server::{RetryLog, load_logs};
use super::{Refused, emphasised};
use crate::model::{Capability, Entity, FieldDirection, LogDirection, LogStatus};
use crate::ui::components::{
    ActionNotice, Badge, Button, ButtonKind, Count, DirectionWord, EmptyState, LinkButton, Meter, Notice, PageHeader,
    SelectField, StatusBadge, Table, Tone, Topic, use_live,
};
use crate::ui::use_reason;
use crate::view::instant::grouped;
use crate::view::logs::{LogRow, LogsAsked, LogsPage};

/// The list.
#[component]
pub fn LogListPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let query = query.read();
        let text = |name: &str| query.get(name).filter(|value| !value.is_empty());
        LogsAsked {
            period: text("period"),
            from: text("from"),
            to: text("to"),
            status: text("status").and_then(|status| status.parse().ok()),
            entity: text("entity").and_then(|entity| Entity::from_plural(&entity)),
            direction: text("direction").and_then(|direction| direction.parse().ok()),
            connection: text("connection").and_then(|id| id.parse().ok()),
            cursor: text("cursor"),
        }
    });
    let page = Resource::new(move || asked.get(), load_logs);
    use_live().refetch(&[Topic::Run], page);
    let retry = ServerAction::<RetryLog>::new();
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Logs page=page asked=asked.get() retry=retry /> }.into_any(),
                        Err(problem) => view! { <Refused problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Logs(page: LogsPage, asked: LogsAsked, retry: ServerAction<RetryLog>) -> impl IntoView {
    let sentence = page.sentence.clone();
    let retried = move || {
        let is_queued = matches!(retry.value().get(), Some(Ok(_)));
        is_queued
            .then(|| view! { <Notice tone=Tone::Run>"The failed records are tried again with the next run."</Notice> })
    };
    let body = match (page.rows.is_empty(), page.any) {
        (false, _) => view! { <Rows page=page asked=asked.clone() retry=retry /> }.into_any(),
        (true, true) => view! {
            <EmptyState title="No log matches" text="Choose a longer time or take a filter away.">
                <LinkButton href="/logs">"Show all logs"</LinkButton>
            </EmptyState>
        }
        .into_any(),
        (true, false) => view! {
            <EmptyState
                drawing=true
                title="Nothing has run yet"
                text="Each sync leaves a log per entity and direction: what was written, what failed and why, what waits for a person."
            >
                <LinkButton href="/integrations">"Go to Integrations"</LinkButton>
            </EmptyState>
        }
        .into_any(),
    };
    view! {
        <PageHeader title="Logs" sentence=move || emphasised(&sentence) />
        <Filters asked=asked />
        <ActionNotice action=retry />
        {retried}
        {body}
    }
}

fn choices<const N: usize>(first: &str, rest: [(&str, &str); N]) -> Vec<(String, String)> {
    std::iter::once((String::new(), first.to_owned()))
        .chain(rest.map(|(value, label)| (value.to_owned(), label.to_owned())))
        .collect()
}

#[component]
fn Filters(asked: LogsAsked) -> impl IntoView {
    let periods =
        [("day", "Last 24 hours"), ("week", "Last 7 days"), ("month", "Last 30 days"), ("dates", "Choose dates")];
    let statuses = [
        ("completed", "Completed"),
        ("partial", "Partial"),
        ("failed", "Failed"),
        ("running", "Running"),
        ("cancelled", "Cancelled"),
    ];
    let entities = Entity::ALL.iter().map(|entity| (entity.plural().to_owned(), entity.title().to_owned()));
    let entities: Vec<_> = std::iter::once((String::new(), "All entities".to_owned())).chain(entities).collect();
    let period = asked.period.clone().unwrap_or_default();
    let by_date = RwSignal::new(period == "dates");
    let (from, to) = (asked.from.clone().unwrap_or_default(), asked.to.clone().unwrap_or_default());
    let dates = move || {
        let (from, to) = (from.clone(), to.clone());
        by_date.get().then(move || {
            view! {
                <input class="input w-auto" type="date" name="from" value=from aria-label="From" />
                <input class="input w-auto" type="date" name="to" value=to aria-label="To, included" />
            }
        })
    };
    view! {
        <Form method="GET" action="/logs" attr:class="filters" attr:role="search">
            <SelectField
                bare=true
                label="Date range"
                name="period"
                options=choices("Any time", periods)
                value=period
                on_change=move |period: String| by_date.set(period == "dates")
            />
            {dates}
            <SelectField
                bare=true
                label="Status"
                name="status"
                options=choices("Any status", statuses)
                value=asked.status.map(LogStatus::as_str).unwrap_or_default()
            />
            <SelectField
                bare=true
                label="Entity"
                name="entity"
                options=entities
                value=asked.entity.map(Entity::plural).unwrap_or_default()
            />
            <SelectField
                bare=true
                label="Direction"
                name="direction"
                options=choices("Both directions", [("pull", "Pull"), ("push", "Push")])
                value=asked.direction.map(LogDirection::as_str).unwrap_or_default()
            />
            {asked
                .connection
                .map(|id| view! { <input type="hidden" name="connection" value=id.to_string() /> })}
            <Button>"Filter"</Button>
        </Form>
    }
}

/// The address of the list with another cursor.
fn address(asked: &LogsAsked, cursor: Option<&str>) -> String {
    let parts = [
        ("period", asked.period.clone()),
        ("from", asked.from.clone()),
        ("to", asked.to.clone()),
        ("status", asked.status.map(|status| status.to_string())),
        ("entity", asked.entity.map(|entity| entity.plural().to_owned())),
        ("direction", asked.direction.map(|direction| direction.to_string())),
        ("connection", asked.connection.map(|id| id.to_string())),
        ("cursor", cursor.map(str::to_owned)),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", Url::escape(&value?)))).collect();
    if parts.is_empty() { "/logs".to_owned() } else { format!("/logs?{}", parts.join("&")) }
}

#[component]
fn Rows(page: LogsPage, asked: LogsAsked, retry: ServerAction<RetryLog>) -> impl IntoView {
    let reason = use_reason(Capability::RunSync);
    let shown = page.rows.len();
    let rows = page.rows.into_iter().map(|row| log_row(row, retry, reason.clone())).collect_view();
    let older = page.pagination.next_cursor.as_deref().map(|cursor| address(&asked, Some(cursor)));
    let newest = asked.cursor.is_some().then(|| address(&asked, None));
    let total = page.pagination.total;
    let foot = move || {
        let count = format!("{shown} of {} logs. Times in UTC.", grouped(total));
        view! {
            <nav class="table-foot" aria-label="Pages">
                <span class="num">{count}</span>
                <span class="row push">
                    {newest.clone().map(|href| view! { <a class="btn btn-sm" href=href>"Newest logs"</a> })}
                    {older.clone().map(|href| view! { <a class="btn btn-sm" href=href rel="next">"Older logs"</a> })}
                </span>
            </nav>
        }
    };
    view! {
        <Table caption="Logs" class="logs" foot=foot>
            <thead>
                <tr>
                    <th scope="col">"Time"</th>
                    <th scope="col">"Direction"</th>
                    <th scope="col">"Entity"</th>
                    <th scope="col">"Connection"</th>
                    <th scope="col" class="r">"Synced"</th>
                    <th scope="col" class="r">"Failed"</th>
                    <th scope="col" class="r">"Skipped"</th>
                    <th scope="col" class="r">"Conflicts"</th>
                    <th scope="col">"Status"</th>
                    <th scope="col" class="r">"Duration"</th>
                    <th scope="col">
                        <span class="sr">"Actions"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

pub(super) fn field_direction(direction: LogDirection) -> FieldDirection {
    match direction {
        LogDirection::Push => FieldDirection::Push,
        LogDirection::Pull => FieldDirection::Pull,
    }
}

fn log_row(row: LogRow, retry: ServerAction<RetryLog>, reason: Option<String>) -> impl IntoView + use<> {
    let LogRow { log, provider, at, clock, duration, percent, expected, can_retry, held } = row;
    let entity = Entity::from_plural(&log.entity_type).map_or("", Entity::title);
    let href = format!("/logs/{}", log.id);
    let of = expected.map(|total| format!(" of {}", grouped(total)));
    let named = format!(" log of {entity}, {clock}");
    let retry_named = named.clone();
    let failed = (log.records_failed > 0).then(|| format!("{href}#failed"));
    let conflicts = (log.conflicts_detected > 0).then(|| format!("{href}#conflicts"));
    let status = if held {
        view! { <Badge tone=Tone::Wait word="Held for approval" /> }.into_any()
    } else {
        view! { <StatusBadge status=log.status /> }.into_any()
    };
    let meter = percent.map(|percent| {
        view! {
            <span class="why-meter">
                <Meter percent=Signal::derive(move || Some(percent)) label="Done" />
            </span>
        }
    });
    let why = log.error_message.clone().map(|why| {
        let full = why.clone();
        view! { <span class="why xs muted truncate max-w-60" title=full>{why}</span> }
    });
    view! {
        <tr>
            <td class="lead num">
                <time datetime=at.iso title=at.title>
                    {clock}
                </time>
            </td>
            <td data-l="Direction">
                <DirectionWord direction=field_direction(log.sync_direction) />
            </td>
            <td data-l="Entity">{entity}</td>
            <td data-l="Connection" class="muted">
                {provider.title()}
            </td>
            <td class="r" data-l="Synced">
                <Count number=log.records_synced />
                {of.map(|of| view! { <span class="muted hide-mid">{of}</span> })}
            </td>
            <td class="r" data-l="Failed">
                {match failed {
                    Some(href) => {
                        view! { <a class="c-bad" href=href>{grouped(log.records_failed)}</a> }.into_any()
                    }
                    None => view! { <span class="zero">"0"</span> }.into_any(),
                }}
            </td>
            <td class="r" data-l="Skipped">
                <Count number=log.records_skipped />
            </td>
            <td class="r" data-l="Conflicts">
                {match conflicts {
                    Some(href) => view! { <a class="n" href=href>{grouped(log.conflicts_detected)}</a> }.into_any(),
                    None => view! { <span class="zero">"0"</span> }.into_any(),
                }}
            </td>
            <td data-l="Status">{status} {meter} {why}</td>
            <td class="r" data-l="Duration">
                {duration}
            </td>
            <td>
                <div class="act">
                    <LinkButton small=true kind=ButtonKind::Quiet href=href>
                        "View"
                        <span class="sr">{named}</span>
                    </LinkButton>
                    {can_retry
                        .then(|| {
                            view! {
                                <ActionForm action=retry>
                                    <input type="hidden" name="id" value=log.id.to_string() />
                                    <Button small=true disabled=reason>
                                        "Retry"
                                        <span class="sr">{retry_named}</span>
                                    </Button>
                                </ActionForm>
                            }
                        })}
                </div>
            </td>
        </tr>
    }
}
