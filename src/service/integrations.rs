//! The Integrations screen: what is connected, whether both sides agree, what needs a person.

use super::held::held_run;
use super::run_words::live_run;
use super::{ServiceError, Services, Viewer, connections};
use crate::model::{Capability, ConnectionStatus, Entity, Environment, Provider, RunState, SyncFrequency};
use crate::store::connection_evidence::{self as evidence, Agreement, CardRun};
use crate::store::connections::{self as stored_connections, StoredConnection};
use crate::store::{WorkspaceTx, holds};
use crate::view::Moment;
use crate::view::connections::ConnectionStats;
use crate::view::instant::{counted, grouped};
use crate::view::integrations::{Attention, Budget, ConnectionCard, EntityRow, IntegrationsPage, Phrase, Tie};

/// Runs that the track of a card shows.
const TRACK: usize = 24;

/// Lines that the strip of things that need a person has at the most.
const MOST_ATTENTION: usize = 3;

/// Share of the org's day, in percent, that Crosstie leaves to others.
const RESERVE_PERCENT: i64 = 20;

/// The whole screen.
pub async fn page(services: &Services, viewer: &Viewer) -> Result<IntegrationsPage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let stored = stored_connections::list(&mut tx).await?;
    let mut cards = Vec::with_capacity(stored.len());
    let mut attention = Vec::new();
    for connection in stored {
        let card = card(&mut tx, connection).await?;
        attention.extend(needs(viewer, &card));
        cards.push(card);
    }
    let here = evidence::records_here(&mut tx).await?;
    tx.commit().await?;
    attention.sort_by_key(|line| !line.bad);
    attention.truncate(MOST_ATTENTION);
    let is_on = |provider: Provider| {
        cards
            .iter()
            .any(|card| card.config.provider == provider && card.config.status != ConnectionStatus::Disconnected)
    };
    let offered = services.crm.connectors.iter().map(|connector| connector.provider());
    Ok(IntegrationsPage {
        sentence: sentence(&cards, here),
        attention,
        offered: offered.filter(|provider| !is_on(*provider)).collect(),
        simulator: services.crm.clients.iter().any(|client| client.simulator),
        cards,
    })
}

async fn card(tx: &mut WorkspaceTx, connection: StoredConnection) -> Result<ConnectionCard, ServiceError> {
    let now = tx.now();
    let stats = connections::count(tx, &connection).await?;
    let agreement = evidence::agreement(tx, connection.id).await?;
    let last = evidence::runs(tx, connection.id, i64::try_from(TRACK).unwrap_or(i64::MAX)).await?;
    let failed: i64 = Entity::ALL.iter().map(|entity| stats.of(*entity).failed).sum();
    let failed_log = if failed > 0 { evidence::last_failed_log(tx, connection.id).await? } else { None };
    let run = match last.iter().find(|run| run.state == RunState::Running) {
        Some(run) => {
            let logs = evidence::logs(tx, run.id).await?;
            Some(live_run(run, &logs))
        }
        None => None,
    };
    let held = match holds::undecided(tx, connection.id).await? {
        Some(run) => Some(held_run(tx, &connection, &run).await?),
        None => None,
    };
    let conflicts: i64 = Entity::ALL.iter().map(|entity| stats.of(*entity).conflicts).sum();
    let next_sync = connection.next_sync_at.filter(|_| connection.status == ConnectionStatus::Connected);
    Ok(ConnectionCard {
        truth: truth(&connection, &stats, agreement, now),
        conflicts: (conflicts > 0).then(|| counted(unsigned(conflicts), "conflict")),
        failed: (failed > 0).then(|| {
            let href = failed_log.map_or_else(|| "/logs?status=partial".to_owned(), |log| format!("/logs/{log}"));
            (format!("{} failed", grouped(failed)), href)
        }),
        entities: Entity::ALL
            .iter()
            .map(|entity| EntityRow {
                entity: *entity,
                on: connection.entities.contains(entity),
                stats: stats.of(*entity),
            })
            .collect(),
        last_sync: connection.last_sync_at.map(|at| Moment::new(at, now)),
        next_sync: next_sync.map(|at| Moment::new(at, now)),
        next_words: next_words(&connection).to_owned(),
        rhythm: format!("{}, {}", connection.direction.label(), connection.frequency.label().to_lowercase()),
        budget: budget(&connection),
        organization: connection.organization_id.clone(),
        set_up: connection.setup_completed_at.is_some(),
        queued: last.iter().any(|run| run.state == RunState::Queued),
        track_words: track_words(&last),
        track: last.iter().rev().map(|run| tie(run, now)).collect(),
        kept: kept(&stats),
        run,
        held,
        config: connections::config(connection),
    })
}

fn truth(
    connection: &StoredConnection,
    stats: &ConnectionStats,
    agreement: Agreement,
    now: chrono::DateTime<chrono::Utc>,
) -> Vec<Phrase> {
    let crm = connection.provider.title();
    let linked: i64 = Entity::ALL.iter().map(|entity| stats.of(*entity).linked).sum();
    match connection.status {
        ConnectionStatus::Disconnected => vec![Phrase::plain(format!(
            "Not connected. {}, mappings and logs are kept; connecting the same org goes on from there.",
            counted(unsigned(linked), "linked record")
        ))],
        ConnectionStatus::Error => {
            let fallback = format!("{crm} asks for a new sign-in. Nothing is lost.");
            vec![Phrase::plain(connection.last_sync_error.clone().unwrap_or(fallback))]
        }
        _ if connection.setup_completed_at.is_none() => vec![Phrase::plain(
            "Signed in, and nothing has been synced yet. Nothing runs by itself before set-up is complete.",
        )],
        _ if agreement.fields == 0 => vec![Phrase::plain(match connection.last_sync_at {
            Some(_) => "No record is linked yet: neither side had one to bring over.".to_owned(),
            None => "The first sync has begun; no record is linked yet.".to_owned(),
        })],
        _ => {
            let agreed = (agreement.fields - agreement.open).max(0);
            let checked = connection.last_sync_at.map(|at| format!(", checked {}", Moment::new(at, now).text));
            vec![
                Phrase::plain("In agreement: "),
                Phrase::strong(format!("{} of {}", grouped(agreed), grouped(agreement.fields))),
                Phrase::plain(format!(" fields{}.", checked.unwrap_or_default())),
            ]
        }
    }
}

fn sentence(cards: &[ConnectionCard], here: [i64; 3]) -> Vec<Phrase> {
    let on: Vec<&ConnectionCard> =
        cards.iter().filter(|card| card.config.status != ConnectionStatus::Disconnected).collect();
    let Some(first) = on.first() else {
        let have = format!("{} and {}", counted(unsigned(here[0]), "account"), counted(unsigned(here[1]), "contact"));
        return vec![
            Phrase::plain("No CRM is connected yet. "),
            Phrase::strong(have),
            Phrase::plain(" are here, ready to be paired."),
        ];
    };
    let crm = first.config.provider.title();
    let says = match first.config.status {
        ConnectionStatus::Error => " has stopped and needs a person.",
        ConnectionStatus::Paused => " is paused; edits on both sides wait.",
        _ if first.held.is_some() => " has stopped before changing many records and waits for your approval.",
        _ if first.run.is_some() => " is syncing.",
        _ if !first.set_up => " is signed in and waits for its set-up to be completed.",
        _ => " is connected.",
    };
    vec![Phrase::strong(crm), Phrase::plain(says)]
}

fn needs(viewer: &Viewer, card: &ConnectionCard) -> Vec<Attention> {
    let crm = card.config.provider.title();
    let provider = card.config.provider;
    let mut lines = Vec::new();
    let mut add = |bad, what: String, detail: String, action: &str, href: String| {
        lines.push(Attention { bad, what, detail, action: action.to_owned(), href });
    };
    if card.config.status == ConnectionStatus::Error {
        let detail = if viewer.role.may(Capability::ManageConnections) {
            "Nothing is lost; the next sync goes on from where it stopped."
        } else {
            "Nothing is lost. Ask an admin to reconnect it."
        };
        add(
            true,
            format!("{crm} needs sign-in again."),
            detail.to_owned(),
            "Reconnect",
            format!("/connect/{provider}/authorise"),
        );
    }
    if let Some(held) = &card.held {
        add(false, format!("{crm} is held for approval."), held.detail.clone(), "Review", format!("#held-{provider}"));
    }
    let is_on = card.config.status == ConnectionStatus::Connected;
    if is_on && !card.set_up && card.run.is_none() {
        let detail = "Nothing is synced until you complete it.".to_owned();
        let href = format!("/connect/{provider}/configure");
        add(false, format!("{crm} is signed in, but not set up."), detail, "Complete set-up", href);
    }
    if let Some((failed, href)) = &card.failed {
        let detail = "They are tried again when either side or the mapping changes.".to_owned();
        add(true, format!("{failed} in {crm} syncs."), detail, "See the run", href.clone());
    }
    if let Some(conflicts) = &card.conflicts {
        let detail = "What they ask about is left as it is on both sides; everything else goes on.".to_owned();
        let verb = if conflicts.starts_with("1 ") { "waits" } else { "wait" };
        add(false, format!("{conflicts} {verb}."), detail, "Review conflicts", "/conflicts".to_owned());
    }
    lines
}

fn next_words(connection: &StoredConnection) -> &'static str {
    match connection.status {
        ConnectionStatus::Paused => "after Resume",
        ConnectionStatus::Error => "after Reconnect",
        ConnectionStatus::Disconnected => "after it is connected again",
        ConnectionStatus::Connected if connection.setup_completed_at.is_none() => "after set-up is complete",
        ConnectionStatus::Connected if connection.frequency == SyncFrequency::Manual => "when somebody asks for it",
        ConnectionStatus::Connected => "after the run that is on",
    }
}

fn budget(connection: &StoredConnection) -> Option<Budget> {
    let allowed = connection.org_calls_allowed.filter(|allowed| *allowed > 0)?;
    let own = connection.calls_today;
    let others = (connection.org_calls_used.unwrap_or(0) - own).max(0);
    let reserve = allowed * RESERVE_PERCENT / 100;
    let part = |calls: i64| {
        let permille = (calls * 1000 / allowed).clamp(0, 1000);
        (grouped(calls), format!("{}.{}%", permille / 10, permille % 10))
    };
    Some(Budget {
        words: format!("{} of {}", grouped(own + others), grouped(allowed)),
        own: part(own),
        others: part(others),
        reserve: part(reserve),
    })
}

fn tie(run: &CardRun, now: chrono::DateTime<chrono::Utc>) -> Tie {
    let when = Moment::new(run.started_at.unwrap_or(run.created_at), now).title;
    Tie { state: run.state, title: format!("{when}: {}", state_word(run.state)) }
}

const fn state_word(state: RunState) -> &'static str {
    match state {
        RunState::Queued => "waiting",
        RunState::Running => "running",
        RunState::Held => "held",
        RunState::Completed => "whole",
        RunState::Partial => "partial",
        RunState::Failed => "failed",
        RunState::Cancelled => "cancelled",
    }
}

fn track_words(runs: &[CardRun]) -> String {
    let words: Vec<String> = [
        RunState::Completed,
        RunState::Partial,
        RunState::Failed,
        RunState::Cancelled,
        RunState::Held,
        RunState::Running,
        RunState::Queued,
    ]
    .into_iter()
    .filter_map(|state| {
        let count = runs.iter().filter(|run| run.state == state).count();
        (count > 0).then(|| format!("{count} {}", state_word(state)))
    })
    .collect();
    words.join(", ")
}

fn kept(stats: &ConnectionStats) -> Vec<String> {
    let linked: i64 = Entity::ALL.iter().map(|entity| stats.of(*entity).linked).sum();
    vec![
        format!("{} with what both sides last agreed on", counted(unsigned(linked), "link")),
        "Every mapping, rule and setting".to_owned(),
        "Every log, and every record on both sides".to_owned(),
    ]
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Which environments of a CRM this server can offer: the simulator, and real orgs.
pub(super) fn environments(services: &Services, provider: Provider) -> (bool, bool) {
    let has = |simulator: bool| {
        services
            .crm
            .default_login_url(provider, if simulator { Environment::Simulator } else { Environment::Production }, None)
            .is_ok()
    };
    (has(true), has(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_counted_in_words() {
        let run = |state| CardRun {
            id: uuid::Uuid::nil(),
            state,
            entities: Vec::new(),
            progress: serde_json::Value::Null,
            held_reason: None,
            cancel_requested: false,
            requested_by: None,
            created_at: chrono::DateTime::UNIX_EPOCH,
            started_at: None,
        };
        let runs = [run(RunState::Running), run(RunState::Failed), run(RunState::Completed), run(RunState::Completed)];
        assert_eq!(track_words(&runs), "2 whole, 1 failed, 1 running");
        assert_eq!(track_words(&[]), "");
    }
}
