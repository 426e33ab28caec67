//! What the frame around every screen shows.

use serde_json::Value;

use super::{ServiceError, Services, Viewer};
use crate::model::Entity;
use crate::store::{auth, frame};
use crate::view::frame::{FrameStatus, RunningNow};
use crate::view::instant::grouped;
use crate::view::session::Workspace;

/// The run that is on, how many conflicts wait, and the viewer's other workspaces.
pub async fn status(services: &Services, viewer: &Viewer) -> Result<FrameStatus, ServiceError> {
    let mut tx = services.begin(viewer).await?;
    let conflicts_waiting = frame::conflicts_waiting(&mut tx).await?;
    let running = frame::running_run(&mut tx).await?;
    let workspaces = auth::own_workspaces(&mut tx, viewer.user_id).await?;
    tx.commit().await?;
    Ok(FrameStatus {
        conflicts_waiting,
        running: running.map(|run| running_now(run.provider.title(), &run.progress)),
        other_workspaces: workspaces
            .into_iter()
            .filter(|(id, _)| *id != viewer.workspace_id)
            .map(|(id, name)| Workspace { id, name })
            .collect(),
    })
}

fn running_now(crm: &str, progress: &Value) -> RunningNow {
    let entity = progress["entityType"].as_str().map(entity_in_words).unwrap_or_default();
    let doing = match (progress["direction"].as_str(), entity.is_empty()) {
        (_, true) => "starting".to_owned(),
        (Some("push"), false) => format!("pushing {entity}"),
        (Some("pull"), false) => format!("pulling {entity}"),
        (_, false) => format!("syncing {entity}"),
    };
    let processed = progress["processed"].as_i64().unwrap_or(0).max(0);
    let total = progress["total"].as_i64().filter(|total| *total > 0);
    RunningNow {
        crm: crm.to_owned(),
        doing,
        so_far: match (processed, total) {
            (_, Some(total)) => format!("{} of {}", grouped(processed), grouped(total)),
            (0, None) => String::new(),
            (_, None) => format!("{} so far", grouped(processed)),
        },
        percent: total.map(|total| u8::try_from((processed.min(total) * 100) / total).unwrap_or(100)),
    }
}

fn entity_in_words(text: &str) -> String {
    let entity = Entity::from_plural(text).or_else(|| text.parse().ok());
    entity.map(|entity| entity.plural().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn progress_in_words() {
        let progress = json!({ "direction": "pull", "entityType": "contacts", "processed": 3400, "total": 10000 });
        let now = running_now("Salesforce", &progress);
        assert_eq!((now.doing.as_str(), now.so_far.as_str()), ("pulling contacts", "3,400 of 10,000"));
        assert_eq!(now.percent, Some(34));
    }

    #[test]
    fn a_run_without_progress_is_starting() {
        let now = running_now("Salesforce", &json!({}));
        assert_eq!((now.doing.as_str(), now.so_far.as_str(), now.percent), ("starting", "", None));
    }
}
