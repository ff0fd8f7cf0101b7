//! `SHOW veilgate.rights`: what a caller may do, in every protocol, and nothing about what is hidden from it.

use std::fs;

use tokio_postgres::SimpleQueryMessage;

use crate::gateway::{Gateway, Setup};

type Row = Vec<Option<String>>;

async fn rights(client: &tokio_postgres::Client) -> Vec<Row> {
    let rows = client.query("show veilgate.rights", &[]).await.unwrap();
    rows.iter().map(|row| (0..row.len()).map(|at| row.get(at)).collect()).collect()
}

fn found<'r>(rows: &'r [Row], relation: &str, field: &str) -> Option<&'r Row> {
    rows.iter().find(|row| row[0].as_deref() == Some(relation) && row[3].as_deref() == Some(field))
}

#[tokio::test]
async fn a_caller_sees_its_rights_in_either_protocol() {
    let gateway = Gateway::shared();
    let alice = gateway.client("alice").await;
    let rows = rights(&alice).await;
    let ssn = found(&rows, "public.customers", "ssn").unwrap();
    let texts: Vec<_> = ssn.iter().map(|text| text.as_deref().unwrap()).collect();
    assert_eq!(texts, ["public.customers", "read", "region = 'EU'", "ssn", "{last: 4}", "support", "yes"]);
    assert_eq!(found(&rows, "public.customers", "id").unwrap()[4].as_deref(), Some("clear"));

    // The same by the simple protocol, with SHOW's own tag; and as one text.
    let messages = alice.simple_query("show veilgate.rights; show veilgate.rights_json").await.unwrap();
    let simple: Vec<Row> = messages
        .iter()
        .filter_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        })
        .collect();
    assert_eq!(simple[..rows.len()], rows[..]);
    let json: serde_json::Value =
        serde_json::from_str(simple.last().unwrap()[0].as_deref().unwrap()).unwrap();
    assert_eq!((&json["caller"], &json["purpose"]), (&"alice".into(), &"support".into()));
    let customers =
        json["rights"].as_array().unwrap().iter().find(|right| right["relation"] == "public.customers");
    assert_eq!(customers.unwrap()["fields"]["salary"], "nullify");
    let one = alice.query_one("SHOW veilgate.rights_json", &[]).await.unwrap();
    assert_eq!(one.columns()[0].name(), "veilgate.rights_json");

    // What may be looked at as a plan is said, too.
    let bob = gateway.client("bob").await;
    let rows = rights(&bob).await;
    assert_eq!(found(&rows, "public.orders", "amount").unwrap()[1].as_deref(), Some("read, explain"));
    assert_eq!(found(&rows, "public.customers", "notes").unwrap()[4].as_deref(), Some("nullify"));
}

#[tokio::test]
async fn rights_under_another_purpose_are_told_with_it() {
    let gateway = Gateway::shared();
    let agent = gateway.client_for("agent", "inference").await;
    let rows = rights(&agent).await;
    let orders = found(&rows, "public.orders", "status").unwrap();
    assert_eq!(
        (orders[2].as_deref(), orders[5].as_deref(), orders[6].as_deref()),
        (Some("status = 'paid'"), Some("inference"), Some("yes"))
    );
    let customers = found(&rows, "public.customers", "id").unwrap();
    assert_eq!((customers[5].as_deref(), customers[6].as_deref()), (Some("training"), Some("no")));
}

#[tokio::test]
async fn nothing_is_told_of_what_is_hidden() {
    let more = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    fs::write(
        more.path(),
        "veilgate: 1
data:
  pg://crm/public.profiles:
    customer_id: key
    details: {as: open, json: {\"$.secret_path\": internal, \"$.plain\": pii.email}}
    born: internal
    score: pii.score
lookups:
  secret_lookup: {from: pg://crm/public.assignments, where: \"agent = caller.id\", take: customer_id}
rules:
  - allow: alice-reads-profiles-by-a-lookup
    to: caller.id = 'alice'
    data: pg://crm/public.profiles
    do: read
    rows: customer_id in lookup.secret_lookup and customer_id > 0 and born > '1900-01-01'
    show: {pii.score: {bucket: {width: 10, low: 0, high: 100}}}
  - restrict: secret-reason
    to: anyone
    data: pg://crm/public.profiles
    rows: score < 77
  - allow: only-bob
    to: caller.id = 'bob'
    data: pg://crm/public.employees
    do: read
masks:
  pii.score: nullify
",
    )
    .unwrap();
    let gateway = Gateway::start_with(&Setup { more: Some(more.path().to_owned()), ..Setup::default() });
    let alice = gateway.client("alice").await;
    let rows = rights(&alice).await;
    let json: String = alice.query_one("show veilgate.rights_json", &[]).await.unwrap().get(0);
    let told = format!("{rows:?} {json}");
    for hidden in [
        "secret",
        "lookup",
        "assignments",
        "born",
        "1900",
        "77",
        "internal",
        "payload",
        "employees",
        "alice-reads",
        "bob",
        "plain",
        "hide",
    ] {
        assert!(!told.contains(hidden), "{hidden} is told: {told}");
    }
    let id = found(&rows, "public.profiles", "customer_id").unwrap();
    assert_eq!(id[2].as_deref(), Some("customer_id > 0 and a condition that is not shown"));
    let details = found(&rows, "public.profiles", "details").unwrap();
    assert_eq!(details[4].as_deref(), Some("the document, masked in part"));
    assert!(found(&rows, "public.profiles", "score").unwrap()[4].as_deref().unwrap().starts_with("{bucket:"));
}

#[tokio::test]
async fn a_prepared_show_tells_of_the_policy_that_holds_and_there_is_nothing_to_set() {
    let gateway = Gateway::start();
    let alice = gateway.client("alice").await;
    let prepared = alice.prepare("show veilgate.rights").await.unwrap();
    let before = alice.query(&prepared, &[]).await.unwrap();
    let rules = first_with(&gateway, "rows: region = caller.region");
    let text = fs::read_to_string(&rules).unwrap();
    fs::write(
        &rules,
        text.replace("rows: region = caller.region", "rows: region = caller.region and id = 1"),
    )
    .unwrap();
    assert!(gateway.reload());
    let after = alice.query(&prepared, &[]).await.unwrap();
    assert_eq!(before.len(), after.len());
    assert!(after.iter().any(|row| row.get::<_, &str>(2) == "region = 'EU' and id = 1"), "{after:?}");
    for statement in [
        "set veilgate.rights = 'x'",
        "reset veilgate.rights",
        "select current_setting('veilgate.rights')",
        "select set_config('veilgate.rights', 'x', false)",
        "show veilgate.policy",
        "select * from veilgate.rights",
    ] {
        alice.batch_execute(statement).await.expect_err(statement);
    }
    // The record has what was asked, as for any statement.
    assert!(gateway.record().iter().any(|entry| entry["asked"] == "show veilgate.rights"));
}

fn first_with(gateway: &Gateway, text: &str) -> std::path::PathBuf {
    let files = fs::read_dir(gateway.policy()).unwrap().map(|entry| entry.unwrap().path());
    let holds = |path: &std::path::PathBuf| fs::read_to_string(path).unwrap_or_default().contains(text);
    files.into_iter().find(holds).unwrap()
}
