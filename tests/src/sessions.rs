//! Sessions: transactions and refusals inside them, settings, the pool between callers, cancel.

use std::time::Duration;

use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::gateway::{Gateway, Setup};

const ASKED: &str = "select id from customers";

#[tokio::test]
async fn a_refusal_is_a_failed_statement() {
    let client = Gateway::shared().client("alice").await;
    client.batch_execute("begin").await.unwrap();
    assert_eq!(code(&client, "select ctid from customers").await, "refused");
    assert_eq!(code(&client, ASKED).await, "25P02");
    client.batch_execute("commit").await.unwrap();
    assert_eq!(code(&client, ASKED).await, "");

    client.batch_execute("begin; savepoint a").await.unwrap();
    assert_eq!(code(&client, "select secret_of_nobody from customers").await, "42703");
    assert_eq!(code(&client, ASKED).await, "25P02");
    client.batch_execute("rollback to a").await.unwrap();
    assert_eq!(code(&client, ASKED).await, "");
    client.batch_execute("release a; commit").await.unwrap();
}

#[tokio::test]
async fn one_refusal_in_a_string_refuses_all_of_it() {
    let gateway = Gateway::shared();
    let client = gateway.client("alice").await;
    let error = client.batch_execute("select 1; select 2; drop table customers").await.unwrap_err();
    assert!(["42501", "0A000"].contains(&error.code().unwrap().code()), "{error:?}");
    // Nothing of it was done, and the session goes on.
    let several = client.simple_query("select 1; select 2; ; select 3").await.unwrap();
    let rows = several.iter().filter(|message| matches!(message, SimpleQueryMessage::Row(_))).count();
    assert_eq!(rows, 3);
}

#[tokio::test]
async fn settings_belong_to_their_session() {
    // One connection upstream for both sessions.
    let gateway = Gateway::start_with(&Setup { pool: Some(1), ..Setup::default() });
    let alice = gateway.client("alice").await;
    let bob = gateway.client("bob").await;

    alice.batch_execute("set timezone to 'Asia/Tokyo'; set application_name to 'of alice'").await.unwrap();
    assert_eq!(one(&bob, "show timezone").await, "UTC");
    assert_eq!(one(&alice, "show timezone").await, "Asia/Tokyo");
    assert_ne!(one(&bob, "show application_name").await, "of alice");

    // LOCAL ends with its transaction, and a rollback takes a SET back.
    alice.batch_execute("begin; set local timezone to 'Europe/Oslo'; commit").await.unwrap();
    assert_eq!(one(&alice, "show timezone").await, "Asia/Tokyo");
    alice.batch_execute("begin; set timezone to 'Europe/Oslo'; rollback").await.unwrap();
    assert_eq!(one(&alice, "show timezone").await, "Asia/Tokyo");
    alice.batch_execute("reset timezone").await.unwrap();
    assert_eq!(one(&alice, "show timezone").await, "UTC");

    for refused in [
        "set role postgres",
        "set session authorization postgres",
        "set row_security to off",
        "set client_encoding to 'LATIN1'",
        "set standard_conforming_strings to off",
        "set transform_null_equals to on",
        "set search_path to pg_catalog, information_schema; set session_replication_role to replica",
    ] {
        let error = alice.batch_execute(refused).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{refused}");
    }
}

#[tokio::test]
async fn the_search_path_is_the_gateways_own() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    assert_eq!(one(&client, "select current_user").await, "alice");
    client.batch_execute("set search_path to pg_temp, nowhere").await.unwrap();
    assert_eq!(code(&client, ASKED).await, "42P01");
    assert_eq!(code(&client, "select id from public.customers").await, "");
    assert!(one(&client, "show search_path").await.contains("nowhere"));
    client.batch_execute("reset search_path").await.unwrap();
    assert_eq!(code(&client, ASKED).await, "");
}

#[tokio::test]
async fn prepared_statements_live_per_session_over_one_connection() {
    let gateway = Gateway::start_with(&Setup { pool: Some(1), ..Setup::default() });
    let alice = gateway.client("alice").await;
    let bob = gateway.client("bob").await;
    let text = "select count(*) from customers where id < $1";
    let of_alice = alice.prepare(text).await.unwrap();
    let of_bob = bob.prepare(text).await.unwrap();
    for _ in 0..3 {
        let seen_by_alice: i64 = alice.query_one(&of_alice, &[&1000]).await.unwrap().get(0);
        let seen_by_bob: i64 = bob.query_one(&of_bob, &[&1000]).await.unwrap().get(0);
        assert_eq!(seen_by_alice, 2);
        assert_ne!(seen_by_bob, seen_by_alice);
    }
}

#[tokio::test]
async fn a_cancel_ends_its_statement_and_no_other() {
    let gateway = Gateway::start();
    let slow = gateway.client("bob").await;
    let token = slow.cancel_token();
    let long = "select count(*) from generate_series(1, 2000000000) as a";
    let running = tokio::spawn(async move { slow.simple_query(long).await.map(|_| slow) });
    tokio::time::sleep(Duration::from_millis(300)).await;
    token.cancel_query(NoTls).await.unwrap();
    let ended =
        tokio::time::timeout(Duration::from_secs(20), running).await.expect("the cancel arrives").unwrap();
    assert_eq!(ended.err().unwrap().code().unwrap().code(), "57014");

    // A key of nobody, and one whose session is idle, do nothing.
    let idle = gateway.client("alice").await;
    idle.cancel_token().cancel_query(NoTls).await.unwrap();
    assert_eq!(code(&idle, ASKED).await, "");
}

#[tokio::test]
async fn a_login_is_proved() {
    let gateway = Gateway::shared();
    let refused = |config: tokio_postgres::Config| async move {
        let error = config.connect(NoTls).await.err().expect("the login is refused");
        error.code().unwrap().code().to_owned()
    };
    let mut wrong = gateway.config("alice");
    wrong.password("wrong");
    assert_eq!(refused(wrong).await, "28P01");
    assert_eq!(refused(gateway.config("nobody")).await, "28P01");
    let mut elsewhere = gateway.config("alice");
    elsewhere.dbname("postgres");
    assert_eq!(refused(elsewhere).await, "3D000");
    let mut purpose = gateway.config("alice");
    purpose.options("-c veilgate.purpose=training");
    assert_eq!(refused(purpose).await, "28000");
    // Several purposes and none chosen.
    assert_eq!(refused(gateway.config("agent")).await, "28000");
    let agent = gateway.client_for("agent", "training").await;
    agent.simple_query("select 1").await.unwrap();
}

#[tokio::test]
async fn errors_of_the_store_quote_no_hidden_value() {
    let gateway = Gateway::shared();
    let client = gateway.client("alice").await;
    // In the outermost select list an expression may fail, over visible rows.
    let error = client.simple_query("select name::int from customers where id = 1").await.unwrap_err();
    let said = error.as_db_error().unwrap();
    assert_eq!(said.code().code(), "22P02");
    assert!(!said.message().contains("Ada"), "{said:?}");
    assert_eq!((said.detail(), said.where_()), (None, None));
    // What the client wrote itself may be told.
    let error = client.simple_query("select 'Ada'::int").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "22P02");
}

/// The SQLSTATE that a statement ends with: empty where it succeeds, `refused` for either of a refusal's own.
async fn code(client: &Client, statement: &str) -> String {
    match client.simple_query(statement).await {
        Ok(_) => String::new(),
        Err(error) => match error.code().map(tokio_postgres::error::SqlState::code) {
            Some("42501" | "0A000") => "refused".to_owned(),
            Some(code) => code.to_owned(),
            None => panic!("{statement}: {error}"),
        },
    }
}

/// The first field of the first row.
async fn one(client: &Client, statement: &str) -> String {
    let messages =
        client.simple_query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    let row = messages.iter().find_map(|message| {
        let SimpleQueryMessage::Row(row) = message else { return None };
        row.get(0).map(str::to_owned)
    });
    row.unwrap_or_else(|| panic!("{statement}: no row"))
}
