//! One connection.

use leptos::prelude::*;

use super::run::{HeldRun, RunProgress};
use super::track::Track;
use super::{Actions, phrases};
use crate::model::{Capability, ConnectionStatus, Entity};
use crate::ui::components::{
    Badge, Button, Count, DirectionArrow, EnvironmentBadge, Icon, IconName, LinkButton, Menu, ProviderMark,
    RelativeTime, StatusBadge, Tone,
};
use crate::ui::use_reason;
use crate::view::integrations::{Budget, ConnectionCard as Card, EntityRow};

/// The card of a connection.
#[component]
pub(super) fn ConnectionCard(card: Card, actions: Actions) -> impl IntoView {
    let provider = card.config.provider;
    let is_on = card.config.status != ConnectionStatus::Disconnected;
    let as_user = is_on.then(|| card.config.connected_as.clone()).flatten();
    let truth = card.truth.clone();
    let head = view! {
        <header class="card-head">
            <ProviderMark provider=provider />
            <div class="conn-id">
                <div class="row row-wrap">
                    <h3 id=format!("c-{provider}")>{provider.title()}</h3>
                    <EnvironmentBadge environment=card.config.environment />
                    {status(&card)}
                </div>
                <p class="xs muted conn-as">
                    {as_user.map(|user| format!("{user} · "))} "org "
                    <span class="id">{card.organization.clone().unwrap_or_default()}</span>
                </p>
            </div>
            <CardActions card=card.clone() actions=actions />
        </header>
    };
    view! {
        <article class="card conn" aria-labelledby=format!("c-{provider}")>
            {head}
            <div class="card-body">
                <p class="truth">
                    {phrases(truth)}
                    {card.conflicts.map(|words| view! { " " <a href="/conflicts">{words}</a> "." })}
                    {card.failed.map(|(words, href)| view! { " " <a href=href>{words}</a> "." })}
                </p>
                {card.run.map(|run| view! { <RunProgress run=run cancel=actions.cancel /> })}
                {card.held.map(|run| view! { <HeldRun provider=provider.as_str() run=run decide=actions.decide /> })}
                {card
                    .queued
                    .then(|| view! { <p class="small muted mt-2">"One more run waits for its turn."</p> })}
                <div class="conn-grid">
                    <div class="min-w-0">
                        {entity_table(card.entities)}
                        {(!card.track.is_empty()).then(|| view! { <Track ties=card.track words=card.track_words /> })}
                    </div>
                    <div class="conn-side">
                        <dl class="kv num">
                            <dt>"Last synced"</dt>
                            <dd>
                                {match card.last_sync {
                                    Some(at) => view! { <RelativeTime at=at /> }.into_any(),
                                    None => "never".into_any(),
                                }}
                            </dd>
                            <dt>"Next sync"</dt>
                            <dd>
                                {match card.next_sync {
                                    Some(at) => view! { <RelativeTime at=at /> }.into_any(),
                                    None => card.next_words.into_any(),
                                }}
                            </dd>
                            <dt>"Direction"</dt>
                            <dd class="row gap-1.5">
                                <DirectionArrow direction=card.config.sync_direction />
                                {card.rhythm}
                            </dd>
                        </dl>
                        {card.budget.map(budget)}
                    </div>
                </div>
            </div>
        </article>
    }
}

fn status(card: &Card) -> AnyView {
    if card.held.is_some() {
        view! { <Badge tone=Tone::Wait word="Held for approval" /> }.into_any()
    } else if card.run.is_some() && card.config.status == ConnectionStatus::Connected {
        view! { <Badge tone=Tone::Run word="Syncing" /> }.into_any()
    } else {
        view! { <StatusBadge status=card.config.status /> }.into_any()
    }
}

#[component]
fn CardActions(card: Card, actions: Actions) -> impl IntoView {
    let provider = card.config.provider;
    let reason = use_reason(Capability::RunSync);
    let admin_reason = use_reason(Capability::ManageConnections);
    let status = card.config.status;
    let reconnect = format!("/connect/{provider}/authorise");
    if matches!(status, ConnectionStatus::Disconnected | ConnectionStatus::Error) {
        let is_error = status == ConnectionStatus::Error;
        return view! {
            <div class="row row-wrap push conn-actions">
                <LinkButton href=reconnect small=true disabled=admin_reason.clone()>
                    "Reconnect"
                </LinkButton>
                {is_error.then(|| disconnect_link(provider.as_str(), admin_reason))}
            </div>
        }
        .into_any();
    }
    let is_paused = status == ConnectionStatus::Paused;
    let not_now = reason.clone().or_else(|| sync_refused(&card));
    let configure = if card.set_up {
        format!("/integrations/{provider}/settings")
    } else {
        format!("/connect/{provider}/configure")
    };
    view! {
        <div class="row row-wrap push conn-actions">
            <LinkButton href=configure small=true>
                "Configure"
            </LinkButton>
            <SyncButtons card=card.clone() actions=actions reason=not_now />
            <ActionForm action=actions.pause>
                <input type="hidden" name="config_id" value=card.config.id.to_string() />
                <input type="hidden" name="paused" value=(!is_paused).to_string() />
                <Button small=true disabled=reason busy=actions.pause.pending()>
                    {if is_paused { "Resume" } else { "Pause" }}
                </Button>
            </ActionForm>
            {disconnect_link(provider.as_str(), admin_reason)}
        </div>
    }
    .into_any()
}

fn disconnect_link(provider: &'static str, reason: Option<String>) -> impl IntoView {
    view! {
        <LinkButton href=format!("/integrations?disconnect={provider}") small=true disabled=reason>
            "Disconnect"
        </LinkButton>
    }
}

fn sync_refused(card: &Card) -> Option<String> {
    if card.config.status == ConnectionStatus::Paused {
        Some("The connection is paused. Resume it first.".to_owned())
    } else if card.queued {
        Some("One more run waits already.".to_owned())
    } else {
        None
    }
}

#[component]
fn SyncButtons(card: Card, actions: Actions, reason: Option<String>) -> impl IntoView {
    let id = card.config.id;
    let on = card.entities.iter().filter(|row| row.on).map(|row| row.entity);
    let mut ways: Vec<(String, String)> = vec![("everything".to_owned(), "Everything".to_owned())];
    ways.extend(on.map(|entity| (entity.plural().to_owned(), format!("{} only", entity.title()))));
    if card.config.sync_direction.pulls() && card.config.sync_direction.pushes() {
        let crm = card.config.provider.title();
        ways.push(("pull".to_owned(), format!("Pull only, from {crm}")));
        ways.push(("push".to_owned(), format!("Push only, to {crm}")));
    }
    ways.push(("compare".to_owned(), "Compare everything, in full".to_owned()));
    let busy = actions.sync.pending();
    let menu = reason.is_none().then(|| {
        let buttons = ways
            .into_iter()
            .map(|(value, label)| {
                view! {
                    <button type="submit" name="what" value=value>
                        {label}
                    </button>
                }
            })
            .collect_view();
        view! {
            <Menu label=|| view! { <Icon name=IconName::Down /> } class="btn btn-sm btn-icon" name="More ways to sync">
                <ActionForm action=actions.sync>
                    <input type="hidden" name="config_id" value=id.to_string() />
                    {buttons}
                </ActionForm>
            </Menu>
        }
    });
    view! {
        <div class="btn-group">
            <ActionForm action=actions.sync>
                <input type="hidden" name="config_id" value=id.to_string() />
                <Button small=true name="what" value="everything" disabled=reason busy=busy>
                    "Sync now"
                </Button>
            </ActionForm>
            {menu}
        </div>
    }
}

fn entity_table(rows: Vec<EntityRow>) -> impl IntoView {
    let rows = rows
        .into_iter()
        .map(|row| {
            let plural = row.entity.plural();
            let off = (!row.on).then_some("–");
            let number = |number: i64, href: String| match off {
                Some(dash) if number == 0 => view! { <span class="zero">{dash}</span> }.into_any(),
                _ => view! { <Count number=number href=href /> }.into_any(),
            };
            let failed = format!("/logs?status=partial&entityType={plural}");
            let conflicts = format!("/conflicts?entityType={plural}");
            view! {
                <tr>
                    <th scope="row">{row.entity.title()}</th>
                    <td class="r">{number(row.stats.linked, records(row.entity))}</td>
                    <td class="r">{number(row.stats.failed, failed)}</td>
                    <td class="r">{number(row.stats.conflicts, conflicts)}</td>
                    <td class="r">{number(row.stats.out_of_scope, records(row.entity))}</td>
                </tr>
            }
        })
        .collect_view();
    view! {
        <div class="table-wrap table-plain">
            <table class="table">
                <caption class="sr">"Records by entity"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Entity"</th>
                        <th scope="col" class="r">"Linked"</th>
                        <th scope="col" class="r">"Failed"</th>
                        <th scope="col" class="r">"Conflicts"</th>
                        <th scope="col" class="r">"Out of scope"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
}

fn records(entity: Entity) -> String {
    format!("/records/{}", entity.plural())
}

fn budget(budget: Budget) -> impl IntoView {
    view! {
        <div>
            <div class="row between xs">
                <span class="medium">"API calls today"</span>
                <span class="muted num">{budget.words}</span>
            </div>
            <div class="budget" aria-hidden="true">
                <i class="own" style:width=budget.own.1></i>
                <i class="other" style:width=budget.others.1></i>
                <i class="free"></i>
                <i class="reserve" style:width=budget.reserve.1></i>
            </div>
            <ul class="legend">
                <li>
                    <i class="swatch swatch-own"></i>
                    {format!("Crosstie {}", budget.own.0)}
                </li>
                <li>
                    <i class="swatch"></i>
                    {format!("Others {}", budget.others.0)}
                </li>
                <li>
                    <i class="swatch swatch-hatch"></i>
                    {format!("Reserve {}", budget.reserve.0)}
                </li>
            </ul>
        </div>
    }
}
