//! The pages' files: program, styles, fonts for the browser.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use leptos::config::{LeptosOptions, get_config_from_str};

/// The metadata that the site was built with.
const LEPTOS_TOML: &str = include_str!("../../Leptos.toml");

/// Leptos' options: the embedded file, the environment over it, and where the site was found.
pub fn options(listen: SocketAddr) -> anyhow::Result<LeptosOptions> {
    let mut options = get_config_from_str(LEPTOS_TOML).context("Leptos.toml cannot be read")?;
    options.site_addr = listen;
    if std::env::var_os("LEPTOS_SITE_ROOT").is_none() {
        let program = std::env::current_exe().context("this program's own place is not known")?;
        match find(&program) {
            Some(folder) => options.site_root = folder.to_string_lossy().into(),
            None => tracing::warn!(
                program = %program.display(),
                "no site files were found beside the program; pages come without styles and script. Run make to build them"
            ),
        }
    }
    Ok(options)
}

/// `site` beside the program, then in the target folder that it was built in (or of the working directory).
fn find(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    [folder.join("site"), folder.join("../site"), PathBuf::from("target/site")]
        .into_iter()
        .find(|candidate| candidate.is_dir())
        .and_then(|candidate| std::fs::canonicalize(candidate).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_options_are_the_manifest_s() {
        let table = |text: &str| {
            let value: toml::Table = text.parse().expect("TOML");
            value["package"]["metadata"]["leptos"].clone()
        };
        assert_eq!(table(LEPTOS_TOML), table(include_str!("../../Cargo.toml")));
        let options = get_config_from_str(LEPTOS_TOML).expect("options");
        assert_eq!(options.output_name.as_ref(), "crosstie");
    }

    #[test]
    fn the_site_is_found_beside_the_program_and_in_its_target_folder() {
        let folder = std::env::temp_dir().join(format!("crosstie-site-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("debug/site")).expect("a folder");
        std::fs::create_dir_all(folder.join("site")).expect("a folder");
        let place = |name: &str| std::fs::canonicalize(folder.join(name)).ok();
        assert_eq!(find(&folder.join("debug/crosstie")), place("debug/site"));
        std::fs::remove_dir(folder.join("debug/site")).expect("removed");
        assert_eq!(find(&folder.join("debug/crosstie")), place("site"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
