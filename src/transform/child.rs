//! The child's side: one request a line in, one answer a line out.

use std::io::{BufRead, Write};
use std::process::ExitCode;

use super::{Answer, Request, engine};

/// Answers requests from standard input until it ends.
pub fn child_main() -> ExitCode {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let Ok(request) = line.map_err(|_| ()).and_then(|line| serde_json::from_str(&line).map_err(|_| ())) else {
            return ExitCode::FAILURE;
        };
        let answer = match request {
            Request::Run(groups) => Answer::Ran(groups.iter().flat_map(engine::run).collect()),
            Request::Check { script, direction } => Answer::Checked(engine::check(&script, direction)),
        };
        let written = serde_json::to_writer(&mut output, &answer)
            .map_err(std::io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
            .and_then(|()| output.flush());
        if written.is_err() {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
