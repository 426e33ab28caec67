//! Windows, deletions, merges, look-ups.

use std::collections::BTreeSet;

use crosstie::connectors::{ConnectorError, CrmRecord, DeletionQuery, KeyLookup, ReadWindow};
use crosstie::model::Entity;
use serde_json::json;

use super::Fixture;
use super::fixture::{create, text};

const A_FEW_PAGES: usize = 450;

fn ids(records: &[CrmRecord]) -> BTreeSet<String> {
    records.iter().map(|record| record.id.clone()).collect()
}

/// An org with so many accounts.
async fn with_accounts(crm: &Fixture, accounts: usize) {
    let world = json!({ "seed": 1, "accounts": accounts, "contacts": 0, "opportunities": 0 });
    crm.simulator.control("reset", world).await;
}

/// The session after a reset: tokens are gone with the world.
async fn signed_in_again(mut crm: Fixture) -> Fixture {
    let token = crm.simulator.control("token", json!({})).await;
    crm.session.access_token = token["access_token"].as_str().expect("a token").to_owned().into();
    crm
}

pub async fn a_full_read_shows_every_living_record_once_in_the_order_of_ids(crm: Fixture) {
    with_accounts(&crm, A_FEW_PAGES).await;
    let crm = signed_in_again(crm).await;
    let gone = crm.account("Gone").await;
    crm.simulator.act("delete", crm.object(Entity::Account), &gone).await;
    let (records, _) = crm.read_all(&crm.window(None)).await;
    let known = crm.simulator.records(crm.object(Entity::Account)).await;
    assert_eq!(records.len(), A_FEW_PAGES);
    assert!(records.iter().all(|record| !record.deleted && record.modified_at > 0));
    assert!(records.is_sorted_by(|one, next| one.id < next.id), "in the order of ids");
    assert_eq!(ids(&records), known.iter().map(|record| record.id.clone()).collect());
    for (record, known) in records.iter().zip(&known) {
        assert_eq!(record.fields.get(crm.names.name), Some(&known.text(crm.names.name)));
    }
}

pub async fn edits_with_equal_stamps_are_all_shown(crm: Fixture) {
    with_accounts(&crm, A_FEW_PAGES).await;
    let crm = signed_in_again(crm).await;
    crm.minutes_pass(10);
    let since = crm.now();
    let (none, _) = crm.read_all(&crm.window(Some(since))).await;
    assert!(none.is_empty(), "{none:?}");
    let all = crm.simulator.records(crm.object(Entity::Account)).await;
    let edited: BTreeSet<String> = all.iter().take(230).map(|record| record.id.clone()).collect();
    for id in &edited {
        crm.edit(id, crm.names.phone, json!("+1 555 0100")).await;
    }
    let (records, _) = crm.read_all(&crm.window(Some(since))).await;
    assert_eq!(records.len(), edited.len(), "each once");
    assert_eq!(ids(&records), edited);
    assert!(records.iter().all(|record| record.fields[crm.names.phone] == text("+1 555 0100")));
}

pub async fn a_position_is_good_in_another_process(crm: Fixture) {
    with_accounts(&crm, 2300).await;
    let crm = signed_in_again(crm).await;
    let window = crm.window(None);
    let first = crm.connector.read(&crm.session, &window, None).await.expect("a page");
    let position = first.next.expect("more");
    let other = crm.another_connector();
    let next = other.read(&crm.session, &window, Some(&position)).await.expect("a page");
    assert!(!next.records.is_empty());
    assert!(ids(&next.records).is_disjoint(&ids(&first.records)));
    let again = crm.connector.read(&crm.session, &window, Some(&position)).await.expect("a page");
    assert_eq!(again.records, next.records, "a page may be read again");
}

pub async fn a_position_of_another_kind_has_expired(crm: Fixture) {
    for since in [None, Some(crm.now())] {
        let answer = crm.connector.read(&crm.session, &crm.window(since), Some("nonsense")).await;
        assert_eq!(answer, Err(ConnectorError::PositionExpired));
    }
}

pub async fn more_fields_than_a_request_has_room_for_are_read(crm: Fixture) {
    let description = crm.connector.describe(&crm.session, Entity::Account).await.expect("a description");
    let fields: Vec<String> = description.fields.iter().map(|field| field.name.clone()).collect();
    for name in ["One", "Two"] {
        crm.account(name).await;
    }
    for since in [None, Some(0)] {
        let window = ReadWindow { entity: Entity::Account, fields: fields.clone(), since, filter: None };
        let (records, _) = crm.read_all(&window).await;
        let names: Vec<_> = records.iter().map(|record| record.fields[crm.names.name].clone()).collect();
        assert_eq!(names, [text("One"), text("Two")], "{since:?}");
    }
    let lookup = KeyLookup { field: crm.names.name.to_owned(), values: vec!["Two".to_owned()] };
    let found = crm.connector.find(&crm.session, Entity::Account, &fields, &[lookup]).await.expect("records");
    assert_eq!(found.len(), 1);
}

pub async fn deletions_are_told_once_asked_for(crm: Fixture) {
    let object = crm.object(Entity::Account);
    let (early, late, kept) = (crm.account("Early").await, crm.account("Late").await, crm.account("Kept").await);
    crm.minutes_pass(10);
    crm.simulator.act("delete", object, &early).await;
    crm.minutes_pass(10);
    let since = crm.now();
    crm.simulator.act("delete", object, &late).await;
    crm.minutes_pass(1);
    let ask = |since| {
        let query = DeletionQuery { since, thorough: true };
        crm.connector.deleted(&crm.session, Entity::Account, query)
    };
    let told = ask(Some(since)).await.expect("deletions");
    let listed: BTreeSet<&str> = told.records.iter().map(|record| record.id.as_str()).collect();
    assert!(listed.contains(late.as_str()) && !listed.contains(kept.as_str()), "{told:?}");
    assert!(told.complete && told.exhaustive);
    assert!(told.watermark.0 > since - 120_000 && told.watermark.0 <= crm.now() + 1000, "{told:?}");
    let all = ask(Some(since - 15 * 60_000)).await.expect("deletions");
    let listed: BTreeSet<&str> = all.records.iter().map(|record| record.id.as_str()).collect();
    assert!(listed.is_superset(&BTreeSet::from([early.as_str(), late.as_str()])));
    let none = ask(None).await.expect("a watermark");
    assert!(none.records.is_empty());
    assert!(none.watermark.0 > since - 120_000);
    let long_ago = ask(Some(since - 200 * 24 * 3_600_000)).await.expect("deletions");
    assert!(!long_ago.complete, "no CRM lists deletions for ever");
}

pub async fn what_was_undeleted_is_shown_alive(crm: Fixture) {
    let object = crm.object(Entity::Account);
    let id = crm.account("Kestrel").await;
    crm.simulator.act("delete", object, &id).await;
    assert!(crm.by_id(&id).await.deleted);
    crm.minutes_pass(10);
    let since = crm.now();
    crm.simulator.act("undelete", object, &id).await;
    let (records, _) = crm.read_all(&crm.window(Some(since))).await;
    assert_eq!(
        records.iter().map(|record| (record.id.as_str(), record.deleted)).collect::<Vec<_>>(),
        [(id.as_str(), false)]
    );
    let back = crm.by_id(&id).await;
    assert_eq!((back.deleted, back.fields[crm.names.name].clone()), (false, text("Kestrel")));
}

pub async fn a_merge_names_the_survivor(crm: Fixture) {
    let object = crm.object(Entity::Account);
    let (winner, loser) = (crm.account("Winner").await, crm.account("Loser").await);
    crm.minutes_pass(10);
    let since = crm.now();
    crm.simulator.merge(object, &loser, &winner).await;
    let (records, _) = crm.read_all(&crm.window(Some(since))).await;
    let lost = records.iter().find(|record| record.id == loser).expect("the loser");
    assert_eq!((lost.deleted, lost.merged_into.as_deref()), (true, Some(winner.as_str())));
    let kept = records.iter().find(|record| record.id == winner).expect("the winner");
    assert_eq!((kept.deleted, kept.merged_into.as_deref()), (false, None));
    let asked = crm.read(Entity::Account, &[crm.names.name], std::slice::from_ref(&loser)).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!((asked[0].id.as_str(), asked[0].merged_into.as_deref()), (loser.as_str(), Some(winner.as_str())));
}

pub async fn records_by_id_include_deleted_ones_and_leave_out_what_is_not_there(crm: Fixture) {
    let object = crm.object(Entity::Account);
    let mut wanted = Vec::new();
    for number in 0..120 {
        wanted.push(crm.account(&format!("Company {number}")).await);
    }
    crm.simulator.act("delete", object, &wanted[7]).await;
    crm.simulator.act("purge", object, &wanted[8]).await;
    let found = crm.read(Entity::Account, &[crm.names.name], &wanted).await;
    assert_eq!(found.len(), 119);
    let of = |id: &str| found.iter().find(|record| record.id == id);
    assert!(of(&wanted[7]).is_some_and(|record| record.deleted));
    assert!(of(&wanted[8]).is_none(), "that it answers nothing proves nothing");
    assert_eq!(of(&wanted[119]).expect("the last").fields[crm.names.name], text("Company 119"));
    assert!(crm.read(Entity::Account, &[crm.names.name], &[]).await.is_empty());
}

pub async fn records_are_found_by_key_and_by_external_id(crm: Fixture) {
    let description = crm.described(Entity::Account).await;
    let external = crm.connector.external_id_field(&description).expect("an external id");
    let ours = crm.created(Entity::Account, "w:1", &[(crm.names.name, "Ours")]).await;
    let twins = [crm.account("O'Neil & Söhne").await, crm.account("O'Neil & Söhne").await];
    crm.account("Somebody else").await;
    let gone = crm.account("Gone").await;
    crm.simulator.act("delete", crm.object(Entity::Account), &gone).await;
    let fields = [crm.names.name.to_owned(), external.clone()];
    let lookup = |field: &str, values: &[&str]| KeyLookup {
        field: field.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    let find = async |lookups: &[KeyLookup]| {
        ids(&crm.connector.find(&crm.session, Entity::Account, &fields, lookups).await.expect("records"))
    };
    let names = lookup(crm.names.name, &["O'Neil & Söhne", "Gone", "Nobody"]);
    assert_eq!(find(std::slice::from_ref(&names)).await, twins.iter().cloned().collect());
    let by_external = lookup(&external, &["w:1", "w:2"]);
    assert_eq!(find(std::slice::from_ref(&by_external)).await, BTreeSet::from([ours.clone()]));
    assert_eq!(find(&[by_external, names]).await.len(), 3);
    assert!(find(&[lookup(crm.names.name, &[])]).await.is_empty());
    assert!(find(&[]).await.is_empty());
    // As many as one look-up takes, all of them long.
    let many: Vec<String> =
        (0..200).map(|number| format!("A company with a rather long name, number {number}")).collect();
    let made = many.iter().take(100).enumerate();
    let made: Vec<_> = made.map(|(place, name)| create(&format!("m:{place}"), &[(crm.names.name, name)])).collect();
    crm.write(Entity::Account, &made).await;
    let many = KeyLookup { field: crm.names.name.to_owned(), values: many };
    assert_eq!(find(&[many]).await.len(), 100);
}

pub async fn living_records_are_counted(crm: Fixture) {
    for name in ["One", "Two", "Three"] {
        crm.account(name).await;
    }
    let gone = crm.account("Gone").await;
    crm.simulator.act("delete", crm.object(Entity::Account), &gone).await;
    assert_eq!(crm.connector.count(&crm.session, Entity::Account).await, Ok(3));
}

pub async fn times_of_edits_are_told_by_field_where_a_history_is_kept(crm: Fixture) {
    let (name, phone) = (crm.names.name, crm.names.phone);
    let (id, other) = (crm.account("Kestrel").await, crm.account("Other").await);
    crm.minutes_pass(10);
    let edited = crm.now();
    crm.edit(&id, phone, json!("1")).await;
    crm.minutes_pass(10);
    crm.edit(&id, name, json!("Kestrel & Sons")).await;
    let fields = [name, phone].map(str::to_owned);
    let ids = [id.clone(), "9999999999".to_owned()];
    let times = crm.connector.edit_times(&crm.session, Entity::Account, &ids, &fields).await.expect("times");
    assert!(!times.contains_key(&other), "nobody asked for it");
    if !crm.connector.keeps_history() {
        assert!(times.is_empty());
        return;
    }
    let of = |field: &str| times[&id][field];
    assert!((of(phone) - edited).abs() <= 1000, "{times:?}");
    assert!(of(name) >= of(phone) + 9 * 60_000, "each field has its own: {times:?}");
}
