//! The barrier: an expression that fails or tells on a hidden row is put into every place of every query shape; what is
//! sent must answer as the query does over the visible rows alone.
//!
//! The store has a schema of all rows and one of the visible rows. No visible row makes an expression fail, every hidden
//! row does. Each shape is sent under filters of several forms, six settings of the planner, custom and generic plans.
//! Without its gates (taken out of the text by hand) the same must be found out.

mod shapes;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use access::{Catalog, Identity};
use gate::{Gate, SqlSession};
use testkit::Postgres;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::cases::upstream;
use shapes::{Shape, shapes};

/// The settings of the planner that are tried: each is one paragraph of SET.
const PLANNERS: [&str; 6] = [
    "",
    "set enable_hashjoin = off; set enable_mergejoin = off",
    "set enable_nestloop = off",
    "set enable_seqscan = off",
    "set plan_cache_mode = force_generic_plan",
    "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; set force_parallel_mode = on",
];

/// The filters of `cust`, as a policy says them.
const FILTERS: [(&str, &str); 2] = [
    ("column", "region = 'EU'"),
    // So dear that the planner runs other conditions first.
    (
        "dear",
        "region = 'EU' or id = -1 or id = -2 or id = -3 or id = -4 or id = -5 or id = -6 or id = -7 or id = -8 or \
         id = -9 or id = -10 or id = -11 or id = -12 or id = -13 or id = -14 or id = -15 or id = -16 or id = -17",
    ),
];

const SETUP: &str = "
    create table cust (id int primary key, region text, email text, salary int, txt text, doc jsonb, ts timestamptz);
    insert into cust select i, case when i % 4 = 0 then 'EU' else 'US' end, 'u' || i || '@x.org', i * 10,
        case when i % 4 = 0 then i::text else 'bad' || i end,
        case when i % 4 = 0 then jsonb_build_object('n', i) else '{\"n\": \"bad\"}' end,
        timestamptz '2026-01-01' + i * interval '1 hour'
      from generate_series(1, 400) i;
    create index on cust (region); create index on cust (email); create index on cust (lower(email));
    create table ord (id int primary key, cid int, n int);
    insert into ord select i, i % 400 + 1, i % 50 from generate_series(1, 1200) i;
    create index on ord (cid);
    create table zero (n int); insert into zero values (0);
    create table nothing (n int);
    create schema vis;
    create table vis.cust as select * from cust where region = 'EU'; alter table vis.cust add primary key (id);
    create table vis.ord as select * from ord; alter table vis.ord add primary key (id);
    create table vis.zero as select * from zero; create table vis.nothing as select * from nothing;
    analyze";

/// A policy that shows everything of every relation, of `cust` the rows that `filter` admits.
fn policy(filter: &str) -> policy::Policy {
    let text = format!(
        "veilgate: 1
data:
  pg://crm/public.cust: {{id: key, region: open, email: open, salary: open, txt: open, doc: open, ts: open}}
  pg://crm/public.ord: {{id: key, cid: open, n: open}}
  pg://crm/public.zero: {{n: open}}
  pg://crm/public.nothing: {{n: open}}
rules:
  - {{allow: cust, to: \"anyone\", data: pg://crm/public.cust, do: read, rows: \"{filter}\"}}
  - {{allow: others, to: \"anyone\", data: [pg://crm/public.ord, pg://crm/public.zero, pg://crm/public.nothing], do: read}}
"
    );
    let source = policy::Source { path: "barrier.yaml".into(), text };
    policy::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:?}"))
}

#[tokio::test]
async fn a_failing_expression_anywhere_answers_as_over_the_visible_rows() {
    let server = Postgres::start();
    let store = server.database();
    let client = store.connect().await;
    client.batch_execute(SETUP).await.unwrap();
    // The same without the hidden rows.
    let other = server.database();
    let twin = other.connect().await;
    twin.batch_execute(SETUP).await.unwrap();
    twin.batch_execute("delete from cust where region <> 'EU'; analyze").await.unwrap();
    let catalog = Arc::new(pg_proxy::catalog::load(&upstream(&store), "crm").await.unwrap());
    let mut found = Found::default();
    let only = std::env::var("VEILGATE_BARRIER").ok();
    for (name, filter) in FILTERS {
        let sent: Vec<_> = shapes()
            .into_iter()
            .filter(|shape| only.as_ref().is_none_or(|only| shape.name.contains(only.as_str())))
            .map(|shape| (decide(&catalog, filter, &shape.asked), shape))
            .collect();
        for planner in PLANNERS {
            for client in [&client, &twin] {
                client.batch_execute("reset all").await.unwrap();
                client.batch_execute(planner).await.unwrap();
            }
            for (sent, shape) in &sent {
                found.compare([&client, &twin], name, planner, shape, sent).await;
            }
        }
    }
    eprintln!("{found}");
    assert!(found.wrong.is_empty(), "{}", found.wrong.join("\n\n"));
    if only.is_none() {
        // Every place of every shape is asked, most are answered, and many tell when their gates are left out.
        assert!(
            found.refused_shapes.len() * 20 <= found.shapes,
            "refused:\n{}",
            found.refused_shapes.join("\n")
        );
        assert!(found.told >= 100, "only {} tell without gates", found.told);
    }
}

#[derive(Default)]
struct Found {
    shapes: usize,
    runs: usize,
    told: usize,
    refused_shapes: Vec<String>,
    wrong: Vec<String>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { shapes, runs, told, refused_shapes, wrong } = self;
        let refused = refused_shapes.len();
        write!(
            f,
            "{shapes} shapes in {runs} runs, {} wrong; {refused} refused; {told} tell without gates",
            wrong.len()
        )?;
        refused_shapes.iter().try_for_each(|shape| write!(f, "\n  refused: {shape}"))
    }
}

impl Found {
    async fn compare(
        &mut self,
        [client, twin]: [&Client; 2],
        filter: &str,
        planner: &str,
        shape: &Shape,
        sent: &Result<String, String>,
    ) {
        if planner.is_empty() {
            self.shapes += 1;
        }
        let sent = match sent {
            Ok(sent) => sent,
            Err(refusal) if planner.is_empty() => {
                return self.refused_shapes.push(format!("{}: {refusal}\n    {}", shape.name, shape.asked));
            }
            Err(_) => return,
        };
        self.runs += 1;
        let want = if shape.ahead {
            twin.batch_execute("set search_path = pg_catalog").await.unwrap();
            answer(twin, sent, shape.given).await
        } else {
            client.batch_execute("set search_path = vis").await.unwrap();
            answer(client, &shape.asked, shape.given).await
        };
        client.batch_execute("set search_path = pg_catalog").await.unwrap();
        let got = answer(client, sent, shape.given).await;
        if got != want && self.wrong.len() < 40 {
            self.wrong.push(format!(
                "{} under {filter}, {planner:?}\nasked {}\nsent  {sent}\nwant {}\ngot  {}",
                shape.name,
                shape.asked,
                short(&want),
                short(&got)
            ));
        }
        if answer(client, &without_gates(sent), shape.given).await != want {
            self.told += 1;
        }
    }
}

/// What is sent with every gate open and no fence.
fn without_gates(sent: &str) -> String {
    let mut parts = sent.split("\"veilgate admit ");
    let mut open = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once('"').unwrap();
        let of_a_gate = |rest: &&str| rest.starts_with(" THEN") || rest.starts_with(" AND");
        match rest.strip_prefix(" IS NOT FALSE").filter(of_a_gate) {
            Some(rest) => open += &format!("true{rest}"),
            None => open += &format!("\"veilgate admit {number}\"{rest}"),
        }
    }
    open.replace(" OFFSET 0", "")
}

async fn answer(client: &Client, sql: &str, given: Option<&str>) -> Result<Vec<Vec<Option<String>>>, String> {
    let prepared = format!("prepare p as {sql}");
    client.batch_execute(&prepared).await.map_err(|error| state(&error))?;
    let rows = client
        .simple_query(&format!("execute p{}", given.map_or_else(String::new, |given| format!("({given})"))))
        .await
        .map_err(|error| state(&error));
    client.batch_execute("deallocate p").await.unwrap();
    let mut rows: Vec<Vec<Option<String>>> = rows?
        .iter()
        .filter_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        })
        .collect();
    rows.sort_unstable();
    Ok(rows)
}

fn state(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |error| {
            let code = error.code().code();
            // What the printer or the rewriter broke is no answer of the data.
            if matches!(code, "42601" | "42703" | "42803" | "42P01" | "42883") {
                format!("{code} {}", error.message())
            } else {
                code.to_owned()
            }
        },
    )
}

fn short<T: std::fmt::Debug>(value: &T) -> String {
    format!("{value:?}").chars().take(300).collect()
}

fn decide(catalog: &Arc<Catalog>, filter: &str, asked: &str) -> Result<String, String> {
    let log = audit::Log::memory();
    let (gate, _) = Gate::new(policy(filter), vec![Arc::clone(catalog)], log, sql::Limits::default());
    let identity =
        Arc::new(Identity { id: "alice".into(), attributes: BTreeMap::new(), purposes: Vec::new() });
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let session = SqlSession::new(1, "crm".into(), identity, None, ip);
    match gate.decide_sql(&session, asked, &[]) {
        Ok(decision) => Ok(decision.statements[0].text.to_string()),
        Err(refusal) => Err(format!("{:?}: {}", refusal.kind, refusal.message)),
    }
}
