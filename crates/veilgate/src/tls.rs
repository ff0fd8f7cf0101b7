//! Certificates: the gateway's own, from files or signed by itself, and the authorities that stores are checked by.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use pg_proxy::tls::{Check, ClientTls, ServerTls};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::config::{Listener, ListenerTls, StoreTls};
use crate::error::Error;

/// What clients are shown; `None` where there is no TLS.
pub(crate) fn server(listener: &Listener) -> Result<Option<ServerTls>, Error> {
    if listener.tls == ListenerTls::Off {
        return Ok(None);
    }
    let (chain, key) = match &listener.certificate {
        Some((cert_file, key_file)) => {
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| Error::file(key_file, error))?;
            (certificates(cert_file)?, key)
        }
        None => self_signed(listener.address)?,
    };
    if let Some(certificate) = chain.first() {
        let signed_by =
            if listener.certificate.is_some() { "the configured authority" } else { "the gateway itself" };
        tracing::info!(
            sha256 = fingerprint(certificate),
            signed_by,
            "the certificate that clients are shown"
        );
    }
    let tls =
        ServerTls::new(chain, key).map_err(|error| Error::Message(format!("the certificate: {error}")))?;
    Ok(Some(tls))
}

/// How a store is checked; `None` where there is no TLS.
pub(crate) fn client(mode: StoreTls, ca_file: Option<&Path>) -> Result<Option<ClientTls>, Error> {
    let check = match mode {
        StoreTls::Off => return Ok(None),
        StoreTls::Authority => Check::Authority,
        StoreTls::Verify => Check::AuthorityAndHost,
    };
    let path = ca_file.unwrap_or(Path::new(""));
    let tls = ClientTls::new(&certificates(path)?, check).map_err(|error| Error::file(path, error))?;
    Ok(Some(tls))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match read {
        Ok(chain) if chain.is_empty() => Err(Error::file(path, "there is no certificate in it")),
        Ok(chain) => Ok(chain),
        Err(error) => Err(Error::file(path, error)),
    }
}

type Certified = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// A certificate of this start alone: good against those who listen, not against those who stand between.
fn self_signed(address: SocketAddr) -> Result<Certified, Error> {
    let names = vec!["localhost".to_owned(), address.ip().to_string()];
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|error| Error::Message(format!("cannot sign a certificate: {error}")))?;
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    Ok((vec![made.cert.der().clone()], key.into()))
}

/// The SHA-256 of a certificate, as other tools print it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
    let mut text = String::new();
    for byte in digest.as_ref() {
        let colon = if text.is_empty() { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}
