//! What the executable can be asked to do, one file a command.

mod check;
#[cfg(test)]
mod examples;
mod explain;
mod hash;
mod health;
mod init;
mod reload;
mod serve;
mod test;
mod user;
mod verifier;
mod version;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::error::Error;
use crate::output;

/// A governance gateway in the data path of Postgres.
///
/// Clients keep their drivers and point them at veilgate. Every statement is parsed, decided for this very caller,
/// rewritten so that the server itself returns only what the caller may have, verified, recorded, then forwarded.
#[derive(Debug, clap::Parser)]
#[command(name = "veilgate", version, max_term_width = 100)]
#[command(after_help = "Examples, in this order:\n  \
    veilgate init --from postgres://postgres@127.0.0.1/crm\n  \
    veilgate check --config veilgate.yaml\n  \
    veilgate serve --config veilgate.yaml\n  \
    veilgate explain --as alice 'select * from customers'")]
pub(crate) struct Cli {
    /// The configuration; each setting has a variable that overrides it, such as VEILGATE_LIMITS_CONNECTIONS_MAX
    #[arg(
        long,
        short,
        global = true,
        env = "VEILGATE_CONFIG",
        default_value = "veilgate.yaml",
        value_name = "FILE"
    )]
    pub(crate) config: PathBuf,

    /// The level of the gateway's own log on standard error: error, warn, info, debug, or a list such as
    /// `info,pg_proxy=debug`
    #[arg(long, global = true, env = "VEILGATE_LOG", value_name = "LEVEL")]
    pub(crate) log: Option<String>,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One command.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Init(init::Init),
    User(user::User),
    Serve(serve::Serve),
    Check(check::Check),
    Test(test::Test),
    Explain(explain::Explain),
    Hash(hash::Hash),
    Reload(reload::Reload),
    Health(health::Health),
    Verifier(verifier::Verifier),
    Version(version::Version),
}

impl Cli {
    /// The level of the log: what serves says what it does, what answers says only what is wrong.
    pub(crate) fn log_level(&self) -> &str {
        let default = if matches!(self.command, Command::Serve(_)) { "info" } else { "error" };
        self.log.as_deref().unwrap_or(default)
    }

    pub(crate) fn run(&self) -> Result<(), Error> {
        match &self.command {
            Command::Init(init) => in_runtime(init.run(&self.config)),
            Command::User(user) => user.run(&self.config),
            Command::Serve(serve) => in_runtime(serve.run(&self.config)),
            Command::Check(check) => in_runtime(check.run(&self.config)),
            Command::Test(test) => in_runtime(test.run(&self.config)),
            Command::Explain(explain) => in_runtime(explain.run(&self.config)),
            Command::Hash(hash) => hash.run(&self.config),
            Command::Health(health) => health.run(&self.config),
            Command::Reload(reload) => reload.run(&self.config),
            Command::Verifier(verifier) => verifier.run(),
            Command::Version(version) => {
                version.run();
                Ok(())
            }
        }
    }
}

/// Says why a command line cannot be read, or the help that it asks for, without what stands behind a `://`: there may be
/// a password in it.
pub(crate) fn unreadable(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    if error.use_stderr() && text.contains("://") {
        output::note(without_urls(&text));
    } else {
        // Who has closed the pipe does not want more.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn without_urls(text: &str) -> String {
    let (mut told, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("://") {
        told += before;
        told += "://…";
        rest = after.trim_start_matches(|letter: char| !letter.is_whitespace());
    }
    told + rest
}

fn in_runtime(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Message(format!("cannot start: {error}")))?;
    runtime.block_on(command)
}
