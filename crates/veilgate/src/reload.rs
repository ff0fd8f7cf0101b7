//! A reload: policy, callers and keys are read again and hold together, or what held before stays, loudly.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use gate::HashKeys;
use pg_proxy::Proxy;
use policy::Diagnostic;
use tokio::sync::watch;

use crate::config::{self, Callers};
use crate::error::Error;
use crate::{gateway, keys};

/// Reloads what can change under open sessions. Everything else of the configuration holds from the next start on.
#[derive(Debug)]
pub(crate) struct Reloader {
    pub(crate) config_file: PathBuf,
    pub(crate) proxy: Arc<Proxy>,
    one_at_a_time: Mutex<()>,
    done: watch::Sender<()>,
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
        Self { config_file, proxy, one_at_a_time: Mutex::new(()), done: watch::Sender::new(()) }
    }

    /// Changes with every reload that holds.
    pub(crate) fn done(&self) -> watch::Receiver<()> {
        self.done.subscribe()
    }

    /// Reads and swaps. Once this returns `Ok`, the next statement of every session is decided by what was read.
    pub(crate) fn reload(&self) -> Result<Reloaded, Error> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let reloaded = self.read_and_swap();
        match &reloaded {
            Ok(reloaded) => {
                tracing::info!(revision = %reloaded.revision, generation = reloaded.generation, "reloaded");
                warn(&reloaded.warnings);
                self.done.send_replace(());
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
        let (policy, callers, hash_keys) = self.read()?;
        let logins = gateway::logins(&callers)?;
        gate.log().reopen().map_err(|error| Error::Message(error.to_string()))?;
        let warnings = gate.reload_all(policy, gateway::identities(&callers), hash_keys);
        self.proxy.logins.store(Arc::new(logins));
        Ok(Reloaded {
            revision: gate.revision(),
            generation: gate.generation(),
            callers: callers.len(),
            warnings,
        })
    }

    /// All are read before any is refused, so that all errors come at once.
    fn read(&self) -> Result<(policy::Policy, Callers, Option<Arc<HashKeys>>), Error> {
        let config = config::load(&self.config_file)?;
        match (gateway::policy(&config.policy), gateway::callers(&config)) {
            (Ok(policy), Ok(callers)) => {
                let hash_keys = keys::for_policy(&config, &policy)?;
                Ok((policy, callers, hash_keys))
            }
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use audit::{Durability, Log};
    use gate::Gate;
    use pg_proxy::Limits;
    use pg_proxy::startup::Acceptor;

    use super::*;

    const POLICY: &str = "veilgate: 1\ndata:\n  pg://crm/public.t: {id: key}\n";
    const VERIFIER: &str = "SCRAM-SHA-256$4096:dmVpbGdhdGUgZGVtbyAwMQ==$+c0FruvtCaIjgKr4l6EUbYtixiUfT3cc/so9hIZh5Y8=:vTIshNt9kdswvjCkiMmEeo4hWU03JtxdjX+zGGLW5X8=";
    const CONFIG: &str = "policy: policy\ncallers_file: callers.yaml\naudit: {path: audit.jsonl}\n\
        stores: {crm: {user: veilgate, tls: {mode: off}}}\n";

    /// A gateway that listens nowhere, as the files of the folder say.
    fn reloader(folder: &Path) -> Reloader {
        fs::create_dir(folder.join("policy")).unwrap();
        fs::write(folder.join("policy/a.yaml"), POLICY).unwrap();
        fs::write(folder.join("callers.yaml"), format!("alice: {{verifier: '{VERIFIER}'}}\n")).unwrap();
        fs::write(folder.join("veilgate.yaml"), CONFIG).unwrap();
        let config = config::load(&folder.join("veilgate.yaml")).unwrap();
        let policy = gateway::policy(&config.policy).unwrap();
        let callers = gateway::callers(&config).unwrap();
        let log = Log::open(&config.audit, Durability::Os).unwrap();
        let gate = Gate::new(policy, Vec::new(), log, sql::Limits::default()).0;
        let gate = gate.with_identities(gateway::identities(&callers));
        let acceptor = Acceptor { tls: None, tls_required: false, startup_ms_max: 1, message_bytes_max: 1 };
        let limits = Limits {
            connections_max: 1,
            idle_ms_max: 1,
            transaction_idle_ms_max: 1,
            drain_ms_max: 1,
            statements_max: 1,
        };
        let logins = gateway::logins(&callers).unwrap();
        let proxy = Proxy::new(Arc::new(gate), logins, [], acceptor, limits);
        Reloader::new(folder.join("veilgate.yaml"), Arc::new(proxy))
    }

    #[test]
    fn what_is_right_holds_and_what_is_wrong_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let reloader = reloader(folder.path());
        let gate = &reloader.proxy.gate;
        let first = gate.revision();

        fs::write(at("policy/b.yaml"), "veilgate: 1\ndata:\n  pg://crm/public.u: {id: key}\n").unwrap();
        fs::write(
            at("callers.yaml"),
            format!("alice: {{verifier: '{VERIFIER}'}}\nbob: {{verifier: '{VERIFIER}'}}\n"),
        )
        .unwrap();
        let reloaded = reloader.reload().unwrap();
        assert_eq!((reloaded.generation, reloaded.callers), (2, 2));
        assert_ne!(reloaded.revision, first);

        // Everything that is wrong is told at once, and none of it holds.
        fs::write(at("policy/b.yaml"), "veilgate: 1\nrulez: []\n").unwrap();
        fs::write(at("callers.yaml"), "eve: {verifier: none}\n").unwrap();
        let error = reloader.reload().unwrap_err().to_string();
        assert!(error.contains("rulez") && error.contains("`eve`"), "{error}");
        assert_eq!((gate.generation(), gate.revision()), (2, reloaded.revision));

        let record = fs::read_to_string(at("audit.jsonl")).unwrap();
        let events: Vec<_> = record.lines().map(|line| line.split('"').nth(7).unwrap()).collect();
        assert_eq!(events, ["reloaded", "reload_failed"], "{record}");
    }

    #[test]
    fn a_record_that_cannot_be_opened_anew_stops_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let reloader = reloader(folder.path());
        fs::remove_file(folder.path().join("audit.jsonl")).unwrap();
        fs::create_dir(folder.path().join("audit.jsonl")).unwrap();
        let error = reloader.reload().unwrap_err().to_string();
        assert!(error.contains("cannot open the audit log"), "{error}");
        assert_eq!(reloader.proxy.gate.generation(), 1);
        assert!(reloader.proxy.gate.log().is_sound());
    }

    #[tokio::test]
    async fn the_admin_socket_answers_its_owner_and_goes_with_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        // One that a killed gateway has left is taken over.
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        let admin = crate::admin::Admin::bind(&socket).unwrap();
        assert!(crate::admin::Admin::bind(&socket).is_err(), "a second gateway took the socket");
        let reloader = Arc::new(reloader(folder.path()));
        let gate = Arc::clone(&reloader.proxy.gate);
        let stopping = watch::channel(false).1;
        let health = Arc::new(crate::health::Health::new(gate, Vec::new(), stopping));
        let serving = tokio::spawn(admin.serve(reloader, health));
        let ask = |command: &'static str| {
            let socket = socket.clone();
            tokio::task::spawn_blocking(move || crate::admin::ask(&socket, command).unwrap())
        };
        let answer = ask("reload").await.unwrap();
        assert_eq!((&answer["ok"], &answer["generation"]), (&true.into(), &2.into()), "{answer}");
        assert_eq!(ask("stop").await.unwrap()["ok"], false);
        assert_eq!(ask("ready").await.unwrap()["ok"], true);
        serving.abort();
        let _ = serving.await;
        assert!(!socket.exists());
    }
}
