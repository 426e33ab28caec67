//! Roll-up summary fields: whatever becomes of the children, a parent shows what they come to, and its stamps stay.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::simulator::salesforce::assignment::Assigning;
use crate::simulator::salesforce::ids::Id;
use crate::simulator::salesforce::packed::Value;
use crate::simulator::salesforce::schema::{Object, object_named};
use crate::simulator::salesforce::world::{By, World};

const DATA: &str = "/services/data/v62.0";

fn deal(account: &str, amount: Json) -> Json {
    json!({ "Name": "Roof", "StageName": "Prospecting", "CloseDate": "2026-10-01", "AccountId": account, "Amount": amount })
}

impl Served {
    /// Count and amount that an account shows, with its stamps.
    async fn rolled_up(&self, token: &str, account: &str) -> (String, String) {
        let (status, row) = self.get(token, &format!("{DATA}/sobjects/Account/{account}")).await;
        assert_eq!(status, 200, "{row}");
        let shown = |name: &str| row[name].to_string();
        (
            format!("{} {}", shown("Opportunity_Count__c"), shown("Opportunity_Amount__c")),
            format!("{} {} {}", shown("SystemModstamp"), shown("LastModifiedDate"), shown("LastModifiedById")),
        )
    }

    async fn act(&self, action: &str, object: &str, id: &str, more: Json) {
        let mut body = json!({ "action": action, "object": object, "id": id });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let done = self.control("edit", body).await;
        assert!(done["id"].is_string(), "{done}");
    }
}

#[tokio::test]
async fn an_account_shows_what_its_opportunities_come_to_and_its_stamps_stay() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    let other = org.made(&token, "Account", json!({ "Name": "Heron" })).await;
    let (shown, stamps) = org.rolled_up(&token, &account).await;
    assert_eq!(shown, "0 0");
    let shows = async |expected: &str| {
        org.pass(5_000);
        assert_eq!(org.rolled_up(&token, &account).await, (expected.to_owned(), stamps.clone()));
    };
    org.pass(60_000);
    let first = org.made(&token, "Opportunity", deal(&account, json!(100.10))).await;
    let second = org.made(&token, "Opportunity", deal(&account, json!(0.25))).await;
    org.made(&token, "Opportunity", deal(&account, Json::Null)).await;
    shows("3 100.35").await;
    let path = format!("/sobjects/Opportunity/{first}");
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Amount": -7 })).await.0, 204);
    shows("3 -6.75").await;
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "AccountId": other })).await.0, 204);
    shows("2 0.25").await;
    assert_eq!(org.rolled_up(&token, &other).await.0, "1 -7");
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "AccountId": null })).await.0, 204);
    assert_eq!(org.rolled_up(&token, &other).await.0, "0 0");

    let second_path = format!("/sobjects/Opportunity/{second}");
    assert_eq!(org.send(&token, "DELETE", &second_path, Json::Null).await.0, 204);
    shows("1 0").await;
    org.act("undelete", "Opportunity", &second, json!({})).await;
    shows("2 0.25").await;
    org.act("purge", "Opportunity", &second, json!({})).await;
    shows("1 0").await;
    org.act("edit", "Opportunity", &first, json!({ "fields": { "AccountId": account, "Amount": 5 } })).await;
    shows("2 5").await;

    org.act("merge", "Account", &account, json!({ "mergeInto": other })).await;
    assert_eq!(org.rolled_up(&token, &other).await.0, "2 5");
    let soql = format!("SELECT Opportunity_Count__c, Opportunity_Amount__c FROM Account WHERE Id = '{account}'");
    let loser = org.query(&token, &soql).await.1["records"][0].clone();
    assert_eq!((&loser["Opportunity_Count__c"], &loser["Opportunity_Amount__c"]), (&json!(0), &json!(0)));
    org.act("delete", "Account", &other, json!({})).await;
    org.act("undelete", "Account", &other, json!({})).await;
    assert_eq!(org.rolled_up(&token, &other).await.0, "2 5", "its opportunities went and came with it");
}

#[tokio::test]
async fn a_roll_up_is_described_as_calculated_and_never_written() {
    let org = served(&small()).await;
    let token = org.token().await;
    let (_, described) = org.get(&token, &format!("{DATA}/sobjects/Account/describe")).await;
    let fields = described["fields"].as_array().expect("fields");
    for (name, kind, scale) in [("Opportunity_Count__c", "double", 0), ("Opportunity_Amount__c", "currency", 2)] {
        let field = fields.iter().find(|field| field["name"] == name).expect("the field");
        assert_eq!((field["type"].as_str(), field["scale"].as_i64()), (Some(kind), Some(scale)));
        assert_eq!((&field["calculated"], &field["calculatedFormula"]), (&json!(true), &Json::Null));
        assert_eq!((&field["createable"], &field["updateable"]), (&json!(false), &json!(false)));
        assert_eq!((&field["filterable"], &field["sortable"]), (&json!(true), &json!(true)));
        let refused = |answer: &Json| answer[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE";
        let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
        let write = json!({ name: 3 });
        let (status, answer) = org.send(&token, "PATCH", &format!("/sobjects/Account/{account}"), write).await;
        assert!(status == 400 && refused(&answer), "{answer}");
        let (status, answer) = org.send(&token, "POST", "/sobjects/Account", json!({ "Name": "x", name: 3 })).await;
        assert!(status == 400 && refused(&answer), "{answer}");
    }
    org.control("field-security", json!({ "hidden": ["Account.Opportunity_Amount__c"] })).await;
    let (_, answer) = org.query(&token, "SELECT Opportunity_Amount__c FROM Account").await;
    assert_eq!(answer[0]["errorCode"], "INVALID_FIELD", "it can be hidden as any other");
}

#[tokio::test]
async fn roll_ups_are_queried_as_other_numbers_are() {
    let org = served(&small()).await;
    let token = org.token().await;
    let mut accounts = Vec::new();
    for (name, amounts) in [("One", vec![10]), ("Three", vec![1, 2, 3]), ("None", vec![])] {
        let account = org.made(&token, "Account", json!({ "Name": name, "Site": "Rolled" })).await;
        for amount in amounts {
            org.made(&token, "Opportunity", deal(&account, json!(amount))).await;
        }
        accounts.push(account);
    }
    let names = async |rest: &str| {
        let (status, answer) =
            org.live(&token, &format!("SELECT Name FROM Account WHERE Site = 'Rolled' {rest}")).await;
        assert_eq!(status, 200, "{rest}: {answer}");
        let rows = answer["records"].as_array().cloned().unwrap_or_default();
        rows.iter().filter_map(|row| row["Name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(names("ORDER BY Opportunity_Amount__c DESC").await, ["One", "Three", "None"]);
    assert_eq!(names("ORDER BY Opportunity_Count__c, Name").await, ["None", "One", "Three"]);
    assert_eq!(names("AND Opportunity_Amount__c > 6 ").await, ["One"]);
    assert_eq!(names("AND Opportunity_Count__c IN (0, 3) ORDER BY Name").await, ["None", "Three"]);
    let deals = "SELECT Account.Opportunity_Count__c FROM Opportunity WHERE Account.Opportunity_Amount__c = 6 LIMIT 1";
    let (_, answer) = org.live(&token, deals).await;
    assert_eq!(answer["records"][0]["Account"]["Opportunity_Count__c"], 3);
    let sums = "SELECT SUM(Opportunity_Amount__c) total FROM Account WHERE Site = 'Rolled'";
    assert_eq!(org.live(&token, sums).await.1["records"][0]["total"].as_f64(), Some(16.0));

    let ids = accounts.join(",");
    let found = format!("{DATA}/composite/sobjects/Account?ids={ids}&fields=Opportunity_Count__c");
    let (_, found) = org.get(&token, &found).await;
    let counts: Vec<_> = (0..3).map(|place| found[place]["Opportunity_Count__c"].as_u64()).collect();
    assert_eq!(counts, [Some(1), Some(3), Some(0)]);
    let soql = "SELECT Name, Opportunity_Amount__c FROM Account WHERE Opportunity_Count__c = 3 AND Site = 'Rolled'";
    let job = org.send(&token, "POST", "/jobs/query", json!({ "operation": "query", "query": soql })).await.1;
    let results = format!("{}{DATA}/jobs/query/{}/results", org.url, job["id"].as_str().expect("an id"));
    let rows = org.http.get(results).bearer_auth(&token).send().await.expect("rows").text().await.expect("text");
    assert_eq!(rows, "\"Name\",\"Opportunity_Amount__c\"\n\"Three\",\"6\"\n");
}

#[tokio::test]
async fn every_way_to_write_children_is_reckoned_and_what_falls_counts_nothing() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel", "Crosstie_Id__c": "k" })).await;
    let shows = async |expected: &str| assert_eq!(org.rolled_up(&token, &account).await.0, expected);
    let typed = |mut fields: Json| {
        fields["attributes"] = json!({ "type": "Opportunity" });
        fields
    };
    let both = json!([typed(deal(&account, json!(1))), typed(json!({ "Name": "Unsound", "AccountId": account }))]);
    let all = json!({ "allOrNone": true, "records": both });
    org.send(&token, "POST", "/composite/sobjects", all).await;
    shows("0 0").await;
    org.send(&token, "POST", "/composite/sobjects", json!({ "records": both })).await;
    shows("1 1").await;

    let step = |method: &str, path: &str, name: &str, body: Json| json!({ "method": method, "url": format!("{DATA}{path}"), "referenceId": name, "body": body });
    let read = format!("/sobjects/Account/{account}?fields=Opportunity_Amount__c");
    let steps = |last: Json| {
        json!({ "allOrNone": true, "compositeRequest": [
            step("POST", "/sobjects/Opportunity", "made", deal(&account, json!(2))),
            step("GET", &read, "seen", Json::Null), step("PATCH", "/sobjects/Opportunity/@{made.id}", "changed", last) ]})
    };
    let (_, answer) = org.send(&token, "POST", "/composite", steps(json!({ "Amount": 20 }))).await;
    assert_eq!(answer["compositeResponse"][1]["body"]["Opportunity_Amount__c"], 3, "seen within the call: {answer}");
    shows("2 21").await;
    org.send(&token, "POST", "/composite", steps(json!({ "Amount": "much" }))).await;
    shows("2 21").await;

    let wanted = json!({ "object": "Opportunity", "operation": "insert" });
    let job = org.send(&token, "POST", "/jobs/ingest", wanted).await.1;
    let path = format!("/jobs/ingest/{}", job["id"].as_str().expect("an id"));
    let rows = "Name,StageName,CloseDate,Amount,Account.Crosstie_Id__c\nB,Prospecting,2026-10-01,4.5,k\nC,,,1,k\n";
    let upload = org.http.put(format!("{}{DATA}{path}/batches", org.url)).bearer_auth(&token);
    upload.header("content-type", "text/csv").body(rows).send().await.expect("an answer");
    org.send(&token, "PATCH", &path, json!({ "state": "UploadComplete" })).await;
    shows("3 25.5").await;
    let lead = org.made(&token, "Lead", json!({ "LastName": "Moss", "Company": "Moss" })).await;
    org.act("convert", "Lead", &lead, json!({ "fields": { "accountId": account } })).await;
    shows("4 25.5").await;
}

#[tokio::test]
async fn totals_are_those_of_before_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-rollups-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let (token, account) = {
        let org = served(&options).await;
        let token = org.token().await;
        let account = org.made(&token, "Account", json!({ "Name": "Kept" })).await;
        let gone = org.made(&token, "Opportunity", deal(&account, json!(8))).await;
        org.made(&token, "Opportunity", deal(&account, json!(4.2))).await;
        org.send(&token, "DELETE", &format!("/sobjects/Opportunity/{gone}"), Json::Null).await;
        (token, account)
    };
    let org = served(&options).await;
    assert_eq!(org.rolled_up(&token, &account).await.0, "1 4.2");
    std::fs::remove_dir_all(folder).expect("the folder was made");
}

#[tokio::test]
async fn a_recalculation_moves_the_stamp_alone() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    org.made(&token, "Opportunity", deal(&account, json!(8))).await;
    let soql = format!(
        "SELECT SystemModstamp, LastModifiedDate, LastModifiedById, Opportunity_Amount__c FROM Account WHERE Id = '{account}'"
    );
    let before = org.query(&token, &soql).await.1["records"][0].clone();
    org.pass(60_000);
    assert_eq!(org.control("rollups", json!({ "object": "Account", "id": account })).await["ok"], true);
    let mut after = org.query(&token, &soql).await.1["records"][0].clone();
    assert_eq!(after["SystemModstamp"], "2026-09-21T14:14:40.000+0000");
    after["SystemModstamp"] = before["SystemModstamp"].clone();
    assert_eq!(after, before, "nothing else has changed");
    org.pass(60_000);
    org.control("rollups", json!({ "object": "Account" })).await;
    let (_, moved) = org.live(&token, "SELECT COUNT() FROM Account WHERE SystemModstamp > 2026-09-21T14:15:00Z").await;
    assert_eq!(moved["totalSize"], 21, "an admin may have them all done again");
    assert!(org.control("rollups", json!({ "object": "Contact" })).await["error"].is_string());
}

#[tokio::test]
async fn who_writes_a_child_holds_its_parent() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    let first = org.made(&token, "Opportunity", deal(&account, json!(1))).await;
    let second = org.made(&token, "Opportunity", deal(&account, json!(1))).await;
    let open = json!({ "object": "Opportunity", "id": first, "fields": { "Amount": 2 }, "commitAfterMs": 60_000 });
    org.control("transactions", open).await;
    let path = format!("/sobjects/Opportunity/{second}");
    for (method, body) in [("PATCH", json!({ "Amount": 3 })), ("DELETE", Json::Null)] {
        let (status, refused) = org.send(&token, method, &path, body).await;
        assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("UNABLE_TO_LOCK_ROW")), "{method}");
    }
    org.pass(61_000);
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Amount": 3 })).await.0, 204);
    assert_eq!(org.rolled_up(&token, &account).await.0, "2 5");
}

/// What a look at each child gives: count, and cents.
fn plain_look(world: &World, account: &Id) -> (String, String) {
    let table = world.tables.get("Opportunity").expect("opportunities");
    let own = table.records.values().filter(|record| !record.deleted);
    let own = own.filter(|record| record.fields.get("AccountId").and_then(Value::as_str) == Some(&**account));
    let (mut count, mut cents) = (0, 0_i64);
    for record in own {
        count += 1;
        if let Some(Value::Number(digits)) = record.fields.get("Amount") {
            cents += (digits.parse::<f64>().expect("a number") * 100.0).round() as i64;
        }
    }
    (count.to_string(), format!("{cents}"))
}

#[test]
fn totals_are_what_a_look_at_each_child_gives_whatever_happens() {
    let named = |name: &str| -> &'static Object { object_named(name).expect("the object") };
    let (account, deal_of) = (named("Account"), named("Opportunity"));
    let by = By {
        user: Id::FIRST,
        at: NOW,
        security: Default::default(),
        saves_duplicates: false,
        assigning: Assigning::No,
    };
    let mut world = World::default();
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let members = |body: Json| body.as_object().cloned().expect("an object");
    let mut accounts: Vec<Id> = (0..6)
        .map(|number| world.create(account, &members(json!({ "Name": format!("A{number}") })), &by).expect("made"))
        .collect();
    let mut deals: Vec<Id> = Vec::new();
    for _ in 0..4000 {
        let before = world.savepoint();
        let parent = accounts[dice.random_range(0..accounts.len())];
        let amount = json!(dice.random_range(-10_000..1_000_000_i64) as f64 / 100.0);
        let own = if deals.is_empty() { None } else { Some(deals[dice.random_range(0..deals.len())]) };
        match (dice.random_range(0..10), own) {
            (0..3, _) | (_, None) => {
                deals.extend(world.create(deal_of, &members(deal(&parent, amount)), &by));
            }
            (3, Some(own)) => drop(world.update(deal_of, &own, &members(json!({ "Amount": amount })), &by)),
            (4, Some(own)) => drop(world.update(deal_of, &own, &members(json!({ "AccountId": parent })), &by)),
            (5, Some(own)) => drop(world.delete(deal_of, &own, &by)),
            (6, Some(own)) => drop(world.undelete(deal_of, &own, &by)),
            (7, Some(own)) => drop(world.purge(deal_of, &own, &by)),
            (8, _) => {
                let other = accounts[dice.random_range(0..accounts.len())];
                drop(world.merge(account, &parent, &other, &members(json!({})), &by));
                accounts.extend(world.create(account, &members(json!({ "Name": "New" })), &by));
            }
            _ => match world.delete(account, &parent, &by) {
                Ok(_) => {}
                Err(_) => drop(world.undelete(account, &parent, &by)),
            },
        }
        if dice.random_ratio(1, 4) {
            world.roll_back(before);
            deals.retain(|id| world.at(deal_of, id).is_some());
            accounts.retain(|id| world.at(account, id).is_some());
        }
    }
    let shown = |name: &str, id: &Id| {
        let rollup = account.field(name).and_then(|field| field.rollup).expect("a roll-up");
        (world.totals.shown(rollup, id), world.totals.number(rollup, id))
    };
    for id in &accounts {
        let (count, cents) = plain_look(&world, id);
        assert_eq!(shown("Opportunity_Count__c", id).0, count);
        assert_eq!(format!("{:.0}", shown("Opportunity_Amount__c", id).1 * 100.0).replace("-0", "0"), cents);
    }
    assert!(accounts.iter().filter(|id| plain_look(&world, id).0 != "0").count() > 3, "there is something to sum up");
}
