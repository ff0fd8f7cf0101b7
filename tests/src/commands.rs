//! The commands of the executable, on a store that is there.

use std::process::{Command, Output};

use testkit::Postgres;

use crate::gateway::{Gateway, executable};

#[test]
fn the_demo_policy_passes_its_own_tests_and_check() {
    let gateway = Gateway::shared();
    let tested = run(gateway, &["test"]);
    assert!(tested.status.success(), "{}", text(&tested));
    let checked = run(gateway, &["check"]);
    assert!(checked.status.success(), "{}", text(&checked));
}

#[test]
fn explain_shows_rules_rows_masks_and_what_is_sent() {
    let gateway = Gateway::shared();
    let explained = text(&run(gateway, &["explain", "--as", "alice", "select id, ssn from customers"]));
    for word in ["support-reads-own-region", "region", "ssn", "FROM public.customers"] {
        assert!(explained.contains(word), "no {word} in:\n{explained}");
    }
    let refused = text(&run(gateway, &["explain", "--as", "alice", "select * from employees"]));
    assert!(refused.contains("no rule allows"), "{refused}");
    let several = text(&run(gateway, &["explain", "--as", "agent", "select 1"]));
    assert!(several.contains("training") && several.contains("inference"), "{several}");
}

#[test]
fn every_error_of_a_configuration_comes_in_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("veilgate.yaml");
    let server = Postgres::shared();
    let wrong = format!(
        "polizy: x\naudit: {{path: a.jsonl}}\nlisteners: {{postgres: {{tls: perhaps}}}}\n\
         stores: {{crm: {{port: {}, user: gateway, tls: {{mode: off}}}}}}\nlimits: {{connections_max: -1}}\n",
        server.port()
    );
    std::fs::write(&file, wrong).unwrap();
    let output =
        Command::new(executable()).env_clear().arg("check").arg("--config").arg(&file).output().unwrap();
    assert!(!output.status.success());
    for word in ["polizy", "perhaps", "connections_max", "callers"] {
        assert!(text(&output).contains(word), "no word about {word}:\n{}", text(&output));
    }
}

fn run(gateway: &Gateway, arguments: &[&str]) -> Output {
    let mut command = Command::new(executable());
    command.env_clear().args(arguments).arg("--config").arg(gateway.configuration());
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
