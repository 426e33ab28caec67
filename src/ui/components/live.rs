//! What changed elsewhere, as the screens hear it: one stream per visible tab; a hidden tab closes its own.
//!
//! An event says only *what* changed; a screen fetches the rest through its server function.

use leptos::prelude::*;

use crate::ui::browser;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A run began, went on or ended; its log too.
    Run,
    /// A conflict came, moved or was settled.
    Conflict,
    /// A connection's state or settings.
    Connection,
}

/// Counters that rise with each event, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    run: RwSignal<u64>,
    conflict: RwSignal<u64>,
    connection: RwSignal<u64>,
    now_ms: RwSignal<Option<i64>>,
}

impl Live {
    fn new() -> Self {
        Live {
            run: RwSignal::new(0),
            conflict: RwSignal::new(0),
            connection: RwSignal::new(0),
            now_ms: RwSignal::new(None),
        }
    }

    /// How many events of `topic` came so far. Reading it makes an effect or a resource run again with each.
    pub fn count(self, topic: Topic) -> u64 {
        self.counter(topic).get()
    }

    /// The browser's time, once every half minute; nothing on the server and until hydration is over.
    pub fn now_ms(self) -> Option<i64> {
        self.now_ms.get()
    }

    /// Refetches `resource` with each event of one of `topics`, without showing its fallback.
    pub fn refetch<T: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static>(
        self,
        topics: &'static [Topic],
        resource: Resource<T>,
    ) {
        Effect::new(move |before: Option<u64>| {
            let count = topics.iter().map(|topic| self.count(*topic)).sum();
            if before.is_some_and(|before| before != count) {
                resource.refetch();
            }
            count
        });
    }

    fn counter(self, topic: Topic) -> RwSignal<u64> {
        match topic {
            Topic::Run => self.run,
            Topic::Conflict => self.conflict,
            Topic::Connection => self.connection,
        }
    }
}

/// Provides [`Live`] to everything below, and opens the stream in the browser. Called once, by the frame.
pub fn provide_live() -> Live {
    let live = Live::new();
    provide_context(live);
    Effect::new(move |_| {
        browser::every_half_minute(move |now_ms| live.now_ms.set(Some(now_ms)));
        browser::listen(move |topic| live.counter(topic).update(|count| *count += 1));
    });
    live
}

/// What changed elsewhere. Outside the frame nothing ever does.
pub fn use_live() -> Live {
    use_context().unwrap_or_else(Live::new)
}
