//! The CSV of bulk jobs: quoted values, any of six delimiters (dossier 3).

/// A table without its header row being special.
pub(super) type Rows = Vec<Vec<String>>;

/// The character of a job's column delimiter.
pub(super) fn delimiter(name: &str) -> Option<char> {
    Some(match name {
        "COMMA" => ',',
        "BACKQUOTE" => '`',
        "CARET" => '^',
        "PIPE" => '|',
        "SEMICOLON" => ';',
        "TAB" => '\t',
        _ => return None,
    })
}

/// Writes a row; every value in quotes.
pub(super) fn write<'v>(out: &mut String, values: impl Iterator<Item = &'v str>, delimiter: char, end: &str) {
    for (place, value) in values.enumerate() {
        if place > 0 {
            out.push(delimiter);
        }
        out.push('"');
        if value.contains('"') {
            out.push_str(&value.replace('"', "\"\""));
        } else {
            out.push_str(value);
        }
        out.push('"');
    }
    out.push_str(end);
}

/// Reads rows; a byte-order mark and blank lines are passed over. A quote that never ends is an error.
pub(super) fn read(text: &str, delimiter: char) -> Option<Rows> {
    let mut rows = Rows::new();
    let mut row: Vec<String> = Vec::new();
    let mut value = String::new();
    // Whether the value has begun, so that an empty quoted one counts.
    let mut begun = false;
    let mut letters = text.trim_start_matches('\u{feff}').chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if !begun => {
                begun = true;
                loop {
                    match letters.next()? {
                        '"' if letters.peek() == Some(&'"') => value.extend(letters.next()),
                        '"' => break,
                        letter => value.push(letter),
                    }
                }
            }
            '\r' if letters.peek() == Some(&'\n') => {}
            '\n' => {
                if begun || !row.is_empty() {
                    row.push(std::mem::take(&mut value));
                    rows.push(std::mem::take(&mut row));
                }
                begun = false;
            }
            letter if letter == delimiter => {
                row.push(std::mem::take(&mut value));
                begun = false;
            }
            letter => {
                begun = true;
                value.push(letter);
            }
        }
    }
    if begun || !row.is_empty() {
        row.push(value);
        rows.push(row);
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_line_ends_and_marks_are_read() {
        let rows = read("\u{feff}Id,Name\r\n1,\"a \"\"b\"\", c\nd\"\n\n2,\n", ',').expect("rows");
        assert_eq!(rows, [vec!["Id", "Name"], vec!["1", "a \"b\", c\nd"], vec!["2", ""]]);
        assert_eq!(read("\"open", ','), None);
        assert_eq!(read("a|\"\"|", '|'), Some(vec![vec!["a".to_owned(), String::new(), String::new()]]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            rows in prop::collection::vec(prop::collection::vec("[a\"\\n\\r,|é\u{0}]{0,6}", 2..4), 0..6),
            delimiter in prop::sample::select(vec![',', '|', '\t']),
            end in prop::sample::select(vec!["\n", "\r\n"]),
        ) {
            let mut text = String::new();
            rows.iter().for_each(|row| write(&mut text, row.iter().map(String::as_str), delimiter, end));
            prop_assert_eq!(read(&text, delimiter), Some(rows));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]

        #[test]
        fn no_text_ends_in_a_crash(text in "[a\",\\r\\n\u{0}😀]{0,40}") {
            let _ = read(&text, ',');
        }
    }
}
