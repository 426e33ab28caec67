//! Files: versions, documents, links, attachments.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const DATA: &str = "/services/data/v62.0";

/// Bytes that are no text.
const BYTES: [u8; 5] = [0, 159, 146, 150, 10];

impl Served {
    async fn bytes(&self, token: &str, path: &str) -> (u16, Vec<u8>) {
        let answer = self.http.get(format!("{}{path}", self.url)).bearer_auth(token).send().await.expect("an answer");
        (answer.status().as_u16(), answer.bytes().await.expect("bytes").to_vec())
    }
}

fn version(title: &str, bytes: &[u8]) -> Json {
    json!({ "Title": title, "PathOnClient": "C:\\in\\offer.pdf", "VersionData": STANDARD.encode(bytes) })
}

#[tokio::test]
async fn a_version_makes_a_document_that_is_linked_and_survives_a_restart() {
    let folder = std::env::temp_dir().join(format!("crosstie-files-{}", std::process::id()));
    let options = SimulatorOptions { state_dir: Some(folder.clone()), ..small() };
    let (token, path) = {
        let org = served(&options).await;
        let token = org.token().await;
        let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
        let mut first = version("Offer", &BYTES);
        first["FirstPublishLocationId"] = json!(account);
        let id = org.made(&token, "ContentVersion", first).await;
        let (_, row) = org.get(&token, &format!("{DATA}/sobjects/ContentVersion/{id}")).await;
        assert_eq!((&row["ContentSize"], row["FileExtension"].as_str()), (&json!(5), Some("pdf")));
        assert_eq!((&row["IsLatest"], row["VersionNumber"].as_str()), (&json!(true), Some("1")));
        assert_eq!(row["Checksum"], "9cab60c2c85b1099fd7046724c153130");
        let path = row["VersionData"].as_str().expect("an address").to_owned();
        assert_eq!(path, format!("{DATA}/sobjects/ContentVersion/{id}/VersionData"));
        assert_eq!(org.bytes(&token, &path).await, (200, BYTES.to_vec()));

        let links =
            format!("SELECT ContentDocumentId, ShareType FROM ContentDocumentLink WHERE LinkedEntityId = '{account}'");
        let (_, linked) = org.live(&token, &links).await;
        assert_eq!(linked["records"][0]["ContentDocumentId"], row["ContentDocumentId"]);
        (token, path)
    };
    let org = served(&options).await;
    assert_eq!(org.bytes(&token, &path).await, (200, BYTES.to_vec()), "bytes are kept");
    std::fs::remove_dir_all(folder).expect("the folder was made");
}

#[tokio::test]
async fn a_further_version_is_the_latest_and_a_deleted_document_takes_all_along() {
    let org = served(&small()).await;
    let token = org.token().await;
    let first = org.made(&token, "ContentVersion", version("Offer", b"one")).await;
    let (_, row) = org.get(&token, &format!("{DATA}/sobjects/ContentVersion/{first}")).await;
    let document = row["ContentDocumentId"].as_str().expect("a document").to_owned();
    let mut second = version("Offer, changed", b"two!");
    second["ContentDocumentId"] = json!(document);
    let second = org.made(&token, "ContentVersion", second).await;
    let soql = format!(
        "SELECT Id, VersionNumber, IsLatest FROM ContentVersion WHERE ContentDocumentId = '{document}' ORDER BY VersionNumber"
    );
    let (_, versions) = org.live(&token, &soql).await;
    let latest: Vec<&Json> = versions["records"].as_array().expect("rows").iter().map(|row| &row["IsLatest"]).collect();
    assert_eq!(latest, [&json!(false), &json!(true)]);
    let (_, row) = org.get(&token, &format!("{DATA}/sobjects/ContentDocument/{document}")).await;
    assert_eq!((&row["LatestPublishedVersionId"], row["Title"].as_str()), (&json!(second), Some("Offer, changed")));
    assert_eq!(row["ContentSize"], 4);

    let link = json!({ "ContentDocumentId": document, "LinkedEntityId": org.made(&token, "Account", json!({ "Name": "K" })).await });
    org.made(&token, "ContentDocumentLink", link.clone()).await;
    let (status, refused) = org.send(&token, "POST", "/sobjects/ContentDocumentLink", link).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("DUPLICATE_VALUE")));

    assert_eq!(org.send(&token, "DELETE", &format!("/sobjects/ContentDocument/{document}"), Json::Null).await.0, 204);
    assert_eq!(org.bytes(&token, &format!("{DATA}/sobjects/ContentVersion/{second}/VersionData")).await.0, 404);
    let (_, links) =
        org.live(&token, &format!("SELECT Id FROM ContentDocumentLink WHERE ContentDocumentId = '{document}'")).await;
    assert_eq!(links["totalSize"], 0);
}

#[tokio::test]
async fn a_form_of_json_and_bytes_is_taken_too() {
    let org = served(&small()).await;
    let token = org.token().await;
    let account = org.made(&token, "Account", json!({ "Name": "Kestrel" })).await;
    let body = json!({ "Name": "old.bin", "ParentId": account, "ContentType": "application/x-old" });
    let mut form = Vec::new();
    let head =
        "--cut\r\nContent-Disposition: form-data; name=\"entity_attachment\"\r\nContent-Type: application/json\r\n\r\n";
    form.extend(format!("{head}{body}\r\n").bytes());
    form.extend(b"--cut\r\nContent-Disposition: form-data; name=\"Body\"; filename=\"old.bin\"\r\n\r\n");
    form.extend(BYTES);
    form.extend(b"\r\n--cut--\r\n");
    let url = format!("{}{DATA}/sobjects/Attachment", org.url);
    let asked = org.http.post(url).bearer_auth(&token).header("content-type", "multipart/form-data; boundary=cut");
    let answer = asked.body(form).send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 201);
    let made: Json = answer.json().await.expect("JSON");
    let id = made["id"].as_str().expect("an id");
    let (_, row) = org.get(&token, &format!("{DATA}/sobjects/Attachment/{id}")).await;
    assert_eq!((&row["BodyLength"], &row["ParentId"]), (&json!(5), &json!(account)));
    assert_eq!(org.bytes(&token, row["Body"].as_str().expect("an address")).await.1, BYTES);
}

#[tokio::test]
async fn what_is_no_file_is_refused_and_links_are_never_read_whole() {
    let org = served(&small()).await;
    let token = org.token().await;
    let mut odd = version("Odd", b"");
    odd["VersionData"] = json!("no base64!");
    let mut nameless = version("Odd", b"x");
    nameless.as_object_mut().expect("an object").remove("PathOnClient");
    for (body, code) in [(odd, "JSON_PARSER_ERROR"), (nameless, "REQUIRED_FIELD_MISSING")] {
        let (status, refused) = org.send(&token, "POST", "/sobjects/ContentVersion", body).await;
        assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some(code)));
    }
    for object in ["ContentVersion", "ContentDocument"] {
        let (_, found) = org.live(&token, &format!("SELECT Id FROM {object}")).await;
        assert_eq!(found["totalSize"], 0, "nothing of what was refused stays");
    }
    let (status, refused) = org.live(&token, "SELECT Id FROM ContentDocumentLink").await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("MALFORMED_QUERY")));
    assert!(refused[0]["message"].as_str().is_some_and(|text| text.starts_with("Implementation restriction")));
}

#[tokio::test]
async fn bytes_do_not_come_within_another_answer() {
    let org = served(&small()).await;
    let token = org.token().await;
    let id = org.made(&token, "ContentVersion", version("Offer", &BYTES)).await;
    let address = format!("{DATA}/sobjects/ContentVersion/{id}/VersionData");
    let calls = json!({ "compositeRequest": [
        { "method": "GET", "url": format!("{DATA}/sobjects/ContentVersion/{id}?fields=Title"), "referenceId": "row" },
        { "method": "GET", "url": address, "referenceId": "bytes" } ]});
    let (status, answer) = org.send(&token, "POST", "/composite", calls).await;
    let parts = &answer["compositeResponse"];
    assert_eq!((status, &parts[0]["httpStatusCode"]), (200, &json!(200)));
    assert_eq!(
        (&parts[1]["httpStatusCode"], &parts[1]["body"][0]["errorCode"]),
        (&json!(400), &json!("INVALID_INPUT"))
    );
    let batch = json!({ "batchRequests": [{ "method": "GET", "url": address }] });
    let (_, answer) = org.send(&token, "POST", "/composite/batch", batch).await;
    assert_eq!((&answer["hasErrors"], &answer["results"][0]["statusCode"]), (&json!(true), &json!(400)));
    assert_eq!(org.bytes(&token, &address).await, (200, BYTES.to_vec()), "alone they come");
}
