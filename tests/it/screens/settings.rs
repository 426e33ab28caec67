//! The settings screen without script.

use crosstie::model::Role;
use reqwest::Method;

use crate::helpers::{Client, TestApp, answer};

const PAGE: &str = "/integrations/salesforce/settings";

async fn save(client: &Client, members: &[(&str, &str)]) -> String {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
    let request = client
        .request(Method::POST, "/fn/save_settings")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "text/html")
        .header("referer", format!("http://127.0.0.1{PAGE}"))
        .body(body);
    let sent = answer("save_settings".to_owned(), request).await;
    assert_eq!(sent.status, 302, "{}", sent.text);
    sent.header("location").expect("an address").to_owned()
}

const FORM: [(&str, &str); 11] = [
    ("provider", "salesforce"),
    ("form[frequency]", "daily"),
    ("form[minute]", "0"),
    ("form[time]", "07:30"),
    ("form[time_zone]", "Europe/Berlin"),
    ("form[direction]", "pull"),
    ("form[policy]", "manual_review"),
    ("form[accounts]", "true"),
    ("form[create_missing]", "true"),
    ("form[guard_records]", "50"),
    ("form[guard_percent]", "10"),
];

#[tokio::test]
async fn settings_are_shown_saved_and_said() {
    let app = TestApp::start().await;
    let admin = app.sign_in_as(Role::Admin).await;
    assert!(admin.get("/settings").await.text.contains("No CRM is connected yet"));
    app.connect_salesforce().await;
    assert_eq!(admin.get("/settings").await.header("location"), Some(PAGE));
    let shown = admin.get(PAGE).await;
    assert_eq!(shown.status, 200);
    for text in
        ["both ways, every hour", "Next five runs", "10:00", "The later edit decides conflicts.", "50 records and 10 %"]
    {
        assert!(shown.text.contains(text), "{text}");
    }
    let saved = save(&admin, &FORM).await;
    assert_eq!(saved, format!("{PAGE}?saved=schedule,direction,entities,policy"));
    let html = admin.get(&saved).await.text;
    for text in [
        "Saved. Runs start every day at 07:30 (Europe/Berlin).",
        "Runs take accounts.",
        "A person decides conflicts from now on.",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(save(&admin, &FORM).await.ends_with("?saved=nothing"));
    assert!(html.contains("Sync attachments and files"));
    let with_files: Vec<_> = FORM.into_iter().chain([("form[sync_files]", "true")]).collect();
    let saved = save(&admin, &with_files).await;
    assert!(saved.ends_with("?saved=files"), "{saved}");
    assert!(admin.get(&saved).await.text.contains("Saved. Files sync from the next run on."));
    let options = app.row("SELECT options ->> 'syncFiles' AS files FROM crm_sync_configs").await;
    assert_eq!(options["files"], "true");
}

#[tokio::test]
async fn what_is_wrong_is_not_saved() {
    let app = TestApp::start().await;
    app.connect_salesforce().await;
    let admin = app.sign_in_as(Role::Admin).await;
    for (member, value) in [
        ("form[time]", "25:00"),
        ("form[time_zone]", "Mars/Base"),
        ("form[guard_percent]", "many"),
        ("form[accounts]", "false"),
    ] {
        let form: Vec<(&str, &str)> =
            FORM.iter().map(|(name, was)| (*name, if *name == member { value } else { *was })).collect();
        assert!(save(&admin, &form).await.contains("__err"), "{member}");
    }
    let member = app.sign_in_as(Role::Member).await;
    assert!(member.get(PAGE).await.text.contains("Only an admin may change a connection."));
    assert!(save(&member, &FORM).await.contains("__err"));
    let stored = app.row("SELECT sync_direction, sync_frequency FROM crm_sync_configs").await;
    assert_eq!((&stored["sync_direction"], &stored["sync_frequency"]), (&"bidirectional".into(), &"hourly".into()));
}
