//! Files that are written together or not at all, and never over another.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::Error;

/// One file to be written.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: Zeroizing<String>,
    /// Whether it is for the gateway's own user alone.
    pub(crate) secret: bool,
}

impl File {
    pub(crate) fn new(path: PathBuf, text: String) -> Self {
        Self { path, text: Zeroizing::new(text), secret: false }
    }

    pub(crate) fn secret(path: PathBuf, text: Zeroizing<String>) -> Self {
        Self { path, text, secret: true }
    }
}

/// Writes all of them, or says which are there already and writes none.
pub(crate) fn write(files: &[File]) -> Result<(), Error> {
    let there: Vec<String> = files
        .iter()
        .filter(|file| fs::symlink_metadata(&file.path).is_ok())
        .map(|file| file.path.display().to_string())
        .collect();
    if !there.is_empty() {
        return Err(Error::Message(format!(
            "nothing is written over, and there is already: {}\nchoose another folder with --config FOLDER/veilgate.yaml",
            there.join(", ")
        )));
    }
    let mut made = Made::default();
    for file in files {
        made.file(file).map_err(|error| Error::file(&file.path, error))?;
    }
    made.keep();
    Ok(())
}

/// What was made so far. Dropped, it goes again.
#[derive(Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Made {
    fn file(&mut self, file: &File) -> io::Result<()> {
        if let Some(folder) = file.path.parent() {
            self.folder(folder, file.secret)?;
        }
        let mode = if file.secret { 0o600 } else { 0o644 };
        let mut open = OpenOptions::new().write(true).create_new(true).mode(mode).open(&file.path)?;
        self.files.push(file.path.clone());
        open.write_all(file.text.as_bytes())?;
        open.sync_all()
    }

    fn folder(&mut self, folder: &Path, secret: bool) -> io::Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.folder(parent, false)?;
        }
        fs::DirBuilder::new().mode(if secret { 0o700 } else { 0o755 }).create(folder)?;
        self.folders.push(folder.to_owned());
        Ok(())
    }

    fn keep(mut self) {
        self.files.clear();
        self.folders.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn all_are_written_or_none_and_none_over_another() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files = |last: &str| {
            vec![
                File::new(at("a/b.yaml"), "b".into()),
                File::secret(at("s/key"), Zeroizing::new("k".into())),
                File::new(at(last), "c".into()),
            ]
        };
        // The last cannot be written: the others go again.
        let error = write(&files("a/b.yaml/c")).unwrap_err().to_string();
        assert!(error.contains("b.yaml/c"), "{error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        write(&files("c.yaml")).unwrap();
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("s/key"), mode("s")), (0o600, 0o700));
        let error = write(&files("d.yaml")).unwrap_err().to_string();
        assert!(error.contains("a/b.yaml") && error.contains("s/key") && !at("d.yaml").exists(), "{error}");
    }
}
