//! Values that a request wants to write: which are refused, and how the others are kept (dossier 2.4, 2.9).

use std::str::FromStr as _;

use bigdecimal::BigDecimal;
use serde_json::{Map, Value as Json, json};

use super::catalog::OWNERS;
use super::record::Record;
use super::refusal::Refusal;
use super::schema::Property;
use super::stamps::{DAY_MS, day, instant, iso};
use super::types::{COMPANIES, CONTACTS, DEALS, NOTES};
use super::world::World;

/// Longest text.
const LONGEST: usize = 65_536;

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// Places and their new values; `None` clears.
    pub values: Vec<(u16, Option<String>)>,
    /// A creation that the request dates itself.
    pub created: Option<i64>,
}

/// What is wrong with one value.
#[derive(Debug)]
pub(super) struct Fault {
    name: String,
    code: &'static str,
    message: String,
}

impl Fault {
    pub(super) fn new(name: &str, code: &'static str, message: impl Into<String>) -> Self {
        Fault { name: name.to_owned(), code, message: message.into() }
    }
}

/// The refusal that tells every fault (dossier 2.9).
pub(super) fn refused(faults: &[Fault]) -> Refusal {
    let all: Vec<Json> = faults
        .iter()
        .map(|fault| {
            json!({ "isValid": false, "message": fault.message, "error": fault.code, "name": fault.name,
                    "localizedErrorMessage": fault.message, "portalId": super::PORTAL_ID })
        })
        .collect();
    let errors = faults.iter().map(
        |fault| json!({ "message": fault.message, "code": fault.code, "context": { "propertyName": [fault.name] } }),
    );
    let mut refusal = Refusal::invalid(format!("Property values were not valid: {}", json!(all)));
    refusal.errors = errors.collect();
    refusal
}

/// Reads the properties of a request for a new record, or for one that exists.
pub(super) fn prepare(
    world: &World,
    kind: usize,
    given: &Map<String, Json>,
    current: Option<&Record>,
) -> Result<Prepared, Refusal> {
    let definitions = &world.meta.definitions[kind];
    let mut prepared = Prepared::default();
    let mut faults = Vec::new();
    for (name, raw) in given {
        let text = match raw {
            Json::Null => String::new(),
            Json::String(text) => text.clone(),
            Json::Number(number) => number.to_string(),
            Json::Bool(truth) => truth.to_string(),
            _ => return Err(Refusal::malformed("Cannot deserialize value of type `java.lang.String`")),
        };
        let Some((place, property)) = definitions.place(name).zip(definitions.living(name)) else {
            let message = format!("Property \"{name}\" does not exist");
            faults.push(Fault::new(name, "PROPERTY_DOESNT_EXIST", message));
            continue;
        };
        // Deals take a creation date at any time, companies and contacts at their creation (dossier 8.3).
        let dates = name == "createdate" && (kind == DEALS || (current.is_none() && kind <= COMPANIES));
        if dates && let Some(at) = instant(&text) {
            prepared.created = Some(at);
            continue;
        }
        if property.read_only || property.calculated() {
            let message = format!("\"{name}\" is a read only property; its value cannot be set.");
            faults.push(Fault::new(name, "READ_ONLY_VALUE", message));
            continue;
        }
        let before = current.and_then(|record| record.get(place));
        match accepted(world, kind, property, &text, before) {
            Ok(value) => prepared.values.push((place, value)),
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(refused(&faults));
    }
    derive(world, kind, &mut prepared, current);
    Ok(prepared)
}

/// Refuses a new record without what every record of its type has (dossier 2.5).
pub(super) fn required(world: &World, kind: usize, prepared: &Prepared) -> Result<(), Refusal> {
    let definitions = &world.meta.definitions[kind];
    let given = |name: &str| {
        let place = definitions.place(name);
        prepared.values.iter().any(|(known, value)| Some(*known) == place && value.is_some())
    };
    let of = &world.meta.types[kind];
    let wanted: Vec<&str> = match (kind, &of.schema) {
        (DEALS, _) => vec!["dealname", "dealstage"],
        (NOTES, _) => vec!["hs_timestamp"],
        (_, Some(schema)) => schema.required.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    let missing: Vec<&str> = wanted.into_iter().filter(|name| !given(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Error creating {}. Some required properties were not set.", of.singular.to_uppercase());
    let names: Vec<String> = missing.iter().map(|name| (*name).to_owned()).collect();
    Err(Refusal::invalid(message).with_context("properties", &names).sub("MISSING_REQUIRED_PROPERTIES"))
}

/// What follows from the values: a deal's pipeline, a company's domain.
fn derive(world: &World, kind: usize, prepared: &mut Prepared, current: Option<&Record>) {
    let definitions = &world.meta.definitions[kind];
    let given = |prepared: &Prepared, name: &str| {
        let place = definitions.place(name);
        prepared.values.iter().find(|(known, _)| Some(*known) == place).and_then(|(_, value)| value.clone())
    };
    let has =
        |name: &str| current.zip(definitions.place(name)).is_some_and(|(record, place)| record.get(place).is_some());
    if kind == DEALS
        && current.is_none()
        && given(prepared, "pipeline").is_none()
        && let Some(place) = definitions.place("pipeline")
    {
        let stage = given(prepared, "dealstage").unwrap_or_default();
        let pipelines = world.meta.pipelines.get(&DEALS).map(Vec::as_slice).unwrap_or_default();
        let of = pipelines.iter().find(|pipeline| pipeline.stages.iter().any(|known| known.id == stage));
        let id = of.or(pipelines.first()).map(|pipeline| pipeline.id.clone());
        prepared.values.push((place, id));
    }
    if kind == COMPANIES
        && !has("domain")
        && given(prepared, "domain").is_none()
        && let (Some(website), Some(place)) = (given(prepared, "website"), definitions.place("domain"))
    {
        prepared.values.push((place, Some(host(&website))));
    }
}

/// The value as it is kept, `None` where it clears.
fn accepted(
    world: &World,
    kind: usize,
    property: &Property,
    text: &str,
    before: Option<&str>,
) -> Result<Option<String>, Fault> {
    if text.is_empty() {
        return Ok(None);
    }
    let name = property.name.as_str();
    let fault = |code, message: String| Err(Fault::new(name, code, message));
    match property.kind.as_str() {
        "number" => match plain_number(text) {
            Some(number) => Ok(Some(number)),
            None => fault("INVALID_INTEGER", format!("{text} was not a valid number.")),
        },
        "bool" => match text.to_ascii_lowercase().as_str() {
            truth @ ("true" | "false") => Ok(Some(truth.to_owned())),
            _ => fault("INVALID_OPTION", format!("{text} was not one of the allowed options: [true, false]")),
        },
        "date" => match instant(text).filter(|at| at % DAY_MS == 0) {
            Some(at) => Ok(Some(day(at))),
            None => fault("INVALID_DATE", format!("{text} was not a valid date.")),
        },
        "datetime" => match instant(text) {
            Some(at) => Ok(Some(iso(at))),
            None => fault("INVALID_LONG", format!("{text} was not a valid long.")),
        },
        "enumeration" => option(world, kind, property, text, before),
        _ if text.chars().count() > LONGEST => {
            fault("INVALID_STRING", format!("The value is longer than {LONGEST} characters"))
        }
        _ if kind == CONTACTS && name == "email" => match email(text) {
            Some(email) => Ok(Some(email)),
            None => fault("INVALID_EMAIL", format!("Email address {text} is invalid")),
        },
        _ if kind == COMPANIES && name == "domain" => Ok(Some(host(text))),
        _ => Ok(Some(text.to_owned())),
    }
}

/// A value of an enumeration; several where it is a list of checkboxes.
fn option(
    world: &World,
    kind: usize,
    property: &Property,
    text: &str,
    before: Option<&str>,
) -> Result<Option<String>, Fault> {
    let known: Option<Vec<&str>> = match property.name.as_str() {
        "hubspot_owner_id" => Some(OWNERS.iter().map(|owner| owner.id).collect()),
        "dealstage" | "hs_pipeline_stage" => world.meta.pipelines.get(&kind).map(|pipelines| {
            let stages = pipelines.iter().flat_map(|pipeline| &pipeline.stages).filter(|stage| !stage.archived);
            stages.map(|stage| stage.id.as_str()).collect()
        }),
        "pipeline" | "hs_pipeline" => world
            .meta
            .pipelines
            .get(&kind)
            .map(|pipelines| pipelines.iter().map(|pipeline| pipeline.id.as_str()).collect()),
        _ if property.choices.is_empty() => None,
        _ => Some(property.choices.iter().map(|choice| choice.value.as_str()).collect()),
    };
    let several = property.field_type == "checkbox";
    let wanted: Vec<&str> = if several { text.split(';').filter(|one| !one.is_empty()).collect() } else { vec![text] };
    if let Some(known) = &known
        && let Some(odd) = wanted.iter().find(|one| !known.contains(one))
    {
        let message = format!("{odd} was not one of the allowed options: [{}]", known.join(", "));
        return Err(Fault::new(&property.name, "INVALID_OPTION", message));
    }
    // A lifecycle only goes forward unless it is cleared first.
    if property.name == "lifecyclestage"
        && let (Some(known), Some(before)) = (&known, before)
    {
        let place = |stage: &str| known.iter().position(|one| *one == stage);
        if place(text) < place(before) {
            return Ok(Some(before.to_owned()));
        }
    }
    if several && text.starts_with(';') {
        let mut all: Vec<&str> = before.map(|before| before.split(';').collect()).unwrap_or_default();
        all.extend(wanted.iter().filter(|one| !before.is_some_and(|before| before.split(';').any(|b| b == **one))));
        return Ok(Some(all.join(";")));
    }
    Ok(Some(wanted.join(";")))
}

/// A number as it is kept: its digits, without a plus or an exponent.
fn plain_number(text: &str) -> Option<String> {
    let text = text.trim();
    let odd = |letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | '-' | '+' | 'e' | 'E'));
    if text.len() > 60 || text.contains(odd) {
        return None;
    }
    // An exponent beyond this has no plain digits worth keeping.
    let exponent = text.to_ascii_lowercase().split_once('e').map(|(_, exponent)| exponent.parse::<i32>());
    match exponent {
        None => {
            BigDecimal::from_str(text).ok()?;
            Some(text.trim_start_matches('+').to_owned())
        }
        Some(Ok(exponent)) if exponent.abs() < 40 => Some(BigDecimal::from_str(text).ok()?.to_plain_string()),
        Some(_) => None,
    }
}

/// An e-mail address, lower-cased.
fn email(text: &str) -> Option<String> {
    let text = text.trim().to_lowercase();
    let (local, domain) = text.rsplit_once('@')?;
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || matches!(letter, ',' | ';' | '<' | '>');
    let sound = !local.is_empty() && !text.contains(odd) && !local.contains('@');
    (sound && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.')).then_some(text)
}

/// The host of an address as people write it.
fn host(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let rest = text.split_once("://").map_or(text.as_str(), |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (given, kept) in [
            ("12", Some("12")),
            ("+1.50", Some("1.50")),
            ("-3", Some("-3")),
            ("1e3", Some("1000")),
            ("1e99999", None),
            ("abc", None),
            ("NaN", None),
            ("1.2.3", None),
        ] {
            assert_eq!(plain_number(given).as_deref(), kept, "{given}");
        }
    }

    #[test]
    fn addresses_and_hosts_are_normalised() {
        assert_eq!(email(" Ann@Kestrel.Example ").as_deref(), Some("ann@kestrel.example"));
        assert!(["x", "@a.b", "a@b", "a b@c.d", "a@.d"].iter().all(|odd| email(odd).is_none()));
        assert_eq!(host("HTTPS://www.Kestrel.example/about?x"), "kestrel.example");
    }
}
