//! How a request proves that it comes from the CRM (dossier 5.4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::simulator::digest::{hex, hmac_sha256};

/// What the newest signature decodes in an address before it signs it, and nothing else.
const DECODED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// Version 1: `X-HubSpot-Signature` of what happens to records.
pub(super) fn v1(secret: &str, body: &str) -> String {
    hex(&Sha256::digest(format!("{secret}{body}")))
}

/// Version 2: `X-HubSpot-Signature` of workflows and cards.
#[cfg_attr(not(test), expect(dead_code, reason = "no workflow or card is simulated yet"))]
pub(super) fn v2(secret: &str, method: &str, uri: &str, body: &str) -> String {
    hex(&Sha256::digest(format!("{secret}{method}{uri}{body}")))
}

/// Version 3: `X-HubSpot-Signature-v3`, with the request's time in epoch milliseconds.
pub(super) fn v3(secret: &str, method: &str, uri: &str, body: &str, timestamp: i64) -> String {
    let uri = DECODED
        .iter()
        .fold(uri.to_owned(), |uri, (code, plain)| uri.replace(code, plain).replace(&code.to_ascii_lowercase(), plain));
    STANDARD.encode(hmac_sha256(secret.as_bytes(), format!("{method}{uri}{body}{timestamp}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "sim-secret-0001";
    const URI: &str = "https://engine.example/hooks/hubspot";
    const BODY: &str = r#"[{"eventId":1,"subscriptionId":2,"portalId":3,"appId":4,"occurredAt":1700000000000,"subscriptionType":"contact.propertyChange","attemptNumber":0,"objectId":5,"propertyName":"firstname","propertyValue":"Zoë","changeSource":"CRM_UI","sourceId":"userId:6"}]"#;

    #[test]
    fn each_version_signs_as_the_dossier_says() {
        assert_eq!(BODY.len(), 255);
        assert_eq!(v1(SECRET, BODY), "bbf55f835816bbc239a633e19260c465b227a6c2fc4b8bf705d2246ff58d0f6b");
        assert_eq!(v2(SECRET, "POST", URI, BODY), "f55b4c36ac485f0325c0e2e041b3f6edfd1d3fdef243868ddc8dfd77254503ab");
        let signed = v3(SECRET, "POST", URI, BODY, 1_700_000_000_500);
        assert_eq!(signed, "a0G1xdEMNe2TD0B+2X5ZOQn38QUGjWnOojEVI1PjHsY=");
    }

    #[test]
    fn an_address_is_signed_with_a_dozen_characters_decoded() {
        let decoded = v3(SECRET, "POST", "https://a.example/x?to=https://b.example/;(1,2)", "", 1);
        let encoded = "https://a.example/x?to=https%3a%2F%2Fb.example%2F%3B%281%2c2%29";
        assert_eq!(v3(SECRET, "POST", encoded, "", 1), decoded);
        let kept = |uri: &str| v3(SECRET, "POST", uri, "", 1);
        assert_ne!(kept("https://a.example/x?q=%26"), kept("https://a.example/x?q=&"), "others stay as they are");
    }
}
