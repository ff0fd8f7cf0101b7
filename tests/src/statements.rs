//! Statements that give names, and COPY: through both protocols, over one connection upstream, under a reload.

use std::fs;

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::cases::copied;
use crate::gateway::{Gateway, Setup};

const DECLARE: &str = "declare c scroll cursor for select id, ssn from customers order by id";

#[tokio::test]
async fn copy_writes_what_may_be_seen() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    let text = copied(&client, "copy customers (id, ssn) to stdout").await.unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "1\t*******6789\n3\t*******4321\n");
    let csv = "copy (select id, ssn from customers order by id desc) to stdout (format csv, header, force_quote (ssn))";
    let text = copied(&client, csv).await.unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "id,ssn\n3,\"*******4321\"\n1,\"*******6789\"\n");
    let binary = copied(&client, "copy customers (id, ssn) to stdout (format binary)").await.unwrap();
    assert!(binary.starts_with(b"PGCOPY\n\xff\r\n\0"));
    assert_eq!(binary.windows(11).filter(|part| part.starts_with(b"*******")).count(), 2);

    // The record has the rows, not the messages, beside the lines of what was prepared.
    let rows: Vec<_> = gateway.record().iter().filter_map(|entry| entry.get("rows")?.as_u64()).collect();
    assert_eq!(rows, [0, 2, 0, 2, 0, 2]);

    for (asked, sqlstate) in [
        ("copy customers (internal_label) to stdout", "42703"),
        ("copy customers to stdout (format csv, force_quote (internal_label))", "42703"),
        ("copy employees_of_the_month to stdout", "42P01"),
        ("copy events to stdout", "42809"),
        ("copy customers to '/tmp/customers'", "0A000"),
        ("copy customers to program 'cat'", "0A000"),
        ("copy customers from stdin", "0A000"),
        ("copy (select name::int from customers) to stdout", "22P02"),
        ("copy customers to stdout (delimiter 'ab')", "0A000"),
    ] {
        let error = copied(&client, asked).await.unwrap_err();
        let said = error.as_db_error().unwrap();
        assert_eq!(said.code().code(), sqlstate, "{asked}: {said:?}");
        assert!(!said.message().contains("Ada"), "{said:?}");
    }
    assert_eq!(code(&client, "select 1").await, "");
}

#[tokio::test]
async fn copy_ends_with_its_cancel_and_its_error() {
    let gateway = Gateway::shared();
    let client = gateway.client("alice").await;
    let token = client.cancel_token();
    let long = "copy (select a, repeat('x', 100) from generate_series(1, 2000000000) as a) to stdout";
    let copying = tokio::spawn(async move {
        let ended = copied(&client, long).await.map(|_| ());
        (client, ended)
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    token.cancel_query(tokio_postgres::NoTls).await.unwrap();
    let (client, ended) = copying.await.unwrap();
    assert_eq!(ended.unwrap_err().code().unwrap().code(), "57014");
    // Rows have been sent when it fails.
    let fails = "copy (select 1 / (50000 - a) from generate_series(1, 100000) as a) to stdout";
    assert_eq!(copied(&client, fails).await.unwrap_err().code().unwrap().code(), "22012");
    assert_eq!(code(&client, "select 1").await, "");
}

#[tokio::test]
async fn cursors_live_in_their_transaction() {
    let gateway = Gateway::start_with(&Setup { pool: Some(1), ..Setup::default() });
    let client = gateway.client("alice").await;
    assert_eq!(code(&client, DECLARE).await, "25P01");
    client.batch_execute("begin").await.unwrap();
    client.batch_execute(DECLARE).await.unwrap();
    assert_eq!(ids(&client, "fetch c").await, ["1"]);
    assert_eq!(ids(&client, "fetch forward all from c").await, ["3"]);
    assert_eq!(ids(&client, "fetch backward 5 in c").await, ["3", "1"]);
    assert_eq!(ids(&client, "fetch absolute 2 c").await, ["3"]);
    client.batch_execute("move first in c").await.unwrap();
    assert_eq!(ids(&client, "fetch relative 0 c").await, ["1"]);
    // Rows through the extended protocol, described and in binary.
    let statement = client.prepare("fetch all from c").await.unwrap();
    assert_eq!(statement.columns().len(), 2);
    let rows = client.query(&statement, &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [3]);
    client.batch_execute("close c").await.unwrap();
    assert_eq!(code(&client, "fetch c").await, "34000");
    client.batch_execute("rollback").await.unwrap();

    // A savepoint that is rolled back takes its cursors with it, one that is released does not.
    client.batch_execute("begin; savepoint a").await.unwrap();
    client.batch_execute(DECLARE).await.unwrap();
    client.batch_execute("savepoint b; declare d cursor for select 2; release a; savepoint e").await.unwrap();
    client.batch_execute("rollback to e").await.unwrap();
    assert_eq!(ids(&client, "fetch c").await, ["1"]);
    assert_eq!(ids(&client, "fetch d").await, ["2"]);
    client.batch_execute("savepoint f; declare g cursor for select 3; rollback to f").await.unwrap();
    assert_eq!(code(&client, "fetch g").await, "34000");
    client.batch_execute("rollback to f").await.unwrap();
    assert_eq!(ids(&client, "fetch c").await, ["3"]);
    assert_eq!(code(&client, DECLARE).await, "42P03");
    client.batch_execute("rollback").await.unwrap();
    assert_eq!(code(&client, "fetch c").await, "34000");

    // Neither a commit nor a session before it leaves one on the connection.
    client.batch_execute("begin").await.unwrap();
    client.batch_execute(DECLARE).await.unwrap();
    client.batch_execute("commit").await.unwrap();
    assert_eq!(code(&client, "fetch c").await, "34000");
    let other = gateway.client("bob").await;
    other.batch_execute("begin").await.unwrap();
    assert_eq!(code(&other, "fetch c").await, "34000");
    other.batch_execute("rollback; begin; declare c cursor for select 7; fetch c; commit").await.unwrap();
    assert_eq!(code(&client, "fetch c").await, "34000");
    assert_eq!(code(&client, "close all").await, "");

    let record = gateway.record();
    let kinds: Vec<_> = record.iter().filter_map(|entry| entry.get("kind")?.as_str()).collect();
    assert!(kinds.contains(&"declare") && kinds.contains(&"fetch"), "{kinds:?}");
}

#[tokio::test]
async fn a_cursor_of_another_policy_is_not_read_on() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    client.batch_execute("begin").await.unwrap();
    client.batch_execute(DECLARE).await.unwrap();
    client.batch_execute("declare o cursor for select 1").await.unwrap();
    assert_eq!(ids(&client, "fetch c").await, ["1"]);
    client.batch_execute("savepoint a").await.unwrap();
    narrow(&gateway);
    // What the change does not touch goes on.
    assert_eq!(ids(&client, "fetch o").await, ["1"]);
    assert_eq!(code(&client, "fetch c").await, "refused");
    client.batch_execute("rollback to a").await.unwrap();
    assert_eq!(code(&client, "move all in c").await, "refused");
    client.batch_execute("rollback to a; close c").await.unwrap();
    client.batch_execute(DECLARE).await.unwrap();
    assert_eq!(ids(&client, "fetch all c").await, ["1"]);
    client.batch_execute("rollback").await.unwrap();
}

#[tokio::test]
async fn prepared_queries_are_the_sessions() {
    let gateway = Gateway::start_with(&Setup { pool: Some(1), ..Setup::default() });
    let alice = gateway.client("alice").await;
    let bob = gateway.client("bob").await;
    alice
        .batch_execute("prepare p(int) as select id from customers where id >= $1 order by id")
        .await
        .unwrap();
    assert_eq!(code(&bob, "execute p(1)").await, "26000");
    assert_eq!(ids(&alice, "execute p(1)").await, ["1", "3"]);
    bob.batch_execute("prepare p(int) as select 99 where $1 = 1").await.unwrap();
    assert_eq!(ids(&bob, "execute p(1)").await, ["99"]);
    assert_eq!(ids(&alice, "execute p(2)").await, ["3"]);
    assert_eq!(code(&alice, "prepare p as select 1").await, "42P05");
    assert_eq!(code(&alice, "execute p").await, "42601");
    assert_eq!(code(&alice, "execute p('x')").await, "22P02");
    assert_eq!(code(&alice, "execute nothing").await, "26000");
    // One text.
    assert_eq!(ids(&alice, "deallocate p; prepare p as select 5; execute p").await, ["5"]);
    assert_eq!(code(&alice, "prepare q as select 1; prepare q as select 2").await, "42P05");
    assert_eq!(code(&alice, "deallocate all; execute p").await, "26000");
    assert_eq!(ids(&alice, "execute p").await, ["5"]);
    // Nothing takes it back.
    alice.batch_execute("begin; prepare q as select 6; rollback").await.unwrap();
    assert_eq!(ids(&alice, "execute q").await, ["6"]);
    // Names of SQL and of the protocol are the same.
    let of_protocol = alice.query("execute q", &[]).await.unwrap();
    assert_eq!(of_protocol[0].get::<_, i32>(0), 6);
    alice.batch_execute("discard all").await.unwrap();
    assert_eq!(code(&alice, "execute q").await, "26000");
    assert_eq!(ids(&bob, "execute p(1)").await, ["99"]);
}

#[tokio::test]
async fn execute_is_decided_when_it_runs() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    client.batch_execute("prepare p as select id from customers order by id").await.unwrap();
    let prepared = client.prepare("execute p").await.unwrap();
    assert_eq!(client.query(&prepared, &[]).await.unwrap().len(), 2);
    narrow(&gateway);
    assert_eq!(ids(&client, "execute p").await, ["1"]);
    assert_eq!(client.query(&prepared, &[]).await.unwrap().len(), 1);
    // It means what the name means now.
    client
        .batch_execute("deallocate p; prepare p as select id + 1 as id from customers where id = 1")
        .await
        .unwrap();
    assert_eq!(client.query(&prepared, &[]).await.unwrap()[0].get::<_, i32>(0), 2);
}

/// Alice's rule for one row only.
fn narrow(gateway: &Gateway) {
    for entry in fs::read_dir(gateway.policy()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(
            &path,
            text.replace("rows: region = caller.region", "rows: region = caller.region and id = 1"),
        )
        .unwrap();
    }
    assert!(gateway.reload(), "{}", gateway.log());
}

/// The SQLSTATE that a statement ends with: empty where it succeeds, `refused` for one of a refusal's own.
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

/// The first fields of all rows.
async fn ids(client: &Client, statement: &str) -> Vec<String> {
    let messages =
        client.simple_query(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    let id = |message: &SimpleQueryMessage| {
        let SimpleQueryMessage::Row(row) = message else { return None };
        row.get(0).map(str::to_owned)
    };
    messages.iter().filter_map(id).collect()
}
