//! The way to a connected CRM: tokens opened, refreshed ahead of time, one refresh at a time over all processes.
//!
//! A rotating refresh token that is used twice ends the grant (Salesforce dossier 1.4), so a refresh is single-flight by a
//! turn in the database, and the new tokens are committed before anybody uses them.

use std::sync::Arc;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use uuid::Uuid;

use crate::clock::Clock;
use crate::connectors::{CallMeter, Connector, ConnectorError, OAuthSettings, Session, TokenGrant};
use crate::model::{ConnectionStatus, Environment, Provider};
use crate::security::{Rng, Vault};
use crate::store::{Actor, StoreError, WorkspaceTx, credentials};

/// How long one refresh may take before another process may try.
const REFRESH_TURN: TimeDelta = TimeDelta::seconds(60);

/// Access-token life assumed where a CRM does not tell, seconds (Salesforce's default session, dossier 1.4).
const ASSUMED_LIFE_S: i64 = 7200;

/// An OAuth client registered at a CRM.
#[derive(Debug, Clone)]
pub struct CrmClient {
    /// Which CRM.
    pub provider: Provider,
    /// Which of its worlds this client is for; production and sandbox share one.
    pub simulator: bool,
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Login host of production, or of the simulator, without a final slash.
    pub login_url: String,
    /// Host of the API and its token endpoint, without a final slash; `None` where that is the login host.
    pub api_url: Option<String>,
}

/// The way to the connected CRMs.
#[derive(Clone)]
pub struct CrmAccess {
    /// Connections to Postgres.
    pub pool: PgPool,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Opens and seals tokens.
    pub vault: Arc<Vault>,
    /// The connectors of this build.
    pub connectors: Vec<Arc<dyn Connector>>,
    /// The OAuth clients that are configured.
    pub clients: Vec<CrmClient>,
    /// Address of this server, without a final slash: CRMs send browsers back there.
    pub public_url: String,
}

/// A connection ready to be called.
pub struct CrmConnection {
    /// Its connector.
    pub connector: Arc<dyn Connector>,
    /// Its session.
    pub session: Session,
    /// Which CRM.
    pub provider: Provider,
}

/// Why a connection cannot be called.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such connection, or it was disconnected.
    #[error("the connection is not signed in")]
    NotConnected,
    /// The grant is gone: a person must sign in again.
    #[error("the CRM asks for a new sign-in")]
    SignInNeeded,
    /// This build or this server's configuration has no way to that CRM.
    #[error("{setting} is not set")]
    NotConfigured {
        /// The setting to set.
        setting: &'static str,
    },
    /// Another process is refreshing the tokens right now.
    #[error("the tokens are being refreshed")]
    Refreshing,
    /// The CRM did not answer or refused.
    #[error(transparent)]
    Crm(ConnectorError),
    /// The stored tokens cannot be opened with this server's key.
    #[error("the stored tokens cannot be opened; CROSSTIE_SECRET_KEY is not the key that sealed them")]
    Sealed,
    /// The database did not answer or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    instance_url: String,
    /// Epoch milliseconds after which the access token is refreshed ahead of its end.
    refresh_after: i64,
}

impl CrmAccess {
    /// The connector of `provider`, if this build has it.
    pub fn connector(&self, provider: Provider) -> Option<Arc<dyn Connector>> {
        self.connectors.iter().find(|connector| connector.provider() == provider).cloned()
    }

    /// The OAuth client for sign-ins at `login_url`.
    pub fn oauth_settings(&self, provider: Provider, login_url: &str) -> Result<OAuthSettings, AccessError> {
        let client = self
            .clients
            .iter()
            .find(|client| client.provider == provider && client.simulator && client.login_url == login_url)
            .or_else(|| self.clients.iter().find(|client| client.provider == provider && !client.simulator))
            .or_else(|| self.clients.iter().find(|client| client.provider == provider))
            .ok_or(AccessError::NotConfigured { setting: client_id_setting(provider) })?;
        Ok(OAuthSettings {
            client_id: client.client_id.clone(),
            client_secret: client.client_secret.clone(),
            api_url: client.api_url.clone().unwrap_or_else(|| login_url.to_owned()),
            login_url: login_url.to_owned(),
            redirect_url: format!("{}/oauth/callback/{provider}", self.public_url),
        })
    }

    /// The login host of one of a CRM's worlds; `domain` is a customer's own (Salesforce My Domain).
    pub fn default_login_url(
        &self,
        provider: Provider,
        environment: Environment,
        domain: Option<&str>,
    ) -> Result<String, AccessError> {
        let wants_simulator = environment == Environment::Simulator;
        let client = self
            .clients
            .iter()
            .find(|client| client.provider == provider && client.simulator == wants_simulator)
            .ok_or(AccessError::NotConfigured { setting: client_id_setting(provider) })?;
        Ok(match (environment, domain) {
            (Environment::Simulator, _) | (Environment::Production, None) => client.login_url.clone(),
            (_, Some(domain)) => format!("https://{domain}"),
            (Environment::Sandbox, None) => match provider {
                Provider::Salesforce => "https://test.salesforce.com".to_owned(),
                // Its sandboxes are accounts like others.
                Provider::Hubspot => client.login_url.clone(),
            },
        })
    }

    /// Opens a connection for calls; refreshes its access token ahead of its end.
    pub async fn open(&self, workspace_id: Uuid, config_id: Uuid) -> Result<CrmConnection, AccessError> {
        let (provider, login_url, tokens) = self.load(workspace_id, config_id).await?;
        let tokens = if tokens.refresh_after <= self.clock.now().timestamp_millis() {
            self.refresh(workspace_id, config_id, provider, &login_url, tokens).await?
        } else {
            tokens
        };
        self.connection(provider, &login_url, tokens)
    }

    /// Opens a connection with a new access token: the CRM did not accept the one in hand.
    pub async fn reopen(
        &self,
        workspace_id: Uuid,
        config_id: Uuid,
        refused: &Session,
    ) -> Result<CrmConnection, AccessError> {
        let (provider, login_url, tokens) = self.load(workspace_id, config_id).await?;
        // Another process may have refreshed in the meantime.
        let tokens = if tokens.access_token == refused.access_token.expose_secret() {
            self.refresh(workspace_id, config_id, provider, &login_url, tokens).await?
        } else {
            tokens
        };
        self.connection(provider, &login_url, tokens)
    }

    /// The refresh token (else the access token) of a connection, to revoke it.
    pub async fn token_to_revoke(&self, workspace_id: Uuid, config_id: Uuid) -> Result<SecretString, AccessError> {
        let (_, _, tokens) = self.load(workspace_id, config_id).await?;
        Ok(tokens.refresh_token.unwrap_or(tokens.access_token).into())
    }

    fn connection(&self, provider: Provider, login_url: &str, tokens: Tokens) -> Result<CrmConnection, AccessError> {
        let connector =
            self.connector(provider).ok_or(AccessError::NotConfigured { setting: client_id_setting(provider) })?;
        let session = Session {
            instance_url: tokens.instance_url,
            access_token: tokens.access_token.into(),
            client: self.oauth_settings(provider, login_url)?,
            meter: Arc::new(CallMeter::default()),
            pace: None,
        };
        Ok(CrmConnection { connector, session, provider })
    }

    async fn load(&self, workspace_id: Uuid, config_id: Uuid) -> Result<(Provider, String, Tokens), AccessError> {
        let mut tx = WorkspaceTx::begin(&self.pool, workspace_id, Actor::System, self.clock.now()).await?;
        let stored = credentials::load(&mut tx, config_id).await?.ok_or(AccessError::NotConnected)?;
        tx.commit().await?;
        if stored.status == ConnectionStatus::Disconnected {
            return Err(AccessError::NotConnected);
        }
        let sealed = stored.sealed.ok_or(AccessError::NotConnected)?;
        let opened = self.vault.open(&associated_data(workspace_id), &sealed).map_err(|_| AccessError::Sealed)?;
        let tokens = serde_json::from_slice(&opened).map_err(|_| AccessError::Sealed)?;
        Ok((stored.provider, stored.login_url, tokens))
    }

    async fn refresh(
        &self,
        workspace_id: Uuid,
        config_id: Uuid,
        provider: Provider,
        login_url: &str,
        tokens: Tokens,
    ) -> Result<Tokens, AccessError> {
        let refresh_token = tokens.refresh_token.ok_or(AccessError::SignInNeeded)?;
        let connector = self.connector(provider).ok_or(AccessError::NotConnected)?;
        let settings = self.oauth_settings(provider, login_url)?;
        let now = self.clock.now();
        let mut tx = WorkspaceTx::begin(&self.pool, workspace_id, Actor::System, now).await?;
        let turn = credentials::take_refresh_turn(&mut tx, config_id, now + REFRESH_TURN).await?;
        tx.commit().await?;
        if !turn {
            return Err(AccessError::Refreshing);
        }
        let mut granted = connector.refresh(&settings, &refresh_token).await;
        if matches!(granted, Err(ConnectorError::Unknown { .. })) {
            // The answer to a rotating refresh was lost: once more with the same token, the one chance there is.
            granted = connector.refresh(&settings, &refresh_token).await;
        }
        let mut tx = WorkspaceTx::begin(&self.pool, workspace_id, Actor::System, self.clock.now()).await?;
        let outcome = match granted {
            Ok(mut grant) => {
                grant.refresh_token = grant.refresh_token.or(Some(refresh_token.into()));
                store_grant(&mut tx, &self.vault, self.rng.as_ref(), config_id, &grant).await?;
                Ok(tokens_of(&grant, tx.now().timestamp_millis()))
            }
            Err(ConnectorError::SignIn { .. } | ConnectorError::TokenExpired) => Err(AccessError::SignInNeeded),
            Err(error) => Err(AccessError::Crm(error)),
        };
        credentials::end_refresh_turn(&mut tx, config_id).await?;
        tx.commit().await?;
        outcome
    }
}

/// Moves a demo's connections along with their simulator, which is reached at `address` from now on.
pub async fn move_simulated(
    crm: &CrmAccess,
    workspace_id: Uuid,
    provider: Provider,
    address: &str,
) -> Result<(), AccessError> {
    let mut tx = WorkspaceTx::begin(&crm.pool, workspace_id, Actor::System, crm.clock.now()).await?;
    for config_id in credentials::move_simulated(&mut tx, provider, address).await? {
        let stored = credentials::load(&mut tx, config_id).await?.and_then(|stored| stored.sealed);
        // A disconnected one has no tokens to move.
        let Some(sealed) = stored else { continue };
        let opened = crm.vault.open(&associated_data(workspace_id), &sealed).map_err(|_| AccessError::Sealed)?;
        let mut tokens: Tokens = serde_json::from_slice(&opened).map_err(|_| AccessError::Sealed)?;
        address.clone_into(&mut tokens.instance_url);
        store_tokens(&mut tx, &crm.vault, crm.rng.as_ref(), config_id, &tokens).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Seals a grant and stores it for a connection, in place of a former one.
pub async fn store_grant(
    tx: &mut WorkspaceTx,
    vault: &Vault,
    rng: &dyn Rng,
    config_id: Uuid,
    grant: &TokenGrant,
) -> Result<(), AccessError> {
    let tokens = tokens_of(grant, tx.now().timestamp_millis());
    store_tokens(tx, vault, rng, config_id, &tokens).await
}

async fn store_tokens(
    tx: &mut WorkspaceTx,
    vault: &Vault,
    rng: &dyn Rng,
    config_id: Uuid,
    tokens: &Tokens,
) -> Result<(), AccessError> {
    let plain = serde_json::to_vec(tokens).map_err(StoreError::from)?;
    let sealed = vault.seal(rng, &associated_data(tx.workspace_id()), &plain).map_err(|_| AccessError::Sealed)?;
    credentials::store(tx, config_id, rng.uuid(), &sealed, &tokens.instance_url).await?;
    Ok(())
}

fn tokens_of(grant: &TokenGrant, now_ms: i64) -> Tokens {
    let life_ms = grant.expires_in_s.unwrap_or(ASSUMED_LIFE_S) * 1000;
    Tokens {
        access_token: grant.access_token.expose_secret().to_owned(),
        refresh_token: grant.refresh_token.as_ref().map(|token| token.expose_secret().to_owned()),
        instance_url: grant.instance_url.clone(),
        refresh_after: now_ms + life_ms / 10 * 8,
    }
}

fn associated_data(workspace_id: Uuid) -> String {
    format!("{workspace_id}:oauth_tokens")
}

/// The setting that registers this server at a CRM.
pub const fn client_id_setting(provider: Provider) -> &'static str {
    match provider {
        Provider::Salesforce => "CROSSTIE_SALESFORCE_CLIENT_ID",
        Provider::Hubspot => "CROSSTIE_HUBSPOT_CLIENT_ID",
    }
}
