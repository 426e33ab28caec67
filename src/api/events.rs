//! `GET /api/crm/events`: what changed in the viewer's workspace, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::routing::get;
use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::service::events::Event;
use crate::service::{Services, Viewer};

const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// The stream's route. `stopping` ends every open stream, so that the server can.
pub(super) fn router(stopping: CancellationToken) -> Router<Services> {
    Router::new().route(
        "/events",
        get(move |State(services): State<Services>, viewer: Viewer| async move {
            let changes = changes(&services, viewer.workspace_id).take_until(stopping.cancelled_owned());
            Sse::new(changes).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        }),
    )
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    id: Uuid,
    config_id: Uuid,
}

/// What a listener misses because it is too slow it need not hear: the next event makes it fetch everything anyway.
fn changes(services: &Services, workspace_id: Uuid) -> impl Stream<Item = Result<SseEvent, Infallible>> + use<> {
    BroadcastStream::new(services.events.subscribe()).filter_map(move |event| async move {
        let event = event.ok().filter(|event: &Event| event.workspace_id == workspace_id)?;
        let data = serde_json::to_string(&Change { id: event.id, config_id: event.config_id }).ok()?;
        Some(Ok(SseEvent::default().event(event.topic).data(data)))
    })
}
