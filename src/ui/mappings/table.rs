//! The mapping table: app left, CRM right, the direction between them.

use leptos::html;
use leptos::prelude::*;

use super::address::{Address, Open};
use super::server::SetMappingDirection;
use crate::model::{Capability, Entity, FieldDirection, Provider};
use crate::ui::browser;
use crate::ui::components::{ActionNotice, DirectionArrow, EmptyState, Icon, IconName, LinkButton, Shape, Table, Tone};
use crate::ui::layout::use_reason;
use crate::view::instant::grouped;
use crate::view::mappings::{MappingRow, MappingsPage, RowProblem};

/// Every mapping that the search leaves.
#[component]
pub(super) fn MappingTable(page: MappingsPage, address: Memo<Address>) -> impl IntoView {
    let direction = ServerAction::<SetMappingDirection>::new();
    let (provider, entity, total) = (page.provider, page.entity, page.total);
    if page.rows.is_empty() {
        let (title, text) = if total == 0 {
            ("Nothing is mapped yet", "Add a mapping: one field here, one field there, and which way values travel.")
        } else {
            ("No mapping is like that", "Search for something else, or show all of them.")
        };
        let all = Address::default().href(provider, entity);
        return view! {
            <EmptyState title=title text=text>
                {(total > 0).then(|| view! { <LinkButton href=all>"Show all"</LinkButton> })}
            </EmptyState>
        }
        .into_any();
    }
    let shown = page.rows.len() as i64;
    let changed = page.change.as_ref().and_then(|change| change.mapping);
    let rows = page
        .rows
        .into_iter()
        .map(|row| {
            let focus = changed == Some(row.mapping.id);
            view! { <Row row=row provider=provider entity=entity address=address action=direction focus=focus /> }
        })
        .collect_view();
    let foot = move || {
        view! {
            <div class="table-foot">
                <span>{format!("{} of {} mappings. Changes are published at once.", grouped(shown), grouped(total))}</span>
            </div>
        }
    };
    view! {
        <ActionNotice action=direction />
        <Table caption="Mappings" class="map-table" foot=foot>
            <thead>
                <tr>
                    <th scope="col" style:width="15%">"App field"</th>
                    <th scope="col" style:width="13%">"Value here"</th>
                    <th scope="col" style:width="112px">"Direction"</th>
                    <th scope="col" style:width="19%">{format!("{} field", provider.title())}</th>
                    <th scope="col" style:width="13%">"Value there"</th>
                    <th scope="col" style:width="96px">"Conflict"</th>
                    <th scope="col" style:width="92px">"Transform"</th>
                    <th scope="col">"Problem"</th>
                    <th scope="col" style:width="72px">
                        <span class="sr">"Actions"</span>
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
    }
    .into_any()
}

#[component]
fn Row(
    row: MappingRow,
    provider: Provider,
    entity: Entity,
    address: Memo<Address>,
    action: ServerAction<SetMappingDirection>,
    focus: bool,
) -> impl IntoView {
    let id = row.mapping.id.to_string();
    let edit = move || address.get().with_dialog(provider, entity, &Open::Edit(id.clone()));
    let (edit_name, edit_chip) = (edit.clone(), edit.clone());
    let title = format!("{}, {}", row.app_label, row.app_kind);
    let crm_title = format!("{} ({}), {}", row.crm_label, row.mapping.crm_field, row.crm_type);
    let edit_label = format!("Edit the mapping of {}", row.app_label);
    view! {
        <tr>
            <td class="lead">
                <div class="truncate" title=title>
                    <a class="api ink plain" href=edit_name>
                        {row.mapping.app_field.clone()}
                    </a>
                    " "
                    <span class="faint xs">{row.app_kind.clone()}</span>
                </div>
            </td>
            <td data-l="Value here">{sample(row.app_sample.clone())}</td>
            <td data-l="Direction" class="dircell">
                <Direction row=row.clone() provider=provider entity=entity address=address action=action focus=focus />
            </td>
            <td data-l="CRM field">
                <div class="truncate" title=crm_title>
                    {row.crm_label.clone()} " " <span class="api">{row.mapping.crm_field.clone()}</span>
                </div>
            </td>
            <td data-l="Value there">{sample(row.crm_sample.clone())}</td>
            <td data-l="When both changed">
                {(!row.decides.is_empty()).then(|| view! { <div class="truncate">{row.decides.clone()}</div> })}
            </td>
            <td data-l="Transform">
                {row.transform.clone().map(|words| view! { <a class="chip" href=edit_chip>{words}</a> })}
            </td>
            <td data-l="Problem">{row.problems.first().cloned().map(|problem| problem_mark(problem, row.problems.len()))}</td>
            <td>
                <a class="btn btn-sm btn-quiet" href=edit aria-label=edit_label>
                    "Edit"
                </a>
            </td>
        </tr>
    }
}

fn sample(value: Option<String>) -> impl IntoView {
    match value {
        Some(text) => {
            let title = text.clone();
            view! {
                <div class="truncate sample" title=title>
                    {text}
                </div>
            }
            .into_any()
        }
        None => view! { <div class="truncate sample faint">"–"</div> }.into_any(),
    }
}

fn problem_mark(problem: RowProblem, count: usize) -> impl IntoView {
    let (class, tone) = if problem.severe { ("prob c-bad", Tone::Bad) } else { ("prob c-wait", Tone::Wait) };
    let more = (count > 1).then(|| format!(" and {} more", count - 1));
    let words = view! {
        <Shape tone=tone />
        <span class="truncate">{problem.short} {more}</span>
        <span class="sr">{format!(": {}", problem.long)}</span>
    };
    match problem.href {
        Some(href) => view! {
            <a class=class href=href title=problem.long>
                {words}
            </a>
        }
        .into_any(),
        None => view! {
            <span class=class title=problem.long>
                {words}
            </span>
        }
        .into_any(),
    }
}

/// One press: two-way, push, pull, none. Locked with the reason where the CRM's field can only be pulled.
#[component]
fn Direction(
    row: MappingRow,
    provider: Provider,
    entity: Entity,
    address: Memo<Address>,
    action: ServerAction<SetMappingDirection>,
    focus: bool,
) -> impl IntoView {
    let now = row.mapping.sync_direction;
    let element = NodeRef::<html::Button>::new();
    Effect::new(move |_| {
        if let Some(button) = element.get().filter(|_| focus) {
            browser::focus(&button);
        }
    });
    let reason = row.locked.clone().or_else(|| use_reason(Capability::ManageMappings));
    let is_locked = row.locked.is_some();
    let class = match now {
        FieldDirection::Bidirectional => "dir dir-two",
        FieldDirection::Push => "dir dir-push",
        FieldDirection::Pull => "dir dir-pull",
        FieldDirection::None => "dir dir-none",
    };
    let label = match &reason {
        Some(reason) => format!("Direction of {}: {}, locked. {reason}", row.app_label, now.label()),
        None => format!("Direction of {}: {}. Press for {}", row.app_label, now.label(), row.next_direction.label()),
    };
    let kind = if reason.is_some() { "button" } else { "submit" };
    view! {
        <ActionForm action=action>
            <input type="hidden" name="provider" value=provider.as_str() />
            <input type="hidden" name="entity" value=entity.as_str() />
            <input type="hidden" name="mapping" value=row.mapping.id.to_string() />
            <input type="hidden" name="direction" value=row.next_direction.as_str() />
            <input type="hidden" name="back" value=move || address.get().back() />
            <button
                node_ref=element
                class=class
                type=kind
                aria-label=label
                aria-disabled=reason.is_some().then_some("true")
                title=reason.clone()
            >
                <DirectionArrow direction=now />
                {now.label()}
                {is_locked.then(|| view! { <Icon name=IconName::Lock /> })}
            </button>
        </ActionForm>
    }
}
