//! What a step must know of an entity: its mappings, what the CRM shows of it, and the people that they name.

use super::{Step, StepError};
use crate::connectors::EntityDescription;
use crate::engine::context::{EntityContext, lacks_people};
use crate::engine::read;
use crate::model::Entity;
use crate::store::{StoreError, WorkspaceTx, setup};

impl Step {
    /// Begins a transaction with what this run must know of an entity: its mappings, and what the CRM shows of it.
    pub(crate) async fn begin_with_context(&self, entity: Entity) -> Result<(WorkspaceTx, EntityContext), StepError> {
        let mut tx = self.begin().await?;
        let not_before = tx.now() - self.engine.settings.describe_age;
        let stored = read::stored_description(&mut tx, self.connection.id, entity, not_before).await?;
        let mut mappings = setup::mappings(&mut tx, self.connection.id, entity).await?;
        let (description, fetched_at) = match stored {
            Some(stored) if !lacks_people(&stored.0, &mappings) => stored,
            _ => {
                tx.commit().await?;
                let description = self.describe_anew(entity).await?;
                tx = self.begin().await?;
                mappings = setup::mappings(&mut tx, self.connection.id, entity).await?;
                (description, tx.now())
            }
        };
        let now = tx.now();
        let mut context = EntityContext::new(
            &self.connection,
            self.run.direction,
            description,
            &mappings,
            now,
            self.position.let_go.clone(),
        );
        context.is_wary = self.run.is_wary;
        context.is_described = self.run.started_at.is_none_or(|started_at| fetched_at >= started_at);
        Ok((tx, context))
    }

    /// Fetches the description of an entity, with the people where a mapping names them, and stores it.
    pub(super) async fn describe_anew(&self, entity: Entity) -> Result<EntityDescription, StepError> {
        let mut description =
            self.call(|crm| async move { crm.connector.describe(&crm.session, entity).await }).await?;
        let mut tx = self.begin().await?;
        if lacks_people(&description, &setup::mappings(&mut tx, self.connection.id, entity).await?) {
            tx.commit().await?;
            description.people = Some(self.call(|crm| async move { crm.connector.people(&crm.session).await }).await?);
            tx = self.begin().await?;
        }
        let value = serde_json::to_value(&description).map_err(StoreError::from)?;
        setup::store_description(&mut tx, self.connection.id, entity, value).await?;
        let seen: Vec<String> = description.fields.iter().map(|field| field.name.clone()).collect();
        setup::suspend_unseen_mappings(&mut tx, self.connection.id, entity, &seen).await?;
        tx.commit().await?;
        Ok(description)
    }

    /// Has the CRM make the field that makes creates safe to repeat, where records are created there and it is not there yet.
    pub(crate) async fn make_external_id_field(&self, context: EntityContext) -> Result<EntityContext, StepError> {
        let creates = context.pushes && self.connection.options.create_missing;
        if !creates || self.connector()?.external_id_field(&context.description).is_some() {
            return Ok(context);
        }
        let entity = context.entity;
        if !self.call(|crm| async move { crm.connector.make_external_id_field(&crm.session, entity).await }).await? {
            return Ok(context);
        }
        self.describe_anew(entity).await?;
        let (tx, context) = self.begin_with_context(entity).await?;
        tx.commit().await?;
        Ok(context)
    }
}
