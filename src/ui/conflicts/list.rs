//! `/conflicts`: what waits, and what was settled.

use leptos::prelude::*;
use leptos_router::components::Form;
use leptos_router::hooks::use_query_map;
use leptos_router::location::Url;

use super::Marked;
use super::server::load_conflicts;
use crate::model::{ConflictStatus, Entity};
use crate::ui::components::{
    Button, ButtonKind, EmptyState, LinkButton, PageHeader, ProblemNotice, RelativeTime, SelectField, Table, Topic,
    use_live,
};
use crate::ui::logs::emphasised;
use crate::view::conflicts::{ConflictRow, ConflictsAsked, ConflictsPage};
use crate::view::instant::grouped;

/// The list.
#[component]
pub fn ConflictListPage() -> impl IntoView {
    let query = use_query_map();
    let asked = Memo::new(move |_| {
        let query = query.read();
        let text = |name: &str| query.get(name).filter(|value| !value.is_empty());
        ConflictsAsked {
            status: text("status").and_then(|status| status.parse().ok()),
            entity: text("entity").and_then(|entity| Entity::from_plural(&entity)),
            connection: text("connection").and_then(|id| id.parse().ok()),
            cursor: text("cursor"),
        }
    });
    let page = Resource::new(move || asked.get(), load_conflicts);
    use_live().refetch(&[Topic::Conflict, Topic::Run], page);
    view! {
        <Transition>
            {move || {
                page.get()
                    .map(|page| match page {
                        Ok(page) => view! { <Conflicts page=page asked=asked.get() /> }.into_any(),
                        Err(problem) => view! { <ProblemNotice problem=problem /> }.into_any(),
                    })
            }}
        </Transition>
    }
}

#[component]
fn Conflicts(page: ConflictsPage, asked: ConflictsAsked) -> impl IntoView {
    let sentence = page.sentence.clone();
    let status = asked.status.unwrap_or(ConflictStatus::Pending);
    let is_filtered = asked.entity.is_some() || asked.connection.is_some();
    let first = page.first.map(|id| format!("/conflicts/{id}"));
    let body = match (page.rows.is_empty(), status, is_filtered) {
        (false, ..) => view! { <Rows page=page asked=asked.clone() /> }.into_any(),
        (true, ConflictStatus::Pending, false) => view! {
            <EmptyState
                drawing=true
                title="No conflict waits"
                text="Where both sides change the same field and the policy leaves it to people, the question comes here."
            >
                <LinkButton href="/conflicts?status=resolved">"Show resolved ones"</LinkButton>
            </EmptyState>
        }
        .into_any(),
        _ => view! {
            <EmptyState title="No conflict matches" text="Choose another state or take a filter away.">
                <LinkButton href="/conflicts">"Show what waits"</LinkButton>
            </EmptyState>
        }
        .into_any(),
    };
    view! {
        <PageHeader title="Conflicts" sentence=move || emphasised(&sentence)>
            {first
                .map(|href| {
                    view! {
                        <LinkButton kind=ButtonKind::Primary href=href>
                            "Review one by one"
                        </LinkButton>
                    }
                })}
        </PageHeader>
        <Filters asked=asked />
        {body}
    }
}

#[component]
fn Filters(asked: ConflictsAsked) -> impl IntoView {
    let statuses = [("pending", "Waiting"), ("resolved", "Resolved"), ("ignored", "Ignored")]
        .map(|(value, label)| (value.to_owned(), label.to_owned()));
    let entities = Entity::ALL.iter().map(|entity| (entity.plural().to_owned(), entity.title().to_owned()));
    let entities: Vec<_> = std::iter::once((String::new(), "All entities".to_owned())).chain(entities).collect();
    view! {
        <Form method="GET" action="/conflicts" attr:class="filters" attr:role="search">
            <SelectField
                bare=true
                label="Status"
                name="status"
                options=statuses.to_vec()
                value=asked.status.unwrap_or(ConflictStatus::Pending).as_str()
            />
            <SelectField
                bare=true
                label="Entity"
                name="entity"
                options=entities
                value=asked.entity.map(Entity::plural).unwrap_or_default()
            />
            {asked
                .connection
                .map(|id| view! { <input type="hidden" name="connection" value=id.to_string() /> })}
            <Button>"Filter"</Button>
        </Form>
    }
}

fn address(asked: &ConflictsAsked, cursor: Option<&str>) -> String {
    let parts = [
        ("status", asked.status.map(|status| status.to_string())),
        ("entity", asked.entity.map(|entity| entity.plural().to_owned())),
        ("connection", asked.connection.map(|id| id.to_string())),
        ("cursor", cursor.map(str::to_owned)),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", Url::escape(&value?)))).collect();
    if parts.is_empty() { "/conflicts".to_owned() } else { format!("/conflicts?{}", parts.join("&")) }
}

#[component]
fn Rows(page: ConflictsPage, asked: ConflictsAsked) -> impl IntoView {
    let is_pending = asked.status.unwrap_or(ConflictStatus::Pending) == ConflictStatus::Pending;
    let shown = page.rows.len();
    let total = page.pagination.total;
    let older = page.pagination.next_cursor.as_deref().map(|cursor| address(&asked, Some(cursor)));
    let newest = asked.cursor.is_some().then(|| address(&asked, None));
    let foot = move || {
        view! {
            <nav class="table-foot" aria-label="Pages">
                <span class="num">{format!("{shown} of {}", grouped(total))}</span>
                <span class="row push">
                    {newest.clone().map(|href| view! { <a class="btn btn-sm" href=href>"Newest"</a> })}
                    {older.clone().map(|href| view! { <a class="btn btn-sm" href=href rel="next">"Older"</a> })}
                </span>
            </nav>
        }
    };
    let rows = page.rows.into_iter().map(|row| conflict_row(row, is_pending)).collect_view();
    view! {
        <Table caption="Conflicts" class="conf" foot=foot>
            <thead>
                <tr>
                    <th scope="col">"Record"</th>
                    <th scope="col">"Entity"</th>
                    <th scope="col">"Fields"</th>
                    <th scope="col">"Here"</th>
                    <th scope="col">"In the CRM"</th>
                    <th scope="col">"Found"</th>
                    <th scope="col">
                        <span class="sr">"Action"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
}

fn conflict_row(row: ConflictRow, is_pending: bool) -> impl IntoView {
    let href = format!("/conflicts/{}", row.id);
    let named = format!(" {}", row.record);
    let has_values = !(row.here.is_empty() && row.there.is_empty());
    let values = move |spans| if has_values { view! { <Marked spans=spans /> }.into_any() } else { ().into_any() };
    view! {
        <tr>
            <th scope="row" class="lead">
                <div class="truncate">
                    <a class="n" href=href.clone()>
                        {row.record}
                    </a>
                </div>
            </th>
            <td data-l="Entity" class="muted">
                {row.entity.as_str()}
            </td>
            <td data-l="Fields">
                <div class="truncate" title=row.fields.clone()>
                    {row.fields.clone()}
                </div>
            </td>
            <td data-l="Here">
                <div class="truncate">{values(row.here)}</div>
            </td>
            <td data-l="There">
                <div class="truncate">{values(row.there)}</div>
            </td>
            <td data-l="Found" class="muted">
                <RelativeTime at=row.at />
            </td>
            <td>
                <div class="act">
                    <LinkButton small=true href=href>
                        {if is_pending { "Review" } else { "View" }}
                        <span class="sr">{named}</span>
                    </LinkButton>
                </div>
            </td>
        </tr>
    }
}
