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
        let modules = installed("node/node_modules")?;
        let mut node = Command::new("node");
        node.arg(clients().join("node_pg.js")).env("NODE_PATH", modules);
        Some(node)
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
    let Some(told) = Twins::shared().told("dbt", python("dbt_test.py", "run")) else { return };
    let refused = ["CREATE is not mediated by this version", "the catalogue is not readable here"];
    assert!(refused.iter().any(|sentence| told.contains(sentence)), "{told}");
}

#[test]
fn psql_describes() {
    Twins::shared().check("psql", || {
        let mut psql = Command::new(postgres::program("psql"));
        psql.args(["-X", "-f"]).arg(script());
        Some(psql)
    });
}

/// The commands of a file, each below its name.
fn script() -> PathBuf {
    let commands = std::fs::read_to_string(clients().join("psql.txt")).unwrap();
    let mut script = String::new();
    for command in commands.lines() {
        let question = command.replace('\'', "").replace('\\', "\\\\");
        script += &format!("\\echo '== {question}'\n{command}\n");
    }
    let folder = workspace::root().join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("psql_describes.sql");
    std::fs::write(&path, script).unwrap();
    path
}

#[test]
fn psql_completes() {
    Twins::shared().check("completion", || {
        let mut python = Command::new("python3");
        python.arg(clients().join("tab_test.py")).arg(postgres::program("psql"));
        Some(python)
    });
}

#[test]
fn pg_dump_hears_what_to_use() {
    let told = Twins::shared().told("pg_dump", Some(Command::new(postgres::program("pg_dump"))));
    assert!(told.is_some_and(|told| told.contains("COPY (SELECT")));
}

/// A program of `tests/clients/jdbc`, with the driver of Debian's package.
fn java(source: &str) -> Option<Command> {
    let driver = "/usr/share/java/postgresql.jar";
    let compiled = installed("java").filter(|_| Path::new(driver).is_file())?;
    let mut java = Command::new("java");
    java.arg("-cp").arg(format!("{driver}:{}", compiled.display())).arg(source.trim_end_matches(".java"));
    Some(java)
}

fn asked_by_jdbc(file: &str) -> Option<Command> {
    let mut java = java("Queries.java")?;
    java.arg(clients().join("jdbc").join(file));
    Some(java)
}

fn python(program: &str, argument: &str) -> Option<Command> {
    let mut python = Command::new(installed("python/bin/python")?);
    python.arg(clients().join(program)).arg(argument).env("PYTHONDONTWRITEBYTECODE", "1");
    Some(python)
}

fn clients() -> PathBuf {
    workspace::root().join("tests/clients")
}

/// What `./test` has installed; none where it could not.
fn installed(path: &str) -> Option<PathBuf> {
    let path = workspace::root().join("target/tmp").join(path);
    path.exists().then_some(path)
}
