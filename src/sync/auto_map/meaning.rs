//! How near the name of a CRM's field comes to the meaning of an app field.

use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::synonyms::{STOP, WEAK, list, phrases, words_of};
use crate::model::Entity;

/// What is certain of the app's own name, of a synonym, and of either behind a weak word.
const SAME: f64 = 0.97;
const SYNONYM: f64 = 0.93;
const WEAKENED: f64 = 0.9;

/// How much less an API name says than the label: labels are what people rename.
const API_NAME: f64 = 0.95;

/// Added where label and API name say the same.
const BOTH: f64 = 0.02;

/// From which likeness on two spellings are one word, and what is certain of that.
const ALIKE: f64 = 0.85;
const SPELLING: f64 = 0.85;

/// The shortest name whose spelling is compared: of short words, another one is as near.
const LONG_ENOUGH: usize = 6;

/// Why a name speaks for a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    /// The app's own name or label.
    SameName,
    /// A synonym of it.
    SameMeaning,
    /// Nearly the same spelling.
    SimilarName,
}

/// An app field by all that it may be called.
pub(super) struct Meaning {
    own: BTreeSet<String>,
    synonyms: BTreeSet<String>,
}

impl Meaning {
    pub(super) fn new(entity: Entity, name: &str, label: &str) -> Self {
        let keys = |phrase: &str| keys(&words(phrase));
        let plain = name.strip_prefix("custom.").unwrap_or(name);
        Meaning {
            own: [plain, label].into_iter().flat_map(keys).collect(),
            synonyms: phrases(entity, name).iter().flat_map(|phrase| keys(phrase)).collect(),
        }
    }

    /// How certain the names of a CRM's field are, and why; none where they say nothing.
    pub(super) fn likeness(&self, entity: Entity, api_name: &str, label: &str) -> Option<(f64, Likeness)> {
        let by_label = self.of_words(entity, &words(label));
        let by_name = self.of_words(entity, &words(without_affixes(api_name)));
        match (by_label, by_name) {
            (Some(label), Some(name)) => {
                let (certain, why) = if label.0 >= name.0 * API_NAME { label } else { (name.0 * API_NAME, name.1) };
                Some(((certain + BOTH).min(1.0), why))
            }
            (Some(label), None) => Some(label),
            (None, Some((certain, why))) => Some((certain * API_NAME, why)),
            (None, None) => None,
        }
    }

    fn of_words(&self, entity: Entity, words: &[String]) -> Option<(f64, Likeness)> {
        let without = |dropped: &'static str| -> Vec<String> {
            words.iter().filter(|word| list(dropped).all(|other| other != word.as_str())).cloned().collect()
        };
        let bare = without(words_of(entity));
        let strong: Vec<String> =
            bare.iter().filter(|word| list(WEAK).all(|weak| weak != word.as_str())).cloned().collect();
        let exact = [(words, 1.0), (&bare, 1.0), (&strong, WEAKENED)].into_iter().find_map(|(words, factor)| {
            let (certain, why) = self.exact(words)?;
            Some((certain * factor, if factor < 1.0 { Likeness::SameMeaning } else { why }))
        });
        exact.or_else(|| self.alike(&bare))
    }

    fn exact(&self, words: &[String]) -> Option<(f64, Likeness)> {
        let keys = keys(words);
        if keys.iter().any(|key| self.own.contains(key)) {
            return Some((SAME, Likeness::SameName));
        }
        keys.iter().any(|key| self.synonyms.contains(key)).then_some((SYNONYM, Likeness::SameMeaning))
    }

    fn alike(&self, words: &[String]) -> Option<(f64, Likeness)> {
        let text = words.concat();
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
        let known = self.own.iter().chain(&self.synonyms).filter(|known| !known.contains(' '));
        let nearest = known
            .filter(|known| known.len().min(text.len()) >= LONG_ENOUGH && digits(known) == digits(&text))
            .map(|known| strsim::normalized_damerau_levenshtein(known, &text))
            .fold(0.0, f64::max);
        (nearest >= ALIKE).then_some((nearest * SPELLING, Likeness::SimilarName))
    }
}

/// What two spellings of one phrase have in common: the words run together, and the words in any order.
fn keys(words: &[String]) -> Vec<String> {
    let mut telling: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| list(STOP).all(|stop| stop != *word)).collect();
    if telling.is_empty() {
        return Vec::new();
    }
    let run_together = telling.concat();
    telling.sort_unstable();
    vec![run_together, telling.join(" ")]
}

/// The API name without what the CRM or a package put around it.
fn without_affixes(api_name: &str) -> &str {
    let name = ["__c", "__pc"].iter().find_map(|suffix| api_name.strip_suffix(suffix)).unwrap_or(api_name);
    let name = name.split_once("__").map_or(name, |(_package, name)| name);
    ["hs_", "hubspot_"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

/// The words of a name or label, in plain letters.
fn words(text: &str) -> Vec<String> {
    let plain: String = text.nfd().filter(|c| !is_combining_mark(*c)).collect::<String>().replace('ß', "ss");
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in plain.chars() {
        if c.is_alphanumeric() {
            let begins = !before.is_alphanumeric()
                || (c.is_uppercase() && before.is_lowercase())
                || (c.is_ascii_digit() != before.is_ascii_digit());
            match words.last_mut() {
                Some(word) if !begins => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        let cases: [(&str, &[&str]); 6] = [
            ("BillingPostalCode", &["billing", "postal", "code"]),
            ("hs_deal_stage", &["hs", "deal", "stage"]),
            ("Probability (%)", &["probability"]),
            ("Straße", &["strasse"]),
            ("Prénom", &["prenom"]),
            ("Line1", &["line", "1"]),
        ];
        for (text, expected) in cases {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(without_affixes("acme__Email__c"), "Email");
    }

    #[test]
    fn a_qualifier_makes_it_another_thing_and_a_weak_one_does_not() {
        let email = Meaning::new(Entity::Contact, "email", "E-mail");
        let of = |label: &str| email.likeness(Entity::Contact, "X1__c", label).map(|(_, why)| why);
        assert_eq!(of("Contact E-Mail"), Some(Likeness::SameName));
        assert_eq!(of("Work Mail Address"), Some(Likeness::SameMeaning));
        assert_eq!(of("E-Mail Adresss"), Some(Likeness::SimilarName));
        assert_eq!(of("Assistant E-Mail"), None);
        assert_eq!(of("E-Mail Opt Out"), None);
    }
}
