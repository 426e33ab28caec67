//! Files of one record on both sides: which of them are to be brought here, sent there, or are the same already.
//!
//! A file is never overwritten by one that came about independently: where both sides have changed since they last agreed,
//! both contents are kept, as two files. A file that is gone on one side stays on the other.

use uuid::Uuid;

use crate::model::{FieldDirection, FileState};

/// How long a file that was sent and not answered for may still turn up in the CRM, milliseconds.
const LATE_MS: i64 = 10 * 60 * 1000;

/// Most characters of a name.
const LONGEST_NAME: usize = 255;

/// A file as a CRM lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CrmFile {
    /// The CRM's id of the file, the same for all of its versions.
    pub id: String,
    /// What differs when its content does.
    pub version: String,
    /// Its name.
    pub name: String,
    /// Bytes, where the CRM tells.
    pub size: Option<u64>,
    /// MD5 of what it holds in hexadecimal digits, where the CRM tells.
    pub md5: Option<String>,
}

/// A file of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFile {
    /// The file.
    pub id: Uuid,
    /// Bytes.
    pub size: u64,
    /// MD5 of what it holds in hexadecimal digits.
    pub md5: String,
    /// SHA-256 of what it holds in hexadecimal digits.
    pub sha256: String,
    /// It is deleted: what ties it stays as it is.
    pub deleted: bool,
}

/// What ties a file of the app and a file of the CRM; one of the two may be still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTie {
    /// The tie; `None`: a new one.
    pub id: Option<Uuid>,
    /// The file of the app.
    pub file_id: Option<Uuid>,
    /// The CRM's id of the record that it is at, or is to go to.
    pub record: String,
    /// The file of the CRM as last listed.
    pub crm: Option<CrmFile>,
    /// SHA-256 of what both held when they last agreed.
    pub sha256: Option<String>,
    /// What is to be done.
    pub state: FileState,
    /// When it was sent, epoch milliseconds; while no answer is known.
    pub sent_at: Option<i64>,
}

/// The last part of a path, as some programs send whole ones, without what no name can hold; `None` where nothing is left or
/// it is too long.
pub fn file_name(given: &str) -> Option<String> {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = last.chars().filter(|letter| !letter.is_control()).collect();
    let name = name.trim();
    (!name.is_empty() && name.chars().count() <= LONGEST_NAME).then(|| name.to_owned())
}

/// Ties of a record that are new or change, after a look at both sides at `now` (epoch milliseconds). `record` is the CRM's.
pub fn compare_files(
    record: &str,
    crm: &[CrmFile],
    app: &[AppFile],
    ties: &[FileTie],
    direction: FieldDirection,
    now: i64,
) -> Vec<FileTie> {
    let mut after: Vec<FileTie> = ties.to_vec();
    for tie in after.iter_mut().filter(|tie| tie.record != record) {
        move_on(tie, record, crm, app, direction);
    }
    for listed in crm {
        let known = after.iter().position(|tie| tie.crm.as_ref().is_some_and(|crm| crm.id == listed.id));
        match known {
            Some(at) => {
                if after[at].file_id.is_none() && after[at].state == FileState::Linked && direction.pulls() {
                    after[at].state = FileState::Pull;
                }
                if after[at].crm.as_ref() != Some(listed) {
                    let file = app.iter().find(|file| Some(file.id) == after[at].file_id);
                    relist(&mut after[at], listed, file, direction);
                }
            }
            None => meet(&mut after, record, listed, app, direction),
        }
    }
    for tie in after.iter_mut().filter(|tie| tie.file_id.is_none() && tie.state == FileState::Pull) {
        // Gone before it came: it rests unless it is back.
        if !crm.iter().any(|listed| tie.crm.as_ref().is_some_and(|crm| crm.id == listed.id)) {
            tie.state = FileState::Linked;
        }
    }
    if direction.pushes() {
        for file in app.iter().filter(|file| !file.deleted) {
            send(&mut after, record, file, now);
        }
    }
    after.into_iter().enumerate().filter(|(at, tie)| ties.get(*at) != Some(tie)).map(|(_, tie)| tie).collect()
}

fn new_tie(record: &str, file_id: Option<Uuid>, state: FileState) -> FileTie {
    FileTie { id: None, file_id, record: record.to_owned(), crm: None, sha256: None, state, sent_at: None }
}

/// The app record has another partner than before. A merge has brought the files along; one that was made anew has none of
/// them, and gets those that are here.
fn move_on(tie: &mut FileTie, record: &str, crm: &[CrmFile], app: &[AppFile], direction: FieldDirection) {
    let is_along = crm.iter().any(|listed| tie.crm.as_ref().is_some_and(|crm| crm.id == listed.id));
    let is_here = app.iter().any(|file| Some(file.id) == tie.file_id && !file.deleted);
    if is_along {
        record.clone_into(&mut tie.record);
    } else if is_here && direction.pushes() {
        *tie = FileTie { id: tie.id, ..new_tie(record, tie.file_id, FileState::Push) };
    }
}

/// Whether both hold the same, as far as the CRM tells.
fn is_same(file: &AppFile, listed: &CrmFile) -> bool {
    listed.md5.as_ref().is_some_and(|md5| md5.eq_ignore_ascii_case(&file.md5))
        && listed.size.is_none_or(|size| size == file.size)
}

fn agreed(tie: FileTie, file: &AppFile, listed: &CrmFile) -> FileTie {
    FileTie {
        file_id: Some(file.id),
        crm: Some(listed.clone()),
        sha256: Some(file.sha256.clone()),
        state: FileState::Linked,
        sent_at: None,
        ..tie
    }
}

/// A file of the CRM that nothing ties. The same content on the same record is the same file, whatever it is called: it may
/// have been sent by us and not answered for, or by a connection before this one.
fn meet(after: &mut Vec<FileTie>, record: &str, listed: &CrmFile, app: &[AppFile], direction: FieldDirection) {
    let new = new_tie(record, None, FileState::Pull);
    for file in app.iter().filter(|file| is_same(file, listed)) {
        match after.iter().position(|tie| tie.file_id == Some(file.id)) {
            Some(at) if after[at].crm.is_none() => {
                after[at] = agreed(after[at].clone(), file, listed);
                return;
            }
            Some(_) => {}
            None => return after.push(agreed(new, file, listed)),
        }
    }
    if direction.pulls() {
        after.push(FileTie { crm: Some(listed.clone()), ..new });
    }
}

/// A tied file of the CRM that is listed otherwise than before.
fn relist(tie: &mut FileTie, listed: &CrmFile, file: Option<&AppFile>, direction: FieldDirection) {
    let is_renamed_only = tie.crm.as_ref().is_some_and(|crm| crm.version == listed.version);
    match file {
        _ if is_renamed_only || tie.state == FileState::Pull => tie.crm = Some(listed.clone()),
        Some(file) if is_same(file, listed) => *tie = agreed(tie.clone(), file, listed),
        Some(file) if file.deleted || !direction.pulls() => {}
        // Changed on both sides: the CRM's content comes as a file of its own, and the app's goes as one.
        Some(file) if tie.sha256.as_ref() != Some(&file.sha256) || tie.state == FileState::Sending => {
            *tie = FileTie {
                file_id: None,
                crm: Some(listed.clone()),
                sha256: None,
                state: FileState::Pull,
                sent_at: None,
                ..tie.clone()
            };
        }
        _ => {
            tie.crm = Some(listed.clone());
            tie.state = FileState::Pull;
        }
    }
}

/// A file of the app: sent where the CRM does not have it, or has its last content only.
fn send(after: &mut Vec<FileTie>, record: &str, file: &AppFile, now: i64) {
    let Some(tie) = after.iter_mut().find(|tie| tie.file_id == Some(file.id)) else {
        return after.push(new_tie(record, Some(file.id), FileState::Push));
    };
    let is_overdue = tie.state == FileState::Sending && tie.sent_at.is_none_or(|sent_at| now - sent_at >= LATE_MS);
    let is_changed = tie.state == FileState::Linked && tie.sha256.as_ref() != Some(&file.sha256);
    if is_overdue || is_changed {
        tie.state = FileState::Push;
        tie.sent_at = None;
    }
}

#[cfg(test)]
mod tests;
