//! A session: whose it is, where it came from, and what the gateway tracks of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use access::{Caller, Identity, Refusal, Request};

use crate::names::Names;
use crate::snapshot::Snapshot;

/// All identities, by their names.
pub type Identities = Arc<HashMap<Arc<str>, Arc<Identity>>>;

/// One client's session over SQL.
#[derive(Debug)]
pub struct SqlSession {
    /// Its number, unique in one run of the gateway.
    pub id: u64,
    /// The store's name in the configuration.
    pub store: Arc<str>,
    /// Who has logged in.
    pub identity: Arc<Identity>,
    /// The purpose that the client chose at login.
    pub purpose: Option<String>,
    /// The client's address.
    pub ip: IpAddr,
    /// The path that names are looked up on, as the session has set it.
    pub search_path: Vec<Arc<str>>,
    /// The path that it began with, and that RESET goes back to.
    pub start_path: Vec<Arc<str>>,
    /// The names that it has given.
    pub names: Names,
    /// The caller, with the generation of the policy that typed it.
    caller: Mutex<Option<(u64, Arc<Caller>)>>,
}

impl SqlSession {
    /// A session with the default path.
    #[must_use]
    pub fn new(
        id: u64,
        store: Arc<str>,
        identity: Arc<Identity>,
        purpose: Option<String>,
        ip: IpAddr,
    ) -> Self {
        let search_path = Self::default_search_path();
        let start_path = search_path.clone();
        Self {
            id,
            store,
            identity,
            purpose,
            ip,
            search_path,
            start_path,
            names: Names::default(),
            caller: Mutex::new(None),
        }
    }

    /// The path of a session that has set none.
    #[must_use]
    pub fn default_search_path() -> Vec<Arc<str>> {
        vec!["$user".into(), "public".into()]
    }

    /// The caller as this snapshot's policy types it.
    pub(crate) fn caller(&self, snapshot: &Snapshot) -> Result<Arc<Caller>, Refusal> {
        let mut known = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((generation, caller)) = &*known
            && *generation == snapshot.generation
        {
            return Ok(Arc::clone(caller));
        }
        let identity = snapshot.identity(&self.identity)?;
        let caller = Arc::new(snapshot.policy.caller(identity, self.purpose.as_deref())?);
        *known = Some((snapshot.generation, Arc::clone(&caller)));
        Ok(caller)
    }

    /// The caller as it was last typed, for records of what the policy was not asked about.
    pub(crate) fn known_caller(&self) -> Option<Arc<Caller>> {
        let known = self.caller.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(_, caller)| Arc::clone(caller))
    }

    /// The circumstances of a request that is made now.
    pub(crate) fn request(&self) -> Request {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Request { time_us: i64::try_from(since.as_micros()).unwrap_or(i64::MAX), ip: self.ip }
    }

    /// The session as records name it.
    pub(crate) fn recorded<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        caller: Option<&'a Caller>,
    ) -> audit::Session<'a> {
        audit::Session {
            id: self.id,
            caller: &self.identity.id,
            purpose: caller.and_then(|caller| caller.text("purpose")).or(self.purpose.as_deref()),
            model: caller.and_then(|caller| caller.text("model")),
            peer: self.ip,
            store: &self.store,
            database: snapshot.catalogs.get(&self.store).map_or("", |catalog| &catalog.database),
        }
    }
}
