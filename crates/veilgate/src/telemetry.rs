//! The gateway's own log, on standard error: text on a terminal, one JSON object a line otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts the log. `filter` is a level, or a list such as `info,pg_proxy=debug`.
pub(crate) fn start(filter: &str) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(filter).map_err(|error| format!("`{filter}` is no log level: {error}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    if io::stderr().is_terminal() { log.try_init() } else { log.json().flatten_event(true).try_init() }
        .map_err(|error| error.to_string())
}
