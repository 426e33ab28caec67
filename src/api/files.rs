//! `/api/crm/records/{entity}/{id}/files`: files of a record. Bodies go through as they come, whole ones are never in memory.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use uuid::Uuid;

use super::records::entity_of;
use super::{PathPart, QueryString};
use crate::model::Entity;
use crate::service::{ServiceError, Services, Viewer, files};
use crate::view::Problem;
use crate::view::files::{FileAnswer, FileList, RecordFile};

/// The routes of files. An answer to an upload is not kept for its key: the same content under the same name is there once.
pub(super) fn router() -> Router<Services> {
    Router::new()
        .route("/records/{entity}/{id}/files", get(list).post(upload))
        .route("/records/{entity}/{id}/files/{file_id}", get(download).delete(remove))
}

#[derive(Debug, Deserialize)]
struct UploadQuery {
    name: Option<String>,
}

async fn list(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id)): PathPart<(String, Uuid)>,
) -> Result<Json<FileList>, Problem> {
    Ok(Json(files::list(&services, &viewer, entity_of(&entity)?, id).await?))
}

/// Takes a body as it is, named by `?name=`, or a form with a part `file`. A form that a page sent goes back to the page.
async fn upload(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id)): PathPart<(String, Uuid)>,
    QueryString(query): QueryString<UploadQuery>,
    request: Request,
) -> Response {
    let page = is_from_page(request.headers()).then(|| format!("/records/{entity}/{id}"));
    let done = match entity_of(&entity) {
        Ok(entity) => receive(&services, &viewer, entity, id, query.name.as_deref(), request).await,
        Err(problem) => Err(problem),
    };
    match (page, done) {
        (Some(page), Ok(_)) => Redirect::to(&format!("{page}#files")).into_response(),
        (Some(page), Err(problem)) => Redirect::to(&format!("{page}?refused={}#files", problem.code)).into_response(),
        (None, Ok((file, is_new))) => {
            let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
            (status, Json(FileAnswer { file })).into_response()
        }
        (None, Err(problem)) => problem.into_response(),
    }
}

async fn receive(
    services: &Services,
    viewer: &Viewer,
    entity: Entity,
    id: Uuid,
    name: Option<&str>,
    request: Request,
) -> Result<(RecordFile, bool), Problem> {
    files::check_upload(services, viewer, entity, id).await?;
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let body = request.into_body().into_data_stream();
    let boundary = content_type.as_deref().and_then(|kind| multer::parse_boundary(kind).ok());
    let Some(boundary) = boundary else {
        return Ok(files::upload(services, viewer, entity, id, (name, content_type.as_deref()), body).await?);
    };
    let mut form = multer::Multipart::new(body, boundary);
    let unreadable = || ServiceError::invalid("file", "The form cannot be read to its end. Send it again.");
    while let Some(part) = form.next_field().await.map_err(|error| unreadable().caused_by(error))? {
        if part.name() == Some("file") {
            let name = part.file_name().map(str::to_owned);
            let content_type = part.content_type().map(ToString::to_string);
            let about = (name.as_deref(), content_type.as_deref());
            return Ok(files::upload(services, viewer, entity, id, about, part).await?);
        }
    }
    Err(ServiceError::invalid("file", "The form holds no file. Choose one and send it again.").into())
}

async fn download(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id, file_id)): PathPart<(String, Uuid, Uuid)>,
) -> Result<Response, Problem> {
    let (file, content) = files::open(&services, &viewer, entity_of(&entity)?, id, file_id).await?;
    let mut response = Body::from_stream(content).into_response();
    let headers = response.headers_mut();
    let unknown = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(&file.content_type).unwrap_or(unknown));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(file.size));
    headers.insert(CONTENT_DISPOSITION, disposition(&file.name));
    Ok(response)
}

async fn remove(
    State(services): State<Services>,
    viewer: Viewer,
    PathPart((entity, id, file_id)): PathPart<(String, Uuid, Uuid)>,
) -> Result<StatusCode, Problem> {
    files::delete(&services, &viewer, entity_of(&entity)?, id, file_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a browser sent it on a person's behalf, to show what comes back.
fn is_from_page(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(|accept| accept.contains("text/html"))
}

/// To be saved under its name, never shown: what people upload is no part of this site (RFC 6266, 8187).
fn disposition(name: &str) -> HeaderValue {
    let mut coded = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => coded.push(char::from(byte)),
            byte => coded.push_str(&format!("%{byte:02X}")),
        }
    }
    HeaderValue::from_str(&format!("attachment; filename*=UTF-8''{coded}"))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        let text = |name: &str| disposition(name).to_str().expect("plain").to_owned();
        assert_eq!(text("Plan A.pdf"), "attachment; filename*=UTF-8''Plan%20A.pdf");
        assert_eq!(text("ü\"\r\n;.txt"), "attachment; filename*=UTF-8''%C3%BC%22%0D%0A%3B.txt");
    }
}
