//! The simulators with a million contacts in each CRM's world: what they take, and how soon they answer.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value as Json, json};

use super::figure;
use super::program::Simulator;

/// Contacts of each world; both CRMs together know a fifth more people.
const CONTACTS: usize = 1_000_000;

/// Each kind of request is made so often; the slowest counts.
const TIMES: usize = 20;

/// Reads of single records, in so many lines side by side.
const READS: usize = 20_000;
const LINES: usize = 4;

/// A CRM that answers one client.
struct Crm<'s> {
    simulator: &'s Simulator,
    url: &'s str,
    token: String,
}

pub async fn run() -> anyhow::Result<()> {
    let simulator = Simulator::start(1000, CONTACTS).await?;
    let both = simulator.peak_memory_mb()?;
    figure("both simulators, 1,000,000 contacts each: MB", &format!("{both:.0}"), "3000");
    let salesforce = Crm::of(&simulator, &simulator.url).await?;
    let hubspot = Crm::of(&simulator, &simulator.hubspot).await?;
    of_salesforce(&salesforce).await?;
    of_hubspot(&hubspot).await
}

async fn of_salesforce(crm: &Crm<'_>) -> anyhow::Result<()> {
    let data = "/services/data/v62.0";
    let found = crm.soql("SELECT Id, SystemModstamp FROM Contact ORDER BY Id LIMIT 1 OFFSET 2000").await?;
    let row = &found["records"][0];
    let (id, stamp) = (row["Id"].as_str().context("no id")?, row["SystemModstamp"].as_str().context("no stamp")?);
    // SOQL spells offsets otherwise than JSON does.
    let stamp = stamp.replace("+0000", "Z");
    let key = json!({ "Crosstie_Id__c": "bench" });
    crm.json(crm.simulator.http.patch(format!("{}{data}/sobjects/Contact/{id}", crm.url)).json(&key)).await?;
    let get = |path: String| crm.simulator.http.get(format!("{}{data}{path}", crm.url));
    let by_id = format!("/sobjects/Contact/{id}");
    crm.slowest("salesforce: read by id, slowest, ms", "20", || get(by_id.clone())).await?;
    let by_key = "/sobjects/Contact/Crosstie_Id__c/bench";
    crm.slowest("salesforce: read by external id, slowest, ms", "20", || get(by_key.to_owned())).await?;
    let range = format!(
        "SELECT Id, LastName, Email FROM Contact WHERE SystemModstamp > {stamp} OR (SystemModstamp = {stamp} AND Id > '{id}') \
         ORDER BY SystemModstamp, Id LIMIT 200"
    );
    let soql = |text: &str| crm.simulator.http.get(format!("{}{data}/query", crm.url)).query(&[("q", text)]);
    crm.slowest("salesforce: 200 rows by stamp and id, slowest, ms", "20", || soql(&range)).await?;
    for (name, text) in [
        ("salesforce: text within, slowest, ms", "SELECT Id FROM Contact WHERE Title LIKE '%sales%' LIMIT 200"),
        ("salesforce: first 200 by name, slowest, ms", "SELECT Id, Name FROM Contact ORDER BY Name LIMIT 200"),
        (
            "salesforce: count by department, slowest, ms",
            "SELECT Department, COUNT(Id) FROM Contact GROUP BY Department",
        ),
    ] {
        crm.slowest(name, "1000", || soql(text)).await?;
    }
    crm.reads("salesforce: single reads a second of one core", || get(by_id.clone())).await
}

async fn of_hubspot(crm: &Crm<'_>) -> anyhow::Result<()> {
    let contacts = "/crm/v3/objects/contacts";
    let search = |body: &Json| crm.simulator.http.post(format!("{}{contacts}/search", crm.url)).json(body);
    let newest = json!({ "limit": 1, "properties": ["email"],
                         "filterGroups": [{ "filters": [{ "propertyName": "email", "operator": "HAS_PROPERTY" }] }] });
    let found = crm.json(search(&newest)).await?;
    let row = &found["results"][0];
    let (id, email) = (row["id"].as_str().context("no id")?, row["properties"]["email"].as_str().context("no e-mail")?);
    let get = |path: &str| crm.simulator.http.get(format!("{}{contacts}/{path}", crm.url));
    crm.slowest("hubspot: read by id, slowest, ms", "20", || get(id)).await?;
    let by_key = format!("{email}?idProperty=email");
    crm.slowest("hubspot: read by e-mail, slowest, ms", "20", || get(&by_key)).await?;
    let filters = json!([{ "propertyName": "hs_object_id", "operator": "GT", "value": id }]);
    let range = json!({ "limit": 200, "filterGroups": [{ "filters": filters }],
                        "sorts": [{ "propertyName": "hs_object_id", "direction": "ASCENDING" }] });
    crm.slowest("hubspot: search, 200 rows by id, slowest, ms", "1000", || search(&range)).await?;
    let text = json!({ "limit": 100, "query": "sales" });
    crm.slowest("hubspot: search for a word, slowest, ms", "1000", || search(&text)).await?;
    let filters = json!([{ "propertyName": "jobtitle", "operator": "CONTAINS_TOKEN", "value": "*sales*" }]);
    let token = json!({ "limit": 100, "filterGroups": [{ "filters": filters }],
                        "sorts": [{ "propertyName": "lastname", "direction": "DESCENDING" }] });
    crm.slowest("hubspot: search within, sorted, slowest, ms", "1000", || search(&token)).await?;
    crm.reads("hubspot: single reads a second of one core", || get(id)).await
}

impl<'s> Crm<'s> {
    async fn of(simulator: &'s Simulator, url: &'s str) -> anyhow::Result<Self> {
        let asked = simulator.http.post(format!("{url}/_simulator/token")).json(&json!({}));
        let answer: Json = asked.send().await?.error_for_status()?.json().await?;
        Ok(Crm { simulator, url, token: answer["access_token"].as_str().context("no token")?.to_owned() })
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Json> {
        let answer = request.bearer_auth(&self.token).send().await?.error_for_status()?.bytes().await?;
        Ok(serde_json::from_slice(&answer).unwrap_or_default())
    }

    async fn soql(&self, text: &str) -> anyhow::Result<Json> {
        let url = format!("{}/services/data/v62.0/query", self.url);
        self.json(self.simulator.http.get(url).query(&[("q", text)])).await
    }

    /// Prints how long the slowest of several equal requests took, milliseconds.
    #[expect(clippy::disallowed_methods, reason = "a measurement asks the real clock")]
    async fn slowest(
        &self,
        name: &str,
        target: &str,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> anyhow::Result<()> {
        let mut slowest = 0.0_f64;
        for _ in 0..TIMES {
            let begun = Instant::now();
            let answer = self.json(request()).await?;
            slowest = slowest.max(begun.elapsed().as_secs_f64() * 1000.0);
            ensure!(!answer.is_null(), "{name}: no answer");
        }
        figure(name, &format!("{slowest:.1}"), target);
        Ok(())
    }

    /// Prints how many single reads a second of a core's work is good for: what the client does beside it does not count.
    async fn reads(&self, name: &str, request: impl Fn() -> reqwest::RequestBuilder) -> anyhow::Result<()> {
        let before = self.simulator.core_seconds()?;
        let line = || async {
            for _ in 0..READS / LINES {
                self.json(request()).await?;
            }
            anyhow::Ok(())
        };
        tokio::try_join!(line(), line(), line(), line())?;
        let worked = self.simulator.core_seconds()? - before;
        figure(name, &format!("{:.0}", READS as f64 / worked), "2000");
        Ok(())
    }
}
