//! Files: the newest version of each document that is linked to a record (dossier 6).
//!
//! Left out: attachments of old, which Salesforce converts, and documents whose content is kept elsewhere.

use std::collections::HashMap;

use async_trait::async_trait;
use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde_json::{Value as Json, json};

use super::super::{ConnectorError, Content, CrmFiles, CrmRecord, FileUpload, Session, UploadOutcome};
use super::api::Api;
use super::{BATCH, IDS_PER_QUERY, SalesforceConnector, errors, query};
use crate::model::Entity;
use crate::sync::CrmFile;

/// What is asked of a version.
const VERSION: &str =
    "SELECT Id,ContentDocumentId,Title,FileExtension,ContentSize,Checksum,ContentLocation FROM ContentVersion";

#[async_trait]
impl CrmFiles for SalesforceConnector {
    fn list_size(&self) -> usize {
        BATCH
    }

    async fn list(
        &self,
        session: &Session,
        _entity: Entity,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<CrmFile>>, ConnectorError> {
        let api = self.api(session);
        let soql = format!(
            "SELECT ContentDocumentId,LinkedEntityId FROM ContentDocumentLink WHERE LinkedEntityId IN ({})",
            quoted(ids)
        );
        let links = api.query_all_pages(&soql, false).await?;
        let mut documents: Vec<String> = links.iter().filter_map(|link| text(link, "ContentDocumentId")).collect();
        documents.sort_unstable();
        documents.dedup();
        let mut newest: HashMap<String, CrmFile> = HashMap::new();
        for documents in documents.chunks(IDS_PER_QUERY) {
            let condition = format!("IsLatest = true AND ContentDocumentId IN ({})", quoted(documents));
            newest.extend(versions(&api, &condition).await?.into_iter().map(|file| (file.id.clone(), file)));
        }
        let mut found: HashMap<String, Vec<CrmFile>> = HashMap::new();
        for link in &links {
            let file = text(link, "ContentDocumentId").and_then(|document| newest.get(&document));
            if let (Some(record), Some(file)) = (text(link, "LinkedEntityId"), file) {
                found.entry(record).or_default().push(file.clone());
            }
        }
        for files in found.values_mut() {
            files.sort_by(|a, b| a.id.cmp(&b.id));
        }
        Ok(found)
    }

    async fn download(&self, session: &Session, file: &CrmFile) -> Result<Option<Content>, ConnectorError> {
        let api = self.api(session);
        api.open(&api.path(&format!("/sobjects/ContentVersion/{}/VersionData", file.version))).await
    }

    async fn upload(
        &self,
        session: &Session,
        upload: &FileUpload,
        content: Content,
    ) -> Result<UploadOutcome, ConnectorError> {
        let api = self.api(session);
        let answer = api.send_form(&api.path("/sobjects/ContentVersion"), form(upload, content)?).await?;
        let body: Option<Json> = serde_json::from_slice(&answer.body).ok();
        if !answer.status.is_success() {
            return errors::of_upload(u64::from(answer.status.as_u16()), body.as_ref());
        }
        // From here on the file is there: what goes wrong now is found out by looking.
        let unknown = |detail: &str| ConnectorError::Unknown { detail: detail.to_owned() };
        let id = body.as_ref().and_then(|body| body.get("id")?.as_str()).ok_or_else(|| unknown("unreadable answer"))?;
        let made = versions(&api, &format!("Id = {}", query::text(id))).await;
        let made = made.ok().and_then(|mut made| made.pop()).ok_or_else(|| unknown("the new file was not told"))?;
        let is_whole = made.size.is_none_or(|size| size == upload.size)
            && made.md5.as_ref().is_none_or(|md5| md5.eq_ignore_ascii_case(&upload.md5));
        if is_whole {
            return Ok(UploadOutcome::Done(made));
        }
        if upload.replaces.is_none() {
            api.remove(&api.path(&format!("/sobjects/ContentDocument/{}", made.id))).await?;
        }
        Err(ConnectorError::Transient { detail: "the file did not arrive as it was sent".to_owned() })
    }
}

/// The newest versions that meet a condition, without those whose content is kept elsewhere.
async fn versions(api: &Api<'_>, condition: &str) -> Result<Vec<CrmFile>, ConnectorError> {
    let rows = api.query_all_pages(&format!("{VERSION} WHERE {condition}"), false).await?;
    let here = rows.into_iter().filter(|row| text(row, "ContentLocation").is_none_or(|place| place == "S"));
    Ok(here.filter_map(|row| Some(CrmFile { id: text(&row, "ContentDocumentId")?, ..file(&row) })).collect())
}

fn file(row: &CrmRecord) -> CrmFile {
    let title = text(row, "Title").unwrap_or_default();
    let ending = text(row, "FileExtension").map(|extension| format!(".{extension}")).unwrap_or_default();
    CrmFile {
        id: String::new(),
        version: row.id.clone(),
        name: if title.to_lowercase().ends_with(&ending.to_lowercase()) { title } else { format!("{title}{ending}") },
        size: text(row, "ContentSize").and_then(|size| size.parse().ok()),
        md5: text(row, "Checksum"),
    }
}

/// JSON and bytes, in this order (dossier 6, "Upload").
fn form(upload: &FileUpload, content: Content) -> Result<Form, ConnectorError> {
    let unfit = |_| ConnectorError::Unreadable { detail: "the file's media type".to_owned() };
    let stem = upload.name.rsplit_once('.').map_or(upload.name.as_str(), |(stem, _)| stem);
    let mut fields = json!({ "Title": if stem.is_empty() { &upload.name } else { stem }, "PathOnClient": upload.name });
    match &upload.replaces {
        Some(document) => fields["ContentDocumentId"] = json!(document),
        None => fields["FirstPublishLocationId"] = json!(upload.record_id),
    }
    let about = Part::text(fields.to_string()).mime_str("application/json").map_err(unfit)?;
    let bytes = Part::stream_with_length(Body::wrap_stream(content), upload.size).file_name("file");
    let bytes = bytes.mime_str("application/octet-stream").map_err(unfit)?;
    Ok(Form::new().part("entity_content", about).part("VersionData", bytes))
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| query::text(id)).collect::<Vec<_>>().join(",")
}

fn text(record: &CrmRecord, name: &str) -> Option<String> {
    record.fields.get(name).cloned().flatten()
}
