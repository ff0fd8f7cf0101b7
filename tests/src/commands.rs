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

#[tokio::test]
async fn accepted_fields_are_there_after_a_reload_and_new_ones_are_not() {
    let gateway = Gateway::start();
    let data = gateway.policy().join("10-data.yaml");
    let starred = std::fs::read_to_string(&data).unwrap().replace("    status: open\n", "    \"*\": open\n");
    std::fs::write(&data, starred).unwrap();
    let unlocked = text(&run(&gateway, &["check"]));
    assert!(unlocked.contains("lock of fields"), "{unlocked}");
    assert!(!gateway.reload());

    let accepted = run(&gateway, &["check", "--accept"]);
    assert!(accepted.status.success(), "{}", text(&accepted));
    let lock = gateway.policy().join("fields.lock");
    assert!(std::fs::read_to_string(&lock).unwrap().contains("'status'"));
    gateway.store.run("alter table orders add column later text default 'later'");
    assert!(gateway.reload());
    let alice = gateway.client("alice").await;
    alice.batch_execute("select status from orders").await.unwrap();
    alice.batch_execute("select later from orders").await.unwrap_err();
    let warned = text(&run(&gateway, &["check"]));
    assert!(warned.contains("`later`"), "{warned}");

    std::fs::write(&lock, "veilgate: 1\nfields: [status]\n").unwrap();
    let corrupt = text(&run(&gateway, &["check"]));
    assert!(corrupt.contains("fields.lock:2"), "{corrupt}");
    assert!(!gateway.reload());
    alice.batch_execute("select status from orders").await.unwrap();
}

fn run(gateway: &Gateway, arguments: &[&str]) -> Output {
    let mut command = Command::new(executable());
    command.env_clear().args(arguments).arg("--config").arg(gateway.configuration());
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
