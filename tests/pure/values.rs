//! Normalising and comparing: values are made from what they mean, in one of several spellings, so that what must come out
//! is known before the core is asked.

use crosstie::model::FieldKind;
use crosstie::sync::{Value, fit, normalise, rounded, same, same_meaning};
use proptest::prelude::*;

/// What a value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Meaning(usize);

/// Spellings that mean the same even on one side, by kind: the canonical one first.
fn spellings(kind: FieldKind) -> &'static [&'static [&'static str]] {
    match kind {
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => &[
            &["0", "0.0", "-0", "0e7", "+0"],
            &["1200", "1200.0", "1.2e3", " 1200 ", "+1200", "01200"],
            &["1200.5", "1200.50", "12005e-1"],
            &["-7", "-7.000", "-70e-1"],
            &["123456789012345678901234567890.1", "123456789012345678901234567890.10"],
            &["many", "many "],
        ],
        FieldKind::Date => &[
            &["2026-01-31", "2026-01-31 ", " 2026-01-31", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00"],
            &["2026-01-03", "2026-01-03T23:59:59.999+0000"],
            &["2024-02-29"],
            &["2023-02-29"],
            &["soon", "soon\r\n"],
        ],
        FieldKind::DateTime => &[
            &[
                "2026-01-31T10:00:00.000Z",
                "2026-01-31T10:00:00Z",
                "2026-01-31T11:00:00+01:00",
                "2026-01-31T10:00:00.000+0000",
                "2026-01-31T05:00:00.000-0500",
                "2026-01-31 10:00:00",
            ],
            &["2026-01-31T10:00:01.000Z", "2026-01-31T10:00:01+00:00"],
            &["2026-01-30T10:00:00.000Z"],
            &["soon", "soon "],
        ],
        FieldKind::Boolean => {
            &[&["true", "TRUE", "t", "1", "yes", "Yes "], &["false", "False", "f", "0", "no"], &["perhaps"]]
        }
        FieldKind::MultiChoice => {
            &[&["a;b", "b;a", "b; a", "a;b;a", ";a;b;"], &["a", "a;", "a;a"], &["A"], &["a;b;c", "c;b;a "]]
        }
        FieldKind::Reference | FieldKind::Email | FieldKind::Phone | FieldKind::Domain => {
            &[&["ann", "ann ", "ann\r\n"], &["bob", "bob\t"], &["030 1", "030 1 "], &["x.example"]]
        }
        FieldKind::Text | FieldKind::LongText | FieldKind::Choice => &[
            &["Acme", "Acme ", "Acme\r\n", "Acme\u{a0}"],
            &["Acm\u{e9}", "Acme\u{301}", "Acme\u{301} "],
            &["a\nb", "a\r\nb", "a \nb", "a\t\r\nb\n", "a\u{a0}\nb", "a\u{3000}\r\nb"],
            &["m\u{e9}\nb", "me\u{301}\u{a0}\nb", "m\u{e9}\u{a0}\nb"],
            &["acmes"],
            &["0"],
        ],
    }
}

/// Pairs of values that agree across the sides although neither side would call them the same, and pairs that do not.
fn across(kind: FieldKind) -> &'static [(&'static str, &'static str, bool)] {
    match kind {
        FieldKind::Email => &[
            ("Ann@Acme.example", "ann@acme.example", true),
            ("ann@acme.example", "ann@acme.org", false),
            ("ann@acme.example", "an@acme.example", false),
        ],
        FieldKind::Domain => &[
            ("https://www.Acme.example/", "acme.example", true),
            ("http://acme.example", "WWW.acme.example", true),
            ("acme.example", "acme.example.org", false),
            ("www.acme.example", "shop.acme.example", false),
        ],
        FieldKind::Phone => &[
            ("+49 (30) 123-45", "+493012345", true),
            ("030 12345", "+4930 12345", false),
            ("030 12345", "030 12346", false),
            ("ask", "later", false),
        ],
        FieldKind::Text | FieldKind::LongText | FieldKind::Choice => &[
            ("Acme   Ltd", "Acme Ltd", true),
            ("a\nb", "a b", true),
            (" Acme", "Acme", true),
            ("Acme", "ACME", false),
            ("Acme Ltd", "AcmeLtd", false),
        ],
        FieldKind::DateTime => &[
            ("2026-01-01T00:00:00.400Z", "2026-01-01T00:00:00Z", true),
            ("2026-01-01T00:00:00.400Z", "2026-01-01T00:00:00.300Z", false),
            ("2026-01-01T00:00:00.400Z", "2026-01-01T00:00:01Z", false),
        ],
        FieldKind::Number | FieldKind::Money | FieldKind::Percent => {
            &[("12.60", "12.6", true), ("12.6", "13", false), ("12", "-12", false)]
        }
        FieldKind::Date => &[("2026-01-01", "2026-01-02", false), ("2026-01-01T23:00:00Z", "2026-01-01", true)],
        FieldKind::Boolean => &[("yes", "true", true), ("true", "false", false)],
        FieldKind::MultiChoice => &[("b; a", "a;b", true), ("a;b", "a", false), ("a", "A", false)],
        FieldKind::Reference => &[("ann", "Ann", false)],
    }
}

fn kind() -> impl Strategy<Value = FieldKind> {
    prop::sample::select(FieldKind::ALL)
}

/// A kind with a value of it: what it means, and how it is written.
fn two_values() -> impl Strategy<Value = (FieldKind, [(Meaning, Value); 2])> {
    (
        kind(),
        [any::<prop::sample::Index>(), any::<prop::sample::Index>()],
        std::array::from_fn::<_, 2, _>(|_| any::<prop::sample::Index>()),
    )
        .prop_map(|(kind, meanings, written)| {
            let all = spellings(kind);
            let value = |which: usize| {
                // One more than there are is empty.
                let meaning = meanings[which].index(all.len() + 1);
                let empty: &[&str] = &["", " ", "\r\n", "\u{a0}"];
                let texts = all.get(meaning).copied().unwrap_or(empty);
                let text = texts[written[which].index(texts.len())];
                (Meaning(meaning), Some(text.to_owned()))
            };
            (kind, [value(0), value(1)])
        })
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,20}|[0-9.eE+-]{0,8}|[a-c; ]{0,8}|[ \\r\\n\\ta\u{a0}\u{301}e]{0,8}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn values_are_the_same_exactly_where_they_mean_the_same((kind, [(a, one), (b, other)]) in two_values()) {
        prop_assert_eq!(same(kind, &one, &other), a == b, "{} {:?} {:?}", kind, one, other);
        prop_assert_eq!(same(kind, &other, &one), a == b);
        prop_assert_eq!(normalise(kind, &one) == normalise(kind, &other), a == b);
        prop_assert!(a != b || same_meaning(kind, &one, &other), "the looser comparison is not stricter");
        let canonical = spellings(kind).get(a.0).map(|texts| texts[0].to_owned());
        prop_assert_eq!(normalise(kind, &one), canonical, "{} {:?}", kind, one);
    }

    #[test]
    fn sides_agree_where_only_the_spelling_differs(
        kind in kind(), which in any::<prop::sample::Index>(), tail in "[ \\t\\r\\n]{0,3}", turned in any::<bool>(),
    ) {
        let cases = across(kind);
        let (a, b, agree) = cases[which.index(cases.len())];
        let (a, b) = (Some(format!("{a}{tail}")), Some(b.to_owned()));
        let (a, b) = if turned { (b, a) } else { (a, b) };
        prop_assert_eq!(same_meaning(kind, &a, &b), agree, "{} {:?} {:?}", kind, a, b);
        prop_assert!(!same_meaning(kind, &a, &None), "something is not nothing");
    }

    #[test]
    fn comparing_is_reflexive_and_symmetric_and_normalising_ends(kind in kind(), a in text(), b in text()) {
        let (a, b) = (Some(a), Some(b));
        let once = normalise(kind, &a);
        prop_assert!(once.as_deref() != Some(""), "empty is nothing");
        prop_assert_eq!(normalise(kind, &once), once.clone());
        prop_assert!(same(kind, &a, &a) && same_meaning(kind, &a, &a));
        prop_assert!(same(kind, &a, &once) && same_meaning(kind, &a, &once), "normalising keeps the meaning");
        prop_assert_eq!(same(kind, &a, &b), same(kind, &b, &a));
        prop_assert_eq!(same_meaning(kind, &a, &b), same_meaning(kind, &b, &a));
    }

    #[test]
    fn line_ends_trailing_blanks_and_unicode_form_mean_nothing(
        lines in prop::collection::vec("[a-z\u{e9}\u{f1} ]{0,5}[a-z]", 1..4),
        blanks in prop::collection::vec("[ \\t\u{a0}\u{2003}]{0,2}", 4),
        crlf in any::<bool>(), decomposed in any::<bool>(),
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let written: Vec<String> = lines.iter().zip(&blanks).map(|(line, blank)| format!("{line}{blank}")).collect();
        let mut written = written.join(end) + &blanks[3];
        if decomposed {
            written = written.replace('\u{e9}', "e\u{301}").replace('\u{f1}', "n\u{303}");
        }
        prop_assert_eq!(normalise(FieldKind::LongText, &Some(written)), Some(lines.join("\n")));
    }

    #[test]
    fn numbers_are_decimals_of_any_size(
        negative in any::<bool>(), whole in "[1-9][0-9]{0,40}", part in "[0-9]{0,12}", zeros in 0..4_usize, decimals in 0..6_u32,
    ) {
        let sign = if negative { "-" } else { "" };
        let part = part.trim_end_matches('0');
        let canonical = if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") };
        let tail = "0".repeat(zeros);
        let written = if zeros > 0 && part.is_empty() { format!("{canonical}.{tail}") } else { format!("{canonical}{}", if part.is_empty() { "" } else { &tail }) };
        prop_assert_eq!(normalise(FieldKind::Money, &Some(written.clone())), Some(canonical.clone()));
        prop_assert_eq!(fit(FieldKind::Money, Some(written)), Ok(Some(canonical.clone())));
        // Rounding by hand, digit by digit.
        let keep = decimals as usize;
        let expected = if part.len() <= keep { canonical.clone() } else { by_hand(sign, &whole, part, keep) };
        prop_assert_eq!(rounded(Some(canonical), decimals), Some(expected));
    }
}

/// A number cut to so many places, a half rounded away from zero.
fn by_hand(sign: &str, whole: &str, part: &str, keep: usize) -> String {
    let mut digits: Vec<u8> = whole.bytes().chain(part.bytes().take(keep)).collect();
    if part.as_bytes()[keep] >= b'5' {
        let mut place = digits.len();
        loop {
            if place == 0 {
                digits.insert(0, b'1');
                break;
            }
            place -= 1;
            if digits[place] < b'9' {
                digits[place] += 1;
                break;
            }
            digits[place] = b'0';
        }
    }
    let text = String::from_utf8(digits).expect("digits");
    let (whole, part) = text.split_at(text.len() - keep);
    if keep == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

#[test]
fn a_number_that_no_field_holds_costs_nothing() {
    for text in ["1e400000000", "1e-400000000"] {
        assert_eq!(normalise(FieldKind::Number, &Some(text.to_owned())).as_deref(), Some(text), "it stays as text");
        assert!(fit(FieldKind::Number, Some(text.to_owned())).is_err(), "no column takes {text}");
    }
}
