//! veilgate: a governance gateway in the data path of Postgres.

mod admin;
mod command;
mod config;
mod error;
mod gateway;
mod keys;
mod output;
mod reload;
mod telemetry;
mod tls;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Cli;
use crate::error::Error;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let run = telemetry::start(cli.log_level()).map_err(Error::Message).and_then(|()| cli.run());
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Problems) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
