//! Salesforce: REST with SOQL, sObject Collections and Composite; Bulk API 2.0 for large readings.
//!
//! Must not know: Postgres, what the values are for. Invariant: one record's refusal never hides another's outcome.

mod api;
mod bulk;
mod describe;
mod errors;
mod files;
mod filter;
mod query;
mod records;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

use super::http::{HttpClient, HttpSettings};
use super::oauth::{self, OAuthPaths};
use super::{
    AuthorizationStart, Connector, ConnectorError, CrmFiles, CrmRecord, DailyAllowance, DeletedRecord, DeletionQuery,
    Deletions, EntityDescription, Identity, KeyLookup, LookBack, OAuthSettings, ReadPage, ReadWindow, RecordWrite,
    Session, TokenGrant, Watermark, WriteOutcome,
};
use crate::clock::Clock;
use crate::model::{Entity, Provider};
use crate::sync::Person;
use api::Api;

/// Field that makes creates safe to repeat, where an admin has added it (unique external id, text).
pub const EXTERNAL_ID_FIELD: &str = "Crosstie_Id__c";

/// Records of one collections call (dossier 2.6).
const BATCH: usize = 200;

/// A reading in full of more records goes through a query job, if nobody says otherwise (`sync.md`, "Cost").
const BULK_ABOVE: u64 = 10_000;

/// Position of a reading that the org does not make by a job.
const BY_REST: &str = "rest";

/// Ids of one `IN` list: keeps the statement far below its limits (dossier 2.4).
const IDS_PER_QUERY: usize = 500;

/// Endpoints of the web-server flow (dossier 1.1).
const OAUTH: OAuthPaths<'_> = OAuthPaths { authorize: "/services/oauth2/authorize", token: "/services/oauth2/token" };

/// The least that a sync needs (dossier 1.4, "Scopes").
const SCOPES: [&str; 2] = ["api", "refresh_token"];

/// Life of an access token where introspection does not tell, seconds: the default session (dossier 1.4).
const DEFAULT_SESSION_S: i64 = 7200;

/// How far back a look for deletions may reach (dossier 2.8), milliseconds.
const DELETED_REACH_MS: i64 = 14 * 24 * 3600 * 1000;

/// The connector.
pub struct SalesforceConnector {
    http: HttpClient,
    clock: Arc<dyn Clock>,
    bulk_above: u64,
}

impl SalesforceConnector {
    /// A connector; fails only where the process has no TLS provider installed.
    pub fn new(settings: HttpSettings, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        Ok(SalesforceConnector { http: HttpClient::new(settings)?, clock, bulk_above: BULK_ABOVE })
    }

    /// The same with another number of records above which a reading in full goes through a query job.
    pub fn with_bulk_above(self, bulk_above: u64) -> Self {
        SalesforceConnector { bulk_above, ..self }
    }

    fn api<'a>(&'a self, session: &'a Session) -> Api<'a> {
        Api { http: &self.http, session, clock: self.clock.as_ref() }
    }

    /// Learns how long an access token lives; a failure is not fatal (dossier 1.1, introspect).
    async fn life_of(&self, settings: &OAuthSettings, token: &SecretString) -> i64 {
        let form = [
            ("token", token.expose_secret()),
            ("client_id", settings.client_id.as_str()),
            ("client_secret", settings.client_secret.expose_secret()),
            ("token_type_hint", "access_token"),
        ];
        let url = format!("{}/services/oauth2/introspect", settings.login_url);
        let request = self.http.request(Method::POST, &url).form(&form);
        let answer = self.http.send(request, false).await.ok();
        let body: Option<Json> = answer.and_then(|answer| serde_json::from_slice(&answer.body).ok());
        let expires_at = body.as_ref().and_then(|body| body.get("exp")?.as_i64());
        let life = expires_at.map(|at| at - self.clock.now().timestamp());
        life.filter(|life| *life > 0).unwrap_or(DEFAULT_SESSION_S)
    }

    async fn granted(&self, settings: &OAuthSettings, tokens: oauth::Tokens) -> TokenGrant {
        let grant = oauth::grant(&tokens, &settings.login_url);
        let life = self.life_of(settings, &grant.access_token).await;
        TokenGrant { expires_in_s: Some(life), ..grant }
    }
}

#[async_trait]
impl Connector for SalesforceConnector {
    fn provider(&self) -> Provider {
        Provider::Salesforce
    }

    fn files(&self) -> &dyn CrmFiles {
        self
    }

    fn external_id_field(&self, description: &EntityDescription) -> Option<String> {
        let field = description.field(EXTERNAL_ID_FIELD).filter(|field| field.external_id);
        field.map(|field| field.name.clone())
    }

    fn batch_size(&self) -> usize {
        BATCH
    }

    async fn identity(&self, session: &Session) -> Result<Identity, ConnectorError> {
        let api = self.api(session);
        let resources: Json = api.get_json(&api.path("")).await?;
        let address = resources.get("identity").and_then(Json::as_str).unwrap_or_default();
        let path = address.find("/id/").map(|at| &address[at..]).ok_or_else(|| unreadable("the identity address"))?;
        let identity: Json = api.get_json(path).await?;
        let text = |name: &str| identity.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        Ok(Identity {
            user_id: text("user_id"),
            name: text("display_name"),
            email: text("email"),
            organization_id: text("organization_id"),
            time_zone: identity.get("timezone").and_then(Json::as_str).map(str::to_owned),
        })
    }

    async fn describe(&self, session: &Session, entity: Entity) -> Result<EntityDescription, ConnectorError> {
        let api = self.api(session);
        let described = api.get_json(&api.path(&format!("/sobjects/{}/describe", object(entity)))).await?;
        Ok(describe::entity_description(entity, described))
    }

    async fn people(&self, session: &Session) -> Result<Vec<Person>, ConnectorError> {
        let users = "SELECT Id, Email, IsActive FROM User WHERE Email != null ORDER BY Id";
        let users = self.api(session).query_all_pages(users, false).await?;
        let text = |record: &CrmRecord, name: &str| record.fields.get(name).cloned().flatten();
        let person = |record: CrmRecord| {
            let active = text(&record, "IsActive").as_deref() == Some("true");
            Some(Person { email: text(&record, "Email")?, active, id: record.id })
        };
        Ok(users.into_iter().filter_map(person).collect())
    }

    async fn deleted(
        &self,
        session: &Session,
        entity: Entity,
        query: DeletionQuery,
    ) -> Result<Deletions, ConnectorError> {
        let since = query.since;
        let api = self.api(session);
        let now = self.clock.now().timestamp_millis() + session.meter.usage().clock_difference_ms;
        let reachable = since.is_none_or(|since| since > now - DELETED_REACH_MS);
        // The server cuts seconds off and wants a minute between the two: a minute more at the start gives it.
        let start = since.filter(|_| reachable).unwrap_or(now).min(now) - 60_000;
        let query = query::replication_window(start, now);
        let path = api.path(&format!("/sobjects/{}/deleted/?{query}", object(entity)));
        let answer: records::DeletedAnswer = api.get_json(&path).await?;
        let earliest = records::instant_ms(&answer.earliest_date_available).unwrap_or(i64::MIN);
        let covered =
            records::instant_ms(&answer.latest_date_covered).ok_or_else(|| unreadable("latestDateCovered"))?;
        let asked_for = answer.deleted_records.into_iter().filter(|_| since.is_some());
        let deleted = asked_for.map(|record| DeletedRecord {
            deleted_at: records::instant_ms(&record.deleted_date).unwrap_or(covered),
            id: record.id,
        });
        Ok(Deletions {
            records: deleted.collect(),
            watermark: Watermark(covered),
            complete: reachable && since.is_none_or(|since| earliest <= since),
            exhaustive: true,
        })
    }

    fn look_backs(&self) -> &'static [LookBack] {
        &[]
    }

    async fn read(
        &self,
        session: &Session,
        window: &ReadWindow,
        position: Option<&str>,
    ) -> Result<ReadPage, ConnectorError> {
        let api = self.api(session);
        let soql = query::window(window);
        let judges_all =
            window.since.is_some() || window.filter.as_ref().is_none_or(|filter| filter::pushed(filter).complete);
        let place = position.and_then(bulk::Place::read);
        let mut page = match (position, &place) {
            (_, Some(place)) => match bulk::look(&api, place).await? {
                bulk::Look::Page(page) => page,
                bulk::Look::Failed => {
                    ReadPage { records: Vec::new(), next: Some(BY_REST.to_owned()), total: None, wait: None }
                }
            },
            (Some(path), None) if path.starts_with("/services/data/") => records::page(&api.get_bytes(path).await?)?,
            (None | Some(BY_REST), None) => {
                let page = records::page(&api.query(&soql, window.since.is_some()).await?)?;
                let is_large = page.total.is_some_and(|total| total > self.bulk_above);
                match window.since.is_none() && position.is_none() && is_large {
                    true => bulk::begin(&api, &soql, page.total).await?,
                    false => page,
                }
            }
            _ => return Err(ConnectorError::PositionExpired),
        };
        page.total = page.total.filter(|_| judges_all);
        Ok(page)
    }

    async fn read_by_id(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        ids: &[String],
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        let api = self.api(session);
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS_PER_QUERY) {
            let lookups = [KeyLookup { field: "Id".to_owned(), values: ids.to_vec() }];
            found.extend(api.query_all_pages(&query::lookup(entity, fields, &lookups), true).await?);
        }
        Ok(found)
    }

    async fn find(
        &self,
        session: &Session,
        entity: Entity,
        fields: &[String],
        lookups: &[KeyLookup],
    ) -> Result<Vec<CrmRecord>, ConnectorError> {
        if lookups.iter().all(|lookup| lookup.values.is_empty()) {
            return Ok(Vec::new());
        }
        self.api(session).query_all_pages(&query::lookup(entity, fields, lookups), false).await
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
        _entity: Entity,
        ids: &[String],
    ) -> Result<Vec<WriteOutcome>, ConnectorError> {
        write::delete(&self.api(session), ids).await
    }

    fn keeps_history(&self) -> bool {
        false
    }

    async fn edit_times(
        &self,
        _session: &Session,
        _entity: Entity,
        _ids: &[String],
        _fields: &[String],
    ) -> Result<HashMap<String, BTreeMap<String, i64>>, ConnectorError> {
        Ok(HashMap::new())
    }

    async fn references(
        &self,
        _session: &Session,
        _entity: Entity,
        _field: &str,
        _ids: &[String],
    ) -> Result<Option<HashMap<String, Option<String>>>, ConnectorError> {
        Ok(None)
    }

    async fn make_external_id_field(&self, _session: &Session, _entity: Entity) -> Result<bool, ConnectorError> {
        Ok(false)
    }

    async fn count(&self, session: &Session, entity: Entity) -> Result<u64, ConnectorError> {
        let body = self.api(session).query(&format!("SELECT COUNT() FROM {}", object(entity)), false).await?;
        records::total(&body)
    }

    async fn allowance(&self, session: &Session) -> Result<DailyAllowance, ConnectorError> {
        let api = self.api(session);
        let limits: Json = api.get_json(&api.path("/limits")).await?;
        let daily = limits.get("DailyApiRequests").ok_or_else(|| unreadable("DailyApiRequests"))?;
        let number = |name: &str| daily.get(name).and_then(Json::as_u64).unwrap_or_default();
        Ok(DailyAllowance { used: number("Max").saturating_sub(number("Remaining")), allowed: number("Max") })
    }

    fn authorize_url(&self, settings: &OAuthSettings, start: &AuthorizationStart) -> Result<String, ConnectorError> {
        oauth::authorize_url(settings, OAUTH, &SCOPES, start)
    }

    async fn exchange_code(
        &self,
        settings: &OAuthSettings,
        code: &str,
        verifier: &str,
    ) -> Result<TokenGrant, ConnectorError> {
        let tokens = oauth::exchange_code(&self.http, settings, OAUTH, code, verifier).await?;
        Ok(self.granted(settings, tokens).await)
    }

    async fn refresh(&self, settings: &OAuthSettings, refresh_token: &str) -> Result<TokenGrant, ConnectorError> {
        let tokens = oauth::refresh(&self.http, settings, OAUTH, refresh_token).await?;
        Ok(self.granted(settings, tokens).await)
    }

    async fn revoke(&self, settings: &OAuthSettings, token: &str) -> Result<(), ConnectorError> {
        let url = format!("{}/services/oauth2/revoke", settings.login_url);
        let request = self.http.request(Method::POST, &url).form(&[("token", token)]);
        let answer = self.http.send(request, false).await?;
        // 400: the token is dead already, which is what was wanted.
        if answer.status.is_success() || answer.status.as_u16() == 400 {
            Ok(())
        } else {
            Err(ConnectorError::Transient { detail: format!("revoke answered {}", answer.status.as_u16()) })
        }
    }
}

/// The sObject of an entity.
pub(super) const fn object(entity: Entity) -> &'static str {
    match entity {
        Entity::Account => "Account",
        Entity::Contact => "Contact",
        Entity::Opportunity => "Opportunity",
    }
}

fn unreadable(what: &str) -> ConnectorError {
    ConnectorError::Unreadable { detail: what.to_owned() }
}
