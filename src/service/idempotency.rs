//! A request that is sent twice is done once: its answer is kept for a day under the key that the client made up.
//!
//! Per workspace, person, path and key. The same key with another body is a mistake of the client.

use chrono::TimeDelta;

use super::{ServiceError, Services, Viewer};
use crate::security::tokens;
use crate::store::idempotency::{self, RequestId};

const KEPT_FOR: TimeDelta = TimeDelta::hours(24);
/// A request takes less; one that did not end within it died with its process.
const STALLED_AFTER: TimeDelta = TimeDelta::minutes(2);
const LONGEST_KEY: usize = 255;

/// What is to be done with a request.
#[derive(Debug)]
pub enum Turn {
    /// It is new: do it, then [`end`] it.
    New(RequestId),
    /// It was done: answer this.
    Done(Answer),
}

/// An answer as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Type of the body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Takes a request with a key.
pub async fn begin(
    services: &Services,
    viewer: &Viewer,
    key: &str,
    path: &str,
    body: &[u8],
) -> Result<Turn, ServiceError> {
    if key.is_empty() || key.len() > LONGEST_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ServiceError::invalid(
            "Idempotency-Key",
            "An Idempotency-Key has 1 to 255 visible characters, such as a new UUID for each request.",
        ));
    }
    let request = RequestId {
        user_id: viewer.user_id,
        path: path.to_owned(),
        key: key.to_owned(),
        body_hash: tokens::hash(body).to_vec(),
    };
    let mut tx = services.begin(viewer).await?;
    idempotency::remove_old(&mut tx, KEPT_FOR).await?;
    let kept = idempotency::claim(&mut tx, &request, KEPT_FOR, STALLED_AFTER).await?;
    tx.commit().await?;
    let Some(kept) = kept else { return Ok(Turn::New(request)) };
    if kept.body_hash != request.body_hash {
        return Err(ServiceError::invalid(
            "Idempotency-Key",
            "This Idempotency-Key was used with another body. Make a new key for another request.",
        ));
    }
    match kept.status.and_then(|status| u16::try_from(status).ok()) {
        Some(status) => {
            Ok(Turn::Done(Answer { status, content_type: kept.content_type, body: kept.body.unwrap_or_default() }))
        }
        None => Err(ServiceError::state(
            "request_under_way",
            "The same request is still under way. Ask again in a moment for its answer.",
        )),
    }
}

/// Keeps the answer of a new request; one that says "try again" is not kept.
pub async fn end(
    services: &Services,
    viewer: &Viewer,
    request: &RequestId,
    answer: &Answer,
) -> Result<(), ServiceError> {
    let mut tx = services.begin(viewer).await?;
    if answer.status >= 500 || answer.status == 429 {
        idempotency::forget(&mut tx, request).await?;
    } else {
        let content_type = answer.content_type.as_deref();
        idempotency::keep(&mut tx, request, i32::from(answer.status), content_type, &answer.body).await?;
    }
    tx.commit().await?;
    Ok(())
}
