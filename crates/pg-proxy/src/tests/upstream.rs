//! Logins at a real Postgres, by each method, plain and over TLS.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use testkit::postgres::{Auth, GATEWAY, Options, Postgres, Tls};

use tokio::net::{TcpListener, TcpStream};

use crate::tls::{Check, ClientTls};
use crate::upstream::{Password, Upstream, UpstreamConfig, UpstreamError, connect};

pub(super) fn config(server: &Postgres, database: &str) -> UpstreamConfig {
    UpstreamConfig {
        host: "127.0.0.1".to_owned(),
        port: server.port(),
        database: database.to_owned(),
        user: GATEWAY.to_owned(),
        password: Some(Password::new(GATEWAY)),
        tls: None,
        extension_schemas: Vec::new(),
        settings: Vec::new(),
        connect_ms_max: 10_000,
    }
}

fn trusting(server: &Postgres, check: Check) -> ClientTls {
    let root = CertificateDer::from_pem_file(server.certificate()).unwrap();
    ClientTls::new(&[root], check).unwrap()
}

/// A port on 127.0.0.2 that leads to the server.
async fn forwarded_port(server: &Postgres) -> u16 {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let (near, far) = (listener.local_addr().unwrap().port(), server.port());
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut store = TcpStream::connect(("127.0.0.1", far)).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut client, &mut store).await;
    });
    near
}

pub(super) async fn answer(upstream: &mut Upstream, text: &str) -> Vec<Vec<Option<String>>> {
    let rows = upstream.query(text).await.unwrap();
    rows.iter().map(|row| row.unwrap().into_iter().map(|value| value.map(str::to_owned)).collect()).collect()
}

async fn one(upstream: &mut Upstream, text: &str) -> String {
    answer(upstream, text).await.remove(0).remove(0).unwrap()
}

#[tokio::test]
async fn every_method_plain() {
    for auth in [Auth::Trust, Auth::Scram, Auth::Md5] {
        let server = Postgres::start_with(&Options { auth, ..Options::default() });
        let config = config(&server, "postgres");
        let mut upstream = connect(&config).await.unwrap();
        assert_eq!(one(&mut upstream, "select current_user").await, GATEWAY, "{auth:?}");
        assert!(upstream.key.is_some());
        upstream.close().await;
        if auth != Auth::Trust {
            let wrong = UpstreamConfig { password: Some(Password::new("wrong")), ..config.clone() };
            let error = connect(&wrong).await.unwrap_err();
            assert!(matches!(&error, UpstreamError::Store(error) if error.sqlstate == "28P01"), "{error}");
            let none = UpstreamConfig { password: None, ..config };
            assert!(matches!(connect(&none).await.unwrap_err(), UpstreamError::Login(_)));
        }
    }
}

#[tokio::test]
async fn a_password_in_clear_needs_tls() {
    let options = Options { auth: Auth::Password, tls: Tls::Offered, ..Options::default() };
    let server = Postgres::start_with(&options);
    let plain = config(&server, "postgres");
    assert!(matches!(connect(&plain).await.unwrap_err(), UpstreamError::Login(_)));
    let tls = Some(trusting(&server, Check::AuthorityAndHost));
    let mut upstream = connect(&UpstreamConfig { tls, ..plain }).await.unwrap();
    assert_eq!(one(&mut upstream, "select ssl from pg_stat_ssl where pid = pg_backend_pid()").await, "t");
}

#[tokio::test]
async fn tls_is_checked_and_binds_the_login() {
    let options = Options { auth: Auth::Scram, tls: Tls::Required, ..Options::default() };
    let server = Postgres::start_with(&options);
    let config = config(&server, "postgres");
    for check in [Check::Authority, Check::AuthorityAndHost] {
        let config = UpstreamConfig { tls: Some(trusting(&server, check)), ..config.clone() };
        let mut upstream = connect(&config).await.unwrap();
        assert!(upstream.stream.peer_end_point().is_some());
        assert_eq!(one(&mut upstream, "select current_user").await, GATEWAY);
        // The same server under an address that its certificate does not have.
        let other =
            UpstreamConfig { host: "127.0.0.2".to_owned(), port: forwarded_port(&server).await, ..config };
        match connect(&other).await {
            Ok(_) => assert_eq!(check, Check::Authority),
            Err(error) => {
                assert_eq!(check, Check::AuthorityAndHost);
                assert!(error.to_string().contains("not valid for name"), "{error}");
            }
        }
    }
    let stranger = Postgres::start_with(&Options { tls: Tls::Offered, ..Options::default() });
    let tls = Some(trusting(&stranger, Check::Authority));
    let error = connect(&UpstreamConfig { tls, ..config.clone() }).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");

    let without = Postgres::start();
    let tls = Some(trusting(&server, Check::Authority));
    let config = UpstreamConfig { tls, ..self::config(&without, "postgres") };
    assert!(matches!(connect(&config).await.unwrap_err(), UpstreamError::TlsNotOffered));
}

#[tokio::test]
async fn settings_are_pinned_against_the_roles_own() {
    let server = Postgres::start();
    let hostile = "
        alter role gateway set search_path = public;
        alter role gateway set standard_conforming_strings = off;
        alter role gateway set transform_null_equals = on;
        alter role gateway set client_encoding = latin1;
        alter role gateway set application_name = x";
    server.run("postgres", hostile);
    let config = UpstreamConfig {
        extension_schemas: vec!["ext".to_owned(), "My Schema".to_owned()],
        settings: vec![
            ("statement_timeout".to_owned(), "7s".to_owned()),
            ("search_path".to_owned(), "evil".to_owned()),
        ],
        ..config(&server, "postgres")
    };
    let mut upstream = connect(&config).await.unwrap();
    for (name, value) in [
        ("search_path", r#"pg_catalog, ext, "My Schema", pg_temp"#),
        ("standard_conforming_strings", "on"),
        ("transform_null_equals", "off"),
        ("client_encoding", "UTF8"),
        ("application_name", "veilgate"),
        ("statement_timeout", "7s"),
    ] {
        assert_eq!(one(&mut upstream, &format!("show {name}")).await, value, "{name}");
        assert_eq!(one(&mut upstream, &format!("reset all; show {name}")).await, value, "{name}");
    }
    assert_eq!(upstream.parameters.get("client_encoding").map(String::as_str), Some("UTF8"));
}

#[tokio::test]
async fn answers_of_any_size_and_errors_leave_it_idle() {
    let server = Postgres::shared();
    let folder = server.socket_folder().to_str().unwrap().to_owned();
    let mut upstream = connect(&UpstreamConfig { host: folder, ..config(server, "postgres") }).await.unwrap();
    let error = upstream.query("select 1/0").await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Store(error) if error.sqlstate == "22012"), "{error}");
    let rows = upstream
        .query("select repeat('x', 300000), null, i as n from generate_series(1, 5) i")
        .await
        .unwrap();
    assert_eq!(rows.columns, ["repeat", "?column?", "n"]);
    assert_eq!(rows.iter().count(), 5);
    let last = rows.iter().last().unwrap().unwrap();
    assert_eq!((last[0].unwrap().len(), last[1], last[2]), (300_000, None, Some("5")));
    assert_eq!(one(&mut upstream, "select 1").await, "1");
    assert!(!upstream.frames.has_bytes());
}

#[tokio::test]
async fn a_store_that_says_nothing_is_given_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(Postgres::shared(), "postgres");
    config.port = listener.local_addr().unwrap().port();
    config.connect_ms_max = 50;
    assert!(matches!(connect(&config).await.unwrap_err(), UpstreamError::Timeout));
}
