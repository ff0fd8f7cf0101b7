//! Cancels: a client's key to the store's connection that the session has at this moment, and to no other.
//!
//! A cancel names a connection, not a query, and takes its time. So the connection that it is for stays with the session
//! until the store has closed the cancel's own connection, which it does once the signal has been sent: a late cancel
//! never hits the next caller.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use subtle::ConstantTimeEq;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::front;
use crate::scram::{RandomError, random};
use crate::startup::CancelKey;
use crate::upstream::{self, UpstreamConfig, UpstreamError};

/// The length of a secret before protocol 3.2, and since.
const SECRET_BYTES_3_0: usize = 4;
const SECRET_BYTES_3_2: usize = 32;

/// The keys of all sessions.
#[derive(Debug, Default)]
pub struct Cancels {
    sessions: Mutex<HashMap<i32, Arc<Session>>>,
}

/// One session's key. Dropped, the key opens nothing.
#[derive(Debug)]
pub struct Registration {
    cancels: Arc<Cancels>,
    session: Arc<Session>,
}

#[derive(Debug)]
struct Session {
    key: CancelKey,
    /// Held while a cancel is under way.
    lent: tokio::sync::Mutex<Lent>,
}

#[derive(Debug, Default)]
struct Lent {
    target: Option<Target>,
    /// Whether a cancel was begun and not seen to its end: it may hit at any later time.
    haunted: bool,
}

/// A store's connection and what cancels it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The store.
    pub config: Arc<UpstreamConfig>,
    /// The connection's key.
    pub key: CancelKey,
}

/// Whether a connection may serve another session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum HandBack {
    /// No cancel is on its way to it.
    Clean,
    /// One may be: the connection has to be closed.
    Haunted,
}

impl Cancels {
    /// A key for a new session that speaks this minor version of protocol 3.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn register(self: &Arc<Self>, minor: u16) -> Result<Registration, RandomError> {
        let secret = if minor >= 2 {
            random::<SECRET_BYTES_3_2>()?.to_vec()
        } else {
            random::<SECRET_BYTES_3_0>()?.to_vec()
        };
        loop {
            // Drawn as well: it makes the key longer.
            let pid = i32::from_be_bytes(random()?) & i32::MAX;
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            if pid == 0 || sessions.contains_key(&pid) {
                continue;
            }
            let lent = tokio::sync::Mutex::new(Lent::default());
            let session = Arc::new(Session { key: CancelKey { pid, secret }, lent });
            sessions.insert(pid, Arc::clone(&session));
            return Ok(Registration { cancels: Arc::clone(self), session });
        }
    }

    /// Passes a cancel on to the connection that the session has, and waits until it has been dealt with. Does nothing
    /// where the key is wrong or the session has no connection; nobody learns which.
    ///
    /// # Errors
    /// When the store cannot be reached, or does not close the connection in time.
    pub async fn forward(&self, key: &CancelKey) -> Result<(), UpstreamError> {
        let Some(session) = self.session(key) else { return Ok(()) };
        let mut lent = session.lent.lock().await;
        let Some(target) = lent.target.clone() else { return Ok(()) };
        // Set first, so that it stays when this future is dropped or fails.
        let before = std::mem::replace(&mut lent.haunted, true);
        send(&target).await?;
        lent.haunted = before;
        Ok(())
    }

    fn session(&self, key: &CancelKey) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(&key.pid)?;
        bool::from(session.key.secret.ct_eq(&key.secret)).then(|| Arc::clone(session))
    }
}

impl Registration {
    /// What the client is told.
    #[must_use]
    pub fn key(&self) -> &CancelKey {
        &self.session.key
    }

    /// From now on, a cancel of this session is for this connection.
    pub async fn lend(&self, target: Target) {
        *self.session.lent.lock().await = Lent { target: Some(target), haunted: false };
    }

    /// From now on, a cancel of this session is for nobody. Waits for one that is under way.
    pub async fn hand_back(&self) -> HandBack {
        let lent = std::mem::take(&mut *self.session.lent.lock().await);
        if lent.haunted { HandBack::Haunted } else { HandBack::Clean }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut sessions = self.cancels.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&self.session.key.pid);
    }
}

/// Sends the request on a connection of its own, and waits for the store to close it.
async fn send(target: &Target) -> Result<(), UpstreamError> {
    let sending = async {
        let mut stream = upstream::open(&target.config).await?;
        let mut out = BytesMut::new();
        front::cancel_request(&mut out, target.key.pid, &target.key.secret)?;
        stream.write_all(&out).await?;
        stream.flush().await?;
        let mut byte = [0];
        match stream.read(&mut byte).await {
            Ok(0) => Ok(()),
            Ok(_) => Err(UpstreamError::Unexpected(u8::from_be_bytes(byte))),
            // A server that ends TLS without a word. Any other failure leaves open whether the signal is still to come.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(error.into()),
        }
    };
    let limit = Duration::from_millis(target.config.connect_ms_max);
    timeout(limit, sending).await.map_err(|_| UpstreamError::Timeout)?
}
