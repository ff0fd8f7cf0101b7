//! A policy that changes under open sessions, and a catalogue that does.

use std::fs;
use std::time::{Duration, Instant};

use crate::gateway::Gateway;

#[tokio::test]
async fn a_change_holds_for_open_sessions_and_prepared_statements() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    let prepared = client.prepare("select id, ssn from customers order by id").await.unwrap();
    assert_eq!(client.query(&prepared, &[]).await.unwrap().len(), 2);
    let before = revision(&gateway);

    // The same rule for one row only. The first statement after the acknowledged reload is under it.
    let changed =
        change_policy(&gateway, "rows: region = caller.region", "rows: region = caller.region and id = 1");
    assert!(changed > 0);
    assert!(gateway.reload(), "{}", gateway.log());
    assert_eq!(client.query(&prepared, &[]).await.unwrap().len(), 1);
    assert_eq!(client.query("select id from customers", &[]).await.unwrap().len(), 1);
    assert_ne!(revision(&gateway), before);
}

#[tokio::test]
async fn a_bad_policy_keeps_the_old_one() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    fs::write(gateway.policy().join("bad.yaml"), "veilgate: 1\nrulez: []\n").unwrap();
    assert!(!gateway.reload(), "a bad policy was taken");
    assert!(gateway.log().contains("rulez"), "not a word about it:\n{}", gateway.log());
    assert_eq!(client.query("select id from customers", &[]).await.unwrap().len(), 2);

    // SIGHUP reads it anew as well, once it is good again.
    fs::remove_file(gateway.policy().join("bad.yaml")).unwrap();
    change_policy(&gateway, "rows: region = caller.region", "rows: region = caller.region and id = 3");
    gateway.signal("HUP");
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.query("select id from customers", &[]).await.unwrap().len() != 1 {
        assert!(Instant::now() < deadline, "SIGHUP changes nothing:\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_table_that_is_new_or_changed_is_seen() {
    let gateway = Gateway::start();
    let client = gateway.client("alice").await;
    client.query("select 1 from brand_new", &[]).await.unwrap_err();
    // A column that nobody has classified is hidden; a partition that is new has its parent's guard.
    gateway.store.run("alter table customers add column shoe_size int");
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let columns =
            client.prepare("select * from customers").await.map(|statement| statement.columns().len());
        let hidden = client.query("select shoe_size from customers", &[]).await.unwrap_err();
        assert_eq!(hidden.code().unwrap().code(), "42703");
        if columns.is_ok() || Instant::now() > deadline {
            columns.unwrap();
            break;
        }
    }
}

/// Replaces a text in all files of the policy; says how often.
fn change_policy(gateway: &Gateway, from: &str, to: &str) -> usize {
    let mut changed = 0;
    for entry in fs::read_dir(gateway.policy()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        changed += text.matches(from).count();
        fs::write(&path, text.replace(from, to)).unwrap();
    }
    changed
}

/// The policy's revision in the last decision of the record.
fn revision(gateway: &Gateway) -> String {
    let record = gateway.record();
    let last = record.iter().rev().find_map(|entry| entry.get("policy")?.as_str());
    last.expect("a decision is recorded").to_owned()
}
