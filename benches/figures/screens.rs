//! Every screen on demo data, rendered by the server for a signed-in admin over one connection.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value as Json, json};

use super::figure;
use super::program::Program;

/// Times that each screen is asked for; the median counts.
const TIMES: usize = 40;

pub async fn run() -> anyhow::Result<()> {
    let program = Program::start(None, None).await?;
    let config = program.workspace.connect("salesforce").await?;
    program.workspace.sync(&config, None, &["accounts", "contacts"]).await?;
    let cookie = sign_in(&program).await?;
    let mut slowest = (0.0, String::new());
    for path in paths(&program).await? {
        let median = median(&program, &cookie, &path).await?;
        let shown =
            path.split('/').map(|part| if part.len() == 36 { ":id" } else { part }).collect::<Vec<_>>().join("/");
        figure(&format!("page {shown}: median, ms"), &format!("{median:.1}"), "50");
        if median > slowest.0 {
            slowest = (median, shown);
        }
    }
    figure("slowest page: median, ms", &format!("{:.1}", slowest.0), &format!("50 ({})", slowest.1));
    Ok(())
}

async fn paths(program: &Program) -> anyhow::Result<Vec<String>> {
    let mut paths: Vec<String> = [
        "/integrations",
        "/connect",
        "/connect/salesforce/authorise",
        "/connect/salesforce/configure",
        "/connect/salesforce/done",
        "/integrations/salesforce/mappings/accounts",
        "/integrations/salesforce/mappings/contacts",
        "/integrations/salesforce/settings",
        "/logs",
        "/conflicts",
        "/records/accounts",
        "/records/contacts",
        "/records/opportunities",
        "/members",
        "/api-keys",
    ]
    .map(str::to_owned)
    .to_vec();
    let first = |answer: &Json, list: &str| answer[list][0]["id"].as_str().map(str::to_owned);
    let ways = [
        ("/sync/logs?limit=1", "logs", "/logs"),
        ("/conflicts?limit=1", "conflicts", "/conflicts"),
        ("/records/accounts?limit=1", "records", "/records/accounts"),
        ("/records/contacts?limit=1", "records", "/records/contacts"),
    ];
    for (ask, list, path) in ways {
        let answer = program.workspace.api(Method::GET, ask, None).await?;
        paths.extend(first(&answer, list).map(|id| format!("{path}/{id}")));
    }
    Ok(paths)
}

async fn sign_in(program: &Program) -> anyhow::Result<String> {
    let admin = &program.demo["users"][0];
    let body = json!({ "email": admin["email"], "password": admin["password"] });
    let answer = program.http.post(format!("{}/api/auth/login", program.url)).json(&body).send().await?;
    ensure!(answer.status().is_success(), "the admin cannot sign in: {}", answer.status());
    let cookie = answer.headers().get("set-cookie").context("no session")?.to_str()?;
    Ok(cookie.split(';').next().unwrap_or_default().to_owned())
}

#[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
async fn median(program: &Program, cookie: &str, path: &str) -> anyhow::Result<f64> {
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let begun = Instant::now();
        let answer = program.http.get(format!("{}{path}", program.url)).header("cookie", cookie).send().await?;
        let status = answer.status();
        let page = answer.text().await?;
        ensure!(status.is_success() && page.contains("</html>"), "{path} answered {status}");
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[TIMES / 2])
}
