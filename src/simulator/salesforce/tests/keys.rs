//! External ids that several records have, and references that hold a deletion back.

use super::*;

const DATA: &str = "/services/data/v62.0";

#[tokio::test]
async fn an_external_id_that_several_have_is_answered_with_all_of_them() {
    let org = served(&small()).await;
    let token = org.token().await;
    let key = "/sobjects/Project__c/Legacy_Id__c/L-1";
    let (status, made) = org.send(&token, "PATCH", key, json!({ "Name": "First" })).await;
    assert_eq!((status, &made["created"]), (201, &json!(true)));
    let first = made["id"].as_str().expect("an id").to_owned();
    assert_eq!(org.get(&token, &format!("{DATA}{key}")).await.1["Id"], first);
    let second = org.made(&token, "Project__c", json!({ "Name": "Second", "Legacy_Id__c": "l-1" })).await;
    let urls = json!([&first, &second].map(|id| format!("{DATA}/sobjects/Project__c/{id}")));
    for (method, body) in [("GET", Json::Null), ("PATCH", json!({ "Name": "Which?" })), ("DELETE", Json::Null)] {
        assert_eq!(org.send(&token, method, key, body).await, (300, urls.clone()), "{method}");
    }
    let (_, found) = org.live(&token, "SELECT Name FROM Project__c WHERE Legacy_Id__c = 'L-1' ORDER BY Name").await;
    assert_eq!((&found["records"][0]["Name"], &found["records"][1]["Name"]), (&json!("First"), &json!("Second")));

    let record = json!({ "attributes": { "type": "Project__c" }, "Legacy_Id__c": "L-1", "Name": "Which?" });
    let path = "/composite/sobjects/Project__c/Legacy_Id__c";
    let (_, results) = org.send(&token, "PATCH", path, json!({ "records": [record] })).await;
    assert_eq!(results[0]["errors"][0]["statusCode"], "DUPLICATE_EXTERNAL_ID");
    assert!(results[0]["errors"][0]["message"].as_str().is_some_and(|text| text.contains(&second)), "{results}");

    assert_eq!(org.send(&token, "DELETE", &format!("/sobjects/Project__c/{second}"), Json::Null).await.0, 204);
    assert_eq!(org.send(&token, "PATCH", key, json!({ "Name": "The only one" })).await.0, 200);
    let (_, all) = org.query(&token, "SELECT COUNT() FROM Project__c WHERE Legacy_Id__c = 'l-1'").await;
    assert_eq!(all["totalSize"], 2, "a deleted one is still found among all");
    assert_eq!(org.send(&token, "DELETE", key, Json::Null).await.0, 204);
    for method in ["GET", "DELETE"] {
        assert_eq!(org.send(&token, method, key, Json::Null).await.0, 404, "nobody has it any more");
    }
    org.control("edit", json!({ "action": "undelete", "object": "Project__c", "id": first })).await;
    org.control("edit", json!({ "action": "undelete", "object": "Project__c", "id": second })).await;
    assert_eq!(org.send(&token, "GET", key, Json::Null).await.0, 300, "what comes back is looked up again");
    let (status, refused) = org.send(&token, "PATCH", key, json!({ "Legacy_Id__c": "L-1" })).await;
    assert_eq!(status, 300, "{refused}");
    let new = "/sobjects/Project__c/Legacy_Id__c/L-2";
    let (status, refused) = org.send(&token, "PATCH", new, json!({ "Name": "x", "legacy_id__c": "L-2" })).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("INVALID_FIELD")), "the key is in the address");
}

/// An account with a contact, who sponsors a project of it.
async fn sponsored(org: &Served, token: &str) -> (String, String, String) {
    let account = org.made(token, "Account", json!({ "Name": "Kestrel" })).await;
    let contact = org.made(token, "Contact", json!({ "LastName": "Moss", "AccountId": account })).await;
    let project = json!({ "Name": "Roof", "Account__c": account, "Sponsor__c": contact });
    let project = org.made(token, "Project__c", project).await;
    (account, contact, project)
}

#[tokio::test]
async fn what_a_record_must_not_lose_is_not_deleted() {
    let org = served(&small()).await;
    let token = org.token().await;
    let (account, contact, project) = sponsored(&org, &token).await;
    let (_, described) = org.get(&token, &format!("{DATA}/sobjects/Contact/describe")).await;
    let children = described["childRelationships"].as_array().expect("children");
    let projects = children.iter().find(|child| child["childSObject"] == "Project__c").expect("projects");
    assert_eq!((&projects["restrictedDelete"], &projects["cascadeDelete"]), (&json!(true), &json!(false)));
    for path in [format!("/sobjects/Contact/{contact}"), format!("/sobjects/Account/{account}")] {
        let (status, refused) = org.send(&token, "DELETE", &path, Json::Null).await;
        assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("DELETE_FAILED")), "{path}");
        assert!(refused[0]["message"].as_str().is_some_and(|text| text.contains("Project__c: Roof")), "{refused}");
        assert_eq!(org.get(&token, &format!("{DATA}{path}")).await.0, 200, "it is still there");
    }
    let (_, results) = org.send(&token, "DELETE", &format!("/composite/sobjects?ids={contact}"), Json::Null).await;
    assert_eq!(results[0]["errors"][0]["statusCode"], "DELETE_FAILED");
    assert_eq!(org.send(&token, "DELETE", &format!("/sobjects/Project__c/{project}"), Json::Null).await.0, 204);
    assert_eq!(org.send(&token, "DELETE", &format!("/sobjects/Account/{account}"), Json::Null).await.0, 204);
    assert_eq!(org.get(&token, &format!("{DATA}/sobjects/Contact/{contact}")).await.0, 404, "it went along");
}

#[tokio::test]
async fn a_filtered_reference_takes_only_what_the_filter_leaves() {
    let org = served(&small()).await;
    let token = org.token().await;
    let (account, contact, project) = sponsored(&org, &token).await;
    let other = org.made(&token, "Account", json!({ "Name": "Heron" })).await;
    let path = format!("/sobjects/Project__c/{project}");
    for fields in [json!({ "Account__c": other }), json!({ "Account__c": null })] {
        let (status, refused) = org.send(&token, "PATCH", &path, fields).await;
        assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("FIELD_FILTER_VALIDATION_EXCEPTION")));
        assert_eq!(refused[0]["fields"], json!(["Sponsor__c"]));
    }
    assert_eq!(org.send(&token, "PATCH", &path, json!({ "Account__c": other, "Sponsor__c": null })).await.0, 204);
    let stray = json!({ "Name": "Stray", "Sponsor__c": contact });
    assert_eq!(org.send(&token, "POST", "/sobjects/Project__c", stray).await.0, 400);

    // In a merge all that refers to the loser moves.
    let back = json!({ "Account__c": account, "Sponsor__c": contact });
    assert_eq!(org.send(&token, "PATCH", &path, back).await.0, 204);
    org.control("edit", json!({ "action": "merge", "object": "Account", "id": account, "mergeInto": other })).await;
    let (_, row) = org.get(&token, &format!("{DATA}{path}?fields=Account__c,Sponsor__r.AccountId")).await;
    assert_eq!((&row["Account__c"], &row["Sponsor__r"]["AccountId"]), (&json!(other), &json!(other)));
}
