//! What Postgres's planner knows of the tables.

use sqlx::PgPool;

use super::StoreError;
use crate::model::Entity;

/// Fewer records are found fast whatever the plan.
const MANY: u64 = 1000;

/// Has an entity's tables counted anew before `records` of them are looked up, where a tenth of the links has changed since
/// the last count. That is autovacuum's own rule, without its minute's nap: a first load is over by then, and was planned as
/// if the tables were empty (Postgres reads every link to find two hundred). Only the columns that are searched are looked at.
pub async fn refresh_where_old(pool: &PgPool, entity: Entity, records: u64) -> Result<(), StoreError> {
    if records < MANY {
        return Ok(());
    }
    let mut connection = pool.acquire().await?;
    let is_old = sqlx::query_scalar!(
        r#"SELECT n_mod_since_analyze > 1000 AND n_mod_since_analyze * 10 > n_live_tup AS "is_old!"
           FROM pg_stat_user_tables WHERE relid = 'public.crm_record_links'::regclass"#
    )
    .fetch_optional(&mut *connection)
    .await?;
    if is_old != Some(true) {
        return Ok(());
    }
    let links = "ANALYZE crm_record_links (workspace_id, config_id, entity_type, record_id, crm_record_id, state, due)";
    let accounts = "ANALYZE accounts (workspace_id, id, updated_at, deleted_at)";
    // What an entity refers to is looked up for each of its rows, by a plan that is kept until its table is counted anew.
    let records = match entity {
        Entity::Account => &[accounts] as &[&str],
        Entity::Contact => &[accounts, "ANALYZE contacts (workspace_id, id, updated_at, deleted_at, account_id)"],
        Entity::Opportunity => {
            &[accounts, "ANALYZE opportunities (workspace_id, id, updated_at, deleted_at, account_id)"]
        }
    };
    sqlx::raw_sql(links).execute(&mut *connection).await?;
    for statement in records {
        sqlx::raw_sql(*statement).execute(&mut *connection).await?;
    }
    Ok(())
}
