//! QuickJS with everything taken away that a transform does not need. Runs in the child process only.

use std::time::{Duration, Instant};

use rquickjs::function::Args;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Object, Runtime};

use super::{Direction, Group};
use crate::model::FieldDirection;
use crate::sync::{Record, Value};

/// Memory of one engine, bytes.
const MEMORY: usize = 16 << 20;

/// Stack of one engine, bytes.
const STACK: usize = 256 << 10;

/// Time of one call. The engine looks only between its own steps: the parent's wall-clock limit is the real one.
const CALL_LIMIT: Duration = Duration::from_millis(50);

/// Takes clock, randomness and shared state out of the global object, and freezes what is left.
const PRELUDE: &str = "
delete globalThis.Date; delete Math.random; delete globalThis.eval; delete globalThis.Function;
for (const name of Object.getOwnPropertyNames(globalThis)) {
  const value = globalThis[name];
  if (value && (typeof value === 'object' || typeof value === 'function') && value !== globalThis) {
    Object.freeze(value); if (value.prototype) Object.freeze(value.prototype);
  }
}
";

/// Runs a script on its values; each answer is a value, or the sentence of what went wrong.
pub(super) fn run(group: &Group<'_>) -> Vec<Result<Value, String>> {
    let mut answers = Vec::with_capacity(group.inputs.len());
    // A fresh engine for each script: what one leaves behind no other meets.
    let ran = with_function(&group.script, group.direction, |function, deadline| {
        for (value, record) in &group.inputs {
            deadline.restart();
            answers.push(call(function, value, record));
        }
    });
    match ran {
        Ok(()) => answers,
        Err(message) => vec![Err(message); group.inputs.len()],
    }
}

/// Says what is wrong with a script for a mapping of `direction`, if anything. A two-way one needs both directions.
pub(super) fn check(script: &str, direction: FieldDirection) -> Result<(), String> {
    let compiles = |direction| with_function(script, direction, |_, _| {});
    match direction {
        FieldDirection::Bidirectional if !is_object(script) => {
            compiles(Direction::ToApp)?;
            Err("a two-way mapping needs an object with toApp and toCrm".to_owned())
        }
        FieldDirection::Bidirectional => compiles(Direction::ToApp).and_then(|()| compiles(Direction::ToCrm)),
        FieldDirection::Pull => compiles(Direction::ToApp),
        FieldDirection::Push => compiles(Direction::ToCrm),
        FieldDirection::None => compiles(Direction::ToApp).or_else(|_| compiles(Direction::ToCrm)),
    }
}

struct Deadline(std::rc::Rc<std::cell::Cell<Instant>>);

impl Deadline {
    #[expect(
        clippy::disallowed_methods,
        reason = "a limit of the child process, not a time that anything is decided by"
    )]
    fn restart(&self) {
        self.0.set(Instant::now() + CALL_LIMIT);
    }
}

fn with_function(
    script: &str,
    direction: Direction,
    work: impl FnOnce(&Function<'_>, &Deadline),
) -> Result<(), String> {
    let runtime = Runtime::new().map_err(|_| "the JavaScript engine did not start".to_owned())?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    let context = Context::full(&runtime).map_err(|_| "the JavaScript engine did not start".to_owned())?;
    let deadline = Deadline(std::rc::Rc::new(std::cell::Cell::new(first_deadline())));
    let seen = deadline.0.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "a limit of the child process, not a time that anything is decided by"
    )]
    runtime.set_interrupt_handler(Some(Box::new(move || Instant::now() > seen.get())));
    context.with(|ctx| {
        let function = compile(&ctx, script, direction)?;
        ctx.eval::<(), _>(PRELUDE).catch(&ctx).map_err(|error| sentence(&error))?;
        work(&function, &deadline);
        Ok(())
    })
}

#[expect(clippy::disallowed_methods, reason = "a limit of the child process, not a time that anything is decided by")]
fn first_deadline() -> Instant {
    Instant::now() + CALL_LIMIT
}

fn compile<'js>(ctx: &Ctx<'js>, script: &str, direction: Direction) -> Result<Function<'js>, String> {
    if is_object(script) {
        let object: Object<'js> = ctx.eval(format!("({script})")).catch(ctx).map_err(|error| sentence(&error))?;
        let name = if direction == Direction::ToApp { "toApp" } else { "toCrm" };
        return object.get::<_, Function<'js>>(name).map_err(|_| format!("the object has no function {name}"));
    }
    let expression = format!("(function (value, record) {{ \"use strict\"; return ({script}\n); }})");
    if let Ok(function) = ctx.eval::<Function<'js>, _>(expression) {
        return Ok(function);
    }
    // Forgets the error of the attempt.
    let _ = ctx.catch();
    let body = format!("(function (value, record) {{ \"use strict\"; {script}\n }})");
    ctx.eval(body).catch(ctx).map_err(|error| sentence(&error))
}

fn is_object(script: &str) -> bool {
    let trimmed = script.trim().trim_start_matches('(').trim_start();
    trimmed.starts_with('{') && (script.contains("toApp") || script.contains("toCrm"))
}

fn call(function: &Function<'_>, value: &Value, fields: &Record) -> Result<Value, String> {
    let ctx = function.ctx();
    let answer = (|| {
        let record = Object::new(ctx.clone())?;
        for (field, value) in fields {
            record.set(field.as_str(), value.as_deref())?;
        }
        let mut args = Args::new(ctx.clone(), 2);
        args.push_arg(value.as_deref())?;
        args.push_arg(record)?;
        function.call_arg::<rquickjs::Value<'_>>(args)
    })();
    let answer = answer.catch(ctx).map_err(|error| sentence(&error))?;
    as_value(&answer)
}

fn as_value(answer: &rquickjs::Value<'_>) -> Result<Value, String> {
    if answer.is_null() || answer.is_undefined() {
        return Ok(None);
    }
    if let Some(text) = answer.as_string() {
        let text = text.to_string().map_err(|_| "the transform returned text that is not Unicode".to_owned())?;
        return Ok(Some(text).filter(|text| !text.is_empty()));
    }
    if let Some(yes) = answer.as_bool() {
        return Ok(Some(yes.to_string()));
    }
    if let Some(number) = answer.as_number().filter(|number| number.is_finite()) {
        return Ok(Some(number.to_string()));
    }
    Err("the transform must return text, a number, true, false or null".to_owned())
}

fn sentence(error: &CaughtError<'_>) -> String {
    match error {
        CaughtError::Exception(exception) => exception.message().unwrap_or_else(|| "the transform failed".to_owned()),
        CaughtError::Value(_) => "the transform threw a value".to_owned(),
        CaughtError::Error(_) => "the transform used too much time or memory".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn transform(script: &str, direction: Direction, value: &str) -> Result<Value, String> {
        let record = [("Name".to_owned(), Some("Acme".to_owned()))].into();
        let inputs = vec![(Cow::Owned(Some(value.to_owned())), Cow::Owned(record))];
        run(&Group { script: script.into(), direction, inputs }).remove(0)
    }

    fn text(text: &str) -> Result<Value, String> {
        Ok(Some(text.to_owned()))
    }

    #[test]
    fn expressions_bodies_and_objects_run() {
        assert_eq!(transform("value.toUpperCase()", Direction::ToApp, "a"), text("A"));
        assert_eq!(transform("const x = value + '!'; return x;", Direction::ToApp, "a"), text("a!"));
        assert_eq!(transform("record.Name + value", Direction::ToApp, "a"), text("Acmea"));
        let both = "({ toApp: (value) => value + '1', toCrm: (value) => value + '2' })";
        assert_eq!(transform(both, Direction::ToApp, "a"), text("a1"));
        assert_eq!(transform(both, Direction::ToCrm, "a"), text("a2"));
        assert_eq!(transform("value.length", Direction::ToApp, "abc"), text("3"));
        assert_eq!(transform("null", Direction::ToApp, "abc"), Ok(None));
    }

    #[test]
    fn the_default_website_transform_gives_the_host() {
        let mapping = crate::sync::default_mappings(crate::model::Provider::Salesforce, crate::model::Entity::Account);
        let script = mapping.iter().find_map(|mapping| mapping.transform).expect("Website has one");
        assert_eq!(check(script, FieldDirection::Bidirectional), Ok(()));
        for address in ["https://www.acme.example/about?x#y", "acme.example", " HTTP://Acme.example "] {
            assert_eq!(transform(script, Direction::ToApp, address), text("acme.example"), "{address}");
        }
        assert_eq!(transform(script, Direction::ToCrm, "acme.example"), text("acme.example"));
    }

    #[test]
    fn what_goes_wrong_is_said() {
        assert!(transform("value.nope()", Direction::ToApp, "a").is_err());
        assert!(transform("while (true) {}", Direction::ToApp, "a").is_err());
        assert!(transform("'x'.repeat(1 << 28)", Direction::ToApp, "a").is_err());
        assert!(transform("new Date().toString()", Direction::ToApp, "a").is_err());
        assert!(transform("Math.random()", Direction::ToApp, "a").is_err());
        assert!(transform("({})", Direction::ToApp, "a").is_err());
    }

    #[test]
    fn a_check_names_what_is_missing() {
        let pull_only = "({ toApp: (value) => value })";
        let cases = [
            ("value.trim()", FieldDirection::Pull, true),
            ("value.trim()", FieldDirection::Push, true),
            ("value.trim()", FieldDirection::Bidirectional, false),
            (pull_only, FieldDirection::Pull, true),
            (pull_only, FieldDirection::None, true),
            (pull_only, FieldDirection::Push, false),
            (pull_only, FieldDirection::Bidirectional, false),
            ("value.(", FieldDirection::Pull, false),
            ("value.(", FieldDirection::None, false),
        ];
        for (script, direction, fine) in cases {
            assert_eq!(check(script, direction).is_ok(), fine, "{script} {direction}");
        }
    }
}
