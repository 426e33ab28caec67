//! Uploads: the parts of a form, its options, and the name that a file gets (dossier 7).

use std::collections::BTreeMap;
use std::convert::Infallible;

use futures::FutureExt as _;
use serde::Deserialize;

use super::super::portal::Portal;
use super::super::refusal::Refusal;
use super::super::stamps::DAY_MS;
use super::super::world::World;
use super::store::{Access, File, Folder, ROOT, full};
use super::told;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// A form with a file in it.
#[derive(Debug, Default)]
pub(super) struct Form {
    texts: BTreeMap<String, String>,
    file_name: String,
    pub bytes: Option<Vec<u8>>,
}

impl Form {
    /// Reads a body.
    pub(super) fn of(asked: &Asked) -> Result<Form, Refusal> {
        let kind = asked.header("content-type").unwrap_or_default();
        let boundary = multer::parse_boundary(kind).map_err(|_| Refusal::new(415, "", "Unsupported Media Type"))?;
        let whole = std::future::ready(Ok::<_, Infallible>(asked.body.clone()));
        let parts = multer::Multipart::new(futures::stream::once(whole), boundary);
        // All of the body is there: nothing is waited for.
        let form = Self::read(parts).now_or_never().and_then(Result::ok);
        form.ok_or_else(|| Refusal::invalid("The multipart form cannot be read"))
    }

    async fn read(mut parts: multer::Multipart<'static>) -> multer::Result<Form> {
        let mut form = Form::default();
        while let Some(part) = parts.next_field().await? {
            match part.name() {
                Some("file") => {
                    form.file_name = part.file_name().unwrap_or_default().to_owned();
                    form.bytes = Some(part.bytes().await?.to_vec());
                }
                Some(name) => {
                    let name = name.to_owned();
                    form.texts.insert(name, part.text().await?);
                }
                None => {}
            }
        }
        Ok(form)
    }

    /// A text that is not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// The options, which are JSON in a text.
    pub(super) fn options<T: for<'d> Deserialize<'d>>(&self) -> Result<Option<T>, Refusal> {
        let odd = |error: serde_json::Error| Refusal::invalid(format!("Invalid options: {error}"));
        self.text("options").map(|text| serde_json::from_str(text).map_err(odd)).transpose()
    }

    /// Takes the bytes out.
    pub(super) fn file(&mut self) -> Result<Vec<u8>, Refusal> {
        self.bytes.take().ok_or_else(|| Refusal::invalid("Some required fields were not set: [file]"))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Strategy {
    #[default]
    None,
    Reject,
    ReturnExisting,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Scope {
    #[default]
    EntirePortal,
    ExactFolder,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    access: Access,
    ttl: Option<String>,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    duplicate_validation_strategy: Strategy,
    #[serde(default)]
    duplicate_validation_scope: Scope,
}

/// Answers an upload.
pub(super) fn answer(portal: &mut Portal, asked: &Asked) -> Result<Reply, Refusal> {
    let mut form = Form::of(asked)?;
    let bytes = form.file()?;
    let options: Options =
        form.options()?.ok_or_else(|| Refusal::invalid("Some required fields were not set: [options]"))?;
    let now = portal.now();
    let mut file = file(&form, &options, now)?;
    file.fill(bytes);
    let world = &mut portal.world;
    // A folder that is only named by its path comes with its first file.
    let folder = match (form.text("folderId"), form.text("folderPath")) {
        (Some(id), None) => Some(known_folder(world, id)?),
        (None, Some(path)) => world.files.folder_at(path),
        _ => return Err(Refusal::invalid("Exactly one of folderId and folderPath is required")),
    };
    if let Some(twin) = twin(world, &file, folder, &options, now) {
        if options.duplicate_validation_strategy == Strategy::ReturnExisting {
            return Ok(Reply::json(201, &world.files.told(twin, &asked.origin())));
        }
        let message = format!("A file with the same content already exists. Existing ID: {}", twin.id);
        return Err(Refusal::new(409, "CONFLICT", message));
    }
    file.folder = match folder {
        Some(folder) => folder,
        None => make_folders(world, form.text("folderPath").unwrap_or_default(), now),
    };
    if let Some(old) = world.files.named(file.folder, &file.full_name(), now).cloned() {
        if options.overwrite {
            delete(world, old);
        } else {
            let free = |name: &String| world.files.named(file.folder, &full(name, &file.extension), now).is_none();
            let names = (1..).map(|serial| format!("{}-{serial}", file.name));
            file.name = names.into_iter().find(free).unwrap_or_default();
        }
    }
    file.id = world.files.next_id();
    let id = file.id;
    world.refile(&file.line(true), |files| files.put(file));
    told(world, id, 201, asked, now)
}

/// A file as a form names it, still without its bytes.
fn file(form: &Form, options: &Options, now: i64) -> Result<File, Refusal> {
    let given = form.text("fileName").unwrap_or(&form.file_name).rsplit('/').next().unwrap_or_default();
    let (name, extension) = match given.rsplit_once('.') {
        Some((name, extension)) if !name.is_empty() => (name, extension),
        _ => (given, form.file_name.rsplit_once('.').map_or("", |(_, extension)| extension)),
    };
    if name.is_empty() {
        return Err(Refusal::invalid("The file has no name"));
    }
    let mut file = File::new(name, extension, options.access, now);
    file.encoding = match file.type_name() {
        "IMG" => Some(extension.to_owned()),
        _ => form.text("charsetHunch").map(str::to_owned),
    };
    if let Some(ttl) = &options.ttl {
        let life = duration(ttl).ok_or_else(|| Refusal::invalid(format!("Invalid ttl {ttl}")))?;
        file.expires = now.saturating_add(life);
    }
    Ok(file)
}

/// A file with the same bytes, where the options ask for it.
fn twin<'w>(world: &'w World, file: &File, folder: Option<u64>, options: &Options, now: i64) -> Option<&'w File> {
    if options.duplicate_validation_strategy == Strategy::None {
        return None;
    }
    let everywhere = options.duplicate_validation_scope == Scope::EntirePortal;
    let mut near = world.files.living(now).filter(|known| everywhere || Some(known.folder) == folder);
    near.find(|known| known.md5 == file.md5)
}

/// The folder of an id; the root where it is 0.
pub(super) fn known_folder(world: &World, id: &str) -> Result<u64, Refusal> {
    let known = id.parse().ok().filter(|id| *id == ROOT || world.files.folder(*id).is_some());
    known.ok_or_else(|| Refusal::new(404, "OBJECT_NOT_FOUND", format!("Folder {id} does not exist")))
}

/// The folder at a path; what is missing of it is made.
pub(super) fn make_folders(world: &mut World, path: &str, now: i64) -> u64 {
    path.split('/').filter(|part| !part.is_empty()).fold(ROOT, |parent, name| match world.files.child(parent, name) {
        Some(known) => known,
        None => make_folder(world, parent, name, now),
    })
}

/// Makes a folder.
pub(super) fn make_folder(world: &mut World, parent: u64, name: &str, now: i64) -> u64 {
    let folder = Folder { id: world.files.next_id(), name: name.to_owned(), parent, created: now };
    let id = folder.id;
    world.refile(&folder.line(), |files| files.put_folder(folder));
    id
}

/// Deletes a file.
pub(super) fn delete(world: &mut World, file: File) {
    let gone = File { deleted: true, bytes: Vec::new().into(), ..file };
    world.refile(&gone.line(false), |files| files.put(gone));
}

/// Milliseconds of a period like `P1W` or `P1DT12H`; a month is 30 days, a year 365.
fn duration(text: &str) -> Option<i64> {
    let (days, hours) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let day = [('Y', 365 * DAY_MS), ('M', 30 * DAY_MS), ('W', 7 * DAY_MS), ('D', DAY_MS)];
    let hour = [('H', DAY_MS / 24), ('M', 60_000), ('S', 1000)];
    let all = parts(days, &day)?.checked_add(parts(hours, &hour)?)?;
    (all > 0).then_some(all)
}

fn parts(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut rest = text;
    let mut all = 0_i64;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, unit) = rest.split_at(end);
        let unit = unit.chars().next()?;
        let length = units.iter().find(|(known, _)| *known == unit)?.1;
        all = all.checked_add(number.parse::<i64>().ok()?.checked_mul(length)?)?;
        rest = &rest[end + 1..];
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_add_up() {
        for (text, days) in
            [("P1D", Some(1)), ("P2W", Some(14)), ("P3M", Some(90)), ("P1Y1D", Some(366)), ("PT48H", Some(2))]
        {
            assert_eq!(duration(text), days.map(|days: i64| days * DAY_MS), "{text}");
        }
        for odd in ["", "P", "1D", "PD", "P1", "P1H", "P-1D", "P0D", "P9999999999999999Y", "P1é"] {
            assert_eq!(duration(odd), None, "{odd}");
        }
    }
}
