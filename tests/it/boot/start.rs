//! Starts that fail, and starts that wait.

use std::net::TcpListener;

use super::program::{DataDir, Program, command, refusal};

#[test]
fn a_missing_or_malformed_setting_is_one_sentence_that_names_it() {
    let data_dir = DataDir::new();
    let sentence = refusal(&data_dir, &["serve"]);
    assert!(sentence.contains("CROSSTIE_SECRET_KEY is not set"), "{sentence}");
    assert_eq!(sentence.trim().lines().count(), 1, "{sentence}");
    let sentence = refusal(&data_dir, &["serve", "--demo", "--listen", "here"]);
    assert!(sentence.contains("CROSSTIE_LISTEN (--listen) is malformed"), "{sentence}");
    let sentence = refusal(&data_dir, &["check-config", "--demo", "--database-url", "mysql://x"]);
    assert!(sentence.contains("DATABASE_URL is malformed"), "{sentence}");
}

#[test]
fn a_named_address_that_is_busy_is_an_error() {
    let data_dir = DataDir::new();
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = busy.local_addr().expect("its address").to_string();
    let sentence = refusal(&data_dir, &["serve", "--demo", "--listen", &address]);
    assert!(sentence.contains("CROSSTIE_LISTEN (--listen)") && sentence.contains(&address), "{sentence}");
    assert!(data_dir.postgres_note().is_none(), "nothing was started");
}

#[test]
fn a_program_without_postgres_says_how_to_get_one() {
    let data_dir = DataDir::new();
    let output = command(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data_dir.path())
        .env("CROSSTIE_PG_BIN", data_dir.path())
        .output()
        .expect("it runs");
    let sentence = String::from_utf8(output.stderr).expect("text");
    assert!(!output.status.success() && sentence.contains("CROSSTIE_PG_BIN"), "{sentence}");
}

#[test]
fn a_demo_on_a_given_database_does_not_erase_it() {
    let data_dir = DataDir::new();
    let given = ["serve", "--demo", "--fresh", "--database-url", "postgres://a:b@127.0.0.1:1/c"];
    let sentence = refusal(&data_dir, &given);
    assert!(sentence.contains("--fresh"), "{sentence}");
}

#[tokio::test]
async fn a_database_that_is_down_is_waited_for() {
    let data_dir = DataDir::of_demo();
    // Nobody listens at a port that was just given back.
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address").port();
    let database = format!("postgres://crosstie:secret@127.0.0.1:{port}/crosstie");
    let mut program =
        Program::start(&data_dir, &["serve", "--demo", "--listen", "127.0.0.1:0", "--database-url", &database]);
    let line = program.says("listening");
    let url = format!("http://{}", line.rsplit("address=").next().expect("the address").trim());
    let line = program.says("the database cannot be reached");
    assert!(line.contains("DATABASE_URL") && !line.contains("secret"), "{line}");
    let status = async |path: &str| reqwest::get(format!("{url}{path}")).await.expect("an answer").status().as_u16();
    // The first client of a process needs the provider that the program installs for itself.
    let _ = rustls::crypto::ring::default_provider().install_default();
    assert_eq!(status("/livez").await, 200);
    assert_eq!(status("/readyz").await, 503);
    assert_eq!(status("/integrations").await, 503);
    assert!(program.terminate().success(), "it stops while it waits");
    assert!(!data_dir.path().join("demo.json").exists(), "it never was ready");
}
