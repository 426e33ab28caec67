//! What a CRM's refusal means for a person who waits for the answer. Never the CRM's own text.

use super::ServiceError;
use crate::connectors::ConnectorError;
use crate::engine::AccessError;
use crate::model::Provider;

/// Why a connection cannot be called.
pub(super) fn access_refused(provider: Provider, error: AccessError) -> ServiceError {
    let crm = provider.title();
    match error {
        AccessError::Crm(error) => crm_refused(provider, error),
        AccessError::Store(error) => error.into(),
        AccessError::NotConnected => {
            ServiceError::state("connection_not_ready", format!("{crm} is not connected. Connect it, then try again."))
        }
        AccessError::SignInNeeded => ServiceError::state(
            "crm_sign_in_needed",
            format!("{crm} asks for a new sign-in. Press Reconnect; nothing is lost, the next sync goes on from here."),
        ),
        AccessError::NotConfigured { setting } => ServiceError::state(
            "crm_not_configured",
            format!(
                "This server is not registered at {crm} for that. Its administrator sets {setting} and restarts it."
            ),
        ),
        AccessError::Refreshing => ServiceError::unavailable(
            "crm_busy",
            format!("The sign-in to {crm} is being renewed at this moment. Try again in a few seconds."),
        ),
        AccessError::Sealed => ServiceError::state(
            "crm_sign_in_needed",
            format!("The stored sign-in to {crm} does not open with this server's key. Press Reconnect."),
        )
        .caused_by(AccessError::Sealed),
    }
}

/// Why the CRM did not do what it was asked for.
pub(super) fn crm_refused(provider: Provider, error: ConnectorError) -> ServiceError {
    let crm = provider.title();
    let problem = match &error {
        ConnectorError::SignIn { reason } => return sign_in_refused(crm, reason).caused_by(error),
        ConnectorError::TokenExpired => ServiceError::state(
            "crm_sign_in_needed",
            format!("{crm} no longer accepts the sign-in. Press Reconnect; nothing is lost."),
        ),
        ConnectorError::Configuration { .. } => ServiceError::state(
            "crm_user_without_api",
            format!("This {crm} user may not use the API. Grant it there, or sign in as another user."),
        ),
        ConnectorError::RateLimited { .. } => ServiceError::unavailable(
            "crm_limited",
            format!("{crm} takes no more calls at the moment: a limit is used up. Try again later."),
        ),
        ConnectorError::Transient { .. } | ConnectorError::Unknown { .. } => ServiceError::unavailable(
            "crm_unavailable",
            format!("{crm} did not answer. Nothing was changed; try again in a minute."),
        ),
        ConnectorError::Unreadable { .. } | ConnectorError::PositionExpired => ServiceError::unavailable(
            "crm_unreadable",
            format!("{crm} answered something that cannot be read, which it does during maintenance. Try again later."),
        ),
        ConnectorError::Rejected { .. } => ServiceError::state(
            "crm_refused",
            format!("{crm} refused the request. Start again; if it stays, tell support the incident number."),
        ),
    };
    problem.caused_by(error)
}

fn sign_in_refused(crm: &str, reason: &str) -> ServiceError {
    match reason {
        "invalid_client" | "invalid_client_id" | "redirect_uri_mismatch" | "unsupported_grant_type" => {
            ServiceError::state(
                "crm_client_refused",
                format!(
                    "{crm} does not accept this server as a client. Its administrator checks client id, secret and callback address."
                ),
            )
        }
        "ip_restricted" => ServiceError::state(
            "crm_address_refused",
            format!("{crm} does not take calls from this server's address. Allow the address there, then start again."),
        ),
        "inactive_user" | "inactive_org" => ServiceError::state(
            "crm_user_inactive",
            format!("This {crm} user or org is switched off. Sign in as another user."),
        ),
        _ => ServiceError::state(
            "oauth_code_refused",
            format!(
                "{crm} did not accept the answer that it gave, which happens when it is old or was used. Start again."
            ),
        ),
    }
}
