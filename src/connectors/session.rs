//! What one connection's calls need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use secrecy::SecretString;

use super::{ConnectorError, OAuthSettings};

/// What a call counts as where a CRM limits kinds of calls apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// Any call.
    Usual,
    /// A search (HubSpot dossier 6: five a second for the whole account).
    Search,
}

/// Lets calls go at the pace that a CRM allows; shared by whoever calls the same account.
#[async_trait::async_trait]
pub trait Pace: std::fmt::Debug + Send + Sync {
    /// Waits for the call's turn. Refuses with [`ConnectorError::RateLimited`] where the turn is too far away to wait for.
    async fn admit(&self, kind: CallKind) -> Result<(), ConnectorError>;
}

/// Access to one org for as long as its token lives.
#[derive(Debug, Clone)]
pub struct Session {
    /// Address of the org's API, without a final slash.
    pub instance_url: String,
    /// The access token.
    pub access_token: SecretString,
    /// The client that it was granted to: a CRM may ask for it where it is asked about the token.
    pub client: OAuthSettings,
    /// Counts the calls made.
    pub meter: Arc<CallMeter>,
    /// Lets each call go when it may; `None`: at once.
    pub pace: Option<Arc<dyn Pace>>,
}

/// Calls made, and what the CRM last said about its day.
#[derive(Debug, Default)]
pub struct CallMeter {
    calls: AtomicU64,
    org_used: AtomicU64,
    org_allowed: AtomicU64,
    clock_difference_ms: std::sync::atomic::AtomicI64,
}

/// A reading of a [`CallMeter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallUsage {
    /// Calls made through this session.
    pub calls: u64,
    /// Calls of the whole org in the running day, by the CRM's count; 0 when it has not said.
    pub org_used: u64,
    /// Calls allowed per day; 0 when the CRM has not said.
    pub org_allowed: u64,
    /// The CRM's clock minus ours in milliseconds, by the last answer's `Date`.
    pub clock_difference_ms: i64,
}

impl Session {
    /// Waits until a call may go, and counts it. Every call to the CRM begins with this.
    pub(super) async fn admit(&self, kind: CallKind) -> Result<(), ConnectorError> {
        if let Some(pace) = &self.pace {
            pace.admit(kind).await?;
        }
        self.meter.count();
        Ok(())
    }
}

impl CallMeter {
    /// Counts one call.
    pub fn count(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    /// Takes over what another meter of the same org has counted later.
    pub fn absorb(&self, later: CallUsage) {
        self.calls.fetch_add(later.calls, Ordering::Relaxed);
        if later.org_allowed > 0 {
            self.note_org(later.org_used, later.org_allowed);
        }
        if later.calls > 0 {
            self.note_clock_difference(later.clock_difference_ms);
        }
    }

    /// Notes the org's own count.
    pub fn note_org(&self, used: u64, allowed: u64) {
        self.org_used.store(used, Ordering::Relaxed);
        self.org_allowed.store(allowed, Ordering::Relaxed);
    }

    /// Notes how far the CRM's clock is from ours.
    pub fn note_clock_difference(&self, milliseconds: i64) {
        self.clock_difference_ms.store(milliseconds, Ordering::Relaxed);
    }

    /// What has been counted so far.
    pub fn usage(&self) -> CallUsage {
        CallUsage {
            calls: self.calls.load(Ordering::Relaxed),
            org_used: self.org_used.load(Ordering::Relaxed),
            org_allowed: self.org_allowed.load(Ordering::Relaxed),
            clock_difference_ms: self.clock_difference_ms.load(Ordering::Relaxed),
        }
    }
}
