//! A person at the CRM's consent page.

use reqwest::Url;

use super::Simulator;

/// What the CRM adds to the address that it sends the browser back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Path and query of that address.
    pub address: String,
    /// The code, if access was allowed.
    pub code: Option<String>,
    /// The state that came back.
    pub state: String,
}

impl Simulator {
    /// Signs in at the address that a sign-in leads to, and allows access.
    pub async fn allow(&self, redirect_url: &str) -> Consent {
        self.decide(redirect_url, "allow").await
    }

    /// The same, and denies access.
    pub async fn deny(&self, redirect_url: &str) -> Consent {
        self.decide(redirect_url, "deny").await
    }

    async fn decide(&self, redirect_url: &str, decision: &str) -> Consent {
        let page = self.http.get(redirect_url).send().await.expect("the consent page");
        assert_eq!(page.status(), 200, "{redirect_url}");
        let url = Url::parse(redirect_url).expect("an address");
        let mut form: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        form.push(("decision".to_owned(), decision.to_owned()));
        // The page's form goes where the page came from.
        let request = self.http.post(format!("{}{}", self.url, url.path())).form(&form);
        let response = request.send().await.expect("an answer");
        let back = response.headers()["location"].to_str().expect("an address");
        let back = Url::parse(back).expect("an address");
        let member = |name: &str| back.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        Consent {
            address: format!("{}?{}", back.path(), back.query().unwrap_or_default()),
            code: member("code"),
            state: member("state").expect("a state"),
        }
    }
}
