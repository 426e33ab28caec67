//! What the manifest says about the site, and where things lie.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// `[package.metadata.leptos]`, as far as a build needs it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Site {
    /// Name of the program and the style sheet.
    pub output_name: String,
    /// Folder of both inside the site.
    pub site_pkg_dir: String,
    /// Where the site is built; a path under `target`.
    pub site_root: PathBuf,
    /// Files copied as they are.
    pub assets_dir: PathBuf,
    /// Entry of the style sheet.
    pub tailwind_input_file: PathBuf,
    /// Features of the browser's half.
    pub lib_features: Vec<String>,
    /// Whether it has the default features too.
    pub lib_default_features: bool,
    /// Profile of a release build.
    pub lib_profile_release: String,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    leptos: Site,
}

/// Reads the manifest's table.
pub fn site(root: &Path) -> Result<Site> {
    let path = root.join("Cargo.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
    let manifest: Manifest = toml::from_str(&text).context("Cargo.toml has no complete [package.metadata.leptos]")?;
    let site = manifest.package.metadata.leptos;
    if site.site_root.strip_prefix("target").is_err() {
        bail!("site-root must lie under target, so that it moves with CARGO_TARGET_DIR");
    }
    Ok(site)
}

/// The checkout. Asked at run time: a cached build of this program may have been made by another checkout.
pub fn root() -> Result<PathBuf> {
    let own = env::var_os("CARGO_MANIFEST_DIR").context("start me by `cargo xtask`")?;
    Ok(Path::new(&own).parent().context("xtask lies inside the checkout")?.to_owned())
}

/// The folder of build output, which may lie outside the checkout.
pub fn target(root: &Path) -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(path) => root.join(path),
        None => root.join("target"),
    }
}
