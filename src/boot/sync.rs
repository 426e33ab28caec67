//! `crosstie sync`: triggers a run on a running server and follows it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use super::cli::SyncArgs;
use super::config::{Environment, data_dir};
use super::demo::DemoFile;
use super::say;
use crate::view::runs::{Job, JobAnswer, TriggerAnswer};

/// How often the run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests that may fail in a row while a run is followed: the server may be restarted meanwhile.
const FAILURES: u32 = 120;

const PARTIAL: u8 = 2;

/// Triggers the run and follows it to its end.
pub async fn sync(args: SyncArgs, environment: Environment<'_>) -> anyhow::Result<ExitCode> {
    let server = Server::find(&args, environment)?;
    let mut body = json!({ "configId": args.connection });
    if let Some(direction) = &args.direction {
        body["syncDirection"] = json!(direction);
    }
    if !args.entity.is_empty() {
        body["entityTypes"] = json!(args.entity);
    }
    let triggered: TriggerAnswer = server.ask(Method::POST, "/api/crm/sync/trigger", Some(&body)).await?;
    let job = server.follow(&format!("/api/crm/sync/jobs/{}", triggered.job_id)).await?;
    if let Some(error) = &job.error {
        say(error);
    }
    say(&format!("The run is {}.", job.state));
    Ok(match job.state.as_str() {
        "completed" => ExitCode::SUCCESS,
        "partial" => ExitCode::from(PARTIAL),
        _ => ExitCode::FAILURE,
    })
}

struct Server {
    http: reqwest::Client,
    url: String,
    api_key: String,
}

impl Server {
    /// The server that the environment names, else the demo of the data directory.
    fn find(args: &SyncArgs, environment: Environment<'_>) -> anyhow::Result<Self> {
        let set = |name: &str| environment(name).filter(|value| !value.is_empty());
        let (url, api_key) = match (set("CROSSTIE_URL"), set("CROSSTIE_API_KEY")) {
            (Some(url), Some(api_key)) => (url, api_key),
            (Some(_), None) => bail!("CROSSTIE_API_KEY is not set: make a key with `crosstie api-key create`."),
            (None, Some(_)) => bail!("CROSSTIE_URL is not set: give the server's address."),
            (None, None) => {
                let folder = data_dir(args.data_dir.clone(), environment);
                let demo = DemoFile::read(&folder).with_context(|| {
                    format!(
                        "CROSSTIE_URL is not set and there is no demo.json in {}: set CROSSTIE_URL and CROSSTIE_API_KEY, \
                         or name a demo's folder with --data-dir.",
                        folder.display()
                    )
                })?;
                (demo.url, demo.api_key)
            }
        };
        let http = reqwest::Client::builder().timeout(PATIENCE).build()?;
        Ok(Server { http, url: url.trim_end_matches('/').to_owned(), api_key })
    }

    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&Json>) -> anyhow::Result<T> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.api_key);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("The server at {} cannot be reached", self.url))?;
        let status = answer.status();
        let text = answer.bytes().await?;
        if !status.is_success() {
            let problem: Json = serde_json::from_slice(&text).unwrap_or_default();
            bail!("{}", problem["detail"].as_str().unwrap_or("The server refused the request."));
        }
        serde_json::from_slice(&text).context("The server's answer cannot be read: it may be of another version")
    }

    async fn follow(&self, path: &str) -> anyhow::Result<Job> {
        let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template("{msg:32} {wide_bar} {pos}/{len}")?);
        let mut failures = 0;
        loop {
            match self.ask::<JobAnswer>(Method::GET, path, None).await {
                Ok(JobAnswer { job }) if is_over(&job.state) => {
                    bar.finish_and_clear();
                    return Ok(job);
                }
                Ok(JobAnswer { job }) => {
                    failures = 0;
                    show(&bar, &job);
                }
                Err(error) if failures >= FAILURES => return Err(error),
                Err(_) => {
                    failures += 1;
                    bar.set_message("waiting for the server");
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// A held run waits for an admin; a command does not.
fn is_over(state: &str) -> bool {
    matches!(state, "completed" | "partial" | "failed" | "cancelled" | "held")
}

fn show(bar: &ProgressBar, job: &Job) {
    let progress = &job.progress;
    let words = [&progress.direction, &progress.entity_type, &progress.stage];
    let words: Vec<&str> = words.into_iter().flatten().map(String::as_str).collect();
    bar.set_message(if words.is_empty() { job.state.clone() } else { words.join(" ") });
    if let Some(total) = progress.total {
        bar.set_length(total);
    }
    bar.set_position(progress.processed);
}
