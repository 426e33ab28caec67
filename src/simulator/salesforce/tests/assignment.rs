//! Assignment rules, and the header that keeps them away.

use super::*;

const DATA: &str = "/services/data/v62.0";
const GRACE: &str = "005Si0000000003";
const TOMAS: &str = "005Si0000000002";

async fn with_rules() -> (Served, String) {
    let org = served(&small()).await;
    let token = org.token().await;
    let rules = json!({ "assignment": [
        { "object": "Lead", "when": "Country = 'Italy'", "owner": GRACE },
        { "object": "Lead", "when": "Company != null", "owner": TOMAS },
        { "object": "Account", "when": "BillingCountry = 'Italy'", "owner": GRACE } ]});
    assert_eq!(org.control("rules", rules).await["ok"], true);
    (org, token)
}

fn lead(country: &str) -> Json {
    json!({ "LastName": "Ferrari", "Company": "Ferrari", "Country": country })
}

impl Served {
    /// Sends JSON with a header: status and answer.
    async fn headed(&self, token: &str, method: &str, path: &str, header: &str, body: &Json) -> (u16, Json) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let request = self.http.request(method, format!("{}{DATA}{path}", self.url)).bearer_auth(token).json(body);
        let response = request.header("Sforce-Auto-Assign", header).send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or_default())
    }

    async fn owner(&self, token: &str, object: &str, id: &str) -> String {
        let (_, row) = self.get(token, &format!("{DATA}/sobjects/{object}/{id}?fields=OwnerId")).await;
        row["OwnerId"].as_str().expect("an owner")[..15].to_owned()
    }
}

#[tokio::test]
async fn owners_change_under_who_writes_unless_the_header_says_false() {
    let (org, token) = with_rules().await;
    let mine = "005Si0000000001";
    let id = org.made(&token, "Lead", lead("Italy")).await;
    assert_eq!(org.owner(&token, "Lead", &id).await, GRACE, "without the header the first rule that holds assigns");
    let second = org.headed(&token, "POST", "/sobjects/Lead", "FALSE", &lead("Italy")).await.1;
    let second = second["id"].as_str().expect("an id");
    assert_eq!(org.owner(&token, "Lead", second).await, mine);
    let third = org.headed(&token, "POST", "/sobjects/Lead", "01Q000000000000", &lead("Italy")).await;
    assert_eq!((third.0, third.1[0]["errorCode"].as_str()), (400, Some("INVALID_HEADER")), "there is no such rule");
    let third = org.headed(&token, "POST", "/sobjects/Lead", "01QSi0000000002", &lead("Italy")).await.1;
    assert_eq!(org.owner(&token, "Lead", third["id"].as_str().expect("an id")).await, TOMAS, "this rule alone");
    let (status, refused) = org.headed(&token, "POST", "/sobjects/Lead", "maybe", &lead("Italy")).await;
    assert_eq!((status, refused[0]["errorCode"].as_str()), (400, Some("INVALID_HEADER")));

    let account = org.made(&token, "Account", json!({ "Name": "Ferrari" })).await;
    assert_eq!(org.owner(&token, "Account", &account).await, mine);
    let path = format!("/sobjects/Account/{account}");
    assert_eq!(org.headed(&token, "PATCH", &path, "false", &json!({ "BillingCountry": "Italy" })).await.0, 204);
    assert_eq!(org.owner(&token, "Account", &account).await, mine);
    let given = json!({ "Phone": "1", "OwnerId": TOMAS });
    assert_eq!(org.headed(&token, "PATCH", &path, "TRUE", &given).await.0, 204);
    assert_eq!(org.owner(&token, "Account", &account).await, GRACE, "an update is assigned too, whatever it says");
    let colleague = org.control("edit", json!({ "object": "Lead", "fields": lead("Italy") })).await;
    assert_eq!(org.owner(&token, "Lead", colleague["id"].as_str().expect("an id")).await, TOMAS, "her own");
}

#[tokio::test]
async fn bulk_jobs_and_subrequests_say_for_themselves() {
    let (org, token) = with_rules().await;
    let load = async |more: Json| {
        let mut wanted = json!({ "object": "Lead", "operation": "insert" });
        wanted.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        let (status, job) = org.send(&token, "POST", "/jobs/ingest", wanted).await;
        if status != 200 {
            return job[0]["errorCode"].as_str().unwrap_or_default().to_owned();
        }
        let path = format!("/jobs/ingest/{}", job["id"].as_str().expect("an id"));
        let upload = org.http.put(format!("{}{DATA}{path}/batches", org.url)).bearer_auth(&token);
        let rows = "LastName,Company,Country\nBulk,Ferrari,Italy\n";
        upload.header("content-type", "text/csv").body(rows).send().await.expect("an answer");
        org.send(&token, "PATCH", &path, json!({ "state": "UploadComplete" })).await;
        let newest = "SELECT OwnerId FROM Lead WHERE LastName = 'Bulk' ORDER BY Id DESC LIMIT 1";
        org.live(&token, newest).await.1["records"][0]["OwnerId"].as_str().expect("an owner")[..15].to_owned()
    };
    assert_eq!(load(json!({})).await, "005Si0000000001", "a job goes by no rule unless it names one");
    assert_eq!(load(json!({ "assignmentRuleId": "01QSi0000000001" })).await, GRACE);
    assert_eq!(load(json!({ "assignmentRuleId": "01QSi0000000009" })).await, "INVALIDJOB");

    let create = |name: &str, headers: Json| {
        json!({ "method": "POST", "url": format!("{DATA}/sobjects/Lead"), "referenceId": name, "body": lead("Italy"),
                "httpHeaders": headers })
    };
    let call = json!({ "compositeRequest": [
        create("by_rule", json!({})), create("kept", json!({ "Sforce-Auto-Assign": "FALSE" })),
        create("odd", json!({ "Sforce-Auto-Assign": "odd" })) ]});
    let (_, answer) = org.send(&token, "POST", "/composite", call).await;
    let made = |place: usize| answer["compositeResponse"][place]["body"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(org.owner(&token, "Lead", &made(0)).await, GRACE);
    assert_eq!(org.owner(&token, "Lead", &made(1)).await, "005Si0000000001");
    assert_eq!(answer["compositeResponse"][2]["httpStatusCode"], 400);
    for unsound in [
        json!({ "object": "Contact", "when": "LastName != null", "owner": GRACE }),
        json!({ "object": "Lead", "when": "LastName != null", "owner": "Grace Okafor" }),
        json!({ "object": "Lead", "when": "Nme != null", "owner": GRACE }),
    ] {
        let answer = org.control("rules", json!({ "assignment": [unsound] })).await;
        assert!(answer["error"].is_string(), "{answer}");
    }
}
