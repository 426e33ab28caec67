//! Bad input: whatever comes, the answer is a refusal, never a crash.

use std::io::Write as _;

use proptest::prelude::*;

use super::super::org::Org;
use super::*;
use crate::simulator::asked::Asked;
use crate::simulator::commands;
use crate::simulator::skin::Skin;

#[tokio::test]
async fn bodies_come_gzipped_chunked_and_malformed() {
    let org = served(&small()).await;
    let token = org.token().await;
    let url = format!("{}/services/data/v62.0/sobjects/Account", org.url);
    let zipped = {
        // A stored block: gzip without compression, made by hand.
        let body = br#"{"Name":"Zipped"}"#;
        let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
        let length = u16::try_from(body.len()).expect("short");
        bytes.extend(length.to_le_bytes());
        bytes.extend((!length).to_le_bytes());
        bytes.write_all(body).expect("room");
        bytes.extend(crc32(body).to_le_bytes());
        bytes.extend(u32::from(length).to_le_bytes());
        bytes
    };
    let post = || org.http.post(&url).bearer_auth(&token).header("Content-Type", "application/json; charset=UTF-8");
    assert_eq!(
        post().header("CONTENT-ENCODING", "gzip").body(zipped).send().await.expect("an answer").status().as_u16(),
        201
    );
    let broken = post().header("content-encoding", "gzip").body("no gzip").send().await.expect("an answer");
    assert_eq!(broken.status().as_u16(), 413);
    let parts = ["{\"Name\":", "\"Chunked\"}"].map(|part| Ok::<_, std::io::Error>(part.to_owned()));
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(parts));
    assert_eq!(post().body(chunked).send().await.expect("an answer").status().as_u16(), 201);
    for (body, place) in
        [("{\"Name\": x}", "[line:1, column:10]"), ("[]", "not a JSON object"), ("", "EOF"), ("{", "EOF")]
    {
        let answer = post().body(body).send().await.expect("an answer");
        let status = answer.status().as_u16();
        let error: Json = answer.json().await.expect("JSON");
        assert_eq!((status, error[0]["errorCode"].as_str()), (400, Some("JSON_PARSER_ERROR")));
        assert!(error[0]["message"].as_str().expect("words").contains(place), "{error}");
    }
    let form = org.http.post(&url).bearer_auth(&token).form(&[("Name", "x")]).send().await.expect("an answer");
    assert_eq!(form.status().as_u16(), 415);
}

#[tokio::test]
async fn addresses_headers_and_methods_that_lead_nowhere_are_refused() {
    let org = served(&small()).await;
    let token = org.token().await;
    let long = "x".repeat(17_000);
    let answer = org
        .http
        .get(format!("{}/services/data/v62.0/query?q={long}", org.url))
        .bearer_auth(&token)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 414);
    assert!(answer.text().await.expect("HTML").contains("<h1>"));
    let answer = org
        .http
        .get(format!("{}/services/data/v62.0/limits", org.url))
        .bearer_auth(&token)
        .header("x", &long)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status().as_u16(), 431);
    for (method, path, status) in [
        ("GET", "/sobjects/Nope", 404),
        ("GET", "/sobjects/Account/001Si000000zzzz", 404),
        ("GET", "/sobjects/Account/nonsense", 404),
        ("GET", "/nope", 404),
        ("POST", "/limits", 405),
        ("PUT", "/sobjects/Account", 405),
        ("DELETE", "/sobjects/Account/describe", 405),
        ("GET", "/sobjects/Account/Nope__c/1", 404),
        ("GET", "/sobjects/Account/001Si0000000001/Nope", 404),
        ("GET", "/composite/sobjects/Account?ids=001Si0000000001", 400),
    ] {
        assert_eq!(org.send(&token, method, path, Json::Null).await.0, status, "{method} {path}");
    }
    let odd = org
        .http
        .get(format!("{}/services/data/v62.0/limits", org.url))
        .header("Authorization", "Token x")
        .send()
        .await
        .expect("an answer");
    let error: Json = odd.json().await.expect("JSON");
    assert_eq!(error[0]["errorCode"], "INVALID_AUTH_HEADER");
    let lower = org
        .http
        .get(format!("{}/services/data/v62.0/limits", org.url))
        .header("AUTHORIZATION", format!("bearer {token}"));
    assert_eq!(lower.send().await.expect("an answer").status().as_u16(), 200);
}

#[tokio::test]
async fn the_control_interface_refuses_what_it_does_not_know() {
    let org = served(&small()).await;
    for (path, body) in [
        ("faults", json!({ "rules": [{ "fault": "explode" }] })),
        ("faults", json!({ "rules": [{ "match": { "colour": "red" }, "fault": "reset" }] })),
        ("limits", json!({ "weekly": 1 })),
        ("limits", json!({ "daily": -1 })),
        ("limits", json!(7)),
        ("clock", json!({ "set": "soon" })),
        ("settings", json!({ "sessionSeconds": -5 })),
        ("settings", json!({ "colour": "red" })),
        ("settings", json!([])),
        ("edit", json!({ "object": "Case", "fields": {} })),
        ("edit", json!({ "object": "Account", "action": "convert", "id": "x" })),
        ("reset", json!({ "accounts": 10_000_000 })),
    ] {
        let answer =
            org.http.post(format!("{}/_simulator/{path}", org.url)).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 422, "{path} {body}");
    }
    let broken = org.http.post(format!("{}/_simulator/edit", org.url)).body("{").send().await.expect("an answer");
    assert_eq!(broken.status().as_u16(), 422);
    let nowhere = org.http.get(format!("{}/_simulator/records/Case", org.url)).send().await.expect("an answer");
    assert_eq!(nowhere.status().as_u16(), 404);
    let missing = org.control("edit", json!({ "object": "Account", "action": "merge", "id": "001Si0000000001" })).await;
    assert_eq!(missing[0]["errorCode"], "MISSING_ARGUMENT");
}

fn crc32(bytes: &[u8]) -> u32 {
    let step =
        |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ ((crc & 1) * 0xEDB8_8320));
    !bytes.iter().fold(u32::MAX, step)
}

/// An org that a request can be put to without a network.
fn org() -> Org {
    let clock: Clock = Arc::new(|| NOW);
    Org::open(&small(), clock).expect("a world")
}

fn token_of(org: &mut Org) -> String {
    let asked = Asked { method: "POST".to_owned(), path: "/_simulator/token".to_owned(), ..Asked::default() };
    let granted: Json = serde_json::from_str(&commands::answer(org, &asked).body).expect("JSON");
    granted["access_token"].as_str().expect("a token").to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_request_ends_in_a_crash(
        method in prop::sample::select(vec!["GET", "POST", "PATCH", "DELETE", "PUT"]),
        path in prop::collection::vec(prop::sample::select(vec![
            "services", "data", "v62.0", "sobjects", "Account", "Contact", "User", "query", "queryAll", "composite", "describe",
            "updated", "deleted", "limits", "oauth2", "token", "revoke", "introspect", "authorize", "id", "_simulator", "edit",
            "reset", "faults", "page", "records", "001Si0000000001AAA", "Crosstie_Id__c", "%F0%9F", "..", "",
        ]), 0..7),
        query in prop::sample::select(vec!["", "q=SELECT+Id+FROM+Account", "ids=a,b&fields=Id", "start=1&end=2", "_HttpMethod=%00", "object=Account&id=x&from=9999999999999"]),
        body in prop::sample::select(vec![
            "", "{}", "[]", "null", "{\"records\":[{}]}", "{\"records\":[1]}", "{\"records\":[{\"attributes\":{\"type\":\"Account\"},\"Name\":1e999}]}",
            "{\"compositeRequest\":[{}]}", "{\"compositeRequest\":[{\"referenceId\":\"a\",\"url\":\"@{a.b}\",\"method\":\"GET\"}]}",
            "{\"object\":\"Account\",\"fields\":{\"Name\":\"x\",\"AnnualRevenue\":1e-400}}", "grant_type=refresh_token", "\u{0}",
        ]),
        signed_in in any::<bool>(),
    ) {
        let mut org = org();
        let mut headers = axum::http::HeaderMap::new();
        if signed_in {
            let value = format!("Bearer {}", token_of(&mut org));
            headers.insert("authorization", value.parse().expect("a header"));
        }
        let asked = Asked { method: method.to_owned(), path: format!("/{}", path.join("/")), query: query.to_owned(), headers, body: body.as_bytes().to_vec() };
        let reply = if asked.path.starts_with("/_simulator") { commands::answer(&mut org, &asked) } else { org.answer(&asked) };
        prop_assert!(reply.status != 500, "{} {}: {}", asked.method, asked.path, reply.body);
    }

    #[test]
    fn no_statement_ends_in_a_crash(words in prop::collection::vec(prop::sample::select(vec![
        "SELECT", "Id", ",", "Name", "Owner.Name", "(", ")", "FROM", "Account", "Contacts", "WHERE", "=", "!=", "<", "IN", "NOT", "AND", "OR", "LIKE",
        "'x'", "'001Si0000000001'", "null", "TRUE", "1", "-1.5e300", "2024-01-01", "2024-01-01T00:00:00Z", "TODAY", "LAST_N_DAYS:100000",
        "GROUP", "BY", "ORDER", "LIMIT", "OFFSET", "2", "COUNT", "MAX", "FIELDS", "ALL", "NULLS", "LAST", "DESC", "NumberOfEmployees", "CreatedDate",
    ]), 0..25)) {
        let mut org = org();
        let token = token_of(&mut org);
        let mut headers = axum::http::HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
        let soql: String = url::form_urlencoded::byte_serialize(format!("SELECT Id FROM Account {}", words.join(" ")).as_bytes()).collect();
        let asked = Asked { method: "GET".to_owned(), path: "/services/data/v62.0/queryAll".to_owned(), query: format!("q={soql}"), headers, body: Vec::new() };
        let reply = org.answer(&asked);
        prop_assert!(matches!(reply.status, 200 | 400), "{}", reply.body);
    }
}
