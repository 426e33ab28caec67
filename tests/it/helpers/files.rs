//! Files of the app's records.

use crosstie::model::Role;
use reqwest::Method;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{Answer, TestApp, answer};

impl TestApp {
    /// Adds a file to a record of the first workspace as a client would; returns its id.
    pub async fn add_file(&self, table: &str, record: Uuid, name: &str, content: &[u8]) -> String {
        let made = self.send_file(table, record, name, content).await.expect(201);
        made["file"]["id"].as_str().expect("an id").to_owned()
    }

    /// The same, whatever comes of it.
    pub async fn send_file(&self, table: &str, record: Uuid, name: &str, content: &[u8]) -> Answer {
        let ops = self.api_key_of(Role::SalesOps).await;
        let path = format!("/api/crm/records/{table}/{record}/files?name={name}");
        let request = ops.request(Method::POST, &path).header("content-type", "application/pdf");
        answer(path, request.body(content.to_vec())).await
    }

    /// The files of a record of the first workspace, by name.
    pub async fn files_of(&self, table: &str, record: Uuid) -> Vec<Json> {
        let member = self.api_key_of(Role::Member).await;
        let list = member.get(&format!("/api/crm/records/{table}/{record}/files")).await.expect(200);
        list["files"].as_array().cloned().expect("a list")
    }

    /// What a file of a record holds.
    pub async fn content_of(&self, table: &str, record: Uuid, file: &Json) -> Vec<u8> {
        let member = self.api_key_of(Role::Member).await;
        let path = format!("/api/crm/records/{table}/{record}/files/{}", file["id"].as_str().expect("an id"));
        let response = member.request(Method::GET, &path).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        response.bytes().await.expect("a body").to_vec()
    }
}
