//! What an org's admin has set up: a custom object with record types, leads and their conversion, rules, and transactions
//! that stay open.

use super::*;

const DATA: &str = "/services/data/v62.0";

#[tokio::test]
async fn a_converted_lead_becomes_account_contact_and_opportunity_and_stays_as_it_is() {
    let org = served(&small()).await;
    let token = org.token().await;
    let fields = json!({ "LastName": "Ferrari", "FirstName": "Zoë", "Company": "Ferrari e figli", "Email": "zoe@ferrari.example",
                         "Street": "Via Roma 1", "City": "Torino", "Industry": "Energy", "LeadSource": "Web" });
    let lead = org.made(&token, "Lead", fields).await;
    let (_, before) = org.get(&token, &format!("{DATA}/sobjects/Lead/{lead}")).await;
    assert_eq!(
        (before["Name"].as_str(), before["Status"].as_str()),
        (Some("Zoë Ferrari"), Some("Open - Not Contacted"))
    );
    assert_eq!(before["IsConverted"], false);

    let done = org.control("edit", json!({ "action": "convert", "object": "Lead", "id": lead })).await;
    let made = |object: &str, name: &str| format!("{DATA}/sobjects/{object}/{}", done[name].as_str().expect("an id"));
    let (_, account) = org.get(&token, &made("Account", "accountId")).await;
    assert_eq!((account["Name"].as_str(), account["BillingCity"].as_str()), (Some("Ferrari e figli"), Some("Torino")));
    assert_eq!(account["Industry"], "Energy");
    let (_, contact) = org.get(&token, &made("Contact", "contactId")).await;
    assert_eq!(
        (contact["Name"].as_str(), contact["Email"].as_str()),
        (Some("Zoë Ferrari"), Some("zoe@ferrari.example"))
    );
    assert_eq!((&contact["AccountId"], contact["MailingStreet"].as_str()), (&account["Id"], Some("Via Roma 1")));
    let (_, opportunity) = org.get(&token, &made("Opportunity", "opportunityId")).await;
    assert_eq!(opportunity["Name"], "Ferrari e figli-");
    assert_eq!((opportunity["CloseDate"].as_str(), &opportunity["AccountId"]), (Some("2026-09-30"), &account["Id"]));

    let found = "SELECT IsConverted, ConvertedDate, ConvertedContactId, ConvertedAccount.Name, Status FROM Lead";
    let (_, answer) = org.query(&token, found).await;
    let row = &answer["records"][0];
    assert_eq!((&row["IsConverted"], row["ConvertedDate"].as_str()), (&json!(true), Some("2026-09-21")));
    assert_eq!((&row["ConvertedContactId"], row["Status"].as_str()), (&contact["Id"], Some("Closed - Converted")));
    assert_eq!(row["ConvertedAccount"]["Name"], "Ferrari e figli");

    let path = format!("/sobjects/Lead/{lead}");
    let (status, refused) = org.send(&token, "PATCH", &path, json!({ "Title": "CEO" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("CANNOT_UPDATE_CONVERTED_LEAD")));
    let again = org.control("edit", json!({ "action": "convert", "object": "Lead", "id": lead })).await;
    assert_eq!(again[0]["errorCode"], "CANNOT_UPDATE_CONVERTED_LEAD");
}

#[tokio::test]
async fn a_lead_may_go_into_what_is_there_and_a_refused_conversion_leaves_nothing() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    let contact = org.made(&token, "Contact", json!({ "LastName": "Stone", "AccountId": account })).await;
    let lead = json!({ "LastName": "Stone", "Company": "Kestrel Ltd", "Title": "Buyer" });
    let lead = org.made(&token, "Lead", lead).await;
    let into = |fields: Json| json!({ "action": "convert", "object": "Lead", "id": lead, "fields": fields });
    let count = |object: &'static str| {
        let (org, token) = (&org, &token);
        async move { org.query(token, &format!("SELECT Id FROM {object}")).await.1["totalSize"].as_u64() }
    };
    let (accounts, contacts, deals) = (count("Account").await, count("Contact").await, count("Opportunity").await);

    let wrong = org.control("edit", into(json!({ "contactId": contact }))).await;
    assert_eq!(wrong[0]["errorCode"], "INVALID_CROSS_REFERENCE_KEY", "the contact of another account");
    assert_eq!((count("Account").await, count("Opportunity").await), (accounts, deals), "nothing of it stays");

    let choice = json!({ "accountId": account, "contactId": contact, "doNotCreateOpportunity": true });
    let done = org.control("edit", into(choice)).await;
    assert_eq!(
        (&done["accountId"], &done["contactId"], &done["opportunityId"]),
        (&json!(account), &json!(contact), &Json::Null)
    );
    assert_eq!(
        (count("Account").await, count("Contact").await, count("Opportunity").await),
        (accounts, contacts, deals)
    );
    let (_, contact) = org.get(&token, &format!("{DATA}/sobjects/Contact/{contact}")).await;
    assert_eq!(contact["Title"], "Buyer", "what it lacked");
}

#[tokio::test]
async fn a_record_type_says_which_picklist_values_a_record_may_have() {
    let org = served(&small()).await;
    let token = org.token().await;
    let (_, describe) = org.get(&token, &format!("{DATA}/sobjects/Project__c/describe")).await;
    let kinds = describe["recordTypeInfos"].as_array().expect("record types");
    let named: Vec<&str> = kinds.iter().filter_map(|kind| kind["developerName"].as_str()).collect();
    assert_eq!(named, ["Internal", "Customer", "Master"]);
    let customer = kinds[1]["recordTypeId"].as_str().expect("an id");

    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    let project = json!({ "Name": "Roof", "Account__c": account, "Status__c": "Active", "Budget__c": 1200.5 });
    let project = org.made(&token, "Project__c", project).await;
    let path = format!("/sobjects/Project__c/{project}");
    let (status, refused) = org.send(&token, "PATCH", &path, json!({ "Status__c": "Invoiced" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")));
    let (status, _) =
        org.send(&token, "PATCH", &path, json!({ "Status__c": "Invoiced", "RecordTypeId": customer })).await;
    assert_eq!(status, 204, "the other type has the value");
    let (status, refused) = org.send(&token, "PATCH", &path, json!({ "RecordTypeId": account })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("MALFORMED_ID")));

    let (_, found) = org.query(&token, "SELECT Name, RecordType.DeveloperName, Account__r.Name FROM Project__c").await;
    let row = &found["records"][0];
    assert_eq!(
        (row["RecordType"]["DeveloperName"].as_str(), row["Account__r"]["Name"].as_str()),
        (Some("Customer"), Some("Kestrel"))
    );
    // A formula follows what it looks at, and the stamp stays: who reads by stamps does not hear of it.
    let soql = "SELECT Account_Name__c, SystemModstamp FROM Project__c WHERE Account_Name__c LIKE 'Kestrel%'";
    let before = org.query(&token, soql).await.1["records"][0].clone();
    org.pass(60_000);
    let renamed = json!({ "Name": "Kestrel Roofers of Oslo" });
    assert_eq!(org.send(&token, "PATCH", &format!("/sobjects/Account/{account}"), renamed).await.0, 204);
    let after = org.query(&token, soql).await.1["records"][0].clone();
    let name = |row: &Json| row["Account_Name__c"].as_str().map(str::to_owned);
    assert_eq!(name(&before).as_deref(), Some("Kestrel"));
    assert_eq!(name(&after).as_deref(), Some("Kestrel Roofers of Oslo"));
    assert_eq!(before["SystemModstamp"], after["SystemModstamp"]);
    assert_eq!(name(&org.get(&token, &format!("{DATA}{path}")).await.1), name(&after));
    let (status, refused) = org.send(&token, "PATCH", &path, json!({ "Account_Name__c": "Other" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("INVALID_FIELD_FOR_INSERT_UPDATE")));

    let (_, found) = org
        .query(&token, "SELECT Id, (SELECT Name FROM Projects__r) FROM Account WHERE Name = 'Kestrel Roofers of Oslo'")
        .await;
    assert_eq!(found["records"][0]["Projects__r"]["records"][0]["Name"], "Roof");
    let (_, kinds) =
        org.query(&token, "SELECT Id, DeveloperName FROM RecordType WHERE SobjectType = 'Project__c'").await;
    assert_eq!(kinds["totalSize"], 2);
    let (status, refused) = org.send(&token, "POST", "/sobjects/RecordType", json!({ "Name": "New" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")));
}

#[tokio::test]
async fn automation_and_validation_have_their_say_in_every_write() {
    let org = served(&small()).await;
    let token = org.token().await;
    let rules = json!({
        "automation": [{ "object": "Contact", "when": "Email LIKE '%@vip.example'", "set": { "Department": "VIP" } }],
        "validation": [{ "object": "Opportunity", "when": "StageName = 'Closed Won' AND Amount = null",
                         "message": "A won deal has an amount.", "field": "Amount" }],
    });
    assert_eq!(org.control("rules", rules).await["ok"], true);
    let contact = org.made(&token, "Contact", json!({ "LastName": "Stone", "Email": "a@vip.example" })).await;
    let (_, contact) = org.get(&token, &format!("{DATA}/sobjects/Contact/{contact}")).await;
    assert_eq!(contact["Department"], "VIP");

    let deal = json!({ "Name": "Roof", "StageName": "Prospecting", "CloseDate": "2026-10-01" });
    let deal = org.made(&token, "Opportunity", deal).await;
    let path = format!("/sobjects/Opportunity/{deal}");
    let (status, refused) = org.send(&token, "PATCH", &path, json!({ "StageName": "Closed Won" })).await;
    let error = json!([{ "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "A won deal has an amount.",
                         "fields": ["Amount"] }]);
    assert_eq!((status, refused), (400, error));
    let records =
        json!({ "records": [{ "attributes": { "type": "Opportunity" }, "id": deal, "StageName": "Closed Won" }] });
    let (_, answers) = org.send(&token, "PATCH", "/composite/sobjects", records).await;
    assert_eq!(answers[0]["errors"][0]["statusCode"], "FIELD_CUSTOM_VALIDATION_EXCEPTION");
    let (status, _) = org.send(&token, "PATCH", &path, json!({ "StageName": "Closed Won", "Amount": 5 })).await;
    assert_eq!(status, 204);

    let unsound = org
        .control("rules", json!({ "validation": [{ "object": "Account", "when": "Nme = 1", "message": "" }] }))
        .await;
    assert!(unsound["error"].as_str().is_some_and(|error| error.contains("Nme")), "{unsound}");
}

#[tokio::test]
async fn duplicate_rules_refuse_and_only_an_alert_can_be_passed_over() {
    let org = served(&small()).await;
    let token = org.token().await;
    let rule = |action: &str| json!({ "duplicates": [{ "name": "Same e-mail", "object": "Contact", "fields": ["Email"], "action": action }] });
    let first = org.made(&token, "Contact", json!({ "LastName": "Stone", "Email": "stone@kestrel.example" })).await;
    org.control("rules", rule("alert")).await;
    let contacts = format!("{}{DATA}/sobjects/Contact", org.url);
    let create = |header: &'static str| {
        let body = json!({ "LastName": "Stoner", "Email": "STONE@kestrel.example" });
        let asked = org.http.post(&contacts).bearer_auth(&token).json(&body);
        let asked = if header.is_empty() { asked } else { asked.header("Sforce-Duplicate-Rule-Header", header) };
        async {
            let answer = asked.send().await.expect("an answer");
            (answer.status().as_u16(), answer.json::<Json>().await.expect("JSON"))
        }
    };
    let (status, refused) = create("").await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("DUPLICATES_DETECTED")));
    let result = &refused[0]["duplicateResult"];
    assert_eq!((&result["allowSave"], &result["matchResults"][0]["size"]), (&json!(true), &json!(1)));
    assert_eq!(result["matchResults"][0]["matchRecords"][0]["record"]["Id"], first);
    assert_eq!(create("allowSave=false").await.0, 400);
    assert_eq!(create("allowSave=true; includeRecordDetails=false").await.0, 201);

    org.control("rules", rule("block")).await;
    let (status, refused) = create("allowSave=true").await;
    assert_eq!((status, &refused[0]["duplicateResult"]["allowSave"]), (400, &json!(false)));
    let path = format!("/sobjects/Contact/{first}");
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Title": "Buyer" })).await.0, 204, "what was there may go on");
}

#[tokio::test]
async fn a_full_org_takes_no_more_records() {
    let org = served(&small()).await;
    let token = org.token().await;
    org.control("rules", json!({ "mostRecords": 1 })).await;
    let (status, refused) = org.send(&token, "POST", "/sobjects/Account", json!({ "Name": "One" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("STORAGE_LIMIT_EXCEEDED")));
}

#[tokio::test]
async fn a_query_that_looks_at_too_much_takes_too_long() {
    let org = served(&small()).await;
    let token = org.token().await;
    org.control("rules", json!({ "mostLookedAt": 10 })).await;
    let (status, refused) = org.live(&token, "SELECT Id FROM Contact WHERE Title LIKE '%sales%'").await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("QUERY_TIMEOUT")));
    let (status, found) = org.live(&token, "SELECT Id FROM Contact WHERE SystemModstamp > 2026-09-21T14:00:00Z").await;
    assert_eq!(status, 200, "an index spares it the looking: {found}");
}

#[tokio::test]
async fn pages_may_be_shorter_than_asked_for() {
    let org = served(&small()).await;
    let token = org.token().await;
    org.control("rules", json!({ "longestPage": 3 })).await;
    let (_, mut page) = org.live(&token, "SELECT Id FROM Account ORDER BY Id").await;
    let mut ids = Vec::new();
    loop {
        let rows = page["records"].as_array().expect("rows");
        assert!((1..=3).contains(&rows.len()), "{page}");
        ids.extend(rows.iter().map(|row| row["Id"].as_str().expect("an id").to_owned()));
        let Some(next) = page["nextRecordsUrl"].as_str().map(str::to_owned) else { break };
        page = org.get(&token, &next).await.1;
    }
    ids.dedup();
    assert_eq!(Some(ids.len() as u64), page["totalSize"].as_u64(), "each row once");
    assert!(ids.len() > 3, "{ids:?}");
}

#[tokio::test]
async fn an_org_that_has_moved_says_so_with_its_tokens() {
    let org = served(&small()).await;
    let told = async || org.control("token", json!({})).await["instance_url"].as_str().expect("an address").to_owned();
    assert_eq!(told().await, org.url);
    let elsewhere = org.url.replace("127.0.0.1", "localhost");
    org.control("instance", json!({ "url": elsewhere })).await;
    assert_eq!(told().await, elsewhere);
    org.control("instance", json!({ "url": null })).await;
    assert_eq!(told().await, org.url);
}

/// The trap of reading by stamps: what commits late bears the stamp of its begin. `latestDateCovered` knows.
#[tokio::test]
async fn an_open_transaction_locks_its_rows_and_is_seen_late_with_an_early_stamp() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    org.pass(60_000);
    let open =
        json!({ "object": "Account", "id": account, "fields": { "Name": "Kestrel Ltd" }, "commitAfterMs": 300_000 });
    let began = org.control("transactions", open).await["beganAt"].as_str().expect("an instant").to_owned();
    org.pass(120_000);
    let path = format!("/sobjects/Account/{account}");
    assert_eq!(org.get(&token, &format!("{DATA}{path}")).await.1["Name"], "Kestrel", "nobody sees it yet");
    let (status, refused) = org.send(&token, "PATCH", &path, json!({ "Phone": "1" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("UNABLE_TO_LOCK_ROW")));
    let child = json!({ "LastName": "Stone", "AccountId": account });
    let (status, refused) = org.send(&token, "POST", "/sobjects/Contact", child).await;
    assert_eq!(
        (status, refused[0]["errorCode"].as_str()),
        (400, Some("UNABLE_TO_LOCK_ROW")),
        "a child locks its account"
    );

    let window = "start=2026-09-21T14:00:00Z&end=2026-09-21T15:00:00Z";
    let updated = format!("{DATA}/sobjects/Account/updated/?{window}");
    let covered = org.get(&token, &updated).await.1["latestDateCovered"].as_str().expect("an instant").to_owned();
    assert_eq!(covered.replace("+0000", "Z"), began);
    org.pass(180_000);
    let (_, committed) = org.get(&token, &format!("{DATA}{path}")).await;
    assert_eq!(
        (committed["Name"].as_str(), committed["SystemModstamp"].as_str()),
        (Some("Kestrel Ltd"), Some(covered.as_str()))
    );
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Phone": "1" })).await.0, 204, "the row is free again");
}

/// The rule finds others by their values: what it knows of them follows every change.
#[tokio::test]
async fn a_duplicate_rule_follows_what_becomes_of_the_others() {
    let org = served(&small()).await;
    let token = org.token().await;
    let contact = |name: &str, email: &str| json!({ "LastName": name, "Email": email });
    let early = org.made(&token, "Contact", contact("Early", "a@kestrel.example")).await;
    let rule = json!({ "name": "Same", "object": "contact", "fields": ["Email", "LastName"], "action": "block" });
    org.control("rules", json!({ "duplicates": [rule] })).await;
    let tried = async |name: &str, email: &str| {
        let (status, answer) = org.send(&token, "POST", "/sobjects/Contact", contact(name, email)).await;
        let matches = &answer[0]["duplicateResult"]["matchResults"][0]["matchRecords"];
        (status, matches[0]["record"]["Id"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(tried("EARLY", "A@kestrel.example").await, (400, early.clone()), "what was there before the rule");
    assert_eq!(tried("Other", "a@kestrel.example").await.0, 201, "both fields must be the same");
    let path = format!("/sobjects/Contact/{early}");
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Email": "b@kestrel.example" })).await.0, 204);
    assert_eq!(tried("Early", "b@kestrel.example").await, (400, early.clone()));
    assert_eq!(org.send(&token, "DELETE", &path, Json::Null).await.0, 204);
    assert_eq!(tried("Early", "b@kestrel.example").await.0, 201, "a deleted one is no match");
    let typed = |mut fields: Json| {
        fields["attributes"] = json!({ "type": "Contact" });
        fields
    };
    let twins = json!([typed(contact("Twin", "t@kestrel.example")), typed(contact("Twin", "t@kestrel.example"))]);
    let all = json!({ "allOrNone": true, "records": twins });
    let (_, results) = org.send(&token, "POST", "/composite/sobjects", all).await;
    assert_eq!(results[1]["errors"][0]["statusCode"], "DUPLICATES_DETECTED");
    assert_eq!(tried("Twin", "t@kestrel.example").await.0, 201, "what was rolled back is no match");
}

#[tokio::test]
async fn what_is_removed_before_its_time_shortens_what_is_told_of_the_deleted() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    let window = "start=2026-09-20T14:00:00Z&end=2026-09-21T15:00:00Z";
    let told = async |object: &str| {
        let (_, answer) = org.get(&token, &format!("{DATA}/sobjects/{object}/deleted/?{window}")).await;
        answer["earliestDateAvailable"].as_str().expect("an instant").to_owned()
    };
    assert_eq!(told("Account").await, "2026-09-06T14:13:00.000+0000");
    org.control("edit", json!({ "action": "delete", "object": "Account", "id": account })).await;
    org.control("edit", json!({ "action": "purge", "object": "Account", "id": account })).await;
    assert_eq!(told("Account").await, "2026-09-21T14:14:00.000+0000", "later than what was asked for");
    assert_eq!(told("Contact").await, "2026-09-06T14:13:00.000+0000");
}
