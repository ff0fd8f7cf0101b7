//! Plans: a guarded query that needs no gate has the plan of the same query written by hand, and what needs one loses no
//! more than is known. `bench plans` measures the same queries over a million rows.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use access::{Catalog, Identity};
use gate::{Gate, SqlSession};
use testkit::plans::{plan, shapes, text};
use testkit::{Database, Postgres};

use crate::cases::upstream;

/// All of them are read for the statistics, which are then the same in every run.
const ROWS: u32 = 20_000;

/// Queries with a gate, a fence or a part that is evaluated ahead whose plan is another than by hand, and the indexes
/// that it does without.
const OTHER_PLANS: [(&str, &[&str]); 9] = [
    // One more node holds what is evaluated ahead.
    ("last_day", &[]),
    ("last_days", &[]),
    ("cast", &["customers_zip"]),
    ("cast_join", &["customers_pkey"]),
    ("regexp", &["customers_email"]),
    ("text_search", &["customers_about"]),
    ("average", &[]),
    // It stays an outer join.
    ("outer_where", &[]),
    ("distinct_fenced", &[]),
];

#[tokio::test]
async fn a_query_without_gates_has_the_plan_that_it_has_by_hand() {
    let server = Postgres::start();
    let store = server.database();
    let world = World::new(&store).await;
    let policy = text("policy.yaml", ROWS);
    let mut wrong = Vec::new();
    let open = shapes("open.sql");
    assert!(open.len() >= 20, "{} shapes", open.len());
    for shape in &open {
        let sent = world.decide(&policy, "alice", &shape.asked);
        let (hand, guarded) = world.plans(&shape.hand, &sent).await;
        if sent.contains("veilgate admit") || sent.contains("IS NULL) IS NOT NULL") {
            wrong.push(format!("{} has a gate: {sent}", shape.name));
        }
        if hand.nodes != guarded.nodes {
            wrong.push(format!("{}\n  by hand {}\n  guarded {}", shape.name, hand.nodes, guarded.nodes));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_query_with_parameters_has_the_plan_that_it_has_by_hand() {
    let server = Postgres::start();
    let store = server.database();
    let world = World::new(&store).await;
    let policy = text("policy.yaml", ROWS);
    let mut wrong = Vec::new();
    for shape in shapes("parameters.sql") {
        let (types, values) = shape.about.split_once(" = ").unwrap();
        let sent = world.decide(&policy, "alice", &shape.asked);
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let prepare = format!(
                "set plan_cache_mode = {mode}; prepare hand ({types}) as {}; prepare sent ({types}) as {sent}",
                shape.hand
            );
            world.client.batch_execute(&prepare).await.unwrap();
            let execute = |name: &str| format!("execute {name} ({values})");
            let (hand, guarded) = world.plans(&execute("hand"), &execute("sent")).await;
            world.client.batch_execute("deallocate all").await.unwrap();
            if hand.nodes != guarded.nodes {
                let (hand, guarded) = (hand.nodes, guarded.nodes);
                wrong.push(format!("{}, {mode}: {sent}\n  by hand {hand}\n  guarded {guarded}", shape.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_gate_costs_the_indexes_that_are_known() {
    let server = Postgres::start();
    let store = server.database();
    let world = World::new(&store).await;
    let policy = text("policy.yaml", ROWS);
    let mut other = Vec::new();
    for shape in shapes("gated.sql") {
        let sent = world.decide(&policy, "alice", &shape.asked);
        let (hand, guarded) = world.plans(&shape.hand, &sent).await;
        if hand.nodes != guarded.nodes {
            let lost = hand.indexes.into_iter().filter(|index| !guarded.indexes.contains(index));
            other.push((shape.name, lost.collect::<Vec<_>>()));
        }
    }
    let known: Vec<_> = OTHER_PLANS
        .iter()
        .map(|(name, lost)| ((*name).to_owned(), lost.iter().map(|index| (*index).to_owned()).collect()))
        .collect();
    assert_eq!(other, known);
}

#[tokio::test]
async fn a_lookup_is_a_condition_of_the_scan() {
    let server = Postgres::start();
    let store = server.database();
    let world = World::new(&store).await;
    for (expect, node) in [("10", "InitPlan"), ("50000", "SubPlan")] {
        let policy = text("lookups.yaml", ROWS).replace("{expect}", expect);
        for shape in shapes("lookups.sql") {
            for agent in ["small", "large"] {
                let sent = world.decide(&policy, agent, &shape.asked);
                let hand = shape.hand.replace("{agent}", agent);
                let (_, guarded) = world.plans(&hand, &sent).await;
                let nodes = guarded.nodes;
                assert!(nodes.contains(node) && !nodes.contains("Semi"), "{}: {nodes}", shape.name);
            }
        }
    }
}

struct World {
    client: tokio_postgres::Client,
    catalog: Arc<Catalog>,
}

impl World {
    async fn new(store: &Database<'_>) -> Self {
        let client = store.connect().await;
        client.batch_execute(&text("schema.sql", ROWS)).await.unwrap();
        client.batch_execute("vacuum analyze").await.unwrap();
        let catalog = Arc::new(pg_proxy::catalog::load(&upstream(store), "crm").await.unwrap());
        Self { client, catalog }
    }

    /// The plans of a query by hand and of one that is sent.
    async fn plans(&self, hand: &str, sent: &str) -> (testkit::plans::Plan, testkit::plans::Plan) {
        (plan(&self.client, hand).await.unwrap(), plan(&self.client, sent).await.unwrap())
    }

    fn decide(&self, policy: &str, caller: &str, asked: &str) -> String {
        let source = policy::Source { path: "plans.yaml".into(), text: policy.to_owned() };
        let policy = policy::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:?}"));
        let log = audit::Log::memory();
        let (gate, _) = Gate::new(policy, vec![Arc::clone(&self.catalog)], log, sql::Limits::default());
        let attributes = BTreeMap::from([("region".to_owned(), vec!["EU".to_owned()])]);
        let identity = Arc::new(Identity { id: caller.into(), attributes, purposes: Vec::new() });
        let session = SqlSession::new(1, "crm".into(), identity, None, IpAddr::V4(Ipv4Addr::LOCALHOST));
        let decision = gate.decide_sql(&session, asked, &[]).unwrap_or_else(|refusal| panic!("{refusal:?}"));
        decision.statements[0].text.to_string()
    }
}
