//! A database of one's own that goes away under the running program, and comes back.

use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::program::{DataDir, Program, command};
use crate::helpers::TestApp;

/// How long the test waits for the program; it never takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Passes connections on until it is aborted, which cuts them all.
fn relay(listener: TcpListener, to: String) -> AbortHandle {
    let passing = async move {
        let mut connections = JoinSet::new();
        while let Ok((mut near, _)) = listener.accept().await {
            let to = to.clone();
            connections.spawn(async move {
                if let Ok(mut far) = TcpStream::connect(to).await {
                    // However it ends, both sides are closed.
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                }
            });
        }
    };
    tokio::spawn(passing).abort_handle()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_told_and_found_again() {
    let app = TestApp::start().await;
    let direct = url::Url::parse(&app.database_url()).expect("an address");
    let server = format!("{}:{}", direct.host_str().expect("a host"), direct.port().expect("a port"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let line = relay(listener, server.clone());
    let mut relayed = direct.clone();
    relayed.set_port(Some(port)).expect("a port");

    let data_dir = DataDir::new();
    let mut program = Program::spawn(
        command(&["serve", "--listen", "127.0.0.1:0"])
            .env("DATABASE_URL", relayed.as_str())
            .env("CROSSTIE_DATA_DIR", data_dir.path())
            .env("CROSSTIE_PUBLIC_URL", "http://127.0.0.1:3699")
            .env("CROSSTIE_SECRET_KEY", app.secret_key()),
    );
    let listening = program.says("listening");
    let url = format!("http://{}", listening.rsplit("address=").next().expect("the address").trim());
    program.says(" ready");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let ready = async || {
        let answer = http.get(format!("{url}/readyz")).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    let sign_in = async || {
        let person = json!({ "email": "nobody@kestrel.example", "password": "not a password of theirs" });
        let answer = http.post(format!("{url}/api/auth/login")).json(&person).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!((ready().await.0, sign_in().await.0), (200, 401));

    line.abort();
    let said = program.says("it is tried again every second");
    let password = direct.password().expect("a password");
    assert!(said.contains("the database cannot be reached") && !said.contains(password), "{said}");
    assert_eq!(ready().await, (503, "the database cannot be reached".to_owned()));
    let (status, sentence) = sign_in().await;
    assert_eq!(status, 503, "{sentence}");
    assert!(sentence.contains("Nothing was changed; try again in a minute."), "{sentence}");

    relay(TcpListener::bind(("127.0.0.1", port)).await.expect("the same port"), server);
    let back = async { while ready().await.0 != 200 {} };
    tokio::time::timeout(PATIENCE, back).await.expect("it reconnects by itself");
    assert_eq!(sign_in().await.0, 401, "and serves as before");
    assert!(program.terminate().success());
}
