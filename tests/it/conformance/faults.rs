//! What goes wrong with a CRM, and what the engine is told of it.

use crosstie::connectors::{AuthorizationStart, ConnectorError, DeletionQuery, KeyLookup, ReadWindow};
use crosstie::model::Entity;
use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};

use super::Fixture;
use super::fixture::{create, update};

fn class(error: &ConnectorError) -> &'static str {
    match error {
        ConnectorError::RateLimited { daily: true, .. } => "daily",
        ConnectorError::RateLimited { .. } => "limited",
        ConnectorError::TokenExpired => "expired",
        ConnectorError::SignIn { .. } => "sign-in",
        ConnectorError::Configuration { .. } => "configuration",
        ConnectorError::PositionExpired => "position",
        ConnectorError::Transient { .. } => "transient",
        ConnectorError::Unknown { .. } => "unknown",
        ConnectorError::Unreadable { .. } => "unreadable",
        ConnectorError::Rejected { .. } => "rejected",
    }
}

/// How a reading and a write end while a fault is on.
async fn classes(crm: &Fixture, fault: Json, id: &str) -> (&'static str, &'static str) {
    let phone = crm.names.phone;
    let description = crm.described(Entity::Account).await;
    let (read, write, _) = crm.names.operations;
    let rule = |operation: &str| {
        let mut rule = fault.clone();
        rule["match"] = json!({ "operation": operation });
        json!([rule])
    };
    crm.simulator.faults(rule(read)).await;
    let reading = crm.connector.read(&crm.session, &crm.window(Some(0)), None).await;
    crm.simulator.faults(rule(write)).await;
    let writes = [update(id, &[], &[(phone, "2")])];
    let writing = crm.connector.write(&crm.session, &description, &writes).await;
    crm.simulator.clear_faults().await;
    (class(&reading.expect_err("a fault")), class(&writing.expect_err("a fault")))
}

pub async fn each_fault_has_its_class(crm: Fixture) {
    let id = crm.account("Kestrel").await;
    for (fault, reading, writing) in [
        (json!({ "fault": "status", "status": 401 }), "expired", "expired"),
        (json!({ "fault": "status", "status": 500 }), "transient", "unknown"),
        (json!({ "fault": "status", "status": 502 }), "transient", crm.names.gateway),
        (json!({ "fault": "maintenance" }), "transient", "unknown"),
        (json!({ "fault": "rate_limit" }), crm.names.limit, crm.names.limit),
        // A write whose connection broke may have been applied: the two cannot be told apart.
        (json!({ "fault": "reset" }), "transient", "unknown"),
        (json!({ "fault": "lost_response" }), "transient", "unknown"),
        (json!({ "fault": "garbage" }), "unreadable", "unknown"),
    ] {
        assert_eq!(classes(&crm, fault.clone(), &id).await, (reading, writing), "{fault}");
    }
    // Tokens that end by themselves, and a grant that is gone.
    crm.simulator.control("token/expire", json!({})).await;
    let expired = crm.connector.identity(&crm.session).await.expect_err("no token");
    assert_eq!(class(&expired), "expired");
    let grant = crm.simulator.control("token", json!({})).await;
    let refresh_token = grant["refresh_token"].as_str().expect("a refresh token").to_owned();
    crm.simulator.control("token/revoke", json!({})).await;
    let gone = crm.connector.refresh(&crm.client(), &refresh_token).await.expect_err("no grant");
    assert_eq!(class(&gone), "sign-in");
    let code = crm.connector.exchange_code(&crm.client(), "no code", "no verifier").await.expect_err("no code");
    assert_eq!(class(&code), "sign-in");
}

pub async fn limits_tell_how_long_to_wait(crm: Fixture) {
    let burst = json!({ "fault": "rate_limit", "match": {}, "times": 1 });
    crm.simulator.faults(json!([burst])).await;
    let limited = crm.connector.count(&crm.session, Entity::Account).await.expect_err("a limit");
    let ConnectorError::RateLimited { wait, .. } = limited else { panic!("{limited:?}") };
    assert!(wait.as_secs() >= 1, "{wait:?}");
    crm.simulator.control("limits", json!({ "daily": 1 })).await;
    let mut last = Ok(0);
    for _ in 0..3 {
        last = crm.connector.count(&crm.session, Entity::Account).await;
    }
    let limited = last.expect_err("the day's limit");
    let ConnectorError::RateLimited { wait, daily: true } = limited else { panic!("{limited:?}") };
    assert!((1..=24 * 3600).contains(&wait.as_secs()), "{wait:?}");
    crm.simulator.control("limits", json!({ "daily": 100 })).await;
    let allowance = crm.connector.allowance(&crm.session).await.expect("the CRM's count");
    assert_eq!(allowance.allowed, 100);
    assert!(allowance.used <= 100);
}

pub async fn every_call_is_counted_as_the_crm_counts_it(crm: Fixture) {
    let (name, phone, last_name, account) = (crm.names.name, crm.names.phone, crm.names.last_name, crm.names.account);
    let id = crm.account("Kestrel").await;
    let description = crm.described(Entity::Account).await;
    let contacts = crm.described(Entity::Contact).await;
    let (connector, session) = (&crm.connector, &crm.session);
    connector.identity(session).await.expect("an identity");
    connector.allowance(session).await.expect("an allowance");
    connector.count(session, Entity::Account).await.expect("a count");
    for since in [None, Some(0)] {
        let window = ReadWindow { entity: Entity::Account, fields: vec![name.to_owned()], since, filter: None };
        connector.read(session, &window, None).await.expect("a page");
        connector.deleted(session, Entity::Account, DeletionQuery { since, thorough: false }).await.expect("deletions");
    }
    crm.by_id(&id).await;
    let lookup = [KeyLookup { field: name.to_owned(), values: vec!["Kestrel".to_owned()] }];
    connector.find(session, Entity::Account, &[name.to_owned()], &lookup).await.expect("records");
    connector.write(session, &description, &[update(&id, &[], &[(phone, "2")])]).await.expect("outcomes");
    connector.write(session, &description, &[create("w:1", &[(name, "Alder")])]).await.expect("outcomes");
    let person = [create("w:1", &[(last_name, "Raman"), (account, &id)])];
    connector.write(session, &contacts, &person).await.expect("outcomes");
    let person = crm.simulator.find(crm.object(Entity::Contact), last_name, "Raman").await.id;
    connector.write(session, &contacts, &[update(&person, &[], &[(account, "")])]).await.expect("outcomes");
    let ids = [person];
    connector.edit_times(session, Entity::Contact, &ids, &[last_name.to_owned()]).await.expect("times");
    connector.references(session, Entity::Contact, account, &ids).await.expect("references");
    connector.delete(session, Entity::Account, &[id]).await.expect("outcomes");
    crm.simulator.faults(json!([{ "match": {}, "fault": "status", "status": 500, "times": 1 }])).await;
    connector.count(session, Entity::Account).await.expect_err("a fault");
    assert_eq!(session.meter.usage().calls, crm.simulator.stats().await.calls);
}

pub async fn nothing_that_is_shown_carries_a_secret(crm: Fixture) {
    let settings = crm.client();
    let start = AuthorizationStart { state: "s".to_owned(), verifier: "v".repeat(64) };
    let address = crm.connector.authorize_url(&settings, &start).expect("an address");
    let consent = crm.simulator.allow(&address).await;
    let grant = crm.connector.exchange_code(&settings, &consent.code.expect("a code"), &start.verifier).await;
    let grant = grant.expect("tokens");
    let shown = format!("{settings:?} {grant:?} {:?} {address}", crm.session);
    let refresh_token = grant.refresh_token.as_ref().expect("a refresh token");
    for secret in
        [settings.client_secret.expose_secret(), grant.access_token.expose_secret(), refresh_token.expose_secret()]
    {
        assert!(!shown.contains(secret));
    }
}
