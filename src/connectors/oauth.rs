//! OAuth 2.0 authorisation code flow with PKCE, through the `oauth2` crate.

use oauth2::basic::BasicTokenType;
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardTokenResponse, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};

use super::ConnectorError;
use super::http::HttpClient;

/// The client that Crosstie is registered as, and where.
#[derive(Debug, Clone)]
pub struct OAuthSettings {
    /// Client id.
    pub client_id: String,
    /// Client secret.
    pub client_secret: SecretString,
    /// Address of the login host, without a final slash: people consent there.
    pub login_url: String,
    /// Address of the token endpoint, without a final slash; the same where a CRM has one host for both.
    pub api_url: String,
    /// Where the CRM sends the browser back to.
    pub redirect_url: String,
}

/// What an authorisation address carries.
#[derive(Debug, Clone)]
pub struct AuthorizationStart {
    /// Opaque value that comes back unchanged.
    pub state: String,
    /// PKCE verifier (RFC 7636); only its S256 challenge leaves the server.
    pub verifier: String,
}

/// What a token endpoint granted.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token to keep from now on; `None` keeps the one in hand.
    pub refresh_token: Option<SecretString>,
    /// Address of the org's API.
    pub instance_url: String,
    /// Seconds until the access token ends, where the CRM tells.
    pub expires_in_s: Option<i64>,
    /// Scopes granted, space separated.
    pub scope: String,
}

type Client = oauth2::Client<
    oauth2::basic::BasicErrorResponse,
    Tokens,
    oauth2::basic::BasicTokenIntrospectionResponse,
    oauth2::StandardRevocableToken,
    oauth2::basic::BasicRevocationErrorResponse,
    oauth2::EndpointSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
>;

/// A token answer with the members that CRMs add to the standard's.
pub(super) type Tokens = StandardTokenResponse<ExtraMembers, BasicTokenType>;

/// Members that CRMs add to a token answer.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct ExtraMembers {
    /// Address of the org's API (Salesforce dossier 1.3).
    #[serde(default)]
    pub instance_url: Option<String>,
    /// Scopes as a list (HubSpot dossier 1.2); the standard has them as one text.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl oauth2::ExtraTokenFields for ExtraMembers {}

/// Paths of a CRM's OAuth endpoints under its hosts.
#[derive(Debug, Clone, Copy)]
pub(super) struct OAuthPaths<'p> {
    pub authorize: &'p str,
    pub token: &'p str,
}

/// Where the browser goes to grant access: state, and PKCE's S256 challenge of the verifier.
pub(super) fn authorize_url(
    settings: &OAuthSettings,
    paths: OAuthPaths<'_>,
    scopes: &[&str],
    start: &AuthorizationStart,
) -> Result<String, ConnectorError> {
    let verifier = PkceCodeVerifier::new(start.verifier.clone());
    let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier);
    let state = start.state.clone();
    let (url, _) = client(settings, paths)?
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    Ok(url.into())
}

/// Exchanges an authorisation code for tokens.
pub(super) async fn exchange_code(
    http: &HttpClient,
    settings: &OAuthSettings,
    paths: OAuthPaths<'_>,
    code: &str,
    verifier: &str,
) -> Result<Tokens, ConnectorError> {
    client(settings, paths)?
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
        .request_async(http)
        .await
        .map_err(refused)
}

/// Exchanges a refresh token for a new access token.
pub(super) async fn refresh(
    http: &HttpClient,
    settings: &OAuthSettings,
    paths: OAuthPaths<'_>,
    refresh_token: &str,
) -> Result<Tokens, ConnectorError> {
    client(settings, paths)?
        .exchange_refresh_token(&RefreshToken::new(refresh_token.to_owned()))
        .request_async(http)
        .await
        .map_err(refused)
}

/// What a token answer grants; `instance_url` as the CRM names it, else `fallback`.
pub(super) fn grant(tokens: &Tokens, fallback: &str) -> TokenGrant {
    let extra = tokens.extra_fields();
    let standard = tokens.scopes().into_iter().flatten().map(|scope| scope.as_str());
    let scopes: Vec<&str> = standard.chain(extra.scopes.iter().map(String::as_str)).collect();
    let instance_url = extra.instance_url.as_deref().unwrap_or(fallback);
    TokenGrant {
        access_token: tokens.access_token().secret().clone().into(),
        refresh_token: tokens.refresh_token().map(|token| token.secret().clone().into()),
        instance_url: instance_url.trim_end_matches('/').to_owned(),
        expires_in_s: tokens.expires_in().and_then(|life| i64::try_from(life.as_secs()).ok()),
        scope: scopes.join(" "),
    }
}

fn client(settings: &OAuthSettings, paths: OAuthPaths<'_>) -> Result<Client, ConnectorError> {
    let malformed = |what: &str| ConnectorError::Configuration {
        subject: format!("the {what} address"),
        crm_code: "invalid_address".to_owned(),
    };
    let (login, api) = (&settings.login_url, &settings.api_url);
    Ok(oauth2::Client::new(ClientId::new(settings.client_id.clone()))
        .set_client_secret(ClientSecret::new(settings.client_secret.expose_secret().to_owned()))
        // Basic is the crate's default; CRMs want the client in the body.
        .set_auth_type(AuthType::RequestBody)
        .set_auth_uri(AuthUrl::new(format!("{login}{}", paths.authorize)).map_err(|_| malformed("sign-in"))?)
        .set_token_uri(TokenUrl::new(format!("{api}{}", paths.token)).map_err(|_| malformed("token"))?)
        .set_redirect_uri(RedirectUrl::new(settings.redirect_url.clone()).map_err(|_| malformed("callback"))?))
}

type Refusal = RequestTokenError<ConnectorError, oauth2::basic::BasicErrorResponse>;

fn refused(error: Refusal) -> ConnectorError {
    match error {
        RequestTokenError::ServerResponse(answer) => match answer.error().as_ref() {
            "server_error" | "temporarily_unavailable" => {
                ConnectorError::Transient { detail: "the token endpoint is unavailable".to_owned() }
            }
            "rate_limit_exceeded" => {
                ConnectorError::RateLimited { wait: std::time::Duration::from_secs(3600), daily: false }
            }
            code => ConnectorError::SignIn { reason: code.to_owned() },
        },
        RequestTokenError::Request(error) => error,
        RequestTokenError::Parse(_, body) if body.is_empty() => {
            ConnectorError::Transient { detail: "the token endpoint answered nothing".to_owned() }
        }
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            ConnectorError::Unreadable { detail: "a token answer".to_owned() }
        }
    }
}
