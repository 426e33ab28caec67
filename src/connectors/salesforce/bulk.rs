//! Query jobs of Bulk API 2.0: a large reading is made by the org on its own, and its result fetched page by page
//! (dossier 3.1).

use std::collections::BTreeMap;
use std::time::Duration;

use csv::{Reader, StringRecord};
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::super::{ConnectorError, CrmRecord, ReadPage};
use super::api::Api;
use super::records::instant_ms;
use super::unreadable;

/// Records of one page of a result: what the caller stores at once.
const PAGE: usize = 2000;

/// Between two looks at a job that is at work.
const POLL: Duration = Duration::from_secs(2);

/// Where the result of a job is being read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'p> {
    job: &'p str,
    /// Locator of the page; none while the job is at work.
    locator: Option<&'p str>,
}

impl<'p> Place<'p> {
    /// Reads a position that this module has given: `bulk:JOB` or `bulk:JOB:LOCATOR`.
    pub(super) fn read(position: &'p str) -> Option<Self> {
        let rest = position.strip_prefix("bulk:")?;
        let (job, locator) = match rest.split_once(':') {
            Some((job, locator)) => (job, Some(locator)),
            None => (rest, None),
        };
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (!job.is_empty() && is_plain(job)).then_some(Place { job, locator })
    }

    fn position(job: &str, locator: Option<&str>) -> String {
        match locator {
            Some(locator) => format!("bulk:{job}:{locator}"),
            None => format!("bulk:{job}"),
        }
    }
}

/// What a look at a job tells.
pub(super) enum Look {
    /// A page of its result, or that it is at work still.
    Page(ReadPage),
    /// The org does not make this reading by a job, or has given it up.
    Failed,
}

/// Has the org make a reading. Where the answer is lost a second job is made; the first ends unread.
pub(super) async fn begin(api: &Api<'_>, soql: &str, total: Option<u64>) -> Result<ReadPage, ConnectorError> {
    let wanted = json!({ "operation": "query", "query": soql, "contentType": "CSV", "columnDelimiter": "COMMA",
                         "lineEnding": "LF" });
    let answer = api.call(Method::POST, &api.path("/jobs/query"), Some(&wanted), false).await?;
    let job: Json = serde_json::from_slice(&answer.body).map_err(|_| unreadable("a job"))?;
    let id = job.get("id").and_then(Json::as_str).ok_or_else(|| unreadable("a job's id"))?;
    Ok(waits(Place::position(id, None), total))
}

/// Looks at a job: the page at the place, or the first as soon as the job is done. A job that is no longer there, because it
/// was deleted or seven days have passed, is [`ConnectorError::PositionExpired`].
pub(super) async fn look(api: &Api<'_>, place: &Place<'_>) -> Result<Look, ConnectorError> {
    look_at(api, place).await.map_err(|error| match error {
        ConnectorError::Configuration { .. } | ConnectorError::Rejected { .. } => ConnectorError::PositionExpired,
        other => other,
    })
}

async fn look_at(api: &Api<'_>, place: &Place<'_>) -> Result<Look, ConnectorError> {
    let path = api.path(&format!("/jobs/query/{}", place.job));
    if let Some(locator) = place.locator {
        return Ok(Look::Page(results(api, &path, place.job, Some(locator)).await?));
    }
    let job: Json = api.get_json(&path).await?;
    match job.get("state").and_then(Json::as_str) {
        Some("UploadComplete" | "InProgress") => Ok(Look::Page(waits(Place::position(place.job, None), None))),
        Some("JobComplete") => {
            let page = results(api, &path, place.job, None).await?;
            Ok(Look::Page(ReadPage { total: job.get("numberRecordsProcessed").and_then(Json::as_u64), ..page }))
        }
        _ => Ok(Look::Failed),
    }
}

fn waits(next: String, total: Option<u64>) -> ReadPage {
    ReadPage { records: Vec::new(), next: Some(next), total, wait: Some(POLL) }
}

async fn results(api: &Api<'_>, path: &str, job: &str, locator: Option<&str>) -> Result<ReadPage, ConnectorError> {
    let mut asked = format!("{path}/results?maxRecords={PAGE}");
    if let Some(locator) = locator {
        let encoded: String = url::form_urlencoded::byte_serialize(locator.as_bytes()).collect();
        asked.push_str("&locator=");
        asked.push_str(&encoded);
    }
    let answer = api.call(Method::GET, &asked, None, false).await?;
    let next = answer.headers.get("sforce-locator").and_then(|next| next.to_str().ok());
    // Without it the end could not be told from the middle.
    let next = next.ok_or_else(|| unreadable("a result's locator"))?;
    let next = (next != "null" && !next.is_empty()).then(|| Place::position(job, Some(next)));
    Ok(ReadPage { records: records(&answer.body)?, next, total: None, wait: None })
}

/// The records of a page. Each page begins with the names of the fields; data may hold NUL, which no field of ours takes.
fn records(body: &[u8]) -> Result<Vec<CrmRecord>, ConnectorError> {
    let mut reader = Reader::from_reader(body);
    let names: Vec<String> = reader.headers().map_err(|_| unreadable("a result"))?.iter().map(str::to_owned).collect();
    let mut records = Vec::new();
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(|_| unreadable("a result"))? {
        records.push(record(&names, &row));
    }
    Ok(records)
}

fn record(names: &[String], row: &StringRecord) -> CrmRecord {
    let mut record = CrmRecord {
        id: String::new(),
        modified_at: 0,
        edited_at: 0,
        deleted: false,
        merged_into: None,
        fields: BTreeMap::new(),
    };
    for (name, text) in names.iter().zip(row) {
        let value = Some(text.replace('\0', "")).filter(|text| !text.is_empty());
        match name.as_str() {
            "SystemModstamp" => record.modified_at = value.as_deref().and_then(instant_ms).unwrap_or_default(),
            "LastModifiedDate" => record.edited_at = value.as_deref().and_then(instant_ms).unwrap_or_default(),
            "IsDeleted" => record.deleted = value.as_deref() == Some("true"),
            "MasterRecordId" => record.merged_into = value,
            "Id" => record.id = value.unwrap_or_default(),
            _ => {
                record.fields.insert(name.clone(), value);
            }
        }
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_a_job_and_perhaps_a_locator() {
        assert_eq!(Place::read("bulk:750x"), Some(Place { job: "750x", locator: None }));
        let position = Place::position("750x", Some("MjA="));
        assert_eq!(Place::read(&position), Some(Place { job: "750x", locator: Some("MjA=") }));
        assert_eq!(Place::read("/services/data/v62.0/query/01g-2000"), None);
        assert_eq!(Place::read("bulk:../limits"), None);
    }

    #[test]
    fn a_result_keeps_quotes_line_ends_digits_and_empties() {
        let body = "\"Id\",\"SystemModstamp\",\"LastModifiedDate\",\"IsDeleted\",\"MasterRecordId\",\"Name\",\"Phone\",\"AnnualRevenue\"\n\
                    \"001000000000001AAA\",\"2024-09-24T03:26:07.000Z\",\"2024-09-24T03:26:06.000Z\",\"false\",\"\",\
                    \"A \"\"b\"\",\nü\0\",\"\",\"123456789012345678.90\"\n";
        let found = records(body.as_bytes()).expect("a result");
        assert_eq!(found.len(), 1);
        let record = &found[0];
        assert_eq!((record.id.as_str(), record.modified_at - record.edited_at), ("001000000000001AAA", 1000));
        assert_eq!((record.deleted, &record.merged_into), (false, &None));
        let field = |name: &str| record.fields.get(name).cloned();
        assert_eq!(field("Name"), Some(Some("A \"b\",\nü".to_owned())));
        assert_eq!(field("Phone"), Some(None));
        assert_eq!(field("AnnualRevenue"), Some(Some("123456789012345678.90".to_owned())));
        assert!(records(b"").expect("an empty result").is_empty());
        assert!(records(b"\"Id\",\"Name\"\n\"001\"\n").is_err(), "a row that is cut off");
    }
}
