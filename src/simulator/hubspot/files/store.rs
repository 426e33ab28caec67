//! Files and folders as plain values (dossier 7). No HTTP, no clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use url::Url;

use super::super::PORTAL_ID;
use super::super::stamps::iso;
use crate::simulator::digest::hex;

/// Id of the folder that everything is in; it is told to nobody.
pub(in super::super) const ROOT: u64 = 0;

const FIRST_ID: u64 = 190_000_000_001;

/// Who may see a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(in super::super) enum Access {
    PublicIndexable,
    PublicNotIndexable,
    HiddenIndexable,
    HiddenNotIndexable,
    HiddenPrivate,
    Private,
    HiddenSensitive,
    Sensitive,
}

impl Access {
    /// Whether its address is enough.
    pub(in super::super) fn is_open(self) -> bool {
        use Access::{HiddenIndexable, HiddenNotIndexable, PublicIndexable, PublicNotIndexable};
        matches!(self, PublicIndexable | PublicNotIndexable | HiddenIndexable | HiddenNotIndexable)
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct File {
    pub id: u64,
    /// Without its extension.
    pub name: String,
    pub extension: String,
    pub folder: u64,
    pub access: Access,
    pub encoding: Option<String>,
    pub usable_in_content: bool,
    pub md5: String,
    pub created: i64,
    pub updated: i64,
    /// When it goes by itself; 0 is never.
    pub expires: i64,
    /// Deleted: it is kept without its bytes, so that its id never comes again.
    pub deleted: bool,
    #[serde(skip)]
    pub bytes: Arc<[u8]>,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Folder {
    pub id: u64,
    pub name: String,
    pub parent: u64,
    pub created: i64,
}

/// Every file and folder of the account.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Files {
    files: BTreeMap<u64, File>,
    folders: BTreeMap<u64, Folder>,
}

/// Extensions, how such a file is sent, and the type that it is told to be.
const KINDS: [(&str, &str, &str); 22] = [
    ("png", "image/png", "IMG"),
    ("jpg", "image/jpeg", "IMG"),
    ("jpeg", "image/jpeg", "IMG"),
    ("gif", "image/gif", "IMG"),
    ("svg", "image/svg+xml", "IMG"),
    ("webp", "image/webp", "IMG"),
    ("pdf", "application/pdf", "DOCUMENT"),
    ("txt", "text/plain", "DOCUMENT"),
    ("csv", "text/csv", "DOCUMENT"),
    ("doc", "application/msword", "DOCUMENT"),
    ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "DOCUMENT"),
    ("xls", "application/vnd.ms-excel", "DOCUMENT"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "DOCUMENT"),
    ("ppt", "application/vnd.ms-powerpoint", "DOCUMENT"),
    ("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", "DOCUMENT"),
    ("mp3", "audio/mpeg", "AUDIO"),
    ("wav", "audio/wav", "AUDIO"),
    ("mp4", "video/mp4", "MOVIE"),
    ("mov", "video/quicktime", "MOVIE"),
    ("zip", "application/zip", "OTHER"),
    ("json", "application/json", "OTHER"),
    ("xml", "application/xml", "OTHER"),
];

/// Name and extension in one.
pub(in super::super) fn full(name: &str, extension: &str) -> String {
    if extension.is_empty() { name.to_owned() } else { format!("{name}.{extension}") }
}

impl File {
    /// An empty file that nothing has been done to.
    pub(in super::super) fn new(name: &str, extension: &str, access: Access, now: i64) -> Self {
        File {
            id: 0,
            name: name.to_owned(),
            extension: extension.to_owned(),
            folder: ROOT,
            access,
            encoding: None,
            usable_in_content: true,
            md5: String::new(),
            created: now,
            updated: now,
            expires: 0,
            deleted: false,
            bytes: Vec::new().into(),
        }
    }

    /// Gives it bytes.
    pub(in super::super) fn fill(&mut self, bytes: Vec<u8>) {
        self.md5 = hex(&Md5::digest(&bytes));
        self.bytes = bytes.into();
    }

    fn kind(&self) -> (&'static str, &'static str) {
        let extension = self.extension.to_lowercase();
        let known = KINDS.iter().find(|(known, ..)| *known == extension);
        known.map_or(("application/octet-stream", "OTHER"), |(_, sent, told)| (*sent, *told))
    }

    /// How it is sent.
    pub(in super::super) fn content_type(&self) -> &'static str {
        self.kind().0
    }

    /// `IMG`, `DOCUMENT`, `AUDIO`, `MOVIE` or `OTHER`.
    pub(in super::super) fn type_name(&self) -> &'static str {
        self.kind().1
    }

    /// Name and extension.
    pub(in super::super) fn full_name(&self) -> String {
        full(&self.name, &self.extension)
    }

    /// Its line in the journal; without its bytes where those are there already.
    pub(in super::super) fn line(&self, bytes_too: bool) -> Json {
        let mut line = json!({ "file": self });
        if bytes_too {
            line["bytes"] = json!(STANDARD.encode(&self.bytes));
        }
        line
    }
}

impl Folder {
    /// Its line in the journal.
    pub(in super::super) fn line(&self) -> Json {
        json!({ "folder": self })
    }
}

impl Files {
    /// An id that nothing has had.
    pub(in super::super) fn next_id(&self) -> u64 {
        let last = |id: Option<&u64>| id.map_or(FIRST_ID, |id| id + 1);
        last(self.files.keys().next_back()).max(last(self.folders.keys().next_back()))
    }

    pub(in super::super) fn put(&mut self, file: File) {
        self.files.insert(file.id, file);
    }

    pub(in super::super) fn put_folder(&mut self, folder: Folder) {
        self.folders.insert(folder.id, folder);
    }

    /// What is there at an instant, by ascending id.
    pub(in super::super) fn living(&self, now: i64) -> impl Iterator<Item = &File> {
        self.files.values().filter(move |file| !file.deleted && (file.expires == 0 || file.expires > now))
    }

    /// A file that is there.
    pub(in super::super) fn get(&self, id: u64, now: i64) -> Option<&File> {
        self.living(now).find(|file| file.id == id)
    }

    /// The file of a name in a folder.
    pub(in super::super) fn named(&self, folder: u64, full_name: &str, now: i64) -> Option<&File> {
        self.living(now).find(|file| file.folder == folder && file.full_name() == full_name)
    }

    /// The file at a path.
    pub(in super::super) fn at(&self, path: &str, now: i64) -> Option<&File> {
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        self.named(self.folder_at(folders)?, name, now)
    }

    pub(in super::super) fn folder(&self, id: u64) -> Option<&Folder> {
        self.folders.get(&id)
    }

    /// The folder of a name in another.
    pub(in super::super) fn child(&self, parent: u64, name: &str) -> Option<u64> {
        let found = self.folders.values().find(|folder| folder.parent == parent && folder.name == name);
        found.map(|folder| folder.id)
    }

    /// The folder at a path.
    pub(in super::super) fn folder_at(&self, path: &str) -> Option<u64> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        parts.try_fold(ROOT, |parent, name| self.child(parent, name))
    }

    /// Path of a folder; nothing for the root.
    fn folder_path(&self, id: u64) -> String {
        match self.folders.get(&id) {
            Some(folder) => format!("{}/{}", self.folder_path(folder.parent), folder.name),
            None => String::new(),
        }
    }

    /// Path of a file.
    pub(in super::super) fn path(&self, file: &File) -> String {
        format!("{}/{}", self.folder_path(file.folder), file.full_name())
    }

    /// Where the bytes of a file are.
    pub(in super::super) fn url(&self, file: &File, origin: &str) -> Option<Url> {
        let mut url = Url::parse(origin).ok()?;
        let (portal, path) = (PORTAL_ID.to_string(), self.path(file));
        let parts = ["hubfs", &portal].into_iter().chain(path.split('/').skip(1));
        url.path_segments_mut().ok()?.clear().extend(parts);
        Some(url)
    }

    /// A file as the API tells it.
    pub(in super::super) fn told(&self, file: &File, origin: &str) -> Json {
        let url = self.url(file, origin);
        let mut told = json!({
            "id": file.id.to_string(), "name": file.name, "extension": file.extension, "path": self.path(file),
            "size": file.bytes.len(), "type": file.type_name(), "access": file.access, "fileMd5": file.md5,
            "isUsableInContent": file.usable_in_content, "url": url, "defaultHostingUrl": url,
            "createdAt": iso(file.created), "updatedAt": iso(file.updated), "archived": false,
        });
        if file.folder != ROOT {
            told["parentFolderId"] = json!(file.folder.to_string());
        }
        if let Some(encoding) = &file.encoding {
            told["encoding"] = json!(encoding);
        }
        if file.expires != 0 {
            told["expiresAt"] = json!(file.expires);
        }
        told
    }

    /// A folder as the API tells it.
    pub(in super::super) fn folder_told(&self, folder: &Folder) -> Json {
        let mut told = json!({ "id": folder.id.to_string(), "name": folder.name, "path": self.folder_path(folder.id),
                               "createdAt": iso(folder.created), "updatedAt": iso(folder.created), "archived": false });
        if folder.parent != ROOT {
            told["parentFolderId"] = json!(folder.parent.to_string());
        }
        told
    }

    /// The lines that all of it comes back from.
    pub(in super::super) fn lines(&self) -> impl Iterator<Item = String> {
        let folders = self.folders.values().map(|folder| folder.line().to_string());
        folders.chain(self.files.values().map(|file| file.line(true).to_string()))
    }

    /// Reads a line back.
    pub(in super::super) fn replay(&mut self, mut line: Json) {
        if let Ok(folder) = serde_json::from_value::<Folder>(line["folder"].take()) {
            self.put_folder(folder);
        } else if let Ok(mut file) = serde_json::from_value::<File>(line["file"].take()) {
            let given = line["bytes"].as_str().and_then(|text| STANDARD.decode(text).ok());
            let before = self.files.get(&file.id).filter(|_| !file.deleted).map(|known| known.bytes.clone());
            file.bytes = given.map(Arc::from).or(before).unwrap_or_default();
            self.put(file);
        }
    }
}
