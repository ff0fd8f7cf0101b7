//! What must hold under load and at the end: bounded memory, a clean shutdown, no request without a record.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::gateway::{Gateway, Setup};

/// A result of many times this much must not be held.
const HELD_KIB_MAX: u64 = 16 * 1024;

#[tokio::test]
async fn a_large_result_streams_in_bounded_memory() {
    let gateway = Gateway::start();
    let client = gateway.client("bob").await;
    client.simple_query("select 1").await.unwrap();
    let before = gateway.memory_peak_kib();
    // 300 MB of rows.
    let statement = "select c.id, repeat('x', 1000) from customers c, generate_series(1, 1000) as n";
    let rows = client.query_raw(statement, Vec::<String>::new());
    let mut rows = Box::pin(rows.await.unwrap());
    let mut count = 0;
    while let Some(row) = rows.next().await {
        row.unwrap();
        count += 1;
    }
    assert!(count >= 300_000, "{count} rows");
    let grown = gateway.memory_peak_kib() - before;
    assert!(grown < HELD_KIB_MAX, "the gateway grew by {grown} KiB");
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_happen() {
    let gateway =
        Gateway::start_with(&Setup { record: Some(PathBuf::from("/dev/full")), ..Setup::default() });
    let error = gateway.config("alice").connect(NoTls).await.err();
    let error = error.expect("a login without a record is refused");
    assert_eq!(error.code().unwrap().code(), "58030");
}

#[tokio::test]
async fn every_statement_has_its_two_lines_in_the_record() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    let asked = "select id, ssn from customers where region = 'EU'";
    client.simple_query(asked).await.unwrap();
    client.simple_query("drop table customers").await.unwrap_err();
    drop(client);

    let text = serde_json::to_string(&gateway.record()).unwrap();
    let record = gateway.record();
    let decided = record.iter().find(|entry| entry.to_string().contains("ssn from customers where region"));
    let decided = decided.unwrap_or_else(|| panic!("no decision in {text}"));
    for word in ["alice", "support", "support-reads-own-region", "crm"] {
        assert!(decided.to_string().contains(word), "{word} is missing in {decided}");
    }
    let id = decided.get("id").unwrap();
    let finished = record.iter().filter(|entry| entry.get("id") == Some(id)).nth(1);
    assert_eq!(finished.and_then(|entry| entry.get("rows")?.as_u64()), Some(2), "{text}");
    assert!(record.iter().any(|entry| entry.to_string().contains("drop table customers")), "{text}");
}

#[tokio::test]
async fn a_shutdown_lets_running_statements_end() {
    let gateway = Gateway::start();
    let client = gateway.client("bob").await;
    let running = tokio::spawn(async move {
        // A second or two of work.
        client.simple_query("select count(*) from generate_series(1, 8000000) as n").await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.signal("TERM");
    let messages = running.await.unwrap().unwrap();
    assert!(messages.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))));
    assert!(gateway.config("bob").connect(NoTls).await.is_err(), "a gateway that shuts down accepts nobody");
}
