//! Record ids: 15 case-sensitive characters, or 18 with a checksum (dossier 2.12).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// An id with its checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id([u8; 18]);

impl Id {
    /// Before every id that a record may have.
    pub(super) const FIRST: Id = Id([0; 18]);

    /// After every id that a record may have.
    pub(super) const LAST: Id = Id([127; 18]);

    /// The id that a text of 15 or 18 characters means; `None` where it means none. The checksum tells which letters are
    /// capitals, so 18 characters may come in any case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return None;
        }
        match bytes.len() {
            15 => Some(with_checksum(bytes.first_chunk()?)),
            18 => {
                let given = with_checksum(bytes.first_chunk()?);
                if given.eq_ignore_ascii_case(text) { Some(given) } else { repaired(bytes) }
            }
            _ => None,
        }
    }
}

/// 18 characters whose case got lost, with the case that their checksum tells.
fn repaired(bytes: &[u8]) -> Option<Id> {
    let mut whole = *bytes.first_chunk::<15>()?;
    for (group, check) in whole.chunks_mut(5).zip(&bytes[15..]) {
        let bits = CHECKSUM.iter().position(|known| *known == check.to_ascii_uppercase())?;
        for (bit, byte) in group.iter_mut().enumerate() {
            let capital = bits & (1 << bit) != 0;
            if capital && !byte.is_ascii_alphabetic() {
                return None;
            }
            *byte = if capital { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() };
        }
    }
    Some(with_checksum(&whole))
}

fn with_checksum(id: &[u8; 15]) -> Id {
    let mut whole = [0; 18];
    whole[..15].copy_from_slice(id);
    for (place, group) in id.chunks(5).enumerate() {
        let bits = group.iter().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase());
        let index = bits.fold(0_usize, |index, (bit, _)| index | 1 << bit);
        whole[15 + place] = CHECKSUM[index];
    }
    Id(whole)
}

impl std::ops::Deref for Id {
    type Target = str;

    fn deref(&self) -> &str {
        // It is made of ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self)
    }
}

impl std::fmt::Debug for Id {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id::parse(&text).ok_or_else(|| serde::de::Error::custom("no id"))
    }
}

/// The id of the `serial`-th record of the object with this prefix.
pub(super) fn record_id(prefix: &str, serial: u64) -> Id {
    let mut rest = serial;
    let mut id = *b"000Si0000000000";
    for digit in id[6..].iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    for (place, byte) in id.iter_mut().zip(prefix.bytes().take(3)) {
        *place = byte;
    }
    with_checksum(&id)
}

/// The serial of an id that [`record_id`] made.
pub(super) fn serial(id: &str) -> u64 {
    let digits = id.bytes().skip(6).take(9);
    digits.fold(0_u64, |serial, digit| {
        let value = BASE62.iter().position(|known| *known == digit).unwrap_or_default();
        serial.saturating_mul(62).saturating_add(value as u64)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn checksums_are_those_of_printed_ids() {
        let parsed = |text: &str| Id::parse(text).map(|id| id.to_string());
        assert_eq!(parsed("003RO0000035WQg").as_deref(), Some("003RO0000035WQgYAM"));
        assert_eq!(parsed("003RO0000035WQgYAM").as_deref(), Some("003RO0000035WQgYAM"));
        assert_eq!(parsed("003ro0000035wqgyam").as_deref(), Some("003RO0000035WQgYAM"), "the checksum keeps the case");
        assert_eq!(parsed("003RO0000035WQG"), Some("003RO0000035WQGYA2".to_owned()), "15 characters are as they are");
        assert_eq!(parsed("003RO0000035WQg!!!"), None);
        assert_eq!(parsed("short"), None);
        assert_eq!(parsed("003RO0000035WQ'"), None);
        assert_eq!(record_id("001", 62).len(), 18);
        assert_eq!(serial(&record_id("001", 4711)), 4711);
    }

    proptest! {
        #[test]
        fn any_case_of_18_characters_is_the_same_id(serial in any::<u32>(), capitals in any::<u32>()) {
            let id = record_id("003", u64::from(serial));
            let shuffled: String = id.chars().enumerate().map(|(place, letter)| {
                if capitals & (1 << place) != 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
            }).collect();
            prop_assert_eq!(Id::parse(&shuffled), Some(id));
        }

        #[test]
        fn no_text_breaks_it(text in ".{0,20}") {
            if let Some(id) = Id::parse(&text) {
                prop_assert!(id[..15].eq_ignore_ascii_case(&text[..15]));
            }
        }
    }
}
