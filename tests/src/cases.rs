//! Cases: for what was asked, what is sent, or why nothing is. What is sent is run, too.
//!
//! Sections of a case: `caller` (a name of `fixtures/callers.yaml`, then lines such as `purpose: training` or
//! `path: public, other`), `asked`, perhaps `parameters` (types, by name) and `since` (the first major version of a server that has
//! what is asked for), then `runs` or `refused`, perhaps `audit`.
//! The policy is that of `fixtures/policies/cases`, or of the folder in `policy`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use access::{Catalog, Refusal};
use futures_util::StreamExt as _;
use gate::{Gate, HashKeys, SqlDecision, SqlSession};
use pg_proxy::upstream::UpstreamConfig;
use testkit::case::{self, Case};
use testkit::{Database, Postgres, postgres, workspace};
use tokio_postgres::Client;

use crate::callers;

/// What a case can produce.
const PRODUCED: &[&str] = &["runs", "refused", "audit"];

#[tokio::test]
async fn every_case_holds() {
    hold(|case, server| case.is_for(server)).await;
}

/// Those for newer servers than Debian's: CI asks for them where it has one.
#[tokio::test]
async fn every_case_of_newer_servers_holds() {
    hold(|case, server| case.section("since").is_some() && case.is_for(server)).await;
}

async fn hold(chosen: impl Fn(&Case, u32) -> bool) {
    let store = Postgres::shared().database_with("crm");
    store.run(&workspace::fixture_text("views/store.sql"));
    let catalog = Arc::new(pg_proxy::catalog::load(&upstream(&store), "crm").await.unwrap());
    let mut sent = Vec::new();
    let chosen = |case: &Case| chosen(case, catalog.server_version);
    case::check_those(&workspace::fixture("sql"), PRODUCED, chosen, |case| {
        let (produced, texts) = decide(case, &catalog);
        sent.push((case.path.clone(), texts));
        produced
    });

    let mut failures = String::new();
    for (path, texts) in &sent {
        if let Err(error) = run(&store, texts).await {
            failures += &format!("{}: {error}\n  {texts:?}\n", path.display());
        }
    }
    assert!(failures.is_empty(), "what is sent does not run:\n{failures}");
    eprintln!("{} statements were sent", sent.iter().flat_map(|(_, texts)| texts).count());
}

/// At least a third of all cases say no.
#[test]
fn enough_cases_refuse() {
    let cases = Case::read_all(&workspace::fixture("sql"));
    let refusals = cases.iter().filter(|case| case.section("refused").is_some()).count();
    eprintln!("{} cases, {refusals} of them refusals", cases.len());
    assert!(cases.len() >= 150 && refusals * 3 >= cases.len(), "{} cases, {refusals} refusals", cases.len());
}

/// The produced half of a case, and the texts that would be sent.
fn decide(case: &Case, catalog: &Arc<Catalog>) -> (Vec<(&'static str, String)>, Vec<String>) {
    let log = audit::Log::memory();
    let policy = policy(&workspace::root().join(case.section("policy").unwrap_or("fixtures/policies/cases")));
    let (gate, _) = Gate::new(policy, vec![Arc::clone(catalog)], log, sql::Limits::default());
    let gate = gate.with_hash_keys(Some(Arc::new(hash_keys())));
    let session = session(case);
    let parameters: Vec<u32> =
        case.section("parameters").map(|names| oids(catalog, names)).unwrap_or_default();
    match gate.decide_sql(&session, case.given("asked"), &parameters) {
        Ok(decision) => {
            let texts: Vec<String> =
                decision.statements.iter().map(|decided| decided.text.to_string()).collect();
            let mut produced = vec![("runs", by_name(texts.join(";\n"), catalog))];
            if case.section("audit").is_some() {
                produced.push(("audit", rules(&decision)));
            }
            (produced, texts)
        }
        Err(refusal) => (vec![("refused", told(&refusal))], Vec::new()),
    }
}

/// A table's number is another in every run.
fn by_name(text: String, catalog: &Catalog) -> String {
    catalog.relations.values().fold(text, |text, relation| {
        text.replace(&format!("'{}'::bigint", relation.oid), &format!("'(oid of {})'::bigint", relation.name))
    })
}

/// No case shows anything of it.
fn hash_keys() -> HashKeys {
    let secret = b"0123456789abcdef0123456789abcdef".to_vec();
    HashKeys::new([(1, secret.into())], 1).unwrap()
}

fn rules(decision: &SqlDecision) -> String {
    let mut rules: Vec<&str> =
        decision.statements.iter().flat_map(|decided| &decided.rules).map(|rule| &**rule).collect();
    rules.sort_unstable();
    rules.dedup();
    format!("rules: {}", rules.join(", "))
}

fn told(refusal: &Refusal) -> String {
    let mut text = format!("{:?}: {}", refusal.kind, refusal.message);
    if let Some(rule) = &refusal.rule {
        text += &format!("\nrule: {rule}");
    }
    if let Some(hint) = &refusal.hint {
        text += &format!("\nhint: {hint}");
    }
    text
}

fn session(case: &Case) -> SqlSession {
    let identities = callers::identities();
    let caller = case.caller();
    let identity =
        identities.get(caller).unwrap_or_else(|| panic!("{}: no caller {caller}", case.path.display()));
    let purpose = case.caller_detail("purpose").map(str::to_owned);
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let mut session = SqlSession::new(1, "crm".into(), Arc::clone(identity), purpose, ip);
    if let Some(path) = case.caller_detail("path") {
        session.search_path = path.split(',').map(|schema| schema.trim().into()).collect();
    }
    session
}

fn oids(catalog: &Catalog, names: &str) -> Vec<u32> {
    let names = names.split(',').map(str::trim);
    names
        .map(|name| catalog.type_named("pg_catalog", name).unwrap_or_else(|| panic!("no type {name}")).oid)
        .collect()
}

/// Runs what is sent as the gateway's own login does, with the path that the gateway pins. What has parameters is only
/// prepared.
async fn run(store: &Database<'_>, texts: &[String]) -> Result<(), String> {
    let config = store.url(postgres::GATEWAY).parse().unwrap();
    let client: Client = postgres::connect(&config).await;
    client.batch_execute("set search_path to pg_catalog, pg_temp").await.unwrap();
    for text in texts {
        let prepared = client.prepare(text).await.map_err(|error| said(&error))?;
        if text.starts_with("COPY ") {
            copied(&client, text).await.map_err(|error| said(&error))?;
        } else if text.starts_with("DECLARE ") && texts.len() == 1 {
            let in_transaction = format!("begin; {text}; rollback");
            client.batch_execute(&in_transaction).await.map_err(|error| said(&error))?;
        } else if prepared.params().is_empty() {
            client.batch_execute(text).await.map_err(|error| said(&error))?;
        }
    }
    Ok(())
}

/// All that a COPY writes.
pub(crate) async fn copied(client: &Client, text: &str) -> Result<Vec<u8>, tokio_postgres::Error> {
    let mut rows = std::pin::pin!(client.copy_out(text).await?);
    let mut all = Vec::new();
    while let Some(piece) = rows.as_mut().next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all)
}

fn said(error: &tokio_postgres::Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |said| format!("{}: {}", said.code().code(), said.message()))
}

/// The policy of a folder.
pub(crate) fn policy(folder: &Path) -> policy::Policy {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(&path).unwrap();
            sources.push(policy::Source { path: path.display().to_string(), text });
        }
    }
    policy::parse(&sources).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// How the gateway connects to a store of the tests.
pub(crate) fn upstream(store: &Database<'_>) -> UpstreamConfig {
    UpstreamConfig {
        host: "127.0.0.1".into(),
        port: store.server().port(),
        database: store.name.clone(),
        user: postgres::GATEWAY.into(),
        password: None,
        tls: None,
        extension_schemas: Vec::new(),
        settings: Vec::new(),
        connect_ms_max: 10_000,
    }
}
