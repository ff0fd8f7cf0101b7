//! The one place where a request is decided. It hands out permits, the only tickets that a backend takes.
//!
//! | what | file |
//! |---|---|
//! | policy, identities and catalogues that hold together, behind one pointer | `snapshot.rs` |
//! | a session and its caller | `session.rs` |
//! | the names that it has given: prepared queries, cursors | `names.rs` |
//! | a text's statements, decided | `sql.rs` |
//! | a statement, permitted and recorded | `permit.rs` |
//! | keys of the `hash` mask | `hash.rs` |
//! | why a decision is what it is | `explain.rs` |
//! | what a caller may do, told to it | `rights.rs` |

mod explain;
mod hash;
mod names;
mod permit;
mod rights;
mod session;
mod snapshot;
mod sql;

use std::sync::{Arc, Mutex, PoisonError};

use access::{Caller, Catalog, Refusal, RefusalKind};
use arc_swap::ArcSwap;
use policy::{Diagnostic, Policy};

pub use audit::Phase;
pub use explain::Explained;
pub use hash::{DerivedKey, HashKeyError, HashKeys, SECRET_BYTES_MAX, SECRET_BYTES_MIN};
pub use names::Names;
pub use permit::{Outcome, SqlPermit};
pub use session::{Identities, SqlSession};
pub use sql::{Decided, SqlDecision};

use crate::snapshot::Snapshot;

/// Decides requests. Shared by every session; a reload swaps what it decides by, under open sessions too.
#[derive(Debug)]
pub struct Gate {
    snapshot: ArcSwap<Snapshot>,
    /// Held while a new snapshot is made, so that none is lost.
    swapping: Mutex<()>,
    log: audit::Log,
    limits: ::sql::Limits,
}

impl Gate {
    /// A gate over these stores, and what the policy has to say about their catalogues. Identities hold as long as the
    /// sessions that brought them; see [`Gate::with_identities`].
    #[must_use]
    pub fn new(
        policy: Policy,
        catalogs: Vec<Arc<Catalog>>,
        log: audit::Log,
        limits: ::sql::Limits,
    ) -> (Self, Vec<Diagnostic>) {
        let (snapshot, diagnostics) = Snapshot::new(1, Arc::new(policy), None, catalogs);
        let snapshot = ArcSwap::from_pointee(snapshot);
        (Self { snapshot, swapping: Mutex::new(()), log, limits }, diagnostics)
    }

    /// The same where only these identities may ask, and with the attributes that stand here.
    #[must_use]
    pub fn with_identities(self, identities: Identities) -> Self {
        self.snapshot.rcu(|old| old.with_identities(identities.clone()));
        self
    }

    /// The same with keys for the `hash` mask. Without any, what shows a hash is refused.
    #[must_use]
    pub fn with_hash_keys(self, keys: Option<Arc<HashKeys>>) -> Self {
        self.snapshot.rcu(|old| old.with_hash_keys(keys.clone()));
        self
    }

    /// Decides by another policy, and by other identities where some are given, from the next statement of every
    /// session on. Returns what the policy has to say about the catalogues.
    pub fn reload(&self, policy: Policy, identities: Option<Identities>) -> Vec<Diagnostic> {
        let policy = Arc::new(policy);
        self.swap(|old| old.reloaded(Arc::clone(&policy), identities))
    }

    /// Decides by another policy, other identities and other keys from the next statement of every session on.
    pub fn reload_all(
        &self,
        policy: Policy,
        identities: Identities,
        hash_keys: Option<Arc<HashKeys>>,
    ) -> Vec<Diagnostic> {
        let policy = Arc::new(policy);
        self.swap(|old| old.with_hash_keys(hash_keys).reloaded(Arc::clone(&policy), Some(identities)))
    }

    /// Decides over a store's new catalogue from the next statement of every session on.
    pub fn refresh(&self, catalog: Arc<Catalog>) -> Vec<Diagnostic> {
        self.swap(|old| old.refreshed(catalog))
    }

    fn swap(&self, next: impl FnOnce(&Snapshot) -> (Snapshot, Vec<Diagnostic>)) -> Vec<Diagnostic> {
        let _one_at_a_time = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let (snapshot, diagnostics) = next(&self.snapshot.load());
        let event = audit::Event::Reloaded { policy: &snapshot.revision, generation: snapshot.generation };
        // A reload that cannot be recorded still holds: what follows it is refused by the log anyway.
        self.note(&event);
        self.snapshot.store(Arc::new(snapshot));
        diagnostics
    }

    /// The generation of decisions: it changes with every reload and refresh.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.snapshot.load().generation
    }

    /// The revision of the policy in force.
    #[must_use]
    pub fn revision(&self) -> Arc<str> {
        Arc::clone(&self.snapshot.load().revision)
    }

    /// The catalogue of a store, as it is decided over.
    #[must_use]
    pub fn catalog(&self, store: &str) -> Option<Arc<Catalog>> {
        self.snapshot.load().catalogs.get(store).cloned()
    }

    /// The log, for records that are about no statement.
    #[must_use]
    pub fn log(&self) -> &audit::Log {
        &self.log
    }

    /// Whether this proven identity may open the session, with the purpose that it chose. Recorded either way.
    pub fn login(&self, session: &SqlSession) -> Result<Arc<Caller>, Refusal> {
        let snapshot = self.snapshot.load();
        let caller = match session.caller(&snapshot) {
            Ok(caller) => caller,
            Err(refusal) => {
                self.login_failed(session, &refusal.message);
                return Err(refusal);
            }
        };
        let event = audit::Event::Login { session: session.recorded(&snapshot, Some(&caller)) };
        self.log.write(&event).map_err(unrecorded)?;
        Ok(caller)
    }

    /// Records a login that the proxy refused: a wrong password, a name that nobody has.
    pub fn login_failed(&self, session: &SqlSession, reason: &str) {
        let snapshot = self.snapshot.load();
        self.note(&audit::Event::LoginFailed { session: session.recorded(&snapshot, None), reason });
    }

    /// Records a refusal that the proxy itself made.
    pub fn refused(&self, session: &SqlSession, asked: &str, refusal: &Refusal) {
        let snapshot = self.snapshot.load();
        let caller = session.known_caller();
        self.note(&audit::Event::Refused(audit::Refused {
            session: session.recorded(&snapshot, caller.as_deref()),
            policy: &snapshot.revision,
            refusal,
            asked,
        }));
    }

    /// Writes a record that nothing waits for.
    fn note(&self, event: &audit::Event<'_>) {
        if let Err(error) = self.log.write(event) {
            tracing::error!(%error, "a record could not be written");
        }
    }
}

/// What a client learns when nothing can be recorded. The reason is for the operator, in the gateway's own log.
fn unrecorded(error: audit::Error) -> Refusal {
    tracing::error!(%error, "refused, because it could not be recorded");
    Refusal::new(RefusalKind::Unrecorded, "the request cannot be recorded, so it is not done")
        .hint("ask the operator of the gateway to look at its audit log")
}

#[cfg(test)]
mod tests;
