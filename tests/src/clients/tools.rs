//! Tools as people use them, each with its own client: what they get is the direct answer less the hidden.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{postgres, workspace};

use super::twin::Twins;

#[test]
fn jdbc_describes_and_reads() {
    Twins::shared().check("JDBC", || java("Metadata.java"));
}

#[test]
fn metabase_starts() {
    Twins::shared().check("Metabase", || asked_by_jdbc("metabase.sql"));
}

#[test]
fn dbeaver_starts() {
    Twins::shared().check("DBeaver", || asked_by_jdbc("dbeaver.sql"));
}

#[test]
fn node_pg_reads() {
    Twins::shared().check("pg of Node", || {
        let modules = tool_folder("node/node_modules");
        let mut node = Command::new("node");
        node.arg(clients().join("node_pg.js")).env("NODE_PATH", modules);
        node
    });
}

#[test]
fn sqlalchemy_reflects_and_reads_by_psycopg() {
    Twins::shared().check("SQLAlchemy by psycopg", || python("sqlalchemy_test.py", "psycopg"));
}

#[test]
fn sqlalchemy_reflects_and_reads_by_psycopg2() {
    Twins::shared().check("SQLAlchemy by psycopg2", || python("sqlalchemy_test.py", "psycopg2"));
}

#[test]
fn django_inspects_and_reads() {
    Twins::shared().check("Django", || python("django_test.py", ""));
}

#[test]
fn psycopg_has_server_cursors_and_copies() {
    Twins::shared().check("psycopg", || python("cursors_test.py", ""));
}

#[test]
fn dbt_reads() {
    Twins::shared().check("dbt", || python("dbt_test.py", "reads"));
}

#[test]
fn dbt_creates_nothing() {
    let told = Twins::shared().told("dbt", python("dbt_test.py", "run"));
    let refused = ["CREATE is not mediated by this version", "the catalogue is not readable here"];
    assert!(refused.iter().any(|sentence| told.contains(sentence)), "{told}");
}

#[test]
fn psql_describes() {
    Twins::shared().check("psql", || {
        let commands = std::fs::read_to_string(clients().join("psql.txt")).unwrap();
        let mut psql = Command::new(postgres::program("psql"));
        psql.arg("-X");
        for command in commands.lines() {
            let question = command.replace('\'', "").replace('\\', "\\\\");
            psql.args(["-c", &format!("\\echo '== {question}'"), "-c", command]);
        }
        psql
    });
}

#[test]
fn pg_dump_hears_what_to_use() {
    let told = Twins::shared().told("pg_dump", Command::new(postgres::program("pg_dump")));
    assert!(told.contains("COPY (SELECT"), "{told}");
}

/// A program of `tests/clients/jdbc`, run from its source, with the driver of Debian's package.
fn java(source: &str) -> Command {
    let driver = "/usr/share/java/postgresql.jar";
    assert!(Path::new(driver).is_file(), "{driver} is missing: `./test` installs libpostgresql-jdbc-java");
    let mut java = Command::new("java");
    let compiled = tool_folder("java");
    java.arg("-cp").arg(format!("{driver}:{}", compiled.display())).arg(source.trim_end_matches(".java"));
    java
}

fn asked_by_jdbc(file: &str) -> Command {
    let mut java = java("Queries.java");
    java.arg(clients().join("jdbc").join(file));
    java
}

fn python(program: &str, argument: &str) -> Command {
    let mut python = Command::new(tool_folder("python/bin/python"));
    python.arg(clients().join(program)).arg(argument).env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

fn clients() -> PathBuf {
    workspace::root().join("tests/clients")
}

/// What `./test` has installed.
fn tool_folder(path: &str) -> PathBuf {
    let path = workspace::root().join("target/tmp").join(path);
    assert!(path.exists(), "{} is missing: `./test` installs it", path.display());
    path
}
