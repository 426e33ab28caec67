//! What a filter lets through by our own judgement and by Salesforce's, on random records and random filters.

use chrono::TimeDelta;
use crosstie::clock::Clock;
use crosstie::connectors::{EntityDescription, ReadWindow, WindowFilter};
use crosstie::model::{Entity, FilterOperator};
use crosstie::sync::{Filter, FilterContext, validate_filter};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};

use crate::helpers::TestApp;

const RECORDS: usize = 60;
const FILTERS: usize = 300;

/// Texts that tempt: case, quotes, wild cards, escapes, blanks, letters beyond ASCII.
const TEXTS: [&str; 16] = [
    "Acme",
    "ACME",
    "acme ltd",
    "O'Neil",
    "o'neil",
    "50% off",
    "50 off",
    "a_b",
    "axb",
    r"back\slash",
    "M\u{fc}ller",
    "MU\u{308}LLER",
    "\"quoted\"",
    "Acme  Ltd",
    "\u{1f600}",
    "null",
];
const DAYS: [&str; 5] = ["2026-02-28", "2026-03-01", "2026-03-28", "2026-03-29", "2026-03-30"];
const NUMBERS: [&str; 6] = ["0", "-1", "0.1", "1200", "1200.50", "99999999999"];

fn any_record(dice: &mut ChaCha8Rng) -> Json {
    let mut fields = json!({
        "Name": TEXTS.choose(dice), "StageName": "Prospecting", "CloseDate": DAYS.choose(dice),
        "IsPrivate": dice.random_bool(0.5),
    });
    for (field, values) in [("NextStep", &TEXTS[..]), ("Description", &TEXTS[..]), ("Amount", &NUMBERS[..])] {
        if dice.random_bool(0.7) {
            fields[field] = json!(values.choose(dice));
        }
    }
    if dice.random_bool(0.5) {
        fields["Type"] = json!(["New Customer", "Existing Customer - Upgrade"].choose(dice));
    }
    fields
}

fn any_rule(dice: &mut ChaCha8Rng, description: &EntityDescription, users: &[String]) -> Json {
    let field =
        *["Name", "NextStep", "Description", "Amount", "CloseDate", "CreatedDate", "IsPrivate", "Type", "OwnerId"]
            .choose(dice)
            .expect("a field");
    let kind = description.facts(field).expect("a described field").kind;
    let fitting: Vec<FilterOperator> =
        FilterOperator::ALL.iter().copied().filter(|operator| operator.fits(kind)).collect();
    let operator = *fitting.choose(dice).expect("an operator");
    let mut value = || match field {
        "Amount" => json!(NUMBERS.choose(dice)),
        "CloseDate" => json!(DAYS.choose(dice)),
        "CreatedDate" if dice.random_bool(0.5) => json!(DAYS.choose(dice)),
        "CreatedDate" => json!(format!("{}T{:02}:30:00Z", DAYS[3], dice.random_range(0..24))),
        "IsPrivate" => json!(dice.random_bool(0.5)),
        "OwnerId" => json!(users.choose(dice)),
        "Type" => json!(["new customer", "Existing Customer - Upgrade", "x"].choose(dice)),
        _ => {
            let text = *TEXTS.choose(dice).expect("a text");
            let length = dice.random_range(1..=text.chars().count());
            let part: String = text.chars().take(length).collect();
            json!(if part.trim().is_empty() { text.to_owned() } else { part })
        }
    };
    let value = match operator {
        FilterOperator::IsEmpty | FilterOperator::IsNotEmpty => Json::Null,
        FilterOperator::In => json!([value(), value()]),
        FilterOperator::WithinDays => json!(dice.random_range(0..40)),
        _ => value(),
    };
    json!({ "field": field, "operator": operator, "value": value })
}

fn any_group(dice: &mut ChaCha8Rng, description: &EntityDescription, users: &[String], depth: u8) -> Json {
    let terms: Vec<Json> = (0..dice.random_range(1..4))
        .map(|_| {
            if depth > 0 && dice.random_bool(0.3) {
                any_group(dice, description, users, depth - 1)
            } else {
                any_rule(dice, description, users)
            }
        })
        .collect();
    if dice.random_bool(0.5) { json!({ "all": terms }) } else { json!({ "any": terms }) }
}

#[tokio::test]
async fn soql_lets_through_what_the_filter_does() {
    let app = TestApp::start().await;
    let config_id = app.connect_salesforce().await;
    let dice = &mut ChaCha8Rng::seed_from_u64(7);
    // Around the night in which London's clocks go forward.
    app.advance("2026-03-28T20:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().expect("an instant") - app.clock.now());
    for _ in 0..RECORDS {
        app.simulator.create("Opportunity", any_record(dice)).await;
        app.advance(TimeDelta::minutes(37));
    }
    let crm = app.services.crm.open(app.workspace_id, config_id).await.expect("a session");
    let entity = Entity::Opportunity;
    let description = crm.connector.describe(&crm.session, entity).await.expect("a description");
    let fields =
        ["Name", "NextStep", "Description", "Amount", "CloseDate", "CreatedDate", "IsPrivate", "Type", "OwnerId"];
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    let window = |filter| ReadWindow { entity, fields: fields.clone(), since: None, filter };
    let all = crm.connector.read(&crm.session, &window(None), None).await.expect("a page").records;
    assert_eq!(all.len(), RECORDS);
    let mut users: Vec<String> = all.iter().filter_map(|record| record.fields["OwnerId"].clone()).collect();
    users.extend(["current user".to_owned(), "005000000000000AAA".to_owned()]);
    let context = FilterContext::at(app.clock.now(), Some("Europe/London"), users.first().map(String::as_str));
    let (mut complete, mut narrowed) = (0, 0);
    for _ in 0..FILTERS {
        let json = any_group(dice, &description, &users, 2);
        let read = validate_filter(&json, "filter", &|name| description.facts(name), &context);
        let filter: Filter = read.unwrap_or_else(|problems| panic!("{problems:?}: {json}")).expect("rules");
        let judged = |record: &crosstie::connectors::CrmRecord| {
            filter.judge(&context, None, &|name| record.fields.get(name).cloned()).expect("a verdict")
        };
        let ours: Vec<&str> = all.iter().filter(|record| judged(record)).map(|record| record.id.as_str()).collect();
        let narrow = window(Some(WindowFilter { filter: filter.clone(), context: context.clone() }));
        let page =
            crm.connector.read(&crm.session, &narrow, None).await.unwrap_or_else(|error| panic!("{error}: {json}"));
        let theirs: Vec<&str> = page.records.iter().map(|record| record.id.as_str()).collect();
        assert!(ours.iter().all(|id| theirs.contains(id)), "{json}: ours {ours:?}, SOQL's {theirs:?}");
        if let Some(total) = page.total {
            assert_eq!(theirs, ours, "{json}");
            assert_eq!(total, ours.len() as u64);
            complete += 1;
        }
        narrowed += usize::from(theirs.len() < RECORDS);
    }
    assert!(complete > FILTERS / 4 && narrowed > FILTERS / 3, "{complete} said in full, {narrowed} narrowed");
}
