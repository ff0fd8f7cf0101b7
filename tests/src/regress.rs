//! Postgres's own regression SELECTs, through the gateway as a caller to whom all is clear: the answers are those of the
//! server, and what is refused stays within the share that `tests/regress/kept.txt` keeps.

use std::process::Command;

use testkit::{Postgres, postgres, workspace};

use crate::clients::python;
use crate::gateway::executable;

#[test]
fn answers_are_those_of_the_server_itself() {
    check("clear", &[]);
}

#[test]
fn answers_are_those_of_the_server_itself_under_a_filter_that_admits_all() {
    check("filter", &["--filter"]);
}

/// The report is left in `target/tmp/regress-MODE`.
fn check(mode: &str, arguments: &[&str]) {
    let python = python();
    let server = Postgres::start_with(&postgres::Options::default().setting("timezone", "PST8PDT"));
    let mut regress = Command::new(python);
    regress.arg("-B").arg(workspace::root().join("tests/regress/regress.py"));
    regress.arg("--host").arg(server.socket_folder()).args(["--port", &server.port().to_string()]);
    regress.arg("--veilgate").arg(executable());
    regress.arg("--out").arg(workspace::cache().join(format!("regress-{mode}"))).args(arguments);
    let output = regress.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
}
