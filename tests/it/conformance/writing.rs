//! Updates, creates, deletes, references, values.

use crosstie::connectors::{ConnectorError, KeyLookup, WriteKind, WriteOutcome};
use crosstie::model::Entity;
use serde_json::json;

use super::Fixture;
use super::fixture::{create, record, text, update};

pub async fn an_update_tells_the_values_around_it(crm: Fixture) {
    let (name, phone) = (crm.names.name, crm.names.phone);
    let id = crm.account("Kestrel").await;
    crm.edit(&id, phone, json!("1")).await;
    crm.minutes_pass(5);
    let outcome = crm.write(Entity::Account, &[update(&id, &[(phone, "1")], &[(phone, "2")])]).await.remove(0);
    let WriteOutcome::Done { crm_id, created: false, images } = outcome else { panic!("{outcome:?}") };
    assert_eq!(crm_id, id);
    assert_eq!(images.before, Some(record(&[(phone, "1")])));
    assert_eq!(images.after, Some(record(&[(phone, "2")])));
    assert!(images.edited_before.is_some_and(|at| at < crm.now()));
    let now = crm.by_id(&id).await;
    assert_eq!(images.modified_at, Some(now.modified_at));
    assert_eq!(
        (&now.fields[phone], &now.fields[name]),
        (&text("2"), &text("Kestrel")),
        "only what was sent is changed"
    );
    // Emptied, and the same value again.
    let cleared = crm.write(Entity::Account, &[update(&id, &[(phone, "2")], &[(phone, "")])]).await.remove(0);
    assert!(matches!(cleared, WriteOutcome::Done { .. }), "{cleared:?}");
    assert_eq!(crm.by_id(&id).await.fields[phone], None);
    let again = crm.write(Entity::Account, &[update(&id, &[(phone, "")], &[(phone, "")])]).await.remove(0);
    assert!(matches!(again, WriteOutcome::Done { .. }), "{again:?}");
}

pub async fn an_edit_made_since_the_reading_is_never_lost_silently(crm: Fixture) {
    let phone = crm.names.phone;
    let (moved, still) = (crm.account("Moved").await, crm.account("Still").await);
    crm.edit(&moved, phone, json!("theirs")).await;
    let writes =
        [update(&moved, &[(phone, "")], &[(phone, "ours")]), update(&still, &[(phone, "")], &[(phone, "ours")])];
    let outcomes = crm.write(Entity::Account, &writes).await;
    match &outcomes[0] {
        WriteOutcome::Moved { fields, modified_at, .. } => {
            assert_eq!(fields[phone], text("theirs"));
            assert_eq!(*modified_at, crm.by_id(&moved).await.modified_at);
            assert_eq!(crm.by_id(&moved).await.fields[phone], text("theirs"), "nothing is written");
        }
        WriteOutcome::Done { images, .. } => {
            assert_eq!(images.before, Some(record(&[(phone, "theirs")])), "what was overwritten is told");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(outcomes[1], WriteOutcome::Done { .. }), "{:?}", outcomes[1]);
    assert_eq!(crm.by_id(&still).await.fields[phone], text("ours"));
}

pub async fn one_bad_record_hides_no_others_outcome(crm: Fixture) {
    let (name, phone, employees) = (crm.names.name, crm.names.phone, crm.names.employees);
    let mut updates = Vec::new();
    for number in 0..9 {
        let id = crm.account(&format!("Company {number}")).await;
        updates.push(if number == 4 {
            update(&id, &[(employees, "")], &[(employees, "many")])
        } else {
            update(&id, &[(phone, "")], &[(phone, "2")])
        });
    }
    let outcomes = crm.write(Entity::Account, &updates).await;
    for (place, (write, outcome)) in updates.iter().zip(&outcomes).enumerate() {
        let WriteKind::Update { crm_id, .. } = &write.kind else { panic!("an update") };
        match outcome {
            WriteOutcome::Done { crm_id: done, .. } if place != 4 => assert_eq!(done, crm_id),
            WriteOutcome::Refused(refusal) if place == 4 => {
                let fields: Vec<&str> = refusal.fields.iter().map(String::as_str).collect();
                assert_eq!((refusal.code.as_str(), fields.as_slice()), crm.names.no_number);
                assert!(refusal.retryable && refusal.message.ends_with('.'));
            }
            other => panic!("{place}: {other:?}"),
        }
    }
    let creates: Vec<_> = (0..9)
        .map(|place| {
            let employees_of = if place == 7 { "many" } else { "5" };
            create(&format!("w:{place}"), &[(name, &format!("New {place}")), (employees, employees_of)])
        })
        .collect();
    let outcomes = crm.write(Entity::Account, &creates).await;
    for (place, outcome) in outcomes.iter().enumerate() {
        match outcome {
            WriteOutcome::Done { created: true, crm_id, .. } if place != 7 => {
                assert_eq!(crm.by_id(crm_id).await.fields[name], text(&format!("New {place}")), "in the order asked");
            }
            WriteOutcome::Refused(_) if place == 7 => {}
            other => panic!("{place}: {other:?}"),
        }
    }
}

pub async fn a_create_repeated_makes_one_record(crm: Fixture) {
    let name = crm.names.name;
    let id = crm.created(Entity::Account, "w:1", &[(name, "Kestrel")]).await;
    let writes = [create("w:1", &[(name, "Kestrel")]), create("w:2", &[(name, "Alder")])];
    let outcomes = crm.write(Entity::Account, &writes).await;
    assert!(
        matches!(&outcomes[0], WriteOutcome::Done { crm_id, created: false, .. } if *crm_id == id),
        "{:?}",
        outcomes[0]
    );
    assert!(matches!(&outcomes[1], WriteOutcome::Done { created: true, .. }), "{:?}", outcomes[1]);
    assert_eq!(crm.simulator.records(crm.object(Entity::Account)).await.len(), 2);
}

pub async fn a_create_whose_answer_was_lost_is_found_again(crm: Fixture) {
    let name = crm.names.name;
    let description = crm.described(Entity::Account).await;
    let (_, _, operation) = crm.names.operations;
    let lost = json!([{ "match": { "operation": operation }, "fault": "lost_response", "times": 1 }]);
    crm.simulator.faults(lost).await;
    let writes = [create("w:1", &[(name, "Kestrel")])];
    let answer = crm.connector.write(&crm.session, &description, &writes).await;
    assert!(matches!(answer, Err(ConnectorError::Unknown { .. })), "{answer:?}");
    let field = crm.connector.external_id_field(&description).expect("an external id");
    let lookup = [KeyLookup { field: field.clone(), values: vec!["w:1".to_owned()] }];
    let found = crm.connector.find(&crm.session, Entity::Account, &[name.to_owned(), field], &lookup).await;
    let found = found.expect("records");
    assert_eq!(found.len(), 1);
    let again = crm.write(Entity::Account, &writes).await.remove(0);
    assert!(matches!(&again, WriteOutcome::Done { crm_id, created: false, .. } if *crm_id == found[0].id), "{again:?}");
    assert_eq!(crm.simulator.records(crm.object(Entity::Account)).await.len(), 1);
}

pub async fn a_duplicate_names_the_record_it_collides_with(crm: Fixture) {
    let (last_name, email) = (crm.names.last_name, crm.names.email);
    let fields = [(last_name, "Raman"), (email, "priya.raman@kestrel.example")];
    let first = crm.created(Entity::Contact, "w:1", &fields).await;
    let writes = [create("w:2", &fields), create("w:3", &[(last_name, "Okafor")])];
    let outcomes = crm.write(Entity::Contact, &writes).await;
    match &outcomes[0] {
        WriteOutcome::Duplicate { crm_ids } => assert_eq!(*crm_ids, [first]),
        // A CRM without a rule against them takes two people with one address.
        WriteOutcome::Done { created: true, .. } => assert_eq!(crm.names.objects[1], "Contact"),
        other => panic!("{other:?}"),
    }
    assert!(matches!(&outcomes[1], WriteOutcome::Done { created: true, .. }), "{:?}", outcomes[1]);
}

pub async fn deleting_twice_is_no_mistake(crm: Fixture) {
    let (first, second, kept) = (crm.account("One").await, crm.account("Two").await, crm.account("Three").await);
    let delete = async |ids: &[&String]| {
        let ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
        crm.connector.delete(&crm.session, Entity::Account, &ids).await.expect("outcomes")
    };
    let outcomes = delete(&[&first]).await;
    assert!(matches!(&outcomes[0], WriteOutcome::Done { crm_id, created: false, .. } if *crm_id == first));
    let outcomes = delete(&[&first, &second]).await;
    assert!(matches!(&outcomes[0], WriteOutcome::Done { .. } | WriteOutcome::Gone), "{outcomes:?}");
    assert!(matches!(&outcomes[1], WriteOutcome::Done { crm_id, .. } if *crm_id == second), "{outcomes:?}");
    assert!(delete(&[]).await.is_empty());
    let living = crm.simulator.records(crm.object(Entity::Account)).await;
    assert_eq!(living.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), [kept.as_str()]);
}

pub async fn an_update_of_what_is_gone_says_so(crm: Fixture) {
    let phone = crm.names.phone;
    let (gone, kept) = (crm.account("Gone").await, crm.account("Kept").await);
    crm.simulator.act("delete", crm.object(Entity::Account), &gone).await;
    let writes = [update(&gone, &[(phone, "")], &[(phone, "2")]), update(&kept, &[(phone, "")], &[(phone, "2")])];
    let outcomes = crm.write(Entity::Account, &writes).await;
    assert_eq!(outcomes[0], WriteOutcome::Gone);
    assert!(matches!(outcomes[1], WriteOutcome::Done { .. }), "{:?}", outcomes[1]);
}

pub async fn references_are_written_moved_and_cleared(crm: Fixture) {
    let (last_name, account) = (crm.names.last_name, crm.names.account);
    let (first, second) = (crm.account("Kestrel").await, crm.account("Alder").await);
    let id = crm.created(Entity::Contact, "w:1", &[(last_name, "Raman"), (account, &first)]).await;
    let now = async || {
        crm.read(Entity::Contact, &[account], std::slice::from_ref(&id)).await.remove(0).fields[account].clone()
    };
    assert_eq!(now().await.as_deref(), Some(first.as_str()));
    let steps = [(first.as_str(), second.as_str()), (second.as_str(), ""), ("", first.as_str())];
    for (before, after) in steps {
        let outcome =
            crm.write(Entity::Contact, &[update(&id, &[(account, before)], &[(account, after)])]).await.remove(0);
        let WriteOutcome::Done { images, .. } = outcome else { panic!("{before} to {after}: {outcome:?}") };
        assert_eq!(images.before, Some(record(&[(account, before)])));
        assert_eq!(images.after, Some(record(&[(account, after)])));
        assert_eq!(now().await, text(after));
        let told = crm.connector.references(&crm.session, Entity::Contact, account, std::slice::from_ref(&id)).await;
        if let Some(told) = told.expect("references") {
            assert_eq!(told.get(&id), Some(&text(after)), "as the window shows it");
        }
    }
    // A company that is not there, beside one that is.
    let nobody = crm.account("Nobody").await;
    crm.simulator.act("delete", crm.object(Entity::Account), &nobody).await;
    crm.simulator.act("purge", crm.object(Entity::Account), &nobody).await;
    let writes = [
        create("w:2", &[(last_name, "Lost"), (account, &nobody)]),
        create("w:3", &[(last_name, "Found"), (account, &second)]),
    ];
    let outcomes = crm.write(Entity::Contact, &writes).await;
    assert!(matches!(&outcomes[0], WriteOutcome::Refused(_)), "{outcomes:?}");
    assert!(matches!(&outcomes[1], WriteOutcome::Done { created: true, .. }), "{outcomes:?}");
    let outcome =
        crm.write(Entity::Contact, &[update(&id, &[(account, &first)], &[(account, &nobody)])]).await.remove(0);
    let WriteOutcome::Refused(refusal) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.fields, [account.to_owned()]);
    assert_eq!(now().await.as_deref(), Some(first.as_str()), "the company from before stays");
}

pub async fn every_kind_of_value_comes_back_as_it_was_written(crm: Fixture) {
    for entity in Entity::ALL.iter().copied() {
        let samples: Vec<_> = crm.names.samples.iter().filter(|(of, ..)| *of == entity).collect();
        let needed: &[(&str, &str)] = match (entity, crm.names.objects[0]) {
            (Entity::Account, _) => &[(crm.names.name, "Kestrel")],
            (Entity::Contact, _) => &[(crm.names.last_name, "Raman")],
            (Entity::Opportunity, "Account") => {
                &[("Name", "Deal"), ("StageName", "Prospecting"), ("CloseDate", "2026-06-30")]
            }
            (Entity::Opportunity, _) => &[("dealname", "Deal"), ("dealstage", "qualifiedtobuy")],
        };
        let written: Vec<(&str, &str)> = samples.iter().map(|(_, field, given, _)| (*field, *given)).collect();
        let mut fields = needed.to_vec();
        fields.retain(|(field, _)| written.iter().all(|(name, _)| name != field));
        fields.extend(&written);
        let id = crm.created(entity, "w:values", &fields).await;
        let names: Vec<&str> = written.iter().map(|(field, _)| *field).collect();
        let shown = crm.read(entity, &names, std::slice::from_ref(&id)).await.remove(0);
        for (_, field, _, expected) in &samples {
            assert_eq!(shown.fields[*field], text(expected), "{entity} {field}");
        }
        // What may be empty is emptied, and stays so.
        let optional: Vec<&str> =
            names.iter().copied().filter(|name| *name != crm.names.name && *name != "IsPrivate").collect();
        let merged: Vec<(&str, &str)> =
            optional.iter().map(|name| (*name, shown.fields[*name].as_deref().unwrap_or_default())).collect();
        let emptied: Vec<(&str, &str)> = optional.iter().map(|name| (*name, "")).collect();
        let outcome = crm.write(entity, &[update(&id, &merged, &emptied)]).await.remove(0);
        assert!(matches!(outcome, WriteOutcome::Done { .. }), "{entity}: {outcome:?}");
        let shown = crm.read(entity, &optional, &[id]).await.remove(0);
        assert!(shown.fields.values().all(Option::is_none), "{entity}: {:?}", shown.fields);
    }
}
