//! The steps of connecting a CRM: what each shows, and completing set-up.

use chrono::DateTime;
use serde_json::Value;

use super::crm_refusal::access_refused;
use super::integrations::{environments, unsigned};
use super::run_words::live_run;
use super::{ServiceError, Services, Viewer, connections, crm_host};
use crate::connectors::EntityDescription;

use crate::engine::jobs;
use crate::engine::tokens::client_id_setting;
use crate::model::{
    Capability, ConflictPolicy, ConnectionStatus, Entity, Environment, Provider, RunState, RunTrigger, SyncDirection,
    SyncFrequency,
};
use crate::store::connection_evidence::{self as evidence, LinkedPair};
use crate::store::connections::{self as stored_connections, StoredConnection};
use crate::store::runs::RunRequest;
use crate::store::settings::{self, Settings};
use crate::store::{WorkspaceTx, events, setup};
use crate::sync::{next_run, same_meaning};
use crate::view::Moment;
use crate::view::connect::{AuthorisePage, ChoosePage, ConfigurePage, CrmOffer, DonePage, EntityCheck, Pair};
use crate::view::connections::EntityPermissions;
use crate::view::instant::{counted, grouped};
use crate::view::integrations::Phrase;

/// Records that the last step shows as proof.
const PROOF: i64 = 10;

/// Calls of one look for changes of one entity: the query, and what was deleted.
const CALLS_PER_LOOK: u64 = 2;

/// What a person chose in the third step.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Direction.
    pub direction: SyncDirection,
    /// How often.
    pub frequency: SyncFrequency,
    /// What.
    pub entities: Vec<Entity>,
    /// Who wins a conflict.
    pub policy: ConflictPolicy,
}

/// The first step.
pub async fn choose(services: &Services, viewer: &Viewer) -> Result<ChoosePage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let mut offers = Vec::new();
    for provider in services.crm.connectors.iter().map(|connector| connector.provider()) {
        let known = stored_connections::by_provider(&mut tx, provider).await?;
        let signed_in = known.filter(|known| known.status != ConnectionStatus::Disconnected);
        let (simulator, real) = environments(services, provider);
        offers.push(CrmOffer {
            provider,
            simulator,
            real_refused: (!real).then(|| not_registered(provider)),
            connected_as: signed_in.and_then(|known| known.user_email),
        });
    }
    tx.commit().await?;
    Ok(ChoosePage { offers })
}

fn not_registered(provider: Provider) -> String {
    let setting = client_id_setting(provider);
    format!("This server is not registered at {} yet: its administrator sets {setting}.", provider.title())
}

/// The second step. Refuses a My Domain that is none.
pub async fn authorise(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    environment: Option<Environment>,
    domain: Option<&str>,
) -> Result<AuthorisePage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let known = stored_connections::by_provider(&mut tx, provider).await?;
    tx.commit().await?;
    let domain = domain.map(str::trim).filter(|domain| !domain.is_empty()).map(crm_host::my_domain).transpose();
    let domain = domain.map_err(|message| ServiceError::invalid("domain", message))?;
    // Nothing said: the place from before.
    let before = known.as_ref().filter(|known| environment.is_none_or(|wanted| wanted == known.environment));
    let domain = domain.or_else(|| before.and_then(|known| crm_host::my_domain(&known.login_url).ok()));
    let fallback = match &known {
        Some(known) => known.environment,
        None if environments(services, provider).0 => Environment::Simulator,
        None => Environment::Production,
    };
    let environment = match &domain {
        Some(domain) if domain.is_sandbox => Environment::Sandbox,
        Some(_) => environment.filter(|place| *place == Environment::Sandbox).unwrap_or(Environment::Production),
        None => environment.unwrap_or(fallback),
    };
    let host = domain.map(|domain| domain.host);
    let login = services.crm.default_login_url(provider, environment, host.as_deref());
    let login = login.map_err(|error| access_refused(provider, error))?;
    Ok(AuthorisePage {
        provider,
        environment,
        host: login.split_once("://").map_or(login.as_str(), |(_, host)| host).to_owned(),
        domain: host,
        user_before: known.and_then(|known| known.user_email),
    })
}

/// The third step.
pub async fn configure(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
) -> Result<ConfigurePage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let connection = signed_in(&mut tx, provider).await?;
    let here = evidence::records_here(&mut tx).await?;
    let described = evidence::described(&mut tx, connection.id).await?;
    let now = tx.now();
    tx.commit().await?;
    let tested = described.iter().map(|(_, _, at)| *at).max().map(|at| Moment::new(at, now));
    let described: Vec<(EntityDescription, Option<i64>)> = described
        .into_iter()
        .filter_map(|(value, count, _)| Some((serde_json::from_value(value).ok()?, count)))
        .collect();
    let entities: Vec<EntityCheck> =
        Entity::ALL.iter().map(|entity| check(*entity, &connection, &described, here)).collect();
    let left = connection.org_calls_allowed.map(|allowed| {
        let left = (allowed - connection.org_calls_used.unwrap_or(0)).max(0);
        format!("{} of {} API calls left today.", grouped(left), grouped(allowed))
    });
    let looks = 24 * CALLS_PER_LOOK * connection.entities.len() as u64;
    Ok(ConfigurePage {
        sentence: test_sentence(&entities),
        organization: connection.organization_id.clone(),
        set_up: connection.setup_completed_at.is_some(),
        entities,
        tested,
        calls_left: left,
        cost: format!("Looking for changes of these entities every hour costs {} a day.", counted(looks, "call")),
        config: connections::config(connection),
    })
}

/// Completes set-up: stores what was chosen and starts the first run.
pub async fn complete(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    choice: Choice,
) -> Result<(), ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    if choice.entities.is_empty() {
        return Err(ServiceError::invalid("entities", "Choose at least one entity to keep in sync."));
    }
    let mut tx = services.begin(viewer).await?;
    let connection = signed_in(&mut tx, provider).await?;
    settings::lock(&mut tx, connection.id).await?;
    if connection.status != ConnectionStatus::Connected {
        return Err(ServiceError::state("connection_not_ready", "The connection is paused. Resume it first."));
    }
    let schedule = connection.schedule.filter(|_| connection.frequency == choice.frequency);
    let next = next_run(choice.frequency, schedule.as_ref(), tx.now().timestamp_millis());
    let chosen = Settings {
        direction: choice.direction,
        frequency: choice.frequency,
        schedule,
        entities: choice.entities.clone(),
        policy: choice.policy,
        options: connection.options,
        rules: settings::rules_of(connection.rules)?,
    };
    settings::write(&mut tx, connection.id, &chosen, next.and_then(DateTime::from_timestamp_millis)).await?;
    setup::complete_set_up(&mut tx, connection.id).await?;
    let id = connection.id;
    let request = RunRequest {
        trigger: RunTrigger::Manual,
        direction: choice.direction,
        entities: &choice.entities,
        compares: false,
        requested_by: Some(viewer.user_id),
    };
    jobs::request_run(&mut tx, id, &request).await?;
    events::announce(&mut tx, "connection", id, id).await?;
    tx.commit().await?;
    Ok(())
}

/// The last step.
pub async fn done(services: &Services, viewer: &Viewer, provider: Provider) -> Result<DonePage, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let connection = signed_in(&mut tx, provider).await?;
    let entity = connection.entities.first().copied().unwrap_or(Entity::Account);
    let linked = connections::count(&mut tx, &connection).await?.of(entity).linked;
    let pairs = evidence::linked_pairs(&mut tx, connection.id, entity, PROOF).await?;
    let runs = evidence::runs(&mut tx, connection.id, 1).await?;
    let mut run = None;
    if let Some(last) = runs.first().filter(|run| matches!(run.state, RunState::Running | RunState::Queued)) {
        let logs = evidence::logs(&mut tx, last.id).await?;
        run = Some(live_run(last, &logs));
    }
    let mut mappings = 0;
    for entity in &connection.entities {
        mappings += setup::mappings(&mut tx, connection.id, *entity).await?.len() as u64;
    }
    tx.commit().await?;
    let pairs: Vec<Pair> = pairs.iter().map(|pair| side_by_side(entity, pair)).collect();
    let differ = pairs.iter().filter(|pair| !pair.agrees).count();
    Ok(DonePage {
        sentence: done_sentence(pairs.len(), linked, entity, run.is_some()),
        entity,
        key: key_of(entity).1.to_owned(),
        pairs_words: match differ {
            0 => "All of these agree.".to_owned(),
            1 => "One of these differs.".to_owned(),
            many => format!("{many} of these differ."),
        },
        pairs,
        run,
        mappings: counted(mappings, "field mapping"),
        config: connections::config(connection),
    })
}

async fn signed_in(tx: &mut WorkspaceTx, provider: Provider) -> Result<StoredConnection, ServiceError> {
    let known = stored_connections::by_provider(tx, provider).await?;
    let signed_in =
        known.filter(|known| !matches!(known.status, ConnectionStatus::Disconnected | ConnectionStatus::Error));
    signed_in.ok_or_else(|| {
        ServiceError::state(
            "connection_not_ready",
            format!("{} is not signed in yet. Start with the first step.", provider.title()),
        )
    })
}

fn check(
    entity: Entity,
    connection: &StoredConnection,
    described: &[(EntityDescription, Option<i64>)],
    here: [i64; 3],
) -> EntityCheck {
    let found = described.iter().find(|(description, _)| description.entity == entity);
    let permissions = found.map(|(description, _)| connections::permissions_of(description)).unwrap_or_default();
    let here = match entity {
        Entity::Account => here[0],
        Entity::Contact => here[1],
        Entity::Opportunity => here[2],
    };
    EntityCheck {
        entity,
        on: connection.entities.contains(&entity),
        permissions,
        advice: advice(entity, permissions),
        here: grouped(here),
        in_crm: found.and_then(|(_, count)| *count).map(grouped),
    }
}

fn advice(entity: Entity, may: EntityPermissions) -> Option<String> {
    let object = entity.title().trim_end_matches('s');
    let object = if entity == Entity::Opportunity { "Opportunity" } else { object };
    if !may.read {
        return Some(format!("Grant Read on {object}, or leave it out."));
    }
    let missing: Vec<&str> = [(may.create, "Create"), (may.update, "Edit")]
        .into_iter()
        .filter_map(|(may, name)| (!may).then_some(name))
        .collect();
    match (missing.is_empty(), may.delete) {
        (false, _) => Some(format!("Grant {} on {object}, or only pull.", missing.join(" and "))),
        (true, false) => Some(format!("Grant Delete on {object}, or leave deletes off.")),
        (true, true) => None,
    }
}

fn test_sentence(entities: &[EntityCheck]) -> Vec<Phrase> {
    let lacks = |check: &EntityCheck| {
        let may = check.permissions;
        [(may.read, "read"), (may.create, "create"), (may.update, "edit"), (may.delete, "delete")]
            .into_iter()
            .filter(|(may, _)| !may)
            .map(|(_, verb)| format!("{verb} {}", check.entity.plural()))
            .collect::<Vec<_>>()
    };
    let missing: Vec<String> = entities.iter().flat_map(lacks).collect();
    match missing.len() {
        0 => vec![
            Phrase::plain("Connected. "),
            Phrase::strong("Crosstie can do everything"),
            Phrase::plain(" that you are likely to need."),
        ],
        1..=3 => vec![
            Phrase::plain("Connected. Crosstie can do everything you are likely to need, "),
            Phrase::strong(format!("except {}", missing.join(" and "))),
            Phrase::plain("."),
        ],
        _ => vec![
            Phrase::plain("Connected, but "),
            Phrase::strong("the CRM’s user may do little"),
            Phrase::plain(". See the test result."),
        ],
    }
}

fn done_sentence(shown: usize, linked: i64, entity: Entity, running: bool) -> Vec<Phrase> {
    let linked = counted(unsigned(linked), entity.as_str()).replace("opportunitys", "opportunities");
    match (shown, running) {
        (0, true) => vec![Phrase::plain("The first sync has begun. Records appear here as they are linked.")],
        (0, false) => vec![Phrase::plain("The first sync is over; neither side had records to link.")],
        (_, true) => vec![
            Phrase::plain("The first sync is on: "),
            Phrase::strong(format!("{linked} linked")),
            Phrase::plain(" so far."),
        ],
        (_, false) => vec![Phrase::strong(format!("{linked} linked")), Phrase::plain(". Here is proof, side by side.")],
    }
}

/// Field by which the records of an entity are recognised, and its name for people.
const fn key_of(entity: Entity) -> (&'static str, &'static str) {
    match entity {
        Entity::Account => ("domain", "Domain"),
        Entity::Contact => ("email", "E-mail"),
        Entity::Opportunity => ("close_date", "Close date"),
    }
}

fn side_by_side(entity: Entity, pair: &LinkedPair) -> Pair {
    let app = |field: &str| pair.app.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let crm = |field: &str| {
        let seen = pair.seen.get(field).and_then(Value::as_str);
        let base = || pair.base.get(field)?.get("crm")?.as_str();
        seen.or_else(base).unwrap_or_default().to_owned()
    };
    let full = |first: String, last: String| format!("{first} {last}").trim().to_owned();
    let (name, crm_name) = match entity {
        Entity::Contact => (full(app("first_name"), app("last_name")), full(crm("first_name"), crm("last_name"))),
        _ => (app("name"), crm("name")),
    };
    let (key, _) = key_of(entity);
    let agrees = same_name(&name, &crm_name) && pair.seen.as_object().is_none_or(serde_json::Map::is_empty);
    Pair {
        href: format!("/records/{}/{}", entity.plural(), pair.record_id),
        name,
        key: app(key),
        crm_name,
        crm_key: crm(key),
        agrees,
    }
}

fn same_name(app: &str, crm: &str) -> bool {
    let value = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    same_meaning(crate::model::FieldKind::Text, &value(app), &value(crm))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_way_to_get_it() {
        let all = EntityPermissions { read: true, create: true, update: true, delete: true };
        assert_eq!(advice(Entity::Account, all), None);
        let no_delete = EntityPermissions { delete: false, ..all };
        assert_eq!(
            advice(Entity::Opportunity, no_delete).as_deref(),
            Some("Grant Delete on Opportunity, or leave deletes off.")
        );
        let read_only = EntityPermissions { read: true, ..EntityPermissions::default() };
        assert_eq!(
            advice(Entity::Contact, read_only).as_deref(),
            Some("Grant Create and Edit on Contact, or only pull.")
        );
        assert!(advice(Entity::Account, EntityPermissions::default()).is_some_and(|text| text.contains("Read")));
    }
}
