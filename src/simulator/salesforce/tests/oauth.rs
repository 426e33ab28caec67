//! Sign-in: what is allowed once, and what ends it.

use super::*;

const REDIRECT: &str = "http://127.0.0.1:1/callback";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-standard-0123456789";

fn challenge() -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER))
}

impl Served {
    /// A form to an endpoint: status and JSON.
    async fn form(&self, path: &str, form: &[(&str, &str)]) -> (u16, Json) {
        let url = format!("{}/services/oauth2/{path}", self.url);
        let response = self.http.post(url).form(form).send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    /// Presses a button of the consent page: where the browser is sent.
    async fn decide(&self, changes: &[(&str, &str)]) -> std::collections::HashMap<String, String> {
        let challenge = challenge();
        let mut form = vec![
            ("response_type", "code"),
            ("client_id", "crosstie-demo"),
            ("redirect_uri", REDIRECT),
            ("state", "s 1"),
            ("code_challenge", challenge.as_str()),
            ("scope", "api refresh_token"),
            ("decision", "allow"),
        ];
        for (name, value) in changes {
            form.retain(|(given, _)| given != name);
            form.push((name, value));
        }
        let url = format!("{}/services/oauth2/authorize", self.url);
        let answer = self.http.post(url).form(&form).send().await.expect("a redirect");
        let location = url::Url::parse(answer.headers()["location"].to_str().expect("text")).expect("an address");
        location.query_pairs().into_owned().collect()
    }

    async fn exchange(&self, code: &str, verifier: &str) -> (u16, Json) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "crosstie-demo"),
            ("client_secret", "crosstie-demo-secret"),
            ("redirect_uri", REDIRECT),
            ("code", code),
            ("code_verifier", verifier),
        ];
        self.form("token", &form).await
    }

    async fn refresh(&self, token: &str) -> (u16, Json) {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", "crosstie-demo"),
            ("client_secret", "crosstie-demo-secret"),
            ("refresh_token", token),
        ];
        self.form("token", &form).await
    }

    async fn granted(&self) -> Json {
        let back = self.decide(&[]).await;
        self.exchange(&back["code"], VERIFIER).await.1
    }
}

#[tokio::test]
async fn consent_exchange_refresh_and_reuse_of_a_rotated_token() {
    let org = served(&small()).await;
    let verifier = "a-verifier-that-is-long-enough-for-the-standard-0123456789";
    let challenge = {
        use base64::Engine as _;
        use sha2::Digest as _;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier))
    };
    let redirect = "http://127.0.0.1:1/callback";
    let asked = [
        ("response_type", "code"),
        ("client_id", "crosstie-demo"),
        ("redirect_uri", redirect),
        ("state", "s 1"),
        ("code_challenge", challenge.as_str()),
        ("scope", "api refresh_token"),
    ];
    let page =
        org.http.get(format!("{}/services/oauth2/authorize", org.url)).query(&asked).send().await.expect("a page");
    assert!(page.text().await.expect("HTML").contains(">Allow<"));
    let mut form = asked.to_vec();
    form.push(("decision", "allow"));
    let allowed =
        org.http.post(format!("{}/services/oauth2/authorize", org.url)).form(&form).send().await.expect("a redirect");
    let location = url::Url::parse(allowed.headers()["location"].to_str().expect("text")).expect("an address");
    let pairs: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!(pairs["state"], "s 1");
    let token_url = format!("{}/services/oauth2/token", org.url);
    let exchange = |verifier: &'static str| {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "crosstie-demo"),
            ("client_secret", "crosstie-demo-secret"),
            ("redirect_uri", redirect),
            ("code", pairs["code"].as_str()),
            ("code_verifier", verifier),
        ];
        org.http.post(&token_url).form(&form).send()
    };
    let granted: Json = exchange(verifier).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(granted["instance_url"], org.url);
    assert!(granted.get("expires_in").is_none(), "Salesforce does not tell");
    let again: Json = exchange(verifier).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(again["error"], "invalid_grant", "a code is good once");
    let refresh = |token: String| {
        let form = [
            ("grant_type", "refresh_token".to_owned()),
            ("client_id", "crosstie-demo".to_owned()),
            ("client_secret", "crosstie-demo-secret".to_owned()),
            ("refresh_token", token),
        ];
        org.http.post(&token_url).form(&form).send()
    };
    let first = granted["refresh_token"].as_str().expect("a refresh token").to_owned();
    let rotated: Json = refresh(first.clone()).await.expect("an answer").json().await.expect("JSON");
    let second = rotated["refresh_token"].as_str().expect("rotation gives a new one").to_owned();
    assert_ne!(first, second);
    let reused: Json = refresh(first).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(reused["error"], "invalid_grant");
    let dead: Json = refresh(second).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(dead["error"], "invalid_grant", "re-use ends the grant");
}

#[tokio::test]
async fn a_code_is_good_once_soon_and_with_its_verifier() {
    let org = served(&small()).await;
    let code = |back: std::collections::HashMap<String, String>| back["code"].clone();
    let wrong = code(org.decide(&[]).await);
    assert_eq!(org.exchange(&wrong, "another").await.1["error"], "invalid_request");
    assert_eq!(org.exchange(&wrong, VERIFIER).await.1["error"], "invalid_grant", "the wrong try has used it up");
    let late = code(org.decide(&[]).await);
    org.control("clock", json!({ "advanceMs": 601_000 })).await;
    assert_eq!(org.exchange(&late, VERIFIER).await.1["error_description"], "expired authorization code");
    assert_eq!(org.exchange("made up", VERIFIER).await.1["error"], "invalid_grant");
    let kept = code(org.decide(&[]).await);
    let (status, granted) = org.exchange(&kept, VERIFIER).await;
    assert_eq!((status, granted["token_type"].as_str()), (200, Some("Bearer")));
    assert!(granted["issued_at"].is_string() && granted["scope"] == "api refresh_token");
}

#[tokio::test]
async fn denial_and_mistakes_come_back_with_the_state() {
    let org = served(&small()).await;
    let denied = org.decide(&[("decision", "deny")]).await;
    assert_eq!((denied["error"].as_str(), denied["state"].as_str()), ("access_denied", "s 1"));
    let bare = org.decide(&[("code_challenge", "")]).await;
    assert_eq!(bare["error"], "invalid_request", "PKCE is required");
    org.control("settings", json!({ "pkceRequired": false })).await;
    assert!(org.decide(&[("code_challenge", "")]).await.contains_key("code"));
    let ask = |changes: &'static [(&'static str, &'static str)]| {
        let url = format!("{}/services/oauth2/authorize", org.url);
        org.http.get(url).query(changes).send()
    };
    let foreign = ask(&[("client_id", "crosstie-demo"), ("redirect_uri", "https://evil.example/")]).await;
    assert_eq!(foreign.expect("an answer").status().as_u16(), 400, "only loopback is registered");
    let unknown = ask(&[("client_id", "x"), ("redirect_uri", "http://127.0.0.1/")]).await;
    assert_eq!(unknown.expect("an answer").status().as_u16(), 400);
    let page = ask(&[
        ("client_id", "crosstie-demo"),
        ("redirect_uri", "http://127.0.0.1:1/callback"),
        ("response_type", "code"),
        ("state", "\"><script>alert(1)</script>"),
    ]);
    let page = page.await.expect("a page").text().await.expect("HTML");
    assert!(page.contains(">Allow</button>") && page.contains(">Deny</button>") && page.contains("SIMULATOR"));
    assert!(!page.contains("<script>"), "what comes in stays text");
    let wrong = [("grant_type", "refresh_token"), ("client_id", "crosstie-demo"), ("client_secret", "x")];
    assert_eq!(org.form("token", &wrong).await.1["error"], "invalid_client");
}

#[tokio::test]
async fn the_sixth_sign_in_ends_the_oldest() {
    let org = served(&small()).await;
    let first = org.granted().await["access_token"].as_str().expect("a token").to_owned();
    for _ in 0..4 {
        org.granted().await;
    }
    assert_eq!(org.get(&first, "/services/data/v62.0/limits").await.0, 200);
    for _ in 0..6 {
        org.token().await;
    }
    assert_eq!(org.get(&first, "/services/data/v62.0/limits").await.0, 200, "the control interface counts apart");
    org.granted().await;
    let (status, error) = org.get(&first, "/services/data/v62.0/limits").await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (401, Some("INVALID_SESSION_ID")));
}

#[tokio::test]
async fn tokens_expire_are_revoked_and_told_about() {
    let org = served(&small()).await;
    let granted = org.granted().await;
    let (access, refresh) =
        (granted["access_token"].as_str().expect("text"), granted["refresh_token"].as_str().expect("text"));
    let introspect = |token: &str| {
        let form = [
            ("token", token.to_owned()),
            ("client_id", "crosstie-demo".to_owned()),
            ("client_secret", "crosstie-demo-secret".to_owned()),
        ];
        org.http.post(format!("{}/services/oauth2/introspect", org.url)).form(&form).send()
    };
    let told: Json = introspect(access).await.expect("an answer").json().await.expect("JSON");
    assert_eq!((told["active"].as_bool(), told["exp"].as_i64()), (Some(true), Some(NOW / 1000 + 7200)));
    let (_, identity) = org.get(access, granted["id"].as_str().expect("text").trim_start_matches(&org.url)).await;
    assert_eq!(identity["email"], "integration@kestrel.example");
    assert_eq!(identity["timezone"], "Europe/London");
    org.pass(7_200_000);
    assert_eq!(org.get(access, "/services/data/v62.0/limits").await.0, 401);
    let fresh = org.refresh(refresh).await.1;
    let fresh = fresh["access_token"].as_str().expect("a token");
    org.control("token/expire", Json::Null).await;
    assert_eq!(org.get(fresh, "/services/data/v62.0/limits").await.0, 401);
    let again = org.granted().await;
    let token = again["refresh_token"].as_str().expect("text");
    assert_eq!(org.form("revoke", &[("token", token)]).await.0, 200);
    assert_eq!(org.form("revoke", &[("token", token)]).await.1["error"], "invalid_token");
    assert_eq!(org.refresh(token).await.1["error"], "invalid_grant");
    assert_eq!(org.get(again["access_token"].as_str().expect("text"), "/services/data/v62.0/limits").await.0, 401);
    let told: Json = introspect(token).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(told, json!({ "active": false }));
}

#[tokio::test]
async fn without_rotation_a_refresh_token_stays_and_an_inactive_person_is_out() {
    let org = served(&small()).await;
    org.control("settings", json!({ "rotation": false })).await;
    let granted = org.granted().await;
    let refresh = granted["refresh_token"].as_str().expect("text");
    for _ in 0..2 {
        let (status, answer) = org.refresh(refresh).await;
        assert_eq!((status, answer.get("refresh_token")), (200, None));
    }
    let user = granted["id"].as_str().and_then(|id| id.rsplit('/').next()).expect("an id");
    org.control("edit", json!({ "object": "User", "id": user, "fields": { "IsActive": false } })).await;
    assert_eq!(org.refresh(refresh).await.1["error"], "inactive_user");
}

#[tokio::test]
async fn a_refresh_token_that_nobody_uses_dies_where_the_app_says_so() {
    let org = served(&small()).await;
    org.control("settings", json!({ "refreshIdleDays": 30, "rotation": false })).await;
    let granted = org.granted().await;
    let refresh = granted["refresh_token"].as_str().expect("text");
    let days = |days: i64| json!({ "advanceMs": days * 24 * 3_600_000 });
    for _ in 0..2 {
        org.control("clock", days(29)).await;
        assert_eq!(org.refresh(refresh).await.0, 200, "each use begins the time anew");
    }
    org.control("clock", days(30)).await;
    assert_eq!(org.refresh(refresh).await.1["error_description"], "expired access/refresh token");
}

#[test]
fn after_3600_logins_of_an_hour_the_next_ones_wait() {
    let mut org = Org::open(&small(), Arc::new(|| NOW)).expect("a world");
    let form = "grant_type=refresh_token&refresh_token=none&client_id=crosstie-demo&client_secret=crosstie-demo-secret";
    let path = "/services/oauth2/token".to_owned();
    let asked = Asked { method: "POST".to_owned(), path, body: form.into(), ..Asked::default() };
    let refused = |org: &mut Org| {
        let answer: Json = serde_json::from_str(&org.answer(&asked).body).expect("JSON");
        answer["error"].as_str().expect("a reason").to_owned()
    };
    // Without HTTP between: it is about the count.
    for _ in 0..3600 {
        assert_eq!(refused(&mut org), "invalid_grant");
    }
    assert_eq!(refused(&mut org), "rate_limit_exceeded");
    org.set_clock(NOW + 3_600_000);
    assert_eq!(refused(&mut org), "invalid_grant", "the next hour has begun");
}

#[tokio::test]
async fn a_session_is_good_on_its_own_instance_alone() {
    let org = served(&small()).await;
    let token = org.token().await;
    let elsewhere = org.url.replace("127.0.0.1", "localhost");
    org.control("instance", json!({ "url": elsewhere })).await;
    let (status, refused) = org.get(&token, "/services/data/v62.0/limits").await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (401, Some("INVALID_SESSION_ID")));
    let granted = org.granted().await;
    let (address, token) = (&granted["instance_url"], granted["access_token"].as_str().expect("text"));
    assert_eq!(*address, json!(elsewhere), "who signs in again is told where the org is");
    let asked = org.http.get(format!("{}/services/data/v62.0/limits", org.url)).bearer_auth(token);
    let host = elsewhere.trim_start_matches("http://");
    assert_eq!(asked.header("host", host).send().await.expect("an answer").status().as_u16(), 200);
}
