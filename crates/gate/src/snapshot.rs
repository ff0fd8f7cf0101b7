//! What decisions are made by, of one moment: policy, identities and catalogues that were bound together.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Catalog, HashKey, Identity, Refusal, RefusalKind};
use policy::{Bound, Diagnostic, Policy};

use crate::hash::{DerivedKey, HashKeys};
use crate::session::Identities;

/// One moment's policy, identities and catalogues. Never changed in place.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) generation: u64,
    pub(crate) policy: Arc<Policy>,
    pub(crate) revision: Arc<str>,
    pub(crate) bound: Arc<Bound>,
    /// Whether a decision can change with the time alone.
    pub(crate) reads_clock: bool,
    /// Who may ask; `None` where an identity holds as long as its session.
    identities: Option<Identities>,
    pub(crate) catalogs: HashMap<Arc<str>, Arc<Catalog>>,
    /// Of the `hash` mask; `None` where the configuration names none.
    hash_keys: Option<Arc<HashKeys>>,
}

impl Snapshot {
    pub(crate) fn new(
        generation: u64,
        policy: Arc<Policy>,
        identities: Option<Identities>,
        catalogs: Vec<Arc<Catalog>>,
    ) -> (Self, Vec<Diagnostic>) {
        let (bound, diagnostics) = policy.bind(&catalogs);
        let catalogs = catalogs.into_iter().map(|catalog| (Arc::clone(&catalog.store), catalog)).collect();
        let revision = policy.revision().into();
        let reads_clock = bound.reads_clock();
        let bound = Arc::new(bound);
        let hash_keys = None;
        let snapshot =
            Self { generation, policy, revision, bound, reads_clock, identities, catalogs, hash_keys };
        (snapshot, diagnostics)
    }

    pub(crate) fn with_identities(&self, identities: Identities) -> Self {
        Self { identities: Some(identities), ..self.again() }
    }

    pub(crate) fn with_hash_keys(&self, hash_keys: Option<Arc<HashKeys>>) -> Self {
        Self { hash_keys, ..self.again() }
    }

    fn again(&self) -> Self {
        Self {
            generation: self.generation,
            policy: Arc::clone(&self.policy),
            revision: Arc::clone(&self.revision),
            bound: Arc::clone(&self.bound),
            reads_clock: self.reads_clock,
            identities: self.identities.clone(),
            catalogs: self.catalogs.clone(),
            hash_keys: self.hash_keys.clone(),
        }
    }

    pub(crate) fn reloaded(
        &self,
        policy: Arc<Policy>,
        identities: Option<Identities>,
    ) -> (Self, Vec<Diagnostic>) {
        let catalogs = self.catalogs.values().cloned().collect();
        let identities = identities.or_else(|| self.identities.clone());
        let (next, diagnostics) = Self::new(self.generation + 1, policy, identities, catalogs);
        (next.with_hash_keys(self.hash_keys.clone()), diagnostics)
    }

    pub(crate) fn refreshed(&self, catalog: Arc<Catalog>) -> (Self, Vec<Diagnostic>) {
        let others = self.catalogs.values().filter(|old| old.store != catalog.store).cloned();
        let catalogs = others.chain([Arc::clone(&catalog)]).collect();
        let (policy, identities) = (Arc::clone(&self.policy), self.identities.clone());
        let (next, diagnostics) = Self::new(self.generation + 1, policy, identities, catalogs);
        (next.with_hash_keys(self.hash_keys.clone()), diagnostics)
    }

    /// The catalogue of this store.
    pub(crate) fn catalog(&self, store: &str) -> Result<&Arc<Catalog>, Refusal> {
        self.catalogs.get(store).ok_or_else(|| {
            Refusal::new(RefusalKind::Unavailable, format!("the catalogue of store `{store}` is not loaded"))
                .hint("try again shortly; the gateway's log says why it cannot be read")
        })
    }

    /// The key that a policy means. Without it nothing that shows the hash is sent.
    pub(crate) fn derived_key(&self, key: &HashKey) -> Result<DerivedKey, Refusal> {
        let derived = self.hash_keys.as_ref().and_then(|keys| keys.derived(key));
        derived.ok_or_else(|| {
            Refusal::new(RefusalKind::Unavailable, "the mask `hash` has no key")
                .hint("the operator of the gateway names one under `keys` in its configuration")
        })
    }

    /// The identity as it stands now: a session's own may be out of date.
    pub(crate) fn identity<'a>(&'a self, session: &'a Arc<Identity>) -> Result<&'a Arc<Identity>, Refusal> {
        let Some(identities) = &self.identities else { return Ok(session) };
        identities.get(&session.id).ok_or_else(|| {
            Refusal::new(RefusalKind::Login, format!("caller `{}` is no longer known", session.id))
        })
    }
}
