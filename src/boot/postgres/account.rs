//! Who the embedded Postgres runs as, and where its files are. Postgres refuses to run as root.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};

/// Where clusters go whose data directory the other account cannot reach.
const SHARED_HOME: &str = "/var/lib/crosstie";

/// Account to make where there is no `postgres`.
const OWN_ACCOUNT: &str = "crosstie";

/// The account that Postgres runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Account {
    /// The one that runs this program.
    Own,
    /// Another one, because this program runs as root.
    Other {
        /// Its user id.
        uid: u32,
        /// Its group id.
        gid: u32,
    },
}

impl Account {
    /// The account to use: another one for root only. Makes a system account where there is none.
    pub(super) fn choose() -> anyhow::Result<Self> {
        if id(&["-u"]) != Some(0) {
            return Ok(Account::Own);
        }
        if let Some(account) = Self::named("postgres").or_else(|| Self::named(OWN_ACCOUNT)) {
            return Ok(account);
        }
        let made = Command::new("useradd").args(["--system", "--no-create-home", OWN_ACCOUNT]).output();
        match Self::named(OWN_ACCOUNT) {
            Some(account) => Ok(account),
            None => bail!(
                "Postgres refuses to run as root and no other account could be made ({made:?}): run this program as \
                 another user, or set DATABASE_URL."
            ),
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(Account::Other { uid: id(&["-u", name])?, gid: id(&["-g", name])? })
    }

    /// Lets `command` run as this account.
    pub(super) fn run(self, command: &mut Command) {
        if let Account::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
    }

    /// Gives a file or folder to this account.
    pub(super) fn own(self, path: &Path) -> anyhow::Result<()> {
        if let Account::Other { uid, gid } = self {
            chown(path, Some(uid), Some(gid)).with_context(|| format!("{} cannot be handed over", path.display()))?;
        }
        Ok(())
    }

    /// The folder for Postgres' files: under the data directory, unless this account cannot pass the folders above it.
    pub(super) fn home(self, data_dir: &Path) -> PathBuf {
        if self == Account::Own || data_dir.ancestors().all(may_be_passed) {
            return data_dir.join("postgres");
        }
        let hash = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
        let name: String = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Path::new(SHARED_HOME).join(name)
    }

    /// The programs' folder, copied to where this account reaches it if it cannot pass the folders above.
    pub(super) fn reachable(self, programs: PathBuf, home: &Path) -> anyhow::Result<PathBuf> {
        if self == Account::Own || programs.ancestors().all(may_be_passed) {
            return Ok(programs);
        }
        // The libraries lie beside the programs' folder.
        let whole = programs.parent().unwrap_or(&programs);
        let copy = home.join("programs");
        if !copy.join("bin/postgres").is_file() {
            let done = Command::new("cp").arg("-a").arg(whole).arg(&copy).status().context("cp did not start")?;
            if !done.success() {
                bail!("{} could not be copied to {}.", whole.display(), copy.display());
            }
        }
        Ok(copy.join("bin"))
    }
}

fn may_be_passed(folder: &Path) -> bool {
    std::fs::metadata(folder).is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
}

fn id(arguments: &[&str]) -> Option<u32> {
    let answer = Command::new("id").args(arguments).output().ok()?;
    String::from_utf8(answer.stdout).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_folder_above_moves_the_cluster() {
        let folder = std::env::temp_dir().join(format!("crosstie-account-{}", std::process::id()));
        let data_dir = folder.join("data");
        std::fs::create_dir_all(&data_dir).expect("a folder");
        let other = Account::Other { uid: 1, gid: 1 };
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("open");
        assert_eq!(other.home(&data_dir), data_dir.join("postgres"));
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("closed");
        assert!(other.home(&data_dir).starts_with(SHARED_HOME));
        assert_eq!(Account::Own.home(&data_dir), data_dir.join("postgres"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
