//! The gate over a small policy and a catalogue written by hand: what is decided, permitted, recorded.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use access::{
    Catalog, Collation, Column, Identity, Refusal, RefusalKind, Relation, RelationKind, RelationName,
    SqlType, TypeKind,
};
use audit::Log;
use policy::{Policy, Source};

use crate::{Gate, HashKeys, Identities, Outcome, Phase, SqlSession};

const POLICY: &str = "\
veilgate: 1
caller:
  region: {type: text, optional: true}
  purpose: {one_of: [support, analytics]}
data:
  pg://crm/public.customers: {id: key, region: open}
rules:
  - allow: support-reads-own-region
    to: caller.purpose = 'support'
    data: pg://crm/public.customers
    do: read
    rows: region = caller.region
  - allow: analysts-read-office-hours
    to: caller.purpose = 'analytics' and request.time > '2020-01-01'
    data: pg://crm/public.customers
    do: [read, explain]
";

fn policy(text: &str) -> Policy {
    policy::parse(&[Source { path: "policy.yaml".into(), text: text.into() }]).unwrap()
}

fn column(name: &str, oid: u32) -> Column {
    let collation = if oid == 25 { 100 } else { 0 };
    Column { name: name.into(), type_oid: oid, base_oid: oid, typmod: -1, not_null: false, collation }
}

fn table(name: &str) -> (RelationName, Arc<Relation>) {
    let table = Relation {
        name: RelationName::new("public", name),
        oid: 20000,
        row_type: 20001,
        kind: RelationKind::Table,
        columns: vec![column("id", 23), column("region", 25)],
        primary_key: vec!["id".into()],
        parents: Vec::new(),
        is_partition: false,
        has_rules: false,
        row_security: false,
        definition: None,
        security_barrier: false,
    };
    (table.name.clone(), Arc::new(table))
}

fn catalog() -> Arc<Catalog> {
    let types = [(16, "bool"), (23, "int4"), (25, "text")].map(|(oid, name)| {
        (oid, SqlType { oid, schema: "pg_catalog".into(), name: name.into(), kind: TypeKind::Base })
    });
    let default = Collation { schema: "pg_catalog".into(), name: "default".into(), deterministic: true };
    Arc::new(Catalog {
        store: "crm".into(),
        server_version: 150_018,
        database: "shop".into(),
        schemas: vec!["public".into(), "sales".into()],
        // The policy knows nothing of the second.
        relations: HashMap::from([table("customers"), table("hidden")]),
        types: HashMap::from(types),
        collations: HashMap::from([(100, default)]),
        ..Catalog::default()
    })
}

fn gate_with(log: Log) -> Gate {
    Gate::new(policy(POLICY), vec![catalog()], log, sql::Limits::default()).0
}

fn gate() -> Gate {
    gate_with(Log::memory())
}

fn alice() -> Arc<Identity> {
    let attributes = BTreeMap::from([("region".to_owned(), vec!["EU".to_owned()])]);
    Arc::new(Identity {
        id: "alice".into(),
        attributes,
        purposes: vec!["support".into(), "analytics".into()],
    })
}

fn session(purpose: Option<&str>) -> SqlSession {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    SqlSession::new(7, "crm".into(), alice(), purpose.map(str::to_owned), ip)
}

fn identities(identities: &[Arc<Identity>]) -> Identities {
    let by_name = identities.iter().map(|identity| (Arc::clone(&identity.id), Arc::clone(identity)));
    Arc::new(by_name.collect::<HashMap<_, _>>())
}

/// The lines of the record, each as its event and the values of these fields.
fn record(gate: &Gate, fields: &[&str]) -> Vec<String> {
    let line = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let value = |field: &&str| line.get(*field).map(|value| format!(" {value}")).unwrap_or_default();
        format!("{}{}", line["event"].as_str().unwrap(), fields.iter().map(value).collect::<String>())
    };
    gate.log().contents().lines().map(line).collect()
}

fn sent(gate: &Gate, session: &SqlSession, text: &str) -> Vec<String> {
    let decision = gate.decide_sql(session, text, &[]).unwrap();
    decision.statements.iter().map(|decided| decided.text.to_string()).collect()
}

#[test]
fn a_login_is_recorded_either_way() {
    let gate = gate();
    assert_eq!(gate.login(&session(Some("support"))).unwrap().text("purpose"), Some("support"));
    assert_eq!(gate.login(&session(None)).unwrap_err().kind, RefusalKind::Purpose);
    assert_eq!(gate.login(&session(Some("training"))).unwrap_err().kind, RefusalKind::Purpose);
    gate.login_failed(&session(Some("support")), "the password is wrong");
    let expected = [
        r#"login "alice" "support""#,
        r#"login_failed "alice""#,
        r#"login_failed "alice" "training""#,
        r#"login_failed "alice" "support""#,
    ];
    assert_eq!(record(&gate, &["caller", "purpose"]), expected);
}

#[test]
fn a_statement_has_two_lines_and_a_permit_between_them() {
    let gate = gate();
    let session = session(Some("support"));
    let decision = gate.decide_sql(&session, "show search_path", &[]).unwrap();
    assert_eq!(record(&gate, &[]), Vec::<String>::new());
    let permit = gate.permit(&session, &decision, 0, Phase::Execute).unwrap();
    assert_eq!(
        record(&gate, &["asked", "phase", "kind"]),
        [r#"decided "show search_path" "execute" "show""#]
    );
    assert_eq!(&**permit.text(), &*decision.statements[0].text);
    permit.finish(&Outcome::done(1));
    drop(gate.permit(&session, &decision, 0, Phase::Prepare).unwrap());
    gate.permit(&session, &decision, 0, Phase::Execute).unwrap().finish(&Outcome::failed("57014"));
    let expected = [
        "decided",
        r#"finished "done" 1"#,
        "decided",
        r#"finished "unknown" 0"#,
        "decided",
        r#"finished "57014" 0"#,
    ];
    assert_eq!(record(&gate, &["outcome", "rows"]), expected);
    assert!(gate.permit(&session, &decision, 1, Phase::Execute).is_err());
}

#[test]
fn the_statements_of_one_string_follow_each_other() {
    let gate = gate();
    let session = session(Some("support"));
    let text = "show search_path; set search_path = sales; show search_path; reset all; show search_path";
    let sent = sent(&gate, &session, text);
    let default = r#"SELECT '"$user", public'::pg_catalog.text AS search_path"#;
    assert_eq!([&*sent[0], &*sent[4]], [default, default]);
    assert_eq!(sent[2], "SELECT 'sales'::pg_catalog.text AS search_path");
    assert_eq!(session.search_path, SqlSession::default_search_path());
}

#[test]
fn one_refusal_refuses_the_whole_string() {
    let gate = gate();
    let session = session(Some("support"));
    let refusal = gate.decide_sql(&session, "begin; drop table customers", &[]).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unsupported);
    let expected = [r#"refused "begin; drop table customers" "Unsupported""#];
    assert_eq!(record(&gate, &["asked", "refusal"]), expected);
}

#[test]
fn all_permits_of_a_string_come_by_one_decision() {
    let gate = gate();
    let session = session(Some("support"));
    let decision = gate.decide_sql(&session, "begin; set search_path = sales; commit", &[]).unwrap();
    let permits = gate.permit_all(&session, &decision, Phase::Execute).unwrap();
    assert_eq!(permits.len(), 3);
    let expected = ["decided \"begin\"", "decided \"set search_path = sales\"", "decided \"commit\""];
    assert_eq!(record(&gate, &["asked"]), expected);
}

#[test]
fn an_old_decision_is_made_anew() {
    let gate = gate();
    let mut session = session(Some("support"));
    let decision = gate.decide_sql(&session, "show search_path", &[]).unwrap();
    let same = gate.permit(&session, &decision, 0, Phase::Execute).unwrap();
    assert!(Arc::ptr_eq(same.decision(), &decision));

    session.search_path = vec!["sales".into()];
    let other = gate.permit(&session, &decision, 0, Phase::Execute).unwrap();
    assert_eq!(&**other.text(), "SELECT 'sales'::pg_catalog.text AS search_path");

    gate.reload(policy(&POLICY.replace("support-reads", "support-sees")), None);
    let newer = gate.permit(&session, other.decision(), 0, Phase::Execute).unwrap();
    assert_eq!((newer.decision().generation, gate.generation()), (2, 2));
    assert_eq!(newer.decided().revision, gate.revision());
}

#[test]
fn open_sessions_follow_a_reload_of_identities() {
    let gate = gate().with_identities(identities(&[alice()]));
    let session = session(Some("support"));
    let caller = gate.login(&session).unwrap();
    assert_eq!(caller.text("region"), Some("EU"));

    let mut moved = Identity::clone(&alice());
    moved.attributes.insert("region".into(), vec!["US".into()]);
    gate.reload(policy(POLICY), Some(identities(&[Arc::new(moved)])));
    assert_eq!(gate.login(&session).unwrap().text("region"), Some("US"));

    gate.reload(policy(POLICY), Some(identities(&[])));
    let refusal = gate.decide_sql(&session, "show search_path", &[]).unwrap_err();
    assert_eq!((refusal.kind, &*refusal.message), (RefusalKind::Login, "caller `alice` is no longer known"));
}

#[test]
fn a_store_without_a_catalogue_is_unavailable() {
    let gate = Gate::new(policy(POLICY), Vec::new(), Log::memory(), sql::Limits::default()).0;
    let session = session(Some("support"));
    let kind = |refusal: Refusal| refusal.kind;
    assert_eq!(
        gate.decide_sql(&session, "select 1", &[]).map_err(kind).unwrap_err(),
        RefusalKind::Unavailable
    );
    gate.refresh(catalog());
    assert_eq!(gate.generation(), 2);
    assert!(gate.catalog("crm").is_some());
}

#[test]
fn what_cannot_be_recorded_does_not_happen() {
    let gate = gate_with(Log::open("/dev/full", audit::Durability::Os).unwrap());
    let session = session(Some("support"));
    assert_eq!(gate.login(&session).unwrap_err().kind, RefusalKind::Unrecorded);
    let decision = gate.decide_sql(&session, "show search_path", &[]).unwrap();
    let refusal = gate.permit(&session, &decision, 0, Phase::Execute).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Unrecorded);
    assert!(!refusal.message.contains("full"), "{refusal}");
}

#[test]
fn what_reads_is_guarded() {
    let gate = gate();
    let session = session(Some("support"));
    let decision = gate.decide_sql(&session, "select id from customers", &[]).unwrap();
    let [decided] = &decision.statements[..] else { panic!("one statement") };
    assert!(decided.text.contains("public.customers") && decided.text.contains("'EU'"), "{}", decided.text);
    assert_eq!(decided.rules, ["support-reads-own-region".into()]);
    assert!(decided.protected);
    let refusal = gate.decide_sql(&session, "select 1; select id from employees", &[]).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::UnknownRelation);
}

/// Whatever stands beside it, a relation that the policy does not know answers as one that does not exist.
#[test]
fn hidden_relations_answer_as_missing_ones() {
    let gate = gate();
    let session = session(Some("support"));
    let told = |text: &str| {
        let refusal = gate.decide_sql(&session, text, &[]).unwrap_err();
        format!("{refusal:?}").replace("hidden", "missing")
    };
    for text in [
        "select * from hidden",
        "select * from public.hidden",
        "select * from customers, hidden",
        "select * from hidden, absent",
        "select * from absent, hidden",
        "select region_ from hidden",
        "select 1 from customers where region = (select 1/id from hidden)",
        "with customers as (select * from hidden) select nothing from customers",
        "explain select * from hidden, customers",
    ] {
        assert_eq!(told(text), told(&text.replace("hidden", "missing")), "{text}");
    }
}

#[test]
fn the_path_of_the_same_string_finds_names() {
    let gate = gate();
    let session = session(Some("support"));
    let text = "set search_path = sales; select id from customers";
    assert_eq!(gate.decide_sql(&session, text, &[]).unwrap_err().kind, RefusalKind::UnknownRelation);
    let text = "set search_path = sales; reset search_path; select id from customers";
    assert_eq!(sent(&gate, &session, text).len(), 3);
}

#[test]
fn explaining_needs_its_own_right() {
    let gate = gate();
    let text = "explain select id from customers";
    let refusal = gate.decide_sql(&session(Some("support")), text, &[]).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::Denied);
    assert!(sent(&gate, &session(Some("analytics")), text)[0].starts_with("EXPLAIN"));
}

#[test]
fn the_policy_is_explained_without_a_record() {
    let gate = gate();
    let text = "begin; select id from customers; select 1/id from customers";
    let explained = gate.explain_sql(&session(Some("support")), text).unwrap();
    assert!(explained[0].explanation.is_none());
    let explanation = explained[1].explanation.as_ref().unwrap().to_string();
    assert!(explanation.contains("support-reads-own-region"), "{explanation}");
    assert!(explained.iter().all(|statement| statement.sent.is_ok()));
    assert_eq!(record(&gate, &[]), Vec::<String>::new());
}

#[test]
fn a_prepared_statement_follows_the_clock() {
    let gate = gate();
    let session = session(Some("analytics"));
    let decision = gate.decide_sql(&session, "select id from customers", &[]).unwrap();
    // The same guards come out now, so it holds.
    let permit = gate.permit_bound(&session, &decision, |_| None).unwrap();
    assert!(Arc::ptr_eq(permit.decision(), &decision));
    let over = POLICY.replace("request.time >", "request.time <");
    gate.reload(policy(&over), None);
    assert_eq!(gate.permit_bound(&session, &decision, |_| None).unwrap_err().kind, RefusalKind::Denied);
}

#[test]
fn a_pattern_that_is_bound_is_looked_at() {
    let gate = gate();
    let session = session(Some("support"));
    let text = "select id from customers where region like $1";
    let decision = gate.decide_sql(&session, text, &[25]).unwrap();
    let bound = |pattern: &'static [u8]| gate.permit_bound(&session, &decision, |_| Some(pattern));
    bound(b"E%").unwrap().finish(&Outcome::done(1));
    assert_eq!(bound(b"E\\").unwrap_err().kind, RefusalKind::AtRisk);
    // Without the values nobody can look at them; to describe it, nobody has to.
    assert_eq!(gate.permit(&session, &decision, 0, Phase::Execute).unwrap_err().kind, RefusalKind::AtRisk);
    assert_eq!(gate.permit_all(&session, &decision, Phase::Execute).unwrap_err().kind, RefusalKind::AtRisk);
    assert!(gate.permit(&session, &decision, 0, Phase::Prepare).is_ok());
}

#[test]
fn a_hash_without_a_key_is_refused_and_shown_by_nothing_else() {
    let hashed =
        POLICY.replace("region: open}", "region: pii.place}").replace("rules:", "masks: {pii: hash}\nrules:");
    let gate = |keys: Option<HashKeys>| {
        let gate = Gate::new(policy(&hashed), vec![catalog()], Log::memory(), sql::Limits::default()).0;
        gate.with_hash_keys(keys.map(Arc::new))
    };
    let secret = b"0123456789abcdef0123456789abcdef".to_vec();
    let with = gate(Some(HashKeys::new([(1, secret.clone().into())], 1).unwrap()));
    let without = gate(None);
    let analytics = session(Some("analytics"));
    for text in
        ["select region from customers", "select id from customers where region = 'x'", "table customers"]
    {
        let refusal = without.decide_sql(&analytics, text, &[]).unwrap_err();
        assert_eq!(
            (refusal.kind, refusal.message.as_str()),
            (RefusalKind::Unavailable, "the mask `hash` has no key")
        );
        let decision = with.decide_sql(&analytics, text, &[]).unwrap();
        assert_eq!((decision.statements[0].hidden().len(), decision.statements[0].parameters()), (1, 0));
    }
    // What reads no hash needs no key, and has none.
    for gate in [&with, &without] {
        let decision = gate.decide_sql(&analytics, "select count(*), max(id) from customers", &[]).unwrap();
        assert!(decision.statements[0].hidden().is_empty());
    }
    // Another key is another statement, though the text is the same.
    let decision = with.decide_sql(&analytics, "select region from customers", &[]).unwrap();
    assert_eq!(with.still_holds(&analytics, &decision), Ok(true));
    with.reload_all(
        policy(&hashed),
        identities(&[alice()]),
        HashKeys::new([(1, secret.repeat(2).into())], 1).ok().map(Arc::new),
    );
    assert_eq!(with.still_holds(&analytics, &decision), Ok(false));
    assert!(!format!("{decision:?}").contains("inner"), "{decision:?}");
}
