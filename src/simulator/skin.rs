//! The HTTP skin of every simulator: a request is counted, met by faults and limits, answered, and shown on the page.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use tokio::net::TcpListener;
use tower_http::decompression::RequestDecompressionLayer;

use super::asked::Asked;
use super::commands::{self, Commanded};
use super::control::{Fault, FaultKind, Faults, Stats};
use super::net::{Cut, CuttableListener};
use super::reply::Reply;

/// Requests that the page shows.
const RECENT: usize = 20;

/// A request as the page shows it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub at: i64,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub lost: bool,
    pub took_ms: i64,
}

/// What is known of the requests.
#[derive(Debug)]
pub(super) struct Desk {
    pub stats: Stats,
    pub faults: Faults,
    pub recent: VecDeque<Seen>,
    /// Requests since the start.
    pub arrived: u64,
    /// When each request that is not answered yet arrived.
    pub running: BTreeMap<u64, i64>,
}

impl Desk {
    /// Of a new world.
    pub(super) fn new(seed: u64) -> Self {
        Desk {
            stats: Stats::default(),
            faults: Faults::new(seed),
            recent: VecDeque::new(),
            arrived: 0,
            running: BTreeMap::new(),
        }
    }

    /// A new world; what has arrived stays counted, what is running goes on.
    pub(super) fn clear(&mut self, seed: u64) {
        let running = std::mem::take(&mut self.running);
        *self = Desk { arrived: self.arrived, running, ..Desk::new(seed) };
    }
}

/// A request that has come in.
struct Arrival<S: Skin> {
    at: i64,
    fault: Option<Fault>,
    limited: Option<Reply>,
    _running: Running<S>,
}

/// A request that is running until this is dropped, be it answered or given up.
struct Running<S: Skin> {
    shared: Shared<S>,
    number: u64,
}

impl<S: Skin> Drop for Running<S> {
    fn drop(&mut self) {
        self.shared.lock().desk().running.remove(&self.number);
    }
}

/// A CRM behind HTTP.
pub(super) trait Skin: Commanded + Send + Sized + 'static {
    /// Largest body, bytes.
    const LARGEST_BODY: usize;

    /// How it spells its character set.
    const CHARSET: &'static str;

    /// A state that can be gone back to.
    type Savepoint;

    /// The operation that the statistics count a request as (the control interface's list).
    fn operation(asked: &Asked) -> &'static str;

    /// Whether it is for the page where a person allows or denies.
    fn is_consent(asked: &Asked) -> bool;

    /// A request's address as a person may see it: without what a token endpoint is told.
    fn shown(asked: &Asked) -> String;

    /// The refusal of a request that is too long, `address` bytes without its headers.
    fn too_long(asked: &Asked, address: usize) -> Option<Reply>;

    /// The refusal of a body that is too large or not what it says.
    fn body_refused() -> Reply;

    /// Counts a request against the limits; the refusal where one is met.
    fn admit(&mut self, asked: &Asked) -> Option<Reply>;

    /// The refusal of a request that meets the CRM's own rate limit.
    fn rate_limited(&self, asked: &Asked) -> Reply;

    /// An answer of a given status, as the CRM words it.
    fn with_status(&self, asked: &Asked, status: u16) -> Reply;

    /// An answer of a given status and one of the CRM's own codes.
    fn with_code(&self, asked: &Asked, status: u16, _code: &str, _message: Option<&str>) -> Reply {
        self.with_status(asked, status)
    }

    /// The truth.
    fn answer(&mut self, asked: &Asked) -> Reply;

    /// An answer with the headers that every answer carries.
    fn marked(&self, asked: &Asked, reply: Reply) -> Reply;

    /// What time alone does.
    fn tick(&mut self);

    /// Marks the present state.
    fn savepoint(&self) -> Self::Savepoint;

    /// Goes back to it.
    fn roll_back(&mut self, to: Self::Savepoint);

    /// Writes what has changed; where that fails nothing has.
    fn keep(&mut self) -> std::io::Result<()>;

    /// The answer where it could not be written.
    fn unkept(&self) -> Reply;

    /// Works on the world and has what changed on disk before the answer.
    fn kept(&mut self, work: impl FnOnce(&mut Self) -> Reply) -> Reply {
        self.tick();
        let before = self.savepoint();
        let reply = work(self);
        match self.keep() {
            Ok(()) => reply,
            Err(_) => {
                self.roll_back(before);
                self.unkept()
            }
        }
    }
}

/// A CRM that requests share.
pub(super) struct Shared<S>(Arc<Mutex<S>>);

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Shared(self.0.clone())
    }
}

impl<S> std::fmt::Debug for Shared<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Shared")
    }
}

impl<S: Skin> Shared<S> {
    pub(super) fn new(skin: S) -> Self {
        Shared(Arc::new(Mutex::new(skin)))
    }

    /// Serves it until `shutdown`.
    pub(super) async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<()> {
        // Bodies may come gzipped.
        let router = Router::new().fallback(handle::<S>).with_state(self).layer(RequestDecompressionLayer::new());
        let service = router.into_make_service_with_connect_info::<Cut>();
        axum::serve(CuttableListener(listener), service).with_graceful_shutdown(shutdown).await
    }

    /// The CRM, for whoever works on it besides requests.
    pub(super) fn lock(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that reaches the CRM side; tells when, its fault, and the refusal of a limit that it has met.
    fn arrive(&self, asked: &Asked) -> Arrival<S> {
        let mut skin = self.lock();
        let operation = S::operation(asked);
        let desk = skin.desk();
        desk.stats.count(operation);
        desk.arrived += 1;
        let number = desk.arrived;
        let fault = desk.faults.meet(operation, &asked.method, &asked.path, S::is_consent(asked));
        let limited = if operation == "token" { None } else { skin.admit(asked) };
        let at = skin.now();
        skin.desk().running.insert(number, at);
        Arrival { at, fault, limited, _running: Running { shared: self.clone(), number } }
    }

    /// Shows a request on the page and marks its answer.
    fn leave(&self, asked: &Asked, reply: Reply, arrived: i64, lost: bool) -> Reply {
        let mut skin = self.lock();
        let seen = Seen {
            at: arrived,
            method: asked.method.clone(),
            path: S::shown(asked),
            status: reply.status,
            lost,
            took_ms: skin.now() - arrived,
        };
        let recent = &mut skin.desk().recent;
        if recent.len() >= RECENT {
            recent.pop_front();
        }
        recent.push_back(seen);
        skin.marked(asked, reply)
    }
}

async fn handle<S: Skin>(
    State(shared): State<Shared<S>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, S::LARGEST_BODY).await;
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: body.as_ref().map(|body| body.to_vec()).unwrap_or_default(),
    };
    if asked.path == "/" || asked.path.starts_with("/_simulator") {
        return shared.lock().kept(|skin| commands::answer(skin, &asked)).into_response(S::CHARSET);
    }
    let address = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let Arrival { at: arrived, fault, limited, _running } = shared.arrive(&asked);
    if let Some(delay) = fault.as_ref().filter(|fault| fault.fault == FaultKind::Delay) {
        tokio::time::sleep(Duration::from_millis(delay.delay_ms.unwrap_or_default())).await;
    }
    let kind = fault.as_ref().map(|fault| fault.fault);
    if matches!(kind, Some(FaultKind::Reset | FaultKind::LostResponse)) {
        cut.now();
    }
    let reply = match (kind, limited) {
        (Some(FaultKind::Reset), _) => Reply::empty(500),
        (Some(FaultKind::RateLimit), _) => shared.lock().rate_limited(&asked),
        (Some(FaultKind::Garbage), _) => Reply::html(200, "<html><body><h1>Down for maintenance</h1></body></html>"),
        (Some(FaultKind::Maintenance), _) => {
            Reply::html(503, "<html><body><h1>Down for maintenance</h1></body></html>")
        }
        (Some(FaultKind::Status), _) => {
            let status = fault.as_ref().and_then(|fault| fault.status).unwrap_or(500);
            match fault.as_ref().and_then(|fault| Some((fault.code.as_deref()?, fault.message.as_deref()))) {
                Some((code, message)) => shared.lock().with_code(&asked, status, code, message),
                None => shared.lock().with_status(&asked, status),
            }
        }
        (_, Some(refusal)) => refusal,
        _ if body.is_err() => S::body_refused(),
        _ => match S::too_long(&asked, address) {
            Some(refusal) => refusal,
            None => shared.lock().kept(|skin| skin.answer(&asked)),
        },
    };
    let lost = kind == Some(FaultKind::LostResponse);
    shared.leave(&asked, reply, arrived, lost).into_response(S::CHARSET)
}
