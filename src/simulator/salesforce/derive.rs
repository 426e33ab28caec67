//! What the org works out by itself: names, and what a stage says (dossier 7.2).

use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value as Json, json};

use super::schema::Object;
use super::world::Fields;

pub(super) fn derive(object: &Object, fields: &mut Fields, given: &Map<String, Json>) {
    let text = |fields: &Fields, name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    match object.name {
        "Contact" | "User" | "Lead" => {
            let name = format!("{} {}", text(fields, "FirstName"), text(fields, "LastName"));
            fields.insert("Name".to_owned(), json!(name.trim()));
        }
        "Opportunity" => {
            let stage = text(fields, "StageName");
            let (probability, closed, won, category) = match stage.as_str() {
                "Closed Won" => (100, true, true, "Closed"),
                "Closed Lost" => (0, true, false, "Omitted"),
                "Prospecting" | "Qualification" => (10, false, false, "Pipeline"),
                "Needs Analysis" => (20, false, false, "Pipeline"),
                "Value Proposition" => (50, false, false, "Pipeline"),
                "Id. Decision Makers" => (60, false, false, "Pipeline"),
                "Perception Analysis" => (70, false, false, "Pipeline"),
                "Proposal/Price Quote" => (75, false, false, "Pipeline"),
                "Negotiation/Review" => (90, false, false, "Pipeline"),
                _ => (10, false, false, "Pipeline"),
            };
            let stage_given = given.keys().any(|name| name.eq_ignore_ascii_case("StageName"));
            let probability_given = given.keys().any(|name| name.eq_ignore_ascii_case("Probability"));
            if (stage_given && !probability_given) || !fields.contains_key("Probability") {
                fields.insert("Probability".to_owned(), json!(probability));
            }
            fields.insert("IsClosed".to_owned(), json!(closed));
            fields.insert("IsWon".to_owned(), json!(won));
            fields.insert("ForecastCategory".to_owned(), json!(category));
            if stage_given || !fields.contains_key("ForecastCategoryName") {
                let given = given.keys().any(|name| name.eq_ignore_ascii_case("ForecastCategoryName"));
                if !given {
                    fields.insert("ForecastCategoryName".to_owned(), json!(category));
                }
            }
            expected(fields);
        }
        _ => {}
    }
}

/// Expected revenue and the fiscal period of an opportunity (dossier 7.2).
fn expected(fields: &mut Fields) {
    let number = |name: &str| fields.get(name).and_then(|value| value.to_string().parse::<f64>().ok());
    let expected = number("Amount").zip(number("Probability")).map(|(amount, chance)| amount * chance / 100.0);
    let close = fields.get("CloseDate").and_then(Json::as_str).and_then(|day| day.parse::<NaiveDate>().ok());
    match expected {
        Some(expected) => fields.insert("ExpectedRevenue".to_owned(), json!(expected)),
        None => fields.remove("ExpectedRevenue"),
    };
    if let Some(close) = close {
        let quarter = close.month0() / 3 + 1;
        fields.insert("FiscalYear".to_owned(), json!(close.year()));
        fields.insert("FiscalQuarter".to_owned(), json!(quarter));
        fields.insert("Fiscal".to_owned(), json!(format!("{} {quarter}", close.year())));
    }
}
