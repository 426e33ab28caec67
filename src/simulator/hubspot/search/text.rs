//! Texts as a search looks at them: in lower case, and as words (dossier 2.7).
//!
//! Every record of a type may be looked at: nothing here sets memory aside for one of them.

use std::cmp::Ordering;

/// Texts in lower case, one behind the other, in memory that serves for every record.
#[derive(Debug, Default)]
pub(super) struct Lowered(String);

impl Lowered {
    /// One text alone.
    pub(super) fn only(&mut self, text: &str) -> &str {
        self.0.clear();
        self.add(text);
        &self.0
    }

    /// Texts with spaces between them.
    pub(super) fn joined<'t>(&mut self, texts: impl Iterator<Item = impl AsRef<str> + 't>) -> &str {
        self.0.clear();
        for (place, text) in texts.enumerate() {
            if place > 0 {
                self.0.push(' ');
            }
            self.add(text.as_ref());
        }
        &self.0
    }

    fn add(&mut self, text: &str) {
        if text.is_ascii() {
            let begun = self.0.len();
            self.0.push_str(text);
            self.0[begun..].make_ascii_lowercase();
        } else {
            self.0.push_str(&text.to_lowercase());
        }
    }
}

/// The order of a text, whatever its case, and one that is in lower case.
pub(super) fn against(kept: &str, lowered: &str) -> Ordering {
    if kept.is_ascii() {
        kept.bytes().map(|letter| letter.to_ascii_lowercase()).cmp(lowered.bytes())
    } else {
        kept.to_lowercase().as_str().cmp(lowered)
    }
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// Whether every word of a query begins a word of a text, or the text has the query as it is.
pub(super) fn mentions(text: &str, query: &str) -> bool {
    let mut wanted = words(query).peekable();
    // A text without one of the words has neither; most texts end here.
    let lacks = words(query).any(|word| !text.contains(word));
    let begins = |wanted: &str| words(text).any(|word| word.starts_with(wanted));
    !lacks && (text.contains(query) || (wanted.peek().is_some() && wanted.all(begins)))
}

/// Whether a text has a token, a `*` standing for anything.
pub(super) fn has_token(text: &str, wanted: &str) -> bool {
    if wanted.contains('*') {
        return glob(text, wanted) || words(text).any(|word| glob(word, wanted));
    }
    let mut wanted = words(wanted).peekable();
    wanted.peek().is_some() && wanted.all(|word| text.contains(word) && words(text).any(|known| known == word))
}

fn glob(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*') {
        match text.find(part) {
            Some(place) => text = &text[place + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_words_and_a_star_is_anything() {
        assert!(has_token("ann@kestrel.example", "kestrel"));
        assert!(has_token("ann@kestrel.example", "*@kestrel.*"));
        assert!(has_token("harbour logistics ltd", "log*"));
        assert!(!has_token("harbour logistics ltd", "log"));
        assert!(!has_token("harbour", ""));
        assert!(
            glob("abcbd", "a*b*d") && !glob("abc", "a*d") && glob("", "*") && !glob("ab", "a") && glob("ab", "a*b")
        );
    }

    #[test]
    fn a_query_is_found_across_values_and_by_the_beginnings_of_words() {
        let mut lowered = Lowered::default();
        let text = lowered.joined(["Zoë", "VAN der Berg"].into_iter()).to_owned();
        assert_eq!(text, "zoë van der berg");
        for (query, found) in
            [("zoë van", true), ("be zo", true), ("ë", true), ("erg", true), ("erg van", false), ("-", false)]
        {
            assert_eq!(mentions(&text, query), found, "{query}");
        }
        assert_eq!(against("ANN", "ann"), Ordering::Equal);
        assert_eq!(against("Ångström", "ångström"), Ordering::Equal);
    }
}
