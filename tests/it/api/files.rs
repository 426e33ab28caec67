//! Files of records by REST and by the form of the record's page.

use crosstie::model::Role;
use reqwest::Method;
use serde_json::json;

use crate::helpers::{FILE_LIMIT, TestApp, answer};

#[tokio::test]
async fn a_file_comes_back_as_it_was_and_cannot_be_shown_as_a_page() {
    let app = TestApp::start().await;
    let record = app.insert("accounts", json!({ "name": "Kestrel" })).await;
    let page = b"<script>alert(1)</script>";
    let ops = app.api_key_of(Role::SalesOps).await;
    let path = format!("/api/crm/records/accounts/{record}/files");
    let request =
        ops.request(Method::POST, &format!("{path}?name=Pl%C3%A4ne.html")).header("content-type", "text/html");
    let made = answer(path.clone(), request.body(page.to_vec())).await.expect(201)["file"].clone();
    assert_eq!(
        (&made["name"], &made["size"], &made["contentType"]),
        (&json!("Pläne.html"), &json!(25), &json!("text/html"))
    );
    assert_eq!(made["createdAt"], "2026-03-02T09:00:00.000Z");
    let loaded = ops.get(&format!("{path}/{}", made["id"].as_str().expect("an id"))).await;
    assert_eq!((loaded.status, loaded.text.as_bytes()), (200, &page[..]));
    assert_eq!(loaded.header("content-disposition"), Some("attachment; filename*=UTF-8''Pl%C3%A4ne.html"));
    assert_eq!(loaded.header("x-content-type-options"), Some("nosniff"));
    assert!(loaded.header("content-security-policy").is_some_and(|policy| policy.starts_with("default-src 'none'")));
    assert_eq!(app.files_of("accounts", record).await, [made]);
}

#[tokio::test]
async fn the_same_file_twice_is_there_once_and_a_deleted_one_is_not() {
    let app = TestApp::start().await;
    let record = app.insert("accounts", json!({ "name": "Kestrel" })).await;
    let other = app.insert("contacts", json!({ "last_name": "Raman" })).await;
    let first = app.add_file("accounts", record, "Offer.pdf", b"offer").await;
    let again = app.send_file("accounts", record, "Offer.pdf", b"offer").await.expect(200);
    assert_eq!(again["file"]["id"], first.as_str());
    app.add_file("accounts", record, "Offer.pdf", b"another offer").await;
    app.add_file("contacts", other, "Copy.pdf", b"offer").await;
    assert_eq!(app.files_of("accounts", record).await.len(), 2);
    assert_eq!(app.rows("SELECT DISTINCT sha256 FROM crm_files").await.len(), 2, "two contents of three files");
    let ops = app.api_key_of(Role::SalesOps).await;
    let path = format!("/api/crm/records/accounts/{record}/files/{first}");
    assert_eq!(ops.get(&path.replace("accounts", "contacts")).await.status, 404, "a file of another record");
    assert_eq!(ops.delete(&path).await.status, 204);
    ops.delete(&path).await.refused(404, "not_found");
    ops.get(&path).await.refused(404, "not_found");
    assert_eq!(app.files_of("accounts", record).await.len(), 1);
    assert_eq!(app.content_of("contacts", other, &app.files_of("contacts", other).await[0]).await, b"offer");
}

#[tokio::test]
async fn what_cannot_be_taken_is_said_and_leaves_nothing() {
    let app = TestApp::start().await;
    let record = app.insert("accounts", json!({ "name": "Kestrel" })).await;
    let large = vec![7_u8; usize::try_from(FILE_LIMIT).expect("small") + 1];
    let refused = app.send_file("accounts", record, "large.bin", &large).await.refused(413, "too_large");
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("larger than 1 MB")), "{refused}");
    app.send_file("accounts", record, "", b"x").await.refused(422, "invalid");
    app.send_file("accounts", app.services.rng.uuid(), "a", b"x").await.refused(404, "not_found");
    let member = app.api_key_of(Role::Member).await;
    let path = format!("/api/crm/records/accounts/{record}/files?name=a");
    answer(path.clone(), member.request(Method::POST, &path).body("x")).await.refused(403, "forbidden");
    app.sql(&format!("UPDATE accounts SET deleted_at = now() WHERE id = '{record}'")).await;
    app.send_file("accounts", record, "a", b"x").await.refused(409, "record_deleted");
    assert_eq!(app.rows("SELECT id FROM crm_files").await.len(), 0);
}

#[tokio::test]
async fn the_pages_form_adds_a_file_without_script() {
    let app = TestApp::start().await;
    let record = app.insert("accounts", json!({ "name": "Kestrel" })).await;
    let person = app.sign_in_as(Role::SalesOps).await;
    let page = format!("/records/accounts/{record}");
    let send = async |content: Vec<u8>| {
        let part = reqwest::multipart::Part::bytes(content).file_name("C:\\in\\Offer.pdf").mime_str("application/pdf");
        let form = reqwest::multipart::Form::new().part("file", part.expect("a type"));
        let request = person.request(Method::POST, &format!("/api/crm/records/accounts/{record}/files"));
        answer("a form".to_owned(), request.header("accept", "text/html").multipart(form)).await
    };
    let sent = send(b"offer".to_vec()).await;
    assert_eq!((sent.status, sent.header("location")), (303, Some(format!("{page}#files").as_str())));
    let shown = person.get(&page).await;
    assert!(shown.text.contains("Offer.pdf") && shown.text.contains("5 bytes"), "{}", shown.text);
    assert!(shown.text.contains("enctype=\"multipart/form-data\""), "{}", shown.text);
    let large = vec![7_u8; usize::try_from(FILE_LIMIT).expect("small") + 1];
    let sent = send(large).await;
    assert_eq!((sent.status, sent.header("location")), (303, Some(format!("{page}?refused=too_large#files").as_str())));
    let shown = person.get(&format!("{page}?refused=too_large")).await;
    assert!(shown.text.contains("larger than 1 MB, the most that is taken"), "{}", shown.text);
    assert_eq!(app.files_of("accounts", record).await.len(), 1);
    let page = person.get(&page.replace("accounts", "contacts")).await;
    assert_eq!(page.status, 404);
}
