//! The rules of `ARCHITECTURE.md`, as tests: sizes, who may know whom, what may stand where.
//!
//! Works on the text as rustfmt leaves it: an item ends where its indentation closes. Each test names every breach.

#![expect(clippy::print_stdout, reason = "the medians are there to be looked at")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 100;

/// Which of our modules each one may know. `boot` may know all; nobody may know `boot`.
const MAY_KNOW: [(&str, &[&str]); 16] = [
    ("blobs", &[]),
    ("clock", &[]),
    ("model", &[]),
    ("view", &["model"]),
    // `service` in server functions only: a test of its own.
    ("ui", &["model", "service", "view"]),
    ("sync", &["model"]),
    ("connectors", &["clock", "model", "sync"]),
    ("transform", &["model", "sync"]),
    ("security", &["clock"]),
    ("store", &["model", "sync"]),
    ("queue", &[]),
    ("engine", &["blobs", "clock", "connectors", "model", "queue", "security", "store", "sync", "transform"]),
    (
        "service",
        &["blobs", "clock", "connectors", "engine", "model", "queue", "security", "store", "sync", "transform", "view"],
    ),
    ("api", &["model", "service", "view"]),
    // Knows nothing of ours: a shared type would hide a shared mistake.
    ("simulator", &[]),
    (
        "boot",
        &[
            "api",
            "blobs",
            "clock",
            "connectors",
            "engine",
            "model",
            "queue",
            "security",
            "service",
            "simulator",
            "store",
            "sync",
            "transform",
            "ui",
            "view",
        ],
    ),
];

/// Crates that only these modules may name.
const CRATES: [(&str, &[&str]); 9] = [
    ("axum", &["api", "boot", "simulator", "ui"]),
    ("clap", &["boot"]),
    ("leptos", &["boot", "ui", "view"]),
    ("oauth2", &["connectors", "security"]),
    ("object_store", &["blobs"]),
    ("reqwest", &["boot", "connectors", "simulator"]),
    ("rquickjs", &["transform"]),
    // Others hand a pool on; what they may name of it is in `POOL_TYPES`.
    ("sqlx", &["boot", "queue", "store"]),
    ("tokio", &["api", "blobs", "boot", "connectors", "engine", "queue", "service", "simulator", "store", "transform"]),
];

/// What the engine and the services may name of sqlx: the pool that they hand on, and the waker.
const POOL_TYPES: [&str; 3] = ["sqlx::PgPool", "sqlx::postgres::PgListener", "sqlx::Error"];

/// The only files with feature gates.
const GATED: [&str; 4] = ["src/lib.rs", "src/main.rs", "src/ui/browser.rs", "src/ui/server.rs"];

/// Functions that run with their owner's rights: look-ups before the workspace is known, which return ids only, and the
/// capture of changes, which other programs' writes cause too.
const SECURITY_DEFINERS: [&str; 13] = [
    "app.capture_delete",
    "app.capture_insert",
    "app.capture_update",
    "app.lookup_any_user",
    "app.lookup_api_key",
    "app.lookup_changed_connections",
    "app.lookup_due_connections",
    "app.lookup_matches",
    "app.lookup_oauth_state",
    "app.lookup_session",
    "app.lookup_user_by_email",
    "app.lookup_workspace_by_name",
    "app.role_in",
];

/// Crates that would make the browser's program big. (leptos_config brings regex; nothing calls it there.)
const TOO_BIG_FOR_THE_BROWSER: [&str; 14] = [
    "aes-gcm",
    "argon2",
    "axum",
    "bigdecimal",
    "chrono-tz",
    "hyper",
    "proptest",
    "rand",
    "reqwest",
    "ring",
    "rquickjs",
    "rustls",
    "sqlx-core",
    "tokio",
];

/// One TLS, one cryptography: rustls with ring.
const NEVER_IN_THE_SERVER: [&str; 4] = ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl-sys"];

struct Source {
    path: String,
    text: String,
}

impl Source {
    /// Lines up to the tests that stand at the file's end; none of a file of tests.
    fn production(&self) -> Vec<&str> {
        if self.path.starts_with("tests/") || self.path.ends_with("tests.rs") || self.path.contains("/tests/") {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let end =
            lines.windows(2).position(|pair| pair[0].trim() == "#[cfg(test)]" && pair[1].trim().starts_with("mod "));
        lines[..end.unwrap_or(lines.len())].to_vec()
    }

    fn is_test(&self) -> bool {
        self.production().is_empty()
    }

    /// The top module that it belongs to.
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or_default();
        inside.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Lines with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Names that follow `crate::`, one by one and in groups.
    fn known_modules(&self) -> BTreeSet<String> {
        let code: String = self.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let mut names = BTreeSet::new();
        for (index, _) in code.match_indices("crate::") {
            if code[..index].ends_with(['$', '_']) {
                continue;
            }
            let rest = &code[index + "crate::".len()..];
            match rest.strip_prefix('{') {
                Some(group) => names.extend(top_names(group)),
                None => names.extend(word(rest)),
            }
        }
        names
    }
}

/// First word of a text.
fn word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// First words of the members of a `use` group, whose opening brace is behind us.
fn top_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut member) = (0, Vec::new(), String::new());
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.extend(word(std::mem::take(&mut member).trim())),
            _ if depth == 0 => member.push(letter),
            _ => {}
        }
    }
    names.extend(word(member.trim()));
    names
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| endings.iter().any(|wanted| ending == *wanted)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).expect("text"),
        path: path.strip_prefix(root()).expect("inside the checkout").to_string_lossy().into_owned(),
    };
    files(folder, endings).into_iter().map(read).collect()
}

fn product() -> Vec<Source> {
    sources("src", &["rs"])
}

fn everything_in_rust() -> Vec<Source> {
    ["src", "tests", "benches", "xtask/src"].iter().flat_map(|folder| sources(folder, &["rs"])).collect()
}

#[track_caller]
fn none(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

fn median(mut numbers: Vec<usize>) -> usize {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or_default()
}

/// Name, first line and length of each function in lines as rustfmt leaves them.
fn functions(lines: &[&str]) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indent = line.len() - line.trim_start().len();
        let closes =
            |line: &&str| line.len() > indent && line[..indent].trim().is_empty() && line[indent..].starts_with('}');
        let one_line = line.ends_with('}') || line.ends_with(';');
        let declared = |line: &&str| line.len() > indent && line[indent..].starts_with(')') && line.ends_with(';');
        let length = match one_line {
            true => 1,
            false => {
                1 + lines[start + 1..].iter().position(|line| closes(line) || declared(line)).map_or(0, |at| at + 1)
            }
        };
        found.push((name, start + 1, length));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let mut rest = line.trim_start();
    if rest.starts_with("pub") {
        rest = rest.trim_start_matches("pub");
        rest = rest
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(')'))
            .map_or(rest, |(_, after)| after)
            .trim_start();
    }
    for modifier in ["default ", "const ", "async "] {
        rest = rest.strip_prefix(modifier).unwrap_or(rest);
    }
    word(rest.strip_prefix("fn ")?)
}

#[test]
fn files_and_functions_are_short() {
    let (mut breaches, mut file_lengths, mut function_lengths, mut test_lines) =
        (Vec::new(), Vec::new(), Vec::new(), 0);
    for source in everything_in_rust() {
        let lines = source.production();
        test_lines += source.text.lines().count() - lines.len();
        if lines.is_empty() {
            continue;
        }
        if lines.len() > LONGEST_FILE {
            breaches.push(format!("{} has {} lines", source.path, lines.len()));
        }
        file_lengths.push(lines.len());
        for (name, line, length) in functions(&lines) {
            if length > LONGEST_FUNCTION {
                breaches.push(format!("{}:{line} {name} has {length} lines", source.path));
            }
            function_lengths.push(length);
        }
    }
    let lines: usize = file_lengths.iter().sum();
    println!(
        "medians: file {} of {}, function {} of {}; tests {} % of {} lines",
        median(file_lengths.clone()),
        file_lengths.len(),
        median(function_lengths.clone()),
        function_lengths.len(),
        test_lines * 100 / (lines + test_lines).max(1),
        lines + test_lines,
    );
    none(&format!("a production file has at most {LONGEST_FILE} lines, a function {LONGEST_FUNCTION}"), breaches);
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent = |source: &Source| !source.text.starts_with("//!");
    none(
        "a file opens with `//!`: its purpose, what it must not know, its invariant",
        everything_in_rust().into_iter().filter(silent).map(|source| source.path).collect(),
    );
}

#[test]
fn modules_know_only_whom_they_may() {
    let table: BTreeMap<&str, &[&str]> = MAY_KNOW.into_iter().collect();
    let mut breaches = Vec::new();
    for source in product() {
        if matches!(source.path.as_str(), "src/lib.rs" | "src/main.rs") {
            continue;
        }
        let module = source.module().to_owned();
        let Some(allowed) = table.get(module.as_str()) else {
            breaches.push(format!("{}: {module} is missing from the table", source.path));
            continue;
        };
        // What tests name besides is their own affair, but the two that must stay alone stay so there too.
        let known = if source.is_test() && !matches!(module.as_str(), "sync" | "simulator") {
            BTreeSet::new()
        } else {
            source.known_modules()
        };
        for name in known.iter().filter(|name| table.contains_key(name.as_str()) && **name != module) {
            if !allowed.contains(&name.as_str()) {
                breaches.push(format!("{} names {name}", source.path));
            }
        }
    }
    none("who may know whom is in `MAY_KNOW`", breaches);
}

#[test]
fn nobody_leaves_a_module_by_its_back_door() {
    let mut breaches = Vec::new();
    for source in product() {
        let depth = source.path.trim_end_matches("/mod.rs").split('/').count() - 1;
        for (line, text) in source.code() {
            let inside = usize::from(text.starts_with(' '));
            if text.matches("super::").count() >= depth + inside && text.contains(&"super::".repeat(depth + inside)) {
                breaches.push(format!("{}:{line} {}", source.path, text.trim()));
            }
        }
    }
    none("other top modules are named by `crate::`, so that the layering is seen", breaches);
}

#[test]
fn screens_reach_the_services_in_server_functions_only() {
    let mut breaches = Vec::new();
    for source in product().into_iter().filter(|source| source.path.starts_with("src/ui/")) {
        if !source.path.ends_with("/server.rs") && source.known_modules().contains("service") {
            breaches.push(source.path);
        }
    }
    none("under ui only files named server.rs name `service`", breaches);
}

#[test]
fn crates_stand_where_they_belong() {
    let mut breaches = Vec::new();
    for source in product().into_iter().filter(|source| !matches!(source.path.as_str(), "src/lib.rs" | "src/main.rs")) {
        for (line, text) in source.code() {
            for (name, modules) in CRATES {
                let outside = !modules.contains(&source.module());
                let named = names_crate(text, name) && !POOL_TYPES.iter().any(|pool| text.contains(pool));
                if outside && named && !source.is_test() {
                    breaches.push(format!("{}:{line} names {name}", source.path));
                }
            }
        }
    }
    none("which module may name which crate is in `CRATES`", breaches);
}

fn names_crate(text: &str, name: &str) -> bool {
    let path = format!("{name}::");
    text.match_indices(&path)
        .any(|(at, _)| !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before)))
}

#[test]
fn feature_gates_stand_in_a_few_files() {
    let mut breaches = Vec::new();
    for source in product().into_iter().filter(|source| !GATED.contains(&source.path.as_str())) {
        for (line, text) in source.code() {
            if text.contains("cfg") && text.contains("feature = ") {
                breaches.push(format!("{}:{line} {}", source.path, text.trim()));
            }
        }
    }
    none("feature gates stand in `GATED` only", breaches);
}

#[test]
fn nothing_is_left_undone_and_no_test_is_ignored_or_lucky() {
    // Put together here, so that this file does not find itself.
    let anywhere = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let tests = [["#[ign", "ore"], ["should_", "panic"], ["sle", "ep("]].map(|parts| parts.concat());
    let mut breaches = Vec::new();
    for source in everything_in_rust() {
        let production = source.production().len();
        for (line, text) in source.code() {
            let found = anywhere.iter().find(|word| text.contains(*word));
            let exempt = source.path.starts_with("xtask/");
            let in_test = line > production && !exempt;
            let lucky = tests.iter().find(|word| in_test && text.contains(*word));
            if let Some(word) = found.or(lucky) {
                breaches.push(format!("{}:{line} {word}", source.path));
            }
        }
    }
    none("nothing is left undone; tests are never ignored, never wait for luck", breaches);
}

#[test]
fn colours_are_named_in_one_place() {
    let mut breaches = Vec::new();
    for source in sources("style", &["css"]).into_iter().chain(sources("src/ui", &["rs", "svg", "js", "css"])) {
        if source.path == "style/tokens.css" {
            continue;
        }
        for (index, text) in source.text.lines().enumerate() {
            if names_colour(text, source.path.ends_with(".css")) {
                breaches.push(format!("{}:{} {}", source.path, index + 1, text.trim()));
            }
        }
    }
    none("raw colours stand in style/tokens.css only", breaches);
}

fn names_colour(text: &str, style: bool) -> bool {
    let functions = ["rgb(", "rgba(", "hsl(", "hsla(", "oklch(", "oklab(", "lab(", "lch(", "hwb("];
    if functions.iter().any(|name| text.match_indices(name).any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric)))
    {
        return true;
    }
    // In a style sheet a colour comes after a colon, a selector before it; elsewhere it begins a quoted value.
    text.match_indices('#').any(|(at, _)| {
        let digits = text[at + 1..].chars().take_while(char::is_ascii_hexdigit).count();
        let ends = !text[at + 1 + digits..].starts_with(|next: char| next.is_alphanumeric() || "-_".contains(next));
        let begins = if style { text[..at].contains(": ") } else { text[..at].ends_with(['"', '\'']) };
        matches!(digits, 3 | 4 | 6 | 8) && ends && begins
    })
}

#[test]
fn functions_with_their_owner_s_rights_are_listed() {
    let (mut found, mut breaches) = (BTreeSet::new(), Vec::new());
    for source in sources("migrations", &["sql"]) {
        let code: Vec<&str> = source.text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        for statement in code.join("\n").split("CREATE ").skip(1) {
            let statement = statement.strip_prefix("OR REPLACE ").unwrap_or(statement);
            let Some(rest) = statement.strip_prefix("FUNCTION ") else { continue };
            let header = rest.split("$$").next().unwrap_or_default();
            let name = header.split('(').next().unwrap_or_default().trim().to_owned();
            if header.contains("SECURITY DEFINER") {
                if !header.contains("SET search_path = ") {
                    breaches.push(format!("{}: {name} has no fixed search path", source.path));
                }
                found.insert(name);
            }
        }
    }
    none("a function with its owner's rights fixes its search path", breaches);
    let listed: BTreeSet<String> = SECURITY_DEFINERS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(found, listed, "the list is SECURITY_DEFINERS: add one only after a second look");
}

#[test]
fn the_browser_s_program_stays_small() {
    let tree = tree(&["--no-default-features", "--features", "hydrate", "--target", "wasm32-unknown-unknown"]);
    none(
        "these crates do not belong into the browser",
        TOO_BIG_FOR_THE_BROWSER.iter().filter(|name| tree.contains(**name)).map(|name| (*name).to_owned()).collect(),
    );
}

#[test]
fn one_cryptography_is_in_the_server() {
    let tree = tree(&["--features", "ssr"]);
    none(
        "TLS is rustls with ring",
        NEVER_IN_THE_SERVER.iter().filter(|name| tree.contains(**name)).map(|name| (*name).to_owned()).collect(),
    );
}

/// Names of all crates that are linked in.
fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["tree", "--locked", "--package", "crosstie", "--edges", "normal,no-proc-macro"]);
    let output = cargo.args(["--prefix", "none"]).args(arguments).output().expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let names: BTreeSet<String> = text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    assert!(names.contains("crosstie"), "the tree is empty");
    names
}
