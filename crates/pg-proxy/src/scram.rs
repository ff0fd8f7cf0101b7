//! SCRAM-SHA-256, the server's side: verifiers as Postgres keeps them, and the two steps of an exchange.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The mechanism without channel binding.
pub const MECHANISM: &str = "SCRAM-SHA-256";
/// The mechanism that binds a login to the server's certificate.
pub const MECHANISM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// What Postgres takes for a new verifier.
const ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;
/// Random bytes of the server's part of the nonce, as in Postgres.
const NONCE_BYTES: usize = 18;

/// What is kept of a password: enough to check it, not enough to log in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: [u8; 32],
    server_key: [u8; 32],
}

/// Why a login by SCRAM failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// A message that is not one of the exchange.
    #[error("malformed SCRAM message ({0})")]
    Malformed(&'static str),
    /// The client was made to believe that the server has no channel binding, or bound to another certificate.
    #[error("SCRAM channel binding check failed")]
    Binding,
    /// The password is not the one, or there is no such user.
    #[error("password authentication failed")]
    Denied,
}

/// A text that is no verifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a verifier of the form `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`")]
pub struct VerifierError;

/// No randomness was to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator failed")]
pub struct RandomError;

/// The verifier of a password, with a salt of its own, in Postgres's form.
///
/// # Errors
/// When the system gives no random bytes.
pub fn make_verifier(password: &str) -> Result<String, RandomError> {
    let salt = random::<SALT_BYTES>()?;
    let iterations = NonZeroU32::new(ITERATIONS).unwrap_or(NonZeroU32::MIN);
    Ok(Verifier::of(password, &salt, iterations).to_text())
}

impl Verifier {
    /// The verifier of a password under this salt and count.
    #[must_use]
    pub fn of(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        // As Postgres and libpq do: a password that cannot be prepared is taken as it is.
        let prepared = stringprep::saslprep(password).unwrap_or(password.into());
        let mut salted = [0; 32];
        let algorithm = ring::pbkdf2::PBKDF2_HMAC_SHA256;
        ring::pbkdf2::derive(algorithm, iterations, salt, prepared.as_bytes(), &mut salted);
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(hmac(&salted, &[b"Client Key"])).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Reads Postgres's form.
    ///
    /// # Errors
    /// When the text is not of that form.
    pub fn parse(text: &str) -> Result<Self, VerifierError> {
        let parts = || {
            let (salting, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
            let (iterations, salt) = salting.split_once(':')?;
            let (stored_key, server_key) = keys.split_once(':')?;
            let salt = BASE64.decode(salt).ok().filter(|salt| !salt.is_empty())?;
            Some(Self {
                iterations: iterations.parse().ok()?,
                salt,
                stored_key: BASE64.decode(stored_key).ok()?.try_into().ok()?,
                server_key: BASE64.decode(server_key).ok()?.try_into().ok()?,
            })
        };
        parts().ok_or(VerifierError)
    }

    /// Postgres's form.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "SCRAM-SHA-256${}:{}${}:{}",
            self.iterations,
            BASE64.encode(&self.salt),
            BASE64.encode(self.stored_key),
            BASE64.encode(self.server_key)
        )
    }

    /// A verifier that no password fits, for a user that does not exist: it looks like `model`, and is the same each
    /// time the name is tried.
    pub(crate) fn mock(user: &str, secret: &[u8; 32], model: Option<&Self>) -> Self {
        let derive = |what: &[u8]| hmac(secret, &[what, user.as_bytes()]);
        let salt_bytes = model.map_or(SALT_BYTES, |model| model.salt.len());
        Self {
            iterations: model
                .map_or(NonZeroU32::MIN.saturating_add(ITERATIONS - 1), |model| model.iterations),
            salt: derive(b"salt").into_iter().cycle().take(salt_bytes).collect(),
            stored_key: derive(b"stored key"),
            server_key: derive(b"server key"),
        }
    }

    /// A number below `count` that is the same each time; 0 for a count of 0.
    pub(crate) fn draw(&self, count: usize) -> usize {
        self.server_key.iter().fold(0, |draw, byte| (draw * 256 + usize::from(*byte)) % count.max(1))
    }

    /// A secret of the gateway's own, for [`Verifier::mock`], that lives as long as this verifier.
    pub(crate) fn mock_secret(&self) -> [u8; 32] {
        hmac(&self.stored_key, &[b"users that do not exist"])
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// What binds a login to its connection, as both sides see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding<'a> {
    /// The server offered none.
    None,
    /// The server offered it; the client chose the mechanism without.
    Offered,
    /// The client chose it, over a connection with this `tls-server-end-point`.
    EndPoint(&'a [u8]),
}

/// One login, from the client's first message on.
#[derive(Debug)]
pub struct Exchange<'a> {
    verifier: &'a Verifier,
    binding: Binding<'a>,
    /// `n,,` and the like: what the client must repeat in its last message.
    gs2_header: String,
    nonce: String,
    /// The client's first message without its header, and the answer: the beginning of what is signed.
    signed: String,
}

impl<'a> Exchange<'a> {
    /// Reads the client's first message; the text is the answer.
    ///
    /// # Errors
    /// When the message is malformed, or its channel binding is not what was agreed.
    pub fn start(
        verifier: &'a Verifier,
        binding: Binding<'a>,
        client_first: &[u8],
        server_nonce: &str,
    ) -> Result<(Self, String), ScramError> {
        let text = std::str::from_utf8(client_first).map_err(|_| ScramError::Malformed("encoding"))?;
        let malformed = |what| move || ScramError::Malformed(what);
        let (flag, rest) = text.split_once(',').ok_or_else(malformed("flag"))?;
        check_flag(flag, binding)?;
        // A login in another's name is not for sale.
        let bare = rest.strip_prefix(',').ok_or_else(malformed("authorization identity"))?;
        let mut attributes = bare.split(',');
        // The name of the start-up packet counts, as in Postgres; `m=` would be an extension that must be understood.
        let user = attributes.next().unwrap_or_default();
        user.strip_prefix("n=").ok_or_else(malformed("user"))?;
        let client_nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        let client_nonce = client_nonce.ok_or_else(malformed("nonce"))?;
        if client_nonce.is_empty() || !client_nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ScramError::Malformed("nonce"));
        }
        let nonce = format!("{client_nonce}{server_nonce}");
        let server_first = format!("r={nonce},s={},i={}", BASE64.encode(&verifier.salt), verifier.iterations);
        let signed = format!("{bare},{server_first}");
        let gs2_header = format!("{flag},,");
        Ok((Self { verifier, binding, gs2_header, nonce, signed }, server_first))
    }

    /// Reads the client's last message, and with it the proof that the client knows the password; the text is the
    /// server's own proof.
    ///
    /// # Errors
    /// When the message is malformed, or the proof is none.
    pub fn finish(self, client_final: &[u8]) -> Result<String, ScramError> {
        let text = std::str::from_utf8(client_final).map_err(|_| ScramError::Malformed("encoding"))?;
        let malformed = |what| move || ScramError::Malformed(what);
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or_else(malformed("proof"))?;
        let proof = BASE64.decode(proof).ok().and_then(|proof| <[u8; 32]>::try_from(proof).ok());
        let proof = proof.ok_or_else(malformed("proof"))?;
        let mut attributes = without_proof.split(',');
        let bound = attributes.next().and_then(|bound| bound.strip_prefix("c="));
        let bound = BASE64.decode(bound.ok_or_else(malformed("channel binding"))?);
        let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r="));
        if bound.map_err(|_| ScramError::Malformed("channel binding"))? != self.expected_binding() {
            return Err(ScramError::Binding);
        }
        if nonce != Some(self.nonce.as_str()) {
            return Err(ScramError::Malformed("nonce"));
        }
        let message = [self.signed.as_bytes(), b",", without_proof.as_bytes()];
        let signature = hmac(&self.verifier.stored_key, &message);
        let mut client_key = proof;
        client_key.iter_mut().zip(signature).for_each(|(byte, mask)| *byte ^= mask);
        let stored_key = Sha256::digest(client_key);
        if !bool::from(stored_key.ct_eq(&self.verifier.stored_key)) {
            return Err(ScramError::Denied);
        }
        Ok(format!("v={}", BASE64.encode(hmac(&self.verifier.server_key, &message))))
    }

    fn expected_binding(&self) -> Vec<u8> {
        let mut expected = self.gs2_header.clone().into_bytes();
        if let Binding::EndPoint(hash) = self.binding {
            expected.extend_from_slice(hash);
        }
        expected
    }
}

/// A client that could bind, and says that the server offered nothing, was lied to if it did.
fn check_flag(flag: &str, binding: Binding<'_>) -> Result<(), ScramError> {
    match (flag, binding) {
        ("n", Binding::None | Binding::Offered) | ("y", Binding::None) => Ok(()),
        ("p=tls-server-end-point", Binding::EndPoint(_)) => Ok(()),
        ("y", Binding::Offered) => Err(ScramError::Binding),
        _ => Err(ScramError::Malformed("flag")),
    }
}

/// The server's part of a nonce.
pub(crate) fn server_nonce() -> Result<String, RandomError> {
    random::<NONCE_BYTES>().map(|bytes| BASE64.encode(bytes))
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key shorter than the hash's block is filled with zeros: HMAC's own rule.
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
