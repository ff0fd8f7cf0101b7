//! Where things are in the workspace.

use std::path::{Path, PathBuf};

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).unwrap_or(manifest).to_owned()
}

/// A file or folder under `fixtures/`.
#[must_use]
pub fn fixture(path: &str) -> PathBuf {
    root().join("fixtures").join(path)
}

/// The text of a file under `fixtures/`.
#[must_use]
pub fn fixture_text(path: &str) -> String {
    let path = fixture(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A folder for what is made once and kept between runs: `target/tmp`, found from the running executable.
#[must_use]
pub fn cache() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    let target = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    target.map_or_else(std::env::temp_dir, |target| target.join("tmp"))
}
