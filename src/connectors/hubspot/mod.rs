//! HubSpot: objects by batch, search and list; properties, pipelines and associations.
//!
//! Must not know: Postgres, what the values are for. Invariant: one record's refusal never hides another's outcome, and no
//! search decides that something is not there.

mod api;
mod associations;
mod describe;
mod errors;
mod files;
mod paths;
mod people;
mod records;
mod search;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value as Json, json};

use super::http::{HttpClient, HttpSettings};
use super::oauth;
use super::{
    AuthorizationStart, Connector, ConnectorError, CrmFiles, CrmRecord, DailyAllowance, DeletionQuery, Deletions,
    EntityDescription, Identity, KeyLookup, LookBack, OAuthSettings, ReadPage, ReadWindow, RecordWrite, Session,
    TokenGrant, Watermark, WriteOutcome,
};
use crate::clock::Clock;
use crate::model::{Entity, Provider};
use crate::sync::Person;
use api::{Api, Written};
use describe::{Pipelines, Properties};
use paths::Paths;

/// The version that is spoken unless another is set; each is supported for eighteen months (dossier 0).
pub const API_VERSION: &str = "2026-03";

/// Property that makes creates safe to repeat; Crosstie makes it itself.
pub const EXTERNAL_ID_FIELD: &str = "crosstie_id";

/// What a sync needs (dossier 1.3): records, the definitions of their properties, who people are, and files.
pub const SCOPES: [&str; 15] = [
    "oauth",
    "crm.objects.companies.read",
    "crm.objects.companies.write",
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.objects.deals.read",
    "crm.objects.deals.write",
    "crm.objects.owners.read",
    "crm.schemas.companies.read",
    "crm.schemas.companies.write",
    "crm.schemas.contacts.read",
    "crm.schemas.contacts.write",
    "crm.schemas.deals.read",
    "crm.schemas.deals.write",
    "files",
];

/// Archived records are listed for 90 days (dossier 9); a day is left for clocks.
const BIN_REACH_MS: i64 = 89 * 24 * 3600 * 1000;

/// The index usually follows in seconds, sometimes in minutes, seldom in hours (dossier 2.7).
const LOOK_BACKS: [LookBack; 3] = [
    LookBack { every: Duration::ZERO, reach: Duration::from_secs(2 * 60) },
    LookBack { every: Duration::from_secs(15 * 60), reach: Duration::from_secs(3600) },
    LookBack { every: Duration::from_secs(24 * 3600), reach: Duration::from_secs(24 * 3600) },
];

/// The connector.
pub struct HubspotConnector {
    http: HttpClient,
    clock: Arc<dyn Clock>,
    paths: Paths,
}

/// The account (dossier 1.4).
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    portal_id: u64,
    #[serde(default)]
    time_zone: Option<String>,
}

impl HubspotConnector {
    /// A connector that speaks this version of the API ([`API_VERSION`]); fails only where the process has no TLS provider
    /// installed.
    pub fn new(settings: HttpSettings, clock: Arc<dyn Clock>, version: &str) -> Result<Self, reqwest::Error> {
        Ok(HubspotConnector { http: HttpClient::new(settings)?, clock, paths: Paths::new(version) })
    }

    fn api<'a>(&'a self, session: &'a Session) -> Api<'a> {
        Api { http: &self.http, session, clock: self.clock.as_ref(), paths: &self.paths }
    }
}

#[async_trait]
impl Connector for HubspotConnector {
    fn provider(&self) -> Provider {
        Provider::Hubspot
    }

    fn files(&self) -> &dyn CrmFiles {
        self
    }

    fn external_id_field(&self, description: &EntityDescription) -> Option<String> {
        let field = description.field(EXTERNAL_ID_FIELD).filter(|field| field.external_id);
        field.map(|field| field.name.clone())
    }

    fn batch_size(&self) -> usize {
        records::BATCH
    }

    async fn identity(&self, session: &Session) -> Result<Identity, ConnectorError> {
        let api = self.api(session);
        let token = api.introspect().await?;
        let account: Account = api.get(&api.paths.account()).await?;
        // A name is a courtesy: without the right to see people the address stands for it.
        let name = people::name_of_user(&api, token.user_id).await;
        Ok(Identity {
            user_id: token.user_id.to_string(),
            name: name.unwrap_or_else(|| token.user.clone()),
            email: token.user,
            organization_id: account.portal_id.to_string(),
            time_zone: account.time_zone,
        })
    }

    async fn describe(&self, session: &Session, entity: Entity) -> Result<EntityDescription, ConnectorError> {
        let api = self.api(session);
        let properties: Properties = api.get(&api.paths.properties(entity)).await?;
        let pipelines = match entity {
            Entity::Opportunity => api.get(&api.paths.pipelines(entity)).await?,
            Entity::Account | Entity::Contact => Pipelines::default(),
        };
        let right = format!("crm.objects.{}.write", paths::object(entity));
        let may_write = api.introspect().await?.scopes.contains(&right);
        Ok(describe::entity_description(entity, properties, &pipelines, may_write))
    }

    async fn people(&self, session: &Session) -> Result<Vec<Person>, ConnectorError> {
        people::all(&self.api(session)).await
    }

    async fn deleted(
        &self,
        session: &Session,
        entity: Entity,
        query: DeletionQuery,
    ) -> Result<Deletions, ConnectorError> {
        let api = self.api(session);
        let began = self.clock.now().timestamp_millis();
        // Asked for none, one look at the list still tells the CRM's clock.
        let since = query.since.unwrap_or(i64::MAX);
        let thorough = query.thorough && query.since.is_some();
        let (records, exhaustive) = search::archived(&api, entity, since, thorough).await?;
        let now = began + session.meter.usage().clock_difference_ms;
        Ok(Deletions {
            records,
            watermark: Watermark(now),
            complete: query.since.is_none_or(|since| since > now - BIN_REACH_MS),
            exhaustive: exhaustive || query.since.is_none(),
        })
    }

    fn look_backs(&self) -> &'static [LookBack] {
        &LOOK_BACKS
    }

    async fn read(
        &self,
        session: &Session,
        window: &ReadWindow,
        position: Option<&str>,
    ) -> Result<ReadPage, ConnectorError> {
        search::window(&self.api(session), window, position).await
    }

    async fn read_by_id(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        ids: &[String],
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        records::by_id(&self.api(session), entity, fields, ids).await
    }

    async fn find(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        lookups: &[KeyLookup],
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        search::find(&self.api(session), entity, fields, lookups).await
    }

    async fn write(
        &self,
        session: &Session,
        description: &EntityDescription,
        writes: &[RecordWrite],
    ) -> Result<Vec<WriteOutcome>, ConnectorError> {
        let external_id = self.external_id_field(description);
        write::write(&self.api(session), description, external_id.as_deref(), writes).await
    }

    async fn delete(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
    ) -> Result<Vec<WriteOutcome>, ConnectorError> {
        write::delete(&self.api(session), entity, ids).await
    }

    fn keeps_history(&self) -> bool {
        true
    }

    async fn edit_times(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
        fields: &[String],
    ) -> Result<HashMap<String, BTreeMap<String, i64>>, ConnectorError> {
        records::edit_times(&self.api(session), entity, ids, fields).await
    }

    async fn references(
        &self,
        session: &Session,
        entity: Entity,
        field: &str,
        ids: &[String],
    ) -> Result<Option<HashMap<String, Option<String>>>, ConnectorError> {
        if !associations::is_reference(entity, field) {
            return Ok(None);
        }
        associations::primaries(&self.api(session), entity, ids).await.map(Some)
    }

    async fn make_external_id_field(&self, session: &Session, entity: Entity) -> Result<bool, ConnectorError> {
        let api = self.api(session);
        let path = api.paths.properties(entity);
        let group = match entity {
            Entity::Account => "companyinformation",
            Entity::Contact => "contactinformation",
            Entity::Opportunity => "dealinformation",
        };
        let definition = json!({
            "name": EXTERNAL_ID_FIELD, "label": "Crosstie id", "groupName": group, "type": "string",
            "fieldType": "text", "hasUniqueValue": true, "formField": false,
            "description": "Which record of Crosstie this one was created from. Do not change it.",
        });
        match api.change::<Json>(&path, &definition).await {
            Ok(Written::Answered(_)) => Ok(true),
            // It is there, or the account has as many unique properties as it may.
            Ok(Written::Refused { .. }) => Ok(describe::has_unique(&api.get(&path).await?, EXTERNAL_ID_FIELD)),
            Err(ConnectorError::Configuration { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn count(&self, session: &Session, entity: Entity) -> Result<u64, ConnectorError> {
        search::count(&self.api(session), entity).await
    }

    async fn allowance(&self, session: &Session) -> Result<DailyAllowance, ConnectorError> {
        // An application that accounts install has no daily limit (dossier 6); where there is one, every answer tells it.
        let api = self.api(session);
        let _: Account = api.get(&api.paths.account()).await?;
        let usage = session.meter.usage();
        Ok(DailyAllowance { used: usage.org_used, allowed: usage.org_allowed })
    }

    fn authorize_url(&self, settings: &OAuthSettings, start: &AuthorizationStart) -> Result<String, ConnectorError> {
        oauth::authorize_url(settings, self.paths.oauth(), &SCOPES, start)
    }

    async fn exchange_code(
        &self,
        settings: &OAuthSettings,
        code: &str,
        verifier: &str,
    ) -> Result<TokenGrant, ConnectorError> {
        let tokens = oauth::exchange_code(&self.http, settings, self.paths.oauth(), code, verifier).await?;
        Ok(oauth::grant(&tokens, &settings.api_url))
    }

    async fn refresh(&self, settings: &OAuthSettings, refresh_token: &str) -> Result<TokenGrant, ConnectorError> {
        let tokens = oauth::refresh(&self.http, settings, self.paths.oauth(), refresh_token).await?;
        Ok(oauth::grant(&tokens, &settings.api_url))
    }

    async fn revoke(&self, settings: &OAuthSettings, token: &str) -> Result<(), ConnectorError> {
        let form = [
            ("client_id", settings.client_id.as_str()),
            ("client_secret", settings.client_secret.expose_secret()),
            ("token", token),
            ("token_type_hint", "refresh_token"),
        ];
        let url = format!("{}{}", settings.api_url, self.paths.revoke());
        let answer = self.http.send(self.http.request(Method::POST, &url).form(&form), false).await?;
        // 400: the token is dead already, which is what was wanted.
        if answer.status.is_success() || answer.status.as_u16() == 400 {
            Ok(())
        } else {
            Err(ConnectorError::Transient { detail: format!("revoke answered {}", answer.status.as_u16()) })
        }
    }
}

fn unreadable(what: &str) -> ConnectorError {
    ConnectorError::Unreadable { detail: what.to_owned() }
}
