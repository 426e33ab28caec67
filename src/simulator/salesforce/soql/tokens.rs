//! From text to words, quoted texts and symbols.

use super::SoqlError;
use super::parse::{Token, at};

/// The tokens of a statement, each with its place.
pub(super) fn tokens(soql: &str) -> Result<Vec<(Token, usize)>, SoqlError> {
    const SYMBOLS: [&str; 11] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "*"];
    let mut tokens = Vec::new();
    let mut rest = soql;
    while let Some(first) = rest.chars().next() {
        let offset = soql.len() - rest.len();
        if first.is_whitespace() {
            rest = &rest[first.len_utf8()..];
        } else if first == '\'' {
            let (text, after) = quoted(soql, &rest[1..], offset)?;
            tokens.push((Token::Text(text), offset));
            rest = after;
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push((Token::Symbol(symbol), offset));
            rest = &rest[symbol.len()..];
        } else {
            let end =
                rest.find(|letter: char| !(letter.is_alphanumeric() || "_.:+-".contains(letter))).unwrap_or(rest.len());
            if end == 0 {
                return Err(at(soql, offset, &format!("unexpected token: '{first}'")));
            }
            tokens.push((Token::Word(rest[..end].to_owned()), offset));
            rest = &rest[end..];
        }
    }
    Ok(tokens)
}

fn quoted<'s>(soql: &str, rest: &'s str, offset: usize) -> Result<(String, &'s str), SoqlError> {
    let mut text = String::new();
    let mut letters = rest.char_indices();
    while let Some((index, letter)) = letters.next() {
        match letter {
            '\'' if text.len() > LONGEST_TEXT => return Err(at(soql, offset, "string literal too long")),
            '\'' => return Ok((text, &rest[index + 1..])),
            '\\' => match letters.next().map(|(_, escaped)| escaped) {
                Some('n' | 'N') => text.push('\n'),
                Some('r' | 'R') => text.push('\r'),
                Some('t' | 'T') => text.push('\t'),
                Some('b' | 'B') => text.push('\u{8}'),
                Some('f' | 'F') => text.push('\u{c}'),
                Some('u') => {
                    let digits: String = letters.by_ref().take(4).map(|(_, digit)| digit).collect();
                    let letter = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    text.push(letter.ok_or_else(|| at(soql, offset, "Illegal string literal"))?);
                }
                Some(escaped @ ('\'' | '"' | '\\')) => text.push(escaped),
                Some(escaped @ ('%' | '_')) => text.extend(['\\', escaped]),
                _ => return Err(at(soql, offset, "Illegal string literal")),
            },
            letter => text.push(letter),
        }
    }
    Err(at(soql, offset, "unexpected end of string literal"))
}

/// Longest quoted text, bytes.
const LONGEST_TEXT: usize = 4000;
