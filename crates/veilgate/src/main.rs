//! veilgate: a governance gateway in the data path of Postgres.

mod admin;
mod callers_file;
mod command;
mod config;
mod draft;
mod error;
mod gateway;
mod health;
mod keys;
mod output;
mod password;
mod reload;
mod telemetry;
mod tls;
mod yaml;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Cli;
use crate::error::Error;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return command::unreadable(&error),
    };
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
