//! Where a database is, and who asks it, from a URL as libpq reads it. No text that is made here holds its password.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::config::StoreTls;

/// A database, and the login that the draft is made with.
pub(crate) struct Source {
    /// A name or an address; the folder of the unix socket where it begins with `/`.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: String,
    pub(crate) user: String,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) tls: StoreTls,
    pub(crate) ca_file: Option<PathBuf>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, user, password: _, tls, ca_file } = self;
        write!(f, "Source({user}@{host}:{port}/{database}, {tls:?}, {ca_file:?})")
    }
}

const FORM: &str = "it is written postgres://USER@HOST:PORT/DATABASE, what is special in a part as %20";
const TLS_HELP: &str = "say `?sslmode=verify-full&sslrootcert=FILE` with the authority of its certificate, or \
                        `?sslmode=disable` on a network that you trust";

impl Source {
    /// Reads a URL. An error never quotes it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        let rest = rest.ok_or_else(|| format!("--from is a URL: {FORM}"))?;
        // A password may hold an `@` that nobody has escaped; a host cannot.
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (place, database) = match rest.rsplit_once('@').map_or(rest, |(_, place)| place).split_once('/') {
            Some((place, database)) => (place, Some(database)),
            None => (rest.rsplit_once('@').map_or(rest, |(_, place)| place), None),
        };
        let login = rest.rsplit_once('@').map(|(login, _)| login.split_once(':').unwrap_or((login, "")));
        let mut parts = Parts::default();
        for (name, value) in query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')) {
            parts.take(&decoded(name)?, decoded(value)?)?;
        }
        let (host, port) = host_and_port(place)?;
        let host = set(host).or(parts.host).unwrap_or_else(|| "127.0.0.1".to_owned());
        if host.contains(',') {
            return Err("--from names several hosts: a store of the gateway is one".to_owned());
        }
        let (user, password) = login.unwrap_or_default();
        let user =
            set(decoded(user)?).or(parts.user).ok_or("--from names no user: who may read the catalogue?")?;
        let database = set(decoded(database.unwrap_or_default())?).or(parts.database);
        let (tls, ca_file) = tls(&host, parts.sslmode.as_deref(), parts.sslrootcert)?;
        Ok(Self {
            database: database.unwrap_or_else(|| user.clone()),
            host,
            port: port.or(parts.port).unwrap_or(5432),
            user,
            password: set(decoded(password)?).or(parts.password).map(Zeroizing::new),
            tls,
            ca_file,
        })
    }
}

fn decoded(part: &str) -> Result<String, String> {
    let text = percent_decode_str(part).decode_utf8();
    text.map(|text| text.into_owned()).map_err(|_| format!("--from is not UTF-8: {FORM}"))
}

fn set(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// `db:5432`, `[::1]:5432`, `%2Frun%2Fpostgresql`.
fn host_and_port(place: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match place.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.filter(|port| !port.is_empty()).map(number).transpose()?;
    Ok((decoded(host)?, port))
}

fn number(port: &str) -> Result<u16, String> {
    port.parse().map_err(|_| format!("the port in --from is no port: {FORM}"))
}

/// What stands behind the `?`.
#[derive(Default)]
struct Parts {
    host: Option<String>,
    port: Option<u16>,
    database: Option<String>,
    user: Option<String>,
    password: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<PathBuf>,
}

impl Parts {
    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "host" => self.host = Some(value),
            "port" => self.port = Some(number(&value)?),
            "dbname" => self.database = Some(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "sslmode" => self.sslmode = Some(value),
            "sslrootcert" => self.sslrootcert = Some(value.into()),
            // They change nothing that is kept.
            "application_name" | "connect_timeout" | "channel_binding" | "target_session_attrs" => {}
            _ => {
                return Err(format!(
                    "--from has a parameter that is not known here: `{}`",
                    crate::yaml::comment(name)
                ));
            }
        }
        Ok(())
    }
}

fn tls(
    host: &str,
    mode: Option<&str>,
    ca_file: Option<PathBuf>,
) -> Result<(StoreTls, Option<PathBuf>), String> {
    let is_here = host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let ca_file = ca_file.map(|path| std::path::absolute(&path).unwrap_or(path));
    let check = |check: StoreTls| match &ca_file {
        Some(path) if path.as_path() == Path::new("system") || path.ends_with("system") => {
            Err("sslrootcert=system: the gateway trusts a file of authorities only; name it".to_owned())
        }
        Some(path) => Ok((check, Some(path.clone()))),
        None => Err(format!("the server's certificate cannot be checked without an authority: {TLS_HELP}")),
    };
    match (mode, is_here) {
        (Some("disable"), _) => Ok((StoreTls::Off, None)),
        (Some("verify-full"), _) => check(StoreTls::Verify),
        (Some("verify-ca" | "require"), _) => check(StoreTls::Authority),
        (None | Some("allow" | "prefer"), true) if ca_file.is_none() => Ok((StoreTls::Off, None)),
        (None | Some("allow" | "prefer"), _) if ca_file.is_some() => check(StoreTls::Verify),
        (None | Some("allow" | "prefer"), _) => Err(format!(
            "the database is on another machine, and --from does not say how it is checked: {TLS_HELP}"
        )),
        (Some(_), _) => Err(format!("--from has an sslmode that is not known: {TLS_HELP}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match Source::parse(text) {
            Ok(source) => {
                format!("{source:?} {}", source.password.as_ref().map_or("", |password| password.as_str()))
            }
            Err(error) => error,
        }
    }

    #[test]
    fn urls_are_read_as_libpq_reads_them() {
        for (text, told) in [
            ("postgres://ann@127.0.0.1/crm", "Source(ann@127.0.0.1:5432/crm, Off, None) "),
            ("postgresql://ann:s%40x@localhost:5433/crm", "Source(ann@localhost:5433/crm, Off, None) s@x"),
            ("postgres://ann@[::1]/c%20d", "Source(ann@::1:5432/c d, Off, None) "),
            ("postgres:///crm?host=/run/pg&user=ann&password=x", "Source(ann@/run/pg:5432/crm, Off, None) x"),
            ("postgres://ann@%2Frun%2Fpg/crm", "Source(ann@/run/pg:5432/crm, Off, None) "),
            ("postgres://ann@db/crm?sslmode=disable", "Source(ann@db:5432/crm, Off, None) "),
            (
                "postgres://ann@db?sslmode=verify-full&sslrootcert=/ca",
                "Source(ann@db:5432/ann, Verify, Some(\"/ca\")) ",
            ),
        ] {
            assert_eq!(read(text), told, "{text}");
        }
    }

    #[test]
    fn an_error_says_what_to_do_and_quotes_nothing() {
        for (text, told) in [
            ("ann:hunter2@db/crm", "--from is a URL"),
            ("host=db password=hunter2", "--from is a URL"),
            ("postgres://ann:hunter2@db:port/crm", "is no port"),
            ("postgres://ann:hunter2@db/crm", "how it is checked"),
            ("postgres://ann:hunter2@db/crm?sslmode=require", "without an authority"),
            ("postgres://ann:hunter2@db/crm?sslmode=hunter2", "an sslmode that is not known"),
            ("postgres://ann:hunter2@db/crm?sslmode=verify-full&sslrootcert=system", "name it"),
            ("postgres://a,b/crm?user=ann&password=hunter2", "several hosts"),
            ("postgres://db/crm?password=hunter2", "names no user"),
            ("postgres://ann:hunter2@db/crm?options=hunter2", "`options`"),
        ] {
            let error = Source::parse(text).unwrap_err();
            assert!(error.contains(told) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
