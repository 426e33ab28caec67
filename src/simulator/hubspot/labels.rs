//! Labels of associations and how many may carry one (dossier 4).

use serde_json::{Map, Value as Json, json};

use super::batch::{finished, inputs};
use super::links::Label;
use super::objects::type_of;
use super::portal::Portal;
use super::refusal::Refusal;
use super::world::World;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Labels of an account's own for one pair of types.
const OWN: usize = 10;

/// First type id of an account's own labels.
const FIRST_OWN: u32 = 35;

/// Answers what is under a pair's `labels`.
pub(super) fn answer(
    portal: &mut Portal,
    asked: &Asked,
    pair: (usize, usize),
    rest: &[&str],
) -> Result<Reply, Refusal> {
    match (asked.method.as_str(), rest) {
        ("GET", []) => {
            let labels = list(&portal.world, pair);
            let told: Vec<Json> = labels.iter().filter(|label| label.inverse != GONE).map(Label::told).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("POST", []) => create(portal, &asked.members()?, pair),
        ("PUT", []) => rename(portal, &asked.members()?, pair),
        ("DELETE", [id]) => remove(portal, pair, id),
        (_, [] | [_]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

/// The place of no label: what a removed one's opposite stands at.
const GONE: usize = usize::MAX;

fn list(world: &World, pair: (usize, usize)) -> &[Label] {
    world.meta.labels.get(&pair).map(Vec::as_slice).unwrap_or_default()
}

fn text<'b>(body: &'b Map<String, Json>, name: &str) -> Option<&'b str> {
    body.get(name).and_then(Json::as_str).filter(|text| !text.trim().is_empty())
}

/// Puts both directions of a pair's labels in place of the former ones.
fn put(portal: &mut Portal, (from, to): (usize, usize), there: Vec<Label>, back: Vec<Label>) {
    let directions = if from == to { vec![((from, to), there)] } else { vec![((from, to), there), ((to, from), back)] };
    for ((from, to), labels) in directions {
        portal.world.relabel((from, to), labels);
    }
}

fn create(portal: &mut Portal, body: &Map<String, Json>, pair: (usize, usize)) -> Result<Reply, Refusal> {
    let label = text(body, "label").ok_or_else(|| Refusal::invalid("Some required fields were not set: [label]"))?;
    text(body, "name").ok_or_else(|| Refusal::invalid("Some required fields were not set: [name]"))?;
    let mut there = list(&portal.world, pair).to_vec();
    let mut back = list(&portal.world, (pair.1, pair.0)).to_vec();
    if there.is_empty() {
        return Err(Refusal::invalid("These objects cannot be associated"));
    }
    if there.iter().filter(|known| known.custom && known.inverse != GONE).count() >= OWN || there.len() >= 15 {
        return Err(Refusal::invalid(format!("A pair of objects has at most {OWN} labels")));
    }
    if there.iter().any(|known| known.label.as_deref() == Some(label) && known.inverse != GONE) {
        return Err(Refusal::new(409, "CONFLICT", format!("An association label {label} already exists")));
    }
    let all = portal.world.meta.labels.values().flatten().filter(|known| known.custom);
    let id = all.map(|known| known.type_id + 1).max().unwrap_or(FIRST_OWN);
    let own = |type_id: u32, label: &str, inverse: usize| Label {
        type_id,
        label: Some(label.to_owned()),
        custom: true,
        inverse,
        most: None,
    };
    let opposite = text(body, "inverseLabel").unwrap_or(label);
    let (place, other) = (there.len(), back.len());
    let told = if pair.0 == pair.1 {
        // Between records of one type both ends are in one list.
        let inverse = if opposite == label { place } else { place + 1 };
        there.push(own(id, label, inverse));
        if inverse != place {
            there.push(own(id + 1, opposite, place));
        }
        there[place..].iter().map(Label::told).collect::<Vec<_>>()
    } else {
        there.push(own(id, label, other));
        back.push(own(id + 1, opposite, place));
        vec![there[place].told(), back[other].told()]
    };
    put(portal, pair, there, back);
    Ok(Reply::json(200, &json!({ "results": told })))
}

fn custom(world: &World, pair: (usize, usize), id: Option<u64>) -> Result<usize, Refusal> {
    let place =
        list(world, pair).iter().position(|known| Some(u64::from(known.type_id)) == id && known.inverse != GONE);
    let place = place.ok_or_else(Refusal::not_found)?;
    if list(world, pair)[place].custom {
        Ok(place)
    } else {
        Err(Refusal::invalid("A label that HubSpot has defined cannot be changed"))
    }
}

fn rename(portal: &mut Portal, body: &Map<String, Json>, pair: (usize, usize)) -> Result<Reply, Refusal> {
    let label = text(body, "label").ok_or_else(|| Refusal::invalid("Some required fields were not set: [label]"))?;
    let place = custom(&portal.world, pair, body.get("associationTypeId").and_then(super::associations::id_of))?;
    let mut there = list(&portal.world, pair).to_vec();
    let mut back = list(&portal.world, (pair.1, pair.0)).to_vec();
    there[place].label = Some(label.to_owned());
    if let Some(opposite) = text(body, "inverseLabel") {
        let inverse = there[place].inverse;
        let others = if pair.0 == pair.1 { &mut there } else { &mut back };
        if let Some(other) = others.get_mut(inverse) {
            other.label = Some(opposite.to_owned());
        }
    }
    put(portal, pair, there, back);
    Ok(Reply::empty(204))
}

/// A removed label keeps its place, so that the others keep theirs; nothing carries it any more.
fn remove(portal: &mut Portal, pair: (usize, usize), id: &str) -> Result<Reply, Refusal> {
    let place = custom(&portal.world, pair, id.parse().ok())?;
    let carrying: Vec<_> = portal
        .world
        .links
        .pairs()
        .flat_map(|(from, to, _)| [(from, to), (to, from)])
        .filter(|(from, to)| (from.0, to.0) == pair)
        .collect();
    let by = portal.by_application();
    for (from, to) in carrying {
        let mask = portal.world.links.get(from, to).unwrap_or_default();
        portal.world.link(from, to, mask & !(1 << place), by);
    }
    let mut there = list(&portal.world, pair).to_vec();
    let mut back = list(&portal.world, (pair.1, pair.0)).to_vec();
    let inverse = std::mem::replace(&mut there[place].inverse, GONE);
    let others = if pair.0 == pair.1 { &mut there } else { &mut back };
    if let Some(other) = others.get_mut(inverse) {
        other.inverse = GONE;
    }
    put(portal, pair, there, back);
    Ok(Reply::empty(204))
}

/// Answers what is under `definitions/configurations`: how many associations a label may have.
pub(super) fn configurations(portal: &mut Portal, asked: &Asked, rest: &[&str]) -> Result<Reply, Refusal> {
    let limited = |label: &&Label| label.most.is_some();
    let told = |label: &Label| {
        json!({ "category": label.category(), "typeId": label.type_id, "label": label.label,
                "userEnforcedMaxToObjectIds": label.most })
    };
    match (asked.method.as_str(), rest) {
        ("GET", ["all"]) => {
            let all = portal.world.meta.labels.values().flatten();
            let told: Vec<Json> = all.filter(limited).map(told).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("GET", [from, to]) => {
            let labels = list(&portal.world, (type_of(&portal.world, from)?, type_of(&portal.world, to)?));
            let told: Vec<Json> = labels.iter().filter(limited).map(told).collect();
            Ok(Reply::json(200, &json!({ "results": told })))
        }
        ("POST", [from, to, "batch", verb @ ("create" | "update" | "purge")]) => {
            let pair = (type_of(&portal.world, from)?, type_of(&portal.world, to)?);
            limit(portal, asked, pair, verb)
        }
        (_, ["all"] | [_, _] | [_, _, "batch", _]) => Err(Refusal::not_allowed()),
        _ => Err(Refusal::nowhere()),
    }
}

fn limit(portal: &mut Portal, asked: &Asked, pair: (usize, usize), verb: &str) -> Result<Reply, Refusal> {
    let inputs = inputs(&asked.members()?, 100)?;
    let mut labels = list(&portal.world, pair).to_vec();
    let mut told = Vec::new();
    for input in &inputs {
        let id = input.get("typeId").and_then(super::associations::id_of);
        let label = labels.iter_mut().find(|label| Some(u64::from(label.type_id)) == id);
        let label = label.ok_or_else(|| Refusal::invalid("There is no such association type"))?;
        label.most = if verb == "purge" {
            None
        } else {
            let most = input.get("maxToObjectIds").and_then(Json::as_u64);
            Some(most.ok_or_else(|| Refusal::invalid("Some required fields were not set: [maxToObjectIds]"))?)
        };
        told.push(json!({ "category": label.category(), "typeId": label.type_id,
                          "userEnforcedMaxToObjectIds": label.most }));
    }
    portal.world.relabel(pair, labels);
    Ok(match verb {
        "purge" => Reply::empty(204),
        "create" => finished(portal.now(), 201, told, Vec::new()),
        _ => finished(portal.now(), 200, told, Vec::new()),
    })
}
