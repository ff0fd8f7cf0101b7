//! `veilgate version`: what this executable is.

use crate::output;

/// Print the version of the gateway and of the policy language that it reads
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  veilgate version")]
pub(crate) struct Version {}

impl Version {
    pub(crate) fn run(&self) {
        output::line(format_args!("veilgate {}", env!("CARGO_PKG_VERSION")));
        output::line("policy language 1");
    }
}
