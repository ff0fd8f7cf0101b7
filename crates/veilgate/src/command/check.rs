//! `veilgate check`: the policy against itself, against the callers, and against the stores' live catalogues.

mod bypass;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use access::{Catalog, Entry};
use policy::{Bound, Diagnostic, Policy, Severity};

use crate::config::{self, Callers, Config};
use crate::error::{Error, count};
use crate::{gateway, keys, output};

/// Check the policy against itself, the callers, and the live tables of the stores
///
/// Everything that is wrong comes in one run, each with its file, line and column. The exit code is 0 where nothing is;
/// warnings do not count.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  veilgate check                            all that the configuration names\n  \
    veilgate check --offline                  without asking a store\n  \
    veilgate check --accept                   writes down which fields a \"*\" stands for\n  \
    veilgate check --policy policies/demo     a policy alone, without a configuration\n  \
    veilgate check --bypass                   who can go round the gateway\n  \
    veilgate check --bypass --trust role:postgres --trust slot:standby"
)]
pub(crate) struct Check {
    /// Ask no store: what the text alone shows
    #[arg(long)]
    offline: bool,

    /// Name in `fields.lock`, beside the policy, every field that a `"*"` stands for
    #[arg(long, conflicts_with_all = ["offline", "policy"])]
    accept: bool,

    /// Also say who can go round the gateway: other logins with rights to governed tables, superusers, replication,
    /// functions with rights of their owner, foreign servers. The exit code is 1 where anybody can who is not trusted; what
    /// could not be looked at is said
    #[arg(long, conflicts_with_all = ["offline", "policy"])]
    bypass: bool,

    /// Somebody who is meant to have a road of its own, as the table names it; may be given several times
    #[arg(long, value_name = "KIND:NAME", requires = "bypass")]
    trust: Vec<String>,

    /// Check the policy of this folder alone
    #[arg(long, value_name = "FOLDER")]
    policy: Option<PathBuf>,
}

impl Check {
    pub(crate) async fn run(&self, config_file: &Path) -> Result<(), Error> {
        if let Some(folder) = &self.policy {
            let policy = gateway::policy(folder)?;
            output::line(format_args!("policy {}: no errors in its text", policy.revision()));
            return Ok(());
        }
        let config = config::load(config_file)?;
        if self.accept {
            accept(&config).await?;
        }
        let (policy, callers) = both(&config)?;
        let mut found = Findings::default();
        found.callers(&policy, &callers);
        found.keys(&config, &policy);
        let mut roads = Ok(());
        if !self.offline {
            let catalogs = found.catalogs(&config).await;
            let (bound, diagnostics) = policy.bind(&catalogs);
            found.diagnostics(&diagnostics);
            found.rights(&config, &catalogs, &bound).await;
            if self.bypass {
                roads = bypass::report(&config, &catalogs, &bound, &self.trust).await;
            }
        }
        found.conclude(&policy).and(roads)
    }
}

/// Writes the lock of fields from the live catalogues, and says what is new in it and what has gone.
async fn accept(config: &Config) -> Result<(), Error> {
    let policy = gateway::unlocked_policy(&config.policy).map_err(Error::Diagnostics)?;
    let mut found = Findings::default();
    let catalogs = found.catalogs(config).await;
    if found.errors > 0 {
        return Err(Error::Message("a store does not answer: the lock of fields stays as it is".to_owned()));
    }
    let lock = policy.lock(&catalogs).map_err(Error::Diagnostics)?;
    let path = config.policy.join(policy::LOCK);
    let before = match std::fs::read_to_string(&path) {
        Ok(before) => before,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Error::file(&path, error)),
    };
    if before != lock {
        // Written beside and moved: a reload in between reads one or the other.
        let new = config.policy.join(format!("{}.new", policy::LOCK));
        std::fs::write(&new, &lock).map_err(|error| Error::file(&new, error))?;
        std::fs::rename(&new, &path).map_err(|error| Error::file(&path, error))?;
    }
    output::line(format_args!(
        "{}: {}",
        path.display(),
        if before == lock { "as before" } else { "written" }
    ));
    Ok(())
}

/// The policy and the callers, or all that is wrong with the text of either.
fn both(config: &Config) -> Result<(Policy, Callers), Error> {
    match (gateway::policy(&config.policy), gateway::callers(config)) {
        (Ok(policy), Ok(callers)) => Ok((policy, callers)),
        (policy, callers) => {
            Err(Error::Diagnostics(policy.err().into_iter().chain(callers.err()).flatten().collect()))
        }
    }
}

/// What was found, and printed as it was.
#[derive(Debug, Default)]
struct Findings {
    errors: usize,
    warnings: usize,
}

impl Findings {
    fn error(&mut self, text: impl std::fmt::Display) {
        self.errors += 1;
        output::line(format_args!("error: {text}\n"));
    }

    fn diagnostics(&mut self, diagnostics: &[Diagnostic]) {
        for diagnostic in diagnostics {
            match diagnostic.severity {
                Severity::Error => self.errors += 1,
                Severity::Warning => self.warnings += 1,
            }
            output::line(format_args!("{diagnostic}\n"));
        }
    }

    /// Callers who could not log in, with any of their purposes.
    fn callers(&mut self, policy: &Policy, callers: &Callers) {
        for entry in callers.values() {
            let identity = &entry.identity;
            for (purpose, refusal) in gateway::cannot_log_in(policy, identity) {
                let with = purpose.map(|purpose| format!(" for purpose `{purpose}`")).unwrap_or_default();
                self.error(format_args!("caller `{}` cannot log in{with}: {refusal}", identity.id));
            }
        }
    }

    /// A key that cannot be had, or that there is none where the policy needs it.
    fn keys(&mut self, config: &Config, policy: &Policy) {
        match keys::for_policy(config, policy) {
            Ok(_) => {}
            Err(Error::Diagnostics(diagnostics)) => self.diagnostics(&diagnostics),
            Err(Error::Message(message)) => self.error(message),
            Err(error) => self.error(error),
        }
    }

    /// The catalogues of the stores that answer; the others are errors.
    async fn catalogs(&mut self, config: &Config) -> Vec<Arc<Catalog>> {
        let mut catalogs = Vec::new();
        for store in &config.stores {
            let loaded = match gateway::upstream(store) {
                Ok(upstream) => gateway::catalog(&store.name, &upstream).await.and_then(gateway::trusted),
                Err(error) => Err(error),
            };
            match loaded {
                Ok(catalog) => catalogs.push(catalog),
                Err(Error::Message(message)) => self.error(message),
                Err(error) => self.error(error),
            }
        }
        catalogs
    }

    /// What the policy governs and the gateway's login cannot read: views are opened to their tables, so these count and
    /// not who owns a view.
    async fn rights(&mut self, config: &Config, catalogs: &[Arc<Catalog>], bound: &Bound) {
        for store in &config.stores {
            // One that did not answer has been told.
            let loaded = catalogs.iter().any(|catalog| *catalog.store == *store.name);
            let Some(upstream) = loaded.then(|| gateway::upstream(store).ok()).flatten() else { continue };
            match pg_proxy::catalog::unreadable(&upstream).await {
                Ok(relations) => {
                    for relation in relations {
                        if bound.entry(&store.name, &relation) == Entry::Governed {
                            self.error(format_args!(
                                "store `{}`: the login `{}` may not read `{relation}`, which the policy governs",
                                store.name, upstream.user
                            ));
                        }
                    }
                }
                Err(error) => {
                    self.error(format_args!("store `{}`: cannot ask for rights: {error}", store.name))
                }
            }
        }
    }

    fn conclude(&self, policy: &Policy) -> Result<(), Error> {
        let (errors, warnings) = (count(self.errors, "error"), count(self.warnings, "warning"));
        output::line(format_args!("policy {}: {errors}, {warnings}", policy.revision()));
        if self.errors == 0 { Ok(()) } else { Err(Error::Problems) }
    }
}
