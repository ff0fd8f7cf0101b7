//! `veilgate reload`: a running gateway takes the policy and the callers as they are now.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::{admin, config, output};

/// Make the running gateway read its policy and its callers again
///
/// It holds for the next statement of every session, open ones too. A policy with an error changes nothing: the old one
/// stays, and the errors are printed here.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate reload\n  veilgate reload --socket /run/veilgate.sock\n\n\
    A SIGHUP to the gateway does the same; its answer is in the gateway's log.")]
pub(crate) struct Reload {
    /// The admin socket of the gateway; without it the one of the configuration
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

impl Reload {
    pub(crate) fn run(&self, config_file: &Path) -> Result<(), Error> {
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => config::load(config_file)?.admin_socket,
        };
        let answer = admin::ask(&socket, "reload")?;
        let text =
            |key: &str| answer.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        if answer.get("ok") != Some(&true.into()) {
            return Err(Error::Message(format!("the old policy still holds\n{}", text("error"))));
        }
        for warning in answer.get("warnings").and_then(serde_json::Value::as_array).into_iter().flatten() {
            output::line(format_args!("{}\n", warning.as_str().unwrap_or_default()));
        }
        let number = |key: &str| answer.get(key).and_then(serde_json::Value::as_u64).unwrap_or_default();
        output::line(format_args!(
            "policy {} holds, generation {}, callers {}",
            text("revision"),
            number("generation"),
            number("callers")
        ));
        Ok(())
    }
}
