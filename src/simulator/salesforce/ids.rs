//! Record ids: 15 case-sensitive characters, or 18 with a checksum (dossier 2.12).

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";

/// The id of the `serial`-th record of the object with this prefix.
pub(super) fn record_id(prefix: &str, serial: u64) -> String {
    let mut rest = serial;
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    with_checksum(&format!("{prefix}Si0{}", String::from_utf8_lossy(&digits))).unwrap_or_default()
}

/// The serial of an id that [`record_id`] made.
pub(super) fn serial(id: &str) -> u64 {
    let digits = id.bytes().skip(6).take(9);
    digits.fold(0_u64, |serial, digit| {
        let value = BASE62.iter().position(|known| *known == digit).unwrap_or_default();
        serial.saturating_mul(62).saturating_add(value as u64)
    })
}

/// The 18-character form of an id; `None` where it is none.
pub(super) fn normalise(id: &str) -> Option<String> {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match id.len() {
        15 => with_checksum(id),
        // A checksum that does not fit is somebody's mistake in case: the id is another's, or nobody's.
        18 => with_checksum(&id[..15]).filter(|whole| whole.eq_ignore_ascii_case(id)),
        _ => None,
    }
}

fn with_checksum(id: &str) -> Option<String> {
    if id.len() != 15 {
        return None;
    }
    let mut whole = id.to_owned();
    for group in id.as_bytes().chunks(5) {
        let bits = group.iter().enumerate().filter(|(_, byte)| byte.is_ascii_uppercase());
        let index = bits.fold(0_usize, |index, (bit, _)| index | 1 << bit);
        whole.push(char::from(CHECKSUM[index]));
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_printed_ids() {
        assert_eq!(normalise("003RO0000035WQg").as_deref(), Some("003RO0000035WQgYAM"));
        assert_eq!(normalise("003RO0000035WQgYAM").as_deref(), Some("003RO0000035WQgYAM"));
        assert_eq!(normalise("short"), None);
        assert_eq!(normalise("003RO0000035WQ'"), None);
        assert_eq!(record_id("001", 62).len(), 18);
        assert_eq!(serial(&record_id("001", 4711)), 4711);
    }
}
