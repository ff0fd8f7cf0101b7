//! The extended protocol through the gateway.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::gateway::{Gateway, Raw, Settings};
use super::policy::FORBIDDEN;
use crate::frame::Back;
use crate::front::Target::{Portal, Statement};

/// Fails when it runs, not when it is planned.
const FAILS: &str = "select 1 / (n - n) from numbers where n = 1";

#[tokio::test]
async fn statements_and_portals() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let select = "select n, word from numbers order by n";
    raw.parse("s", select).describe(Statement("s")).sync();
    assert_eq!(raw.answers(1).await, ["parsed", "parameters 0", "columns 2", "ready I"]);
    // Portals stop at their limit, within one transaction.
    raw.bind("p", "s").describe(Portal("p")).execute("p", 3).execute("p", 4).close(Portal("p")).sync();
    assert_eq!(
        raw.answers(1).await,
        ["bound", "columns 2", "rows 3", "suspended", "rows 4", "suspended", "closed", "ready I"]
    );
    raw.bind("p", "s").execute("p", 3).flush();
    raw.send().await;
    raw.execute("p", 0).sync();
    assert_eq!(raw.answers(1).await, ["bound", "rows 3", "suspended", "rows 997", "SELECT 997", "ready I"]);
    // A portal ends with its transaction.
    raw.execute("p", 0).sync();
    assert_eq!(raw.answers(1).await, ["error 34000", "ready I"]);
    // The unnamed statement lives until the next; another connection may have to learn it.
    raw.parse("", "select 1").sync();
    assert_eq!(raw.answers(1).await, ["parsed", "ready I"]);
    raw.bind("", "").execute("", 0).sync();
    assert_eq!(raw.answers(1).await, ["bound", "rows 1", "SELECT 1", "ready I"]);
    raw.parse("", "").bind("", "").describe(Portal("")).execute("", 0).sync();
    assert_eq!(raw.answers(1).await, ["parsed", "bound", "no data", "empty", "ready I"]);
}

#[tokio::test]
async fn names_mean_what_the_session_says() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.parse("s", "select 1").sync().parse("s", "select 2").sync();
    assert_eq!(raw.answers(2).await, ["parsed", "ready I", "error 42P05", "ready I"]);
    raw.close(Statement("s")).close(Statement("none")).bind("", "s").sync();
    assert_eq!(raw.answers(1).await, ["closed", "closed", "error 26000", "ready I"]);
    // The Close was taken back with the rest of its pipeline? No: a Close before the error stands.
    raw.bind("", "s").sync();
    assert_eq!(raw.answers(1).await, ["error 26000", "ready I"]);
    raw.parse("a", "select 1").parse("b", "select 2").sync().query("deallocate a");
    assert_eq!(raw.answers(2).await, ["parsed", "parsed", "ready I", "DEALLOCATE", "ready I"]);
    raw.query("deallocate a").bind("", "a").sync().bind("", "b").sync();
    assert_eq!(
        raw.answers(3).await,
        ["error 26000", "ready I", "error 26000", "ready I", "bound", "ready I"]
    );
    raw.parse("d", "deallocate all").bind("", "d").execute("", 0).sync().bind("", "b").sync();
    assert_eq!(
        raw.answers(2).await,
        ["parsed", "bound", "DEALLOCATE ALL", "ready I", "error 26000", "ready I"]
    );
    raw.parse("", "select 1; select 2").sync();
    assert_eq!(raw.answers(1).await, ["error 42601", "ready I"]);
    // Another session has names of its own.
    let mut other = gateway.raw().await;
    other.parse("s", "select 3").bind("", "s").execute("", 0).sync();
    assert_eq!(other.answers(1).await, ["parsed", "bound", "rows 1", "SELECT 1", "ready I"]);
}

#[tokio::test]
async fn errors_skip_to_sync() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    // The store fails in the middle of a pipeline; what follows never happened.
    raw.parse("a", FAILS).bind("", "a").execute("", 0);
    raw.parse("b", "select 2").bind("", "b").execute("", 0).close(Statement("a")).sync();
    raw.bind("", "a").sync().bind("", "b").sync();
    assert_eq!(
        raw.answers(3).await,
        ["parsed", "bound", "error 22012", "ready I", "bound", "ready I", "error 26000", "ready I"]
    );
    // The same when the gateway refuses: before anything was sent, and after.
    raw.parse("", FORBIDDEN).bind("", "").execute("", 0).sync();
    assert_eq!(raw.answers(1).await, ["error 42501", "ready I"]);
    raw.parse("c", "select 3").bind("", "c").execute("", 0).parse("e", FORBIDDEN);
    raw.parse("f", "select 4").bind("", "f").execute("", 0).sync().bind("", "f").sync();
    assert_eq!(
        raw.answers(2).await,
        ["parsed", "bound", "rows 1", "SELECT 1", "error 42501", "ready I", "error 26000", "ready I"]
    );
    // A message that comes after the client has seen the error is dropped too.
    raw.parse("", FAILS).bind("", "").execute("", 0).flush();
    raw.send().await;
    for _ in 0..3 {
        raw.frame().await;
    }
    raw.query("select 1").parse("", "select 1").sync();
    assert_eq!(raw.answers(1).await, ["ready I"]);
}

#[tokio::test]
async fn transactions_fail_together() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("begin").parse("", FORBIDDEN).bind("", "").execute("", 0).sync().query("select 1");
    raw.parse("", "select 1").sync().parse("", FORBIDDEN).sync().query("commit");
    assert_eq!(
        raw.answers(6).await,
        [
            "BEGIN",
            "ready T",
            "error 42501",
            "ready E",
            "error 25P02",
            "ready E",
            "error 25P02",
            "ready E",
            "error 25P02",
            "ready E",
            "ROLLBACK",
            "ready I"
        ]
    );
    // A whole transaction in one pipeline.
    for text in ["begin", "select n from numbers", "commit"] {
        raw.parse("", text).bind("", "").execute("", 0);
    }
    raw.sync();
    let answers = raw.answers(1).await;
    assert_eq!(answers.len(), 11, "{answers:?}");
    assert_eq!(answers[8..], ["bound", "COMMIT", "ready I"]);
}

#[tokio::test]
async fn path_that_moves_in_a_pipeline_holds_for_what_follows() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let select = "select word from numbers where n = 1 and word = 'other'";
    raw.parse("s", select).sync();
    raw.parse("", "set search_path to other").bind("", "").execute("", 0);
    raw.bind("", "s").execute("", 0).sync();
    assert_eq!(
        raw.answers(2).await,
        ["parsed", "ready I", "parsed", "bound", "SET", "bound", "rows 1", "SELECT 1", "ready I"]
    );
    // It is taken back when its transaction fails, before the next segment is decided.
    raw.parse("", "set search_path to public").bind("", "").execute("", 0);
    raw.parse("", FAILS).bind("", "").execute("", 0).sync();
    raw.bind("", "s").execute("", 0).sync();
    assert_eq!(
        raw.answers(2).await,
        [
            "parsed",
            "bound",
            "SET",
            "parsed",
            "bound",
            "error 22012",
            "ready I",
            "bound",
            "rows 1",
            "SELECT 1",
            "ready I"
        ]
    );
}

#[tokio::test]
async fn many_statements_on_few_connections() {
    let mut settings = Settings::default();
    settings.pool.statements_max = 3;
    settings.pool.pool_size_max = 1;
    let gateway = Gateway::start_with(settings).await;
    let (mut one, mut two) = (gateway.raw().await, gateway.raw().await);
    for raw in [&mut one, &mut two] {
        for n in 0..8 {
            raw.parse(&format!("s{n}"), &format!("select {n}")).sync();
        }
        raw.answers(8).await;
    }
    for round in 0..3 {
        for n in 0..8 {
            for raw in [&mut one, &mut two] {
                raw.bind("", &format!("s{n}")).execute("", 0).sync();
                assert_eq!(raw.answers(1).await, ["bound", "rows 1", "SELECT 1", "ready I"], "{round}");
            }
        }
    }
    let client = gateway.database.connect().await;
    // Each of the gateway's connections has no more than it may.
    drop(client);
}

#[tokio::test]
async fn driver_with_parameters_and_binary_results() {
    let gateway = Gateway::start().await;
    let client = gateway.connect().await;
    let statement = client.prepare("select n, word from numbers where n = $1").await.unwrap();
    for n in [1_i32, 500, 1000] {
        let row = client.query_one(&statement, &[&n]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), n);
        assert_eq!(row.get::<_, String>(1), format!("word {n}"));
    }
    // Pipelined by the driver.
    let (a, b) = tokio::join!(
        client.query("select n from numbers where n < $1", &[&10_i32]),
        client.query_one("select count(*) from numbers", &[]),
    );
    assert_eq!((a.unwrap().len(), b.unwrap().get::<_, i64>(0)), (9, 1000));
    let error = client.query(FORBIDDEN, &[]).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "42501");
}

#[tokio::test]
async fn reload_decides_prepared_statements_again() {
    let gateway = Gateway::start().await;
    let client = gateway.connect().await;
    let statement = client.prepare("select word from numbers where n = $1").await.unwrap();
    let all = client.prepare("select * from numbers where n = $1").await.unwrap();
    let word = async || client.query_one(&statement, &[&7_i32]).await.unwrap().get::<_, Option<String>>(0);
    assert_eq!(word().await.as_deref(), Some("word 7"));
    gateway.gate().reload(super::policy::policy("{first: 1}"), None);
    assert_eq!(word().await.as_deref(), Some("w*****"));
    assert_eq!(client.query_one(&all, &[&7_i32]).await.unwrap().len(), 2);
    gateway.gate().reload(super::policy::policy("hide"), None);
    let code = async |statement: &tokio_postgres::Statement| {
        let error = client.query(statement, &[&7_i32]).await.unwrap_err();
        error.code().unwrap_or_else(|| panic!("{error:?}")).code().to_owned()
    };
    assert_eq!(code(&all).await, "0A000");
    assert_eq!(code(&statement).await, "42703");
    gateway.gate().reload(super::policy::policy("clear"), None);
    assert_eq!(word().await.as_deref(), Some("word 7"));
    assert_eq!(client.query_one(&all, &[&7_i32]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn reload_ends_portals_that_would_not_be_the_same() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    let select = "select n, word from numbers order by n";
    let open = ["BEGIN", "ready T", "parsed", "bound", "rows 2", "suspended", "ready T"];
    let change = async |raw: &mut Raw, word: &str| {
        raw.query("begin").parse("", select).bind("p", "").execute("p", 2).sync();
        assert_eq!(raw.answers(2).await, open);
        gateway.gate().reload(super::policy::policy(word), None);
        raw.execute("p", 2).sync().query("select 1").query("rollback");
        raw.answers(3).await
    };
    let failed = ["ready E", "error 25P02", "ready E", "ROLLBACK", "ready I"];
    assert_eq!(change(&mut raw, "{first: 1}").await, [&["error 0A000"][..], &failed].concat());
    let same = change(&mut raw, "{first: 1}").await;
    assert_eq!(same[..3], ["rows 2", "suspended", "ready T"]);
    assert_eq!(change(&mut raw, "hide").await, [&["error 42703"][..], &failed].concat());
}

#[tokio::test]
async fn every_statement_is_recorded_before_and_after() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.query("select n from numbers where n < 4; select 1 / (n - n) from numbers where n = 1; select 3");
    raw.answers(1).await;
    raw.parse("s", "select n from numbers").bind("", "s").execute("", 5).sync();
    raw.answers(1).await;
    // A statement without a name that is run at once is one record.
    raw.parse("", "select n from numbers where n < 3").bind("", "").execute("", 0).sync();
    raw.answers(1).await;
    let log = gateway.gate().log().contents();
    let count = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!(count("\"phase\":\"execute\""), 5, "{log}");
    assert_eq!(count("\"phase\":\"prepare\""), 1);
    assert_eq!(count("\"outcome\":\"done\",\"rows\":3"), 1);
    assert_eq!(count("\"outcome\":\"22012\""), 2);
    assert_eq!(count("\"outcome\":\"done\",\"rows\":5"), 1);
    assert_eq!(count("\"outcome\":\"unknown\""), 0);
}

#[tokio::test]
async fn pattern_that_is_bound_is_looked_at() {
    let gateway = Gateway::start().await;
    let client = gateway.connect().await;
    let statement = client.prepare("select n from numbers where word like $1").await.unwrap();
    assert_eq!(client.query(&statement, &[&"word 99%"]).await.unwrap().len(), 11);
    assert_eq!(client.query(&statement, &[&None::<&str>]).await.unwrap().len(), 0);
}

#[tokio::test]
async fn long_pipeline() {
    let gateway = Gateway::start().await;
    let mut raw = gateway.raw().await;
    raw.parse("s", "select 1");
    for _ in 0..20_000 {
        raw.bind("", "s").execute("", 0);
    }
    raw.sync();
    let answers = raw.answers(1).await;
    assert_eq!(answers.iter().filter(|answer| *answer == "SELECT 1").count(), 20_000);
}

#[tokio::test]
async fn unnamed_statement_of_another_session_is_never_run() {
    let mut settings = Settings::default();
    settings.pool.pool_size_max = 1;
    let gateway = Gateway::start_with(settings).await;
    let (mut one, mut two) = (gateway.raw().await, gateway.raw().await);
    one.parse("", "select n from numbers").sync();
    assert_eq!(one.answers(1).await, ["parsed", "ready I"]);
    // The Parse is skipped, so what the connection has is still that of the other.
    two.parse("a", FAILS).bind("", "a").execute("", 0);
    two.parse("", "select 2").bind("", "").execute("", 0).sync();
    two.bind("", "").execute("", 0).sync().describe(Statement("")).sync();
    let expected =
        ["parsed", "bound", "error 22012", "ready I", "error 26000", "ready I", "error 26000", "ready I"];
    assert_eq!(two.answers(3).await, expected);
    one.bind("", "").execute("", 2).sync();
    assert_eq!(one.answers(1).await, ["bound", "rows 2", "suspended", "ready I"]);
}

#[tokio::test]
async fn rows_of_a_client_that_goes_early_are_recorded() {
    let gateway = Gateway::start().await;
    for extended in [false, true] {
        let mut raw = gateway.raw().await;
        let select = "select n, filling from wide";
        if extended {
            raw.parse("", select).bind("", "").execute("", 0).sync();
        } else {
            raw.query(select);
        }
        raw.send().await;
        while !matches!(raw.next().await, Some(Back::Rows(_))) {}
        drop(raw);
    }
    let log = || gateway.gate().log().contents();
    let lost = |log: &str| log.lines().filter(|line| line.contains("\"outcome\":\"unknown\"")).count();
    let recorded = async {
        while lost(&log()) < 2 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(120), recorded).await.unwrap();
    assert!(!log().contains("\"outcome\":\"unknown\",\"rows\":0"), "{}", log());
}

/// Two sessions that share the one connection.
async fn two_on_one_connection() -> (Gateway, Raw, Raw) {
    let mut settings = Settings::default();
    settings.pool.pool_size_max = 1;
    let gateway = Gateway::start_with(settings).await;
    let (one, two) = (gateway.raw().await, gateway.raw().await);
    (gateway, one, two)
}

/// The value of a statement that is prepared under this name and run.
async fn prepared_value(raw: &mut Raw, name: &str, text: &str) -> String {
    raw.parse(name, text).sync();
    assert_eq!(raw.answers(1).await, ["parsed", "ready I"]);
    bound_value(raw, name).await
}

async fn bound_value(raw: &mut Raw, name: &str) -> String {
    raw.bind("", name).execute("", 0).sync();
    raw.first_value().await
}

#[tokio::test]
async fn literals_are_read_by_the_settings_of_the_session() {
    let (gateway, mut one, mut two) = two_on_one_connection().await;
    let days = "select '01/02/2020'::date - '2020-01-01'::date";
    one.query("set datestyle to 'ISO, DMY'").answers(1).await;
    assert_eq!(prepared_value(&mut one, "s", days).await, "31");
    assert_eq!(prepared_value(&mut two, "s", days).await, "1");
    assert_eq!(bound_value(&mut one, "s").await, "31");
    // Within one pipeline, and for one transaction.
    two.parse("", "set datestyle to 'ISO, DMY'").bind("", "").execute("", 0);
    two.parse("t", days).sync();
    two.answers(1).await;
    assert_eq!(bound_value(&mut two, "t").await, "31");
    two.query("reset datestyle").query("begin; set local datestyle to 'ISO, DMY'").answers(2).await;
    two.parse("u", days).sync().query("commit").answers(2).await;
    let mut three = gateway.raw().await;
    assert_eq!(prepared_value(&mut three, "u", days).await, "1");
    // A setting that a later failure takes back.
    one.query("set datestyle to 'ISO, MDY'").answers(1).await;
    one.parse("", "set datestyle to 'ISO, DMY'").bind("", "").execute("", 0);
    one.parse("f", FAILS).bind("", "f").execute("", 0).sync();
    one.parse("v", days).sync().answers(2).await;
    assert_eq!(bound_value(&mut one, "v").await, "1");
}

#[tokio::test]
async fn moment_that_a_literal_names_is_that_of_its_own_parse() {
    let (_gateway, mut one, mut two) = two_on_one_connection().await;
    let now = "select 'now'::timestamptz::text";
    let first = prepared_value(&mut one, "s", now).await;
    assert_eq!(bound_value(&mut one, "s").await, first);
    assert_ne!(prepared_value(&mut one, "t", now).await, first);
    assert_ne!(prepared_value(&mut two, "s", now).await, first);
    assert_eq!(bound_value(&mut one, "s").await, first);
}
