//! Pipelines and their stages (dossier 3.4).

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::catalog::{Pipeline, Stage};
use super::objects::type_of;
use super::portal::Portal;
use super::refusal::Refusal;
use super::request::Route;
use super::types::DEALS;
use crate::simulator::asked::Asked;
use crate::simulator::reply::Reply;

/// Answers what is under `pipelines`.
pub(super) fn answer(portal: &mut Portal, asked: &Asked, route: &Route) -> Result<Reply, Refusal> {
    let parts = route.texts();
    let Some((name, rest)) = parts.split_first() else { return Err(Refusal::nowhere()) };
    let kind = type_of(&portal.world, name)?;
    let mut pipelines = portal.world.meta.pipelines.get(&kind).cloned().unwrap_or_default();
    let now = portal.now();
    let ids: Vec<String> = pipelines.iter().map(|pipeline| pipeline.id.clone()).collect();
    let place = |id: &str| ids.iter().position(|known| known == id).ok_or_else(Refusal::not_found);
    let (status, told) = match (asked.method.as_str(), rest) {
        ("GET", []) => {
            let told: Vec<Json> = pipelines.iter().map(Pipeline::told).collect();
            return Ok(Reply::json(200, &json!({ "results": told })));
        }
        ("GET", [id]) => return Ok(Reply::json(200, &pipelines[place(id)?].told())),
        ("POST", []) => {
            let made = read(&asked.members()?, &pipelines, None, portal, kind)?;
            let told = made.told();
            pipelines.push(made);
            (201, told)
        }
        ("PUT", [id]) => {
            let place = place(id)?;
            let made = read(&asked.members()?, &pipelines, Some(&pipelines[place]), portal, kind)?;
            refuse_lost_stages(portal, kind, &pipelines[place], &made)?;
            pipelines[place] = made;
            (200, pipelines[place].told())
        }
        ("PATCH", [id]) => {
            let body = asked.members()?;
            let pipeline = &mut pipelines[place(id)?];
            (pipeline.label, pipeline.order) = named(&body, &pipeline.label, pipeline.order)?;
            pipeline.updated = now;
            (200, pipeline.told())
        }
        ("DELETE", [id]) => {
            let place = place(id)?;
            for stage in &pipelines[place].stages {
                refuse_used(portal, kind, stage)?;
            }
            pipelines.remove(place);
            (204, Json::Null)
        }
        (method, [id, "stages", rest @ ..]) => {
            let place = place(id)?;
            return stages(portal, asked, kind, (pipelines, place), method, rest);
        }
        (_, [] | [_]) => return Err(Refusal::not_allowed()),
        _ => return Err(Refusal::nowhere()),
    };
    save(portal, kind, pipelines);
    Ok(if status == 204 { Reply::empty(204) } else { Reply::json(status, &told) })
}

fn save(portal: &mut Portal, kind: usize, pipelines: Vec<Pipeline>) {
    let line = json!({ "pipelines": kind, "is": pipelines });
    portal.world.redefine(&line, |meta| drop(meta.pipelines.insert(kind, pipelines)));
}

fn stages(
    portal: &mut Portal,
    asked: &Asked,
    kind: usize,
    (mut pipelines, at): (Vec<Pipeline>, usize),
    method: &str,
    rest: &[&str],
) -> Result<Reply, Refusal> {
    let now = portal.now();
    let all = &mut pipelines[at].stages;
    let place = |all: &[Stage], id: &str| all.iter().position(|known| known.id == id).ok_or_else(Refusal::not_found);
    let (status, told) = match (method, rest) {
        ("GET", []) => {
            let told: Vec<Json> = all.iter().map(Stage::told).collect();
            return Ok(Reply::json(200, &json!({ "results": told })));
        }
        ("GET", [id]) => return Ok(Reply::json(200, &all[place(all, id)?].told())),
        ("POST", []) => {
            let stage = read_stage(&asked.members()?, None, portal, kind)?;
            if all.iter().any(|known| known.label == stage.label) {
                return Err(Refusal::invalid(format!("A stage labelled {} already exists", stage.label)));
            }
            let told = stage.told();
            all.push(stage);
            (201, told)
        }
        ("PUT", [id]) => {
            let place = place(all, id)?;
            all[place] = read_stage(&asked.members()?, Some(&all[place]), portal, kind)?;
            (200, all[place].told())
        }
        ("PATCH", [id]) => {
            let body = asked.members()?;
            let place = place(all, id)?;
            let stage = &mut all[place];
            (stage.label, stage.order) = named(&body, &stage.label, stage.order)?;
            stage.metadata.extend(metadata(&body)?);
            stage.updated = now;
            (200, stage.told())
        }
        ("DELETE", [id]) => {
            let place = place(all, id)?;
            refuse_used(portal, kind, &all[place])?;
            all.remove(place);
            (204, Json::Null)
        }
        (_, [] | [_]) => return Err(Refusal::not_allowed()),
        _ => return Err(Refusal::nowhere()),
    };
    save(portal, kind, pipelines);
    Ok(if status == 204 { Reply::empty(204) } else { Reply::json(status, &told) })
}

/// Label and order of a body, where it has them.
fn named(body: &Map<String, Json>, label: &str, order: i64) -> Result<(String, i64), Refusal> {
    let label = match body.get("label") {
        None | Some(Json::Null) => label.to_owned(),
        Some(Json::String(label)) if !label.trim().is_empty() => label.clone(),
        Some(_) => return Err(Refusal::invalid("label must be a text")),
    };
    Ok((label, body.get("displayOrder").and_then(Json::as_i64).unwrap_or(order)))
}

fn metadata(body: &Map<String, Json>) -> Result<BTreeMap<String, String>, Refusal> {
    match body.get("metadata") {
        None | Some(Json::Null) => Ok(BTreeMap::new()),
        Some(Json::Object(members)) => {
            let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Ok(members.iter().map(|(name, value)| (name.clone(), text(value))).collect())
        }
        Some(_) => Err(Refusal::malformed("metadata must be an object")),
    }
}

/// Digits that no other pipeline or stage has.
fn fresh_id(portal: &mut Portal) -> String {
    portal.secret("pipeline").bytes().take(10).map(|byte| char::from(b'0' + byte % 10)).collect()
}

fn read_stage(
    body: &Map<String, Json>,
    before: Option<&Stage>,
    portal: &mut Portal,
    kind: usize,
) -> Result<Stage, Refusal> {
    if !body.contains_key("label") {
        return Err(Refusal::invalid("Some required fields were not set: [label]"));
    }
    let (label, order) = named(body, "", 0)?;
    let mut metadata = metadata(body)?;
    if kind == DEALS {
        let probability = metadata.get("probability").and_then(|text| text.parse::<f64>().ok());
        let Some(probability) = probability.filter(|probability| (0.0..=1.0).contains(probability)) else {
            return Err(Refusal::invalid("A deal stage needs a probability between 0.0 and 1.0 in its metadata"));
        };
        let closed = probability == 0.0 || probability == 1.0;
        metadata.entry("isClosed".to_owned()).or_insert_with(|| closed.to_string());
    }
    let now = portal.now();
    let id = before.map_or_else(|| fresh_id(portal), |stage| stage.id.clone());
    let created = before.map_or(now, |stage| stage.created);
    Ok(Stage { id, label, order, metadata, created, updated: now, archived: false })
}

fn read(
    body: &Map<String, Json>,
    others: &[Pipeline],
    before: Option<&Pipeline>,
    portal: &mut Portal,
    kind: usize,
) -> Result<Pipeline, Refusal> {
    if !body.contains_key("label") {
        return Err(Refusal::invalid("Some required fields were not set: [label]"));
    }
    let (label, order) = named(body, "", 0)?;
    if others.iter().any(|known| known.label == label && Some(&known.id) != before.map(|before| &before.id)) {
        return Err(Refusal::new(409, "CONFLICT", format!("A pipeline labelled {label} already exists")));
    }
    let given = body.get("stages").and_then(Json::as_array);
    let given = given.ok_or_else(|| Refusal::invalid("Some required fields were not set: [stages]"))?;
    let mut stages = Vec::new();
    for stage in given {
        let members = stage.as_object().ok_or_else(|| Refusal::malformed("a stage must be an object"))?;
        let same = |known: &&Stage| members.get("label").and_then(Json::as_str) == Some(&known.label);
        let kept = before.and_then(|before| before.stages.iter().find(same));
        stages.push(read_stage(members, kept, portal, kind)?);
    }
    let now = portal.now();
    let id = before.map_or_else(|| fresh_id(portal), |pipeline| pipeline.id.clone());
    let created = before.map_or(now, |pipeline| pipeline.created);
    Ok(Pipeline { id, label, order, stages, created, updated: now, archived: false })
}

/// Refuses to lose a stage that records are in (dossier 2.9).
fn refuse_used(portal: &Portal, kind: usize, stage: &Stage) -> Result<(), Refusal> {
    let definitions = &portal.world.meta.definitions[kind];
    let places = ["dealstage", "hs_pipeline_stage"].map(|name| definitions.place(name));
    let mut living = portal.world.tables[kind].records.values().filter(|record| record.archived == 0);
    let used = living.find(|record| places.iter().flatten().any(|place| record.get(*place) == Some(stage.id.as_str())));
    match used {
        None => Ok(()),
        Some(record) => {
            let message = format!("Stage {} is being used by object {} and cannot be deleted", stage.id, record.id);
            Err(Refusal::invalid(message).sub("PipelineError.STAGE_ID_IN_USE"))
        }
    }
}

fn refuse_lost_stages(portal: &Portal, kind: usize, before: &Pipeline, after: &Pipeline) -> Result<(), Refusal> {
    let lost = before.stages.iter().filter(|stage| !after.stages.iter().any(|kept| kept.id == stage.id));
    lost.into_iter().try_for_each(|stage| refuse_used(portal, kind, stage))
}
