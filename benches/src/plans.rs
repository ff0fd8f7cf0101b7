//! The guarded query beside the same written by hand and beside native row security, over a million rows: what the server
//! takes to plan and run it, and which plan it takes. The three are sent to the server directly, in turns.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use access::{Catalog, Identity};
use gate::{Gate, SqlSession};
use pg_proxy::upstream::UpstreamConfig;
use policy::Source;
use testkit::plans::{Plan, Shape, plan, shapes, text};
use testkit::postgres::{GATEWAY, connect};
use testkit::{Database, Options, Postgres};
use tokio_postgres::{Client, Statement};

use crate::median;

/// Rows of the large tables; `BENCH_ROWS` sets another number. `BENCH_SHAPE` picks queries by a part of their name.
const ROWS: u32 = 1_000_000;
/// How long a query is measured in all of its ways, and how often.
const BUDGET: Duration = Duration::from_secs(2);
const TURNS: std::ops::RangeInclusive<usize> = 7..=101;
/// What a query without gates may take, of what it takes by hand: half of them, and each.
const HALF_MAX: f64 = 1.1;
const EACH_MAX: f64 = 1.5;

/// Runs all, and tells which targets are missed.
pub(crate) fn run() -> (String, Vec<String>) {
    tokio::runtime::Runtime::new().unwrap().block_on(compare_all())
}

async fn compare_all() -> (String, Vec<String>) {
    let rows = std::env::var("BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(ROWS);
    let server =
        Postgres::start_with(&Options::default().setting("shared_buffers", "1GB").setting("jit", "on"));
    let database = server.database();
    database.run(&text("schema.sql", rows));
    database.run("vacuum analyze");
    let catalog = Arc::new(pg_proxy::catalog::load(&upstream(&database), "crm").await.unwrap());
    database.run(&text("native.sql", rows));
    let owner = database.connect().await;
    let mut config = database.config();
    let reader = connect(config.user("reader")).await;
    reader.batch_execute("set search_path = native").await.unwrap();
    let servers = Servers { owner, reader };

    let policy = text("policy.yaml", rows);
    let mut report = format!(
        "{rows} rows, one connection, nothing else set than `shared_buffers`; medians in ms of text that is planned and run, and of a prepared \
         statement that is run.\n"
    );
    let mut missed = Vec::new();
    let open = servers.compare(&catalog, &policy, "alice", "open.sql").await;
    report += "\n## Without gates\n\n";
    table(&mut report, &open);
    targets(&mut report, &open, &mut missed);
    // The rest takes as long again: who stops it has this much.
    println!("{report}");
    report += "\n## With gates\n\n";
    table(&mut report, &servers.compare(&catalog, &policy, "alice", "gated.sql").await);
    report += "\n## Views that the policy names\n\n";
    table(&mut report, &servers.compare(&catalog, &policy, "alice", "views.sql").await);
    for (agent, values) in [("small", 10), ("large", rows / 20)] {
        for (form, expect) in [("listed", 10), ("hashed", 50_000)] {
            let policy = text("lookups.yaml", rows).replace("{expect}", &expect.to_string());
            writeln!(report, "\n## A lookup of {values} values, {form}\n").unwrap();
            table(&mut report, &servers.compare(&catalog, &policy, agent, "lookups.sql").await);
        }
    }
    (report, missed)
}

/// What was found out about one shape.
struct Found {
    shape: Shape,
    sent: Result<String, String>,
    /// By hand, guarded, by the server's own means.
    plans: [Option<Plan>; 3],
    /// The same in milliseconds, by turns: as text, prepared.
    ms: [[Vec<f64>; 2]; 3],
}

impl Found {
    fn of(&self, way: usize, mode: usize) -> &[f64] {
        self.ms.get(way).and_then(|modes| modes.get(mode)).map_or(&[], Vec::as_slice)
    }

    /// What a way takes of what it takes by hand: the median over the turns, so that what disturbs a turn disturbs both.
    fn ratio(&self, way: usize, mode: usize) -> Option<f64> {
        let ratios: Vec<f64> =
            self.of(way, mode).iter().zip(self.of(0, mode)).map(|(one, hand)| one / hand).collect();
        (!ratios.is_empty()).then(|| median(&ratios))
    }

    /// What stands in the guarded text beside guards.
    fn added(&self) -> String {
        let Ok(sent) = &self.sent else { return "refused".into() };
        let mut added = Vec::new();
        if sent.contains("IS NOT FALSE THEN") {
            added.push("gate");
        }
        if sent.contains("IS NULL) IS NOT NULL") {
            added.push("ahead");
        }
        if sent.matches("OFFSET 0").count() > 0 {
            added.push("fence");
        }
        if added.is_empty() { "-".into() } else { added.join(", ") }
    }

    fn same_plan(&self) -> bool {
        let [hand, guarded, _] = &self.plans;
        hand.as_ref().zip(guarded.as_ref()).is_some_and(|(hand, guarded)| hand.nodes == guarded.nodes)
    }

    /// How the plan differs from that by hand.
    fn difference(&self) -> String {
        let [Some(hand), Some(guarded), _] = &self.plans else { return String::new() };
        if hand.nodes == guarded.nodes {
            return "same".into();
        }
        let lost: Vec<&str> = hand
            .indexes
            .iter()
            .filter(|index| !guarded.indexes.contains(index))
            .map(String::as_str)
            .collect();
        if lost.is_empty() { "other".into() } else { format!("without {}", lost.join(", ")) }
    }
}

/// A connection of somebody who sees all, and one under row security.
struct Servers {
    owner: Client,
    reader: Client,
}

impl Servers {
    async fn compare(&self, catalog: &Arc<Catalog>, policy: &str, caller: &str, file: &str) -> Vec<Found> {
        // Row security speaks of the tables, as the policy does for those of these two files.
        let native = matches!(file, "open.sql" | "gated.sql");
        let mut all = Vec::new();
        let only = std::env::var("BENCH_SHAPE").ok();
        for mut shape in shapes(file) {
            if only.as_ref().is_some_and(|only| !shape.name.contains(only.as_str())) {
                continue;
            }
            shape.hand = shape.hand.replace("{agent}", caller);
            let sent = guarded(catalog, policy, caller, &shape.asked);
            let found = self.measure(shape, native, sent).await;
            println!(
                "{}: {} {:?} {:?}\n  {}",
                found.shape.name,
                found.difference(),
                found.ratio(1, 0),
                found.ratio(1, 1),
                found.sent.as_ref().map_or_else(String::clone, |sent| sent.chars().take(1500).collect())
            );
            if !found.same_plan() {
                for plan in found.plans.iter().flatten() {
                    println!("  {}", plan.nodes);
                }
            }
            all.push(found);
        }
        all
    }

    async fn measure(&self, shape: Shape, native: bool, sent: Result<String, String>) -> Found {
        let mut ways = [
            Way::new(&self.owner, Some(shape.hand.clone())).await,
            Way::new(&self.owner, sent.clone().ok()).await,
            Way::new(&self.reader, native.then(|| shape.asked.clone())).await,
        ];
        let mut turn = 0;
        while turn < *TURNS.start()
            || (turn < *TURNS.end() && ways.iter().map(|way| way.spent).sum::<Duration>() < BUDGET)
        {
            // Each begins a turn as often as the others.
            for step in 0..ways.len() {
                let at = (turn + step) % ways.len();
                if let Some(way) = ways.get_mut(at) {
                    way.turn().await;
                }
            }
            turn += 1;
        }
        let [hand, guarded, native] = ways;
        let plans = [hand.plan, guarded.plan, native.plan];
        Found { shape, sent, plans, ms: [hand.ms, guarded.ms, native.ms] }
    }
}

/// One way to ask for the same.
struct Way<'a> {
    client: &'a Client,
    query: Option<(String, Statement)>,
    plan: Option<Plan>,
    /// Milliseconds as text, and prepared.
    ms: [Vec<f64>; 2],
    spent: Duration,
}

impl<'a> Way<'a> {
    async fn new(client: &'a Client, query: Option<String>) -> Self {
        let mut way =
            Self { client, query: None, plan: None, ms: [Vec::new(), Vec::new()], spent: Duration::ZERO };
        if let Some(query) = query
            && let Ok(statement) = client.prepare(&query).await
        {
            way.plan = plan(client, &query).await.ok();
            way.query = Some((query, statement));
            // What is read is in memory from here on.
            way.turn().await;
            way.ms.iter_mut().for_each(Vec::clear);
            way.spent = Duration::ZERO;
        }
        way
    }

    async fn turn(&mut self) {
        let Some((query, statement)) = &self.query else { return };
        let began = Instant::now();
        self.client.simple_query(query).await.unwrap();
        let planned = began.elapsed();
        self.client.query(statement, &[]).await.unwrap();
        self.spent += began.elapsed();
        let [text, prepared] = &mut self.ms;
        text.push(planned.as_secs_f64() * 1e3);
        prepared.push((began.elapsed() - planned).as_secs_f64() * 1e3);
    }
}

fn table(report: &mut String, all: &[Found]) {
    *report += "| query | hand | veilgate | ratio | row security | ratio | prepared: hand | veilgate | ratio | row security | ratio | plan | added |\n\
                |---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
    for found in all {
        write!(report, "| {} ", found.shape.name).unwrap();
        for mode in 0..2 {
            for way in 0..3 {
                let Some(ratio) = found.ratio(way, mode) else {
                    *report += if way == 0 { "| - " } else { "| - | - " };
                    continue;
                };
                write!(report, "| {:.3} ", median(found.of(way, mode))).unwrap();
                if way > 0 {
                    write!(report, "| {ratio:.2} ").unwrap();
                }
            }
        }
        writeln!(report, "| {} | {} |", found.difference(), found.added()).unwrap();
    }
}

/// Holds the queries without gates to their targets.
fn targets(report: &mut String, all: &[Found], missed: &mut Vec<String>) {
    if all.is_empty() {
        return;
    }
    for (mode, name) in ["planned and run", "prepared"].into_iter().enumerate() {
        let of = |way| all.iter().filter_map(|found| found.ratio(way, mode)).collect::<Vec<f64>>();
        let (veilgate, native) = (of(1), of(2));
        let worst = |ratios: &[f64]| ratios.iter().copied().fold(0.0, f64::max);
        writeln!(
            report,
            "\n{name}, of what it takes by hand: veilgate median {:.2}, worst {:.2}; row security median {:.2}, worst {:.2}.",
            median(&veilgate),
            worst(&veilgate),
            median(&native),
            worst(&native)
        )
        .unwrap();
        if median(&veilgate) > HALF_MAX {
            missed.push(format!("{name}: the median is {:.2} times by hand", median(&veilgate)));
        }
        for found in all {
            match found.ratio(1, mode) {
                Some(ratio) if ratio <= EACH_MAX => {}
                Some(ratio) => missed.push(format!("{}, {name}: {ratio:.2} times by hand", found.shape.name)),
                None => missed.push(format!("{}: {:?}", found.shape.name, found.sent)),
            }
        }
    }
    for found in all.iter().filter(|found| !found.same_plan() || found.added() != "-") {
        missed.push(format!("{}: plan {}, added {}", found.shape.name, found.difference(), found.added()));
    }
}

/// What veilgate sends for a query.
fn guarded(catalog: &Arc<Catalog>, policy: &str, caller: &str, asked: &str) -> Result<String, String> {
    let source = Source { path: "plans.yaml".into(), text: policy.to_owned() };
    let policy = policy::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:?}"));
    let log = audit::Log::memory();
    let (gate, _) = Gate::new(policy, vec![Arc::clone(catalog)], log, sql::Limits::default());
    let attributes = BTreeMap::from([("region".to_owned(), vec!["EU".to_owned()])]);
    let identity = Arc::new(Identity { id: caller.into(), attributes, purposes: Vec::new() });
    let session = SqlSession::new(1, "crm".into(), identity, None, IpAddr::V4(Ipv4Addr::LOCALHOST));
    let decision = gate.decide_sql(&session, asked, &[]);
    let decision = decision.map_err(|refusal| format!("{:?}: {}", refusal.kind, refusal.message))?;
    decision
        .statements
        .first()
        .map(|decided| decided.text.to_string())
        .ok_or_else(|| "nothing is sent".into())
}

fn upstream(database: &Database<'_>) -> UpstreamConfig {
    UpstreamConfig {
        host: "127.0.0.1".into(),
        port: database.server().port(),
        database: database.name.clone(),
        user: GATEWAY.into(),
        password: None,
        tls: None,
        extension_schemas: Vec::new(),
        settings: Vec::new(),
        connect_ms_max: 10_000,
    }
}
