//! The files of a record: load, add, delete. Adding is a plain form: it needs no script.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use uuid::Uuid;

use super::server::DeleteFile;
use crate::model::{Capability, Entity};
use crate::ui::components::{ActionNotice, Button, ButtonKind, Notice, RelativeTime, Table, Tone};
use crate::ui::use_reason;
use crate::view::record_page::{FileOnPage, FilesOnPage};

/// The files of one record.
#[component]
pub(super) fn Files(
    /// The record's entity.
    entity: Entity,
    /// The record.
    id: Uuid,
    /// Its files.
    files: FilesOnPage,
    /// Whether it is deleted: nothing is added then.
    is_deleted: bool,
    /// Deletes one.
    delete: ServerAction<DeleteFile>,
) -> impl IntoView {
    let query = use_query_map();
    let limit = files.limit.clone();
    let refused = move || {
        let sentence = match query.read().get("refused")?.as_str() {
            "too_large" => format!("The file is larger than {limit}, the most that is taken. Nothing was added."),
            "invalid" => "No file arrived whole. Choose one and add it again.".to_owned(),
            "forbidden" => "Your role does not let you add files. Nothing was added.".to_owned(),
            _ => "The file could not be added. Nothing was changed; try again in a minute.".to_owned(),
        };
        Some(view! { <Notice tone=Tone::Bad>{sentence}</Notice> })
    };
    let is_empty = files.files.is_empty();
    let coming = files.coming.into_iter().map(|text| view! { <Notice tone=Tone::Wait>{text}</Notice> }).collect_view();
    let rows = files.files.into_iter().map(|file| row(file, entity, id, delete)).collect_view();
    let limit = files.limit;
    let foot = move || (!is_deleted).then(|| view! { <div class="table-foot">{upload_form(entity, id, &limit)}</div> });
    view! {
        <section id="files" class="stack">
            {refused}
            <ActionNotice action=delete />
            {coming}
            <Table caption="Files" class="rec" foot=foot>
                <thead>
                    <tr>
                        <th scope="col">"File"</th>
                        <th scope="col" style:width="18%">"Size"</th>
                        <th scope="col" style:width="22%">"Added"</th>
                        <th scope="col" style:width="18%">
                            <span class="sr">"Delete"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    {rows}
                    {is_empty.then(|| view! { <tr><td colspan="4" class="muted">"No files."</td></tr> })}
                </tbody>
            </Table>
        </section>
    }
}

fn row(file: FileOnPage, entity: Entity, id: Uuid, delete: ServerAction<DeleteFile>) -> impl IntoView {
    let reason = use_reason(Capability::EditRecords);
    view! {
        <tr>
            <th scope="row" class="lead">
                <a class="truncate" href=file.href rel="external" download=file.name.clone()>{file.name.clone()}</a>
                {file.standings.into_iter().map(|text| view! { <div class="muted xs">{text}</div> }).collect_view()}
            </th>
            <td data-l="Size">{file.size}</td>
            <td data-l="Added"><RelativeTime at=file.added /></td>
            <td>
                <ActionForm action=delete>
                    <input type="hidden" name="entity" value=entity.as_str() />
                    <input type="hidden" name="id" value=id.to_string() />
                    <input type="hidden" name="file" value=file.id.to_string() />
                    <Button kind=ButtonKind::Danger busy=delete.pending() disabled=reason>
                        "Delete" <span class="sr">{format!(" {}", file.name)}</span>
                    </Button>
                </ActionForm>
            </td>
        </tr>
    }
}

fn upload_form(entity: Entity, id: Uuid, limit: &str) -> impl IntoView + use<> {
    let reason = use_reason(Capability::EditRecords);
    let is_locked = reason.is_some();
    view! {
        <form
            class="row row-wrap"
            method="post"
            enctype="multipart/form-data"
            action=format!("/api/crm/records/{}/{id}/files", entity.plural())
        >
            <label class="row row-wrap">
                <span>{format!("Add a file of at most {limit}")}</span>
                <input type="file" name="file" required disabled=is_locked />
            </label>
            <Button disabled=reason>"Add file"</Button>
        </form>
    }
}
