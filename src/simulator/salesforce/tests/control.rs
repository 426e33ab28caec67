//! The control interface, the pages, and what survives a restart.

use super::*;

#[tokio::test]
async fn faults_cut_lose_and_spoil_answers() {
    let org = served(&small()).await;
    let token = org.token().await;
    let create = || {
        let url = format!("{}/services/data/v62.0/sobjects/Account", org.url);
        org.http.post(url).bearer_auth(&token).json(&json!({ "Name": "Fault Ltd" })).send()
    };
    let rule = |fault: &str| json!({ "rules": [{ "match": { "operation": "create" }, "fault": fault, "times": 1 }] });
    let count = || async {
        let (_, found) = org.query(&token, "SELECT Id FROM Account WHERE Name = 'Fault Ltd'").await;
        found["totalSize"].as_u64().unwrap_or_default()
    };
    org.control("faults", rule("reset")).await;
    assert!(create().await.is_err(), "nothing comes back");
    assert_eq!(count().await, 0, "and nothing was applied");
    org.control("faults", rule("lost_response")).await;
    assert!(create().await.is_err(), "nothing comes back");
    assert_eq!(count().await, 1, "but it was applied");
    org.control("faults", rule("garbage")).await;
    let garbage = create().await.expect("an answer");
    assert!(garbage.text().await.expect("text").contains("<html>"));
    org.control("faults", rule("rate_limit")).await;
    assert_eq!(create().await.expect("an answer").status().as_u16(), 403);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-simulator-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let (token, id) = {
        let org = served(&options).await;
        let made = org.control("edit", json!({ "object": "Account", "fields": { "Name": "Kept Ltd" } })).await;
        (org.token().await, made["id"].as_str().expect("an id").to_owned())
    };
    let org = served(&options).await;
    let (status, record) = org.get(&token, &format!("/services/data/v62.0/sobjects/Account/{id}")).await;
    assert_eq!((status, record["Name"].as_str()), (200, Some("Kept Ltd")), "record and token are kept");
    std::fs::remove_dir_all(folder).expect("the folder was made");
}

#[tokio::test]
async fn deletions_cascade_come_back_and_merges_name_their_master() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Parent", "Crosstie_Id__c": "p" })).await;
    let contact = org.made(&token, "Contact", json!({ "LastName": "Child", "AccountId": account })).await;
    let edit = |action: &str, id: &str, more: Json| {
        let mut body = json!({ "action": action, "object": "Account", "id": id });
        body.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        body
    };
    org.pass(5_000);
    let deleted = org.control("edit", edit("delete", &account, json!({}))).await;
    assert_eq!(deleted["modifiedAt"], "2026-09-21T14:13:45.000Z");
    let state = |id: String| {
        let (org, token) = (&org, &token);
        async move {
            let object = if id.starts_with("001") { "Account" } else { "Contact" };
            let soql = format!("SELECT IsDeleted, MasterRecordId, SystemModstamp FROM {object} WHERE Id = '{id}'");
            org.query(token, &soql).await.1["records"][0].clone()
        }
    };
    let child = state(contact.clone()).await;
    assert_eq!(
        (child["IsDeleted"].as_bool(), child["SystemModstamp"].as_str()),
        (Some(true), Some("2026-09-21T14:13:45.000+0000"))
    );
    org.pass(5_000);
    org.control("edit", edit("undelete", &account, json!({}))).await;
    let child = state(contact.clone()).await;
    assert_eq!(
        (child["IsDeleted"].as_bool(), child["SystemModstamp"].as_str()),
        (Some(false), Some("2026-09-21T14:13:50.000+0000"))
    );
    let winner = org.made(&token, "Account", json!({ "Name": "Winner" })).await;
    let merged =
        org.control("edit", edit("merge", &account, json!({ "mergeInto": winner, "fields": { "Phone": "7" } }))).await;
    assert_eq!(merged["id"], json!(winner));
    let loser = state(account.clone()).await;
    assert_eq!((loser["IsDeleted"].as_bool(), loser["MasterRecordId"].as_str()), (Some(true), Some(winner.as_str())));
    let (_, moved) = org
        .get(&token, &format!("/services/data/v62.0/sobjects/Contact/{contact}?fields=AccountId,Account.Phone"))
        .await;
    assert_eq!((moved["AccountId"].as_str(), moved["Account"]["Phone"].as_str()), (Some(winner.as_str()), Some("7")));
    let (_, refused) =
        org.send(&token, "PATCH", &format!("/sobjects/Account/{account}"), json!({ "Phone": "1" })).await;
    assert_eq!(refused[0]["errorCode"], "ENTITY_IS_DELETED");
    org.control("edit", edit("purge", &account, json!({}))).await;
    assert_eq!(state(account).await, Json::Null, "nothing is left of it");
    org.control("edit", edit("delete", &winner, json!({}))).await;
    org.control("clock", json!({ "advanceMs": 15 * 24 * 3_600_000_i64 + 1000 })).await;
    let token = org.token().await;
    let soql = format!("SELECT Id FROM Account WHERE Id = '{winner}'");
    assert_eq!(org.query(&token, &soql).await.1["totalSize"], 0, "the bin is emptied after 15 days");
}

#[tokio::test]
async fn statistics_limits_clock_and_records_answer_as_agreed() {
    let org = served(&small()).await;
    let token = org.token().await;
    let stats = || async {
        org.http
            .get(format!("{}/_simulator/stats", org.url))
            .send()
            .await
            .expect("an answer")
            .json::<Json>()
            .await
            .expect("JSON")
    };
    org.http.delete(format!("{}/_simulator/stats", org.url)).send().await.expect("an answer");
    org.live(&token, "SELECT Id FROM Account").await;
    org.live("nobody", "SELECT Id FROM Account").await;
    org.send(&token, "PATCH", "/composite/sobjects/Account/Crosstie_Id__c", json!({ "records": [] })).await;
    let counted = stats().await;
    assert_eq!(counted["byOperation"], json!({ "query": 2, "collections_upsert": 1 }), "refused ones count");
    assert_eq!((counted["calls"].as_u64(), counted["records"]["Account"].as_u64()), (Some(3), Some(20)));
    org.control("limits", json!({ "daily": 4 })).await;
    assert_eq!(org.live(&token, "SELECT Id FROM Account").await.0, 200);
    let (status, error) = org.live(&token, "SELECT Id FROM Account").await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (403, Some("REQUEST_LIMIT_EXCEEDED")));
    org.control("limits", json!({ "daily": null, "burst": { "count": 1, "perMs": 1000 } })).await;
    assert_eq!(org.live(&token, "SELECT Id FROM Account").await.0, 200);
    assert_eq!(org.live(&token, "SELECT Id FROM Account").await.0, 403);
    org.control("limits", json!({ "burst": null })).await;
    let now = org.control("clock", json!({ "set": "2027-01-02T03:04:05Z" })).await;
    assert_eq!(now["now"], "2027-01-02T03:04:05.000Z");
    org.control("clock", json!({ "advanceMs": i64::MAX })).await;
    org.control("clock", json!({ "set": "2026-09-21T14:14:00Z" })).await;
    let records = org
        .http
        .get(format!("{}/_simulator/records/contact", org.url))
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("text");
    let lines: Vec<Json> = records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<_> = lines.iter().map(|line| line["id"].as_str().expect("an id")).collect();
    assert_eq!(ids.len(), 40);
    assert!(ids.is_sorted() && lines[0]["fields"]["LastName"].is_string() && lines[0]["deleted"] == false);
    assert_eq!(
        org.control("reset", json!({ "seed": 2, "accounts": 5, "contacts": 6, "opportunities": 7 })).await["ok"],
        true
    );
    let fresh = stats().await;
    assert_eq!(
        (fresh["calls"].as_u64(), &fresh["records"]),
        (Some(0), &json!({ "Account": 5, "Contact": 6, "Opportunity": 7, "User": 3 }))
    );
    assert_eq!(org.live(&token, "SELECT Id FROM Account").await.0, 401, "tokens are gone");
}

#[tokio::test]
async fn an_org_comes_back_with_codes_serials_and_its_count() {
    let folder = std::env::temp_dir().join(format!("crosstie-simulator-back-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let purged = {
        let org = served(&options).await;
        let token = org.token().await;
        let id = org.made(&token, "Account", json!({ "Name": "Short-lived" })).await;
        org.control("edit", json!({ "action": "purge", "object": "Account", "id": id })).await;
        org.control("settings", json!({ "sessionSeconds": 99 })).await;
        id
    };
    // Twice, so that what the first start rewrote is read too.
    drop(served(&options).await);
    let org = served(&options).await;
    let token = org.token().await;
    let limits = org.get(&token, "/services/data/v62.0/limits").await.1;
    assert_eq!(limits["DailyApiRequests"]["Remaining"], 15_000 - 2);
    assert_ne!(org.made(&token, "Account", json!({ "Name": "Next" })).await, purged, "an id never comes again");
    std::fs::remove_dir_all(folder).expect("the folder was made");
}

#[tokio::test]
async fn a_person_edits_on_the_pages_and_only_what_changed_is_written() {
    let org = served(&small()).await;
    let token = org.token().await;
    let page = |path: String| async move { reqwest::get(path).await.expect("a page").text().await.expect("HTML") };
    let overview = page(format!("{}/", org.url)).await;
    for part in ["SIMULATOR", "70 invented records", "Lost answers", "Forward 1 day", ">Add</a>"] {
        assert!(overview.contains(part), "{part}");
    }
    let id = org
        .made(&token, "Account", json!({ "Name": "<b>Bold</b> & Sons", "Phone": "1", "Description": "Two\nlines" }))
        .await;
    let list = page(format!("{}/?object=Account&q=bold", org.url)).await;
    assert!(list.contains("&lt;b&gt;Bold&lt;/b&gt; &amp; Sons") && list.contains("<strong>1 record</strong>"));
    let form = |action: &'static str, phone: &'static str| {
        let fields = [
            ("object", "Account"),
            ("id", id.as_str()),
            ("action", action),
            ("Phone", phone),
            ("Name", "<b>Bold</b> & Sons"),
            ("Description", "Two\r\nlines"),
        ];
        org.http.post(format!("{}/_simulator/page", org.url)).form(&fields).send()
    };
    assert_eq!(form("save", "2").await.expect("an answer").status().as_u16(), 303);
    let (_, record) = org
        .get(
            &token,
            &format!("/services/data/v62.0/sobjects/Account/{id}?fields=Phone,Description,LastModifiedBy.Name"),
        )
        .await;
    assert_eq!((record["Phone"].as_str(), record["Description"].as_str()), (Some("2"), Some("Two\nlines")));
    assert_eq!(record["LastModifiedBy"]["Name"], "Tomás Rivera");
    let refused =
        form("save", "a telephone number that is much longer than forty characters").await.expect("an answer");
    assert_eq!(refused.status().as_u16(), 400);
    assert!(refused.text().await.expect("HTML").contains("data value too large"));
    assert_eq!(form("delete", "2").await.expect("an answer").status().as_u16(), 303);
    assert!(page(format!("{}/?object=Account&id={id}", org.url)).await.contains("Take out of the bin"));
    let press = |fields: &'static [(&'static str, &'static str)]| {
        org.http.post(format!("{}/_simulator/page", org.url)).form(fields).send()
    };
    press(&[("action", "faults"), ("busy", "on"), ("busy_amount", "100")]).await.expect("an answer");
    assert_eq!(org.live(&token, "SELECT Id FROM Account").await.0, 503);
    press(&[("action", "faults")]).await.expect("an answer");
    assert_eq!(press(&[("action", "shuffle")]).await.expect("an answer").status().as_u16(), 303);
    let (_, changed) = org.live(&token, "SELECT COUNT() FROM Contact WHERE LastModifiedDate = TODAY").await;
    assert!(changed["totalSize"].as_u64().is_some_and(|changed| changed > 0), "{changed}");
}
