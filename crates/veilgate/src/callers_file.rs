//! The callers' file, changed by a command: one entry comes or goes, and every other byte stays.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use policy::document::{self, Kind, Node};
use policy::{Diagnostic, Source};

use crate::config::{self, CallerEntry, Callers};
use crate::error::Error;
use crate::yaml;

/// A file of callers, held so that no second command changes it meanwhile.
#[derive(Debug)]
pub(crate) struct CallersFile {
    /// The file itself, behind any link.
    path: PathBuf,
    source: Source,
    pub(crate) callers: Callers,
    /// Locked as long as it is open.
    _folder: File,
}

impl CallersFile {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| Error::file(path, error);
        let real = fs::canonicalize(path).map_err(failed)?;
        let folder = File::open(real.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        folder.lock().map_err(failed)?;
        let source = config::source(&real)?;
        let callers = config::callers_of(&source)?;
        Ok(Self { path: real, source, callers, _folder: folder })
    }

    /// Appends an entry.
    pub(crate) fn add(self, name: &str, caller: &CallerEntry) -> Result<(), Error> {
        let text = added(&self.source, name, caller).map_err(Error::Diagnostics)?;
        let mut expected = self.callers.clone();
        expected.insert(name.into(), caller.clone());
        self.replace(&text, &expected)
    }

    /// Takes an entry out.
    pub(crate) fn remove(self, name: &str) -> Result<(), Error> {
        let text = removed(&self.source, name).map_err(Error::Diagnostics)?;
        let mut expected = self.callers.clone();
        expected.remove(name);
        self.replace(&text, &expected)
    }

    /// Writes the new text beside the file and moves it there: a reload in between reads one or the other. The text is
    /// read first, and means exactly what was asked for.
    fn replace(self, text: &str, expected: &Callers) -> Result<(), Error> {
        let source = Source { path: self.source.path.clone(), text: text.to_owned() };
        if !config::callers_of(&source).is_ok_and(|callers| are_same(&callers, expected)) {
            let path = self.path.display();
            return Err(Error::Message(format!(
                "{path}: its form is one that only a person can change; it stays as it is"
            )));
        }
        let failed = |error| Error::file(&self.path, error);
        let old = fs::metadata(&self.path).map_err(failed)?;
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let new = self.path.with_file_name(name);
        // One that a command has left that was killed. Nobody else is here: the folder is locked.
        let _ = fs::remove_file(&new);
        let written = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(text.as_bytes())?;
            let made = file.metadata()?;
            if (made.uid(), made.gid()) != (old.uid(), old.gid()) {
                chown(&new, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777))?;
            file.sync_all()?;
            fs::rename(&new, &self.path)?;
            self._folder.sync_all()
        };
        written().map_err(|error| {
            let _ = fs::remove_file(&new);
            failed(error)
        })
    }
}

fn are_same(one: &Callers, other: &Callers) -> bool {
    let same = |one: &CallerEntry, other: &CallerEntry| {
        one.identity == other.identity && one.verifier.to_text() == other.verifier.to_text()
    };
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|((name, entry), (other_name, other))| name == other_name && same(entry, other))
}

/// An entry as it stands in the file, at this indentation.
pub(crate) fn entry(name: &str, caller: &CallerEntry, indent: &str) -> String {
    let list = |texts: &[String]| {
        format!("[{}]", texts.iter().map(|text| yaml::scalar(text)).collect::<Vec<_>>().join(", "))
    };
    let mut text =
        format!("{indent}{}:\n{indent}  verifier: {}\n", yaml::scalar(name), caller.verifier.to_text());
    let identity = &caller.identity;
    if !identity.purposes.is_empty() {
        text += &format!("{indent}  purposes: {}\n", list(&identity.purposes));
    }
    let value = |values: &[String]| match values {
        [one] => yaml::scalar(one),
        several => list(several),
    };
    let attributes: Vec<String> = identity
        .attributes
        .iter()
        .map(|(name, values)| format!("{}: {}", yaml::scalar(name), value(values)))
        .collect();
    if !attributes.is_empty() {
        text += &format!("{indent}  attributes: {{{}}}\n", attributes.join(", "));
    }
    text
}

fn added(source: &Source, name: &str, caller: &CallerEntry) -> Result<String, Vec<Diagnostic>> {
    let mut text = source.text.clone();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    let entries = entries(source)?;
    let indent = entries.first().map_or("", |(key, _)| before(&source.text, key.start));
    Ok(text + &entry(name, caller, indent))
}

fn removed(source: &Source, name: &str) -> Result<String, Vec<Diagnostic>> {
    let text = &source.text;
    let entries = entries(source)?;
    let Some((key, end)) = entries.iter().find(|(key, _)| key.text == name).map(|(key, end)| (key, *end))
    else {
        return Err(vec![source.error(policy::Span::default(), format!("there is no caller `{name}`"))]);
    };
    let start = key.start - before(text, key.start).len();
    // To the end of the line that it ends in, with the comment there, and an empty line behind it.
    let line_end = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find('\n').map_or(rest.len(), |at| at + 1)
    };
    let mut end = line_end(end);
    if text.get(end..line_end(end)).is_some_and(|line| line.trim().is_empty()) {
        end = line_end(end);
    }
    let (head, tail) = (text.get(..start).unwrap_or_default(), text.get(end..).unwrap_or_default());
    Ok(format!("{head}{tail}"))
}

struct Key {
    text: String,
    start: usize,
}

/// The names in the file with where they begin, and where their entries end.
fn entries(source: &Source) -> Result<Vec<(Key, usize)>, Vec<Diagnostic>> {
    if config::callers_of(source).is_ok_and(|callers| callers.is_empty()) {
        return Ok(Vec::new());
    }
    let Node { span, kind } = document::read(source)?;
    let Kind::Mapping(entries) = kind else { return Ok(Vec::new()) };
    if source.text.get(span.start..).is_some_and(|text| text.starts_with('{')) {
        let error = source.error(span, "the callers stand in braces");
        return Err(vec![error.help("write each on lines of its own")]);
    }
    let entry = |(key, value): (document::Scalar, Node)| {
        (Key { text: key.text, start: key.span.start }, value.span.end.max(key.span.end))
    };
    Ok(entries.into_iter().map(entry).collect())
}

/// What stands before a place in its line.
fn before(text: &str, at: usize) -> &str {
    let before = text.get(..at).unwrap_or_default();
    before.rsplit_once('\n').map_or(before, |(_, line)| line)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use access::Identity;
    use pg_proxy::scram::Verifier;

    use super::*;

    const VERIFIER: &str = "SCRAM-SHA-256$4096:dmVpbGdhdGUgZGVtbyAwMQ==$+c0FruvtCaIjgKr4l6EUbYtixiUfT3cc/so9hIZh5Y8=:vTIshNt9kdswvjCkiMmEeo4hWU03JtxdjX+zGGLW5X8=";

    fn caller(name: &str) -> CallerEntry {
        let attributes = [("roles", vec!["a", "b: c"]), ("region", vec!["EU"])];
        let owned = |(name, values): (&str, Vec<&str>)| {
            (name.to_owned(), values.into_iter().map(str::to_owned).collect())
        };
        let identity = Identity {
            id: name.into(),
            attributes: attributes.into_iter().map(owned).collect(),
            purposes: vec!["support".into()],
        };
        CallerEntry { verifier: Verifier::parse(VERIFIER).unwrap(), identity: Arc::new(identity) }
    }

    #[test]
    fn an_entry_comes_and_goes_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callers.yaml");
        let old = format!("{{verifier: '{VERIFIER}'}}");
        for text in [
            String::new(),
            "# nobody yet\n".to_owned(),
            format!("# who\n\nann: {old}   # a comment\n# the end\n"),
            format!("ann: {old}"),
            format!("# the file\n  ann:   # here\n    verifier: {VERIFIER}\n\n  'b c': {old}\n"),
            format!("ann:\n  verifier: >-\n    {VERIFIER}\n"),
        ] {
            fs::write(&path, &text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            for name in ["zoe", "it's", "a: b", "null", "x\u{e4}"] {
                CallersFile::open(&path).unwrap().add(name, &caller(name)).unwrap();
                let with = fs::read_to_string(&path).unwrap();
                assert!(with.starts_with(text.trim_end()), "{text:?}\n{with}");
                let callers = CallersFile::open(&path).unwrap().callers;
                assert_eq!(callers.get(name).unwrap().identity, caller(name).identity);
                CallersFile::open(&path).unwrap().remove(name).unwrap();
                assert_eq!(fs::read_to_string(&path).unwrap().trim_end(), text.trim_end());
            }
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_only_a_person_can_change_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callers.yaml");
        for (text, told) in [
            (format!("{{ann: {{verifier: '{VERIFIER}'}}}}\n"), "stand in braces"),
            (format!("ann: {{verifier: '{VERIFIER}'}}\n...\n"), "only a person"),
        ] {
            fs::write(&path, &text).unwrap();
            let error = CallersFile::open(&path).unwrap().add("zoe", &caller("zoe")).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let error = CallersFile::open(&path).unwrap().remove("eve").unwrap_err().to_string();
        assert!(error.contains("no caller `eve`"), "{error}");
    }

    #[test]
    fn two_at_once_both_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callers.yaml");
        fs::write(&path, "# nobody yet\n").unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    let name = format!("caller_{number}");
                    CallersFile::open(path).unwrap().add(&name, &caller(&name)).unwrap();
                });
            }
        });
        assert_eq!(CallersFile::open(&path).unwrap().callers.len(), 8);
    }
}
