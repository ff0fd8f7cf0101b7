//! Connections: lent, given back, cancelled, bounded, ended.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::NoTls;

use super::gateway::{Gateway, Raw, Settings};
use crate::frame::Back;
use crate::front;

#[tokio::test]
async fn connection_is_lent_for_a_transaction() {
    let mut settings = Settings::default();
    settings.pool.pool_size_max = 1;
    settings.pool.pool_wait_ms_max = 300;
    let gateway = Gateway::start_with(settings).await;
    let (mut one, mut two) = (gateway.raw().await, gateway.raw().await);
    for _ in 0..3 {
        assert_eq!(one.query("select 1").answers(1).await.len(), 4);
        assert_eq!(two.query("select 1").answers(1).await.len(), 4);
    }
    one.query("begin").answers(1).await;
    assert_eq!(two.query("select 1").answers(1).await, ["error 53300", "ready I"]);
    two.parse("", "select 1").bind("", "").sync();
    assert_eq!(two.answers(1).await, ["error 53300", "ready I"]);
    two.parse("", "select 1").sync();
    assert_eq!(two.answers(1).await, ["error 53300", "ready I"]);
    one.query("commit").answers(1).await;
    assert_eq!(two.query("select 1").answers(1).await.len(), 4);
    // A session that goes without a word leaves nothing behind.
    one.query("begin").answers(1).await;
    drop(one);
    sleep(Duration::from_millis(100)).await;
    assert_eq!(two.query("show transaction_isolation; select 1").answers(1).await.len(), 7);
}

#[tokio::test]
async fn connection_that_the_store_has_closed_is_not_lent() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("select 1").answers(1).await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'veilgate' and datname = current_database()";
    gateway.database.run(kill);
    sleep(Duration::from_millis(50)).await;
    assert_eq!(raw.query("select 1").answers(1).await.last().unwrap(), "ready I");
    // In the middle of a transaction there is nothing else to do but to say so.
    raw.query("begin").answers(1).await;
    gateway.database.run(kill);
    raw.query("select 1");
    assert_eq!(raw.answers(1).await, ["error 57P01", "end"]);
}

#[tokio::test]
async fn cancel_reaches_the_running_statement() {
    let gateway = Gateway::start().await;
    let (client, connection) = gateway.config().connect(NoTls).await.unwrap();
    let driven = tokio::spawn(connection);
    let token = client.cancel_token();
    let slow = "select count(*) from wide a, wide b, wide c";
    let cancel = async {
        sleep(Duration::from_millis(300)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let (ran, ()) = tokio::join!(client.simple_query(slow), cancel);
    assert_eq!(ran.unwrap_err().code().unwrap().code(), "57014");
    assert!(client.simple_query("select 1").await.is_ok());
    drop(client);
    driven.await.unwrap().unwrap();
}

#[tokio::test]
async fn statement_of_a_client_that_is_gone_is_cancelled() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("select count(*) from wide a, wide b, wide c");
    raw.send().await;
    let client = gateway.database.connect().await;
    let running = "select count(*) from pg_stat_activity
        where application_name = 'veilgate' and state = 'active' and datname = current_database()";
    let count = async || client.query_one(running, &[]).await.unwrap().get::<_, i64>(0);
    let begun = async {
        while count().await == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(120), begun).await.unwrap();
    drop(raw);
    let ended = async {
        while count().await > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(120), ended).await.unwrap();
}

#[tokio::test]
async fn slow_client_holds_the_store_back() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("select n, filling from wide a");
    raw.send().await;
    // Twenty megabytes are on their way; the client reads nothing, and neither does the gateway.
    let client = gateway.database.connect().await;
    let waiting = "select count(*) from pg_stat_activity where application_name = 'veilgate'
        and wait_event = 'ClientWrite' and datname = current_database()";
    let held = async {
        while client.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(120), held).await.unwrap();
    let answers = raw.answers(1).await;
    assert_eq!(answers, ["columns 2", "rows 20000", "SELECT 20000", "ready I"]);
}

#[tokio::test]
async fn row_that_is_larger_than_any_buffer_passes() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("select repeat('x', 5000000), 1").answers(1).await;
    raw.query("select repeat('x', 5000000), 1");
    raw.send().await;
    let (mut bytes, mut largest) = (0, 0);
    loop {
        match raw.next().await.unwrap() {
            Back::Rows(rows) => {
                bytes += rows.bytes.len();
                largest = largest.max(rows.bytes.len());
            }
            Back::Frame(frame) if frame.tag() == b'Z' => break,
            Back::Frame(_) => {}
        }
    }
    assert!(bytes > 5_000_000 && largest < 1_000_000, "{bytes} {largest}");
}

#[tokio::test]
async fn limits_end_sessions() {
    let mut settings = Settings::default();
    settings.limits.idle_ms_max = 600;
    settings.limits.transaction_idle_ms_max = 300;
    let gateway = Gateway::start_with(settings).await;
    let mut holds = gateway.raw().await;
    holds.query("begin").answers(1).await;
    assert_eq!(holds.answers(1).await, ["error 25P03", "end"]);
    let mut idle = gateway.raw().await;
    assert_eq!(idle.answers(1).await, ["error 57P05", "end"]);
}

#[tokio::test]
async fn connections_are_limited() {
    let mut settings = Settings::default();
    settings.limits.connections_max = 2;
    let gateway = Gateway::start_with(settings).await;
    let (first, _second) = (gateway.raw().await, gateway.raw().await);
    let refused = gateway.config().connect(NoTls).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "53300");
    drop(first);
    while gateway.config().connect(NoTls).await.is_err() {}
}

#[tokio::test]
async fn shutdown_drains() {
    let mut gateway = Gateway::start().await;
    let (mut idle, mut busy, mut stays) = (gateway.raw().await, gateway.raw().await, gateway.raw().await);
    busy.query("begin").answers(1).await;
    stays.query("begin").answers(1).await;
    gateway.shutdown.send(true).unwrap();
    assert_eq!(idle.answers(1).await, ["error 57P01", "end"]);
    // A transaction goes on to its end.
    assert_eq!(busy.query("select 1").answers(1).await.last().unwrap(), "ready T");
    assert_eq!(busy.query("commit").answers(2).await, ["COMMIT", "ready I", "error 57P01", "end"]);
    // But not for ever.
    let served = gateway.served.take().unwrap();
    assert_eq!(stays.answers(1).await, ["error 57P01", "end"]);
    timeout(Duration::from_secs(120), served).await.unwrap().unwrap();
    assert_eq!(gateway.proxy.connections(), 0);
}

#[tokio::test]
async fn messages_that_have_no_place() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    // A function call by oid is refused; what is left of a COPY is dropped.
    raw.out.extend_from_slice(b"F\0\0\0\x0e\0\0\0\0\0\0\0\0\0\0");
    raw.out.extend_from_slice(b"d\0\0\0\x05xc\0\0\0\x04");
    front::copy_fail(&mut raw.out, "no").unwrap();
    assert_eq!(raw.answers(1).await, ["error 0A000", "ready I"]);
    raw.query("begin").answers(1).await;
    raw.out.extend_from_slice(b"F\0\0\0\x0e\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(raw.answers(1).await, ["error 0A000", "ready E"]);
    raw.query("rollback").answers(1).await;
    // Anything else ends the session.
    raw.out.extend_from_slice(b"z\0\0\0\x04");
    assert_eq!(raw.answers(1).await, ["error 08P01", "end"]);
    let mut short = Raw::connect(gateway.port, &[]).await;
    short.out.extend_from_slice(b"B\0\0\0\x05x");
    assert_eq!(short.answers(1).await, ["error 08P01", "end"]);
}

#[tokio::test]
async fn what_was_asked_before_a_goodbye_is_done() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("select count(*) from numbers");
    front::terminate(&mut raw.out);
    assert_eq!(raw.answers(2).await, ["columns 1", "rows 1", "SELECT 1", "ready I", "end"]);
}
