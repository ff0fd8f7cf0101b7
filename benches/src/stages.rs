//! What each stage of a decision costs, over every case that is sent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use access::{Caller, Catalog, Guards, Identity, Request};
use pg_proxy::upstream::UpstreamConfig;
use policy::{Bound, Source};
use sql::{Batch, Limits, Rewritten, Scope, Session};
use testkit::case::Case;
use testkit::postgres::GATEWAY;
use testkit::{Postgres, workspace};

use crate::median;

const STAGES: [&str; 6] = ["parse", "scope", "guards", "rewrite", "print", "verify"];
const ROUNDS: usize = 25;
const CALLS: u32 = 40;

pub(crate) fn run() -> String {
    let server = Postgres::start();
    let database = server.database_with("crm");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let upstream = UpstreamConfig {
        host: "127.0.0.1".into(),
        port: server.port(),
        database: database.name.clone(),
        user: GATEWAY.into(),
        password: None,
        tls: None,
        extension_schemas: Vec::new(),
        settings: Vec::new(),
        connect_ms_max: 10_000,
    };
    let catalog = Arc::new(runtime.block_on(pg_proxy::catalog::load(&upstream, "crm")).unwrap());
    let policy = policy::parse(&sources()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let (bound, _) = policy.bind(&[Arc::clone(&catalog)]);

    let mut rows: Vec<(String, [f64; 6], f64)> = Vec::new();
    for case in
        Case::read_all(&workspace::fixture("sql")).into_iter().filter(|case| case.section("since").is_none())
    {
        let Some(identity) = identity(case.caller()) else { continue };
        let single = case.section("runs").is_some()
            && case.section("policy").is_none()
            && case.section("parameters").is_none();
        let Some(caller) = policy.caller(&identity, case.caller_detail("purpose")).ok().filter(|_| single)
        else {
            continue;
        };
        let world = World { catalog: &catalog, bound: &bound, caller: &caller };
        if let Some(costs) = world.measure(case.given("asked")) {
            rows.push((
                case.path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                costs,
                costs.iter().sum(),
            ));
        }
    }
    table(rows)
}

fn table(mut rows: Vec<(String, [f64; 6], f64)>) -> String {
    rows.sort_by(|a, b| a.2.total_cmp(&b.2));
    let mut report = format!(
        "Microseconds a call: the median of {ROUNDS} rounds of {CALLS}, over {} statements.\n\n| stage | median | 90% | dearest |\n|---|---|---|---|\n",
        rows.len()
    );
    let column = |report: &mut String, name: &str, figures: Vec<f64>| {
        let mut figures = figures;
        figures.sort_by(f64::total_cmp);
        let at = |share: usize| figures.get((figures.len() * share / 100).min(figures.len() - 1)).unwrap();
        writeln!(report, "| {name} | {:.2} | {:.2} | {:.2} |", at(50), at(90), at(100)).unwrap();
    };
    for (at, stage) in STAGES.iter().enumerate() {
        column(&mut report, stage, rows.iter().filter_map(|row| row.1.get(at).copied()).collect());
    }
    column(&mut report, "all", rows.iter().map(|row| row.2).collect());
    report += "\nThe dearest statements, all stages:\n\n| case | us |\n|---|---|\n";
    for (case, _, all) in rows.iter().rev().take(5) {
        writeln!(report, "| {case} | {all:.2} |").unwrap();
    }
    report
}

struct World<'a> {
    catalog: &'a Arc<Catalog>,
    bound: &'a Bound,
    caller: &'a Caller,
}

impl World<'_> {
    /// Each stage's cost for a text of one statement that reads; nothing for another.
    fn measure(&self, text: &str) -> Option<[f64; 6]> {
        let path: Vec<Arc<str>> = vec!["$user".into(), "public".into()];
        let session = Session { search_path: &path, caller: &self.caller.id, parameters: &[] };
        let request = Request { time_us: 1_780_000_000_000_000, ip: IpAddr::V4(Ipv4Addr::LOCALHOST) };
        let limits = Limits::default();

        let parse = || -> Batch { sql::parse(text, &limits).unwrap() };
        let batch = sql::parse(text, &limits).ok().filter(|batch| batch.len() == 1)?;
        let statement = batch.get(0)?;
        let scope = || -> Option<Scope<'_>> { sql::scope(&statement, self.catalog, session).ok() };
        let scoped = scope()?;
        let touches = scoped.touches(|relation| self.bound.entry("crm", relation));
        let guards = || -> Option<Guards> { self.bound.guards("crm", self.caller, &request, &touches).ok() };
        let guarded = guards()?;
        let rewrite = || -> Option<Rewritten> { sql::rewrite(&scoped, &guarded).ok() };
        let rewritten = rewrite()?;
        let print = || sql::print(&rewritten).ok();
        let printed = print()?;
        let verify = || sql::verify(&printed, &guarded, self.catalog).unwrap();
        Some([cost(parse), cost(scope), cost(guards), cost(rewrite), cost(print), cost(verify)])
    }
}

/// Microseconds a call.
fn cost<R>(call: impl Fn() -> R) -> f64 {
    let mut rounds = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            std::hint::black_box(call());
        }
        rounds.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS));
    }
    median(&rounds)
}

/// The callers of `fixtures/callers.yaml`.
fn identity(name: &str) -> Option<Identity> {
    let (purposes, attributes): (&[&str], &[(&str, &[&str])]) = match name {
        "alice" => (&["support"], &[("roles", &["support"]), ("region", &["EU"])]),
        "bob" => (&["analytics"], &[("roles", &["analyst"])]),
        "agent" => (&["training", "inference"], &[("roles", &["agent"]), ("model", &["model-x"])]),
        _ => return None,
    };
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let attributes: BTreeMap<String, Vec<String>> =
        attributes.iter().map(|(name, values)| ((*name).to_owned(), texts(values))).collect();
    Some(Identity { id: name.into(), attributes, purposes: texts(purposes) })
}

fn sources() -> Vec<Source> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join("policies/demo")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        sources.push(Source { path: path.display().to_string(), text });
    }
    sources
}
