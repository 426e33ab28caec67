//! Conflicts about a record as a whole: is it the same, delete or keep, merge or not.

use leptos::prelude::*;

use super::Marked;
use super::one::Actions;
use crate::model::{Capability, ConflictKind, ConflictStatus, ResolutionStrategy, Side};
use crate::ui::components::{Button, ButtonKind, EnvironmentBadge, Table};
use crate::ui::use_reason;
use crate::view::conflicts::ConflictPage;

/// Both records side by side, and what may be done with them.
#[component]
pub(super) fn Whole(page: ConflictPage, actions: Actions) -> impl IntoView {
    let is_pending = page.status == ConflictStatus::Pending;
    let (left, right) = headings(&page);
    let (of_left, of_right) = (left.clone(), right.clone());
    let rows = page
        .fields
        .iter()
        .cloned()
        .map(|field| {
            let gone = |side: Side| page.gone == Some(side);
            let left = if gone(Side::App) { ().into_any() } else { view! { <Marked spans=field.app /> }.into_any() };
            let right = if gone(Side::Crm) { ().into_any() } else { view! { <Marked spans=field.crm /> }.into_any() };
            view! {
                <tr>
                    <th scope="row" class="lead">
                        {field.label}
                    </th>
                    <td data-l=of_left.clone()>{left}</td>
                    <td data-l=of_right.clone()>{right}</td>
                </tr>
            }
        })
        .collect_view();
    let environment = (page.kind != ConflictKind::Merge).then_some(page.environment);
    view! {
        <Table caption="Both records" class="whole">
            <thead>
                <tr>
                    <th scope="col">"Field"</th>
                    <th scope="col">{left}</th>
                    <th scope="col">
                        {right} " "
                        {environment.map(|environment| view! { <EnvironmentBadge environment=environment /> })}
                    </th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </Table>
        {is_pending.then(|| view! { <Choices page=page actions=actions /> })}
    }
}

fn headings(page: &ConflictPage) -> (String, String) {
    let crm = page.provider.title();
    match (page.kind, page.gone) {
        (ConflictKind::Merge, _) => ("Merged away".to_owned(), "Survivor".to_owned()),
        (_, Some(Side::App)) => ("Crosstie: deleted".to_owned(), crm.to_owned()),
        (_, Some(Side::Crm)) => ("Crosstie".to_owned(), format!("{crm}: deleted")),
        _ => ("Crosstie".to_owned(), crm.to_owned()),
    }
}

/// The decisions in words, the safest first: strategy, label, and whether it takes something away.
fn decisions(page: &ConflictPage) -> [(ResolutionStrategy, String, ButtonKind); 2] {
    let crm = page.provider.title();
    let (app, other) = (ResolutionStrategy::UseApp, ResolutionStrategy::UseCrm);
    match (page.kind, page.gone) {
        (ConflictKind::Merge, _) => [
            (app, "Keep both records here".to_owned(), ButtonKind::Primary),
            (other, "Delete the merged-away record here".to_owned(), ButtonKind::Danger),
        ],
        (ConflictKind::Delete, Some(Side::App)) => [
            (other, "Bring it back here".to_owned(), ButtonKind::Primary),
            (app, format!("Delete it in {crm} too"), ButtonKind::Danger),
        ],
        (ConflictKind::Delete, _) => [
            (app, format!("Keep it and make it anew in {crm}"), ButtonKind::Primary),
            (other, "Delete it here too".to_owned(), ButtonKind::Danger),
        ],
        _ => [
            (other, format!("The same: use {crm}’s values"), ButtonKind::Plain),
            (app, "The same: use Crosstie’s values".to_owned(), ButtonKind::Primary),
        ],
    }
}

#[component]
fn Choices(page: ConflictPage, actions: Actions) -> impl IntoView {
    let reason = use_reason(Capability::SettleConflicts);
    let for_leave = reason.clone();
    let (id, version) = (page.id, page.version);
    let leave = match page.kind {
        ConflictKind::Match => "Not the same: keep them apart",
        _ => "Leave both sides as they are",
    };
    let buttons = decisions(&page)
        .into_iter()
        .map(|(strategy, label, kind)| {
            let reason = reason.clone();
            view! {
                <ActionForm action=actions.settle>
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="version" value=version.to_string() />
                    <input type="hidden" name="strategy" value=strategy.as_str() />
                    <Button kind=kind disabled=reason>
                        {label}
                    </Button>
                </ActionForm>
            }
        })
        .collect_view();
    view! {
        <div class="actionbar">
            {buttons} <span class="bar-sep hide-phone"></span> <ActionForm action=actions.ignore>
                <input type="hidden" name="id" value=page.id.to_string() />
                <input type="hidden" name="version" value=page.version.to_string() />
                <span id="ignore">
                    <Button disabled=for_leave busy=actions.ignore.pending()>
                        {leave}
                    </Button>
                </span>
            </ActionForm>
        </div>
    }
}
