//! `veilgate verifier`: a password to the verifier that stands in the configuration.

use std::io::{self, BufRead, IsTerminal};

use pg_proxy::scram::make_verifier;

use crate::error::Error;
use crate::output;

/// Print the SCRAM-SHA-256 verifier of a password
///
/// It is what a caller's entry in the configuration holds. The password is read without echo from a terminal, otherwise
/// as one line from standard input.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate verifier\n  printf '%s' \"$PASSWORD\" | veilgate verifier")]
pub(crate) struct Verifier {}

impl Verifier {
    pub(crate) fn run(&self) -> Result<(), Error> {
        let password = if io::stdin().is_terminal() { asked()? } else { piped()? };
        if password.is_empty() {
            return Err(Error::Message("the password is empty".into()));
        }
        let verifier = make_verifier(&password).map_err(|error| Error::Message(error.to_string()))?;
        output::line(verifier);
        Ok(())
    }
}

fn asked() -> Result<String, Error> {
    let ask = |prompt| rpassword::prompt_password(prompt).map_err(|error| Error::Message(error.to_string()));
    let password = ask("Password: ")?;
    if ask("Once more: ")? == password {
        Ok(password)
    } else {
        Err(Error::Message("the two passwords differ".into()))
    }
}

fn piped() -> Result<String, Error> {
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Error::Message(format!("standard input: {error}")))?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}
