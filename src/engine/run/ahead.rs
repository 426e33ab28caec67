//! The next page of a window, read from the CRM while the present one is being stored.

use std::sync::Arc;

use super::{Step, StepError};
use crate::connectors::{ReadPage, ReadWindow};
use crate::engine::CrmConnection;
use crate::engine::context::EntityContext;
use crate::engine::translate::Transformed;

/// A page read before its step began.
pub(crate) struct Ahead {
    window: ReadWindow,
    at: String,
    /// Counts the call for the step that takes the page.
    connection: Arc<CrmConnection>,
    /// `None`: the CRM did not answer with a page. The step asks again, and meets the error itself.
    page: Option<Read>,
}

/// A page, and what transforms have made of its values already.
pub(crate) struct Read {
    pub page: ReadPage,
    pub transformed: Transformed,
}

impl Step {
    /// One page of a window: as read ahead, or asked for now.
    pub(crate) async fn read_page(&self, window: &ReadWindow, at: Option<&str>) -> Result<Read, StepError> {
        let ahead = self.ahead.lock().await.take();
        if let Some(ahead) = ahead {
            self.count_calls(&ahead.connection).await;
            if ahead.window == *window
                && Some(ahead.at.as_str()) == at
                && let Some(page) = ahead.page
            {
                self.check_wanted().await?;
                return Ok(page);
            }
        }
        let page = self.call(|crm| async move { crm.connector.read(&crm.session, window, at).await }).await?;
        Ok(Read { page, transformed: Transformed::default() })
    }

    /// Reads the page at `at` for the next step. Beside the transaction that stores the present page, never inside it: what
    /// is read waits for that one's commit, and is dropped if there is none. With a `context` its records are expected to be
    /// strangers, and their values are transformed as well.
    pub(crate) async fn read_ahead(&self, window: &ReadWindow, at: Option<&str>, context: Option<&EntityContext>) {
        let Some(at) = at else { return };
        if self.engine.crm.clock.now() >= self.turn_ends || self.check_wanted().await.is_err() {
            return;
        }
        let Ok(connection) = self.engine.crm.open(self.workspace_id, self.connection.id).await else { return };
        let mut read = None;
        if let Ok(page) = connection.connector.read(&connection.session, window, Some(at)).await {
            let transformed = match context {
                Some(context) => Transformed::of_strangers(&self.engine.transforms, context, &page.records).await,
                None => Transformed::default(),
            };
            read = Some(Read { page, transformed });
        }
        let ahead = Ahead { window: window.clone(), at: at.to_owned(), connection: Arc::new(connection), page: read };
        *self.ahead.lock().await = Some(ahead);
    }

    /// Counts the calls of `connection` as this step's.
    async fn count_calls(&self, connection: &Arc<CrmConnection>) {
        let mut opened = self.opened.lock().await;
        match opened.as_ref() {
            Some(own) => own.session.meter.absorb(connection.session.meter.usage()),
            None => *opened = Some(connection.clone()),
        }
    }
}
