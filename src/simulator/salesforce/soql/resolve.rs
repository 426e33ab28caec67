//! Names of a statement, looked up in the org's objects; a statement that passes here evaluates without errors.

use std::sync::Arc;

use chrono::NaiveDate;

use super::super::ids::Id;
use super::super::packed::Value;
use super::super::rest::parse_stamp;
use super::super::schema::{Field, Object, object_named};
use super::super::world::{Record, World};
use super::dates::DatePart;
use super::{Item, Path, SoqlError, Statement, TypeOf, Wrap};

/// Parents of parents that a name may go up.
const MOST_PARENTS: usize = 5;

/// Sub-queries of a statement.
const MOST_CHILDREN: usize = 20;

/// The way from a record to a value: up over references, then a field.
#[derive(Debug, Clone)]
pub(in super::super) struct Accessor {
    pub steps: Vec<(&'static Field, &'static Object)>,
    pub field: &'static Field,
    /// A part of a date that is meant instead.
    pub function: Option<DatePart>,
}

/// A value as comparisons see it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Held<'r> {
    Null,
    Text(&'r str),
    Number(f64),
    Boolean(bool),
    /// Epoch milliseconds.
    Instant(i64),
    Day(NaiveDate),
}

/// A column of a result.
#[derive(Debug, Clone)]
pub(in super::super) enum Column {
    Own(&'static Field),
    Parent {
        relationship: &'static str,
        field: &'static Field,
        object: &'static Object,
        columns: Vec<Column>,
    },
    Children {
        name: &'static str,
        object: &'static Object,
        link: &'static Field,
        statement: Arc<Statement>,
    },
    /// A value as a person reads it.
    Shown {
        name: String,
        accessor: Accessor,
        formatted: bool,
    },
    /// Columns that depend on the parent's type.
    TypeOf {
        relationship: &'static str,
        field: &'static Field,
        cases: Vec<(&'static Object, Vec<Column>)>,
    },
}

impl Accessor {
    /// The value that a record holds here.
    pub(in super::super) fn of<'r>(&self, world: &'r World, record: &'r Record) -> Held<'r> {
        let mut record = record;
        for (field, object) in &self.steps {
            let parent = reference(record, field).and_then(|id| world.at(object, &id));
            match parent {
                Some(parent) => record = parent,
                None => return Held::Null,
            }
        }
        let held = match self.field.rollup {
            Some(rollup) => Held::Number(world.totals.number(rollup, &record.id)),
            None => held(record, self.field),
        };
        match self.function {
            Some(part) => part.of(held),
            None => held,
        }
    }

    /// Whether it is the record's own field of this name, as it is.
    pub(super) fn is_own(&self, name: &str) -> bool {
        self.steps.is_empty() && self.function.is_none() && self.field.name == name
    }
}

/// The id that a reference holds.
pub(in super::super) fn reference(record: &Record, field: &Field) -> Option<Id> {
    match field.name.as_str() {
        "CreatedById" => Some(record.created_by),
        "LastModifiedById" => Some(record.modified_by),
        "MasterRecordId" => record.master,
        _ => Id::parse(record.fields.at(field.key)?.as_str()?),
    }
}

fn held<'r>(record: &'r Record, field: &Field) -> Held<'r> {
    match field.name.as_str() {
        "Id" => return Held::Text(&record.id),
        "IsDeleted" => return Held::Boolean(record.deleted),
        "CreatedDate" => return Held::Instant(record.created),
        "LastModifiedDate" => return Held::Instant(record.modified),
        "SystemModstamp" => return Held::Instant(record.stamp),
        "CreatedById" => return Held::Text(&record.created_by),
        "LastModifiedById" => return Held::Text(&record.modified_by),
        "MasterRecordId" => return record.master.as_deref().map_or(Held::Null, Held::Text),
        _ => {}
    }
    match (field.field_type.as_str(), record.fields.at(field.key)) {
        ("boolean", value) => Held::Boolean(value.and_then(Value::as_bool).unwrap_or_default()),
        ("datetime", Some(Value::Text(text))) => parse_stamp(text).map_or(Held::Null, Held::Instant),
        (_, None) => Held::Null,
        (_, Some(Value::Text(text))) => Held::Text(text),
        (_, Some(Value::Number(digits))) => digits.parse().map_or(Held::Null, Held::Number),
        (_, Some(Value::Boolean(boolean))) => Held::Boolean(boolean),
    }
}

/// The object of a statement.
pub(super) fn object(statement: &Statement) -> Result<&'static Object, SoqlError> {
    let path = &statement.object;
    object_named(&path.text).ok_or_else(|| {
        let message = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            path.text
        );
        SoqlError::at("INVALID_TYPE", &statement.source, path.offset, &message)
    })
}

/// The accessor of a name.
pub(in super::super) fn accessor(
    object: &'static Object,
    statement: &Statement,
    path: &Path,
) -> Result<Accessor, SoqlError> {
    let mut parts: Vec<&str> = path.text.split('.').collect();
    let is_own = |part: &str| {
        part.eq_ignore_ascii_case(object.name)
            || statement.alias.as_deref().is_some_and(|alias| alias.eq_ignore_ascii_case(part))
    };
    if parts.len() > 1 && is_own(parts[0]) && relationship(object, parts[0]).is_none() {
        parts.remove(0);
    }
    let last = parts.pop().unwrap_or_default();
    let refuse = |message: &str| SoqlError::at("INVALID_FIELD", &statement.source, path.offset, message);
    if parts.len() > MOST_PARENTS {
        return Err(refuse("Relationship path is too long: at most 5 levels up are possible."));
    }
    let mut steps = Vec::with_capacity(parts.len());
    let mut at = object;
    for part in parts {
        let found = relationship(at, part).ok_or_else(|| {
            refuse(&format!("Didn't understand relationship '{part}' in field path. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names."))
        })?;
        at = found.1;
        steps.push(found);
    }
    let field = at.field(last).filter(|field| !statement.hidden.has(at, field)).ok_or_else(|| {
        refuse(&format!(
            "No such column '{last}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
            at.name
        ))
    })?;
    let function = match path.wrap {
        Some(Wrap::Date(part)) if matches!(field.field_type.as_str(), "date" | "datetime") => Some(part),
        Some(Wrap::Date(_)) => return Err(refuse(&format!("field {} does not support date functions", field.name))),
        _ => None,
    };
    let calculated = calculated(at, field);
    steps.extend(calculated.steps);
    Ok(Accessor { steps, field: calculated.field, function })
}

/// The value of a field: where it is calculated, the one that its formula names (dossier 7.2). It is looked for when it is
/// read, so that a record whose parent changes shows another value under the same stamp.
fn calculated(object: &'static Object, field: &'static Field) -> Accessor {
    let named = field.formula.as_deref().and_then(|formula| formula.split_once('.'));
    let parent = named.and_then(|(name, last)| {
        let (link, parent) = relationship(object, name)?;
        Some(((link, parent), parent.field(last)?))
    });
    match parent {
        Some((step, field)) => Accessor { steps: vec![step], field, function: None },
        None => Accessor { steps: Vec::new(), field, function: None },
    }
}

/// An object's own field as a column.
fn own(object: &'static Object, field: &'static Field) -> Column {
    match field.formula {
        Some(_) => Column::Shown { name: field.name.clone(), accessor: calculated(object, field), formatted: false },
        None => Column::Own(field),
    }
}

/// The columns of a statement in its order; parents named twice are one.
pub(in super::super) fn columns(object: &'static Object, statement: &Statement) -> Result<Vec<Column>, SoqlError> {
    let mut columns = Vec::with_capacity(statement.items.len());
    let children = statement.items.iter().filter(|item| matches!(item, Item::Children(_))).count();
    if children > MOST_CHILDREN {
        let message = format!("at most {MOST_CHILDREN} sub-queries are possible");
        return Err(SoqlError { code: "MALFORMED_QUERY", message });
    }
    for item in &statement.items {
        match item {
            Item::Field(path) => {
                let accessor = accessor(object, statement, path)?;
                match object.field(&path.text).filter(|field| field.formula.is_some()) {
                    Some(formula) => columns.push(own(object, formula)),
                    None => add(&mut columns, &accessor, 0),
                }
            }
            Item::Fields(kind) => {
                columns.extend(listed(object, statement, kind)?.into_iter().map(|field| own(object, field)));
            }
            Item::Children(children) => columns.push(child_column(object, statement, children)?),
            Item::Shown { path, alias, formatted } => {
                let accessor = accessor(object, statement, path)?;
                let name = alias.clone().unwrap_or_else(|| accessor.field.name.clone());
                columns.push(Column::Shown { name, accessor, formatted: *formatted });
            }
            Item::TypeOf(cases) => columns.push(type_of(object, statement, cases)?),
            Item::Aggregate { path, .. } => {
                let message = "Grouped query must not mix fields and aggregates without GROUP BY";
                return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, path.offset, message));
            }
        }
    }
    Ok(columns)
}

/// The columns of `TYPEOF`: of a type that no case names, those of ELSE, else only its attributes.
fn type_of(object: &'static Object, statement: &Statement, given: &TypeOf) -> Result<Column, SoqlError> {
    let refuse = |path: &Path, code: &'static str, message: String| {
        Err(SoqlError::at(code, &statement.source, path.offset, &message))
    };
    let path = &given.relationship;
    let found = relationship(object, &path.text).filter(|(field, _)| field.reference_to.len() > 1);
    let Some((field, _)) = found else {
        return refuse(
            path,
            "INVALID_TYPE",
            format!("TYPEOF needs a polymorphic relationship: '{}' is none", path.text),
        );
    };
    let nested = |object: &'static Object, paths: &[Path]| {
        let mut columns = Vec::new();
        for path in paths {
            add(&mut columns, &accessor(object, statement, path)?, 0);
        }
        Ok(columns)
    };
    let mut cases = Vec::new();
    for (name, paths) in &given.cases {
        if !field.reference_to.iter().any(|known| known.eq_ignore_ascii_case(&name.text)) {
            return refuse(name, "INVALID_TYPE", format!("'{}' is not possible for '{}'", name.text, path.text));
        }
        if let Some(object) = object_named(&name.text) {
            cases.push((object, nested(object, paths)?));
        }
    }
    for object in field.reference_to.iter().filter_map(|name| object_named(name)) {
        if !cases.iter().any(|(known, _)| known.name == object.name) {
            cases.push((object, nested(object, &given.otherwise)?));
        }
    }
    let relationship = field.relationship.as_deref().unwrap_or(&field.name);
    Ok(Column::TypeOf { relationship, field, cases })
}

fn add(columns: &mut Vec<Column>, accessor: &Accessor, level: usize) {
    let Some((field, object)) = accessor.steps.get(level).copied() else {
        let known = columns.iter().any(|column| matches!(column, Column::Own(own) if own.name == accessor.field.name));
        if !known {
            columns.push(Column::Own(accessor.field));
        }
        return;
    };
    let found = columns.iter_mut().find_map(|column| match column {
        Column::Parent { field: parent, columns, .. } if parent.name == field.name => Some(columns),
        _ => None,
    });
    match found {
        Some(nested) => add(nested, accessor, level + 1),
        None => {
            let mut nested = Vec::new();
            add(&mut nested, accessor, level + 1);
            let relationship = field.relationship.as_deref().unwrap_or(&field.name);
            columns.push(Column::Parent { relationship, field, object, columns: nested });
        }
    }
}

fn listed(object: &'static Object, statement: &Statement, kind: &Path) -> Result<Vec<&'static Field>, SoqlError> {
    let wanted: fn(&Field) -> bool = match kind.text.to_ascii_uppercase().as_str() {
        "STANDARD" => |field| !field.custom,
        "CUSTOM" => |field| field.custom,
        "ALL" => |_| true,
        _ => {
            let message = format!("unexpected token: '{}'", kind.text);
            return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, kind.offset, &message));
        }
    };
    if !kind.text.eq_ignore_ascii_case("STANDARD") && statement.limit.is_none_or(|limit| limit > 200) {
        let message = "The SOQL FIELDS function must have a LIMIT of at most 200";
        return Err(SoqlError::at("MALFORMED_QUERY", &statement.source, kind.offset, message));
    }
    Ok(object.fields.iter().filter(|field| wanted(field) && !statement.hidden.has(object, field)).collect())
}

/// The fields that `FIELDS(ALL)` and its kin stand for.
pub(in super::super) fn listed_accessors(
    object: &'static Object,
    statement: &Statement,
    kind: &Path,
) -> Result<Vec<Accessor>, SoqlError> {
    let fields = listed(object, statement, kind)?;
    Ok(fields.into_iter().map(|field| calculated(object, field)).collect())
}

fn child_column(object: &'static Object, outer: &Statement, children: &Statement) -> Result<Column, SoqlError> {
    let path = &children.object;
    let found = object.children.iter().find(|child| child.name.eq_ignore_ascii_case(&path.text));
    let linked = found.and_then(|child| {
        let object = object_named(&child.object)?;
        Some((child, object, object.field(&child.field)?))
    });
    let (child, child_object, link) = linked.ok_or_else(|| {
        let message = format!(
            "Didn't understand relationship '{}' in FROM part of query call. If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for the appropriate names.",
            path.text
        );
        SoqlError::at("INVALID_TYPE", &outer.source, path.offset, &message)
    })?;
    // Checked here, so that writing the rows cannot fail.
    columns(child_object, children)?;
    super::evaluate::check(child_object, children)?;
    Ok(Column::Children { name: &child.name, object: child_object, link, statement: Arc::new(children.clone()) })
}

fn relationship(object: &'static Object, name: &str) -> Option<(&'static Field, &'static Object)> {
    let field = object
        .fields
        .iter()
        .find(|field| field.relationship.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(name)))?;
    Some((field, field.reference_to.iter().find_map(|name| object_named(name))?))
}
