//! `veilgate verifier`: a password to the verifier that stands in the configuration.

use crate::error::Error;
use crate::{output, password};

/// Print the SCRAM-SHA-256 verifier of a password
///
/// It is what a caller's entry in the configuration holds. The password is read without echo from a terminal, otherwise
/// as one line from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate verifier\n  printf '%s' \"$PASSWORD\" | veilgate verifier")]
pub(crate) struct Verifier {}

impl Verifier {
    pub(crate) fn run(&self) -> Result<(), Error> {
        output::line(password::verifier()?);
        Ok(())
    }
}
