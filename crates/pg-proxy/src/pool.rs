//! The connections to one store: lent to a session for a transaction, taken back when their state is known clean.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::answer::Answer;
use crate::cancel::Target;
use crate::frame::{Back, BackFrames};
use crate::settings::Values;
use crate::statements::Cache;
use crate::tls::Stream;
use crate::upstream::{self, Upstream, UpstreamConfig};

/// How much may wait for a store before its client is no longer read.
const OUT_BYTES_MAX: usize = 256 * 1024;

/// What bounds the connections to a store.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// The most connections at a time.
    pub pool_size_max: usize,
    /// How long a session waits for one.
    pub pool_wait_ms_max: u64,
    /// How old a connection gets.
    pub connection_age_ms_max: u64,
    /// The most statements that one of them has prepared.
    pub statements_max: usize,
}

/// The connections to one store.
#[derive(Debug)]
pub struct Pool {
    name: Arc<str>,
    config: Arc<UpstreamConfig>,
    limits: PoolLimits,
    /// One permit a connection that is lent.
    slots: Arc<Semaphore>,
    /// The last one given back is the first to be lent: the others grow old and go.
    idle: Mutex<Vec<Link>>,
    /// What the store has said of itself when it was last connected to.
    parameters: Mutex<Arc<BTreeMap<String, String>>>,
}

/// A connection to a store.
#[derive(Debug)]
pub(crate) struct Link {
    pub stream: Stream,
    pub frames: BackFrames,
    /// What has yet to be sent.
    pub out: BytesMut,
    /// What cancels what it runs.
    pub target: Option<Target>,
    /// The statements that it has prepared.
    pub cache: Cache,
    /// The settings that it has; `None` where nobody knows.
    pub applied: Option<Arc<Values>>,
    since: Instant,
    slot: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// A pool for the store of this name that has yet to connect.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, config: UpstreamConfig, limits: PoolLimits) -> Self {
        let slots = Arc::new(Semaphore::new(limits.pool_size_max.min(Semaphore::MAX_PERMITS)));
        Self {
            name: name.into(),
            config: Arc::new(config),
            limits,
            slots,
            idle: Mutex::default(),
            parameters: Mutex::default(),
        }
    }

    /// The store's name in the configuration: the database that clients connect to.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What the store says of itself; nothing before it was first connected to.
    pub(crate) fn parameters(&self) -> Arc<BTreeMap<String, String>> {
        Arc::clone(&self.parameters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection in a clean state, lent until it is given back or dropped.
    pub(crate) async fn take(&self) -> Result<Link, Answer> {
        let slot = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => slot,
            Err(_) => self.wait().await?,
        };
        while let Some(mut link) = self.pop() {
            if link.since.elapsed() < Duration::from_millis(self.limits.connection_age_ms_max)
                && link.is_healthy().await
            {
                link.slot = Some(slot);
                return Ok(link);
            }
            link.goodbye();
        }
        self.connect(slot).await
    }

    /// Takes a connection back whose state is known clean.
    pub(crate) fn give(&self, mut link: Link) {
        link.slot = None;
        if link.frames.has_bytes() || !link.out.is_empty() {
            return;
        }
        link.frames.rest();
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(link);
    }

    /// Ends the connections that nobody uses: after a change of what they were made with, or at the end.
    pub fn clear(&self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        idle.into_iter().for_each(Link::goodbye);
    }

    fn pop(&self) -> Option<Link> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn wait(&self) -> Result<OwnedSemaphorePermit, Answer> {
        let until = Instant::now() + Duration::from_millis(self.limits.pool_wait_ms_max);
        match timeout_at(until, Arc::clone(&self.slots).acquire_owned()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => {
                Err(Answer::error("53300", "all connections to the store are in use; none came free in time"))
            }
        }
    }

    async fn connect(&self, slot: OwnedSemaphorePermit) -> Result<Link, Answer> {
        let upstream = match upstream::connect(&self.config).await {
            Ok(upstream) => upstream,
            Err(error) => {
                // The reason may name hosts and logins: it is for the operator.
                tracing::error!(store = %self.name, %error, "the store cannot be reached");
                return Err(Answer::error("08006", "the store cannot be reached"));
            }
        };
        let Upstream { stream, frames, parameters, key } = upstream;
        *self.parameters.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(parameters);
        Ok(Link {
            stream,
            frames,
            out: BytesMut::new(),
            target: key.map(|key| Target { config: Arc::clone(&self.config), key }),
            cache: Cache::new(self.limits.statements_max),
            applied: Some(Arc::default()),
            since: Instant::now(),
            slot: Some(slot),
        })
    }
}

impl Link {
    /// Whether more waits for the store than should.
    pub(crate) fn is_full(&self) -> bool {
        self.out.len() > OUT_BYTES_MAX
    }

    /// Whether the store has kept the connection open, and has said nothing that matters meanwhile.
    async fn is_healthy(&mut self) -> bool {
        let filled = poll_fn(|cx| {
            Poll::Ready(match pin!(self.frames.fill(&mut self.stream)).poll(cx) {
                Poll::Ready(Ok(1..)) => Some(true),
                Poll::Ready(Ok(0) | Err(_)) => Some(false),
                Poll::Pending => None,
            })
        });
        match filled.await {
            None => return true,
            Some(false) => return false,
            Some(true) => {}
        }
        loop {
            match self.frames.next_back() {
                Ok(None) => return !self.frames.has_bytes(),
                // A server whose configuration was reloaded says so. Sessions are told when they next set it.
                Ok(Some(Back::Frame(frame))) if matches!(frame.tag(), b'S' | b'N' | b'A') => {}
                Ok(Some(_)) | Err(_) => return false,
            }
        }
    }

    /// Ends it in a way that the store's log does not complain of.
    pub(crate) fn goodbye(mut self) {
        crate::front::terminate(&mut self.out);
        tokio::spawn(async move {
            let Self { stream, out, .. } = &mut self;
            let _ = timeout_at(
                Instant::now() + Duration::from_secs(1),
                poll_fn(|cx| crate::relay::poll_send(stream, out, cx)),
            )
            .await;
        });
    }
}

/// Whether a client may know this parameter of the store.
pub(crate) fn may_be_known(name: &str) -> bool {
    matches!(
        name,
        "DateStyle"
            | "IntervalStyle"
            | "TimeZone"
            | "application_name"
            | "client_encoding"
            | "default_transaction_read_only"
            | "in_hot_standby"
            | "integer_datetimes"
            | "scram_iterations"
            | "server_encoding"
            | "server_version"
            | "standard_conforming_strings"
    )
}
