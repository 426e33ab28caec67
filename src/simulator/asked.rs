//! A request, read to its end.

use axum::http::HeaderMap;

/// A request.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Asked {
    /// Parameters of the address.
    pub(super) fn query_pairs(&self) -> impl Iterator<Item = (String, String)> {
        url::form_urlencoded::parse(self.query.as_bytes()).map(|(name, value)| (name.into_owned(), value.into_owned()))
    }

    /// A parameter of the address.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().find(|(given, _)| given == name).map(|(_, value)| value)
    }

    /// A member of a form body.
    pub(super) fn form(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body).find(|(given, _)| given == name).map(|(_, value)| value.into_owned())
    }

    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The token of one of these authorisation schemes.
    pub(super) fn token(&self, schemes: &[&str]) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)).then(|| token.trim())
    }

    /// Scheme and host that the request was sent to.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.header("host").unwrap_or("127.0.0.1"))
    }

    /// Path and parameters, cut where they are long: for a person's eyes.
    pub(super) fn address(&self) -> String {
        if self.query.is_empty() {
            return self.path.clone();
        }
        format!("{}?{}", self.path, self.query.chars().take(120).collect::<String>())
    }
}

/// A part of a path, decoded; a plus sign is itself.
pub(super) fn decoded(part: &str) -> String {
    let pair = format!("v={}", part.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
