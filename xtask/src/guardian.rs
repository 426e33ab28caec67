//! Cleans up after this program, however it ends.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A shell that waits for this program's end, or for being dropped, and then runs a script.
pub struct Guardian {
    shell: Child,
}

impl Guardian {
    /// Waits with a script; `$1` and so on are the arguments. It notices the end by its standard input being closed.
    pub fn new(script: &str, arguments: &[&str]) -> Result<Self> {
        let script = format!("trap '' INT TERM HUP; cat >/dev/null; {script}");
        let mut shell = Command::new("sh");
        shell.args(["-c", &script, "guardian"]).args(arguments);
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Ok(Guardian { shell: shell.context("sh could not be started")? })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
