//! Files: what notes of a record have attached (dossier 7). A file that is sent becomes a private one with a note of its own.

use std::collections::{BTreeSet, HashMap};

use async_trait::async_trait;
use chrono::SecondsFormat;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::super::{ConnectorError, Content, CrmFiles, FileUpload, Session, UploadOutcome, WriteOutcome};
use super::api::{Api, Written};
use super::records::{BATCH, Page, Text};
use super::{HubspotConnector, associations, errors};
use crate::model::Entity;
use crate::sync::CrmFile;

/// The property of a note that names its files.
const ATTACHED: &str = "hs_attachment_ids";

/// Where files that are sent are put, each in a folder of its own.
const FOLDER: &str = "/crosstie";

#[derive(Debug, Default, Deserialize)]
struct Found {
    #[serde(default)]
    results: Vec<Told>,
}

/// A file as HubSpot tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    id: Text,
    #[serde(default)]
    name: Text,
    #[serde(default)]
    extension: Text,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    file_md5: Text,
    #[serde(default)]
    updated_at: Text,
}

#[derive(Debug, Deserialize)]
struct Signed {
    url: String,
}

#[async_trait]
impl CrmFiles for HubspotConnector {
    fn list_size(&self) -> usize {
        BATCH
    }

    async fn list(
        &self,
        session: &Session,
        entity: Entity,
        ids: &[String],
    ) -> Result<HashMap<String, Vec<CrmFile>>, ConnectorError> {
        let api = self.api(session);
        let notes = associations::all(&api, &api.paths.notes_of(entity), ids).await?;
        let all: BTreeSet<&String> = notes.values().flatten().collect();
        let attached = attached(&api, &all.into_iter().cloned().collect::<Vec<_>>()).await?;
        let all: BTreeSet<&String> = attached.values().flatten().collect();
        let files = told(&api, &all.into_iter().cloned().collect::<Vec<_>>()).await?;
        let mut found = HashMap::new();
        for (record, notes) in notes {
            let ids: BTreeSet<&String> = notes.iter().filter_map(|note| attached.get(note)).flatten().collect();
            let files: Vec<CrmFile> = ids.into_iter().filter_map(|id| files.get(id).cloned()).collect();
            if !files.is_empty() {
                found.insert(record, files);
            }
        }
        Ok(found)
    }

    async fn download(&self, session: &Session, file: &CrmFile) -> Result<Option<Content>, ConnectorError> {
        let api = self.api(session);
        let signed: Option<Signed> = api.get_if_there(&api.paths.files(&format!("/{}/signed-url", file.id))).await?;
        match signed {
            Some(signed) => api.open(&signed.url).await,
            None => Ok(None),
        }
    }

    async fn upload(
        &self,
        session: &Session,
        upload: &FileUpload,
        content: Content,
    ) -> Result<UploadOutcome, ConnectorError> {
        let api = self.api(session);
        let form = form(upload, content)?;
        let written = match &upload.replaces {
            Some(id) => api.send_form(Method::PUT, &api.paths.files(&format!("/{id}")), form).await?,
            None => api.send_form(Method::POST, &api.paths.files(""), form).await?,
        };
        let told: Told = match written {
            Written::Answered(told) => told,
            Written::Refused { status, body } => return refused(status, &body),
        };
        let file = told.file().ok_or_else(|| ConnectorError::Unknown { detail: "unreadable answer".to_owned() })?;
        let is_whole = file.size.is_none_or(|size| size == upload.size)
            && file.md5.as_ref().is_none_or(|md5| md5.eq_ignore_ascii_case(&upload.md5));
        if !is_whole {
            // No note names it: it is on no record.
            return Err(ConnectorError::Transient { detail: "the file did not arrive as it was sent".to_owned() });
        }
        if upload.replaces.is_some() {
            return Ok(UploadOutcome::Done(file));
        }
        let now = self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let note = json!({
            "properties": { "hs_timestamp": now, ATTACHED: file.id },
            "associations": [{ "to": { "id": upload.record_id }, "types": [
                { "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": note_type(upload.entity) }] }],
        });
        match api.change::<Json>(&api.paths.notes(""), &note).await? {
            Written::Answered(_) => Ok(UploadOutcome::Done(file)),
            Written::Refused { status, body } => refused(status, &body),
        }
    }
}

impl Told {
    fn file(self) -> Option<CrmFile> {
        let name = self.name.0.unwrap_or_default();
        let ending = self.extension.0.map(|extension| format!(".{extension}")).unwrap_or_default();
        let md5 = self.file_md5.0;
        Some(CrmFile {
            id: self.id.0?,
            // A file that is renamed or moved keeps its content.
            version: md5.clone().or(self.updated_at.0).unwrap_or_default(),
            name: if name.ends_with(&ending) { name } else { format!("{name}{ending}") },
            size: self.size,
            md5,
        })
    }
}

/// Ids of the files that notes have attached, by note.
async fn attached(api: &Api<'_>, notes: &[String]) -> Result<HashMap<String, Vec<String>>, ConnectorError> {
    let mut found = HashMap::new();
    for notes in notes.chunks(BATCH) {
        let inputs: Vec<Json> = notes.iter().map(|id| json!({ "id": id })).collect();
        let body = json!({ "inputs": inputs, "properties": [ATTACHED], "propertiesWithHistory": [] });
        let page: Page = api.ask(&api.paths.notes("/batch/read"), &body).await?;
        for row in page.results {
            let ids = row.value(ATTACHED).unwrap_or_default().split(';').map(str::trim);
            let ids: Vec<String> = ids.filter(|id| !id.is_empty()).map(str::to_owned).collect();
            found.insert(row.id(), ids);
        }
    }
    Ok(found)
}

/// Files by id; what is named and not there is left out.
async fn told(api: &Api<'_>, ids: &[String]) -> Result<HashMap<String, CrmFile>, ConnectorError> {
    let mut found = HashMap::new();
    for ids in ids.chunks(BATCH) {
        // What is no number is no file's id, and would spoil the others' look-up.
        let numbers = ids.iter().filter(|id| !id.is_empty() && id.bytes().all(|digit| digit.is_ascii_digit()));
        let named: String = numbers.map(|id| format!("&ids={id}")).collect();
        if named.is_empty() {
            continue;
        }
        let page: Found = api.get(&api.paths.files(&format!("/search?limit={BATCH}{named}"))).await?;
        found.extend(page.results.into_iter().filter_map(|told| told.file().map(|file| (file.id.clone(), file))));
    }
    Ok(found)
}

/// A private file; the same content sent to the same folder once more is the first one.
fn form(upload: &FileUpload, content: Content) -> Result<Form, ConnectorError> {
    let unfit = |_| ConnectorError::Unreadable { detail: "the file's media type".to_owned() };
    let bytes = Part::stream_with_length(Body::wrap_stream(content), upload.size).file_name("file");
    let form = Form::new().part("file", bytes.mime_str("application/octet-stream").map_err(unfit)?);
    if upload.replaces.is_some() {
        return Ok(form.text("options", json!({ "access": "PRIVATE" }).to_string()));
    }
    let options = json!({ "access": "PRIVATE", "duplicateValidationStrategy": "RETURN_EXISTING",
                          "duplicateValidationScope": "EXACT_FOLDER" });
    let folder = format!("{FOLDER}/{}", upload.key);
    let form = form.text("fileName", upload.name.clone()).text("folderPath", folder);
    Ok(form.text("options", options.to_string()))
}

fn refused(status: u16, body: &Json) -> Result<UploadOutcome, ConnectorError> {
    match errors::record(status, body) {
        WriteOutcome::Refused(refusal) => Ok(UploadOutcome::Refused(refusal)),
        WriteOutcome::Busy => Err(ConnectorError::Transient { detail: "locked".to_owned() }),
        _ => Ok(UploadOutcome::Refused(errors::refused_file(body))),
    }
}

/// The type of the association from a note to a record (dossier 4).
const fn note_type(entity: Entity) -> u16 {
    match entity {
        Entity::Account => 190,
        Entity::Contact => 202,
        Entity::Opportunity => 214,
    }
}
