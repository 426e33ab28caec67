//! What a CRM says about its own fields: as last described, or asked for now. And calls to a CRM on a person's behalf.
//!
//! Must not know: what a description is used for. Invariant: the CRM is asked outside of any transaction, and each call is
//! counted on its connection's day.

use std::future::Future;

use chrono::TimeDelta;
use uuid::Uuid;

use super::crm_refusal::{access_refused, crm_refused};
use super::{ServiceError, Services};
use crate::connectors::{ConnectorError, EntityDescription};
use crate::engine::CrmConnection;
use crate::model::{Entity, Provider};
use crate::store::{StoreError, WorkspaceTx, setup};

/// The description as last stored; none before the first one.
pub(super) async fn stored(
    tx: &mut WorkspaceTx,
    config_id: Uuid,
    entity: Entity,
) -> Result<Option<EntityDescription>, ServiceError> {
    let row = setup::description(tx, config_id, entity).await?;
    // What an older version wrote is asked for anew.
    Ok(row.and_then(|(description, _)| serde_json::from_value(description).ok()))
}

/// The description, at most `age` old. Where the CRM does not answer, the stored one is better than none.
pub(super) async fn at_most(
    services: &Services,
    workspace_id: Uuid,
    config_id: Uuid,
    provider: Provider,
    entity: Entity,
    age: TimeDelta,
) -> Result<EntityDescription, ServiceError> {
    let mut tx = services.begin_as_system(workspace_id).await?;
    let row = setup::description(&mut tx, config_id, entity).await?;
    let not_before = tx.now() - age;
    tx.commit().await?;
    let stored = row.and_then(|(value, at)| Some((serde_json::from_value::<EntityDescription>(value).ok()?, at)));
    if let Some((description, at)) = &stored
        && *at >= not_before
    {
        return Ok(description.clone());
    }
    let fetched = call(services, workspace_id, config_id, provider, |crm| async move {
        crm.connector.describe(&crm.session, entity).await
    })
    .await;
    match (fetched, stored) {
        (Ok(description), _) => {
            store(services, workspace_id, config_id, &description).await?;
            Ok(description)
        }
        (Err(_), Some((description, _))) => Ok(description),
        (Err(error), None) => Err(error),
    }
}

/// The description with the CRM's people, asked for where they are not known yet.
pub(super) async fn with_people(
    services: &Services,
    workspace_id: Uuid,
    config_id: Uuid,
    provider: Provider,
    description: EntityDescription,
) -> Result<EntityDescription, ServiceError> {
    if description.people.is_some() {
        return Ok(description);
    }
    let people =
        call(
            services,
            workspace_id,
            config_id,
            provider,
            |crm| async move { crm.connector.people(&crm.session).await },
        );
    Ok(EntityDescription { people: Some(people.await?), ..description })
}

async fn store(
    services: &Services,
    workspace_id: Uuid,
    config_id: Uuid,
    description: &EntityDescription,
) -> Result<(), ServiceError> {
    let mut tx = services.begin_as_system(workspace_id).await?;
    let value = serde_json::to_value(description).map_err(StoreError::from)?;
    setup::store_description(&mut tx, config_id, description.entity, value).await?;
    let seen: Vec<String> = description.fields.iter().map(|field| field.name.clone()).collect();
    setup::suspend_unseen_mappings(&mut tx, config_id, description.entity, &seen).await?;
    tx.commit().await?;
    Ok(())
}

/// Calls a CRM; an access token that is not accepted is refreshed once.
pub(super) async fn call<T, F, Answer>(
    services: &Services,
    workspace_id: Uuid,
    config_id: Uuid,
    provider: Provider,
    make: F,
) -> Result<T, ServiceError>
where
    F: Fn(CrmConnection) -> Answer,
    Answer: Future<Output = Result<T, ConnectorError>>,
{
    let crm = services.crm.open(workspace_id, config_id).await.map_err(|error| access_refused(provider, error))?;
    let session = crm.session.clone();
    let mut answer = make(crm).await;
    let mut meters = vec![session.meter.clone()];
    if matches!(answer, Err(ConnectorError::TokenExpired)) {
        let again = services
            .crm
            .reopen(workspace_id, config_id, &session)
            .await
            .map_err(|error| access_refused(provider, error))?;
        meters.push(again.session.meter.clone());
        answer = make(again).await;
    }
    let mut tx = services.begin_as_system(workspace_id).await?;
    for meter in meters {
        let usage = meter.usage();
        let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let org = (usage.org_allowed > 0).then(|| (signed(usage.org_used), signed(usage.org_allowed)));
        setup::note_calls(&mut tx, config_id, signed(usage.calls), org, usage.clock_difference_ms).await?;
    }
    tx.commit().await?;
    answer.map_err(|error| crm_refused(provider, error))
}
