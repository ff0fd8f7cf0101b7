//! A client proves who it is: SCRAM-SHA-256 against the verifiers of the configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::Identity;
use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout_at;

use crate::back::{self, Authentication};
use crate::fields::Fields;
use crate::frame::Frame;
use crate::scram::{self, Binding, Exchange, MECHANISM, MECHANISM_PLUS, RandomError, ScramError, Verifier};
use crate::startup::{Acceptor, Startup, StartupError};

/// All who may log in.
#[derive(Debug)]
pub struct Logins {
    logins: BTreeMap<Arc<str>, Login>,
    mock_secret: [u8; 32],
}

/// One who may log in.
#[derive(Debug, Clone)]
pub struct Login {
    /// Who this is.
    pub identity: Arc<Identity>,
    /// What proves it.
    pub verifier: Verifier,
}

impl Logins {
    /// These, each under the name of its identity.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(logins: impl IntoIterator<Item = Login>) -> Result<Self, RandomError> {
        let logins: BTreeMap<_, _> =
            logins.into_iter().map(|login| (Arc::clone(&login.identity.id), login)).collect();
        // Taken from a verifier, so that salts of users that do not exist outlive a restart, as those of others do.
        let mock_secret = match logins.values().next() {
            Some(login) => login.verifier.mock_secret(),
            None => scram::random()?,
        };
        Ok(Self { logins, mock_secret })
    }

    /// The verifier of this user; for one that does not exist, one like those of the others.
    fn verifier(&self, user: &str) -> Verifier {
        // Made in any case, so that time does not tell.
        let draw = Verifier::mock(user, &self.mock_secret, None).draw(self.logins.len());
        let model = self.logins.values().nth(draw).map(|login| &login.verifier);
        let mock = Verifier::mock(user, &self.mock_secret, model);
        self.logins.get(user).map_or(mock, |login| login.verifier.clone())
    }
}

/// Asks for the proof, up to AuthenticationOk. The session's own frames follow, bounded as the listener says.
///
/// # Errors
/// When there is no such user, the proof is none, or the time is over. Nothing tells the first two apart.
pub async fn authenticate(
    startup: &mut Startup,
    acceptor: &Acceptor,
    logins: &Logins,
) -> Result<Arc<Identity>, StartupError> {
    let deadline = startup.deadline;
    let exchanged = timeout_at(deadline, exchange(startup, acceptor, logins)).await;
    exchanged.map_err(|_| StartupError::Timeout)??;
    startup.frames.allow(acceptor.message_bytes_max);
    // The proof fits a verifier that was found under this name, so the name is there.
    let login = logins.logins.get(startup.user.as_str());
    login.map(|login| Arc::clone(&login.identity)).ok_or_else(|| StartupError::Denied(startup.user.clone()))
}

async fn exchange(startup: &mut Startup, acceptor: &Acceptor, logins: &Logins) -> Result<(), StartupError> {
    let end_point = acceptor.tls.as_ref().filter(|_| startup.stream.is_tls()).and_then(|tls| tls.end_point());
    let mechanisms = match end_point {
        Some(_) => vec![MECHANISM_PLUS, MECHANISM],
        None => vec![MECHANISM],
    };
    say(startup, &[Authentication::Sasl(mechanisms)]).await?;

    let first = hear(startup).await?;
    let mut fields = Fields::new(first.body());
    let mechanism = fields.text().map_err(StartupError::Frame)?;
    let client_first = fields.value().map_err(StartupError::Frame)?.unwrap_or_default();
    fields.end().map_err(StartupError::Frame)?;
    let binding = match (mechanism, end_point) {
        (MECHANISM_PLUS, Some(hash)) => Binding::EndPoint(hash),
        (MECHANISM, Some(_)) => Binding::Offered,
        (MECHANISM, None) => Binding::None,
        _ => return Err(StartupError::Mechanism),
    };
    let verifier = logins.verifier(&startup.user);
    let nonce = scram::server_nonce()?;
    let (exchange, server_first) =
        Exchange::start(&verifier, binding, client_first, &nonce).map_err(StartupError::Scram)?;
    say(startup, &[Authentication::SaslContinue(server_first.as_bytes())]).await?;

    let last = hear(startup).await?;
    let server_final = exchange.finish(last.body()).map_err(|error| match error {
        ScramError::Denied => StartupError::Denied(startup.user.clone()),
        ScramError::Malformed(_) | ScramError::Binding => StartupError::Scram(error),
    })?;
    say(startup, &[Authentication::SaslFinal(server_final.as_bytes()), Authentication::Ok]).await
}

async fn say(startup: &mut Startup, messages: &[Authentication<'_>]) -> Result<(), StartupError> {
    let mut out = BytesMut::new();
    for message in messages {
        back::write_authentication(&mut out, message).map_err(StartupError::Frame)?;
    }
    startup.stream.write_all(&out).await?;
    Ok(startup.stream.flush().await?)
}

async fn hear(startup: &mut Startup) -> Result<Frame, StartupError> {
    let frame = startup.frames.read(&mut startup.stream).await?.ok_or(StartupError::Closed)?;
    match frame.tag() {
        b'p' => Ok(frame),
        _ => Err(StartupError::Packet("expected a SASL response")),
    }
}
