//! The callers: who may log in, how they prove it, and what the policy is told of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use access::Identity;
use pg_proxy::scram::Verifier;
use policy::{Diagnostic, Source, document};

use super::reader::Reader;
use super::{Environment, source};

/// All callers by their names.
pub(crate) type Callers = BTreeMap<Arc<str>, CallerEntry>;

/// One caller.
#[derive(Debug, Clone)]
pub(crate) struct CallerEntry {
    /// What proves them: `SCRAM-SHA-256$…`.
    pub(crate) verifier: Verifier,
    pub(crate) identity: Arc<Identity>,
}

/// Reads a file of callers.
pub(crate) fn read_callers(path: &Path) -> Result<Callers, Vec<Diagnostic>> {
    callers_of(&source(path)?)
}

/// The callers that the text of such a file holds. One that holds nothing but comments has none yet.
pub(crate) fn callers_of(source: &Source) -> Result<Callers, Vec<Diagnostic>> {
    if source.text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
        return Ok(Callers::new());
    }
    let root = document::read(source)?;
    // What the file holds is what stands below `callers` in a configuration. No variable overrides it.
    let environment = Environment::default();
    let mut reader = Reader::below(source, &root, &environment, &["callers"]);
    let callers = callers(&mut reader);
    match callers {
        Some(callers) if reader.errors.is_empty() => Ok(callers),
        _ => Err(reader.errors),
    }
}

/// The callers that the document holds.
pub(crate) fn callers(reader: &mut Reader<'_>) -> Option<Callers> {
    let names = reader.names(&["callers"]);
    let entries: Vec<Option<(Arc<str>, CallerEntry)>> =
        names.iter().map(|(name, _)| caller(reader, name)).collect();
    entries.into_iter().collect()
}

fn caller(reader: &mut Reader<'_>, name: &str) -> Option<(Arc<str>, CallerEntry)> {
    let verifier = reader.text(&["callers", name, "verifier"]);
    let purposes = reader.list(&["callers", name, "purposes"]).unwrap_or_default();
    let mut attributes = BTreeMap::new();
    for (attribute, _) in reader.names(&["callers", name, "attributes"]) {
        if let Some(values) = reader.list(&["callers", name, "attributes", &attribute]) {
            attributes.insert(attribute, values);
        }
    }
    let Ok(verifier) = Verifier::parse(&verifier?) else {
        // Not where the verifier stands: it may be a password, and an error is drawn with its line.
        let span = reader.span(&["callers", name]);
        let error = reader.located(span, format!("the verifier of `{name}` is not a SCRAM-SHA-256 verifier"));
        reader.errors.push(error.help("`veilgate verifier` makes one from a password"));
        return None;
    };
    let id: Arc<str> = name.into();
    let identity = Arc::new(Identity { id: Arc::clone(&id), attributes, purposes });
    Some((id, CallerEntry { verifier, identity }))
}
