//! The fields of a stored record in one piece of text: a million records must fit beside a browser.
//!
//! Each entry is a key, a kind, a length and the value's bytes, the numbers written as letters, so that no unsafe code and
//! no second check of the text is needed to read it.

use std::fmt::Write as _;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use super::schema::{key_named, name_of};
use super::world::Fields;

/// A record's fields; those without value are left out.
#[derive(Clone, PartialEq, Default)]
pub(super) struct Packed(Box<str>);

/// A value as it is stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'r> {
    Text(&'r str),
    /// Its digits.
    Number(&'r str),
    Boolean(bool),
}

impl Packed {
    /// Packs fields; names that no object has are left out.
    pub(super) fn new(fields: &Fields) -> Self {
        let mut packed = String::with_capacity(fields.len() * 16);
        for (name, value) in fields {
            let Some(key) = key_named(name) else { continue };
            let number;
            let (kind, text) = match value {
                Json::String(text) => ('s', text.as_str()),
                Json::Number(exact) => {
                    number = exact.to_string();
                    ('n', number.as_str())
                }
                Json::Bool(true) => ('t', ""),
                Json::Bool(false) => ('f', ""),
                _ => continue,
            };
            packed.extend([letter(usize::from(key)), kind, letter(text.len())]);
            packed.push_str(text);
        }
        Packed(packed.into_boxed_str())
    }

    /// The fields again, to be changed.
    pub(super) fn unpacked(&self) -> Fields {
        self.iter().map(|(key, value)| (name_of(key).to_owned(), value.to_json())).collect()
    }

    /// The value of a field by its API name.
    pub(super) fn get(&self, name: &str) -> Option<Value<'_>> {
        self.at(key_named(name)?)
    }

    /// The value of a field by its key.
    pub(super) fn at(&self, key: u16) -> Option<Value<'_>> {
        self.iter().find(|(own, _)| *own == key).map(|(_, value)| value)
    }

    /// Keys and values.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, Value<'_>)> {
        let mut rest: &str = &self.0;
        std::iter::from_fn(move || {
            let mut letters = rest.chars();
            let (key, kind, length) = (letters.next()?, letters.next()?, letters.next()?);
            let (text, after) = letters.as_str().split_at_checked(number(length))?;
            rest = after;
            let value = match kind {
                's' => Value::Text(text),
                'n' => Value::Number(text),
                kind => Value::Boolean(kind == 't'),
            };
            Some((u16::try_from(number(key)).ok()?, value))
        })
    }
}

/// A number as a letter: the letters' numbers have a hole.
fn letter(number: usize) -> char {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    char::from_u32(if number >= HOLE { number.saturating_add(HOLE_LENGTH) } else { number }).unwrap_or_default()
}

fn number(letter: char) -> usize {
    let number = u32::from(letter);
    (if number >= HOLE { number - HOLE_LENGTH } else { number }) as usize
}

/// Where the letters' numbers have a hole, and how long it is.
const HOLE: u32 = 0xD800;
const HOLE_LENGTH: u32 = 0x800;

impl<'r> Value<'r> {
    /// A text's letters.
    pub(super) fn as_str(self) -> Option<&'r str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean.
    pub(super) fn as_bool(self) -> Option<bool> {
        match self {
            Value::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    pub(super) fn to_json(self) -> Json {
        match self {
            Value::Text(text) => Json::String(text.to_owned()),
            Value::Number(digits) => serde_json::from_str(digits).unwrap_or_default(),
            Value::Boolean(boolean) => Json::Bool(boolean),
        }
    }

    /// Writes it as JSON.
    pub(super) fn write(self, out: &mut String) {
        match self {
            Value::Text(text) => out.push_str(&serde_json::to_string(text).unwrap_or_default()),
            Value::Number(digits) => out.push_str(digits),
            // Writing to a String cannot fail.
            Value::Boolean(boolean) => drop(write!(out, "{boolean}")),
        }
    }
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_map().entries(self.iter().map(|(key, value)| (name_of(key), value))).finish()
    }
}

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in self.iter() {
            map.serialize_entry(name_of(key), &value.to_json())?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Packed::new(&Fields::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let long = "ü".repeat(32_000);
        let fields = Fields::from([
            ("Name".to_owned(), json!("Acme \u{0} \"Ltd\"")),
            ("Description".to_owned(), json!(long)),
            ("AnnualRevenue".to_owned(), json!(12.50)),
            ("IsDeleted".to_owned(), json!(true)),
            ("Phone".to_owned(), json!("")),
        ]);
        let packed = Packed::new(&fields);
        assert_eq!(packed.unpacked(), fields);
        assert_eq!(packed.get("Phone"), Some(Value::Text("")));
        assert_eq!(packed.get("Fax"), None);
        let text = serde_json::to_string(&packed).expect("JSON");
        assert_eq!(serde_json::from_str::<Packed>(&text).expect("JSON"), packed);
        for size in [0, 0xD7FF, 0xD800, 0xE000, 128_000] {
            assert_eq!(number(letter(size)), size);
        }
    }
}
