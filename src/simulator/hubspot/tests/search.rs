//! Search finds what a plain look at the records does (dossier 2.7).

use std::cell::RefCell;
use std::cmp::Ordering as Order;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// How values of a property are compared, as the dossier tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Choice,
    Several,
    Number,
    Instant,
}
use Kind::{Choice, Instant, Number, Several, Text};

/// What is asked for, and values that some records have.
const PROPERTIES: [(&str, Kind, &[&str]); 12] = [
    ("firstname", Text, &["Ann", "ann-marie", "ANN", "Zoë", "Bob", "O'Neil", "  ", "a;b"]),
    ("lastname", Text, &["Smith", "smith Jones", "Ångström", "van der Berg", "7"]),
    ("email", Text, &["one@kestrel.example", "Two@Kestrel.example", "three@other.example"]),
    ("own_key", Text, &["K-1", "k-2", " K-3", "00"]),
    ("lifecyclestage", Choice, &["lead", "customer", "opportunity"]),
    ("vip", Choice, &["true", "false"]),
    ("hs_buying_role", Several, &["CHAMPION", "END_USER", "CHAMPION;END_USER", "LEGAL_AND_COMPLIANCE;BLOCKER"]),
    ("score", Number, &["7", "7.0", "-3", "0.0004", "0.00035", "-0.0004", "90071992547409920", "900719925474099200"]),
    ("serial", Number, &["1", "2.50", "-4"]),
    ("birthday", Instant, &["1970-01-01", "2026-09-21", "1951-12-31"]),
    ("closedate", Instant, &["2026-09-21T14:13:40.000Z", "2026-09-21T14:13:40.001Z", "1969-12-31T23:59:59.999Z"]),
    ("hs_object_id", Number, &[]),
];

const SEARCHED: [&str; 6] = ["firstname", "lastname", "email", "phone", "company", "hs_additional_emails"];

/// A filter, as JSON and as a plain look at a record.
#[derive(Debug, Clone)]
struct Plain {
    property: &'static str,
    kind: Kind,
    operator: &'static str,
    values: Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    let parted: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    parted.split_whitespace().map(str::to_owned).collect()
}

fn at(text: &str) -> Option<i64> {
    let day = || text.parse::<chrono::NaiveDate>().ok().map(|day| day.and_time(chrono::NaiveTime::MIN).and_utc());
    let instant = || text.parse::<chrono::DateTime<chrono::Utc>>().ok();
    text.parse().ok().or_else(|| instant().or_else(day).map(|at| at.timestamp_millis()))
}

/// Whether a text has a token: one word or several, or a piece with stars at its ends.
fn has_token(held: &str, wanted: &str) -> bool {
    let (held, wanted) = (held.to_lowercase(), wanted.to_lowercase());
    let piece = wanted.trim_matches('*');
    if piece == wanted {
        return !words(&wanted).is_empty() && words(&wanted).iter().all(|word| words(&held).contains(word));
    }
    let fits = |text: &str| match (wanted.starts_with('*'), wanted.ends_with('*')) {
        (true, true) => text.contains(piece),
        (true, false) => text.ends_with(piece),
        _ => text.starts_with(piece),
    };
    fits(&held) || words(&held).iter().any(|word| fits(word))
}

fn held<'r>(record: &'r Json, property: &str) -> Option<&'r str> {
    record["properties"][property].as_str().filter(|held| !held.is_empty())
}

impl Plain {
    fn json(&self) -> Json {
        let mut filter = json!({ "propertyName": self.property, "operator": self.operator });
        match self.operator {
            "HAS_PROPERTY" | "NOT_HAS_PROPERTY" => {}
            "IN" | "NOT_IN" => filter["values"] = json!(self.values),
            "BETWEEN" => {
                filter["value"] = json!(self.values[0]);
                filter["highValue"] = json!(self.values[1]);
            }
            _ => filter["value"] = json!(self.values[0]),
        }
        filter
    }

    fn against(&self, held: &str, wanted: &str) -> Order {
        match self.kind {
            Text => held.to_lowercase().cmp(&wanted.to_lowercase()),
            Number => held.parse::<f64>().expect("a number").total_cmp(&wanted.parse().expect("a number")),
            Instant => at(held).cmp(&at(wanted)),
            Choice | Several => held.cmp(wanted),
        }
    }

    fn holds(&self, record: &Json) -> bool {
        let held = held(record, self.property);
        let Some(held) = held else { return matches!(self.operator, "NOT_HAS_PROPERTY" | "NOT_CONTAINS_TOKEN") };
        let against = |place: usize| self.against(held, &self.values[place]);
        let chosen = |wanted: &str| self.kind == Several && held.split(';').any(|one| one == wanted);
        let equals = |wanted: &String| self.against(held, wanted).is_eq() || chosen(wanted);
        // IN looks for its values among lower-cased ones.
        let among = |wanted: &String| equals(wanted) && (self.kind != Text || *wanted == wanted.to_lowercase());
        match self.operator {
            "HAS_PROPERTY" => true,
            "NOT_HAS_PROPERTY" => false,
            "EQ" => equals(&self.values[0]),
            "NEQ" => !equals(&self.values[0]),
            "IN" => self.values.iter().any(among),
            "NOT_IN" => !self.values.iter().any(among),
            "LT" => against(0).is_lt(),
            "LTE" => against(0).is_le(),
            "GT" => against(0).is_gt(),
            "GTE" => against(0).is_ge(),
            "BETWEEN" => against(0).is_ge() && against(1).is_le(),
            "CONTAINS_TOKEN" => has_token(held, &self.values[0]),
            "NOT_CONTAINS_TOKEN" => !has_token(held, &self.values[0]),
            other => panic!("{other} is not asked for"),
        }
    }
}

const PRESENCE: [&str; 2] = ["HAS_PROPERTY", "NOT_HAS_PROPERTY"];
const EQUALITY: [&str; 4] = ["EQ", "NEQ", "IN", "NOT_IN"];
const ORDER: [&str; 5] = ["LT", "LTE", "GT", "GTE", "BETWEEN"];
const TOKENS: [&str; 2] = ["CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"];

fn filter(ids: Vec<String>) -> impl Strategy<Value = Plain> {
    (0..PROPERTIES.len(), 0..13_usize).prop_flat_map(move |(place, operator)| {
        let (property, kind, values) = PROPERTIES[place];
        let possible = match kind {
            Text => [&PRESENCE[..], &EQUALITY, &ORDER, &TOKENS].concat(),
            Number | Instant => [&PRESENCE[..], &EQUALITY, &ORDER].concat(),
            Choice | Several => [&PRESENCE[..], &EQUALITY, &TOKENS].concat(),
        };
        let operator = possible[operator % possible.len()];
        let mut pool: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        match kind {
            _ if TOKENS.contains(&operator) => {
                let tokens =
                    ["ann", "Smith", "jones SMITH", "kestrel", "*@kestrel*", "s*", "*ie", "CHAMPION", "end*", "-"];
                pool.extend(tokens.map(str::to_owned));
            }
            Text => pool.extend(["ann", "smith", "one@kestrel.example", "k-1", "zzz", "m"].map(str::to_owned)),
            Choice | Several => pool.extend(["LEAD", "BLOCKER", "nothing"].map(str::to_owned)),
            Number if property == "hs_object_id" => pool.extend(ids.clone()),
            Number => pool.extend(["7.00", "0", "2.5", "1e3"].map(str::to_owned)),
            Instant => pool.extend(["0", "1790000020000", "2026-09-21T16:13:40.001+02:00"].map(str::to_owned)),
        }
        prop::collection::vec(prop::sample::select(pool), 2..4).prop_map(move |values| Plain {
            property,
            kind,
            operator,
            values,
        })
    })
}

/// An account whose contacts have every kind of value, and none.
fn varied() -> Account {
    let mut account = account(&small());
    for (name, kind, field, unique) in [
        ("own_key", "string", "text", true),
        ("vip", "bool", "booleancheckbox", false),
        ("score", "number", "number", false),
        ("serial", "number", "number", true),
        ("birthday", "date", "date", false),
    ] {
        let options =
            [("Yes", "true"), ("No", "false")].map(|(label, value)| json!({ "label": label, "value": value }));
        let definition = json!({ "groupName": "contactinformation", "name": name, "label": name, "type": kind,
                                 "fieldType": field, "hasUniqueValue": unique,
                                 "options": if kind == "bool" { json!(options) } else { json!([]) } });
        let (status, made) = account.ask("POST", "/crm/v3/properties/contacts", definition);
        assert_eq!(status, 201, "{made}");
    }
    for turn in 0..60_usize {
        account.now.store(NOW + turn as i64 / 3 * 1000, Ordering::SeqCst);
        let mut properties = serde_json::Map::new();
        for (place, (property, _, values)) in PROPERTIES.iter().enumerate() {
            let once = matches!(*property, "email" | "own_key" | "serial");
            let value = if once { values.get(turn) } else { values.get((turn * (place + 1)) % (values.len() + 2)) };
            if let Some(value) = value {
                properties.insert((*property).to_owned(), json!(value));
            }
        }
        account.create("contacts", Json::Object(properties));
    }
    account
}

/// Every contact with what is searched by.
fn contacts(account: &mut Account) -> Vec<Json> {
    let names: BTreeSet<&str> = PROPERTIES.iter().map(|(name, ..)| *name).chain(SEARCHED).collect();
    let path = format!("/crm/v3/objects/contacts?limit=100&properties={}", Vec::from_iter(names).join(","));
    let page = account.ask("GET", &path, Json::Null).1;
    assert_eq!(page.get("paging"), None);
    page["results"].as_array().expect("records").clone()
}

fn mentions(record: &Json, query: &str) -> bool {
    let all = SEARCHED.iter().filter_map(|name| held(record, name)).collect::<Vec<_>>().join(" ").to_lowercase();
    let query = query.trim().to_lowercase();
    let begun = |wanted: &String| words(&all).iter().any(|word| word.starts_with(wanted));
    all.contains(&query) || (!words(&query).is_empty() && words(&query).iter().all(begun))
}

/// Where a record stands in an order: those without a value first.
fn compared(kind: Kind, a: Option<&str>, b: Option<&str>) -> Order {
    match (a, b) {
        (Some(a), Some(b)) => Plain { property: "", kind, operator: "", values: Vec::new() }.against(a, b),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

fn ids(records: &[Json]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn searches_find_what_a_plain_look_at_the_records_does() {
    let mut account = varied();
    let all = contacts(&mut account);
    assert_eq!(all.len(), 100);
    let shared = RefCell::new(account);
    let some: Vec<String> = ids(&all).into_iter().step_by(9).chain(["1".to_owned(), "120.0".to_owned()]).collect();
    let query = prop::sample::select(vec!["", "", "", "ann", "smi ann", "Kestrel", "@", "zzz", "!", " o'n ", "ith jo"]);
    let groups = prop::collection::vec(prop::collection::vec(filter(some), 1..4), 0..4);
    let sort = prop::option::of((0..PROPERTIES.len(), any::<bool>()));
    proptest!(ProptestConfig::with_cases(500), |(groups in groups, query in query, sort in sort, limit in 7..200_usize)| {
        let meets = |record: &&Json| {
            (groups.is_empty() || groups.iter().any(|group| group.iter().all(|filter| filter.holds(record))))
                && (query.is_empty() || mentions(record, query))
        };
        let expected: BTreeSet<String> = ids(&all.iter().filter(meets).cloned().collect::<Vec<_>>()).into_iter().collect();
        let filters = |group: &Vec<Plain>| json!({ "filters": group.iter().map(Plain::json).collect::<Vec<_>>() });
        let mut body = json!({ "filterGroups": groups.iter().map(filters).collect::<Vec<_>>(), "query": query, "limit": limit });
        if let Some((place, down)) = sort {
            let direction = if down { "DESCENDING" } else { "ASCENDING" };
            body["sorts"] = json!([{ "propertyName": PROPERTIES[place].0, "direction": direction }]);
        }
        let mut found: Vec<String> = Vec::new();
        loop {
            let (status, page) = shared.borrow_mut().ask("POST", "/crm/v3/objects/contacts/search", body.clone());
            prop_assert_eq!(status, 200, "{}: {}", body, page);
            prop_assert_eq!(page["total"].as_u64(), Some(expected.len() as u64), "{}", body);
            found.extend(ids(page["results"].as_array().expect("records")));
            match page["paging"]["next"]["after"].as_str() {
                Some(after) => body["after"] = json!(after),
                None => break,
            }
        }
        prop_assert_eq!(found.len(), expected.len(), "{}: none twice", body);
        prop_assert_eq!(&found.iter().cloned().collect::<BTreeSet<_>>(), &expected, "{}", body);
        let record = |id: &String| all.iter().find(|record| record["id"] == **id).expect("a record");
        for pair in found.windows(2) {
            let (first, second) = (record(&pair[0]), record(&pair[1]));
            let order = match sort {
                Some((place, down)) => {
                    let (name, kind, _) = PROPERTIES[place];
                    let order = compared(kind, held(first, name), held(second, name));
                    if down { order.reverse() } else { order }
                }
                None => first["createdAt"].as_str().cmp(&second["createdAt"].as_str()),
            };
            prop_assert!(order.is_le(), "{body}: {first} before {second}");
        }
    });
}

impl Account {
    /// Names of the companies that a search finds, in its order.
    fn found(&mut self, body: &Json) -> Vec<String> {
        let mut body = body.clone();
        body["properties"] = json!(["name"]);
        let (status, page) = self.ask("POST", "/crm/objects/2026-03/0-2/search", body);
        assert_eq!(status, 200, "{page}");
        let name = |record: &Json| record["properties"]["name"].as_str().expect("a name").to_owned();
        page["results"].as_array().expect("records").iter().map(name).collect()
    }
}

/// Four companies and nothing else.
fn four() -> Account {
    let mut account = account(&SimulatorOptions { accounts: 0, contacts: 0, opportunities: 0, ..small() });
    for (name, city, employees, industry) in
        [("Ash", "New York", "10", "RETAIL"), ("Birch", "york", "9", "INSURANCE"), ("Cedar", "London", "100", "RETAIL")]
    {
        let values = json!({ "name": name, "city": city, "numberofemployees": employees, "industry": industry });
        account.create("companies", values);
    }
    account.create("companies", json!({ "name": "Dogwood" }));
    account
}

#[test]
fn each_operator_by_itself() {
    let mut account = four();
    for (property, operator, rest, found) in [
        ("city", "EQ", json!({ "value": "YORK" }), "Birch"),
        ("city", "NEQ", json!({ "value": "york" }), "Ash Cedar"),
        ("industry", "EQ", json!({ "value": "retail" }), ""),
        ("numberofemployees", "LT", json!({ "value": "10" }), "Birch"),
        ("numberofemployees", "LTE", json!({ "value": 10 }), "Ash Birch"),
        ("numberofemployees", "GT", json!({ "value": "10.0" }), "Cedar"),
        ("numberofemployees", "GTE", json!({ "value": "10" }), "Ash Cedar"),
        ("numberofemployees", "BETWEEN", json!({ "value": "9", "highValue": "10" }), "Ash Birch"),
        ("industry", "IN", json!({ "values": ["RETAIL", "ENERGY", "RETAIL"] }), "Ash Cedar"),
        ("city", "IN", json!({ "values": ["London", "york"] }), "Birch"),
        ("city", "NOT_IN", json!({ "values": ["london"] }), "Ash Birch"),
        ("city", "HAS_PROPERTY", json!({}), "Ash Birch Cedar"),
        ("city", "NOT_HAS_PROPERTY", json!({}), "Dogwood"),
        ("city", "CONTAINS_TOKEN", json!({ "value": "York" }), "Ash Birch"),
        ("city", "CONTAINS_TOKEN", json!({ "value": "l*n" }), "Cedar"),
        ("city", "NOT_CONTAINS_TOKEN", json!({ "value": "new" }), "Birch Cedar Dogwood"),
        ("industry", "CONTAINS_TOKEN", json!({ "value": "RETAIL" }), "Ash Cedar"),
    ] {
        let mut filter = rest;
        filter["propertyName"] = json!(property);
        filter["operator"] = json!(operator);
        let told = account.found(&json!({ "filterGroups": [{ "filters": [filter] }] })).join(" ");
        assert_eq!(told, found, "{filter}");
    }
    for odd in [
        json!({ "operator": "EQ" }),
        json!({ "operator": "IN", "value": "x" }),
        json!({ "operator": "BETWEEN", "value": "1" }),
        json!({ "operator": "LIKE", "value": "x" }),
        json!({ "operator": "EQ", "value": "many" }),
    ] {
        let mut filter = odd;
        filter["propertyName"] = json!("numberofemployees");
        let (status, refused) = account.ask("POST", "/crm/v3/objects/companies/search", json!({ "filters": [filter] }));
        assert_eq!((status, refused["category"].as_str()), (400, Some("VALIDATION_ERROR")), "{filter}");
    }
}

#[test]
fn one_group_of_several_is_enough_and_every_filter_of_it() {
    let mut account = four();
    let is = |property: &str, value: &str| json!({ "propertyName": property, "operator": "EQ", "value": value });
    let both = json!({ "filters": [is("industry", "RETAIL"), is("city", "london")] });
    assert_eq!(account.found(&json!({ "filterGroups": [both] })), ["Cedar"]);
    let groups = json!([both, { "filters": [is("name", "dogwood")] }, { "filters": [is("name", "cedar")] }]);
    assert_eq!(account.found(&json!({ "filterGroups": groups })), ["Cedar", "Dogwood"]);
    assert_eq!(account.found(&json!({ "filterGroups": groups, "sorts": ["-name"] })), ["Dogwood", "Cedar"]);
    assert_eq!(account.found(&json!({ "filterGroups": groups, "query": "dog" })), ["Dogwood"]);
    assert_eq!(account.found(&json!({ "query": "BIR" })), ["Birch"]);
    assert_eq!(account.found(&json!({ "sorts": ["numberofemployees"] })), ["Dogwood", "Birch", "Ash", "Cedar"]);
}

#[test]
fn a_search_goes_by_associations_with_what_is_alive() {
    let mut account = four();
    let contact = account.create("contacts", json!({ "lastname": "Linked" }));
    account.create("contacts", json!({ "lastname": "Lonely" }));
    let company = account.portal.world.meta.types[types::COMPANIES].first_id.to_string();
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/default/companies/{company}");
    assert_eq!(account.ask("PUT", &path, Json::Null).0, 200);
    let mut total = |name: &str, operator: &str, value: &str| {
        let filter = json!({ "propertyName": name, "operator": operator, "value": value, "values": [value, "1"] });
        account.ask("POST", "/crm/v3/objects/contacts/search", json!({ "filters": [filter] })).1["total"].clone()
    };
    assert_eq!(total("associations.company", "EQ", &company), 1);
    assert_eq!(total("associations.companies", "IN", &company), 1);
    assert_eq!(total("associations.company", "EQ", "1"), 0);
    assert_eq!(total("associations.company", "NEQ", &company), 1);
    assert_eq!(total("associations.company", "HAS_PROPERTY", ""), 1);
    assert_eq!(total("associations.company", "NOT_HAS_PROPERTY", ""), 1);
    account.ask("DELETE", &format!("/crm/v3/objects/companies/{company}"), Json::Null);
    let filter = json!({ "propertyName": "associations.company", "operator": "EQ", "value": company });
    let body = json!({ "filters": [filter] });
    assert_eq!(account.ask("POST", "/crm/v3/objects/contacts/search", body).1["total"], 0);
    let body = json!({ "filters": [{ "propertyName": "associations.widget", "operator": "EQ", "value": "1" }] });
    assert_eq!(account.ask("POST", "/crm/v3/objects/contacts/search", body).0, 400);
}

#[test]
fn nobody_pages_past_ten_thousand_and_ids_lead_around() {
    let mut account = account(&SimulatorOptions { accounts: 10, contacts: 10_050, opportunities: 0, ..small() });
    let mut page = |after: u64, limit: u64, from: u64| {
        let filter = json!({ "propertyName": "hs_object_id", "operator": "GT", "value": from.to_string() });
        let body = json!({ "filters": [filter], "sorts": ["hs_object_id"], "limit": limit, "after": after });
        account.ask("POST", "/crm/v3/objects/contacts/search", body)
    };
    let (status, last) = page(9_999, 1, 0);
    assert_eq!((status, &last["total"]), (200, &json!(10_050)));
    let id: u64 = last["results"][0]["id"].as_str().expect("an id").parse().expect("a number");
    assert_eq!(last["paging"]["next"]["after"], "10000", "it is told, and refused");
    let (status, refused) = page(10_000, 1, 0);
    assert_eq!((status, refused["category"].as_str()), (400, Some("VALIDATION_ERROR")));
    assert_eq!(page(9_900, 101, 0).0, 400);
    assert_eq!(page(9_800, 200, 0).1["results"].as_array().map(Vec::len), Some(200));
    let (_, rest) = page(0, 200, id);
    assert_eq!((&rest["total"], rest["results"].as_array().map(Vec::len)), (&json!(50), Some(50)));
}
