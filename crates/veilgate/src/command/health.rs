//! `veilgate health`: whether the running gateway lives and can serve.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::{admin, config, output};

/// Ask the running gateway whether it is ready to serve
///
/// It is, where its policy and the catalogue of each store are loaded, the record can be written, and each store lets it in.
/// The exit code is 0 where all of that is so. Over HTTP the same is answered by /readyz and /healthz, where the
/// configuration sets `admin.address`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate health\n  veilgate health --alive\n  \
    curl --fail http://127.0.0.1:6433/readyz      with admin.address: 127.0.0.1:6433")]
pub(crate) struct Health {
    /// Ask only whether the process lives
    #[arg(long)]
    alive: bool,

    /// The admin socket of the gateway; without it the one of the configuration
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

impl Health {
    pub(crate) fn run(&self, config_file: &Path) -> Result<(), Error> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => config::load(config_file)?.admin_socket,
        };
        let answer = admin::ask(&socket, if self.alive { "health" } else { "ready" })?;
        output::line(answer.get("text").and_then(serde_json::Value::as_str).unwrap_or_default().trim_end());
        if answer.get("ok") == Some(&true.into()) { Ok(()) } else { Err(Error::Problems) }
    }
}
