//! Consent, tokens, identity, what may be done.

use crosstie::connectors::{AuthorizationStart, ConnectorError};
use crosstie::model::{Entity, FieldKind};
use secrecy::ExposeSecret as _;

use super::Fixture;

pub async fn a_sign_in_from_consent_to_revocation(crm: Fixture) {
    let settings = crm.client();
    let start = AuthorizationStart { state: "a state".to_owned(), verifier: "v".repeat(64) };
    let address = crm.connector.authorize_url(&settings, &start).expect("an address");
    assert!(address.starts_with(&settings.login_url), "{address}");
    assert!(address.contains("code_challenge_method=S256") && !address.contains(&start.verifier), "{address}");
    let consent = crm.simulator.allow(&address).await;
    assert_eq!(consent.state, "a state");
    let code = consent.code.expect("a code");
    let grant = crm.connector.exchange_code(&settings, &code, &start.verifier).await.expect("tokens");
    assert_eq!(grant.instance_url, settings.api_url);
    assert!(grant.expires_in_s.is_some_and(|life| life > 0));
    assert!(!grant.scope.is_empty(), "what was granted is read back");
    let again = crm.connector.exchange_code(&settings, &code, &start.verifier).await;
    assert!(matches!(again, Err(ConnectorError::SignIn { .. })), "a code is good once: {again:?}");

    let token = grant.refresh_token.expect("a refresh token");
    let fresh = crm.connector.refresh(&settings, token.expose_secret()).await.expect("tokens");
    assert_ne!(fresh.access_token.expose_secret(), grant.access_token.expose_secret());
    let kept = fresh.refresh_token.unwrap_or(token);
    crm.connector.revoke(&settings, kept.expose_secret()).await.expect("revoked");
    crm.connector.revoke(&settings, kept.expose_secret()).await.expect("revoking twice is no mistake");
    let refused = crm.connector.refresh(&settings, kept.expose_secret()).await;
    assert!(matches!(refused, Err(ConnectorError::SignIn { .. })), "{refused:?}");
}

pub async fn who_is_signed_in_and_where(crm: Fixture) {
    let identity = crm.connector.identity(&crm.session).await.expect("an identity");
    assert!(!identity.user_id.is_empty() && !identity.name.is_empty() && !identity.organization_id.is_empty());
    assert!(identity.email.contains('@'), "{identity:?}");
    assert!(identity.time_zone.is_some_and(|zone| zone.contains('/')), "an IANA zone");
    let again = crm.connector.identity(&crm.session).await.expect("an identity");
    assert_eq!(again.organization_id, identity.organization_id);
}

pub async fn what_may_be_done_is_described(crm: Fixture) {
    let names = crm.names;
    let account = crm.connector.describe(&crm.session, Entity::Account).await.expect("a description");
    assert!(account.createable && account.updateable && account.deletable);
    let field = |name: &str| account.field(name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(field(names.name).kind, FieldKind::Text);
    assert_eq!(field(names.phone).kind, FieldKind::Phone);
    assert_eq!(field(names.employees).kind, FieldKind::Number);
    assert!(field(names.phone).updateable && field(names.phone).createable);
    let (choice, ..) = names.choice;
    assert_eq!(field(choice).kind, FieldKind::Choice);
    assert!(field(choice).options.iter().any(|option| option == names.choice.1), "{:?}", field(choice).options);
    assert!(!field(names.read_only).updateable && !field(names.read_only).createable);

    let contact = crm.connector.describe(&crm.session, Entity::Contact).await.expect("a description");
    let reference = contact.field(names.account).expect("the account");
    assert_eq!((reference.kind, reference.references), (FieldKind::Reference, Some(Entity::Account)));
    assert!(reference.createable && reference.updateable);
    assert_eq!(contact.field(names.email).map(|field| field.kind), Some(FieldKind::Email));

    let opportunity = crm.connector.describe(&crm.session, Entity::Opportunity).await.expect("a description");
    let required = opportunity.field(names.required).expect("the stage");
    assert!(required.required && !required.options.is_empty(), "{required:?}");
}

pub async fn people_are_known_by_their_addresses(crm: Fixture) {
    let (name, owner) = (crm.names.name, crm.names.owner);
    let people = crm.connector.people(&crm.session).await.expect("people");
    assert!(people.iter().all(|person| !person.id.is_empty() && person.email.contains('@')), "{people:?}");
    let account = crm.described(Entity::Account).await;
    let field = account.field(owner).expect("the owner");
    assert!(field.person && field.kind == FieldKind::Reference && field.references.is_none(), "{field:?}");
    assert!(!account.field(name).is_some_and(|field| field.person));
    for person in people.iter().filter(|person| person.active) {
        let fields = [(name, person.email.as_str()), (owner, person.id.as_str())];
        let id = crm.created(Entity::Account, &person.id, &fields).await;
        let shown = crm.read(Entity::Account, &[owner], std::slice::from_ref(&id)).await.remove(0);
        assert_eq!(shown.fields[owner].as_ref(), Some(&person.id), "by the id that a record names");
    }
    assert!(people.iter().filter(|person| person.active).count() > 1);
}

pub async fn the_external_id_field_is_there_after_it_was_made(crm: Fixture) {
    for entity in Entity::ALL.iter().copied() {
        let made = crm.connector.make_external_id_field(&crm.session, entity).await.expect("an answer");
        let again = crm.connector.make_external_id_field(&crm.session, entity).await.expect("an answer");
        assert_eq!(made, again, "{entity}: making it twice is no mistake");
        let description = crm.connector.describe(&crm.session, entity).await.expect("a description");
        let field = crm.connector.external_id_field(&description);
        // Where an app may not make it, the simulated CRM's admin has.
        assert!(field.is_some(), "{entity}");
        assert!(description.field(&field.unwrap_or_default()).is_some_and(|field| field.createable));
    }
}
