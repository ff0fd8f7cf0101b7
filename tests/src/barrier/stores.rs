//! The stores of the barrier's test: all rows, and the visible ones; every kind of relation that has them; the filters.

/// Everything that a query can read as `cust`, by the name that is written in its place. Each has the same rows.
pub(crate) const SOURCES: [&str; 12] = [
    "cust",
    "seen",
    "seen_again",
    "seen_all",
    "seen_each",
    "seen_first",
    "part",
    "part_low",
    "parent",
    "barred",
    "named",
    "frozen",
];

/// The filters of `cust` and its kin, as a policy says them, and whether each is made so dear that the planner runs other
/// conditions first. Each admits the same rows.
pub(crate) const FILTERS: [(&str, &str, bool); 8] = [
    ("column", "region = 'EU'", false),
    ("column, dear", "region = 'EU'", true),
    ("few", "id in lookup.few", false),
    ("few, dear", "id in lookup.few", true),
    ("many", "id in lookup.many", false),
    ("many, dear", "id in lookup.many", true),
    ("caller, dear", "region = caller.region and id in lookup.many", true),
    ("negated", "not (id in lookup.others) and not (region = 'US' or region is null)", false),
];

/// A filter as it is written into a policy.
pub(crate) fn rows(filter: &str, dear: bool) -> String {
    let more: String = (1..=20).filter(|_| dear).map(|id| format!(" or id = -{id}")).collect();
    format!("({filter}){more}")
}

/// One paragraph a setting of the planner.
pub(crate) const PLANNERS: [&str; 6] = [
    "",
    "set enable_hashjoin = off; set enable_mergejoin = off",
    "set enable_nestloop = off",
    "set enable_seqscan = off",
    "set from_collapse_limit = 1; set join_collapse_limit = 1; set enable_hashagg = off",
    "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; \
     select set_config(name, 'on', false) from pg_settings where name in ('force_parallel_mode', 'debug_parallel_query')",
];

const TABLES: &str = "
    create table cust (id int primary key, region text, secret text default 'hidden', email text, salary int, txt text,
        doc jsonb, ts timestamptz);
    insert into cust select i, case when i % 4 = 0 then 'EU' else 'US' end, 'secret' || i, 'u' || i || '@x.org', i * 10,
        case when i % 4 = 0 then i::text else 'bad' || i end,
        case when i % 4 = 0 then jsonb_build_object('n', i) else '{\"n\": \"bad\"}' end,
        timestamptz '2026-01-01' + i * interval '1 hour'
      from generate_series(1, 400) i;
    create index on cust (region); create index on cust (email); create index on cust (lower(email));
    create table part (id int primary key, region text, secret text, email text, salary int, txt text, doc jsonb,
        ts timestamptz) partition by range (id);
    create table part_low partition of part for values from (1) to (201);
    create table part_high partition of part for values from (201) to (401);
    insert into part select * from cust; create index on part_low (salary);
    create table parent (like cust including all); create table kid (extra int) inherits (parent);
    insert into parent select * from cust where id % 8 < 4; insert into kid select * from cust where id % 8 >= 4;
    create table ord (id int primary key, cid int, n int);
    insert into ord select i, i % 400 + 1, i % 50 from generate_series(1, 1200) i;
    create index on ord (cid);
    create table halves (id int, region text, v int) partition by range (v);
    create table halves_low partition of halves for values from (minvalue) to (1);
    create table halves_high partition of halves for values from (1) to (maxvalue);
    insert into halves select (i % 100 + 1) * 4, 'EU', i from generate_series(1, 2000) i union all select 1, 'US', 0;
    create index on halves_high ((1 / v)); create index on halves_high ((1 / v > 0));
    create table zero (n int); insert into zero values (0);
    create table nothing (n int);
    create table mine (agent text, cust int);
    insert into mine select case when i % 4 = 0 then 'alice' else 'bob' end, i from generate_series(1, 400) i;";

/// What is kept of a relation in each store, then what is made of it.
const HIDE: &str = "
    delete from cust where region <> 'EU'; delete from part where region <> 'EU'; delete from parent where region <> 'EU';
    delete from halves where region <> 'EU';";

const VIEWS: &str = "
    create view seen as select * from cust;
    create view seen_again as select s.* from seen s where s.id > 0;
    create view seen_all as select * from cust where id <= 200 union all select * from part where id > 200;
    create view seen_each as select distinct on (id) * from cust order by id;
    create view seen_first as select c.* from cust c left join ord o on o.id = c.id;
    create view barred with (security_barrier) as select * from cust where secret is not null;
    create view named as select * from cust where secret is not null;
    create materialized view frozen as select * from cust;
    analyze";

/// The statements that make a store: with all rows, or with the visible ones alone.
pub(crate) fn setup(hidden_rows: bool) -> String {
    format!("{TABLES}{}{VIEWS}", if hidden_rows { "" } else { HIDE })
}

/// The schema `vis`: under each name a table of the visible rows and columns.
pub(crate) fn visible() -> String {
    let mut made = "create schema vis;".to_owned();
    for source in SOURCES {
        made += &format!(
            "create table vis.{source} as select id, region, email, salary, txt, doc, ts from {source} where region = 'EU'; \
             alter table vis.{source} add primary key (id);"
        );
    }
    for other in ["ord", "zero", "nothing", "halves where region = 'EU'"] {
        let name = other.split(' ').next().unwrap();
        made += &format!("create table vis.{name} as select * from {other};");
    }
    made + "alter table vis.ord add primary key (id); analyze"
}

/// A policy that shows everything but one column of every relation, and the rows that `filter` admits.
pub(crate) fn policy(filter: &str) -> policy::Policy {
    let fields =
        "{id: key, region: open, email: open, salary: open, txt: open, doc: open, ts: open, secret: secret}";
    let named =
        ["cust", "part", "parent", "barred", "named", "frozen"].map(|name| format!("pg://crm/public.{name}"));
    let data: String = named.iter().map(|path| format!("  {path}: {fields}\n")).collect();
    let text = format!(
        "veilgate: 1
caller:
  region: {{type: text}}
masks:
  secret: hide
data:
{data}  pg://crm/public.halves: {{id: key, region: open, v: open}}
  pg://crm/public.ord: {{id: key, cid: open, n: open}}
  pg://crm/public.zero: {{n: open}}
  pg://crm/public.nothing: {{n: open}}
lookups:
  few: {{from: pg://crm/public.mine, where: \"agent = caller.id\", take: cust}}
  many: {{from: pg://crm/public.mine, where: \"agent = caller.id\", take: cust, expect: 50000}}
  others: {{from: pg://crm/public.mine, where: \"agent = 'bob'\", take: cust, expect: 50000}}
rules:
  - {{allow: cust, to: \"anyone\", data: [{}, pg://crm/public.halves], do: [read, explain], rows: \"{filter}\"}}
  - allow: others
    to: \"anyone\"
    data: [pg://crm/public.ord, pg://crm/public.zero, pg://crm/public.nothing]
    do: [read, explain]
",
        named.join(", ")
    );
    let source = policy::Source { path: "barrier.yaml".into(), text };
    policy::parse(&[source]).unwrap_or_else(|errors| panic!("{errors:?}"))
}
