//! Clients as people use them: psql, psycopg, tokio-postgres, pgbench; tools in a file of their own.

mod tap;
mod tools;
mod twin;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::postgres::SUPERUSER;
use testkit::{Database, workspace};
use tokio_postgres::SimpleQueryMessage;

use crate::gateway::{Gateway, PASSWORD, Setup};

/// The first statement of the policy page's tests, and what alice gets for it.
const ASKED: &str = "select id, ssn from customers order by id";
const ANSWER: [(i32, &str); 2] = [(1, "*******6789"), (3, "*******4321")];

#[tokio::test]
async fn tokio_postgres_gets_the_same_by_every_road() {
    let gateway = Gateway::shared();
    let client = gateway.client("alice").await;

    let by_text: Vec<(i32, String)> = client
        .simple_query(ASKED)
        .await
        .unwrap()
        .iter()
        .filter_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((row.get(0)?.parse().unwrap(), row.get(1)?.to_owned()))
        })
        .collect();
    assert_eq!(by_text, ANSWER.map(|(id, ssn)| (id, ssn.to_owned())));

    let prepared = client.prepare("select id, ssn from customers where id > $1 order by id").await.unwrap();
    let rows = client.query(&prepared, &[&1]).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.get(0), row.get(1))).collect::<Vec<(i32, &str)>>(), ANSWER[1..]);
    let nobody = client.query(&prepared, &[&3]).await.unwrap();
    assert!(nobody.is_empty());

    // Sent before any is answered.
    let statements = [1, 2, 3].map(|id| {
        let client = &client;
        async move { client.query_opt("select ssn from customers where id = $1", &[&id]).await.unwrap() }
    });
    let [first, second, third] = statements;
    let (first, second, third) = tokio::join!(first, second, third);
    assert_eq!(first.unwrap().get::<_, &str>(0), ANSWER[0].1);
    assert!(second.is_none());
    assert_eq!(third.unwrap().get::<_, &str>(0), ANSWER[1].1);
}

#[tokio::test]
async fn tokio_postgres_goes_on_after_a_refusal() {
    let gateway = Gateway::shared();
    let mut client = gateway.client("alice").await;
    let refused = client.query("select * from pg_authid", &[]).await.unwrap_err();
    let code = refused.code().unwrap().code().to_owned();
    assert!(["42501", "42P01", "0A000"].contains(&code.as_str()), "{refused:?}");
    assert_eq!(client.query(ASKED, &[]).await.unwrap().len(), 2);

    let transaction = client.transaction().await.unwrap();
    assert_eq!(transaction.query(ASKED, &[]).await.unwrap().len(), 2);
    transaction.query("delete from customers", &[]).await.unwrap_err();
    let aborted = transaction.query(ASKED, &[]).await.unwrap_err();
    assert_eq!(aborted.code().unwrap().code(), "25P02");
    transaction.rollback().await.unwrap();
    assert_eq!(client.query(ASKED, &[]).await.unwrap().len(), 2);
}

#[test]
fn psql_works_as_ever() {
    let psql = client("psql");
    let gateway = Gateway::shared();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&psql);
        command.args(["-X", "-A", "-t"]).args(arguments);
        with_login(&mut command, gateway, "alice").output().unwrap()
    };

    assert_eq!(stdout(&run(&["-c", ASKED])), "1|*******6789\n3|*******4321\n");
    // Several commands, a failing one among them, in one transaction.
    let mixed = run(&["-1", "-c", ASKED, "-c", "select * from nothing_of_that_name"]);
    assert!(!mixed.status.success());
    assert!(String::from_utf8_lossy(&mixed.stderr).contains("nothing_of_that_name"), "{mixed:?}");
    // Meta-commands that speak to the session, not to the catalogue.
    let talked = run(&["-c", "\\conninfo", "-c", "\\encoding", "-c", "\\echo :SERVER_VERSION_NUM"]);
    assert!(stdout(&talked).contains("UTF8"), "{talked:?}");
    let gset = run(&["-c", "select max(id) as last from customers \\gset", "-c", "\\echo :last"]);
    assert!(gset.status.success(), "{gset:?}");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("copied");
    let to_file =
        format!("\\copy (select id, ssn from customers order by id) to '{}' csv header", file.display());
    assert_eq!(stdout(&run(&["-c", &to_file])), "COPY 2\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "id,ssn\n1,*******6789\n3,*******4321\n");
    let to_screen = run(&["-c", "\\copy customers (id, ssn) to stdout"]);
    assert_eq!(stdout(&to_screen), "1\t*******6789\n3\t*******4321\n");
    // A file a piece: psql declares a cursor and fetches.
    let fetched = run(&["-v", "FETCH_COUNT=1", "-c", ASKED]);
    assert_eq!(stdout(&fetched), "1|*******6789\n3|*******4321\n");

    let mut wrong = Command::new(&psql);
    let wrong =
        with_login(&mut wrong, gateway, "alice").env("PGPASSWORD", "wrong").args(["-c", "select 1"]).output();
    assert!(String::from_utf8_lossy(&wrong.unwrap().stderr).contains("password authentication failed"));
}

#[test]
fn psycopg_works_in_text_binary_and_pipelines() {
    let python = python();
    let mut command = Command::new(python);
    command.arg(workspace::root().join("tests/clients/psycopg_test.py"));
    let output = with_login(&mut command, Gateway::shared(), "alice").output().unwrap();
    assert!(output.status.success(), "{}{}", stdout(&output), String::from_utf8_lossy(&output.stderr));
}

#[test]
fn pgbench_selects_in_its_three_modes() {
    let pgbench = client("pgbench");
    let policy = workspace::fixture("policies/pgbench");
    let gateway = Gateway::start_with(&Setup { policy, fill: Some(fill_for_pgbench), ..Setup::default() });
    for mode in ["simple", "extended", "prepared"] {
        let mut command = Command::new(&pgbench);
        command.args(["-S", "-c", "4", "-j", "2", "-t", "200", "-n", "-M", mode]);
        let output = with_login(&mut command, &gateway, "alice").output().unwrap();
        let said = stdout(&output);
        assert!(output.status.success(), "{mode}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(said.contains("actually processed: 800/800"), "{mode}: {said}");
    }
}

/// `pgbench -i`, by the store's owner.
fn fill_for_pgbench(store: &Database<'_>) {
    let mut command = Command::new(testkit::postgres::program("pgbench"));
    command.args(["-i", "-q", "-h"]).arg(store.server().socket_folder());
    command.args(["-p", &store.server().port().to_string(), "-U", SUPERUSER, &store.name]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The variables that every client of libpq reads.
pub(crate) fn with_login<'a>(command: &'a mut Command, gateway: &Gateway, caller: &str) -> &'a mut Command {
    command.env("PGHOST", "127.0.0.1").env("PGPORT", gateway.port().to_string()).env("PGDATABASE", "crm");
    command.env("PGUSER", caller).env("PGPASSWORD", PASSWORD).env("PGSSLMODE", "require")
}

/// A client of the PostgreSQL at hand.
pub(crate) fn client(program: &str) -> PathBuf {
    let path = testkit::postgres::program(program);
    assert!(path.is_file(), "{} is missing: `./test` installs it", path.display());
    path
}

/// A Python with psycopg: that of `./test`, else the one on the path.
pub(crate) fn python() -> PathBuf {
    let ours = workspace::root().join("target/tmp/python/bin/python");
    let has_psycopg = |python: &Path| {
        let tried = Command::new(python).args(["-c", "import psycopg"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    let found = [ours, "python3".into()].into_iter().find(|python| has_psycopg(python));
    found.expect("psycopg is missing: `./test` installs it")
}
