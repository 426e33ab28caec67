//! Reading: SOQL, its errors and its pages, single records, replication.

use super::*;

#[tokio::test]
async fn queries_page_and_see_what_was_deleted() {
    let org = served(&SimulatorOptions { accounts: 450, ..small() }).await;
    let token = org.token().await;
    let query: String = url::form_urlencoded::byte_serialize(b"SELECT Id, Name FROM Account").collect();
    let request = org.http.get(format!("{}/services/data/v62.0/query?q={query}", org.url)).bearer_auth(&token);
    let page: Json = request
        .header("Sforce-Query-Options", "batchSize=200")
        .send()
        .await
        .expect("a page")
        .json()
        .await
        .expect("JSON");
    assert_eq!((page["totalSize"].as_u64(), page["done"].as_bool()), (Some(450), Some(false)));
    let (_, second) = org.get(&token, page["nextRecordsUrl"].as_str().expect("a next page")).await;
    let (_, third) = org.get(&token, second["nextRecordsUrl"].as_str().expect("a next page")).await;
    assert_eq!((third["records"].as_array().map(Vec::len), third["done"].as_bool()), (Some(50), Some(true)));
    let id = page["records"][0]["Id"].as_str().expect("an id").to_owned();
    org.control("edit", json!({ "action": "delete", "object": "Account", "id": id })).await;
    let (_, deleted) = org.query(&token, &format!("SELECT Id, IsDeleted FROM Account WHERE Id IN ('{id}')")).await;
    assert_eq!(deleted["records"][0]["IsDeleted"], true);
    let (status, error) = org.query(&token, "SELECT Nope FROM Account").await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("INVALID_FIELD")));
}

/// Children page by themselves: the parent's page names where theirs go on.
#[tokio::test]
async fn many_children_of_one_parent_come_in_pages_of_their_own() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Large Ltd" })).await;
    for batch in [200, 200, 50] {
        let contact = |number| json!({ "attributes": { "type": "Contact" }, "LastName": format!("Number {number}"), "AccountId": account });
        let records: Vec<Json> = (0..batch).map(contact).collect();
        assert_eq!(org.send(&token, "POST", "/composite/sobjects", json!({ "records": records })).await.0, 200);
    }
    let soql = "SELECT Id, (SELECT Id, LastName FROM Contacts ORDER BY Id) FROM Account WHERE Name = 'Large Ltd'";
    let url = format!("{}/services/data/v62.0/query", org.url);
    let asked = org.http.get(url).query(&[("q", soql)]).bearer_auth(&token);
    let answer = asked.header("Sforce-Query-Options", "batchSize=200").send().await.expect("a page");
    let page: Json = answer.json().await.expect("JSON");
    assert_eq!((&page["totalSize"], &page["done"]), (&json!(1), &json!(true)));
    let mut part = page["records"][0]["Contacts"].clone();
    let (mut sizes, mut ids) = (Vec::new(), Vec::new());
    loop {
        assert_eq!(part["totalSize"], 450);
        let records = part["records"].as_array().expect("children");
        sizes.push(records.len());
        ids.extend(records.iter().map(|child| child["Id"].as_str().expect("an id").to_owned()));
        let Some(next) = part["nextRecordsUrl"].as_str() else { break };
        assert_eq!(part["done"], false);
        part = org.get(&token, next).await.1;
    }
    assert_eq!(sizes, [200, 200, 50]);
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]), "each once");
}

#[tokio::test]
async fn errors_name_the_place_in_the_statement() {
    let org = served(&small()).await;
    let token = org.token().await;
    for (soql, code, part) in [
        ("SELECT Id, Nope FROM Account", "INVALID_FIELD", "Row:1:Column:12\nNo such column 'Nope' on entity 'Account'"),
        ("SELECT Id\nFROM Account\nWHERE Nope = 1", "INVALID_FIELD", "Row:3:Column:7\nNo such column"),
        ("SELECT Owner.Nope FROM Account", "INVALID_FIELD", "on entity 'User'"),
        ("SELECT Boss.Name FROM Account", "INVALID_FIELD", "Didn't understand relationship 'Boss'"),
        ("SELECT Id FROM Nope", "INVALID_TYPE", "sObject type 'Nope' is not supported"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY", "<EOF>"),
        ("SELECT Id FROM Account WHERE Name = 1", "INVALID_FIELD", "must be of type string and should be enclosed"),
        ("SELECT Id FROM Account WHERE IsDeleted = 'no'", "INVALID_FIELD", "must be of type boolean"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2024-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("SELECT Id FROM Account WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Account ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
        ("SELECT Id FROM Account WHERE Id = 'short'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: short"),
        ("SELECT Id FROM Account WHERE Id LIKE '001%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator"),
        ("SELECT FIELDS(ALL) FROM Account", "MALFORMED_QUERY", "LIMIT"),
        ("SELECT Name, COUNT(Id) FROM Account", "MALFORMED_QUERY", "grouped or aggregated: Name"),
        ("SELECT Id FROM Account OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("", "MALFORMED_QUERY", "<EOF>"),
    ] {
        let (status, error) = org.live(&token, soql).await;
        assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some(code)), "{soql}: {error}");
        assert!(error[0]["message"].as_str().expect("words").contains(part), "{soql}: {error}");
    }
    let deep = format!("SELECT Id FROM Account WHERE {}", "NOT (".repeat(5000));
    let (_, error) = org.live(&token, &deep[..9000]).await;
    assert_eq!(error[0]["errorCode"], "QUERY_TOO_COMPLICATED");
}

#[tokio::test]
async fn what_people_ask_is_understood() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org
        .made(&token, "Account", json!({ "Name": "Zebra Ltd", "BillingCity": "Leeds", "NumberOfEmployees": 7 }))
        .await;
    org.made(&token, "Contact", json!({ "LastName": "O'Neil", "Email": "a@zebra.example", "AccountId": account }))
        .await;
    org.made(&token, "Contact", json!({ "LastName": "Lone" })).await;
    let short = &account[..15];
    for (soql, path, expected) in [
        (format!("select id, name from account where ID = '{short}'"), "/records/0/Name", json!("Zebra Ltd")),
        ("SELECT Id, BillingAddress FROM Account WHERE Name = 'zebra LTD'".to_owned(), "/records/0/BillingAddress/city", json!("Leeds")),
        ("SELECT c.Account.Owner.Name FROM Contact c WHERE c.LastName = 'O\\'Neil'".to_owned(), "/records/0/Account/Owner/attributes/type", json!("User")),
        ("SELECT Account.Name FROM Contact WHERE LastName = 'Lone'".to_owned(), "/records/0/Account", Json::Null),
        ("SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name LIKE 'Zeb%'".to_owned(), "/records/0/Contacts/records/0/LastName", json!("O'Neil")),
        ("SELECT COUNT() FROM Contact WHERE Account.Name = 'Zebra Ltd'".to_owned(), "/totalSize", json!(1)),
        ("SELECT COUNT(Id) total FROM Contact WHERE CreatedDate = TODAY".to_owned(), "/records/0/total", json!(2)),
        ("SELECT MAX(NumberOfEmployees) FROM Account WHERE Name = 'Zebra Ltd'".to_owned(), "/records/0/expr0", json!(7.0)),
        ("SELECT BillingCity, COUNT(Id) FROM Account WHERE Name = 'Zebra Ltd' GROUP BY BillingCity".to_owned(), "/records/0/BillingCity", json!("Leeds")),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE LastName = 'O\\'Neil')".to_owned(), "/records/0/Id", json!(account)),
        ("SELECT Id, Name FROM Account ORDER BY Name DESC NULLS LAST LIMIT 1".to_owned(), "/records/0/Name", json!("Zebra Ltd")),
        ("SELECT LastName FROM Contact WHERE AccountId = null AND LastName != 'x' AND NOT (LastName = 'Nobody') LIMIT 1".to_owned(), "/records/0/LastName", json!("Lone")),
        ("SELECT FIELDS(STANDARD) FROM Account WHERE CreatedDate = LAST_N_DAYS:2 LIMIT 1".to_owned(), "/records/0/NumberOfEmployees", json!(7)),
        ("SELECT Id FROM Account WHERE Name = 'Zebra Ltd' AND NumberOfEmployees IN (7, 8) WITH SECURITY_ENFORCED".to_owned(), "/totalSize", json!(1)),
    ] {
        let (status, found) = org.live(&token, &soql).await;
        assert_eq!(status, 200, "{soql}: {found}");
        let given = found.pointer(path).cloned().unwrap_or_else(|| json!("nothing there"));
        assert_eq!(given.to_string(), expected.to_string(), "{soql}: {found}");
    }
}

#[tokio::test]
async fn pages_are_of_what_was_found_and_show_what_is() {
    let org = served(&SimulatorOptions { accounts: 450, ..small() }).await;
    let token = org.token().await;
    let request = org.http.get(format!("{}/services/data/v62.0/query/?q=SELECT+Id,Name+FROM+Account", org.url));
    let page =
        request.bearer_auth(&token).header("sforce-QUERY-options", "batchSize=200").send().await.expect("a page");
    let page: Json = page.json().await.expect("JSON");
    let next = page["nextRecordsUrl"].as_str().expect("more").to_owned();
    let last = |page: &Json| page["records"][199]["Id"].as_str().expect("an id").to_owned();
    let (_, second) = org.get(&token, &next).await;
    let victim = last(&second);
    org.control("edit", json!({ "action": "delete", "object": "Account", "id": victim })).await;
    // Some clients send the statement again with the locator.
    let (_, shorter) = org.get(&token, &format!("{next}?q=SELECT+Id+FROM+Account")).await;
    assert_eq!(shorter["records"].as_array().map(Vec::len), Some(199), "what was deleted since drops out");
    org.control("clock", json!({ "advanceMs": 2 * 24 * 3_600_000_i64 - 1 })).await;
    let token = org.token().await;
    assert_eq!(org.get(&token, &next).await.0, 200);
    org.control("clock", json!({ "advanceMs": 2000 })).await;
    let (status, error) = org.get(&token, &next).await;
    assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("INVALID_QUERY_LOCATOR")));
    assert_eq!(org.get(&token, "/services/data/v62.0/query/01gMADEUP-2000").await.0, 400);
}

#[tokio::test]
async fn versions_describes_and_limits_have_their_shape() {
    let org = served(&small()).await;
    let versions: Json =
        org.http.get(format!("{}/services/data", org.url)).send().await.expect("an answer").json().await.expect("JSON");
    let last = versions.as_array().and_then(|versions| versions.last()).expect("a version");
    assert_eq!((last["label"].as_str(), last["version"].as_str()), (Some("Summer '26"), Some("67.0")));
    assert!(
        versions
            .as_array()
            .expect("a list")
            .iter()
            .any(|version| version["label"] == "Winter '21" && version["version"] == "50.0")
    );
    let token = org.token().await;
    for (name, prefix) in [("Account", "001"), ("Contact", "003"), ("Opportunity", "006"), ("User", "005")] {
        let (status, describe) = org.get(&token, &format!("/services/data/v62.0/sobjects/{name}/describe/")).await;
        assert_eq!((status, describe["keyPrefix"].as_str()), (200, Some(prefix)));
        assert_eq!(describe["urls"]["describe"], format!("/services/data/v62.0/sobjects/{name}/describe"));
        assert!(
            describe["fields"]
                .as_array()
                .is_some_and(|fields| fields.iter().any(|field| field["name"] == "SystemModstamp"))
        );
    }
    let describe =
        org.http.get(format!("{}/services/data/v62.0/sobjects/Account/describe", org.url)).bearer_auth(&token);
    let unchanged =
        describe.header("If-Modified-Since", "Mon, 21 Sep 2026 00:00:00 GMT").send().await.expect("an answer");
    assert_eq!(unchanged.status().as_u16(), 304);
    let limits = org
        .http
        .get(format!("{}/services/data/v62.0/limits/", org.url))
        .bearer_auth(&token)
        .send()
        .await
        .expect("an answer");
    let header = limits.headers()["sforce-limit-info"].to_str().expect("text").to_owned();
    let limits: Json = limits.json().await.expect("JSON");
    let used = limits["DailyApiRequests"]["Max"].as_i64().expect("a number")
        - limits["DailyApiRequests"]["Remaining"].as_i64().expect("a number");
    assert_eq!(header, format!("api-usage={used}/15000"));
    assert_eq!(org.get(&token, "/services/data/v21.0/limits").await.0, 410);
    assert_eq!(org.get(&token, "/services/data/v99.0/limits").await.0, 404);
}

#[tokio::test]
async fn single_records_are_read_by_id_by_key_and_on_condition() {
    let org = served(&small()).await;
    let token = org.token().await;
    let id = org.made(&token, "Account", json!({ "Name": "Read Ltd", "Crosstie_Id__c": "w/1 a" })).await;
    let (_, by_short) =
        org.get(&token, &format!("/services/data/v62.0/sobjects/Account/{}?fields=Name,Owner.Email", &id[..15])).await;
    assert_eq!(
        (by_short["Name"].as_str(), by_short["Owner"]["Email"].as_str()),
        (Some("Read Ltd"), Some("integration@kestrel.example"))
    );
    let (_, by_key) = org.get(&token, "/services/data/v62.0/sobjects/Account/Crosstie_Id__c/w%2F1%20a").await;
    assert_eq!(by_key["Id"], json!(id));
    let contact = org.made(&token, "Contact", json!({ "LastName": "Child", "AccountId": id })).await;
    let (_, parent) = org.get(&token, &format!("/services/data/v62.0/sobjects/Contact/{contact}/Account")).await;
    assert_eq!(parent["Name"], "Read Ltd");
    let url = format!("{}/services/data/v62.0/sobjects/Account/{id}", org.url);
    let read = |name: &'static str, value: String| org.http.get(&url).bearer_auth(&token).header(name, value).send();
    let tag = read("accept", "application/json".to_owned()).await.expect("an answer").headers()["etag"]
        .to_str()
        .expect("text")
        .to_owned();
    assert_eq!(read("if-none-match", tag.clone()).await.expect("an answer").status().as_u16(), 304);
    assert_eq!(
        read("if-modified-since", "Tue, 01 Sep 2026 00:00:00 GMT".to_owned())
            .await
            .expect("an answer")
            .status()
            .as_u16(),
        200
    );
    let late = org.http.patch(&url).bearer_auth(&token).header("if-unmodified-since", "Tue, 01 Sep 2026 00:00:00 GMT");
    assert_eq!(late.json(&json!({ "Phone": "1" })).send().await.expect("an answer").status().as_u16(), 412);
    let wrong = org.http.patch(&url).bearer_auth(&token).header("if-match", "\"other\"");
    assert_eq!(wrong.json(&json!({ "Phone": "1" })).send().await.expect("an answer").status().as_u16(), 412);
    org.send(&token, "DELETE", &format!("/sobjects/Account/{id}"), Json::Null).await;
    assert_eq!(org.get(&token, &format!("/services/data/v62.0/sobjects/Account/{id}")).await.0, 404);
    assert_eq!(
        org.get(&token, &format!("/services/data/v62.0/sobjects/Contact/{contact}")).await.0,
        404,
        "it went along"
    );
}

#[tokio::test]
async fn the_watermark_never_covers_a_minute_that_is_still_running() {
    let org = served(&small()).await;
    let token = org.token().await;
    let window = |resource: &str, start: &str, end: &str| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("start", start)
            .append_pair("end", end)
            .finish();
        format!("/services/data/v62.0/sobjects/Account/{resource}/?{query}")
    };
    let (from, to) = ("2026-09-21T14:10:00+00:00", "2026-09-21T14:30:59Z");
    let id = org.made(&token, "Account", json!({ "Name": "In flight" })).await;
    let (_, updated) = org.get(&token, &window("updated", from, to)).await;
    assert_eq!(
        (updated["ids"].as_array().map(Vec::len), updated["latestDateCovered"].as_str()),
        (Some(1), Some("2026-09-21T14:13:00.000+0000"))
    );
    let (_, next) = org.get(&token, &window("updated", "2026-09-21T14:13:00.000+0000", to)).await;
    assert_eq!(next["ids"][0], json!(id), "what came in the running minute comes again");
    org.send(&token, "DELETE", &format!("/sobjects/Account/{id}"), Json::Null).await;
    let (_, deleted) = org.get(&token, &window("deleted", from, to)).await;
    assert_eq!(
        (&deleted["deletedRecords"][0]["id"], deleted["earliestDateAvailable"].as_str()),
        (&json!(id), Some("2026-09-06T14:13:00.000+0000"))
    );
    for (start, end) in [(to, from), (from, "2026-09-21T14:10:30Z"), ("2026-01-01T00:00:00Z", to), ("x", to)] {
        let (status, error) = org.get(&token, &window("deleted", start, end)).await;
        assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("INVALID_REPLICATION_DATE")), "{start} {end}");
    }
}
