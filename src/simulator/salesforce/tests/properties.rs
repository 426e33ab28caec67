//! What holds for any input: queries answer what a plain look at the records does, no text is too odd for a parser.

use std::cmp::Ordering;

use axum::http::HeaderMap;
use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::simulator::asked::Asked;
use crate::simulator::commands;
use crate::simulator::salesforce::soql;
use crate::simulator::skin::Skin as _;

/// Texts through the parser.
const TEXTS: usize = 100_000;

fn org(accounts: usize) -> Org {
    Org::open(&SimulatorOptions { accounts, ..small() }, Arc::new(|| NOW)).expect("a world")
}

fn put(org: &mut Org, token: &str, method: &str, address: &str, body: &Json) -> Reply {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let asked = Asked { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers, body };
    let reply = org
        .kept(|org| if path.starts_with("/_simulator") { commands::answer(org, &asked) } else { org.answer(&asked) });
    org.marked(&asked, reply)
}

fn token_of(org: &mut Org) -> String {
    let granted = put(org, "", "POST", "/_simulator/token", &json!({}));
    let granted: Json = serde_json::from_str(&granted.body).expect("JSON");
    granted["access_token"].as_str().expect("a token").to_owned()
}

fn query(org: &mut Org, token: &str, soql: &str) -> (u16, Json) {
    let coded: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
    let reply = put(org, token, "GET", &format!("/services/data/v62.0/query?q={coded}"), &Json::Null);
    (reply.status, serde_json::from_str(&reply.body).expect("JSON"))
}

/// A condition, as SOQL and as a plain look at a record.
#[derive(Debug, Clone)]
enum Plain {
    Text(&'static str, &'static str, Option<String>),
    Number(&'static str, &'static str, Option<i64>),
    Like(&'static str, String),
    In(&'static str, Vec<String>, bool),
    And(Vec<Plain>),
    Or(Vec<Plain>),
    Not(Box<Plain>),
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl Plain {
    fn soql(&self) -> String {
        let all = |terms: &[Plain], word: &str| {
            let terms: Vec<String> = terms.iter().map(|term| format!("({})", term.soql())).collect();
            terms.join(word)
        };
        match self {
            Plain::Text(field, operator, value) => {
                let value = value.as_deref().map_or("null".to_owned(), quoted);
                format!("{field} {operator} {value}")
            }
            Plain::Number(field, operator, value) => {
                let value = value.map_or("null".to_owned(), |value| value.to_string());
                format!("{field} {operator} {value}")
            }
            Plain::Like(field, pattern) => format!("{field} LIKE {}", quoted(pattern)),
            Plain::In(field, values, negated) => {
                let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
                format!("{field} {}IN ({})", if *negated { "NOT " } else { "" }, values.join(", "))
            }
            Plain::And(terms) => all(terms, " AND "),
            Plain::Or(terms) => all(terms, " OR "),
            Plain::Not(term) => format!("NOT ({})", term.soql()),
        }
    }

    fn holds(&self, record: &Json) -> bool {
        let folded = |text: &str| text.trim_end().to_lowercase();
        let meets = |operator: &str, order: Option<Ordering>| match (operator, order) {
            ("=", order) => order == Some(Ordering::Equal),
            ("!=", order) => order != Some(Ordering::Equal),
            ("<", order) => order == Some(Ordering::Less),
            (">=", order) => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            (other, _) => panic!("{other} is not asked for"),
        };
        match self {
            Plain::Text(field, operator, value) => match (record[field].as_str(), value) {
                (None, None) => meets(operator, Some(Ordering::Equal)),
                (Some(_), None) | (None, Some(_)) => meets(operator, None),
                (Some(held), Some(value)) => meets(operator, Some(folded(held).cmp(&folded(value)))),
            },
            Plain::Number(field, operator, value) => match (record[field].as_f64(), value) {
                (None, None) => meets(operator, Some(Ordering::Equal)),
                (Some(_), None) | (None, Some(_)) => meets(operator, None),
                (Some(held), Some(value)) => meets(operator, held.partial_cmp(&(*value as f64))),
            },
            // Patterns here are `%part%`, `part%` or `%part`.
            Plain::Like(field, pattern) => record[field].as_str().is_some_and(|held| {
                let (held, part) = (held.to_lowercase(), pattern.trim_matches('%').to_lowercase());
                match (pattern.starts_with('%'), pattern.ends_with('%')) {
                    (true, true) => held.contains(&part),
                    (false, _) => held.starts_with(&part),
                    (true, false) => held.ends_with(&part),
                }
            }),
            Plain::In(field, values, negated) => {
                let found =
                    record[field].as_str().is_some_and(|held| values.iter().any(|value| folded(value) == folded(held)));
                found != *negated
            }
            Plain::And(terms) => terms.iter().all(|term| term.holds(record)),
            Plain::Or(terms) => terms.iter().any(|term| term.holds(record)),
            Plain::Not(term) => !term.holds(record),
        }
    }
}

/// Conditions with usual values and these.
fn plain(own: Vec<String>) -> impl Strategy<Value = Plain> {
    let text = || prop::sample::select(vec!["Name", "Phone", "Industry", "BillingCity"]);
    let usual = ["Energy", "energy  ", "Media", "London", "a", "M", "Kestrel", "", "Zürich", "O'Neil", "+44"];
    let values: Vec<String> = usual.iter().map(|value| (*value).to_owned()).chain(own).collect();
    let value = || prop::sample::select(values.clone());
    let number = prop::sample::select(vec![-1_i64, 0, 10, 250, 5_000]);
    let leaf = prop_oneof![
        (text(), prop::sample::select(vec!["=", "!=", "<", ">="]), value())
            .prop_map(|(field, operator, value)| Plain::Text(field, operator, Some(value))),
        (text(), prop::sample::select(vec!["=", "!="]))
            .prop_map(|(field, operator)| Plain::Text(field, operator, None)),
        (prop::sample::select(vec!["=", "!=", "<", ">="]), number).prop_map(|(operator, value)| Plain::Number(
            "NumberOfEmployees",
            operator,
            Some(value)
        )),
        prop::sample::select(vec!["=", "!="]).prop_map(|operator| Plain::Number("NumberOfEmployees", operator, None)),
        (text(), prop::sample::select(vec!["%a%", "m%", "%Ltd", "%é%", "%'%"]))
            .prop_map(|(field, pattern)| Plain::Like(field, pattern.to_owned())),
        (text(), prop::collection::vec(value(), 1..4), any::<bool>())
            .prop_map(|(field, values, negated)| Plain::In(field, values, negated)),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Plain::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Plain::Or),
            inner.prop_map(|term| Plain::Not(Box::new(term))),
        ]
    })
}

#[test]
fn queries_answer_what_a_plain_look_at_the_records_does() {
    let mut org = org(300);
    let token = token_of(&mut org);
    for (name, industry, city) in
        [("Kestrel  ", "ENERGY ", "zürich"), ("o'neil", "media", "London "), ("M", "Energy", "a")]
    {
        let odd = json!({ "Name": name, "Industry": industry, "BillingCity": city, "NumberOfEmployees": 250 });
        put(&mut org, &token, "POST", "/_simulator/edit", &json!({ "object": "Account", "fields": odd }));
    }
    let fields = "Id, Name, Phone, Industry, BillingCity, NumberOfEmployees";
    let (_, all) = query(&mut org, &token, &format!("SELECT {fields} FROM Account ORDER BY Id"));
    let all = all["records"].as_array().expect("records").clone();
    assert_eq!(all.len(), 303);
    // Names that end in a blank are asked for without it.
    let names = all.iter().filter_map(|record| record["Name"].as_str());
    let own: Vec<String> = names.filter(|name| name.ends_with(' ')).map(|name| name.trim_end().to_owned()).collect();
    assert!(!own.is_empty());
    let shared = std::cell::RefCell::new(org);
    let window = (0..400_usize, 0..320_usize);
    let case = (plain(own), any::<bool>(), any::<bool>(), window);
    proptest!(ProptestConfig::with_cases(2000), |((condition, descending, nulls_last, (limit, offset)) in case)| {
        let mut expected: Vec<&Json> = all.iter().filter(|record| condition.holds(record)).collect();
        let soql = format!(
            "SELECT Id FROM Account WHERE {} ORDER BY NumberOfEmployees {} NULLS {}, Id LIMIT {limit} OFFSET {offset}",
            condition.soql(), if descending { "DESC" } else { "ASC" }, if nulls_last { "LAST" } else { "FIRST" },
        );
        expected.sort_by(|a, b| match (a["NumberOfEmployees"].as_i64(), b["NumberOfEmployees"].as_i64()) {
            (None, None) => Ordering::Equal,
            (None, _) => if nulls_last { Ordering::Greater } else { Ordering::Less },
            (_, None) => if nulls_last { Ordering::Less } else { Ordering::Greater },
            (Some(a), Some(b)) => if descending { b.cmp(&a) } else { a.cmp(&b) },
        });
        let expected: Vec<&Json> = expected.into_iter().skip(offset).take(limit).map(|record| &record["Id"]).collect();
        let (status, answer) = query(&mut shared.borrow_mut(), &token, &soql);
        prop_assert_eq!(status, 200, "{}: {}", soql, answer);
        let found: Vec<&Json> = answer["records"].as_array().expect("records").iter().map(|record| &record["Id"]).collect();
        prop_assert_eq!(found, expected, "{}", soql);
    });
}

/// A text of whole words and of odd letters.
fn text(dice: &mut ChaCha8Rng, words: &[&str]) -> String {
    let mut text = String::new();
    for _ in 0..dice.random_range(0..20) {
        match dice.random_range(0..4) {
            0 => text.push(char::from_u32(dice.random_range(0..0x0011_0000)).unwrap_or('\u{fffd}')),
            1 => text.push(char::from(dice.random_range(0..128_u8))),
            _ => text.push_str(words[dice.random_range(0..words.len())]),
        }
    }
    text
}

#[test]
fn no_text_is_too_odd_for_the_query_parser() {
    let words = [
        "SELECT ",
        "Id",
        ", ",
        "FROM ",
        "Account",
        " WHERE ",
        "=",
        "!=",
        "<",
        "(",
        ")",
        "'",
        "\\",
        "AND ",
        "OR ",
        "NOT ",
        "IN ",
        "LIKE ",
        "null",
        "1e",
        "-",
        "2024-01-01",
        "T00:00:00Z",
        "TODAY",
        "LAST_N_DAYS:",
        ":",
        "GROUP BY ",
        "ORDER BY ",
        "LIMIT ",
        "COUNT(",
        "FIELDS(ALL)",
        "TYPEOF ",
        "WHEN ",
        "THEN ",
        "END",
        ".",
        "USD5",
        "%",
        "_",
        " ",
    ];
    let mut dice = ChaCha8Rng::seed_from_u64(1);
    let parsed = (0..TEXTS).filter(|_| soql::parse(&text(&mut dice, &words)).is_ok()).count();
    let mut dice = ChaCha8Rng::seed_from_u64(2);
    let whole =
        (0..TEXTS).filter(|_| soql::parse(&format!("SELECT Id FROM Account {}", text(&mut dice, &words))).is_ok());
    assert!(parsed < TEXTS && whole.count() > 1000, "some are queries, most are none");
}
