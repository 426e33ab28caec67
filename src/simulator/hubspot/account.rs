//! What is the same for everybody: owners, the account itself (dossier 1.4, 3.3).

use serde_json::{Value as Json, json};

use super::PORTAL_ID;
use super::catalog::{OWNERS, Owner};
use super::refusal::Refusal;
use super::request::{Family, Route};
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Answers owners and account information.
pub(super) fn answer(asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    match (asked.method.as_str(), route.family, parts.as_slice()) {
        ("GET", Family::Owners, []) => owners(asked),
        ("GET", Family::Owners, [id]) => owner(asked, id),
        ("GET", Family::Account, ["details"]) => Ok(Reply::json(200, &details())),
        (_, Family::Owners, [] | [_]) | (_, Family::Account, ["details"]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

fn details() -> Json {
    json!({ "portalId": PORTAL_ID, "accountType": "STANDARD", "timeZone": "Europe/London", "companyCurrency": "EUR",
            "additionalCurrencies": [], "utcOffset": "+00:00", "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com", "dataHostingLocation": "na1" })
}

fn owners(asked: &Asked) -> Result<Reply, Refusal> {
    let limit = asked.limit(100, 500)?;
    let archived = asked.truth("archived")?;
    let email = asked.query("email").filter(|email| !email.is_empty());
    let after = asked.query("after").filter(|after| !after.is_empty());
    let fits = |owner: &&Owner| {
        owner.archived == archived
            && email.as_ref().is_none_or(|email| owner.email.eq_ignore_ascii_case(email))
            && after.as_deref().is_none_or(|after| owner.id > after)
    };
    let mut found: Vec<&Owner> = OWNERS.iter().filter(fits).collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let told: Vec<Json> = found.iter().map(|owner| owner.told()).collect();
    let mut body = json!({ "results": told });
    if let Some(last) = found.last().filter(|_| more) {
        body["paging"] = json!({ "next": { "after": last.id, "link": asked.link(last.id) } });
    }
    Ok(Reply::json(200, &body))
}

fn owner(asked: &Asked, id: &str) -> Result<Reply, Refusal> {
    let archived = asked.truth("archived")?;
    let by_user = match asked.query("idProperty").as_deref() {
        None | Some("" | "id") => false,
        Some("userId") => true,
        Some(odd) => return Err(Refusal::invalid(format!("Invalid idProperty {odd}"))),
    };
    let is = |owner: &&Owner| {
        owner.archived == archived && if by_user { owner.user.to_string() == id } else { owner.id == id }
    };
    let found = OWNERS.iter().find(is).ok_or_else(Refusal::not_found)?;
    Ok(Reply::json(200, &found.told()))
}
