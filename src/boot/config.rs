//! Settings: flags before environment before defaults. Whatever is wrong is one sentence that names the setting.

mod files;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr as _;

use secrecy::SecretString;
use sqlx::postgres::PgConnectOptions;

use super::cli::{ServeArgs, ServerArgs};
use crate::connectors::hubspot::API_VERSION;
use crate::engine::CrmClient;
use crate::model::Provider;
use crate::security::Vault;
pub use files::FilesConfig;

const SALESFORCE_LOGIN: &str = "https://login.salesforce.com";

/// Where people consent, and where everything else of HubSpot is (its dossier, 1).
const HUBSPOT_AUTHORIZE: &str = "https://app.hubspot.com";
const HUBSPOT_API: &str = "https://api.hubapi.com";

/// Reads an environment variable; a parameter, so that tests set none.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A setting that stops the start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// It is needed and not there.
    #[error("{setting} is not set: {hint}")]
    Missing {
        /// The variable.
        setting: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// It is there and cannot be read.
    #[error("{setting} is malformed: {expected}")]
    Malformed {
        /// The variable.
        setting: &'static str,
        /// What is expected.
        expected: &'static str,
    },
}

/// Where the data are.
#[derive(Debug, Clone)]
pub struct DataConfig {
    /// Postgres to use; `None` runs an embedded one.
    pub database_url: Option<String>,
    /// Address for LISTEN and migrations where `database_url` goes through a pooler.
    pub direct_url: Option<String>,
    /// Folder of everything that this server keeps outside the database.
    pub data_dir: PathBuf,
}

/// Settings of `serve`.
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// Whether this is a demo.
    pub demo: bool,
    /// Whether the demo starts over.
    pub fresh: bool,
    /// Address to listen at, where one was named.
    pub listen: Option<SocketAddr>,
    /// Address that people reach this server at, where one was named; without a final slash.
    pub public_url: Option<String>,
    /// Workers; 0 serves the web only.
    pub workers: usize,
    /// Seals tokens; a demo makes its own.
    pub secret_key: Option<SecretString>,
    /// OAuth clients registered at real CRMs.
    pub clients: Vec<CrmClient>,
    /// Version of HubSpot's API.
    pub hubspot_version: String,
    /// Where the contents of files are.
    pub files: FilesConfig,
    /// Where the data are.
    pub data: DataConfig,
}

/// The address that is listened at where none is named.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// Reads where the data are.
pub fn data_config(args: &ServerArgs, environment: Environment<'_>) -> Result<DataConfig, ConfigError> {
    let database_url = args.database_url.clone().or_else(|| set(environment, "DATABASE_URL"));
    let direct_url = set(environment, "CROSSTIE_DIRECT_DATABASE_URL");
    for (setting, address) in [("DATABASE_URL", &database_url), ("CROSSTIE_DIRECT_DATABASE_URL", &direct_url)] {
        if address.as_ref().is_some_and(|address| !is_postgres(address)) {
            let expected = "give an address such as postgres://user:password@host:5432/database.";
            return Err(ConfigError::Malformed { setting, expected });
        }
    }
    let data_dir = data_dir(args.data_dir.clone(), environment);
    Ok(DataConfig { direct_url: direct_url.or_else(|| database_url.clone()), database_url, data_dir })
}

/// The data directory: flag, environment, `./data`.
pub fn data_dir(flag: Option<PathBuf>, environment: Environment<'_>) -> PathBuf {
    flag.or_else(|| set(environment, "CROSSTIE_DATA_DIR").map(PathBuf::from)).unwrap_or_else(|| PathBuf::from("data"))
}

/// Reads every setting of `serve`.
pub fn server_config(args: &ServeArgs, environment: Environment<'_>) -> Result<ServerConfig, ConfigError> {
    let data = data_config(&args.server, environment)?;
    Ok(ServerConfig {
        demo: args.demo,
        fresh: args.fresh,
        listen: listen(args, environment)?,
        public_url: public_url(args, environment)?,
        workers: args.workers,
        secret_key: secret_key(args.demo, environment)?,
        hubspot_version: hubspot_version(environment)?,
        files: files::files_config(&data.data_dir, environment)?,
        clients: salesforce_client(environment)?.into_iter().chain(hubspot_client(environment)?).collect(),
        data,
    })
}

fn listen(args: &ServeArgs, environment: Environment<'_>) -> Result<Option<SocketAddr>, ConfigError> {
    let Some(text) = args.listen.clone().or_else(|| set(environment, "CROSSTIE_LISTEN")) else { return Ok(None) };
    let expected = "give an address and a port such as 127.0.0.1:3000.";
    text.parse().map(Some).map_err(|_| ConfigError::Malformed { setting: "CROSSTIE_LISTEN (--listen)", expected })
}

fn public_url(args: &ServeArgs, environment: Environment<'_>) -> Result<Option<String>, ConfigError> {
    let Some(text) = args.public_url.clone().or_else(|| set(environment, "CROSSTIE_PUBLIC_URL")) else {
        return Ok(None);
    };
    if !is_origin(&text) {
        let expected = "give an address without a path such as https://crosstie.example.com.";
        return Err(ConfigError::Malformed { setting: "CROSSTIE_PUBLIC_URL (--public-url)", expected });
    }
    Ok(Some(text.trim_end_matches('/').to_owned()))
}

fn secret_key(demo: bool, environment: Environment<'_>) -> Result<Option<SecretString>, ConfigError> {
    let setting = "CROSSTIE_SECRET_KEY";
    match set(environment, setting) {
        Some(key) if Vault::new(&key).is_ok() => Ok(Some(key.into())),
        Some(_) => Err(ConfigError::Malformed {
            setting,
            expected: "give 32 bytes in base64, for example from `openssl rand -base64 32`.",
        }),
        None if demo => Ok(None),
        None => Err(ConfigError::Missing {
            setting,
            hint: "it seals the CRMs' tokens; make one with `openssl rand -base64 32` and keep it safe.",
        }),
    }
}

fn salesforce_client(environment: Environment<'_>) -> Result<Option<CrmClient>, ConfigError> {
    let expected = "give an address without a path such as https://login.salesforce.com.";
    let login_url = origin(environment, "CROSSTIE_SALESFORCE_LOGIN_URL", SALESFORCE_LOGIN, expected)?;
    let pair = pair(environment, "CROSSTIE_SALESFORCE_CLIENT_ID", "CROSSTIE_SALESFORCE_CLIENT_SECRET")?;
    Ok(pair.map(|(client_id, client_secret)| CrmClient {
        provider: Provider::Salesforce,
        simulator: is_loopback(&login_url),
        client_id,
        client_secret,
        login_url,
        api_url: None,
    }))
}

/// A version by the calendar: a year and a month.
fn hubspot_version(environment: Environment<'_>) -> Result<String, ConfigError> {
    let setting = "CROSSTIE_HUBSPOT_API_VERSION";
    let version = set(environment, setting).unwrap_or_else(|| API_VERSION.to_owned());
    let is_digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    match version.split_once('-') {
        Some((year, month)) if is_digits(year, 4) && is_digits(month, 2) => Ok(version),
        _ => Err(ConfigError::Malformed { setting, expected: "give a version of HubSpot's API such as 2026-03." }),
    }
}

fn hubspot_client(environment: Environment<'_>) -> Result<Option<CrmClient>, ConfigError> {
    let expected = "give an address without a path such as https://app.hubspot.com.";
    let login_url = origin(environment, "CROSSTIE_HUBSPOT_AUTHORIZE_URL", HUBSPOT_AUTHORIZE, expected)?;
    let expected = "give an address without a path such as https://api.hubapi.com.";
    let api_url = origin(environment, "CROSSTIE_HUBSPOT_API_URL", HUBSPOT_API, expected)?;
    let pair = pair(environment, "CROSSTIE_HUBSPOT_CLIENT_ID", "CROSSTIE_HUBSPOT_CLIENT_SECRET")?;
    Ok(pair.map(|(client_id, client_secret)| CrmClient {
        provider: Provider::Hubspot,
        simulator: is_loopback(&login_url),
        client_id,
        client_secret,
        login_url,
        api_url: Some(api_url),
    }))
}

/// Id and secret of an app that is registered at a CRM.
fn pair(
    environment: Environment<'_>,
    id: &'static str,
    secret: &'static str,
) -> Result<Option<(String, SecretString)>, ConfigError> {
    let hint = "a connected app has both an id and a secret; set both or neither.";
    match (set(environment, id), set(environment, secret)) {
        (Some(client_id), Some(client_secret)) => Ok(Some((client_id, client_secret.into()))),
        (Some(_), None) => Err(ConfigError::Missing { setting: secret, hint }),
        (None, Some(_)) => Err(ConfigError::Missing { setting: id, hint }),
        (None, None) => Ok(None),
    }
}

fn origin(
    environment: Environment<'_>,
    setting: &'static str,
    usual: &str,
    expected: &'static str,
) -> Result<String, ConfigError> {
    let address = set(environment, setting).unwrap_or_else(|| usual.to_owned());
    if !is_origin(&address) {
        return Err(ConfigError::Malformed { setting, expected });
    }
    Ok(address.trim_end_matches('/').to_owned())
}

/// A variable that is there but empty counts as not set.
fn set(environment: Environment<'_>, name: &str) -> Option<String> {
    environment(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn is_postgres(address: &str) -> bool {
    (address.starts_with("postgres://") || address.starts_with("postgresql://"))
        && PgConnectOptions::from_str(address).is_ok()
}

fn is_origin(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// A CRM on this machine is a simulator: no real one is.
fn is_loopback(address: &str) -> bool {
    url::Url::parse(address).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn read(args: &ServeArgs, variables: &[(&str, &str)]) -> Result<ServerConfig, ConfigError> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        server_config(args, &|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn flags_go_before_the_environment_before_defaults() {
        let args = ServeArgs { listen: Some("127.0.0.1:3001".to_owned()), ..ServeArgs::default() };
        let config =
            read(&args, &[("CROSSTIE_SECRET_KEY", KEY), ("CROSSTIE_LISTEN", "127.0.0.1:3002")]).expect("settings");
        assert_eq!(config.listen, Some(([127, 0, 0, 1], 3001).into()));
        assert_eq!(config.data.data_dir, PathBuf::from("data"));
        assert!(config.data.database_url.is_none() && config.clients.is_empty());
        let args = ServeArgs { demo: true, ..ServeArgs::default() };
        let config = read(
            &args,
            &[("CROSSTIE_DATA_DIR", "/srv/x"), ("DATABASE_URL", ""), ("CROSSTIE_PUBLIC_URL", "https://a.example/")],
        )
        .expect("settings");
        assert_eq!(config.data.data_dir, PathBuf::from("/srv/x"));
        assert!(config.data.database_url.is_none(), "an empty variable is not set");
        assert_eq!(config.public_url.as_deref(), Some("https://a.example"));
    }

    #[test]
    fn what_is_missing_or_malformed_is_named() {
        let demo = ServeArgs { demo: true, ..ServeArgs::default() };
        let cases: [(&ServeArgs, &[(&str, &str)], &str); 15] = [
            (&ServeArgs::default(), &[], "CROSSTIE_SECRET_KEY is not set"),
            (&demo, &[("CROSSTIE_SECRET_KEY", "short")], "CROSSTIE_SECRET_KEY is malformed"),
            (&demo, &[("CROSSTIE_LISTEN", "localhost")], "CROSSTIE_LISTEN (--listen) is malformed"),
            (&demo, &[("CROSSTIE_PUBLIC_URL", "crosstie.example")], "CROSSTIE_PUBLIC_URL (--public-url) is malformed"),
            (
                &demo,
                &[("CROSSTIE_PUBLIC_URL", "https://a.example/x")],
                "CROSSTIE_PUBLIC_URL (--public-url) is malformed",
            ),
            (&demo, &[("DATABASE_URL", "mysql://x")], "DATABASE_URL is malformed"),
            (&demo, &[("CROSSTIE_DIRECT_DATABASE_URL", "x")], "CROSSTIE_DIRECT_DATABASE_URL is malformed"),
            (&demo, &[("CROSSTIE_SALESFORCE_CLIENT_ID", "x")], "CROSSTIE_SALESFORCE_CLIENT_SECRET is not set"),
            (&demo, &[("CROSSTIE_SALESFORCE_CLIENT_SECRET", "x")], "CROSSTIE_SALESFORCE_CLIENT_ID is not set"),
            (&demo, &[("CROSSTIE_SALESFORCE_LOGIN_URL", "x")], "CROSSTIE_SALESFORCE_LOGIN_URL is malformed"),
            (&demo, &[("CROSSTIE_HUBSPOT_CLIENT_ID", "x")], "CROSSTIE_HUBSPOT_CLIENT_SECRET is not set"),
            (&demo, &[("CROSSTIE_HUBSPOT_CLIENT_SECRET", "x")], "CROSSTIE_HUBSPOT_CLIENT_ID is not set"),
            (&demo, &[("CROSSTIE_HUBSPOT_AUTHORIZE_URL", "x")], "CROSSTIE_HUBSPOT_AUTHORIZE_URL is malformed"),
            (&demo, &[("CROSSTIE_HUBSPOT_API_URL", "https://a.example/crm")], "CROSSTIE_HUBSPOT_API_URL is malformed"),
            (&demo, &[("CROSSTIE_HUBSPOT_API_VERSION", "v3/x")], "CROSSTIE_HUBSPOT_API_VERSION is malformed"),
        ];
        for (args, variables, sentence) in cases {
            let error = read(args, variables).expect_err(sentence).to_string();
            assert!(error.starts_with(sentence), "{error}");
            assert!(error.ends_with('.'), "{error}");
        }
    }

    #[test]
    fn a_login_host_on_this_machine_is_a_simulator() {
        let demo = ServeArgs { demo: true, ..ServeArgs::default() };
        let variables = [("CROSSTIE_SALESFORCE_CLIENT_ID", "a"), ("CROSSTIE_SALESFORCE_CLIENT_SECRET", "b")];
        let client = read(&demo, &variables).expect("settings").clients.remove(0);
        assert_eq!((client.simulator, client.login_url.as_str()), (false, SALESFORCE_LOGIN));
        let local = [variables[0], variables[1], ("CROSSTIE_SALESFORCE_LOGIN_URL", "http://127.0.0.1:4801")];
        assert!(read(&demo, &local).expect("settings").clients[0].simulator);
        let variables = [("CROSSTIE_HUBSPOT_CLIENT_ID", "a"), ("CROSSTIE_HUBSPOT_CLIENT_SECRET", "b")];
        let client = read(&demo, &variables).expect("settings").clients.remove(0);
        assert_eq!((client.simulator, client.login_url.as_str()), (false, HUBSPOT_AUTHORIZE));
        assert_eq!(client.api_url.as_deref(), Some(HUBSPOT_API));
    }
}
