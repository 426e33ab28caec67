//! Posts what waits in the queue, as often as the account's own clock says (dossier 5.3).

use std::io;
use std::time::Duration;

use reqwest::redirect::Policy;
use tokio::task::JoinSet;
use url::Url;

use super::super::oauth::CLIENT;
use super::super::portal::Portal;
use super::queue::Batch;
use super::signature;
use crate::simulator::skin::Shared;

/// A receiver must answer so fast.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest sleep while nothing is due.
const REST: Duration = Duration::from_secs(3600);

/// A request that is due.
struct Post {
    url: Url,
    batch: Batch,
    /// When its sending began, by the account's clock.
    at: i64,
    twice: bool,
}

/// Posts until it is dropped; comes back only where it cannot begin.
pub(in super::super) async fn deliver(shared: Shared<Portal>) -> io::Error {
    let http = reqwest::Client::builder().timeout(PATIENCE).redirect(Policy::none()).no_proxy().build();
    let http = match http {
        Ok(http) => http,
        Err(error) => return io::Error::other(error),
    };
    let posting = shared.lock().posting.clone();
    let mut under_way = JoinSet::new();
    loop {
        let rest = {
            let mut portal = shared.lock();
            while let Some(post) = next(&mut portal, under_way.len()) {
                under_way.spawn(send(http.clone(), post));
            }
            rest(&portal)
        };
        tokio::select! {
            () = posting.notified() => {}
            Some(sent) = under_way.join_next() => {
                if let Ok((post, taken)) = sent {
                    settle(&mut shared.lock(), &post, taken);
                }
            }
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// The next request that is due, where one more may be under way.
fn next(portal: &mut Portal, under_way: usize) -> Option<Post> {
    let now = portal.now();
    let target = portal.small.webhooks.target.as_ref()?;
    if under_way as u64 >= target.most_at_once {
        return None;
    }
    let url = Url::parse(&target.url).ok()?;
    let batch = portal.queue.take(now, portal.small.seed)?;
    Some(Post { url, batch, at: now, twice: portal.small.posts_twice })
}

/// How long nothing more will be due, unless something happens.
fn rest(portal: &Portal) -> Duration {
    let now = portal.now();
    let until = portal.queue.next_due(now).and_then(|due| u64::try_from(due - now).ok());
    until.map_or(REST, |ms| Duration::from_millis(ms).min(REST))
}

/// Sends one request; tells whether a receiver has taken it.
async fn send(http: reqwest::Client, post: Post) -> (Post, bool) {
    let (secret, uri, body) = (CLIENT.1, post.url.as_str(), &post.batch.body);
    let request = http
        .post(uri)
        .header("content-type", "application/json")
        .header("x-hubspot-signature-version", "v1")
        .header("x-hubspot-signature", signature::v1(secret, body))
        .header("x-hubspot-signature-v3", signature::v3(secret, "POST", uri, body, post.at))
        .header("x-hubspot-request-timestamp", post.at)
        .body(body.clone());
    let again = if post.twice { request.try_clone() } else { None };
    let taken = request.send().await.is_ok_and(|response| response.status().is_success());
    if let Some(again) = again.filter(|_| taken) {
        // It is taken, whatever the receiver says now.
        let _ = again.send().await;
    }
    (post, taken)
}

fn settle(portal: &mut Portal, post: &Post, taken: bool) {
    if taken {
        portal.queue.taken(&post.batch.serials);
    } else {
        // From the beginning, so that a clock that was set meanwhile makes the next attempt due.
        portal.queue.failed(&post.batch.serials, post.at, portal.small.seed);
    }
    // What cannot be written now is written with the next change; until then it would be posted again after a restart.
    let _ = portal.keep();
}
