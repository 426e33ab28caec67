//! Signing in to a CRM: OAuth's authorisation code flow with PKCE, from the first click to a connection that works.
//!
//! Invariants: a state is good once, for ten minutes, for the person, workspace and CRM that it was made for; the CRM is
//! asked outside of every transaction; what it granted is stored in one, or revoked.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::crm_host::{self, MyDomain};
use super::crm_refusal::{access_refused, crm_refused};
use super::{ServiceError, Services, Viewer, connections::config};
use crate::connectors::{
    AuthorizationStart, CallMeter, Connector, ConnectorError, EntityDescription, Identity, OAuthSettings, Session,
    TokenGrant,
};
use crate::engine::tokens::store_grant;
use crate::model::{Capability, Entity, Environment, Provider};
use crate::security::tokens;
use crate::store::oauth::{self, NewState, SignedIn, UsedState};
use crate::store::{WorkspaceTx, connections, events, mappings, setup};
use crate::sync::next_run;
use crate::view::connections::Config;

/// How long a sign-in may take.
const MINUTES: i64 = 10;

/// Longest code or state that is looked at.
const LONGEST: usize = 2048;

/// Which org a person wants to connect.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Which of the CRM's worlds; the simulator in a demo, else production.
    pub environment: Option<Environment>,
    /// The customer's own sign-in address (Salesforce My Domain).
    pub domain: Option<String>,
    /// Should it be another org than before: close every link and begin anew.
    pub start_afresh: bool,
}

/// How a sign-in ended.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The connection.
    pub config: Config,
    /// There was none to this CRM before.
    pub is_new: bool,
}

/// Begins a sign-in; answers with the address at the CRM that the browser goes to.
pub async fn begin(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    wish: Wish,
) -> Result<String, ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    let connector = connector(services, provider)?;
    let (environment, domain) = place(services, provider, &wish)?;
    let login_url = services.crm.default_login_url(provider, environment, domain.as_deref());
    let login_url = login_url.map_err(|error| access_refused(provider, error))?;
    let settings = settings(services, provider, &login_url)?;

    let rng = services.rng.as_ref();
    let start = AuthorizationStart { state: tokens::session_token(rng), verifier: tokens::session_token(rng) };
    let id = rng.uuid();
    let sealed = services.vault.seal(rng, &purpose(viewer.workspace_id, id), start.verifier.as_bytes());
    let sealed = sealed.map_err(ServiceError::internal)?;
    let url = connector.authorize_url(&settings, &start).map_err(|error| crm_refused(provider, error))?;

    let mut tx = services.begin(viewer).await?;
    let state = NewState {
        id,
        hash: &tokens::hash(&start.state),
        user_id: viewer.user_id,
        provider,
        environment,
        login_url: &login_url,
        sealed_verifier: &sealed,
        start_afresh: wish.start_afresh,
        expires_at: tx.now() + TimeDelta::minutes(MINUTES),
    };
    oauth::add_state(&mut tx, &state).await?;
    tx.commit().await?;
    Ok(url)
}

/// Ends a sign-in with the code that the CRM sent the browser back with.
pub async fn finish(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    code: &str,
    state: &str,
) -> Result<Connected, ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    let (id, used) = use_state(services, viewer, provider, state).await?;
    finish_state(services, viewer, id, used, code).await
}

/// Ends the person's newest open sign-in with a code that a client fetched by itself.
pub async fn finish_newest(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    environment: Option<Environment>,
    code: &str,
) -> Result<Connected, ServiceError> {
    viewer.require(Capability::ManageConnections)?;
    connector(services, provider)?;
    let mut tx = services.begin(viewer).await?;
    let id = oauth::open_state(&mut tx, viewer.user_id, provider, environment).await?;
    let used = match id {
        Some(id) => oauth::use_state(&mut tx, id).await?.map(|used| (id, used)),
        None => None,
    };
    tx.commit().await?;
    let (id, used) = used.ok_or_else(|| {
        ServiceError::state(
            "oauth_not_begun",
            "No sign-in of yours is under way, so this code belongs to none. Begin one without a code first.",
        )
    })?;
    finish_state(services, viewer, id, used, code).await
}

/// Ends a sign-in that the CRM refused or its user denied, and says so. `error` is the code that the CRM sent.
pub async fn refused(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    state: &str,
    error: &str,
) -> ServiceError {
    if let Err(problem) = viewer.require(Capability::ManageConnections) {
        return problem;
    }
    match use_state(services, viewer, provider, state).await {
        Err(problem) => problem,
        Ok(_) if error == "access_denied" => ServiceError::state(
            "oauth_denied",
            format!(
                "Access was denied in {}, so nothing was connected. Start again and press Allow there.",
                provider.title()
            ),
        ),
        Ok(_) => crm_refused(provider, ConnectorError::SignIn { reason: error.to_owned() }),
    }
}

async fn use_state(
    services: &Services,
    viewer: &Viewer,
    provider: Provider,
    state: &str,
) -> Result<(Uuid, UsedState), ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let owner = match state.len() {
        1..=LONGEST => oauth::state_owner(&mut tx, &tokens::hash(state)).await?,
        _ => None,
    };
    let owner = owner.ok_or_else(|| {
        invalid("oauth_state_unknown", "state", "This answer belongs to no sign-in that was begun here. Start again.")
    })?;
    if owner.user_id != viewer.user_id || owner.workspace_id != viewer.workspace_id {
        return Err(invalid(
            "oauth_state_foreign",
            "state",
            "This sign-in was begun by somebody else or in another workspace. Start your own.",
        ));
    }
    let used = oauth::use_state(&mut tx, owner.id).await?.ok_or_else(|| {
        ServiceError::state(
            "oauth_state_used",
            "This answer was used before, and each is good once. If the connection is not there, start again.",
        )
    })?;
    let now = tx.now();
    tx.commit().await?;
    if used.provider != provider {
        return Err(invalid("oauth_state_foreign", "state", "This sign-in was begun at another CRM. Start again."));
    }
    if used.expires_at <= now {
        return Err(ServiceError::state(
            "oauth_state_expired",
            "The sign-in took longer than ten minutes and is no longer good. Start again.",
        ));
    }
    Ok((owner.id, used))
}

async fn finish_state(
    services: &Services,
    viewer: &Viewer,
    id: Uuid,
    used: UsedState,
    code: &str,
) -> Result<Connected, ServiceError> {
    if code.is_empty() || code.len() > LONGEST {
        return Err(invalid("oauth_code_missing", "code", "The CRM's answer came without a usable code. Start again."));
    }
    let provider = used.provider;
    let connector = connector(services, provider)?;
    let settings = settings(services, provider, &used.login_url)?;
    let verifier = services.vault.open(&purpose(viewer.workspace_id, id), &used.sealed_verifier);
    let verifier = String::from_utf8(verifier.map_err(ServiceError::internal)?).map_err(ServiceError::internal)?;
    let grant = connector.exchange_code(&settings, code, &verifier).await;
    let grant = grant.map_err(|error| crm_refused(provider, error))?;
    let signed_in = match look_around(connector.as_ref(), &used, &settings, &grant).await {
        Ok(seen) => store(services, viewer, &used, &grant, &seen).await,
        Err(problem) => Err(problem),
    };
    if signed_in.is_err() {
        // Nothing of ours knows this grant: it must not live on in the CRM.
        revoke(connector.as_ref(), &settings, grant.refresh_token.as_ref().unwrap_or(&grant.access_token)).await;
    }
    signed_in
}

/// What a fresh sign-in shows: who it is, what may be done, how much there is.
struct Seen {
    identity: Identity,
    entities: Vec<(EntityDescription, Option<u64>)>,
    meter: Arc<CallMeter>,
}

async fn look_around(
    connector: &dyn Connector,
    used: &UsedState,
    settings: &OAuthSettings,
    grant: &TokenGrant,
) -> Result<Seen, ServiceError> {
    let provider = used.provider;
    if !crm_host::may_be_called(provider, &grant.instance_url, settings) {
        return Err(crm_refused(provider, ConnectorError::Unreadable { detail: "the org's address".to_owned() }));
    }
    let meter = Arc::new(CallMeter::default());
    let session = Session {
        instance_url: grant.instance_url.clone(),
        access_token: grant.access_token.clone(),
        client: settings.clone(),
        meter: meter.clone(),
        pace: None,
    };
    let refused = |error| crm_refused(provider, error);
    let identity = connector.identity(&session).await.map_err(refused)?;
    if identity.organization_id.is_empty() {
        return Err(refused(ConnectorError::Unreadable { detail: "the identity".to_owned() }));
    }
    let entities = describe_all(connector, &session).await.map_err(refused)?;
    Ok(Seen { identity, entities, meter })
}

/// Describes and counts every entity. One that the connected user may not see is left out: that is a finding, no failure.
pub(super) async fn describe_all(
    connector: &dyn Connector,
    session: &Session,
) -> Result<Vec<(EntityDescription, Option<u64>)>, ConnectorError> {
    let mut entities = Vec::with_capacity(Entity::ALL.len());
    for entity in Entity::ALL.iter().copied() {
        match connector.describe(session, entity).await {
            Ok(description) => entities.push((description, connector.count(session, entity).await.ok())),
            Err(ConnectorError::Configuration { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(entities)
}

/// Stores what [`describe_all`] found, in place of what was known before.
pub(super) async fn store_descriptions(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entities: &[(EntityDescription, Option<u64>)],
) -> Result<(), ServiceError> {
    for (description, count) in entities {
        let entity = description.entity;
        let value = serde_json::to_value(description).map_err(ServiceError::internal)?;
        setup::store_description(tx, config_id, entity, value).await?;
        let fields: Vec<String> = description.fields.iter().map(|field| field.name.clone()).collect();
        setup::suspend_unseen_mappings(tx, config_id, entity, &fields).await?;
        if let Some(count) = count.and_then(|count| i64::try_from(count).ok()) {
            oauth::note_count(tx, config_id, entity, count).await?;
        }
    }
    Ok(())
}

/// Adds the calls made in a session to its connection's day.
pub(super) async fn note_calls(tx: &mut WorkspaceTx, config_id: Uuid, meter: &CallMeter) -> Result<(), ServiceError> {
    let usage = meter.usage();
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let org = (usage.org_allowed > 0).then(|| (signed(usage.org_used), signed(usage.org_allowed)));
    setup::note_calls(tx, config_id, signed(usage.calls), org, usage.clock_difference_ms).await?;
    Ok(())
}

/// One transaction: the connection, its mappings, its sealed tokens. As the system, which alone may close a run's logs.
async fn store(
    services: &Services,
    viewer: &Viewer,
    used: &UsedState,
    grant: &TokenGrant,
    seen: &Seen,
) -> Result<Connected, ServiceError> {
    let mut tx = services.begin_as_system(viewer.workspace_id).await?;
    let known = connections::by_provider(&mut tx, used.provider).await?;
    let is_new = known.is_none();
    let signed_in = SignedIn {
        provider: used.provider,
        environment: used.environment,
        login_url: &used.login_url,
        organization_id: &seen.identity.organization_id,
        user_id: &seen.identity.user_id,
        user_name: &seen.identity.name,
        user_email: &seen.identity.email,
        time_zone: seen.identity.time_zone.as_deref(),
    };
    let config_id = match known {
        None => {
            let id = services.rng.uuid();
            oauth::add_connection(&mut tx, id, &signed_in, viewer.user_id).await?;
            id
        }
        Some(known) => {
            let same_org = known.organization_id.as_deref().is_none_or(|org| org == signed_in.organization_id);
            if !same_org && !used.start_afresh {
                return Err(other_org(used.provider, known.organization_id, signed_in.organization_id));
            }
            let after = known.setup_completed_at.filter(|_| same_org).map(|_| tx.now().timestamp_millis());
            let next = after.and_then(|now| next_run(known.frequency, known.schedule.as_ref(), now));
            oauth::reconnect(&mut tx, known.id, &signed_in, next.and_then(DateTime::from_timestamp_millis)).await?;
            if !same_org {
                oauth::start_afresh(&mut tx, known.id).await?;
            }
            known.id
        }
    };
    if is_new {
        oauth::add_default_mappings(&mut tx, config_id, used.provider).await?;
        mappings::publish(&mut tx, config_id).await?;
    }
    store_descriptions(&mut tx, config_id, &seen.entities).await?;
    store_grant(&mut tx, &services.vault, services.rng.as_ref(), config_id, grant)
        .await
        .map_err(|error| access_refused(used.provider, error))?;
    note_calls(&mut tx, config_id, &seen.meter).await?;
    events::announce(&mut tx, "connection", config_id, config_id).await?;
    let stored = connections::get(&mut tx, config_id).await?.ok_or_else(|| ServiceError::not_found("connection"))?;
    tx.commit().await?;
    tracing::info!(config_id = %config_id, provider = %used.provider, "a connection was signed in");
    Ok(Connected { config: config(stored), is_new })
}

fn other_org(provider: Provider, before: Option<String>, now: &str) -> ServiceError {
    let crm = provider.title();
    ServiceError::state(
        "crm_other_org",
        format!(
            "You signed in to another {crm} org than the one connected before. Nothing was changed: sign in to the former one, or start afresh."
        ),
    )
    .with_current(serde_json::json!({ "organizationBefore": before, "organizationNow": now }))
}

/// Ends a grant at the CRM. That it could not is logged: whoever asked goes on without it.
pub(super) async fn revoke(connector: &dyn Connector, settings: &OAuthSettings, token: &SecretString) -> bool {
    let revoked = connector.revoke(settings, token.expose_secret()).await;
    if let Err(error) = &revoked {
        tracing::warn!(error = %error, "a grant could not be revoked at the CRM");
    }
    revoked.is_ok()
}

/// The connector of `provider`, where this version has one.
pub(super) fn connector(services: &Services, provider: Provider) -> Result<Arc<dyn Connector>, ServiceError> {
    services.crm.connector(provider).ok_or_else(|| {
        let message = format!("This version cannot connect {} yet. Connect Salesforce.", provider.title());
        invalid("provider_not_available", "provider", &message)
    })
}

fn settings(services: &Services, provider: Provider, login_url: &str) -> Result<OAuthSettings, ServiceError> {
    services.crm.oauth_settings(provider, login_url).map_err(|error| access_refused(provider, error))
}

/// Environment and sign-in host of a wish. A customer's own address tells by itself whether it is a sandbox.
fn place(services: &Services, provider: Provider, wish: &Wish) -> Result<(Environment, Option<String>), ServiceError> {
    let domain = wish.domain.as_deref().map(str::trim).filter(|domain| !domain.is_empty());
    let default = if services.settings.demo.is_some() && domain.is_none() {
        Environment::Simulator
    } else {
        Environment::Production
    };
    let environment = wish.environment.unwrap_or(default);
    let Some(domain) = domain else { return Ok((environment, None)) };
    if environment == Environment::Simulator || provider != Provider::Salesforce {
        return Err(ServiceError::invalid("domain", "Only a real Salesforce has a My Domain. Leave it out here."));
    }
    let MyDomain { host, is_sandbox } =
        crm_host::my_domain(domain).map_err(|message| ServiceError::invalid("domain", message))?;
    Ok((if is_sandbox { Environment::Sandbox } else { environment }, Some(host)))
}

fn purpose(workspace_id: Uuid, state_id: Uuid) -> String {
    format!("{workspace_id}:oauth_state:{state_id}")
}

fn invalid(code: &'static str, field: &str, message: &str) -> ServiceError {
    ServiceError { code, ..ServiceError::invalid(field, message) }
}
