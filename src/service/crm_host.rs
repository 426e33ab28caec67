//! Which hosts the server may call: a person or a CRM's answer names one, and it must be a CRM's.

use url::{Host, Url};

use crate::connectors::OAuthSettings;
use crate::model::Provider;

/// What a Salesforce customer's own address ends with.
const MY_DOMAIN: &str = ".my.salesforce.com";

/// What the address of a Salesforce's pages ends with; people copy that one from the browser.
const LIGHTNING: &str = ".lightning.force.com";

/// Hosts of orgs that Salesforce may name in a token answer.
const SALESFORCE: [&str; 3] = [".salesforce.com", ".force.com", ".cloudforce.com"];

/// A customer's own sign-in address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MyDomain {
    /// The host.
    pub host: String,
    /// It is a sandbox by its name.
    pub is_sandbox: bool,
}

/// Reads what a person typed or pasted as My Domain; says in a sentence what is wrong with it.
pub(super) fn my_domain(text: &str) -> Result<MyDomain, String> {
    let wrong = || {
        "This is not a Salesforce My Domain. It looks like kestrel.my.salesforce.com; copy it from Set-up, My Domain."
            .to_owned()
    };
    let text = text.trim().to_ascii_lowercase();
    let address = if text.contains("://") { text } else { format!("https://{text}") };
    let url = Url::parse(&address).map_err(|_| wrong())?;
    let plain =
        url.scheme() == "https" && url.port().is_none() && url.username().is_empty() && url.password().is_none();
    let Some(Host::Domain(host)) = url.host().filter(|_| plain) else { return Err(wrong()) };
    let name = host.strip_suffix(MY_DOMAIN).or_else(|| host.strip_suffix(LIGHTNING)).ok_or_else(wrong)?;
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.split('.').count() > 2 || !name.split('.').all(is_label) {
        return Err(wrong());
    }
    Ok(MyDomain { host: format!("{name}{MY_DOMAIN}"), is_sandbox: name.ends_with(".sandbox") })
}

/// Whether the org's address that a token answer names may be called: a host of the settings, or one of the CRM's.
pub(super) fn may_be_called(provider: Provider, instance_url: &str, settings: &OAuthSettings) -> bool {
    let Ok(instance) = Url::parse(instance_url) else { return false };
    let own = [&settings.login_url, &settings.api_url];
    if own.iter().any(|own| Url::parse(own).is_ok_and(|own| own.origin() == instance.origin())) {
        return true;
    }
    let Some(Host::Domain(host)) = instance.host() else { return false };
    let is_the_crms = match provider {
        Provider::Salesforce => SALESFORCE.iter().any(|suffix| host.ends_with(suffix)),
        // Every account's API is at the one address of the settings.
        Provider::Hubspot => false,
    };
    instance.scheme() == "https" && instance.port().is_none() && is_the_crms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_my_domain_is_read_as_typed_or_pasted() {
        for (text, host, is_sandbox) in [
            ("kestrel.my.salesforce.com", "kestrel.my.salesforce.com", false),
            (" Kestrel.My.Salesforce.com ", "kestrel.my.salesforce.com", false),
            ("https://kestrel.my.salesforce.com/", "kestrel.my.salesforce.com", false),
            ("https://kestrel.lightning.force.com/lightning/page/home", "kestrel.my.salesforce.com", false),
            ("kestrel--partial.sandbox.my.salesforce.com", "kestrel--partial.sandbox.my.salesforce.com", true),
            ("kestrel-dev-ed.develop.my.salesforce.com", "kestrel-dev-ed.develop.my.salesforce.com", false),
        ] {
            assert_eq!(my_domain(text), Ok(MyDomain { host: host.to_owned(), is_sandbox }), "{text}");
        }
    }

    #[test]
    fn nothing_but_a_salesforce_host_is_a_my_domain() {
        for text in [
            "",
            "salesforce.com",
            ".my.salesforce.com",
            "my.salesforce.com",
            "kestrel.example",
            "localhost",
            "127.0.0.1",
            "169.254.169.254",
            "[::1]",
            "http://kestrel.my.salesforce.com",
            "https://kestrel.my.salesforce.com:8443",
            "https://user:word@kestrel.my.salesforce.com",
            "https://evil.example/kestrel.my.salesforce.com",
            "evil.example#.my.salesforce.com",
            "evil.example?.my.salesforce.com",
            "evil.example\\.my.salesforce.com",
            "kestrel.my.salesforce.com.evil.example",
            "kestrel.my.salesforce.com@evil.example",
            "a.b.c.my.salesforce.com",
            "-.my.salesforce.com",
            "ke strel.my.salesforce.com",
            "javascript://kestrel.my.salesforce.com",
        ] {
            assert!(my_domain(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_org_lies_at_the_sign_in_host_or_at_the_crm() {
        let settings = |login: &str, api: &str| OAuthSettings {
            client_id: String::new(),
            client_secret: String::new().into(),
            login_url: login.to_owned(),
            api_url: api.to_owned(),
            redirect_url: String::new(),
        };
        let may = |instance, login| may_be_called(Provider::Salesforce, instance, &settings(login, login));
        assert!(may("http://127.0.0.1:4801", "http://127.0.0.1:4801"));
        assert!(may("https://kestrel.my.salesforce.com", "https://login.salesforce.com"));
        assert!(!may("http://127.0.0.1:4802", "http://127.0.0.1:4801"));
        assert!(!may("http://kestrel.my.salesforce.com", "https://login.salesforce.com"));
        assert!(!may("https://169.254.169.254", "https://login.salesforce.com"));
        assert!(!may("https://evilsalesforce.com", "https://login.salesforce.com"));
        assert!(!may("nonsense", "https://login.salesforce.com"));
        let hubspot = settings("https://app.hubspot.com", "https://api.hubapi.com");
        assert!(may_be_called(Provider::Hubspot, "https://api.hubapi.com", &hubspot));
        assert!(!may_be_called(Provider::Hubspot, "https://api.hubapi.com.evil.example", &hubspot));
    }
}
