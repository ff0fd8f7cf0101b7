//! The simple protocol through the gateway.

use super::gateway::{Gateway, Raw};
use super::policy::FORBIDDEN;

#[tokio::test]
async fn one_query() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let answers = raw.query("select n, word from numbers where n <= 3").answers(1).await;
    assert_eq!(answers, ["columns 2", "rows 3", "SELECT 3", "ready I"]);
    let answers = raw.query("").answers(1).await;
    assert_eq!(answers, ["empty", "ready I"]);
}

#[tokio::test]
async fn statements_of_one_query_are_one_transaction() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let answers = raw
        .query("set timezone to 'UTC'; select 1 -- one\n; show search_path; deallocate all")
        .answers(1)
        .await;
    let expected =
        ["SET", "columns 1", "rows 1", "SELECT 1", "columns 1", "rows 1", "SHOW", "DEALLOCATE ALL"];
    assert_eq!(answers[..8], expected);
    assert_eq!(answers.last().unwrap(), "ready I");
    // The second fails, and takes the setting of the first back.
    raw.query("set application_name to 'changed'; select 1/0").answers(1).await;
    let client = gateway.connect().await;
    let rows = client.simple_query("show application_name").await.unwrap();
    assert!(!format!("{rows:?}").contains("changed"));
    let answers = raw.query("show application_name").answers(1).await;
    assert_eq!(answers, ["columns 1", "rows 1", "SHOW", "ready I"]);
}

#[tokio::test]
async fn refusal_outside_a_transaction_sends_nothing() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let text = format!("select 1; {FORBIDDEN}");
    assert_eq!(raw.query(&text).answers(1).await, ["error 42501", "ready I"]);
    assert_eq!(raw.query("select 1 from").answers(1).await, ["error 42601", "ready I"]);
    assert_eq!(raw.query("select 1").answers(1).await.last().unwrap(), "ready I");
}

#[tokio::test]
async fn refusal_inside_a_transaction_aborts_it() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    assert_eq!(raw.query("begin").answers(1).await, ["BEGIN", "ready T"]);
    assert_eq!(raw.query("savepoint a").answers(1).await, ["SAVEPOINT", "ready T"]);
    assert_eq!(raw.query(FORBIDDEN).answers(1).await, ["error 42501", "ready E"]);
    assert_eq!(raw.query("select 1").answers(1).await, ["error 25P02", "ready E"]);
    assert_eq!(raw.query(FORBIDDEN).answers(1).await, ["error 25P02", "ready E"]);
    assert_eq!(raw.query("selec").answers(1).await, ["error 42601", "ready E"]);
    assert_eq!(raw.query("rollback to a").answers(1).await, ["ROLLBACK", "ready T"]);
    assert_eq!(raw.query(FORBIDDEN).answers(1).await, ["error 42501", "ready E"]);
    assert_eq!(raw.query("commit").answers(1).await, ["ROLLBACK", "ready I"]);
}

#[tokio::test]
async fn queries_sent_together_are_answered_in_order() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("begin").query(FORBIDDEN).query("select 1").query("rollback").query("select 1");
    assert_eq!(
        raw.answers(5).await,
        [
            "BEGIN",
            "ready T",
            "error 42501",
            "ready E",
            "error 25P02",
            "ready E",
            "ROLLBACK",
            "ready I",
            "columns 1",
            "rows 1",
            "SELECT 1",
            "ready I"
        ]
    );
}

#[tokio::test]
async fn path_follows_transactions() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let mut path = async |set: &str| {
        raw.query(set).answers(1).await;
        raw.value("show search_path").await
    };
    assert_eq!(path("set search_path to other").await, "other");
    assert_eq!(path("begin; set search_path to public, other").await, "public, other");
    assert_eq!(path("rollback").await, "other");
    assert_eq!(path("begin; set search_path to public; savepoint a; set search_path to x").await, "x");
    assert_eq!(path("rollback to a").await, "public");
    assert_eq!(path("commit").await, "public");
    assert_eq!(path("set search_path to other; select 1/0").await, "public");
}

#[tokio::test]
async fn reset_goes_back_to_the_path_of_the_start() {
    let gateway = Gateway::start().await;
    let mut raw = Raw::connect(gateway.port, &[("search_path", "other")]).await;
    for reset in ["reset search_path", "reset all", "set search_path to default"] {
        // The statements of one text are decided before the first is done.
        let text = format!("set search_path to public; {reset}; select word from numbers where n = 1");
        assert_eq!(raw.value(&text).await, "other");
        assert_eq!(raw.value("show search_path").await, "other");
    }
}

#[tokio::test]
async fn settings_stay_with_their_session() {
    let gateway = Gateway::start().await;
    let mut first = Raw::connect(gateway.port, &[("options", "-c DateStyle=German")]).await;
    assert!(first.parameters.contains(&("DateStyle".to_owned(), "German, DMY".to_owned())));
    assert!(first.parameters.contains(&("is_superuser".to_owned(), "off".to_owned())));
    assert!(first.parameters.contains(&("session_authorization".to_owned(), "alice".to_owned())));
    let mut second = gateway.raw().await;
    assert!(second.parameters.contains(&("DateStyle".to_owned(), "ISO, MDY".to_owned())));
    let answers = second.query("set timezone to 'Asia/Tokyo'").answers(1).await;
    assert_eq!(answers, ["SET", "TimeZone=Asia/Tokyo", "ready I"]);
    // Both use the one connection that is idle.
    for _ in 0..3 {
        let german = first.query("show datestyle").answers(1).await;
        assert_eq!(german.len(), 4);
        second.query("show timezone").answers(1).await;
    }
    assert_eq!(first.value("show datestyle").await, "German, DMY");
    assert_eq!(second.value("show datestyle").await, "ISO, MDY");
    assert_eq!(second.value("show timezone").await, "Asia/Tokyo");
    assert_ne!(first.value("show timezone").await, "Asia/Tokyo");
    second.query("discard all").answers(1).await;
    assert_ne!(second.value("show timezone").await, "Asia/Tokyo");
}
