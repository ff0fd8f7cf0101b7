//! The keys: which there are, in which versions, and where each comes from. None stands in the configuration.

use std::path::PathBuf;

use policy::Span;

use super::reader::Reader;

/// A key by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// The version that is used.
    pub(crate) current: u32,
    pub(crate) versions: Vec<(u32, KeyFrom)>,
}

/// Where a version of a key comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyFrom {
    File(PathBuf),
    Variable(String),
    /// A program and its arguments.
    Command(Vec<String>),
}

impl Key {
    /// Where a version stands in the configuration, for errors.
    pub(crate) fn setting(&self, version: u32) -> String {
        format!("keys.{}.versions.{version}", self.name)
    }
}

impl KeyFrom {
    /// The last part of the setting that says this.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Variable(_) => "env",
            Self::Command(_) => "command",
        }
    }
}

/// The key that the mask `hash` uses, if there is one. All that is wrong with others is told, too.
pub(super) fn hash_key(reader: &mut Reader<'_>) -> Option<Option<Key>> {
    let names = reader.names(&["keys"]);
    let keys: Vec<Option<Key>> = names.iter().map(|(name, _)| key(reader, name)).collect();
    let wanted = reader.text(&["hash", "key"]);
    let span = reader.span(&["hash", "key"]);
    let name = match (wanted, &names[..]) {
        (None, []) => return Some(None),
        (None, [(only, _)]) => only.clone(),
        (None, [_, (second, _), ..]) => {
            let span = reader.span(&["keys", second]);
            reader.error(span, "there are several keys: say in `hash.key` which one the mask `hash` uses");
            return None;
        }
        (Some(name), known) if known.iter().any(|(known, _)| *known == name) => name,
        (Some(name), known) => {
            let error = reader.located(span, format!("there is no key `{name}` under `keys`"));
            reader.errors.push(error.suggest(&name, known.iter().map(|(name, _)| name.as_str())));
            return None;
        }
    };
    let keys: Vec<Key> = keys.into_iter().collect::<Option<_>>()?;
    Some(keys.into_iter().find(|key| key.name == name))
}

fn key(reader: &mut Reader<'_>, name: &str) -> Option<Key> {
    let names = reader.names(&["keys", name, "versions"]);
    let versions: Vec<Option<(u32, KeyFrom)>> =
        names.iter().map(|(version, _)| self::version(reader, name, version)).collect();
    let versions: Vec<(u32, KeyFrom)> = versions.into_iter().collect::<Option<_>>()?;
    let current = reader.parsed::<std::num::NonZeroU32>(&["keys", name, "version"], "a whole number above 0");
    let set = reader.is_set(&["keys", name, "version"]);
    let span = nowhere();
    match (current, &versions[..]) {
        (_, []) => {
            reader
                .error(span, format!("key `{name}` has no version: write one under `keys.{name}.versions`"));
            None
        }
        (None, _) if set => None,
        (None, [(only, _)]) => Some(Key { name: name.to_owned(), current: *only, versions }),
        (None, _) => {
            let message =
                format!("key `{name}` has several versions: say in `keys.{name}.version` which one is used");
            reader.error(span, message);
            None
        }
        (Some(current), _) if versions.iter().all(|(version, _)| *version != current.get()) => {
            let span = nowhere();
            reader.error(span, format!("key `{name}` has no version {current}"));
            None
        }
        (Some(current), _) => Some(Key { name: name.to_owned(), current: current.get(), versions }),
    }
}

fn version(reader: &mut Reader<'_>, name: &str, version: &str) -> Option<(u32, KeyFrom)> {
    let at = |setting| ["keys", name, "versions", version, setting];
    let number = version.parse::<std::num::NonZeroU32>().ok().filter(|number| number.to_string() == version);
    if number.is_none() {
        let span = nowhere();
        reader.error(span, format!("a version of key `{name}` is a whole number above 0, not `{version}`"));
    }
    let file = reader.path(&at("file")).map(KeyFrom::File);
    let variable = reader.text(&at("env")).map(KeyFrom::Variable);
    let command = reader.list(&at("command")).filter(|words| !words.is_empty()).map(KeyFrom::Command);
    let mut sources = [file, variable, command].into_iter().flatten();
    match (sources.next(), sources.next()) {
        (Some(only), None) => Some((number?.get(), only)),
        (from, _) => {
            let is = if from.is_some() { "several sources" } else { "no source" };
            let span = nowhere();
            let message =
                format!("version {version} of key `{name}` has {is}: set one of `file`, `env` and `command`");
            reader.error(span, message);
            None
        }
    }
}

/// Errors of a key are not drawn where they are: somebody may have written the key itself there.
fn nowhere() -> Span {
    Span::default()
}
