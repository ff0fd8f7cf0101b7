//! The configuration: one file and the environment, checked as a whole before anything starts.

mod callers;
mod keys;
mod reader;
mod settings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use policy::{Diagnostic, Source, document};

pub(crate) use callers::{CallerEntry, Callers, callers_of, read_callers};
pub(crate) use keys::{Key, KeyFrom};
pub(crate) use reader::Environment;
use reader::Reader;

/// A configuration that was read whole and is without an error of its own.
#[derive(Debug)]
pub(crate) struct Config {
    /// The folder of the policy.
    pub(crate) policy: PathBuf,
    pub(crate) callers: CallersFrom,
    pub(crate) audit: PathBuf,
    pub(crate) postgres: Listener,
    pub(crate) admin_socket: PathBuf,
    /// Where health is told over HTTP, if anywhere.
    pub(crate) admin_address: Option<SocketAddr>,
    pub(crate) stores: Vec<Store>,
    pub(crate) limits: Limits,
    /// The key of the mask `hash`.
    pub(crate) hash_key: Option<Key>,
}

/// Where the callers stand.
#[derive(Debug)]
pub(crate) enum CallersFrom {
    /// In a file of their own, read anew by a reload.
    File(PathBuf),
    /// In the configuration.
    Here(Callers),
}

/// Where clients connect.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) tls: ListenerTls,
    /// Certificate and key; signed by the gateway itself where there are none.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
}

/// Whether clients come by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListenerTls {
    Require,
    Allow,
    Off,
}

/// A store behind the gateway.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) name: String,
    /// A name or an address; the folder of the unix socket where it begins with `/`.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Password,
    pub(crate) tls: StoreTls,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) extension_schemas: Vec<String>,
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) pool: Pool,
    pub(crate) catalog_refresh_ms: u64,
}

/// What bounds the connections to a store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pool {
    pub(crate) connections_max: usize,
    pub(crate) wait_ms_max: u64,
    pub(crate) age_ms_max: u64,
    pub(crate) connect_ms_max: u64,
    pub(crate) statements_max: usize,
}

/// Where a password comes from. It never stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Password {
    None,
    File(PathBuf),
    Variable(String),
}

/// Whether the gateway goes to a store by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreTls {
    Verify,
    Authority,
    Off,
}

/// What no client may exceed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections_max: usize,
    pub(crate) login_ms_max: u64,
    pub(crate) idle_ms_max: u64,
    pub(crate) transaction_idle_ms_max: u64,
    pub(crate) message_bytes_max: usize,
    pub(crate) statement_bytes_max: usize,
    pub(crate) nesting_max: usize,
    pub(crate) statements_max: usize,
    pub(crate) drain_ms_max: u64,
}

/// Reads the configuration file, and the environment over it.
pub(crate) fn load(path: &Path) -> Result<Config, Vec<Diagnostic>> {
    read(&source(path)?, &Environment::new(std::env::vars()))
}

/// A file's text, or the error that it cannot be read.
pub(crate) fn source(path: &Path) -> Result<Source, Vec<Diagnostic>> {
    let mut source = Source { path: path.display().to_string(), text: String::new() };
    match std::fs::read_to_string(path) {
        Ok(text) => source.text = text,
        Err(error) => {
            return Err(vec![source.error(policy::Span::default(), format!("cannot read it: {error}"))]);
        }
    }
    Ok(source)
}

/// The whole configuration, or everything that is wrong with it.
pub(crate) fn read(source: &Source, environment: &Environment) -> Result<Config, Vec<Diagnostic>> {
    let root = document::read(source)?;
    let mut reader = Reader::new(source, &root, environment);
    let config = assemble(&mut reader);
    let mut errors = reader.errors;
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => {
            errors.sort_by(|one, other| (&one.path, one.span).cmp(&(&other.path, other.span)));
            Err(errors)
        }
    }
}

/// Everything is read before anything is given up, so that all errors are known.
fn assemble(reader: &mut Reader<'_>) -> Option<Config> {
    let policy = reader.path(&["policy"]);
    let callers = callers_from(reader);
    let audit = reader.path(&["audit", "path"]);
    // `disk` comes with its own figures; until then a record is as durable as the system makes it.
    reader.word(&["audit", "durability"], &[("os", ())]);
    let postgres = listener(reader);
    let admin_socket = reader.path(&["admin", "socket"]);
    let admin_address = admin_address(reader);
    let stores = stores(reader);
    let limits = limits(reader);
    let hash_key = keys::hash_key(reader);
    Some(Config {
        policy: policy?,
        callers: callers?,
        audit: audit?,
        postgres: postgres?,
        admin_socket: admin_socket?,
        admin_address: admin_address?,
        stores: stores?,
        limits: limits?,
        hash_key: hash_key?,
    })
}

fn callers_from(reader: &mut Reader<'_>) -> Option<CallersFrom> {
    let file = reader.path(&["callers_file"]);
    let inline = !reader.names(&["callers"]).is_empty();
    match (file, inline) {
        (Some(path), false) => Some(CallersFrom::File(path)),
        (None, true) => callers::callers(reader).map(CallersFrom::Here),
        (Some(_), true) => {
            let span = reader.span(&["callers_file"]);
            reader.error(span, "callers stand here and in a file: only one of the two may be");
            None
        }
        (None, false) => {
            reader.error(
                policy::Span::default(),
                "there are no callers: set `callers_file`, or write `callers` here",
            );
            None
        }
    }
}

fn admin_address(reader: &mut Reader<'_>) -> Option<Option<SocketAddr>> {
    let at = ["admin", "address"];
    if !reader.is_set(&at) {
        return Some(None);
    }
    reader.parsed(&at, "an IP address and a port such as `127.0.0.1:6433`").map(Some)
}

fn listener(reader: &mut Reader<'_>) -> Option<Listener> {
    let at = |name| ["listeners", "postgres", name];
    let address = reader.parsed(&at("address"), "an IP address and a port such as `127.0.0.1:6432`");
    let words = [("require", ListenerTls::Require), ("allow", ListenerTls::Allow), ("off", ListenerTls::Off)];
    let tls = reader.word(&at("tls"), &words);
    let certificate = match (reader.path(&at("cert_file")), reader.path(&at("key_file"))) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) => {
            let span = reader.span(&at("cert_file"));
            reader.error(span, "a certificate needs `listeners.postgres.key_file` too");
            None
        }
        (None, Some(_)) => {
            let span = reader.span(&at("key_file"));
            reader.error(span, "a key needs `listeners.postgres.cert_file` too");
            None
        }
    };
    Some(Listener { address: address?, tls: tls?, certificate })
}

fn stores(reader: &mut Reader<'_>) -> Option<Vec<Store>> {
    let names = reader.names(&["stores"]);
    if names.is_empty() {
        reader.error(policy::Span::default(), "there is no store: name one under `stores`");
        return None;
    }
    // All are read before one that is wrong gives up the whole.
    let stores: Vec<Option<Store>> = names.iter().map(|(name, _)| store(reader, name)).collect();
    stores.into_iter().collect()
}

fn store(reader: &mut Reader<'_>, name: &str) -> Option<Store> {
    let at = |setting| ["stores", name, setting];
    let kind = reader.word(&at("kind"), &[("postgres", ())]);
    let host = host(reader, name);
    let port = reader.parsed(&at("port"), "a port");
    let database = reader.text(&at("database")).unwrap_or_else(|| name.to_owned());
    let user = reader.text(&at("user"));
    let password = password(reader, name);
    let tls = store_tls(reader, name, host.as_deref());
    let pool = pool(reader, name);
    let catalog_refresh_ms = millis(reader, &at("catalog_refresh_ms"));
    let extension_schemas = reader.list(&at("extension_schemas")).unwrap_or_default();
    let settings = reader.names(&at("settings")).into_iter().filter_map(|(setting, _)| {
        let value = reader.text(&["stores", name, "settings", &setting])?;
        Some((setting, value))
    });
    let settings = settings.collect();
    let (tls, ca_file) = tls?;
    kind?;
    Some(Store {
        name: name.to_owned(),
        host: host?,
        port: port?,
        database,
        user: user?,
        password: password?,
        tls,
        ca_file,
        extension_schemas,
        settings,
        pool: pool?,
        catalog_refresh_ms: catalog_refresh_ms?,
    })
}

fn host(reader: &mut Reader<'_>, name: &str) -> Option<String> {
    let (host_at, socket_at) = (["stores", name, "host"], ["stores", name, "socket"]);
    let host = reader.text(&host_at);
    let Some(folder) = reader.path(&socket_at) else { return host };
    if reader.is_set(&host_at) {
        let span = reader.span(&socket_at);
        reader.error(span, format!("store `{name}` has a host and a socket: only one of the two may be"));
    }
    std::path::absolute(folder).ok()?.to_str().map(str::to_owned)
}

fn pool(reader: &mut Reader<'_>, name: &str) -> Option<Pool> {
    let at = |setting| ["stores", name, "pool", setting];
    let connections_max = count(reader, &at("connections_max"));
    let wait_ms_max = millis(reader, &at("wait_ms_max"));
    let age_ms_max = millis(reader, &at("age_ms_max"));
    let connect_ms_max = millis(reader, &at("connect_ms_max"));
    let statements_max = count(reader, &at("statements_max"));
    Some(Pool {
        connections_max: connections_max?,
        wait_ms_max: wait_ms_max?,
        age_ms_max: age_ms_max?,
        connect_ms_max: connect_ms_max?,
        statements_max: statements_max?,
    })
}

fn password(reader: &mut Reader<'_>, name: &str) -> Option<Password> {
    let (file_at, env_at) = (["stores", name, "password_file"], ["stores", name, "password_env"]);
    match (reader.path(&file_at), reader.text(&env_at)) {
        (None, None) => Some(Password::None),
        (Some(path), None) => Some(Password::File(path)),
        (None, Some(variable)) => Some(Password::Variable(variable)),
        (Some(_), Some(_)) => {
            let span = reader.span(&env_at);
            reader.error(span, format!("store `{name}` has two passwords: only a file or a variable may be"));
            None
        }
    }
}

fn store_tls(reader: &mut Reader<'_>, name: &str, host: Option<&str>) -> Option<(StoreTls, Option<PathBuf>)> {
    let (mode_at, ca_at) = (["stores", name, "tls", "mode"], ["stores", name, "tls", "ca_file"]);
    let words = [("verify", StoreTls::Verify), ("authority", StoreTls::Authority), ("off", StoreTls::Off)];
    let mode = reader.word(&mode_at, &words)?;
    let ca_file = reader.path(&ca_at);
    if host.is_some_and(|host| host.starts_with('/')) {
        return Some((StoreTls::Off, None));
    }
    if mode != StoreTls::Off && ca_file.is_none() {
        let span = reader.span(&["stores", name]);
        let error = reader.located(
            span,
            format!("store `{name}` is to be verified, but `stores.{name}.tls.ca_file` is not set"),
        );
        reader.errors.push(
            error.help("name the authority's file; or write `tls: {mode: off}` on a network that you trust"),
        );
        return None;
    }
    Some((mode, ca_file))
}

fn limits(reader: &mut Reader<'_>) -> Option<Limits> {
    let at = |name| ["limits", name];
    let connections_max = count(reader, &at("connections_max"));
    let login_ms_max = millis(reader, &at("login_ms_max"));
    let idle_ms_max = millis(reader, &at("idle_ms_max"));
    let transaction_idle_ms_max = millis(reader, &at("transaction_idle_ms_max"));
    let message_bytes_max = count(reader, &at("message_bytes_max"));
    let statement_bytes_max = count(reader, &at("statement_bytes_max"));
    let nesting_max = count(reader, &at("nesting_max"));
    let statements_max = count(reader, &at("statements_max"));
    let drain_ms_max = millis(reader, &at("drain_ms_max"));
    Some(Limits {
        connections_max: connections_max?,
        login_ms_max: login_ms_max?,
        idle_ms_max: idle_ms_max?,
        transaction_idle_ms_max: transaction_idle_ms_max?,
        message_bytes_max: message_bytes_max?,
        statement_bytes_max: statement_bytes_max?,
        nesting_max: nesting_max?,
        statements_max: statements_max?,
        drain_ms_max: drain_ms_max?,
    })
}

fn count(reader: &mut Reader<'_>, path: &[&str]) -> Option<usize> {
    reader.parsed::<std::num::NonZeroU32>(path, "a whole number above 0").map(|count| count.get() as usize)
}

fn millis(reader: &mut Reader<'_>, path: &[&str]) -> Option<u64> {
    let millis = reader.parsed::<std::num::NonZeroU32>(path, "a number of milliseconds above 0");
    millis.map(|millis| millis.get().into())
}

#[cfg(test)]
mod tests;
