//! Bulk jobs, fields that a person does not see, and the wider SOQL.

use super::*;

impl Served {
    async fn raw(&self, token: &str, method: &str, path: &str, csv: Option<&str>) -> (u16, String, String) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request =
            self.http.request(method, format!("{}/services/data/v62.0{path}", self.url)).bearer_auth(token);
        if let Some(csv) = csv {
            request = request.header("Content-Type", "text/csv").body(csv.to_owned());
        }
        let response = request.send().await.expect("an answer");
        let locator = response.headers().get("Sforce-Locator").and_then(|value| value.to_str().ok()).map(str::to_owned);
        (response.status().as_u16(), response.text().await.expect("text"), locator.unwrap_or_default())
    }
}

#[tokio::test]
async fn query_jobs_take_their_time_and_page_with_locators() {
    let org = served(&small()).await;
    let token = org.token().await;
    org.control("settings", json!({ "bulkDelayMs": 10_000 })).await;
    let wanted = json!({ "operation": "query", "query": "SELECT Id, Name, Owner.Name, CreatedDate FROM Account" });
    let (status, job) = org.send(&token, "POST", "/jobs/query", wanted).await;
    assert_eq!((status, job["state"].as_str(), job["object"].as_str()), (200, Some("UploadComplete"), Some("Account")));
    let path = format!("/services/data/v62.0/jobs/query/{}", job["id"].as_str().expect("an id"));
    let short = path.trim_start_matches("/services/data/v62.0").to_owned();
    assert_eq!(org.get(&token, &format!("{path}/results")).await.1[0]["errorCode"], "INVALIDJOBSTATE");
    org.pass(6_000);
    assert_eq!(org.get(&token, &path).await.1["state"], "InProgress");
    assert_eq!(org.send(&token, "DELETE", &short, Json::Null).await.0, 400, "it is not over");
    org.pass(6_000);
    let told = org.get(&token, &path).await.1;
    assert_eq!((told["state"].as_str(), told["numberRecordsProcessed"].as_u64()), (Some("JobComplete"), Some(20)));
    let (mut rows, mut at) = (0, String::new());
    loop {
        let (_, page, next) = org.raw(&token, "GET", &format!("{short}/results?maxRecords=7&locator={at}"), None).await;
        let mut lines = page.lines();
        assert_eq!(lines.next(), Some("\"Id\",\"Name\",\"Owner.Name\",\"CreatedDate\""), "each page has the header");
        rows += lines.filter(|line| line.ends_with("000Z\"")).count();
        if next == "null" {
            break;
        }
        at = next;
    }
    assert_eq!(rows, 20);
    assert_eq!(org.get(&token, &path.replace("v62.0", "v61.0")).await.0, 200);
    assert_eq!(org.get(&token, &format!("{}/results", path.replace("v62.0", "v61.0"))).await.0, 409);
    for soql in ["SELECT COUNT(Id) FROM Account", "SELECT BillingAddress FROM Account", "SELECT Nope FROM Account"] {
        let (status, _) = org.send(&token, "POST", "/jobs/query", json!({ "operation": "query", "query": soql })).await;
        assert_eq!(status, 400, "{soql}");
    }
    assert_eq!(org.send(&token, "DELETE", &short, Json::Null).await.0, 204);
    assert_eq!(org.get(&token, &path).await.0, 404);
}

#[tokio::test]
async fn ingest_jobs_tell_what_became_of_each_row() {
    let org = served(&small()).await;
    let token = org.token().await;
    let load = async |operation: &str, csv: &str| {
        let wanted = json!({ "object": "Account", "operation": operation, "externalIdFieldName": "Crosstie_Id__c" });
        let job = org.send(&token, "POST", "/jobs/ingest", wanted).await.1;
        let path = format!("/jobs/ingest/{}", job["id"].as_str().expect("an id"));
        assert_eq!(job["contentUrl"], format!("services/data/v62.0{path}/batches"));
        assert_eq!(org.raw(&token, "PUT", &format!("{path}/batches"), Some(csv)).await.0, 201);
        assert_eq!(org.raw(&token, "PUT", &format!("{path}/batches"), Some(csv)).await.0, 400, "only one upload");
        assert_eq!(org.send(&token, "PATCH", &path, json!({ "state": "UploadComplete" })).await.0, 200);
        assert_eq!(org.get(&token, &format!("/services/data/v62.0{path}")).await.1["state"], "JobComplete");
        let good = org.raw(&token, "GET", &format!("{path}/successfulResults"), None).await.1;
        (good, org.raw(&token, "GET", &format!("{path}/failedresults"), None).await.1)
    };
    let (good, bad) = load("upsert", "Crosstie_Id__c,Name,Phone\nb1,\"One, \"\"Ltd\"\"\",1\nb2,,2\nb3,Three,3\n").await;
    assert_eq!(good.lines().filter(|line| line.contains("\"true\"")).count(), 2);
    assert!(bad.contains("REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"), "{bad}");
    let (good, _) = load("upsert", "Crosstie_Id__c,Name,Phone\nb1,,#N/A\n").await;
    assert!(good.contains("\"false\",\"b1\""), "{good}");
    let found = org.live(&token, "SELECT Id, Name, Phone FROM Account WHERE Crosstie_Id__c = 'B1'").await.1;
    let record = &found["records"][0];
    assert_eq!((record["Name"].as_str(), &record["Phone"]), (Some("One, \"Ltd\""), &Json::Null));
    let (good, bad) = load("update", "Id,Nope\n001,1\n").await;
    assert_eq!((good.lines().count(), bad.contains("InvalidBatch : Field name not found : Nope")), (1, true));
    let (_, bad) =
        load("update", &format!("Id,NumberOfEmployees\n{},many\n", record["Id"].as_str().expect("an id"))).await;
    assert!(bad.contains("INVALID_TYPE_ON_FIELD_IN_RECORD:NumberOfEmployees: value not of required type"), "{bad}");
    load("hardDelete", &format!("Id\n{}\n", record["Id"].as_str().expect("an id"))).await;
    let gone = org.query(&token, "SELECT COUNT() FROM Account WHERE Crosstie_Id__c = 'b1'").await.1;
    assert_eq!(gone["totalSize"], 0, "nothing is left, not even in the bin");
}

#[tokio::test]
async fn a_hidden_field_is_as_if_it_did_not_exist_and_a_locked_one_stays() {
    let org = served(&small()).await;
    let token = org.token().await;
    let security = json!({ "hidden": ["Account.Phone"], "readOnly": ["account.industry"] });
    org.control("field-security", security).await;
    let describe = org.get(&token, "/services/data/v62.0/sobjects/Account/describe").await.1;
    let field = |name: &str| describe["fields"].as_array().into_iter().flatten().find(|field| field["name"] == name);
    assert!(field("Phone").is_none());
    assert_eq!(field("Industry").expect("it is shown")["updateable"], false);
    for soql in ["SELECT Phone FROM Account", "SELECT Id FROM Contact WHERE Account.Phone = '1'"] {
        assert_eq!(org.live(&token, soql).await.1[0]["errorCode"], "INVALID_FIELD", "{soql}");
    }
    let (_, error) = org.send(&token, "POST", "/sobjects/Account", json!({ "Name": "x", "Phone": "1" })).await;
    assert_eq!(error[0]["errorCode"], "INVALID_FIELD");
    let (_, error) = org.send(&token, "POST", "/sobjects/Account", json!({ "Name": "x", "Industry": "Energy" })).await;
    assert_eq!(error[0]["errorCode"], "INVALID_FIELD_FOR_INSERT_UPDATE");
    let made =
        org.control("edit", json!({ "object": "Account", "fields": { "Name": "Colleague", "Phone": "7" } })).await;
    let path = format!("/services/data/v62.0/sobjects/Account/{}", made["id"].as_str().expect("an id"));
    assert_eq!(org.get(&token, &path).await.1.get("Phone"), None, "a colleague's value is not shown either");
}

#[tokio::test]
async fn groups_dates_and_stamp_ranges_answer_what_is_asked() {
    let org = served(&small()).await;
    let token = org.token().await;
    let records = async |soql: &str| {
        let (status, answer) = org.query(&token, soql).await;
        assert_eq!(status, 200, "{soql}: {answer}");
        answer["records"].as_array().cloned().unwrap_or_default()
    };
    let groups = records(
        "SELECT AccountId, COUNT(Id) held FROM Contact GROUP BY AccountId HAVING COUNT(Id) > 1 ORDER BY COUNT(Id) DESC",
    );
    let counts: Vec<u64> = groups.await.iter().map(|row| row["held"].as_u64().expect("a number")).collect();
    assert!(!counts.is_empty() && counts.iter().all(|count| *count > 1) && counts.is_sorted_by(|a, b| a >= b));
    let years =
        records("SELECT CALENDAR_YEAR(CreatedDate) made, COUNT(Id) FROM Account GROUP BY CALENDAR_YEAR(CreatedDate)");
    let total: u64 = years.await.iter().map(|row| row["expr0"].as_u64().expect("a number")).sum();
    assert_eq!(total, 20);
    let all = records("SELECT Id, SystemModstamp FROM Contact ORDER BY SystemModstamp, Id").await;
    let (stamp, id) = (all[9]["SystemModstamp"].as_str().expect("a stamp"), all[9]["Id"].as_str().expect("an id"));
    let after = format!(
        "SELECT Id, SystemModstamp FROM Contact WHERE (SystemModstamp > {0}) OR (SystemModstamp = {0} AND Id > '{id}') ORDER BY SystemModstamp, Id LIMIT 5",
        stamp.replace("+0000", "Z")
    );
    assert_eq!(records(&after).await, all[10..15]);
    let shown = records("SELECT toLabel(Industry), FORMAT(AnnualRevenue) money FROM Account LIMIT 1").await;
    assert!(shown[0].get("Industry").is_some() && shown[0].get("money").is_some());
    for (soql, code) in [
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY"),
        ("SELECT TYPEOF Owner WHEN User THEN Email END FROM Account", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE Name INCLUDES ('a')", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Phone = 'b' OR Fax = 'c'", "MALFORMED_QUERY"),
    ] {
        assert_eq!(org.query(&token, soql).await.1[0]["errorCode"], code, "{soql}");
    }
}
