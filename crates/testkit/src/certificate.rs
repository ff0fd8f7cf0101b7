//! A self-signed certificate for `localhost` and `127.0.0.1`.

/// A certificate and its key, both as PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, which is its own authority.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
}

/// Makes a fresh one.
#[must_use]
pub fn self_signed() -> Certificate {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).expect("the names are valid");
    Certificate { certificate_pem: made.cert.pem(), key_pem: made.signing_key.serialize_pem() }
}
