//! What changed, on its way to the screens.
//!
//! One LISTEN per replica feeds a broadcast; a screen hears *what* changed and fetches it itself.

use tokio::sync::broadcast;
use uuid::Uuid;

/// One thing that changed. Sent as a Postgres notification on [`CHANNEL`], at most one per transaction.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// The workspace whose members hear it.
    pub workspace_id: Uuid,
    /// `run`, `conflict` or `connection`.
    pub topic: String,
    /// Id of the run, conflict or connection.
    pub id: Uuid,
    /// The connection it belongs to.
    pub config_id: Uuid,
}

/// Name of the notification channel.
pub const CHANNEL: &str = "crosstie_events";

/// Fans events out to the open streams of this replica.
#[derive(Debug, Clone)]
pub struct EventBus(broadcast::Sender<Event>);

impl EventBus {
    /// A bus without listeners yet. A listener that falls 256 events behind misses some and refetches anyway.
    pub fn new() -> Self {
        EventBus(broadcast::channel(256).0)
    }

    /// Hands an event to every open stream.
    pub fn publish(&self, event: Event) {
        // Without a listener there is nobody to tell.
        let _ = self.0.send(event);
    }

    /// A new stream's receiver.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

impl Default for EventBus {
    fn default() -> Self {
        Self::new()
    }
}
