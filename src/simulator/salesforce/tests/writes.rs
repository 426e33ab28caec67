//! Writing: single records, collections, composite calls, and what is refused.

use super::*;

#[tokio::test]
async fn collections_answer_record_by_record_and_upserts_find_what_they_made() {
    let org = served(&small()).await;
    let token = org.token().await;
    let upsert = |name: &'static str| {
        let body = json!({ "allOrNone": false, "records": [
            { "attributes": { "type": "Account" }, "Crosstie_Id__c": "w:1", "Name": name },
            { "attributes": { "type": "Account" }, "Crosstie_Id__c": "w:2" } ]});
        let url = format!("{}/services/data/v62.0/composite/sobjects/Account/Crosstie_Id__c", org.url);
        org.http.patch(url).bearer_auth(&token).json(&body).send()
    };
    let first: Json = upsert("One").await.expect("an answer").json().await.expect("JSON");
    assert_eq!(first[0]["created"], true);
    assert_eq!(first[1]["errors"][0]["statusCode"], "REQUIRED_FIELD_MISSING");
    let second: Json = upsert("Two").await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&second[0]["created"], &second[0]["id"]), (&json!(false), &first[0]["id"]));
}

#[tokio::test]
async fn what_a_record_may_not_hold_is_refused_with_its_code() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Owner Ltd", "Crosstie_Id__c": "taken" })).await;
    let gone = org.made(&token, "Account", json!({ "Name": "Gone Ltd" })).await;
    org.send(&token, "DELETE", &format!("/sobjects/Account/{gone}"), Json::Null).await;
    let long = "x".repeat(256);
    for (object, fields, code, part) in [
        ("Account", json!({}), "REQUIRED_FIELD_MISSING", "[Name]"),
        ("Account", json!({ "Name": "   " }), "REQUIRED_FIELD_MISSING", "[Name]"),
        ("Opportunity", json!({ "Name": "x" }), "REQUIRED_FIELD_MISSING", "StageName"),
        ("Account", json!({ "Name": long }), "STRING_TOO_LONG", "max length=255"),
        ("Contact", json!({ "LastName": "x", "Email": "no at sign" }), "INVALID_EMAIL_ADDRESS", "no at sign"),
        (
            "Account",
            json!({ "Name": "x", "CleanStatus": "Nonsense" }),
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Nonsense",
        ),
        (
            "Account",
            json!({ "Name": "x", "Nope": 1 }),
            "INVALID_FIELD",
            "No such column 'Nope' on sobject of type Account",
        ),
        ("Contact", json!({ "LastName": "x", "Name": "y" }), "INVALID_FIELD_FOR_INSERT_UPDATE", "Name"),
        (
            "Account",
            json!({ "Name": "x", "SystemModstamp": "2024-01-01T00:00:00Z" }),
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "SystemModstamp",
        ),
        ("Account", json!({ "Name": "x", "NumberOfEmployees": "many" }), "JSON_PARSER_ERROR", "instance of int"),
        (
            "Account",
            json!({ "Name": "x", "NumberOfEmployees": 123_456_789_i64 }),
            "NUMBER_OUTSIDE_VALID_RANGE",
            "NumberOfEmployees",
        ),
        ("Account", json!({ "Name": { "deep": [1] } }), "JSON_PARSER_ERROR", "START_OBJECT"),
        ("Contact", json!({ "LastName": "x", "Birthdate": "31.12.1999" }), "JSON_PARSER_ERROR", "instance of date"),
        ("Contact", json!({ "LastName": "x", "AccountId": "nonsense" }), "MALFORMED_ID", "AccountId"),
        ("Contact", json!({ "LastName": "x", "AccountId": "003Si0000000001AAA" }), "MALFORMED_ID", "incorrect type"),
        (
            "Contact",
            json!({ "LastName": "x", "AccountId": "001Si000000zzzz" }),
            "INVALID_CROSS_REFERENCE_KEY",
            "invalid",
        ),
        ("Contact", json!({ "LastName": "x", "AccountId": gone }), "INVALID_CROSS_REFERENCE_KEY", "invalid"),
        (
            "Contact",
            json!({ "LastName": "x", "Account": { "Crosstie_Id__c": "nobody" } }),
            "INVALID_FIELD",
            "Foreign key external ID: nobody not found",
        ),
        ("Account", json!({ "Name": "x", "Crosstie_Id__c": "TAKEN" }), "DUPLICATE_VALUE", account.as_str()),
    ] {
        let (status, error) = org.send(&token, "POST", &format!("/sobjects/{object}/"), fields.clone()).await;
        assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some(code)), "{fields}: {error}");
        assert!(error[0]["message"].as_str().expect("words").contains(part), "{fields}: {error}");
    }
}

#[tokio::test]
async fn values_are_kept_as_the_crm_keeps_them() {
    let org = served(&small()).await;
    let token = org.token().await;
    let fields = json!({ "Name": "Trim  ", "AnnualRevenue": 12.5, "NumberOfEmployees": "7", "Phone": "", "BillingStreet": "1 Row\r\nGate" });
    let id = org.made(&token, "Account", fields).await;
    let (_, record) = org.get(&token, &format!("/services/data/v62.0/sobjects/Account/{id}")).await;
    assert_eq!(record["Name"], "Trim");
    assert_eq!(record["AnnualRevenue"].to_string(), "13", "no decimals in this field");
    assert_eq!(record["NumberOfEmployees"].to_string(), "7");
    assert_eq!((&record["Phone"], record["BillingStreet"].as_str()), (&Json::Null, Some("1 Row\r\nGate")));
    assert_eq!(record["SystemModstamp"], "2026-09-21T14:13:40.000+0000", "whole seconds, no colon");
    let deal = json!({ "Name": "D", "StageName": "Closed Won", "CloseDate": "2026-05-04", "Amount": 100.10, "Account": { "Crosstie_Id__c": "k" } });
    org.send(&token, "PATCH", &format!("/sobjects/Account/{id}"), json!({ "Crosstie_Id__c": "k" })).await;
    let deal = org.made(&token, "Opportunity", deal).await;
    let (_, deal) = org.get(&token, &format!("/services/data/v62.0/sobjects/Opportunity/{deal}")).await;
    assert_eq!((deal["AccountId"].as_str(), deal["Probability"].to_string().as_str()), (Some(id.as_str()), "100"));
    assert_eq!(
        (deal["IsWon"].as_bool(), deal["Fiscal"].as_str(), deal["Amount"].to_string().as_str()),
        (Some(true), Some("2026 2"), "100.1")
    );
}

#[tokio::test]
async fn single_writes_answer_as_documented() {
    let org = served(&small()).await;
    let token = org.token().await;
    let url = format!("{}/services/data/v62.0/sobjects/Account", org.url);
    let created =
        org.http.post(&url).bearer_auth(&token).json(&json!({ "name": "Made" })).send().await.expect("an answer");
    let place = created.headers()["location"].to_str().expect("text").to_owned();
    let id = created.json::<Json>().await.expect("JSON")["id"].as_str().expect("an id").to_owned();
    assert_eq!(place, format!("/services/data/v62.0/sobjects/Account/{id}"));
    let path = format!("/sobjects/Account/{id}");
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Phone": "1" })).await.0, 204);
    assert_eq!(org.send(&token, "POST", &format!("{path}?_HttpMethod=PATCH"), json!({ "Phone": null })).await.0, 204);
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Id": id })).await.1[0]["errorCode"], "INVALID_FIELD");
    assert_eq!(
        org.send(&token, "PATCH", &path, json!({ "Name": null })).await.1[0]["errorCode"],
        "REQUIRED_FIELD_MISSING"
    );
    let contact = org.made(&token, "Contact", json!({ "LastName": "Moss", "AccountId": id })).await;
    let way = format!("/sobjects/Contact/{contact}/Account");
    assert_eq!(org.send(&token, "PATCH", &way, json!({ "Phone": "3" })).await.0, 204);
    assert_eq!(org.send(&token, "GET", &way, Json::Null).await.1["Phone"], "3", "changed through its contact");
    assert_eq!(org.send(&token, "DELETE", &way, Json::Null).await.0, 405);
    let key = "/sobjects/Account/Crosstie_Id__c/k%3A1";
    let (status, made) = org.send(&token, "PATCH", key, json!({ "Name": "By key" })).await;
    assert_eq!((status, made["created"].as_bool()), (201, Some(true)));
    let (status, kept) = org.send(&token, "PATCH", key, json!({ "Name": "By key 2" })).await;
    assert_eq!((status, kept["created"].as_bool(), &kept["id"]), (200, Some(false), &made["id"]));
    assert_eq!(
        org.send(&token, "PATCH", key, json!({ "Crosstie_Id__c": "k:1" })).await.0,
        400,
        "the key is in the address"
    );
    assert_eq!(
        org.send(&token, "PATCH", "/sobjects/Account/Crosstie_Id__c/new?updateOnly=true", json!({ "Name": "x" }))
            .await
            .0,
        404
    );
    assert_eq!(org.send(&token, "DELETE", &path, Json::Null).await.0, 204);
    let (status, error) = org.send(&token, "DELETE", &path, Json::Null).await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (404, Some("ENTITY_IS_DELETED")));
    assert_eq!(
        org.send(&token, "DELETE", "/sobjects/User/005Si0000000001", Json::Null).await.1[0]["errorCode"],
        "CANNOT_DELETE_ENTITY"
    );
}

#[tokio::test]
async fn collections_hold_200_keep_their_order_and_roll_back() {
    let org = served(&small()).await;
    let token = org.token().await;
    let record = |fields: Json| {
        let mut record = json!({ "attributes": { "type": "Account" } });
        record.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        record
    };
    let many = vec![record(json!({ "Name": "x" })); 201];
    let (status, error) = org.send(&token, "POST", "/composite/sobjects", json!({ "records": many })).await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("EXCEEDED_MAX_SIZE_REQUEST")));
    let mixed = json!({ "allOrNone": true, "records": [record(json!({ "Name": "First" })), record(json!({}))] });
    let (status, results) = org.send(&token, "POST", "/composite/sobjects", mixed.clone()).await;
    assert_eq!(
        (status, results[0]["errors"][0]["statusCode"].as_str()),
        (200, Some("ALL_OR_NONE_OPERATION_ROLLED_BACK"))
    );
    assert_eq!(results[1]["errors"][0]["fields"][0], "Name");
    assert_eq!(org.query(&token, "SELECT COUNT() FROM Account WHERE Name = 'First'").await.1["totalSize"], 0);
    let each = json!({ "allOrNone": false, "records": mixed["records"] });
    let (_, results) = org.send(&token, "POST", "/composite/sobjects", each).await;
    let first = results[0]["id"].as_str().expect("an id").to_owned();
    let updates = json!({ "records": [
        record(json!({ "id": first, "Phone": "1" })), record(json!({ "Phone": "2" })), record(json!({ "id": "001Si000000zzzz", "Phone": "3" }))]});
    let (_, results) = org.send(&token, "PATCH", "/composite/sobjects", updates).await;
    let codes: Vec<_> = (0..3).map(|place| results[place]["errors"][0]["statusCode"].as_str().unwrap_or("")).collect();
    assert_eq!(codes, ["", "MISSING_ARGUMENT", "NOT_FOUND"]);
    let twins = json!({ "records": [record(json!({ "Name": "a", "Crosstie_Id__c": "t" })), record(json!({ "Name": "b", "Crosstie_Id__c": "T" }))]});
    let (_, results) = org.send(&token, "PATCH", "/composite/sobjects/Account/Crosstie_Id__c", twins).await;
    assert!((0..2).all(|place| results[place]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"));
    let misspelt =
        json!({ "records": [record(json!({ "Name": "ok" })), record(json!({ "Name": "x", "AnnualRevenue": "much" }))]});
    let (status, error) = org.send(&token, "POST", "/composite/sobjects", misspelt).await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("JSON_PARSER_ERROR")), "it fails as a whole");
    let ids = format!("{first},001Si000000zzzz,nonsense");
    let (_, found) =
        org.get(&token, &format!("/services/data/v62.0/composite/sobjects/Account?ids={ids}&fields=Name,Phone")).await;
    assert_eq!((found[0]["Phone"].as_str(), &found[1], &found[2]), (Some("1"), &Json::Null, &Json::Null));
    let (_, results) =
        org.send(&token, "DELETE", &format!("/composite/sobjects?ids={ids}&allOrNone=true"), Json::Null).await;
    assert_eq!(results[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    let (_, results) = org.send(&token, "DELETE", &format!("/composite/sobjects?ids={ids}"), Json::Null).await;
    assert_eq!(
        (results[0]["success"].as_bool(), results[2]["errors"][0]["statusCode"].as_str()),
        (Some(true), Some("MALFORMED_ID"))
    );
}

#[tokio::test]
async fn composite_calls_refer_to_each_other_and_fall_together() {
    let org = served(&small()).await;
    let token = org.token().await;
    let root = "/services/data/v62.0";
    let request = |method: &str, url: &str, name: &str, body: Json| json!({ "method": method, "url": format!("{root}{url}"), "referenceId": name, "body": body });
    let account = request("POST", "/sobjects/Account", "account", json!({ "Name": "Quoted \"Ltd\"" }));
    let contact =
        request("POST", "/sobjects/Contact", "contact", json!({ "LastName": "Of it", "AccountId": "@{account.id}" }));
    let found = request("GET", "/query?q=SELECT Id, Name FROM Account WHERE Id = '@{account.id}'", "found", Json::Null);
    let described = request(
        "PATCH",
        "/sobjects/Contact/@{contact.id}",
        "described",
        json!({ "Description": "Works at @{found.records[0].Name}" }),
    );
    let call = json!({ "collateSubrequests": true, "compositeRequest": [account, contact.clone(), found, described] });
    let (status, answer) = org.send(&token, "POST", "/composite", call).await;
    let statuses: Vec<_> =
        (0..4).map(|place| answer["compositeResponse"][place]["httpStatusCode"].as_u64().unwrap_or(0)).collect();
    assert_eq!((status, statuses), (200, vec![201, 201, 200, 204]), "{answer}");
    let made = answer["compositeResponse"][1]["body"]["id"].as_str().expect("an id");
    assert_eq!(answer["compositeResponse"][1]["httpHeaders"]["Location"], format!("{root}/sobjects/Contact/{made}"));
    let (_, contact_now) = org.get(&token, &format!("{root}/sobjects/Contact/{made}")).await;
    assert_eq!(contact_now["Description"], "Works at Quoted \"Ltd\"");
    let lone = json!({ "compositeRequest": [request("POST", "/sobjects/Account", "account", json!({})), contact] });
    let (_, answer) = org.send(&token, "POST", "/composite", lone).await;
    assert_eq!(answer["compositeResponse"][1]["body"][0]["errorCode"], "PROCESSING_HALTED");
    let all = json!({ "allOrNone": true, "compositeRequest": [
        request("POST", "/sobjects/Account", "a", json!({ "Name": "Falls" })), request("POST", "/sobjects/Account", "b", json!({}))]});
    let (_, answer) = org.send(&token, "POST", "/composite", all).await;
    let codes: Vec<_> =
        (0..2).map(|place| answer["compositeResponse"][place]["body"][0]["errorCode"].as_str().unwrap_or("")).collect();
    assert_eq!(codes, ["PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]);
    assert_eq!(
        org.query(&token, "SELECT COUNT() FROM Account WHERE Name = 'Falls'").await.1["totalSize"],
        0,
        "nothing of it stays"
    );
    let one = request("GET", "/limits", "x", Json::Null);
    for (requests, code) in [(vec![one.clone(); 2], "JSON_PARSER_ERROR"), (vec![one; 26], "LIMIT_EXCEEDED")] {
        let (status, error) = org.send(&token, "POST", "/composite", json!({ "compositeRequest": requests })).await;
        assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some(code)));
    }
}
