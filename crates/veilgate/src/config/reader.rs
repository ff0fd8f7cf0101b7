//! A document and the environment to typed settings. Every error is kept, with its place, until all are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use policy::document::{Kind, Node, Scalar};
use policy::{Diagnostic, Source, Span};

use super::settings::{SETTINGS, Unset, fits, variable};

/// What stands at one place.
enum Found {
    Text(String, Span),
    List(Vec<(String, Span)>, Span),
}

/// The settings of one document, and what was wrong with it so far.
pub(crate) struct Reader<'a> {
    source: &'a Source,
    environment: &'a Environment,
    /// The settings by their place; a name that holds a dot stays one part.
    found: BTreeMap<Vec<String>, Found>,
    /// The names that stand below `stores`, `callers` and the like, with their places.
    names: BTreeMap<Vec<String>, Span>,
    pub(crate) errors: Vec<Diagnostic>,
}

/// The variables that override settings: each a little document of its own, so that errors are drawn like others.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    variables: BTreeMap<String, Source>,
}

impl Environment {
    /// Keeps the variables that can be meant for settings.
    pub(crate) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let ours = variables.into_iter().filter(|(name, _)| name.starts_with("VEILGATE_"));
        let source = |(name, value): (String, String)| {
            let text = format!("{name}={value}");
            (name, Source { path: "environment".into(), text })
        };
        Self { variables: ours.map(source).collect() }
    }

    fn get(&self, name: &str) -> Option<(&Source, &str, Span)> {
        let source = self.variables.get(name)?;
        let value = source.text.get(name.len() + 1..).unwrap_or_default();
        Some((source, value, Span { start: name.len() + 1, end: source.text.len() }))
    }
}

impl<'a> Reader<'a> {
    /// Takes the document apart and says which of its keys mean nothing.
    pub(crate) fn new(source: &'a Source, root: &Node, environment: &'a Environment) -> Self {
        Self::below(source, root, environment, &[])
    }

    /// The same for a document that stands for the part of a configuration below `prefix`.
    pub(crate) fn below(
        source: &'a Source,
        root: &Node,
        environment: &'a Environment,
        prefix: &[&str],
    ) -> Self {
        let mut reader =
            Self { source, environment, found: BTreeMap::new(), names: BTreeMap::new(), errors: Vec::new() };
        let path: Vec<String> = prefix.iter().map(|part| (*part).to_owned()).collect();
        reader.take_apart(root, &path);
        reader
    }

    fn take_apart(&mut self, node: &Node, path: &[String]) {
        let parts: Vec<&str> = path.iter().map(String::as_str).collect();
        if SETTINGS.iter().any(|setting| fits(setting.path, &parts)) {
            self.take_value(node, path);
            return;
        }
        match &node.kind {
            Kind::Mapping(entries) => {
                for (key, value) in entries {
                    self.take_entry(key, value, path);
                }
            }
            // A section with nothing in it.
            Kind::Scalar(scalar) if scalar.is_empty() => {}
            kind @ (Kind::Scalar(_) | Kind::Sequence(_)) => {
                let message = format!(
                    "`{}` is a section with settings of its own, not {}",
                    path.join("."),
                    kind.noun()
                );
                self.error(drawn(path, node.span), message);
            }
        }
    }

    fn take_entry(&mut self, key: &Scalar, value: &Node, path: &[String]) {
        let mut path = path.to_vec();
        path.push(key.text.clone());
        let known = siblings(&path);
        if known.contains(&"*") {
            self.names.insert(path.clone(), key.span);
        } else if !known.contains(&key.text.as_str()) {
            let error = self
                .source
                .error(drawn(&path, key.span), format!("there is no setting `{}`", path.join(".")));
            self.errors.push(error.suggest(&key.text, known));
            return;
        }
        self.take_apart(value, &path);
    }

    fn take_value(&mut self, node: &Node, path: &[String]) {
        let found = match &node.kind {
            // Written, but not set.
            Kind::Scalar(scalar) if scalar.is_null() || scalar.is_empty() => return,
            Kind::Scalar(scalar) => Found::Text(scalar.text.clone(), scalar.span),
            Kind::Sequence(items) => {
                let mut texts = Vec::new();
                for item in items {
                    match &item.kind {
                        Kind::Scalar(scalar) => texts.push((scalar.text.clone(), scalar.span)),
                        kind @ (Kind::Sequence(_) | Kind::Mapping(_)) => {
                            self.error(item.span, format!("a text is needed here, not {}", kind.noun()));
                        }
                    }
                }
                Found::List(texts, node.span)
            }
            kind @ Kind::Mapping(_) => {
                let span = drawn(path, node.span);
                self.error(span, format!("`{}` is one value, not {}", path.join("."), kind.noun()));
                return;
            }
        };
        self.found.insert(path.to_vec(), found);
    }

    /// An error at a place of the document.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(self.source.error(span, message));
    }

    /// The same, to be given a help line.
    pub(crate) fn located(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        self.source.error(span, message)
    }

    /// Whether the setting is set at all, here or by a variable.
    pub(crate) fn is_set(&self, path: &[&str]) -> bool {
        self.found.contains_key(&owned(path)) || self.environment.get(&variable(&path.join("."))).is_some()
    }

    /// The names below a section, in their order.
    pub(crate) fn names(&self, section: &[&str]) -> Vec<(String, Span)> {
        let below = |path: &[String]| {
            path.len() == section.len() + 1 && path.iter().zip(section).all(|(part, name)| part == name)
        };
        let named = self.names.iter().filter(|(path, _)| below(path));
        named.filter_map(|(path, span)| Some((path.last()?.clone(), *span))).collect()
    }

    /// The setting as a type that reads itself from text; its default where it is not set.
    pub(crate) fn parsed<T: FromStr>(&mut self, path: &[&str], what: &str) -> Option<T> {
        let (text, span, source) = self.text_at(path)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            let message = format!("`{}` is {what}, not `{text}`", path.join("."));
            self.errors.push(source.error(span, message));
        }
        parsed
    }

    /// The setting as one of these words.
    pub(crate) fn word<T: Copy>(&mut self, path: &[&str], words: &[(&str, T)]) -> Option<T> {
        let (text, span, source) = self.text_at(path)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let listed = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let error = source.error(span, format!("`{}` is one of {listed}, not `{text}`", path.join(".")));
        self.errors.push(error.suggest(&text, words.iter().map(|(word, _)| *word)));
        None
    }

    /// The setting as a text that is not empty.
    pub(crate) fn text(&mut self, path: &[&str]) -> Option<String> {
        let (text, span, source) = self.text_at(path)?;
        if text.is_empty() {
            self.errors.push(source.error(span, format!("`{}` is empty", path.join("."))));
            return None;
        }
        Some(text)
    }

    /// The setting as a path; one that is relative starts at the folder of the document.
    pub(crate) fn path(&mut self, path: &[&str]) -> Option<PathBuf> {
        let text = self.text(path)?;
        Some(self.folder().join(text))
    }

    fn folder(&self) -> PathBuf {
        Path::new(&self.source.path).parent().map(Path::to_owned).unwrap_or_default()
    }

    /// The setting as a list of texts; a single text is a list of one, and in a variable commas part them.
    pub(crate) fn list(&mut self, path: &[&str]) -> Option<Vec<String>> {
        if let Some((_, value, _)) = self.environment.get(&variable(&path.join("."))) {
            let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
            return Some(items.map(str::to_owned).collect());
        }
        match self.found.get(&owned(path))? {
            Found::Text(text, _) => Some(vec![text.clone()]),
            Found::List(items, _) => Some(items.iter().map(|(text, _)| text.clone()).collect()),
        }
    }

    /// Where the setting stands, for errors that concern it and others.
    pub(crate) fn span(&self, path: &[&str]) -> Span {
        match self.found.get(&owned(path)) {
            Some(Found::Text(_, span) | Found::List(_, span)) => *span,
            None => self.names.get(&owned(path)).copied().unwrap_or_default(),
        }
    }

    /// From the environment, else from the document, else the default.
    fn text_at(&mut self, path: &[&str]) -> Option<(String, Span, &'a Source)> {
        if let Some((source, value, span)) = self.environment.get(&variable(&path.join("."))) {
            return Some((value.to_owned(), span, source));
        }
        match self.found.get(&owned(path)) {
            Some(Found::Text(text, span)) => return Some((text.clone(), *span, self.source)),
            Some(Found::List(_, span)) => {
                let message = format!("`{}` is one value, not a list", path.join("."));
                self.errors.push(self.source.error(*span, message));
                return None;
            }
            None => {}
        }
        let setting = SETTINGS.iter().find(|setting| fits(setting.path, path))?;
        match setting.default {
            Unset::Is(value) => Some((value.to_owned(), Span::default(), self.source)),
            Unset::Nothing => None,
            Unset::Required => {
                let message = format!("`{}` is not set", path.join("."));
                let error = self.source.error(self.section_span(path), message);
                let help = format!("{} Or set {}.", setting.doc, variable(&path.join(".")));
                self.errors.push(error.help(help));
                None
            }
        }
    }

    /// Where the named thing stands that lacks a setting; the start of the document where there is none.
    fn section_span(&self, path: &[&str]) -> Span {
        let within = |length: usize| self.names.get(&owned(path.get(..length).unwrap_or_default())).copied();
        (1..path.len()).rev().find_map(within).unwrap_or_default()
    }
}

/// Where an error is drawn: not where a key may have been written instead of where it is.
fn drawn(path: &[String], span: Span) -> Span {
    if path.first().is_some_and(|part| part == "keys") { Span::default() } else { span }
}

/// The names that can stand where the last part of the path stands.
fn siblings(path: &[String]) -> Vec<&'static str> {
    let (Some(depth), mut known) = (path.len().checked_sub(1), Vec::new()) else { return Vec::new() };
    for setting in SETTINGS {
        let parts: Vec<&'static str> = setting.path.split('.').collect();
        let leads_here = parts.iter().zip(path).take(depth).all(|(part, name)| *part == "*" || part == name);
        if let Some(part) = parts.get(depth)
            && leads_here
            && !known.contains(part)
        {
            known.push(*part);
        }
    }
    known
}

fn owned(path: &[&str]) -> Vec<String> {
    path.iter().map(|part| (*part).to_owned()).collect()
}
