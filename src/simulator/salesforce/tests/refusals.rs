//! The catalogue of errors as a client may meet it: in records, by chance, and by order of a test.

use super::*;

const DATA: &str = "/services/data/v62.0";

#[tokio::test]
async fn what_customers_programs_throw_can_be_set_up() {
    let org = served(&small()).await;
    let token = org.token().await;
    for (code, status) in [
        ("UNABLE_TO_LOCK_ROW", 400),
        ("APEX_ERROR", 400),
        ("CANNOT_EXECUTE_FLOW_TRIGGER", 400),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", 400),
        ("TXN_SECURITY_METERING_ERROR", 400),
        ("LIMIT_EXCEEDED", 400),
        ("INSUFFICIENT_ACCESS_OR_READONLY", 403),
        ("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", 400),
        ("INVALID_ID_FIELD", 400),
        ("REQUEST_RUNNING_TOO_LONG", 400),
    ] {
        let rule = json!({ "object": "Contact", "when": "LastName LIKE 'Moss%'", "code": code, "message": "thrown" });
        assert_eq!(org.control("rules", json!({ "validation": [rule] })).await["ok"], true, "{code}");
        let (answered, refused) = org.send(&token, "POST", "/sobjects/Contact", json!({ "LastName": "Moss" })).await;
        assert_eq!((answered, refused[0]["errorCode"].as_str()), (status, Some(code)));
        let record = |name: &str| json!({ "attributes": { "type": "Contact" }, "LastName": name });
        let both = json!({ "records": [record("Moss"), record("Stone")] });
        let (_, results) = org.send(&token, "POST", "/composite/sobjects", both).await;
        assert_eq!((&results[0]["errors"][0]["statusCode"], &results[1]["success"]), (&json!(code), &json!(true)));
    }
    let unknown = json!({ "object": "Contact", "when": "LastName != null", "code": "ODD", "message": "" });
    assert!(org.control("rules", json!({ "validation": [unknown] })).await["error"].is_string());
}

#[tokio::test]
async fn rows_are_locked_by_chance_and_a_second_try_may_do() {
    let org = served(&small()).await;
    let token = org.token().await;
    let rule = json!({ "object": "Account", "when": "Name != null", "code": "UNABLE_TO_LOCK_ROW",
                       "message": "unable to obtain exclusive access to this record", "probability": 0.5 });
    org.control("rules", json!({ "validation": [rule] })).await;
    let mut refused = 0;
    for number in 0..40 {
        let account = json!({ "Name": format!("Number {number}") });
        refused += u32::from(org.send(&token, "POST", "/sobjects/Account", account).await.0 == 400);
    }
    assert!((8..32).contains(&refused), "{refused} of 40");
}

#[tokio::test]
async fn a_fault_bears_the_code_that_a_test_wants_or_is_a_maintenance_window() {
    let org = served(&small()).await;
    let token = org.token().await;
    for (status, code) in [
        (403, "API_DISABLED_FOR_ORG"),
        (403, "API_CURRENTLY_DISABLED"),
        (403, "REQUEST_LIMIT_EXCEEDED"),
        (400, "QUERY_TIMEOUT"),
        (400, "OPERATION_TOO_LARGE"),
        (400, "REQUEST_RUNNING_TOO_LONG"),
        (500, "UNKNOWN_EXCEPTION"),
    ] {
        let rule = json!({ "match": { "operation": "query" }, "fault": "status", "status": status, "code": code,
                           "message": "as ordered" });
        org.control("faults", json!({ "rules": [rule] })).await;
        let (answered, refused) = org.live(&token, "SELECT Id FROM Account").await;
        assert_eq!((answered, refused), (status, json!([{ "message": "as ordered", "errorCode": code }])));
    }
    let token_rule =
        json!({ "match": { "operation": "token" }, "fault": "status", "status": 400, "code": "inactive_org" });
    org.control("faults", json!({ "rules": [token_rule] })).await;
    let form = org.http.post(format!("{}/services/oauth2/token", org.url)).form(&[("grant_type", "refresh_token")]);
    let refused: Json = form.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(refused["error"], "inactive_org");

    org.control("faults", json!({ "rules": [{ "fault": "maintenance" }] })).await;
    let answer = org.http.get(format!("{}{DATA}/limits", org.url)).bearer_auth(&token).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 503);
    assert!(answer.headers()["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    assert!(answer.text().await.expect("HTML").contains("maintenance"));
    org.control("faults", json!({ "rules": [] })).await;
    assert_eq!(org.get(&token, &format!("{DATA}/limits")).await.0, 200, "the window is over");
}

#[tokio::test]
async fn years_that_the_org_does_not_know_are_refused() {
    let org = served(&small()).await;
    let token = org.token().await;
    for (day, status) in [("1699-12-31", 400), ("1700-01-01", 201), ("4000-12-31", 201), ("4001-01-01", 400)] {
        let contact = json!({ "LastName": "Old", "Birthdate": day });
        let (answered, answer) = org.send(&token, "POST", "/sobjects/Contact", contact).await;
        assert_eq!(answered, status, "{day}: {answer}");
        if status == 400 {
            assert_eq!(answer[0]["errorCode"], "INVALID_TYPE_ON_FIELD_IN_RECORD");
        }
    }
}

/// Requests that take long are few; short ones are not counted.
#[tokio::test]
async fn more_than_five_long_requests_at_once_are_refused() {
    let org = served(&small()).await;
    let token = org.token().await;
    let late = json!({ "match": { "operation": "describe" }, "fault": "delay", "delayMs": 600_000 });
    org.control("faults", json!({ "rules": [late] })).await;
    let slow: Vec<_> = (0..5)
        .map(|_| {
            let asked = org.http.get(format!("{}{DATA}/sobjects", org.url)).bearer_auth(&token);
            tokio::spawn(asked.send())
        })
        .collect();
    let arrived = async || {
        let stats = org.http.get(format!("{}/_simulator/stats", org.url)).send().await.expect("an answer");
        stats.json::<Json>().await.expect("JSON")["byOperation"]["describe"].as_u64()
    };
    let mut tries = 0..10_000;
    while arrived().await != Some(5) {
        tries.next().expect("all five have been sent");
    }
    assert_eq!(org.live(&token, "SELECT Id FROM User").await.0, 200, "they have not taken long yet");
    org.pass(20_000);
    let (status, refused) = org.live(&token, "SELECT Id FROM User").await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (403, Some("REQUEST_LIMIT_EXCEEDED")));
    assert_eq!(refused[0]["message"], "ConcurrentRequests Limit exceeded.");
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    // The server hears of it when it next looks at the connections.
    while org.live(&token, "SELECT Id FROM User").await.0 == 403 {
        tries.next().expect("who has hung up takes no place any more");
    }
}
