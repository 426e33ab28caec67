//! What only the control interface can do, grants that end, and faults of the connection.

use super::*;

impl Account {
    /// A form to a token endpoint.
    pub(super) fn form(&mut self, path: &str, form: &[(&str, &str)]) -> (u16, Json) {
        let client = [("client_id", "crosstie-demo"), ("client_secret", "crosstie-demo-secret")];
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).extend_pairs(client).finish();
        let asked =
            Asked { method: "POST".to_owned(), path: path.to_owned(), body: body.into_bytes(), ..Asked::default() };
        let reply = self.portal.answer(&asked);
        (reply.status, serde_json::from_str(&reply.body).unwrap_or(Json::Null))
    }

    fn status(&mut self, path: &str) -> u16 {
        self.ask("GET", path, Json::Null).0
    }
}

#[test]
fn every_record_of_an_object_is_told_with_what_it_is_associated_with() {
    let mut account = account(&small());
    let company = account.create("companies", json!({ "name": "Told" }));
    let contact = account.create("contacts", json!({ "lastname": "Told" }));
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}");
    account.ask("PUT", &path, Json::Null);
    let gone = account.create("contacts", json!({ "lastname": "Gone" }));
    account.ask("DELETE", &format!("/crm/v3/objects/contacts/{gone}"), Json::Null);
    let asked = |object: &str| Asked {
        method: "GET".to_owned(),
        path: format!("/_simulator/records/{object}"),
        ..Asked::default()
    };
    let reply = commands::answer(&mut account.portal, &asked("contacts"));
    assert_eq!((reply.status, reply.content_type), (200, "application/x-ndjson"));
    let lines: Vec<Json> = reply.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 42, "the bin is told too");
    let line = |id: &str| lines.iter().find(|line| line["id"] == id).expect("a line");
    let told = line(&contact);
    assert_eq!((&told["deleted"], &told["fields"]["lastname"]), (&json!(false), &json!("Told")));
    assert_eq!(
        (&told["associations"]["companies"], &told["modifiedAt"]),
        (&json!([company]), &json!(stamps::iso(NOW)))
    );
    assert_eq!(line(&gone)["deleted"], true);
    assert_eq!(commands::answer(&mut account.portal, &asked("0-1")).body, reply.body);
    assert_eq!(commands::answer(&mut account.portal, &asked("widgets")).status, 404);
}

#[test]
fn a_revoked_grant_is_the_end_of_its_tokens() {
    let mut account = account(&small());
    let granted = account.ask("POST", "/_simulator/token", json!({})).1;
    let refresh = granted["refresh_token"].as_str().expect("text").to_owned();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let (status, renewed) = account.form("/oauth/2026-03/token", &form);
    assert_eq!(status, 200, "{renewed}");
    let refresh = renewed["refresh_token"].as_str().expect("text").to_owned();
    // By the application: the access tokens that are out live on.
    let (status, _) = account.form("/oauth/v3/token/revoke", &[("token", refresh.as_str())]);
    assert_eq!((status, account.status("/crm/v3/owners")), (200, 200));
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let (status, dead) = account.form("/oauth/v1/token", &form);
    assert_eq!((status, dead["status"].as_str()), (400, Some("BAD_REFRESH_TOKEN")));
    // By an administrator, who takes the application out: nothing does.
    let granted = account.ask("POST", "/_simulator/token", json!({})).1;
    account.token = granted["access_token"].as_str().expect("text").to_owned();
    assert_eq!(account.status("/crm/v3/owners"), 200);
    assert_eq!(account.ask("POST", "/_simulator/token/revoke", json!({})).0, 200);
    let (status, refused) = account.ask("GET", "/crm/v3/owners", Json::Null);
    assert_eq!((status, refused["category"].as_str()), (401, Some("INVALID_AUTHENTICATION")));
    let refresh = granted["refresh_token"].as_str().expect("text").to_owned();
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(account.form("/oauth/v3/token", &form).1["error"], "invalid_grant");
    assert_eq!(account.form("/oauth/v3/token/introspect", &[("token", &refresh)]).1, json!({ "active": false }));
}

#[test]
fn an_application_signs_in_as_itself_for_what_it_names() {
    let mut account = account(&small());
    let form = [("grant_type", "client_credentials"), ("scope", "crm.objects.owners.read")];
    let (status, granted) = account.form("/oauth/2026-03/token", &form);
    assert_eq!((status, granted["token_use"].as_str()), (200, Some("client_credentials")), "{granted}");
    assert_eq!(granted.get("refresh_token"), None);
    account.token = granted["access_token"].as_str().expect("text").to_owned();
    assert_eq!(account.status("/crm/v3/owners"), 200);
    assert_eq!(account.status("/crm/v3/objects/contacts"), 403);
    let wrong = [("client_id", "stranger"), ("grant_type", "client_credentials")];
    assert_eq!(account.form("/oauth/2026-03/token", &wrong).1["status"], "BAD_CLIENT_ID");
}

impl Served {
    async fn control(&self, path: &str, body: Json) -> Json {
        let request = self.http.post(format!("{}/_simulator/{path}", self.url)).json(&body);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }
}

#[tokio::test]
async fn faults_cut_lose_and_spoil_answers() {
    let hub = served(&small()).await;
    let token = hub.control("token", json!({})).await["access_token"].as_str().expect("a token").to_owned();
    let send = |path: &str, body: Json| {
        hub.http.post(format!("{}/crm/v3/objects/companies{path}", hub.url)).bearer_auth(&token).json(&body).send()
    };
    let create = || send("", json!({ "properties": { "name": "Fault Ltd" } }));
    let count = || async {
        let filter = json!({ "propertyName": "name", "operator": "EQ", "value": "fault ltd" });
        let found = send("/search", json!({ "filters": [filter] })).await.expect("an answer");
        found.json::<Json>().await.expect("JSON")["total"].as_u64().expect("a number")
    };
    let rule = |fault: &str| json!({ "rules": [{ "match": { "operation": "create" }, "fault": fault, "times": 1 }] });
    hub.control("faults", rule("reset")).await;
    assert!(create().await.is_err(), "nothing comes back");
    assert_eq!(count().await, 0, "and nothing was applied");
    hub.control("faults", rule("lost_response")).await;
    assert!(create().await.is_err(), "nothing comes back");
    assert_eq!(count().await, 1, "but it was applied");
    hub.control("faults", rule("garbage")).await;
    let garbage = create().await.expect("an answer");
    assert!(garbage.text().await.expect("text").contains("<html>"));
    hub.control("faults", rule("rate_limit")).await;
    let limited = create().await.expect("an answer");
    assert_eq!(limited.status().as_u16(), 429);
    assert_eq!(limited.json::<Json>().await.expect("JSON")["policyName"], "TEN_SECONDLY_ROLLING");
    assert_eq!((create().await.expect("an answer").status().as_u16(), count().await), (201, 2));
}
