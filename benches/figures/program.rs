//! The program and the simulator as processes of their own, and talking to them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value as Json, json};

/// Longest wait for a process to be ready, or for a run to end.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a run is asked how far it is: seldom enough that asking costs it nothing to speak of.
pub const POLL: Duration = Duration::from_millis(50);

/// Ticks of a second in `/proc`: the same on every Linux.
const TICKS: f64 = 100.0;

/// A process that ends with its owner, and its folder.
pub struct Process {
    child: Child,
    folder: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id().to_string();
        // It is asked first, so that the Postgres of a demo ends with it.
        let asked = Command::new("kill").arg(&id).status().is_ok_and(|status| status.success());
        if !asked {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A running demo.
pub struct Program {
    process: Process,
    pub http: reqwest::Client,
    pub url: String,
    pub demo: Json,
    /// The demo's workspace.
    pub workspace: Workspace,
}

/// A workspace, by its admin's API key.
#[derive(Clone)]
pub struct Workspace {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// A running simulator.
pub struct Simulator {
    process: Process,
    pub http: reqwest::Client,
    /// Address of its Salesforce.
    pub url: String,
    /// Address of its HubSpot.
    pub hubspot: String,
}

impl Simulator {
    /// Starts one with so many accounts and contacts.
    pub async fn start(accounts: usize, contacts: usize) -> anyhow::Result<Self> {
        let folder = folder("simulator")?;
        let (address, other) = (format!("127.0.0.1:{}", free_port()?), format!("127.0.0.1:{}", free_port()?));
        let child = program()
            .args([
                "simulate",
                "--salesforce",
                &address,
                "--hubspot",
                &other,
                "--opportunities",
                "0",
                "--no-limits",
                "--seed",
                "1",
            ])
            .args(["--accounts", &accounts.to_string(), "--contacts", &contacts.to_string()])
            .arg("--state")
            .arg(&folder)
            .spawn()?;
        let (url, hubspot) = (format!("http://{address}"), format!("http://{other}"));
        let simulator = Simulator { process: Process { child, folder }, http: client()?, url, hubspot };
        answers(&simulator.http, &format!("{}/_simulator/stats", simulator.url)).await?;
        Ok(simulator)
    }

    /// What Salesforce was asked since the last time, by operation.
    pub async fn calls(&self) -> anyhow::Result<Json> {
        self.calls_of(&self.url).await
    }

    /// What HubSpot was asked since the last time, by operation.
    pub async fn hubspot_calls(&self) -> anyhow::Result<Json> {
        self.calls_of(&self.hubspot).await
    }

    async fn calls_of(&self, crm: &str) -> anyhow::Result<Json> {
        let url = format!("{crm}/_simulator/stats");
        let stats: Json = self.http.get(&url).send().await?.json().await?;
        self.http.delete(&url).send().await?.error_for_status()?;
        Ok(stats["byOperation"].clone())
    }

    /// The most memory that it has used.
    pub fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        Ok(peak_kb(self.process.child.id()).context("the simulator is gone")? as f64 / 1024.0)
    }

    /// Seconds that a core has worked for it.
    pub fn core_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.child.id()))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks: Vec<f64> =
            after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse().ok()).collect();
        ensure!(ticks.len() == 2, "/proc tells no times");
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }
}

impl Program {
    /// Starts a demo; where a CRM is given its client points there, else to the demo's own.
    pub async fn start(salesforce: Option<&str>, hubspot: Option<&str>) -> anyhow::Result<Self> {
        let folder = folder("demo")?;
        let listen = format!("127.0.0.1:{}", free_port()?);
        let mut command = program();
        command.args(["serve", "--demo", "--listen", &listen]).arg("--data-dir").arg(&folder);
        if let Some(crm) = salesforce {
            command
                .env("CROSSTIE_SALESFORCE_CLIENT_ID", "crosstie-demo")
                .env("CROSSTIE_SALESFORCE_CLIENT_SECRET", "crosstie-demo-secret")
                .env("CROSSTIE_SALESFORCE_LOGIN_URL", crm);
        }
        if let Some(crm) = hubspot {
            command
                .env("CROSSTIE_HUBSPOT_CLIENT_ID", "crosstie-demo")
                .env("CROSSTIE_HUBSPOT_CLIENT_SECRET", "crosstie-demo-secret")
                .env("CROSSTIE_HUBSPOT_AUTHORIZE_URL", crm)
                .env("CROSSTIE_HUBSPOT_API_URL", crm);
        }
        let child = command.spawn()?;
        let process = Process { child, folder };
        let (http, url) = (client()?, format!("http://{listen}"));
        answers(&http, &format!("{url}/readyz")).await?;
        let file = process.folder.join("demo.json");
        let demo = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(demo) = read(&file) {
                    return demo;
                }
                tokio::time::sleep(POLL).await;
            }
        });
        let demo = demo.await.context("no demo.json was written")?;
        let key = demo["apiKey"].as_str().context("no API key")?.to_owned();
        let workspace = Workspace { http: http.clone(), url: url.clone(), key };
        Ok(Program { process, http, url, demo, workspace })
    }

    /// Another workspace with an admin.
    pub fn add_workspace(&self, name: &str) -> anyhow::Result<Workspace> {
        let email = format!("{}@bench.test", name.to_lowercase().replace(' ', "."));
        let url = self.database_url()?;
        let administer = |arguments: &[&str]| -> anyhow::Result<String> {
            let options = ["--email", &email, "--workspace", name, "--database-url", url];
            let done = program().args(arguments).args(options).stdout(Stdio::piped()).output()?;
            ensure!(done.status.success(), "{arguments:?} ended as {}", done.status);
            Ok(String::from_utf8(done.stdout)?)
        };
        administer(&["user", "add", "--role", "admin"])?;
        let printed = administer(&["api-key", "create"])?;
        let key = printed.split_whitespace().find(|word| word.starts_with("ck_")).context("no key was printed")?;
        Ok(Workspace { key: key.to_owned(), ..self.workspace.clone() })
    }

    /// Address of its Postgres.
    pub fn database_url(&self) -> anyhow::Result<&str> {
        self.demo["databaseUrl"].as_str().context("no database")
    }

    /// Most memory that the server and its transform processes have had, MB; without Postgres.
    pub fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        let own = self.process.child.id();
        let mut kb = peak_kb(own).context("the server is gone")?;
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
            if number(&status, "PPid:") == Some(u64::from(own)) && status.starts_with("Name:\tcrosstie") {
                kb += peak_kb(id).unwrap_or_default();
            }
        }
        Ok(kb as f64 / 1024.0)
    }
}

impl Workspace {
    /// Asks the REST API as the admin.
    pub async fn api(&self, method: reqwest::Method, path: &str, body: Option<Json>) -> anyhow::Result<Json> {
        let mut request = self.http.request(method, format!("{}/api/crm{path}", self.url)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        let answer = response.text().await?;
        ensure!(status.is_success(), "{path} answered {status}: {answer}");
        Ok(serde_json::from_str(&answer)?)
    }

    /// Connects the CRM as a person in a browser would; gives the connection's id.
    pub async fn connect(&self, provider: &str) -> anyhow::Result<String> {
        let wish = json!({ "provider": provider, "environment": "simulator" });
        let begun = self.api(reqwest::Method::POST, "/connect", Some(wish)).await?;
        let consent = reqwest::Url::parse(begun["redirectUrl"].as_str().context("no address at the CRM")?)?;
        let mut form: Vec<(String, String)> = consent.query_pairs().into_owned().collect();
        form.push(("decision".to_owned(), "allow".to_owned()));
        let mut allow = consent;
        allow.set_query(None);
        let allowed = self.http.post(allow).form(&form).send().await?;
        let back = allowed.headers().get("location").context("the CRM did not send back")?.to_str()?;
        let back: std::collections::HashMap<String, String> =
            reqwest::Url::parse(back)?.query_pairs().into_owned().collect();
        let given = json!({ "provider": provider, "code": back.get("code"), "state": back.get("state") });
        let done = self.api(reqwest::Method::POST, "/oauth/callback", Some(given)).await?;
        Ok(done["config"]["id"].as_str().context("no connection")?.to_owned())
    }

    /// Triggers a run and waits for its end; gives the job.
    pub async fn sync(&self, config: &str, direction: Option<&str>, entities: &[&str]) -> anyhow::Result<Json> {
        let mut wish = json!({ "configId": config, "entityTypes": entities });
        if let Some(direction) = direction {
            wish["syncDirection"] = json!(direction);
        }
        let triggered = self.api(reqwest::Method::POST, "/sync/trigger", Some(wish)).await?;
        let path = format!("/sync/jobs/{}", triggered["job_id"].as_str().context("no job")?);
        let ended = tokio::time::timeout(PATIENCE, async {
            loop {
                let job = self.api(reqwest::Method::GET, &path, None).await?["job"].clone();
                if !matches!(job["state"].as_str(), Some("queued" | "running")) {
                    return anyhow::Ok(job);
                }
                tokio::time::sleep(POLL).await;
            }
        });
        ended.await.context("the run did not end in time")?
    }
}

fn peak_kb(id: u32) -> Option<u64> {
    number(&std::fs::read_to_string(format!("/proc/{id}/status")).ok()?, "VmHWM:")
}

fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosstie"));
    command.stdout(Stdio::null()).stderr(Stdio::null()).env("CROSSTIE_LOG", "warn").env_remove("DATABASE_URL");
    command
}

fn client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?)
}

async fn answers(http: &reqwest::Client, url: &str) -> anyhow::Result<()> {
    let ready = tokio::time::timeout(PATIENCE, async {
        while !http.get(url).send().await.is_ok_and(|response| response.status().is_success()) {
            tokio::time::sleep(POLL).await;
        }
    });
    ready.await.with_context(|| format!("{url} does not answer"))
}

fn read(file: &Path) -> Option<Json> {
    serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("crosstie-bench-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
