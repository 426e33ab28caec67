//! The first start of a server that nobody can sign in to.

use crosstie::service::set_up;
use crosstie::view::session::FirstStart;

use crate::helpers::TestApp;

fn first(email: &str, password: &str) -> FirstStart {
    FirstStart {
        workspace: "Alder Foods".to_owned(),
        name: "Anna".to_owned(),
        email: email.to_owned(),
        password: password.to_owned(),
    }
}

async fn token(app: &TestApp) -> String {
    let link = set_up::link(&app.services).await.expect("an answer").expect("a link");
    let (page, token) = link.split_once("?token=").expect("a token");
    assert_eq!(page, format!("{}/set-up", app.url));
    token.to_owned()
}

#[tokio::test]
async fn a_set_up_link_makes_the_first_admin_once() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    let page = app.signed_out().get(&format!("/set-up?token={token}")).await;
    assert!(page.status == 200 && page.text.contains("Make workspace and sign in"), "{}", page.text);

    for (wrong, member) in [(first("anna", "long enough"), "email"), (first("a@b.test", "short"), "password")] {
        let refused = set_up::set_up(&app.services, &token, wrong).await.expect_err("refused");
        assert_eq!((refused.code, refused.fields[0].field.as_str()), ("invalid", member));
    }
    let entry = set_up::set_up(&app.services, &token, first("Anna@alder.test", "long enough")).await.expect("set up");
    assert_eq!((entry.viewer.email.as_str(), entry.viewer.workspace_name.as_str()), ("anna@alder.test", "Alder Foods"));
    assert_eq!(entry.viewer.role, crosstie::model::Role::Admin);

    let again = set_up::set_up(&app.services, &token, first("eve@alder.test", "long enough")).await;
    assert_eq!(again.expect_err("refused").code, "set_up_over");
    assert_eq!(set_up::link(&app.services).await.expect("an answer"), None);
    let page = app.signed_out().get(&format!("/set-up?token={token}")).await;
    assert!(page.text.contains("no longer works"), "{}", page.text);
}

#[tokio::test]
async fn a_forged_or_old_set_up_link_is_refused() {
    let app = TestApp::start().await;
    let token = token(&app).await;
    let mut forged = token.clone();
    forged.replace_range(20..21, if &token[20..21] == "A" { "B" } else { "A" });
    for wrong in ["", "x", forged.as_str()] {
        let refused = set_up::set_up(&app.services, wrong, first("eve@alder.test", "long enough")).await;
        assert_eq!(refused.expect_err("refused").code, "set_up_over");
    }
    app.advance(chrono::TimeDelta::hours(25));
    let refused = set_up::set_up(&app.services, &token, first("eve@alder.test", "long enough")).await;
    assert_eq!(refused.expect_err("refused").code, "set_up_over");
}
