//! The listener: accepts connections, bounds them, and lets them end.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use gate::Gate;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::cancel::Cancels;
use crate::client::Client;
use crate::frame::FrontFrames;
use crate::login::Logins;
use crate::open::rejected;
use crate::pool::Pool;
use crate::session;
use crate::startup::{self, Acceptor, Failed, Incoming};

/// Connections at a time that are no session: they have yet to log in, are told why they may not, or cancel. However
/// many there are, they take no place of a session.
pub(crate) const STRANGERS_MAX: usize = 256;
/// How long the listener rests when the system gives it no connection.
const REST_MS: u64 = 50;
/// What sessions may need after their time is over to say goodbye.
const FAREWELL_MS: u64 = 3000;

/// Ready when the gateway stops.
pub(crate) type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What all sessions share.
#[derive(Debug)]
pub struct Proxy {
    /// Decides.
    pub gate: Arc<Gate>,
    /// Who may log in.
    pub logins: ArcSwap<Logins>,
    /// The stores, by the name that clients give as the database.
    pub stores: BTreeMap<Arc<str>, Arc<Pool>>,
    /// How connections are accepted.
    pub acceptor: Acceptor,
    /// What bounds sessions.
    pub limits: Limits,
    /// The keys that cancel.
    pub cancels: Arc<Cancels>,
    /// One permit a session.
    pub(crate) slots: Arc<Semaphore>,
    sessions: AtomicU64,
}

/// What bounds sessions.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most sessions at a time.
    pub connections_max: usize,
    /// How long a session may ask nothing, outside of a transaction.
    pub idle_ms_max: u64,
    /// How long a client may keep a transaction, and a connection to the store with it, without asking anything or
    /// taking its answer.
    pub transaction_idle_ms_max: u64,
    /// How long a transaction may go on once the gateway stops.
    pub drain_ms_max: u64,
    /// The most statements that a session has prepared, and the most portals.
    pub statements_max: usize,
}

impl Proxy {
    /// What sessions share, before there are any.
    #[must_use]
    pub fn new(
        gate: Arc<Gate>,
        logins: Logins,
        stores: impl IntoIterator<Item = Pool>,
        acceptor: Acceptor,
        limits: Limits,
    ) -> Self {
        let stores = stores.into_iter().map(|pool| (Arc::clone(pool.name()), Arc::new(pool))).collect();
        Self {
            gate,
            logins: ArcSwap::from_pointee(logins),
            stores,
            acceptor,
            limits,
            cancels: Arc::default(),
            slots: Arc::new(Semaphore::new(limits.connections_max.min(Semaphore::MAX_PERMITS))),
            sessions: AtomicU64::new(1),
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.limits.connections_max.saturating_sub(self.slots.available_permits())
    }

    pub(crate) fn next_session(&self) -> u64 {
        self.sessions.fetch_add(1, Ordering::Relaxed)
    }
}

/// Serves clients until `shutdown` turns true, and then lets sessions end: those that wait at once, those in a
/// transaction when it is over, and all after `drain_ms_max`.
pub async fn serve(listener: TcpListener, proxy: Arc<Proxy>, mut shutdown: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let strangers = Arc::new(Semaphore::new(STRANGERS_MAX));
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    // Not even a word to one too many: that would take what there is too little of.
                    if let Ok(stranger) = Arc::clone(&strangers).try_acquire_owned() {
                        connections.spawn(connection(tcp, Arc::clone(&proxy), shutdown.clone(), stranger));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "no connection could be accepted");
                    sleep(Duration::from_millis(REST_MS)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = stopped(&mut shutdown) => break,
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let most = Duration::from_millis(proxy.limits.drain_ms_max.saturating_add(FAREWELL_MS));
    if timeout(most, drained).await.is_err() {
        tracing::warn!(sessions = connections.len(), "sessions that did not end are cut off");
        connections.shutdown().await;
    }
    proxy.stores.values().for_each(|pool| pool.clear());
}

async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // A sender that is gone will not say it any more.
    let _ = shutdown.wait_for(|stopped| *stopped).await;
}

/// One connection, whatever it turns out to be.
async fn connection(
    tcp: TcpStream,
    proxy: Arc<Proxy>,
    mut shutdown: watch::Receiver<bool>,
    stranger: OwnedSemaphorePermit,
) {
    match startup::accept(tcp, &proxy.acceptor).await {
        Ok(Incoming::Session(startup)) => {
            let stopping = Box::pin(async move { stopped(&mut shutdown).await });
            session::run(startup, proxy, stopping, stranger).await;
        }
        Ok(Incoming::Cancel(key, stream)) => {
            if let Err(error) = proxy.cancels.forward(&key).await {
                tracing::warn!(%error, "a cancel could not be passed on");
            }
            Client::new(stream, FrontFrames::new(0)).drain().await;
        }
        Err(Failed { error, stream }) => {
            tracing::info!(%error, "a connection did not become a session");
            if let (Some(stream), Some(answer)) = (stream, rejected(&error)) {
                Client::new(stream, FrontFrames::new(0)).farewell(&answer).await;
            }
        }
    }
}
