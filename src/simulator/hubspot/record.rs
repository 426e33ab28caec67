//! One record with its history, kept small: a million of them fit.

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::schema::Definitions;

/// Who changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Source {
    /// The signed-in application.
    #[serde(rename = "i")]
    Integration,
    /// A person in the CRM, by user id.
    #[serde(rename = "p")]
    Person(u32),
    /// The account's first records.
    #[serde(rename = "m")]
    Import,
    /// Nobody: time alone.
    #[serde(rename = "t")]
    Time,
}

impl Source {
    /// `sourceType` of a history and of `hs_object_source`.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Source::Integration => "INTEGRATION",
            Source::Person(_) => "CRM_UI",
            Source::Import => "IMPORT",
            Source::Time => "CRM",
        }
    }

    /// The person, by user id.
    pub(super) fn user(self) -> Option<String> {
        match self {
            Source::Person(user) => Some(user.to_string()),
            _ => None,
        }
    }

    /// `sourceId`.
    pub(super) fn id(self) -> String {
        match self {
            Source::Integration => super::APP_ID.to_string(),
            Source::Person(user) => format!("userId:{user}"),
            Source::Import => "1".to_owned(),
            Source::Time => String::new(),
        }
    }
}

/// Who changes something, and when (epoch milliseconds of the account's clock).
#[derive(Debug, Clone, Copy)]
pub(super) struct By {
    pub source: Source,
    pub at: i64,
}

/// One former or present value.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub property: u16,
    pub value: Box<str>,
    pub at: i64,
    pub source: Source,
}

/// What few records have.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    /// Versions of properties that have changed since the creation, oldest first.
    pub history: Vec<Version>,
    /// Records that were merged into this one.
    pub merged: Vec<u64>,
    /// The record that this one was merged into.
    pub merged_into: Option<u64>,
}

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub id: u64,
    values: Vec<(u16, Box<str>)>,
    pub created: i64,
    pub modified: i64,
    /// When it was archived; 0 is never.
    pub archived: i64,
    pub made_by: Source,
    pub changed_by: Source,
    pub extra: Option<Box<Extra>>,
}

/// Versions of one property that are kept (dossier 2.3).
const VERSIONS: usize = 45;

impl Record {
    pub(super) fn new(id: u64, by: By) -> Self {
        Record {
            id,
            values: Vec::new(),
            created: by.at,
            modified: by.at,
            archived: 0,
            made_by: by.source,
            changed_by: by.source,
            extra: None,
        }
    }

    /// The stored value at a place.
    pub(super) fn get(&self, place: u16) -> Option<&str> {
        let found = self.values.binary_search_by_key(&place, |(place, _)| *place).ok()?;
        Some(&self.values[found].1)
    }

    /// Every stored value.
    pub(super) fn values(&self) -> impl Iterator<Item = (u16, &str)> {
        self.values.iter().map(|(place, value)| (*place, &**value))
    }

    /// Sets a value without a history: what a new record begins with.
    pub(super) fn begin(&mut self, place: u16, value: &str) {
        match self.values.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(found) => self.values[found].1 = value.into(),
            Err(free) => self.values.insert(free, (place, value.into())),
        }
    }

    /// Frees what growing has set aside.
    pub(super) fn settle(&mut self) {
        self.values.shrink_to_fit();
    }

    /// Changes a value, `None` clears; tells whether it was another before.
    pub(super) fn change(&mut self, place: u16, value: Option<&str>, by: By) -> bool {
        let before = self.get(place).map(str::to_owned);
        if before.as_deref() == value {
            return false;
        }
        let (created, made_by) = (self.created, self.made_by);
        let extra = self.extra.get_or_insert_default();
        if let Some(before) = before
            && !extra.history.iter().any(|version| version.property == place)
        {
            let first = Version { property: place, value: before.into(), at: created, source: made_by };
            extra.history.push(first);
        }
        let text: Box<str> = value.unwrap_or_default().into();
        extra.history.push(Version { property: place, value: text, at: by.at, source: by.source });
        let versions = extra.history.iter().filter(|version| version.property == place).count();
        if versions > VERSIONS
            && let Some(oldest) = extra.history.iter().position(|version| version.property == place)
        {
            extra.history.remove(oldest);
        }
        match value {
            Some(value) => self.begin(place, value),
            None => self.values.retain(|(known, _)| *known != place),
        }
        true
    }

    /// Versions of one property, newest first.
    pub(super) fn history(&self, place: u16) -> Vec<Version> {
        let kept = self.extra.iter().flat_map(|extra| &extra.history);
        let mut versions: Vec<Version> = kept.filter(|version| version.property == place).cloned().collect();
        if versions.is_empty()
            && let Some(value) = self.get(place)
        {
            versions.push(Version { property: place, value: value.into(), at: self.created, source: self.made_by });
        }
        versions.reverse();
        versions
    }

    /// Records that were merged into this one.
    pub(super) fn merged(&self) -> &[u64] {
        self.extra.as_ref().map_or(&[], |extra| &extra.merged)
    }

    /// The record that this one was merged into.
    pub(super) fn merged_into(&self) -> Option<u64> {
        self.extra.as_ref()?.merged_into
    }

    /// Its line in the journal.
    pub(super) fn line(&self, kind: usize, definitions: &Definitions) -> String {
        let name = |place: u16| definitions.at(place).map(|property| property.name.as_str()).unwrap_or_default();
        let values: serde_json::Map<String, Json> =
            self.values().map(|(place, value)| (name(place).to_owned(), json!(value))).collect();
        let mut line = json!({ "put": kind, "id": self.id, "v": values, "c": self.created, "m": self.modified,
                               "a": self.archived, "s": self.made_by, "t": self.changed_by });
        if let Some(extra) = &self.extra {
            let history: Vec<Json> = extra
                .history
                .iter()
                .map(|version| json!([name(version.property), version.value, version.at, version.source]))
                .collect();
            line["h"] = json!(history);
            line["g"] = json!(extra.merged);
            line["w"] = json!(extra.merged_into);
        }
        line.to_string()
    }

    /// Reads a line back.
    pub(super) fn read(line: &Json, definitions: &Definitions) -> Option<Self> {
        let number = |name: &str| line.get(name).and_then(Json::as_i64);
        let source = |name: &str| serde_json::from_value::<Source>(line.get(name)?.clone()).ok();
        let by = By { source: source("s")?, at: number("c")? };
        let mut record = Record::new(line.get("id")?.as_u64()?, by);
        record.modified = number("m")?;
        record.archived = number("a")?;
        record.changed_by = source("t")?;
        for (name, value) in line.get("v")?.as_object()? {
            if let (Some(place), Some(value)) = (definitions.place(name), value.as_str()) {
                record.begin(place, value);
            }
        }
        if let Some(history) = line.get("h").and_then(Json::as_array) {
            let ids = line.get("g").and_then(Json::as_array).into_iter().flatten();
            let version = |entry: &Json| {
                Some(Version {
                    property: definitions.place(entry.get(0)?.as_str()?)?,
                    value: entry.get(1)?.as_str()?.into(),
                    at: entry.get(2)?.as_i64()?,
                    source: serde_json::from_value(entry.get(3)?.clone()).ok()?,
                })
            };
            record.extra = Some(Box::new(Extra {
                history: history.iter().filter_map(version).collect(),
                merged: ids.filter_map(Json::as_u64).collect(),
                merged_into: line.get("w").and_then(Json::as_u64),
            }));
        }
        record.settle();
        Some(record)
    }
}
