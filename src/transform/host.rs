//! The parent's side: keeps one warm child, ends it at a wall-clock limit, starts another.

use std::borrow::Cow;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use super::{Answer, Group, Request, TransformCall};
use crate::model::FieldDirection;
use crate::sync::Value;

/// Calls sent to the child at once.
const BATCH: usize = 200;

/// Limits of the child.
#[derive(Debug, Clone, Copy)]
pub struct TransformLimits {
    /// Wall-clock time of one call alone; a batch has a multiple of it.
    pub call: Duration,
    /// Wall-clock time of a batch.
    pub batch: Duration,
}

impl Default for TransformLimits {
    fn default() -> Self {
        TransformLimits { call: Duration::from_millis(500), batch: Duration::from_secs(12) }
    }
}

/// Runs transforms in a child process.
pub struct TransformHost {
    program: PathBuf,
    arguments: Vec<String>,
    limits: TransformLimits,
    warm: Mutex<Option<Warm>>,
}

struct Warm {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl TransformHost {
    /// A host whose children are `program` with `arguments`; the first starts when it is needed.
    pub fn new(program: PathBuf, arguments: Vec<String>, limits: TransformLimits) -> Self {
        TransformHost { program, arguments, limits, warm: Mutex::new(None) }
    }

    /// Transforms a batch; answers in the order of `calls`, each a value or the sentence of what went wrong.
    pub async fn run(&self, calls: Vec<TransformCall>) -> Vec<Result<Value, String>> {
        let mut answers = Vec::with_capacity(calls.len());
        for batch in calls.chunks(BATCH) {
            answers.extend(self.run_batch(batch).await);
        }
        answers
    }

    /// Says what is wrong with a script for a mapping of `direction`, if anything.
    pub async fn check(&self, script: &str, direction: FieldDirection) -> Result<(), String> {
        let request = Request::Check { script: script.into(), direction };
        match self.ask(&request, self.limits.call).await {
            Some(Answer::Checked(checked)) => checked,
            _ => Err(ended()),
        }
    }

    async fn run_batch(&self, batch: &[TransformCall]) -> Vec<Result<Value, String>> {
        let (groups, places) = grouped(batch);
        if let Some(Answer::Ran(answers)) = self.ask(&Request::Run(groups), self.limits.batch).await
            && answers.len() == batch.len()
        {
            let mut placed: Vec<_> = places.into_iter().zip(answers).collect();
            placed.sort_by_key(|(place, _)| *place);
            return placed.into_iter().map(|(_, answer)| answer).collect();
        }
        // One of them hung or killed the child: each alone, so that only that one fails.
        let mut answers = Vec::with_capacity(batch.len());
        for call in batch {
            let (alone, _) = grouped(std::slice::from_ref(call));
            answers.push(match self.ask(&Request::Run(alone), self.limits.call).await {
                Some(Answer::Ran(mut alone)) if alone.len() == 1 => alone.remove(0),
                _ => Err(ended()),
            });
        }
        answers
    }

    /// Sends a request and waits for its answer; ends the child at the limit.
    async fn ask(&self, request: &Request<'_>, limit: Duration) -> Option<Answer> {
        let mut warm = self.warm.lock().await;
        let mut child = match warm.take() {
            Some(child) => child,
            None => self.start()?,
        };
        let answer = tokio::time::timeout(limit, exchange(&mut child, request)).await.ok().flatten();
        if answer.is_some() {
            *warm = Some(child);
        } else if let Err(error) = child.child.kill().await {
            tracing::warn!(error = %error, "a transform's process could not be ended");
        }
        answer
    }

    fn start(&self) -> Option<Warm> {
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .inspect_err(|error| tracing::error!(error = %error, "a transform's process could not be started"))
            .ok()?;
        let (input, output) = (child.stdin.take()?, child.stdout.take()?);
        Some(Warm { child, input, output: BufReader::new(output).lines() })
    }
}

/// Calls by script, as the child takes them, and the place in `calls` of each value.
fn grouped(calls: &[TransformCall]) -> (Vec<Group<'_>>, Vec<usize>) {
    let mut groups: Vec<(Group<'_>, Vec<usize>)> = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        let input = (Cow::Borrowed(&call.value), Cow::Borrowed(&call.record));
        let same =
            groups.iter_mut().find(|(group, _)| group.direction == call.direction && group.script == call.script);
        match same {
            Some((group, places)) => {
                group.inputs.push(input);
                places.push(place);
            }
            None => {
                let script = Cow::Borrowed(call.script.as_str());
                groups.push((Group { script, direction: call.direction, inputs: vec![input] }, vec![place]));
            }
        }
    }
    let (groups, places): (Vec<Group<'_>>, Vec<Vec<usize>>) = groups.into_iter().unzip();
    (groups, places.concat())
}

async fn exchange(child: &mut Warm, request: &Request<'_>) -> Option<Answer> {
    let mut line = serde_json::to_vec(request).ok()?;
    line.push(b'\n');
    child.input.write_all(&line).await.ok()?;
    let answer = child.output.next_line().await.ok()??;
    serde_json::from_str(&answer).ok()
}

fn ended() -> String {
    "the transform took too long and was ended".to_owned()
}
