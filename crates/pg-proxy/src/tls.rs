//! TLS on both legs: the listener's certificate, the check of a store's, and a stream that is either plain or encrypted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use sha2::{Digest, Sha256, Sha384, Sha512};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// The application protocol that a handshake names.
const ALPN: &[u8] = b"postgresql";
/// How long a connection may be silent before the peer is asked whether it is there.
const KEEPALIVE_SECONDS: u64 = 60;

/// A certificate or key that is of no use.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TlsError(#[from] rustls::Error);

/// A connection with a client or a store.
#[derive(Debug)]
pub enum Stream {
    /// Plain TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// TLS over TCP. What is written is sent with the next flush at the latest.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether others on the network can read along.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The hash of the peer's certificate that binds a SCRAM login to this connection.
    pub(crate) fn peer_end_point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Tls(stream) => end_point(stream.get_ref().1.peer_certificates()?.first()?),
            Self::Tcp(_) | Self::Unix(_) => None,
        }
    }
}

/// What the listener shows to clients.
#[derive(Clone, Debug)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    end_point: Option<Arc<[u8]>>,
}

impl ServerTls {
    /// From a certificate with its chain, and its key.
    ///
    /// # Errors
    /// When they do not belong together, or are of an unknown kind.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let end_point = chain.first().and_then(end_point).map(Into::into);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config), end_point })
    }

    /// The hash of the own certificate that binds a SCRAM login to a connection.
    pub(crate) fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }

    /// The server's side of a handshake. Without an SSLRequest before it, the client must name the protocol.
    pub(crate) async fn accept(&self, tcp: TcpStream, direct: bool) -> io::Result<Stream> {
        let stream = TlsAcceptor::from(Arc::clone(&self.config)).accept(tcp).await?;
        if direct && stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "direct TLS without ALPN `postgresql`"));
        }
        Ok(Stream::Tls(Box::new(TlsStream::Server(stream))))
    }
}

/// How a store must prove itself.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

/// What of a store's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// That one of the roots has signed it, or that it is one of them.
    Authority,
    /// The same, and that it is the host's.
    AuthorityAndHost,
}

impl ClientTls {
    /// From the certificates that are trusted.
    ///
    /// # Errors
    /// When a certificate is of no use as a root, or there is none.
    pub fn new(roots: &[CertificateDer<'static>], check: Check) -> Result<Self, TlsError> {
        let provider = provider();
        let mut store = RootCertStore::empty();
        for root in roots {
            store.add(root.clone())?;
        }
        if store.is_empty() {
            return Err(TlsError(rustls::Error::General("no certificate to trust".to_owned())));
        }
        let verifier = Verifier { roots: roots.to_vec(), store, check, provider: Arc::clone(&provider) };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { config: Arc::new(config) })
    }

    /// The client's side of a handshake.
    pub(crate) async fn connect(&self, tcp: TcpStream, host: &str) -> io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, tcp).await?;
        Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
    }
}

/// What every TCP connection is set to: small messages go out at once, and a peer that is gone is noticed.
pub(crate) fn set_options(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(KEEPALIVE_SECONDS));
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The `tls-server-end-point` of RFC 5929: the certificate's hash, by the function of its signature. `None` where that
/// has no function of its own, so that no login can be bound to it.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // MD5 and SHA-1 count as SHA-256; then SHA-256 with RSA and with ECDSA.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(certificate).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Sha384::digest(certificate).to_vec()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Sha512::digest(certificate).to_vec()),
        _ => None,
    }
}

/// Checks a store's certificate. A root that is the store's own certificate is trusted as such, as libpq does: that is
/// how most self-signed ones are set up.
#[derive(Debug)]
struct Verifier {
    roots: Vec<CertificateDer<'static>>,
    store: RootCertStore,
    check: Check,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        if self.roots.iter().any(|root| root == end_entity) {
            check_validity(end_entity, now)?;
        } else {
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.store,
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
        }
        if self.check == Check::AuthorityAndHost {
            verify_server_name(&parsed, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn check_validity(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let bad = |error: CertificateError| rustls::Error::InvalidCertificate(error);
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|_| bad(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).map_err(|_| bad(CertificateError::Expired))?;
    let now = ASN1Time::from_timestamp(now).map_err(|_| bad(CertificateError::Expired))?;
    if now < parsed.validity().not_before {
        return Err(bad(CertificateError::NotValidYet));
    }
    if now > parsed.validity().not_after {
        return Err(bad(CertificateError::Expired));
    }
    Ok(())
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
