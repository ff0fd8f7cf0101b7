//! Clients that say too much, take too little, or go without a word.

use std::time::Duration;

use bytes::BytesMut;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use testkit::certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::gateway::{Gateway, Raw, Settings};
use super::startup::server_tls;
use crate::front;
use crate::front::Target::Statement;
use crate::serve::STRANGERS_MAX;
use crate::tls::{Check, ClientTls};

/// Runs until it is cancelled.
const SLOW: &str = "select count(*) from wide a, wide b, wide c";
/// Fails when it runs, not when it is planned.
const FAILS: &str = "select 1 / (n - n) from numbers where n = 1";

/// One connection to the store, and not much patience.
async fn gateway() -> Gateway {
    let mut settings = Settings::default();
    settings.pool.pool_size_max = 1;
    settings.pool.pool_wait_ms_max = 5_000;
    Gateway::start_with(settings).await
}

/// A session of another client gets the only connection.
async fn connection_is_free(gateway: &Gateway) {
    let mut other = gateway.raw().await;
    assert_eq!(other.query("select 1").answers(1).await.last().unwrap(), "ready I");
}

#[tokio::test]
async fn connection_over_tls_is_ended_and_not_cut() {
    let made = certificate::self_signed();
    let settings = Settings { tls: Some(server_tls(&made)), ..Settings::default() };
    let gateway = Gateway::start_with(settings).await;
    let roots = [CertificateDer::from_pem_slice(made.certificate_pem.as_bytes()).unwrap()];
    let client = ClientTls::new(&roots, Check::AuthorityAndHost).unwrap();
    let (mut cancel, mut stranger) = (BytesMut::new(), BytesMut::new());
    front::cancel_request(&mut cancel, 1, &[0; 4]).unwrap();
    front::startup(&mut stranger, &[("database", "crm")]).unwrap();
    for packet in [cancel, stranger] {
        let tcp = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
        let mut stream = client.connect(tcp, "localhost").await.unwrap();
        stream.write_all(&packet).await.unwrap();
        stream.flush().await.unwrap();
        // An end without a word of TLS would be an error.
        stream.read_to_end(&mut Vec::new()).await.unwrap();
    }
}

#[tokio::test]
async fn connections_that_do_not_log_in_take_no_place_of_a_session() {
    let mut settings = Settings::default();
    settings.limits.connections_max = 1;
    let gateway = Gateway::start_with(settings).await;
    let mut strangers = Vec::new();
    let mut packet = BytesMut::new();
    front::startup(&mut packet, &[("user", "alice"), ("database", "crm")]).unwrap();
    for _ in 0..STRANGERS_MAX - 1 {
        let mut tcp = TcpStream::connect(("127.0.0.1", gateway.port)).await.unwrap();
        tcp.write_all(&packet).await.unwrap();
        strangers.push(tcp);
    }
    let mut raw = gateway.raw().await;
    assert_eq!(raw.query("select 1").answers(1).await.last().unwrap(), "ready I");
    assert_eq!(gateway.proxy.connections(), 1);
    drop(strangers);
}

fn bind_text(raw: &mut Raw, value: &[u8]) {
    let length = u32::try_from(value.len()).unwrap().to_be_bytes();
    let tail = [&[0, 0, 0, 1][..], &length, value, &[0, 0]].concat();
    front::bind(&mut raw.out, "", "s", &tail).unwrap();
}

#[tokio::test]
async fn message_larger_than_what_may_wait_for_the_store_passes() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    let types = [25];
    front::parse(&mut raw.out, "s", "select length($1)", &types).unwrap();
    for _ in 0..3 {
        bind_text(&mut raw, &vec![b'x'; 1024 * 1024]);
        raw.execute("", 0);
    }
    raw.sync();
    let one = ["bound", "rows 1", "SELECT 1"];
    let answers = raw.answers(1).await;
    assert_eq!(answers, [&["parsed"][..], &one, &one, &one, &["ready I"]].concat());
}

#[tokio::test]
async fn many_statements_before_a_sync_pass() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    let text = format!("select n from numbers where word = '{}'", "x".repeat(1000));
    for _ in 0..2000 {
        raw.parse("", &text);
    }
    raw.sync();
    assert_eq!(raw.answers(1).await.len(), 2001);
}

#[tokio::test]
async fn client_that_goes_in_the_middle_of_a_pipeline_leaves_nothing_behind() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    front::parse(&mut raw.out, "s", "select length($1)", &[25]).unwrap();
    bind_text(&mut raw, &vec![b'x'; 1024 * 1024]);
    raw.send().await;
    sleep(Duration::from_millis(200)).await;
    drop(raw);
    connection_is_free(&gateway).await;
}

#[tokio::test]
async fn statement_of_a_client_that_is_gone_is_cancelled_though_more_was_asked() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    raw.query(SLOW).query("select 1");
    raw.send().await;
    sleep(Duration::from_millis(300)).await;
    drop(raw);
    connection_is_free(&gateway).await;
    let mut raw = gateway.raw().await;
    raw.parse("", SLOW).bind("", "").execute("", 0).sync().query("select 1");
    raw.send().await;
    sleep(Duration::from_millis(300)).await;
    drop(raw);
    connection_is_free(&gateway).await;
}

#[tokio::test]
async fn all_that_was_asked_before_a_goodbye_is_done_though_the_client_does_not_wait() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    raw.query("select n from numbers where n = 1").query("select n from numbers where n = 2");
    front::terminate(&mut raw.out);
    raw.send().await;
    raw.stream.shutdown().await.unwrap();
    let answers = raw.answers(3).await;
    assert_eq!(answers.iter().filter(|answer| *answer == "SELECT 1").count(), 2, "{answers:?}");
}

#[tokio::test]
async fn client_that_keeps_the_store_waiting_for_its_sync_has_to_go() {
    let mut settings = Settings::default();
    settings.limits.transaction_idle_ms_max = 300;
    let gateway = Gateway::start_with(settings).await;
    let mut raw = gateway.raw().await;
    raw.parse("s", "select 1").bind("", "s");
    assert_eq!(raw.answers(1).await.last().unwrap(), "end");
}

#[tokio::test]
async fn client_that_takes_no_answer_is_not_asked_for_more() {
    let mut settings = Settings::default();
    settings.limits.idle_ms_max = 500;
    settings.limits.transaction_idle_ms_max = 500;
    let gateway = Gateway::start_with(settings).await;
    let mut raw = gateway.raw().await;
    // The gateway's own answers, far larger than the questions; and none is read.
    for _ in 0..4096 {
        raw.query("");
    }
    let questions = raw.out.split();
    let asks = async { while raw.stream.write_all(&questions).await.is_ok() {} };
    timeout(Duration::from_secs(120), asks).await.expect("the gateway has had enough");
}

#[tokio::test]
async fn parse_that_an_error_skips_is_never_sent() {
    let gateway = gateway().await;
    let mut raw = gateway.raw().await;
    raw.parse("a", FAILS).bind("", "a").execute("", 0).parse("", "select 2");
    raw.send().await;
    raw.flush();
    raw.send().await;
    sleep(Duration::from_millis(200)).await;
    raw.bind("", "").execute("", 0).sync();
    assert_eq!(raw.answers(1).await, ["parsed", "bound", "error 22012", "ready I"]);
    raw.describe(Statement("")).sync();
    assert_eq!(raw.answers(1).await, ["error 26000", "ready I"]);
    connection_is_free(&gateway).await;
}
