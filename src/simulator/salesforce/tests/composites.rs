//! Several requests in one call (dossier 2.7).

use super::*;

fn account(name: &str) -> Json {
    json!({ "method": "POST", "url": "/services/data/v62.0/sobjects/Account", "body": { "Name": name } })
}

fn named(reference: &str, mut request: Json) -> Json {
    request["referenceId"] = json!(reference);
    request
}

#[tokio::test]
async fn a_batch_answers_each_request_by_itself() {
    let org = served(&small()).await;
    let token = org.token().await;
    let id = org.made(&token, "Account", json!({ "Name": "Alder" })).await;
    let requests = json!([
        { "method": "PATCH", "url": format!("v62.0/sobjects/Account/{id}"), "richInput": { "Phone": "1" } },
        { "method": "GET", "url": format!("/services/data/v62.0/sobjects/Account/{id}?fields=Name,Phone") },
        { "method": "GET", "url": "v62.0/sobjects/Account/001000000000000AAA" },
        { "method": "GET", "url": "v62.0/composite/batch" },
        { "method": "POST", "url": "v62.0/sobjects/Account", "richInput": { "Name": "Birch" } },
    ]);
    let (status, answer) = org.send(&token, "POST", "/composite/batch", json!({ "batchRequests": requests })).await;
    assert_eq!((status, &answer["hasErrors"]), (200, &json!(true)));
    let results = answer["results"].as_array().expect("results");
    let codes: Vec<u64> = results.iter().filter_map(|result| result["statusCode"].as_u64()).collect();
    assert_eq!(codes, [204, 200, 404, 404, 201]);
    assert_eq!((&results[0]["result"], &results[1]["result"]["Phone"]), (&Json::Null, &json!("1")));
    assert_eq!(results[2]["result"][0]["errorCode"], "NOT_FOUND");

    let halted = json!({ "haltOnError": true, "batchRequests": requests });
    let (_, answer) = org.send(&token, "POST", "/composite/batch", halted).await;
    assert_eq!(answer["results"][4]["statusCode"], 412);
    assert_eq!(answer["results"][4]["result"][0]["errorCode"], "BATCH_PROCESSING_HALTED");
    let (_, found) = org.live(&token, "SELECT Id FROM Account WHERE Name = 'Birch'").await;
    assert_eq!(found["totalSize"], 1, "only the batch that went on made one");
}

#[tokio::test]
async fn a_graph_is_applied_whole_or_not_at_all() {
    let org = served(&small()).await;
    let token = org.token().await;
    let contact = |last_name: Json| {
        json!({ "method": "POST", "url": "/services/data/v62.0/sobjects/Contact", "referenceId": "person",
                "body": { "LastName": last_name, "AccountId": "@{company.id}" } })
    };
    let graphs = json!({ "graphs": [
        { "graphId": "good", "compositeRequest": [named("company", account("Alder")), contact(json!("Moss"))] },
        { "graphId": "bad", "compositeRequest": [named("company", account("Birch")), contact(Json::Null)] },
    ]});
    let (status, answer) = org.send(&token, "POST", "/composite/graph", graphs).await;
    assert_eq!(status, 200, "{answer}");
    let successful: Vec<bool> = answer["graphs"]
        .as_array()
        .expect("graphs")
        .iter()
        .filter_map(|graph| graph["isSuccessful"].as_bool())
        .collect();
    assert_eq!(successful, [true, false]);
    let bad = &answer["graphs"][1]["graphResponse"]["compositeResponse"];
    assert_eq!(bad[0]["body"][0]["errorCode"], "PROCESSING_HALTED");
    assert_eq!(bad[1]["body"][0]["errorCode"], "REQUIRED_FIELD_MISSING");
    let (_, found) = org
        .live(&token, "SELECT Name, (SELECT LastName FROM Contacts) FROM Account WHERE Name IN ('Alder', 'Birch')")
        .await;
    assert_eq!(found["totalSize"], 1, "{found}");
    assert_eq!(found["records"][0]["Contacts"]["records"][0]["LastName"], "Moss");
}

#[tokio::test]
async fn what_is_no_graph_is_refused_before_anything_is_done() {
    let org = served(&small()).await;
    let token = org.token().await;
    let query =
        json!({ "method": "GET", "url": "/services/data/v62.0/query?q=SELECT Id FROM Account", "referenceId": "q" });
    let described =
        json!({ "method": "GET", "url": "/services/data/v62.0/sobjects/Account/describe", "referenceId": "d" });
    let many: Vec<Json> = (0..501).map(|place| named(&format!("r{place}"), account("x"))).collect();
    let chain: Vec<Json> =
        (1..=16).map(|place| named(&format!("r{place}"), account(&format!("x @{{r{}.id}}", place - 1)))).collect();
    for (graphs, code) in [
        (json!([{ "graphId": "g", "compositeRequest": chain }]), "LIMIT_EXCEEDED"),
        (json!([{ "graphId": "g", "compositeRequest": [query] }]), "INVALID_INPUT"),
        (json!([{ "graphId": "g", "compositeRequest": many }]), "LIMIT_EXCEEDED"),
        (json!([{ "graphId": "", "compositeRequest": [] }]), "JSON_PARSER_ERROR"),
        (json!([{ "graphId": "g", "compositeRequest": [account("x")] }]), "JSON_PARSER_ERROR"),
        (json!([{ "graphId": "g" }]), "JSON_PARSER_ERROR"),
        (json!([{ "graphId": "g", "compositeRequest": [described] }]), "INVALID_INPUT"),
        (json!({}), "JSON_PARSER_ERROR"),
    ] {
        let (status, answer) = org.send(&token, "POST", "/composite/graph", json!({ "graphs": graphs })).await;
        assert_eq!((status, answer[0]["errorCode"].as_str()), (400, Some(code)), "{answer}");
    }
    let (_, found) = org.live(&token, "SELECT Id FROM Account WHERE Name = 'x'").await;
    assert_eq!(found["totalSize"], 0);
}

#[tokio::test]
async fn a_tree_makes_parents_and_children_together() {
    let org = served(&small()).await;
    let token = org.token().await;
    let person = |reference: &str, email: &str| json!({ "attributes": { "type": "Contact", "referenceId": reference }, "LastName": reference, "Email": email });
    let tree = |name: &str, email: &str| {
        json!({ "records": [{
            "attributes": { "type": "Account", "referenceId": "company" }, "Name": name,
            "Contacts": { "records": [person("one", "one@example.com"), person("two", email)] } }]})
    };
    let (status, answer) = org.send(&token, "POST", "/composite/tree/Account", tree("Alder", "two@example.com")).await;
    assert_eq!((status, &answer["hasErrors"]), (201, &json!(false)), "{answer}");
    let references: Vec<&str> = answer["results"]
        .as_array()
        .expect("results")
        .iter()
        .filter_map(|result| result["referenceId"].as_str())
        .collect();
    assert_eq!(references, ["company", "one", "two"]);
    let company = answer["results"][0]["id"].as_str().expect("an id");
    let (_, found) = org.live(&token, &format!("SELECT LastName FROM Contact WHERE AccountId = '{company}'")).await;
    assert_eq!(found["totalSize"], 2);

    let (status, answer) = org.send(&token, "POST", "/composite/tree/Account", tree("Birch", "no address")).await;
    assert_eq!(status, 400);
    assert_eq!(answer["results"].as_array().map(Vec::len), Some(1), "only what failed is told: {answer}");
    assert_eq!(answer["results"][0]["referenceId"], "two");
    assert_eq!(answer["results"][0]["errors"][0]["statusCode"], "INVALID_EMAIL_ADDRESS");
    let (_, found) = org.live(&token, "SELECT Id FROM Account WHERE Name = 'Birch'").await;
    assert_eq!(found["totalSize"], 0, "nothing of it is left");
}

#[tokio::test]
async fn what_is_no_tree_is_refused() {
    let org = served(&small()).await;
    let token = org.token().await;
    let of =
        |reference: &str, kind: &str| json!({ "attributes": { "type": kind, "referenceId": reference }, "Name": "x" });
    let many: Vec<Json> = (0..201).map(|place| of(&format!("r{place}"), "Account")).collect();
    for (records, code) in [
        (json!([of("", "Account")]), "INVALID_INPUT"),
        (json!([of("a", "Account"), of("a", "Account")]), "INVALID_INPUT"),
        (json!([of("a", "Contact")]), "INVALID_INPUT"),
        (json!(many), "LIMIT_EXCEEDED"),
        (json!(["x"]), "JSON_PARSER_ERROR"),
        (json!("x"), "JSON_PARSER_ERROR"),
    ] {
        let (status, answer) = org.send(&token, "POST", "/composite/tree/Account", json!({ "records": records })).await;
        assert_eq!((status, answer[0]["errorCode"].as_str()), (400, Some(code)), "{answer}");
    }
    let (status, _) = org.send(&token, "POST", "/composite/tree/Nothing", json!({ "records": [] })).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn the_family_is_counted_as_one_operation() {
    let org = served(&small()).await;
    let token = org.token().await;
    org.http.delete(format!("{}/_simulator/stats", org.url)).send().await.expect("an answer");
    org.send(&token, "POST", "/composite/batch", json!({ "batchRequests": [] })).await;
    org.send(&token, "POST", "/composite/graph", json!({ "graphs": [] })).await;
    org.send(&token, "POST", "/composite/tree/Account", json!({ "records": [] })).await;
    let stats: Json = org
        .http
        .get(format!("{}/_simulator/stats", org.url))
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(stats["byOperation"]["composite"], 3, "{stats}");
}
