//! Cancels: they hit the session that they are for, and nobody else.

use std::sync::Arc;
use std::time::Duration;

use testkit::postgres::Postgres;
use tokio::net::TcpListener;

use super::upstream::{answer, config};
use crate::cancel::{Cancels, HandBack, Target};
use crate::startup::CancelKey;
use crate::upstream::{UpstreamConfig, UpstreamError, connect};

#[tokio::test]
async fn keys_are_long_and_die_with_the_session() {
    let cancels = Arc::new(Cancels::default());
    let (old, new) = (cancels.register(0).unwrap(), cancels.register(2).unwrap());
    assert_eq!((old.key().secret.len(), new.key().secret.len()), (4, 32));
    assert!(old.key().pid > 0 && old.key().pid != new.key().pid);
    let key = old.key().clone();
    drop(old);
    cancels.forward(&key).await.unwrap();
}

#[tokio::test]
async fn a_cancel_hits_the_running_query_only() {
    let config = Arc::new(config(Postgres::shared(), "postgres"));
    let cancels = Arc::new(Cancels::default());
    let session = cancels.register(0).unwrap();
    let mut upstream = connect(&config).await.unwrap();
    session.lend(Target { config: Arc::clone(&config), key: upstream.key.clone().unwrap() }).await;

    let wrong = CancelKey { pid: session.key().pid, secret: vec![0; 4] };
    let key = session.key().clone();
    let canceling = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancels.forward(&wrong).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        cancels.forward(&key).await.unwrap();
    };
    let (slept, ()) = tokio::join!(upstream.query("select pg_sleep(20)"), canceling);
    let error = slept.unwrap_err();
    assert!(matches!(&error, UpstreamError::Store(error) if error.sqlstate == "57014"), "{error}");

    // A late one, between two callers, finds nobody.
    for _ in 0..50 {
        let (handed, forwarded) = tokio::join!(session.hand_back(), cancels.forward(&key));
        forwarded.unwrap();
        assert_eq!(handed, HandBack::Clean);
        assert_eq!(answer(&mut upstream, "select pg_sleep(0.001), 7").await[0][1].as_deref(), Some("7"));
        session.lend(Target { config: Arc::clone(&config), key: upstream.key.clone().unwrap() }).await;
        // Under way while the connection is idle: over before it is handed back.
        let (forwarded, handed) = tokio::join!(cancels.forward(&key), session.hand_back());
        forwarded.unwrap();
        assert_eq!(handed, HandBack::Clean);
        assert_eq!(answer(&mut upstream, "select pg_sleep(0.001), 7").await[0][1].as_deref(), Some("7"));
        session.lend(Target { config: Arc::clone(&config), key: upstream.key.clone().unwrap() }).await;
    }
}

/// A store that takes the request and never closes: nobody knows when the signal comes.
#[tokio::test]
async fn a_cancel_without_an_end_haunts_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let silent = UpstreamConfig { port, connect_ms_max: 100, ..config(Postgres::shared(), "postgres") };
    let cancels = Arc::new(Cancels::default());
    let session = cancels.register(0).unwrap();
    let target = Target { config: Arc::new(silent), key: CancelKey { pid: 1, secret: vec![1; 4] } };

    session.lend(target.clone()).await;
    assert!(matches!(cancels.forward(session.key()).await.unwrap_err(), UpstreamError::Timeout));
    assert_eq!(session.hand_back().await, HandBack::Haunted);

    // The same when whoever forwards it goes away.
    session.lend(target.clone()).await;
    let dropped = tokio::time::timeout(Duration::from_millis(20), cancels.forward(session.key())).await;
    assert!(dropped.is_err());
    assert_eq!(session.hand_back().await, HandBack::Haunted);

    session.lend(target).await;
    assert_eq!(session.hand_back().await, HandBack::Clean);
}
