//! The program as a child process. Nobody sleeps: tests wait for a line of its log, or for its end.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value as Json;

/// How long a line of the log may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Variables that would reach the program from the tests' own environment.
const SETTINGS: [&str; 9] = [
    "DATABASE_URL",
    "CROSSTIE_DIRECT_DATABASE_URL",
    "CROSSTIE_DATA_DIR",
    "CROSSTIE_LISTEN",
    "CROSSTIE_PUBLIC_URL",
    "CROSSTIE_SECRET_KEY",
    "CROSSTIE_URL",
    "CROSSTIE_API_KEY",
    "CROSSTIE_LOG",
];

/// A data directory that goes with the test.
pub struct DataDir {
    path: PathBuf,
    /// The lock that a demo's test holds.
    _ports: Option<File>,
}

impl DataDir {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("crosstie-it-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        DataDir { path, _ports: None }
    }

    /// One for a demo. Demos look for free ports in the same row, and expect those of their last start: one that starts while
    /// another is down takes its port. So they take turns, whatever process their test runs in.
    pub fn of_demo() -> Self {
        let ports = File::create(std::env::temp_dir().join("crosstie-it-demo-ports")).expect("a file");
        ports.lock().expect("a turn");
        let mut data_dir = Self::new();
        data_dir._ports = Some(ports);
        data_dir
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn demo(&self) -> Json {
        serde_json::from_slice(&std::fs::read(self.path.join("demo.json")).expect("demo.json")).expect("JSON")
    }

    /// The note that a running Postgres keeps; its first line is its process.
    pub fn postgres_note(&self) -> Option<String> {
        std::fs::read_to_string(self.path.join("postgres/cluster/postmaster.pid")).ok()
    }

    pub fn postgres_process(&self) -> String {
        self.postgres_note().and_then(|note| note.lines().next().map(str::to_owned)).expect("Postgres runs")
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Some(process) = self.postgres_note().and_then(|note| note.lines().next().map(str::to_owned)) {
            signal("QUIT", &process);
        }
        // What a dying process still writes there stays in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// A running program. Killed with the test.
pub struct Program {
    child: Child,
    log: Receiver<String>,
}

impl Program {
    /// Starts it; the log is what it says.
    pub fn start(data_dir: &DataDir, arguments: &[&str]) -> Self {
        Self::spawn(command(arguments).arg("--data-dir").arg(data_dir.path()))
    }

    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("its log")).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Program { child, log }
    }

    /// Waits for a line of the log with these words.
    pub fn says(&mut self, words: &str) -> String {
        let mut said = Vec::new();
        loop {
            match self.log.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => said.push(line),
                Err(error) => panic!("{words:?} was never said ({error}):\n{}", said.join("\n")),
            }
        }
    }

    /// A demo that is ready.
    pub fn ready(data_dir: &DataDir, arguments: &[&str]) -> Self {
        let mut program = Self::start(data_dir, &[&["serve", "--demo"], arguments].concat());
        program.says(" ready");
        program
    }

    /// Asks it to stop and waits for its end.
    pub fn terminate(mut self) -> ExitStatus {
        signal("TERM", &self.child.id().to_string());
        self.child.wait().expect("its end")
    }

    /// Kills it on the spot.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("its end");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments and nothing set.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crosstie"));
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command.args(arguments).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(data_dir: &DataDir, arguments: &[&str]) -> Output {
    command(arguments).arg("--data-dir").arg(data_dir.path()).output().expect("the program runs")
}

/// What it said, of one that failed.
pub fn refusal(data_dir: &DataDir, arguments: &[&str]) -> String {
    let output = run(data_dir, arguments);
    assert!(!output.status.success(), "it starts");
    String::from_utf8(output.stderr).expect("text")
}

fn signal(name: &str, process: &str) {
    let sent = Command::new("kill").args(["-s", name, process]).status().expect("kill");
    assert!(sent.success(), "{name} to {process}");
}
