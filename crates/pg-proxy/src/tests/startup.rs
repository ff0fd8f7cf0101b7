//! Start-up as real clients do it, and as attackers would.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;

use access::Identity;
use bytes::BytesMut;
use proptest::prelude::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use testkit::certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::back::{self, ReportKind, Status};
use crate::frame::{Back, BackFrames};
use crate::front;
use crate::login::{Login, Logins, authenticate};
use crate::scram::{Verifier, make_verifier};
use crate::startup::{Acceptor, CancelKey, Failed, Incoming, Startup, StartupError, accept};
use crate::tls::{Check, ClientTls, ServerTls, Stream};

fn plain() -> Acceptor {
    Acceptor { tls: None, tls_required: false, startup_ms_max: 5_000, message_bytes_max: 1 << 20 }
}

pub(super) fn server_tls(made: &certificate::Certificate) -> ServerTls {
    let chain = vec![CertificateDer::from_pem_slice(made.certificate_pem.as_bytes()).unwrap()];
    ServerTls::new(chain, PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes()).unwrap()).unwrap()
}

fn encrypted() -> Acceptor {
    Acceptor { tls: Some(server_tls(&certificate::self_signed())), ..plain() }
}

/// Accepts one connection, and has `client` make it.
async fn one<T>(
    acceptor: &Acceptor,
    client: impl AsyncFnOnce(TcpStream) -> T,
) -> (Result<Incoming, Failed>, T) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = async {
        let (tcp, _) = listener.accept().await.unwrap();
        accept(tcp, acceptor).await
    };
    let connecting = async { client(TcpStream::connect(address).await.unwrap()).await };
    tokio::join!(accepting, connecting)
}

async fn sent(acceptor: &Acceptor, bytes: &[u8]) -> Result<Incoming, Failed> {
    // Kept open, so that the end of the stream is not what is seen.
    let (incoming, _tcp) = one(acceptor, async |mut tcp| {
        tcp.write_all(bytes).await.unwrap();
        tcp
    })
    .await;
    incoming
}

fn session(incoming: Result<Incoming, Failed>) -> Startup {
    match incoming.unwrap() {
        Incoming::Session(startup) => *startup,
        Incoming::Cancel(key, _) => panic!("{key:?}"),
    }
}

fn packet(version: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len() + 8).unwrap().to_be_bytes().to_vec();
    bytes.extend(version.to_be_bytes());
    bytes.extend(body);
    bytes
}

fn startup_with(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut out = BytesMut::new();
    front::startup(&mut out, parameters).unwrap();
    out.to_vec()
}

#[tokio::test]
async fn parameters_and_options_are_read() {
    let startup = session(
        sent(
            &plain(),
            &startup_with(&[
                ("user", "alice"),
                ("options", r"-c veilgate.purpose=sup\ port --search-path=a,b -cDateStyle=German"),
                ("Application_Name", "psql"),
                ("replication", "off"),
                ("_pq_.command_tag", "x"),
                ("datestyle", "ISO"),
            ]),
        )
        .await,
    );
    assert_eq!((startup.user.as_str(), startup.database.as_str()), ("alice", "alice"));
    assert_eq!(startup.purpose.as_deref(), Some("sup port"));
    let settings: Vec<_> =
        startup.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        settings,
        [("search_path", "a,b"), ("datestyle", "German"), ("application_name", "psql"), ("datestyle", "ISO")]
    );
    assert_eq!(startup.minor, 0);
    assert!(startup.peer.ip().is_loopback());
}

#[tokio::test]
async fn newer_versions_and_options_are_negotiated() {
    let check = async |minor: u32, body: &'static [u8], expected: u16, answer: Option<&[u8]>| {
        let (incoming, read) = one(&plain(), async |mut tcp| {
            tcp.write_all(&packet((3 << 16) | minor, body)).await.unwrap();
            let mut read = vec![0; answer.map_or(0, <[u8]>::len)];
            tcp.read_exact(&mut read).await.unwrap();
            read
        })
        .await;
        assert_eq!(session(incoming).minor, expected);
        assert_eq!(read, answer.unwrap_or_default());
    };
    check(0, b"user\0a\0\0", 0, None).await;
    check(2, b"user\0a\0\0", 2, None).await;
    check(9999, b"user\0a\0\0", 2, Some(b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0")).await;
    check(0, b"user\0a\0_pq_.x\0y\0\0", 0, Some(b"v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0")).await;
}

#[tokio::test]
async fn what_is_no_session_is_refused() {
    let refused = async |acceptor: &Acceptor, bytes: &[u8]| sent(acceptor, bytes).await.unwrap_err().error;
    let (plain, required) = (plain(), Acceptor { tls_required: true, ..encrypted() });
    let user = startup_with(&[("user", "a")]);
    assert!(matches!(refused(&required, &user).await, StartupError::TlsRequired));
    for bytes in [
        packet(3 << 16, b"user\0a\0"),
        packet(3 << 16, b"user\0a\0\0x"),
        packet(3 << 16, b"user\0\xff\0\0"),
        packet(3 << 16, b""),
        b"\0\0\0\x04abcd".to_vec(),
        b"\xff\xff\xff\xffabcd".to_vec(),
        b"\0\0\x27\x19\0\x03\0\0".to_vec(),
        packet(1234 << 16 | 5678, b"\0\0\0\x01abc"),
        packet(1234 << 16 | 5678, &[0; 261]),
    ] {
        assert!(matches!(refused(&plain, &bytes).await, StartupError::Packet(_)), "{bytes:?}");
    }
    assert!(matches!(refused(&plain, &packet(2 << 16, b"")).await, StartupError::Version(2, 0)));
    assert!(matches!(refused(&plain, b"GET / HTTP/1.1\r\n\r\n").await, StartupError::Packet("length")));
    assert!(matches!(refused(&plain, &startup_with(&[("database", "d")])).await, StartupError::NoUser));
    for options in ["-d 5", "-c", "-c work_mem", "--work_mem", "x"] {
        let bytes = startup_with(&[("user", "a"), ("options", options)]);
        assert!(matches!(refused(&plain, &bytes).await, StartupError::Option(_)), "{options}");
    }
    for value in ["database", "true", "on"] {
        let bytes = startup_with(&[("user", "a"), ("replication", value)]);
        assert!(matches!(refused(&plain, &bytes).await, StartupError::Replication), "{value}");
    }
    let (incoming, ()) = one(&plain, async |_| {}).await;
    assert!(matches!(incoming.unwrap_err().error, StartupError::Closed));
    let hurried = Acceptor { startup_ms_max: 50, ..plain };
    assert!(matches!(refused(&hurried, b"\0\0").await, StartupError::Timeout));
}

#[tokio::test]
async fn a_cancel_is_a_key() {
    let secret = [7; 32];
    let mut out = BytesMut::new();
    front::cancel_request(&mut out, 42, &secret).unwrap();
    match sent(&plain(), &out).await.unwrap() {
        Incoming::Cancel(key, _) => assert_eq!(key, CancelKey { pid: 42, secret: secret.to_vec() }),
        Incoming::Session(startup) => panic!("{startup:?}"),
    }
}

/// The class of CVE-2021-23214: what was sent in clear must not become a part of the encrypted session.
#[tokio::test]
async fn bytes_before_a_handshake_are_refused() {
    let mut bytes = packet(front::SSL_REQUEST, b"");
    bytes.extend(startup_with(&[("user", "alice")]));
    for acceptor in [encrypted(), plain()] {
        let error = sent(&acceptor, &bytes).await.unwrap_err().error;
        assert!(matches!(error, StartupError::EarlyBytes), "{error:?}");
    }
    let mut bytes = packet(front::GSSENC_REQUEST, b"");
    bytes.extend(startup_with(&[("user", "alice")]));
    assert!(matches!(sent(&plain(), &bytes).await.unwrap_err().error, StartupError::EarlyBytes));

    // Sent a moment later, they are a handshake that fails.
    let (incoming, ()) = one(&encrypted(), async |mut tcp| {
        tcp.write_all(&packet(front::SSL_REQUEST, b"")).await.unwrap();
        assert_eq!(tcp.read_u8().await.unwrap(), b'S');
        tcp.write_all(&startup_with(&[("user", "alice")])).await.unwrap();
    })
    .await;
    assert!(incoming.is_err());
}

#[tokio::test]
async fn encryption_is_asked_for_in_any_order_and_once() {
    let gss = packet(front::GSSENC_REQUEST, b"");
    let tls = packet(front::SSL_REQUEST, b"");
    let ask = async |tcp: &mut TcpStream, packet: &[u8]| {
        tcp.write_all(packet).await.unwrap();
        tcp.read_u8().await.unwrap()
    };
    for order in [[&gss, &tls], [&tls, &gss]] {
        let (incoming, ()) = one(&plain(), async |mut tcp| {
            for packet in order {
                assert_eq!(ask(&mut tcp, packet).await, b'N');
            }
            tcp.write_all(&startup_with(&[("user", "alice")])).await.unwrap();
        })
        .await;
        assert_eq!(session(incoming).user, "alice");
    }
    let (incoming, ()) = one(&plain(), async |mut tcp| {
        assert_eq!(ask(&mut tcp, &tls).await, b'N');
        tcp.write_all(&tls).await.unwrap();
    })
    .await;
    assert!(matches!(incoming.unwrap_err().error, StartupError::Packet(_)));
}

#[tokio::test]
async fn tls_without_a_request_before_it() {
    let made = certificate::self_signed();
    let acceptor = Acceptor { tls: Some(server_tls(&made)), tls_required: true, ..plain() };
    let roots = [CertificateDer::from_pem_slice(made.certificate_pem.as_bytes()).unwrap()];
    let client = ClientTls::new(&roots, Check::AuthorityAndHost).unwrap();
    let (incoming, _stream) = one(&acceptor, async |tcp| {
        let mut stream = client.connect(tcp, "localhost").await.unwrap();
        stream.write_all(&startup_with(&[("user", "alice")])).await.unwrap();
        stream.flush().await.unwrap();
        stream
    })
    .await;
    let startup = session(incoming);
    assert!(matches!(startup.stream, Stream::Tls(_)));
}

fn logins() -> Logins {
    let identity =
        Arc::new(Identity { id: "alice".into(), attributes: Default::default(), purposes: Vec::new() });
    let verifier = Verifier::parse(&make_verifier("wonder").unwrap()).unwrap();
    Logins::new([Login { identity, verifier }]).unwrap()
}

/// A gateway that lets alice in, and answers any query with nothing.
async fn serve(acceptor: Acceptor) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (acceptor, logins) = (Arc::new(acceptor), Arc::new(logins()));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, logins) = (Arc::clone(&acceptor), Arc::clone(&logins));
            tokio::spawn(async move {
                let Ok(Incoming::Session(mut startup)) = accept(tcp, &acceptor).await else { return };
                let mut out = BytesMut::new();
                match authenticate(&mut startup, &acceptor, &logins).await {
                    Ok(identity) => {
                        assert_eq!(&*identity.id, "alice");
                        back::write_ready(&mut out, Status::Idle);
                    }
                    Err(error) => {
                        let (code, text) = (error.sqlstate().unwrap(), error.to_string());
                        let fields = [(b'S', "FATAL"), (b'C', code), (b'M', text.as_str())];
                        back::write_report(&mut out, ReportKind::Error, &fields);
                    }
                }
                loop {
                    startup.stream.write_all(&out.split()).await.unwrap();
                    startup.stream.flush().await.unwrap();
                    match startup.frames.read(&mut startup.stream).await {
                        Ok(Some(frame)) if frame.tag() == b'Q' => {
                            back::write_command_complete(&mut out, "SELECT 0").unwrap();
                            back::write_ready(&mut out, Status::Idle);
                        }
                        _ => return,
                    }
                }
            });
        }
    });
    address
}

async fn psql(address: SocketAddr, rest: &str) -> Result<(), String> {
    let url = format!("host=localhost hostaddr=127.0.0.1 port={} dbname=crm {rest}", address.port());
    let mut command = Command::new("psql");
    command.args(["-X", "-c", "select"]).arg(url);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_logs_in_over_tls_with_channel_binding() {
    let made = certificate::self_signed();
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.crt");
    std::fs::write(&root, &made.certificate_pem).unwrap();
    let address = serve(Acceptor { tls: Some(server_tls(&made)), tls_required: true, ..plain() }).await;
    let verified = format!("sslmode=verify-full sslrootcert={} channel_binding=require", root.display());
    psql(address, &format!("{verified} user=alice password=wonder")).await.unwrap();
    psql(address, "sslmode=require channel_binding=disable user=alice password=wonder").await.unwrap();
    let wrong = psql(address, &format!("{verified} user=alice password=wrong")).await.unwrap_err();
    assert!(wrong.contains("password authentication failed for user \"alice\""), "{wrong}");
    let nobody = psql(address, &format!("{verified} user=bob password=wonder")).await.unwrap_err();
    assert!(nobody.contains("password authentication failed for user \"bob\""), "{nobody}");
    assert!(psql(address, "sslmode=disable user=alice password=wonder").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn psql_logs_in_without_tls() {
    let address = serve(plain()).await;
    psql(address, "sslmode=prefer user=alice password=wonder").await.unwrap();
    assert!(psql(address, "sslmode=require user=alice password=wonder").await.is_err());
    let wrong = psql(address, "user=alice password=wrong").await.unwrap_err();
    assert!(wrong.contains("password authentication failed"), "{wrong}");
}

#[tokio::test]
async fn before_the_login_only_a_login_is_heard() {
    let acceptor = plain();
    for message in
        [&b"Q\0\0\0\x0dselect 1\0"[..], b"Q\0\x10\0\0", b"p\0\0\0\x04", b"p\0\0\0\x08abcd", b"X\0\0\0\x04"]
    {
        let (incoming, mut tcp) = one(&acceptor, async |mut tcp| {
            tcp.write_all(&startup_with(&[("user", "alice")])).await.unwrap();
            tcp.write_all(message).await.unwrap();
            tcp
        })
        .await;
        let mut startup = session(incoming);
        let error = authenticate(&mut startup, &acceptor, &logins()).await.unwrap_err();
        assert!(matches!(error, StartupError::Packet(_) | StartupError::Frame(_)), "{error:?}");
        let mut frames = BackFrames::new();
        let Ok(Some(Back::Frame(asked))) = frames.read(&mut tcp).await else { panic!() };
        assert_eq!(back::authentication(&asked), Ok(back::Authentication::Sasl(vec!["SCRAM-SHA-256"])));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn random_packets_do_no_harm(version in prop_oneof![Just(3u32 << 16), Just(80_877_102), Just(80_877_103), any::<u32>()],
                                 body in "(user\0|options\0|-c a|--|\\\\|\0|[ab=]){0,12}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let acceptor = Acceptor { startup_ms_max: 20, ..plain() };
        let _ = runtime.block_on(sent(&acceptor, &packet(version, body.as_bytes())));
    }
}
