//! A reload: policy and callers are read again and hold together, or what held before stays, loudly.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pg_proxy::Proxy;
use policy::Diagnostic;

use crate::config::{self, Callers};
use crate::error::Error;
use crate::gateway;

/// Reloads what can change under open sessions. Everything else of the configuration holds from the next start on.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) config_file: PathBuf,
    pub(crate) proxy: Arc<Proxy>,
    one_at_a_time: Mutex<()>,
}

/// What holds after a reload.
#[derive(Debug)]
pub(crate) struct Reloaded {
    pub(crate) revision: Arc<str>,
    pub(crate) generation: u64,
    pub(crate) callers: usize,
    /// What the policy has to say about the catalogues.
    pub(crate) warnings: Vec<Diagnostic>,
}

impl Reloader {
    pub(crate) fn new(config_file: PathBuf, proxy: Arc<Proxy>) -> Self {
        Self { config_file, proxy, one_at_a_time: Mutex::new(()) }
    }

    /// Reads and swaps. Once this returns `Ok`, the next statement of every session is decided by what was read.
    pub(crate) fn reload(&self) -> Result<Reloaded, Error> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let reloaded = self.read_and_swap();
        match &reloaded {
            Ok(reloaded) => {
                tracing::info!(revision = %reloaded.revision, generation = reloaded.generation, "reloaded");
                warn(&reloaded.warnings);
            }
            Err(error) => {
                tracing::error!(%error, "reload refused: the old policy and the old callers still hold");
                let first = first_line(error);
                let failed = audit::Event::ReloadFailed { error: &first };
                if let Err(error) = self.proxy.gate.log().write(&failed) {
                    tracing::error!(%error, "a record could not be written");
                }
            }
        }
        reloaded
    }

    fn read_and_swap(&self) -> Result<Reloaded, Error> {
        let gate = &self.proxy.gate;
        let (policy, callers) = self.read()?;
        let logins = gateway::logins(&callers)?;
        gate.log().reopen().map_err(|error| Error::Message(error.to_string()))?;
        let warnings = gate.reload(policy, Some(gateway::identities(&callers)));
        self.proxy.logins.store(Arc::new(logins));
        Ok(Reloaded {
            revision: gate.revision(),
            generation: gate.generation(),
            callers: callers.len(),
            warnings,
        })
    }

    /// Both are read before either is refused, so that all errors come at once.
    fn read(&self) -> Result<(policy::Policy, Callers), Error> {
        let config = config::load(&self.config_file)?;
        match (gateway::policy(&config.policy), gateway::callers(&config)) {
            (Ok(policy), Ok(callers)) => Ok((policy, callers)),
            (policy, callers) => {
                let errors = policy.err().into_iter().chain(callers.err()).flatten();
                Err(Error::Diagnostics(errors.collect()))
            }
        }
    }
}

/// Says loudly what a policy closes because a catalogue is not as it expects.
pub(crate) fn warn(diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        tracing::warn!("{diagnostic}");
    }
}

/// The first error, without its picture.
fn first_line(error: &Error) -> String {
    match error {
        Error::Diagnostics(diagnostics) => diagnostics.first().map_or_else(String::new, |first| {
            format!("{}:{}:{}: {}", first.path, first.line, first.column, first.message)
        }),
        Error::Message(message) => message.clone(),
        Error::Problems => String::new(),
    }
}
