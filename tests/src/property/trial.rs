//! One world: a schema, a policy and a caller, and queries that are asked on both sides.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use access::{Caller, Catalog, Cell, Guards, Mask, Refusal, RefusalKind, Request};
use pg_proxy::upstream::{Password, UpstreamConfig};
use policy::{Bound, Source};
use testkit::Database;
use testkit::postgres::GATEWAY;

use super::dice::Dice;
use super::kind;
use super::model::{self, Shown, Sight};
use super::people::Person;
use super::query::{self, Query};
use super::rules::Rules;
use super::side::{Manner, Outcome, PLANS, Side, oid};
use super::world::{self, Column, Table};

const QUERIES: usize = 40;

/// The two databases.
pub(crate) struct Sides {
    owner: Side,
    store: Side,
    model: Side,
    upstream: UpstreamConfig,
    /// What takes the hidden rows out of the store.
    hide: Vec<String>,
}

impl Sides {
    pub(crate) async fn connect(store: &Database<'_>, model: &Database<'_>) -> Self {
        let upstream = UpstreamConfig {
            host: "127.0.0.1".to_owned(),
            port: store.server().port(),
            database: store.name.clone(),
            user: GATEWAY.to_owned(),
            password: Some(Password::new(GATEWAY)),
            tls: None,
            extension_schemas: Vec::new(),
            settings: Vec::new(),
            connect_ms_max: 10_000,
        };
        Self {
            owner: Side::connect(&store.config(), "public").await,
            store: Side::connect_url(&store.url(GATEWAY), "pg_catalog,pg_temp").await,
            model: Side::connect(&model.config(), "shop").await,
            upstream,
            hide: Vec::new(),
        }
    }
}

/// What came of all queries.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    queries: usize,
    answered: usize,
    rows: usize,
    failed_both: usize,
    by_plan: usize,
    spared: usize,
    timed_out: usize,
    refused: BTreeMap<String, usize>,
    pub(crate) failures: Vec<String>,
}

impl Tally {
    /// Whether few queries answer where the model fails: a mask that is a constant folds away what is computed of it.
    pub(crate) fn spares_few(&self) -> bool {
        self.spared <= 3 + self.queries / 100
    }

    /// Whether there are enough queries for their shares to say something.
    pub(crate) fn is_large(&self) -> bool {
        self.queries > 1000
    }

    /// How many of a hundred queries that the model answers are refused.
    pub(crate) fn refused_share(&self) -> usize {
        let refused: usize = self.refused.values().sum();
        refused * 100 / (refused + self.answered).max(1)
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queries, answered, rows, failed_both, by_plan, spared, timed_out, refused, failures } =
            self;
        writeln!(
            f,
            "{queries} queries: {answered} answered with {rows} rows, {failed_both} failed on both sides, {by_plan} by the \
             plan alone, {spared} spared an error, {timed_out} timed out, {} of a hundred refused, {} wrong",
            self.refused_share(),
            failures.len()
        )?;
        let mut kinds: Vec<_> = refused.iter().collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        kinds.iter().try_for_each(|(kind, count)| writeln!(f, "  {count:5} {kind}"))
    }
}

/// A schema with rows, a policy, and a caller.
struct World {
    seed: u64,
    tables: Vec<Table>,
    rules: Rules,
    person: Person,
}

/// What decides about the queries of a world.
struct Gateway {
    catalog: Arc<Catalog>,
    bound: Bound,
    caller: Caller,
    strength: Strength,
}

/// How much of a gateway it is: a test without some of it has to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strength {
    Whole,
    WithoutFilters,
    WithoutMasks,
}

/// Makes a world and asks its queries.
pub(crate) async fn world(sides: &mut Sides, seed: u64, strength: Strength, tally: &mut Tally) {
    let mut dice = Dice::new(seed);
    let world = World::random(&mut dice, seed);
    sides.owner.make(&world.statements()).await;
    let catalog = Arc::new(pg_proxy::catalog::load(&sides.upstream, "crm").await.unwrap());
    let gateway = world.gateway(catalog, strength);
    let sights: Vec<Sight> = (0..world.tables.len())
        .map(|at| model::sight(&world.rules, &world.tables, at, &world.person))
        .collect();
    if let Some(wrong) = world.wrongly_decided(&gateway, &sights) {
        return tally.failures.push(world.told(&wrong));
    }
    let mut shown: Vec<Shown> = sights.into_iter().flat_map(Sight::relations).collect();
    sides.hide = shown.iter().map(hide).collect();
    let mut seen = fresh_schemas();
    seen.extend(shown.iter().flat_map(Shown::statements));
    let views: Vec<Shown> = shown.iter().filter_map(Shown::seen).collect();
    seen.extend(
        shown.iter().filter(|relation| relation.seen().is_some()).map(|relation| view(&relation.path())),
    );
    shown.extend(views);
    sides.model.make(&seen).await;

    let whole = |relation: &Shown| Query::plain(format!("SELECT * FROM {}", relation.path()));
    let mut queries: Vec<Query> = shown.iter().map(whole).collect();
    let hidden = world.hidden(&shown);
    queries.extend((0..QUERIES).map(|_| query::random(&mut dice, &shown, &hidden)));
    for query in &queries {
        let manner = Manner { settings: dice.word(&PLANS), prepared: dice.chance(30) };
        if let Some(wrong) = ask(sides, &gateway, query, manner, tally).await {
            return tally.failures.push(world.told(&wrong));
        }
    }
}

impl World {
    fn random(dice: &mut Dice, seed: u64) -> Self {
        let tables = world::tables(dice);
        let rules = Rules::random(dice, &tables);
        Self { seed, tables, rules, person: Person::random(dice) }
    }

    fn statements(&self) -> Vec<String> {
        let mut statements = fresh_schemas();
        statements.extend(self.tables.iter().flat_map(Table::statements));
        statements.extend(self.tables.iter().map(|table| view(&table.path())));
        statements
    }

    fn gateway(&self, catalog: Arc<Catalog>, strength: Strength) -> Gateway {
        let text = self.rules.text(&self.tables);
        let source = Source { path: "policy.yaml".to_owned(), text: text.clone() };
        let policy = policy::parse(&[source]).unwrap_or_else(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("a policy does not load:\n{text}\n{}", errors.join("\n"))
        });
        let caller = policy.caller(&self.person.identity(), None).unwrap();
        let (bound, _) = policy.bind(std::slice::from_ref(&catalog));
        Gateway { catalog, bound, caller, strength }
    }

    /// A table that the gateway shows or refuses otherwise than the model.
    fn wrongly_decided(&self, gateway: &Gateway, sights: &[Sight]) -> Option<String> {
        self.tables.iter().zip(sights).find_map(|(table, sight)| {
            let asked = format!("SELECT * FROM {}", table.path());
            let refused = gateway.mediate(&asked, &[]).err().map(|refusal| refusal.kind);
            let expected = match sight {
                Sight::Shown(_) => None,
                Sight::Denied => Some(RefusalKind::Denied),
                Sight::Closed => Some(RefusalKind::UnknownRelation),
            };
            let wrong = || format!("--- asked\n{asked}\n--- wrong\n{refused:?}, not {expected:?}");
            (refused != expected).then(wrong)
        })
    }

    /// Names of columns that the caller sees in no relation.
    fn hidden(&self, shown: &[Shown]) -> Vec<String> {
        let seen: Vec<String> =
            shown.iter().flat_map(|relation| relation.columns.iter().map(Column::quoted)).collect();
        let all = self.tables.iter().flat_map(|table| table.columns.iter().map(Column::quoted));
        all.filter(|name| !seen.contains(name)).collect()
    }

    /// All that is needed to see it again.
    fn told(&self, wrong: &str) -> String {
        let Self { seed, tables, rules, person } = self;
        let policy = rules.text(tables);
        let store = self.statements().join(";\n");
        format!(
            "{wrong}\n--- again\nVEILGATE_SEED={seed}\n--- policy\n{policy}--- caller\n{person:?}\n--- store\n{store};"
        )
    }
}

/// A view of all of a table, over another one.
fn view(table: &str) -> String {
    format!(
        "create view {table}_view as select * from {table}; create view {table}_seen as select * from {table}_view"
    )
}

fn fresh_schemas() -> Vec<String> {
    vec![
        "drop schema if exists shop, side cascade".to_owned(),
        "create schema shop; create schema side".to_owned(),
        kind::TYPES.to_owned(),
    ]
}

impl Gateway {
    /// What would be sent.
    fn mediate(&self, asked: &str, parameters: &[u32]) -> Result<String, Refusal> {
        sql::on_stack(asked.len(), || {
            let path: Vec<Arc<str>> = vec!["shop".into()];
            let session = sql::Session { search_path: &path, caller: "alice", parameters };
            let batch = sql::parse(asked, &sql::Limits::default())?;
            let statement = batch.get(0).unwrap();
            let scope = sql::scope(&statement, &self.catalog, session)?;
            let guards = self.guards(&scope)?;
            let rewritten = sql::rewrite(&scope, &guards)?;
            let printed = sql::print(&rewritten)?;
            sql::verify(&printed, &guards, &self.catalog)?;
            Ok(printed.text().to_owned())
        })
    }

    fn guards(&self, scope: &sql::Scope<'_>) -> Result<Guards, Refusal> {
        let request = Request { time_us: 0, ip: std::net::IpAddr::from([127, 0, 0, 1]) };
        let touches = scope.touches(|relation| self.bound.entry("crm", relation));
        let mut guards = self.bound.guards("crm", &self.caller, &request, &touches)?;
        for guard in &mut guards.relations {
            match self.strength {
                Strength::Whole => {}
                Strength::WithoutFilters => guard.rows = None,
                Strength::WithoutMasks => {
                    guard.columns.iter_mut().for_each(|column| column.cell = Cell::always(Mask::Clear));
                }
            }
        }
        Ok(guards)
    }
}

/// Asks one query on both sides; what is wrong, if anything is.
async fn ask(
    sides: &mut Sides,
    gateway: &Gateway,
    query: &Query,
    manner: Manner,
    tally: &mut Tally,
) -> Option<String> {
    tally.queries += 1;
    let parameters: Vec<u32> = query.parameters.iter().map(|(ty, _)| oid(*ty)).collect();
    let sent = gateway.mediate(&query.text, &parameters);
    let wanted = sides.model.run(&query.text, query, manner).await;
    let sent = match sent {
        Ok(sent) => sent,
        Err(refusal) => return refused(query, &refusal, &wanted, tally),
    };
    let given = sides.store.run(&sent, query, manner).await;
    if wanted.timed_out() || given.timed_out() {
        tally.timed_out += 1;
        return None;
    }
    let Some(wrong) = given.differs(&wanted, query.ordered) else {
        match &given {
            Outcome::Rows { rows, .. } => {
                tally.answered += 1;
                tally.rows += rows.len();
            }
            Outcome::Failed { .. } => tally.failed_both += 1,
        }
        return None;
    };
    let may_be_plan = given.failed() || wanted.failed();
    if may_be_plan
        && (by_plan(sides, query, &sent, manner).await || without_hidden(sides, query, &sent, &given).await)
    {
        tally.by_plan += 1;
        return None;
    }
    if wanted.failed_on_a_value() && !given.failed() {
        tally.spared += 1;
        return None;
    }
    let Query { text, parameters, ordered: _ } = query;
    Some(format!("--- asked ({manner:?})\n{text}\n{parameters:?}\n--- sent\n{sent}\n--- wrong\n{wrong}"))
}

/// A no: right where the model fails too, else one of those that are counted.
fn refused(query: &Query, refusal: &Refusal, wanted: &Outcome, tally: &mut Tally) -> Option<String> {
    if wanted.failed() {
        tally.failed_both += 1;
        return None;
    }
    let counted = matches!(
        refusal.kind,
        RefusalKind::AtRisk | RefusalKind::Unsupported | RefusalKind::UnlistedCall | RefusalKind::TooComplex
    );
    if !counted {
        let kind = refusal.kind;
        return Some(format!("--- asked\n{}\n--- wrong\n{kind:?}: {refusal}, the model answers", query.text));
    }
    // The message up to what it is about.
    let message = refusal.message.split(" here could").next().unwrap_or_default();
    *tally.refused.entry(format!("{:?}: {message}", refusal.kind)).or_default() += 1;
    None
}

/// Whether the plan alone decides if the query fails: two sides may then differ, as two runs on one side may.
async fn by_plan(sides: &mut Sides, query: &Query, sent: &str, manner: Manner) -> bool {
    let (mut given, mut wanted) = (Vec::new(), Vec::new());
    for settings in PLANS {
        let manner = Manner { settings, ..manner };
        given.push(sides.store.run(sent, query, manner).await);
        wanted.push(sides.model.run(&query.text, query, manner).await);
    }
    given.iter().any(|given| wanted.iter().any(|wanted| given.differs(wanted, query.ordered).is_none()))
}

/// Whether what is sent fails the same when no hidden row is there: then another plan than the model's met a value that
/// the caller may see.
async fn without_hidden(sides: &mut Sides, query: &Query, sent: &str, given: &Outcome) -> bool {
    let mut same = false;
    for settings in PLANS {
        let mut begin = vec!["begin".to_owned()];
        begin.extend(sides.hide.iter().cloned());
        sides.owner.make(&begin).await;
        let left = sides.owner.run_again(sent, query, settings).await;
        sides.owner.make(&["rollback".to_owned()]).await;
        same |= given.failed() && left.failed() && given.differs(&left, false).is_none();
    }
    same
}

/// A statement that takes the hidden rows out of a relation.
fn hide(relation: &Shown) -> String {
    let path = relation.path();
    if relation.is_partition() {
        return "select".to_owned();
    }
    format!("delete from {path} where id <> all ('{{{}}}')", relation.stored.join(","))
}
