//! Builds the site as `cargo leptos build` does, from the same metadata: the browser's program through wasm-bindgen, the
//! style sheet through Tailwind, the public files; in release also compressed copies.
//!
//! Each part is skipped while what it is made from is as it was, so a second call takes a moment.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::manifest::{self, Site};
use crate::{cargo, run};

/// What the site is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Built quickly; lies in `target/site`, where `cargo leptos` puts its own.
    Dev,
    /// Built small, with compressed copies; lies beside the release program, in `target/release/site`.
    Release,
}

/// Builds the site and says where it is.
pub fn build(mode: Mode) -> Result<String> {
    let root = manifest::root()?;
    let target = manifest::target(&root);
    let manifest = manifest::site(&root)?;
    let under_target = manifest.site_root.strip_prefix("target")?.to_owned();
    let site = match mode {
        Mode::Dev => target.join(under_target),
        Mode::Release => target.join("release").join(under_target),
    };
    let builder = Builder { root, target, site, manifest, mode };
    let program = builder.compile()?;
    builder.part("public", &[builder.manifest.assets_dir.as_path()], |builder| builder.copy_public())?;
    builder.part("styles", &[Path::new("style"), Path::new("src"), Path::new("package-lock.json")], |builder| {
        builder.write_styles()
    })?;
    builder.part("program", &[&program], |builder| builder.bind(&program))?;
    Ok(format!("site: {}", builder.site.display()))
}

struct Builder {
    root: PathBuf,
    target: PathBuf,
    site: PathBuf,
    manifest: Site,
    mode: Mode,
}

impl Builder {
    /// Does a part's work unless its stamp says that the same was done already.
    fn part(&self, name: &str, inputs: &[&Path], work: impl FnOnce(&Self) -> Result<()>) -> Result<()> {
        let mut hasher = DefaultHasher::new();
        self.mode.hash(&mut hasher);
        // A change of these steps makes a stamp of before worthless.
        include_str!("site.rs").hash(&mut hasher);
        fs::read(self.root.join("Cargo.toml"))?.hash(&mut hasher);
        for input in inputs {
            hash_tree(&self.root.join(input), &mut hasher)?;
        }
        let wanted = format!("{:016x}", hasher.finish());
        let stamp = self.site.with_extension(format!("{name}.stamp"));
        if self.pkg().is_dir() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(());
        }
        fs::create_dir_all(self.pkg())?;
        let _ = fs::remove_file(&stamp);
        work(self)?;
        Ok(fs::write(&stamp, wanted)?)
    }

    fn pkg(&self) -> PathBuf {
        self.site.join(&self.manifest.site_pkg_dir)
    }

    /// The browser's half, as cargo leaves it.
    fn compile(&self) -> Result<PathBuf> {
        let (profile, folder) = match self.mode {
            Mode::Dev => ("dev", "debug"),
            Mode::Release => (self.manifest.lib_profile_release.as_str(), self.manifest.lib_profile_release.as_str()),
        };
        let front = self.target.join("front");
        let mut cargo = cargo(&self.root);
        cargo.args(["build", "--locked", "--lib", "--package", "crosstie"]);
        if !self.manifest.lib_default_features {
            cargo.arg("--no-default-features");
        }
        cargo.arg("--features").arg(self.manifest.lib_features.join(","));
        cargo.args(["--target", "wasm32-unknown-unknown", "--profile", profile, "--target-dir"]).arg(&front);
        run(&mut cargo)?;
        Ok(front.join("wasm32-unknown-unknown").join(folder).join(format!("{}.wasm", self.manifest.output_name)))
    }

    fn bind(&self, program: &Path) -> Result<()> {
        let (name, pkg, release) = (&self.manifest.output_name, self.pkg(), self.mode == Mode::Release);
        let snippets = pkg.join("snippets");
        if snippets.is_dir() {
            fs::remove_dir_all(&snippets)?;
        }
        Bindgen::new()
            .input_path(program)
            .out_name(name)
            .web(true)?
            .typescript(false)
            .remove_name_section(release)
            .remove_producers_section(release)
            .generate(&pkg)
            .context("wasm-bindgen cannot make the browser's program")?;
        // Leptos asks for the program under the plain name when LEPTOS_OUTPUT_NAME is set.
        fs::rename(pkg.join(format!("{name}_bg.wasm")), pkg.join(format!("{name}.wasm")))?;
        for file in [format!("{name}.js"), format!("{name}.wasm")] {
            self.compress(&pkg.join(file))?;
        }
        Ok(())
    }

    fn write_styles(&self) -> Result<()> {
        let tailwind = self.root.join("node_modules/.bin/tailwindcss");
        if !tailwind.exists() {
            bail!("Tailwind is not installed. Run `npm ci` in the checkout");
        }
        let sheet = self.pkg().join(format!("{}.css", self.manifest.output_name));
        let mut command = Command::new(tailwind);
        command.current_dir(&self.root).arg("--input").arg(&self.manifest.tailwind_input_file);
        command.arg("--output").arg(&sheet);
        if self.mode == Mode::Release {
            command.arg("--minify");
        }
        let output = command.output().context("Tailwind could not be started; it needs Node")?;
        if !output.status.success() {
            bail!("Tailwind ended with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        self.compress(&sheet)
    }

    /// Copies the public files, and takes away what an earlier call copied and is no longer there.
    fn copy_public(&self) -> Result<()> {
        let public = self.root.join(&self.manifest.assets_dir);
        for entry in fs::read_dir(&self.site)? {
            let entry = entry?;
            if entry.path() == self.pkg() {
                continue;
            }
            if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
        }
        for source in files(&public)? {
            let copy = self.site.join(source.strip_prefix(&public)?);
            fs::create_dir_all(copy.parent().context("a file has a folder")?)?;
            fs::copy(&source, &copy)?;
            self.compress(&copy)?;
        }
        Ok(())
    }

    /// Writes NAME.br and NAME.gz beside a release file; the server sends them to browsers that take them.
    fn compress(&self, path: &Path) -> Result<()> {
        let packed_already = path.extension().is_some_and(|extension| extension == "woff2" || extension == "png");
        if self.mode == Mode::Dev || packed_already {
            return Ok(());
        }
        let content = fs::read(path)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".br");
        let mut brotli = brotli::CompressorWriter::new(fs::File::create(&name)?, 1 << 16, 11, 22);
        brotli.write_all(&content)?;
        brotli.flush()?;
        drop(brotli);
        let mut name = path.as_os_str().to_owned();
        name.push(".gz");
        let mut gzip = flate2::write::GzEncoder::new(fs::File::create(&name)?, flate2::Compression::best());
        gzip.write_all(&content)?;
        gzip.finish()?;
        Ok(())
    }
}

/// Name, length and time of each file: enough to see that something was touched.
fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    for file in files(path)? {
        let data = fs::metadata(&file)?;
        (&file, data.len(), data.modified()?).hash(hasher);
    }
    Ok(())
}

/// All files under a folder (or the file itself), sorted.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))? {
        found.extend(files(&entry?.path())?);
    }
    found.sort();
    Ok(found)
}
