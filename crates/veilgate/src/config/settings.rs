//! Every setting: where it stands, what it is without one, and what it does. `docs/configuration.md` is this list.

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Its place; `*` stands for a name that the configuration gives.
    pub(crate) path: &'static str,
    /// What holds where it is not set.
    pub(crate) default: Unset,
    /// What it does, in one line.
    pub(crate) doc: &'static str,
}

/// What holds where a setting is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unset {
    /// This value.
    Is(&'static str),
    /// Nothing; the doc line says what that means.
    Nothing,
    /// It has to be set.
    Required,
}

const fn setting(path: &'static str, default: Unset, doc: &'static str) -> Setting {
    Setting { path, default, doc }
}

use Unset::{Is, Nothing, Required};

/// All settings, in the order of the document.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("policy", Required, "The folder of the policy's files, all `*.yaml` in it."),
    setting(
        "callers_file",
        Nothing,
        "The file of the callers, in the form that `callers` has here. One of the two is set.",
    ),
    setting(
        "callers.*.verifier",
        Required,
        "How the caller proves who it is: what `veilgate verifier` prints.",
    ),
    setting("callers.*.purposes", Is("[]"), "The purposes that the caller may choose from at login."),
    setting(
        "callers.*.attributes.*",
        Nothing,
        "An attribute as the policy's `caller` block declares it: a text, or a list.",
    ),
    setting("audit.path", Required, "The file of the record, one JSON line each. Opened anew by a reload."),
    setting(
        "audit.durability",
        Is("os"),
        "When a record counts as written: `os`, when the system has it; on disk within 10 ms.",
    ),
    setting(
        "listeners.postgres.address",
        Is("127.0.0.1:6432"),
        "Where clients of Postgres connect: an IP address and a port.",
    ),
    setting(
        "listeners.postgres.tls",
        Is("require"),
        "`require` refuses clients without TLS, `allow` serves them too, `off` has none.",
    ),
    setting(
        "listeners.postgres.cert_file",
        Nothing,
        "The certificate chain, PEM. Without one the gateway signs its own at each start and prints its fingerprint.",
    ),
    setting("listeners.postgres.key_file", Nothing, "The private key of that certificate, PEM."),
    setting(
        "admin.socket",
        Is("veilgate.sock"),
        "The unix socket of `veilgate reload` and `health`, for the gateway's own user only.",
    ),
    setting(
        "admin.address",
        Nothing,
        "Where `/healthz` and `/readyz` are answered over HTTP: an IP address and a port, not for clients.",
    ),
    setting("stores.*.kind", Is("postgres"), "What the store is: `postgres`."),
    setting("stores.*.host", Is("127.0.0.1"), "The server's name or address."),
    setting("stores.*.port", Is("5432"), "The server's port."),
    setting("stores.*.socket", Nothing, "The folder of the server's unix socket, in place of `host`."),
    setting(
        "stores.*.database",
        Nothing,
        "The database. Without one: the store's own name. Clients name the store as their database.",
    ),
    setting("stores.*.user", Required, "The gateway's own login there. Callers have none."),
    setting(
        "stores.*.password_file",
        Nothing,
        "A file that holds the password; one line break at its end does not count.",
    ),
    setting(
        "stores.*.password_env",
        Nothing,
        "The environment variable that holds the password, in place of a file.",
    ),
    setting(
        "stores.*.tls.mode",
        Is("verify"),
        "`verify` checks the server's certificate and its name, `authority` the certificate alone, `off` has no TLS. A socket has none.",
    ),
    setting(
        "stores.*.tls.ca_file",
        Nothing,
        "The authorities that are trusted, PEM; or the server's own certificate. Needed unless `tls.mode` is `off`.",
    ),
    setting(
        "stores.*.extension_schemas",
        Is("[]"),
        "Schemas of trusted extensions, searched after `pg_catalog`. Nobody else may create in them.",
    ),
    setting("stores.*.pool.connections_max", Is("50"), "Connections to the server at once."),
    setting("stores.*.pool.wait_ms_max", Is("10000"), "How long a statement waits for a free connection."),
    setting("stores.*.pool.age_ms_max", Is("3600000"), "How old a connection gets before it is replaced."),
    setting("stores.*.pool.statements_max", Is("256"), "Prepared statements that one connection keeps."),
    setting("stores.*.pool.connect_ms_max", Is("5000"), "How long a new connection may take."),
    setting(
        "stores.*.settings.*",
        Nothing,
        "A setting of the server for all sessions, such as `statement_timeout`.",
    ),
    setting(
        "stores.*.catalog_refresh_ms",
        Is("5000"),
        "How often the gateway looks whether the server's tables have changed; a reload looks, too.",
    ),
    setting(
        "keys.*.version",
        Nothing,
        "The version of the key that is used. Needed where there are several.",
    ),
    setting(
        "keys.*.versions.*.file",
        Nothing,
        "A file that holds this version: 32 to 4096 bytes; one line break at its end does not count. It is for the gateway's own user only.",
    ),
    setting(
        "keys.*.versions.*.env",
        Nothing,
        "The environment variable that holds this version, in place of a file.",
    ),
    setting(
        "keys.*.versions.*.command",
        Nothing,
        "A program with its arguments that prints this version, in place of a file. It runs at each start and reload.",
    ),
    setting("hash.key", Nothing, "The key that the mask `hash` uses. Needed where there are several."),
    setting("limits.connections_max", Is("1000"), "Clients at once."),
    setting("limits.login_ms_max", Is("10000"), "How long a client may take to log in."),
    setting(
        "limits.idle_ms_max",
        Is("86400000"),
        "How long a session may do nothing outside of a transaction.",
    ),
    setting(
        "limits.transaction_idle_ms_max",
        Is("300000"),
        "How long a session may do nothing inside a transaction, where it holds a connection.",
    ),
    setting(
        "limits.message_bytes_max",
        Is("16777216"),
        "The longest message of a client, parameters included.",
    ),
    setting("limits.statement_bytes_max", Is("1048576"), "The longest text of a statement."),
    setting("limits.nesting_max", Is("1000"), "The deepest nesting of a statement."),
    setting("limits.statements_max", Is("1000"), "Prepared statements of one session."),
    setting("limits.drain_ms_max", Is("30000"), "How long a shutdown waits for transactions to end."),
];

/// The environment variable that overrides the setting at this place.
pub(crate) fn variable(path: &str) -> String {
    let upper = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("VEILGATE_{}", path.chars().map(upper).collect::<String>())
}

/// Whether a place is one that the pattern means.
pub(crate) fn fits(pattern: &str, path: &[&str]) -> bool {
    let mut parts = pattern.split('.');
    path.iter().all(|name| parts.next().is_some_and(|part| part == "*" || part == *name))
        && parts.next().is_none()
}
