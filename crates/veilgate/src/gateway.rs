//! From the configuration to what decides and serves: policy, callers, stores and their catalogues.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::{Catalog, Identity, Refusal};
use gate::Identities;
use pg_proxy::login::{Login, Logins};
use pg_proxy::upstream::{Password as Secret, UpstreamConfig};
use policy::{Diagnostic, Policy, Source};

use crate::config::{self, CallerEntry, Callers, CallersFrom, Config, Password, Store};
use crate::error::Error;
use crate::tls;

/// Reads a folder of policy files, and the lock of fields beside them.
pub(crate) fn policy(folder: &Path) -> Result<Policy, Vec<Diagnostic>> {
    let mut sources = policy_sources(folder)?;
    let lock = folder.join(policy::LOCK);
    if lock.exists() {
        sources.push(config::source(&lock)?);
    }
    policy::parse(&sources)
}

/// The same before its lock is written: what an old one says does not matter.
pub(crate) fn unlocked_policy(folder: &Path) -> Result<Policy, Vec<Diagnostic>> {
    let mut sources = policy_sources(folder)?;
    sources.push(policy::empty_lock(&folder.join(policy::LOCK).display().to_string()));
    policy::parse(&sources)
}

/// The files of a policy, in the order of their names.
fn policy_sources(folder: &Path) -> Result<Vec<Source>, Vec<Diagnostic>> {
    let nothing = |message: String| {
        let source = Source { path: folder.display().to_string(), text: String::new() };
        vec![source.error(policy::Span::default(), message)]
    };
    let entries =
        fs::read_dir(folder).map_err(|error| nothing(format!("cannot read the folder: {error}")))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| nothing(format!("cannot read the folder: {error}")))?.path();
        if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(nothing("there is no policy file in this folder".into()));
    }
    paths.sort();
    let (mut sources, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        match config::source(&path) {
            Ok(source) => sources.push(source),
            Err(error) => errors.extend(error),
        }
    }
    if errors.is_empty() { Ok(sources) } else { Err(errors) }
}

/// The callers of a configuration, wherever they stand.
pub(crate) fn callers(config: &Config) -> Result<Callers, Vec<Diagnostic>> {
    match &config.callers {
        CallersFrom::Here(callers) => Ok(callers.clone()),
        CallersFrom::File(path) => config::read_callers(path),
    }
}

/// The purposes with which the policy would not let somebody log in, and why. Without any purpose the one is none.
pub(crate) fn cannot_log_in<'a>(policy: &Policy, identity: &'a Identity) -> Vec<(Option<&'a str>, Refusal)> {
    let purposes: Vec<Option<&str>> = match &identity.purposes[..] {
        [] => vec![None],
        purposes => purposes.iter().map(|purpose| Some(purpose.as_str())).collect(),
    };
    let refused = |purpose| Some((purpose, policy.caller(identity, purpose).err()?));
    purposes.into_iter().filter_map(refused).collect()
}

/// What the gate knows of the callers.
pub(crate) fn identities(callers: &Callers) -> Identities {
    let identity = |(id, entry): (&Arc<str>, &CallerEntry)| (Arc::clone(id), Arc::clone(&entry.identity));
    Arc::new(callers.iter().map(identity).collect::<HashMap<_, _>>())
}

/// What the listener knows of them.
pub(crate) fn logins(callers: &Callers) -> Result<Logins, Error> {
    let login = |entry: &CallerEntry| Login {
        identity: Arc::clone(&entry.identity),
        verifier: entry.verifier.clone(),
    };
    Logins::new(callers.values().map(login)).map_err(|error| Error::Message(error.to_string()))
}

/// How a store is reached.
pub(crate) fn upstream(store: &Store) -> Result<UpstreamConfig, Error> {
    Ok(UpstreamConfig {
        host: store.host.clone(),
        port: store.port,
        database: store.database.clone(),
        user: store.user.clone(),
        password: secret(&store.password)?.map(Secret::new),
        tls: tls::client(store.tls, store.ca_file.as_deref())?,
        extension_schemas: store.extension_schemas.clone(),
        settings: store.settings.clone(),
        connect_ms_max: store.pool.connect_ms_max,
    })
}

fn secret(password: &Password) -> Result<Option<String>, Error> {
    match password {
        Password::None => Ok(None),
        Password::File(path) => {
            let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(Some(text.strip_suffix('\r').unwrap_or(text).to_owned()))
        }
        Password::Variable(name) => match std::env::var(name) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                Err(Error::Message(format!("the variable `{name}` with a store's password: {error}")))
            }
        },
    }
}

/// The catalogue of a store, as it is now.
pub(crate) async fn catalog(name: &str, upstream: &UpstreamConfig) -> Result<Arc<Catalog>, Error> {
    let loading = pg_proxy::catalog::load(upstream, name);
    let limit = Duration::from_millis(upstream.connect_ms_max) + CATALOG_READ_MAX;
    match tokio::time::timeout(limit, loading).await {
        Ok(Ok(catalog)) => Ok(Arc::new(catalog)),
        Ok(Err(error)) => Err(Error::Message(format!("store `{name}`: cannot read its catalogue: {error}"))),
        Err(_) => Err(Error::Message(format!("store `{name}`: its catalogue took too long to read"))),
    }
}

/// A catalogue of a store that can be served.
pub(crate) fn trusted(catalog: Arc<Catalog>) -> Result<Arc<Catalog>, Error> {
    match &catalog.added.untrusted {
        Some(reason) => {
            Err(Error::Message(format!("store `{}`: {reason}, and so it is not served", catalog.store)))
        }
        None => Ok(catalog),
    }
}

/// How long a catalogue may take to be read once connected.
const CATALOG_READ_MAX: Duration = Duration::from_secs(60);
