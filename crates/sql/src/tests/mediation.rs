//! Statements through all stages, against a small catalogue and guards by hand.

use std::collections::HashMap;
use std::sync::Arc;

use access::{
    Added, Branch, Catalog, Cell, Collation, Column, Comparison, Field, FieldType, Guard, GuardedColumn,
    Guards, Mask, Operand, Predicate, Refusal, Relation, RelationKind, RelationName, SqlType, TypeKind,
    Value,
};

use crate::{Limits, Session, parse, print, rewrite, scope, verify};

fn column(name: &str, oid: u32, typmod: i32) -> Column {
    let collation = if matches!(oid, 25 | 1042 | 1043) { 100 } else { 0 };
    Column { name: name.into(), type_oid: oid, base_oid: oid, typmod, not_null: false, collation }
}

fn relation(schema: &str, name: &str, columns: Vec<Column>) -> Arc<Relation> {
    Arc::new(Relation {
        name: RelationName::new(schema, name),
        oid: 20000,
        row_type: 20001,
        kind: RelationKind::Table,
        columns,
        primary_key: vec!["id".into()],
        parents: Vec::new(),
        is_partition: false,
        has_rules: false,
        row_security: false,
        definition: None,
        security_barrier: false,
    })
}

fn catalog() -> Catalog {
    let customers = vec![
        column("id", 23, -1),
        column("region", 25, -1),
        column("email", 25, -1),
        column("ssn", 1042, 15),
        column("salary", 1700, 655_366),
        column("note", 114, -1),
        column("at", 1184, -1),
        Column { type_oid: 20100, ..column("code", 1043, 12) },
    ];
    let orders = vec![
        column("id", 23, -1),
        column("customer_id", 23, -1),
        column("amount", 1700, 655_366),
        column("n", 23, -1),
    ];
    let mut relations = HashMap::new();
    for relation in [
        relation("public", "customers", customers.clone()),
        relation("public", "orders", orders),
        relation("other", "customers", customers),
    ] {
        relations.insert(relation.name.clone(), relation);
    }
    let types = [
        (16, "bool"),
        (23, "int4"),
        (25, "text"),
        (114, "json"),
        (1042, "bpchar"),
        (1043, "varchar"),
        (1184, "timestamptz"),
        (1700, "numeric"),
    ];
    let types = types.into_iter().map(|(oid, name)| {
        (oid, SqlType { oid, schema: "pg_catalog".into(), name: name.into(), kind: TypeKind::Base })
    });
    let collations = [(100, "default"), (950, "C")].into_iter().map(|(oid, name)| {
        (oid, Collation { schema: "pg_catalog".into(), name: name.into(), deterministic: true })
    });
    Catalog {
        store: "crm".into(),
        server_version: 150_018,
        database: "crm".into(),
        schemas: vec!["public".into(), "other".into()],
        relations,
        types: types.collect(),
        collations: collations.collect(),
        ..Catalog::default()
    }
}

fn text(name: &str) -> Field {
    Field { name: name.into(), ty: FieldType::Text }
}

fn in_region(region: &str) -> Predicate {
    Predicate::Compare(
        Comparison::Equal,
        Operand::Field(text("region")),
        Operand::Value(Value::Text(region.into())),
    )
}

fn guards() -> Guards {
    let cell = |name: &str, cell| GuardedColumn { name: name.into(), cell };
    let customers = |schema: &str| Guard {
        relation: RelationName::new(schema, "customers"),
        rows: Some(in_region("EU")),
        columns: vec![
            cell("id", Cell::always(Mask::Clear)),
            cell("region", Cell::always(Mask::Clear)),
            cell("email", Cell::always(Mask::Email { domain_only: false })),
            cell("ssn", Cell::always(Mask::Partial { first: 0, last: 4, fill: '*' })),
            cell(
                "salary",
                Cell {
                    branches: vec![Branch { when: in_region("US"), mask: Mask::Clear }],
                    otherwise: Mask::Nullify,
                },
            ),
            cell("note", Cell::always(Mask::Clear)),
            cell("at", Cell::always(Mask::Clear)),
            cell("code", Cell::always(Mask::Clear)),
        ],
    };
    let orders = Guard {
        relation: RelationName::new("public", "orders"),
        rows: None,
        columns: ["id", "customer_id", "amount", "n"]
            .map(|name| cell(name, Cell::always(Mask::Clear)))
            .into(),
    };
    Guards { relations: vec![customers("other"), customers("public"), orders], ..Guards::default() }
}

pub(crate) fn mediate(sql: &str) -> Result<String, Refusal> {
    mediate_over(&catalog(), sql)
}

fn mediate_over(catalog: &Catalog, sql: &str) -> Result<String, Refusal> {
    let path: Vec<Arc<str>> = vec!["$user".into(), "public".into()];
    let session = Session { search_path: &path, caller: "alice", parameters: &[] };
    let batch = parse(sql, &Limits::default())?;
    let statement = batch.get(0).expect("one statement");
    let scope = scope(&statement, catalog, session)?;
    let rewritten = rewrite(&scope, &guards())?;
    let printed = print(&rewritten)?;
    verify(&printed, &guards(), catalog)?;
    Ok(printed.text().to_owned())
}

fn refused(sql: &str) -> String {
    match mediate(sql) {
        Ok(text) => panic!("{sql} is sent as {text}"),
        Err(refusal) => format!("{:?}: {refusal}", refusal.kind),
    }
}

#[test]
fn a_relation_becomes_its_guard() {
    let sent = mediate("select id, n from orders o where amount > 5").unwrap();
    assert_eq!(sent, "SELECT id, n FROM (SELECT id, amount, n FROM public.orders) o WHERE amount > 5");
}

#[test]
fn unsafe_parts_over_a_filtered_relation_are_gated_where_they_stand() {
    for (asked, part) in [
        ("select id from customers where 1/salary > 2", "WHERE CASE WHEN {0} THEN 1 / salary END > 2"),
        (
            "select id from customers where coalesce(1/salary, 2) = 3",
            "COALESCE(CASE WHEN {0} THEN 1 / salary END, 2)",
        ),
        (
            "select id from customers where id = 1 or 1/salary > 2",
            "id = 1 OR CASE WHEN {0} THEN 1 / salary END > 2",
        ),
        (
            "select d.x from (select 1/salary x from customers) d",
            "(SELECT CASE WHEN {0} THEN 1 / salary END AS x FROM (SELECT",
        ),
        (
            "select d.salary from (select c.salary from customers c) d where 1/d.salary > 1",
            r#"CASE WHEN "veilgate admit 1" IS NOT FALSE THEN 1 / d.salary END > 1"#,
        ),
        (
            "select 1 from orders o join customers c on c.id = o.id and 1/c.salary > 1",
            "c.id = o.id AND CASE WHEN {0} THEN 1 / c.salary END > 1",
        ),
        (
            "select id from customers c, lateral generate_series(1, (1/c.salary)::int) g",
            "generate_series(1, CASE WHEN {0} THEN (1 / c.salary)::int END)",
        ),
        (
            "select salary from customers group by salary having 1/salary > 2",
            "HAVING CASE WHEN pg_catalog.count(*) >= ('0'::int) THEN 1 / salary END > 2",
        ),
        (
            "select id from customers where at > now() - $1::interval",
            "AND ((pg_catalog.now() - ($1::interval)) IS NULL) IS NOT NULL",
        ),
    ] {
        let sent = mediate(asked).unwrap_or_else(|refusal| panic!("{asked}: {refusal}"));
        let part = part.replace("{0}", r#""veilgate admit 0" IS NOT FALSE"#);
        assert!(sent.contains(&part), "{asked}\n{sent}\nhas no\n{part}");
    }
}

/// A CASE has a name of its own.
#[test]
fn a_gated_column_keeps_its_name() {
    for (asked, name) in [
        ("select * from (select array(select 1 / c.salary) from customers c) d", "\"array\""),
        ("select * from (select 1 / salary from customers) d", "\"?column?\""),
        ("select * from (select abs(1 / salary)::int from customers) d", "abs"),
    ] {
        let sent = mediate(asked).unwrap_or_else(|refusal| panic!("{asked}: {refusal}"));
        assert!(sent.contains(&format!(" AS {name} FROM (SELECT")), "{asked}\n{sent}");
    }
}

#[test]
fn what_is_evaluated_ahead_reads_back_the_same() {
    for asked in [
        "select id from customers where at > now() - interval '100 years' and salary < 500",
        "select id from customers where salary = 10 and id > (select 1 / n from orders)",
        "select id from customers where at > now() - 2 * interval '15 days'",
        "select id from customers where region = any(string_to_array($1, ','))",
    ] {
        let sent = mediate(asked).unwrap_or_else(|refusal| panic!("{asked}: {refusal}"));
        assert!(sent.contains(" IS NULL) IS NOT NULL"), "{asked}\n{sent}");
    }
}

#[test]
fn what_no_gate_reaches_is_fenced_or_refused() {
    for asked in [
        "select 1 from (select distinct salary from customers) d where 1/d.salary > 1",
        "select 1 from (select salary from customers union select amount from orders) d where 1/d.salary > 1",
        "with d as (select distinct salary from customers) select 1 from d where 1/d.salary > 1",
        "select 1 from orders where 1/n in (select id from customers)",
    ] {
        let sent = mediate(asked).unwrap_or_else(|refusal| panic!("{asked}: {refusal}"));
        assert!(sent.contains("OFFSET 0"), "{asked}\n{sent}");
        assert!(!sent.contains("veilgate admit"), "{asked}\n{sent}");
    }
    let said = refused("select 1 from (select '1'::text as id) u join customers c using (id)");
    assert_eq!(said, "AtRisk: operator = here could run on rows that are hidden from you");
    let reserved = r#"select 1 as "veilgate admit 0" from customers where 1/salary > 1"#;
    assert!(refused(reserved).starts_with("Unsupported: names like"));
}

#[test]
fn what_runs_after_the_filter_passes() {
    for sql in [
        "select 1/salary from customers order by 1/salary",
        "select sum(1/salary) from customers having sum(salary)/count(*) > 2",
        "select d.x from (select sum(salary)/count(*) x from customers) d where d.x > 1",
        "select n from orders where 1/n > 2",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 5) select * from t",
        "select c.id from customers c, orders o where o.customer_id = c.id and 1/o.n > 2",
    ] {
        mediate(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    }
}

#[test]
fn the_key_brings_its_columns_into_group_by() {
    let sent = mediate("select c.id, c.region, count(*) from customers c group by c.id").unwrap();
    assert!(sent.ends_with("GROUP BY c.id, c.region"), "{sent}");
    let said = refused("select c.id, c.note from customers c group by c.id");
    assert!(said.starts_with("Unsupported: column \"note\" of a type without equality"), "{said}");
    mediate("select c.id, (array_agg(c.region))[1] from customers c group by c.id").unwrap();
}

#[test]
fn whole_rows_pass() {
    for sql in [
        "select (c).* from customers c",
        "select row(o.*), count(o.*) from orders o group by o.id",
        "select to_jsonb(c), c from customers c",
        "select public.customers.* from public.customers",
        "select c is null, (c).email from customers c",
    ] {
        mediate(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    }
}

/// What is read twice at each level would take for ever at fifty.
#[test]
fn nesting_costs_no_more_than_its_length() {
    let arms = |depth: usize| {
        let mut sql = "select 1 as x".to_owned();
        for _ in 0..depth {
            sql = format!("(with recursive r(x) as ({sql} union all select x from r) select x from r)");
        }
        sql
    };
    mediate(&arms(50)).unwrap();
    let mut lists = "true".to_owned();
    for _ in 0..50 {
        lists = format!("({lists} in (true, false, null))");
    }
    mediate(&format!("select {lists}")).unwrap();
    let mut rows = "select 1 as a, 2 as b".to_owned();
    for _ in 0..50 {
        rows = format!("select a, b from ({rows}) t where (a, b) in ((1, 2), (3, 4))");
    }
    mediate(&rows).unwrap();
}

#[test]
fn a_domain_is_shown_as_its_base_type() {
    let sent = mediate("select code from customers").unwrap();
    assert!(sent.contains("code::varchar(8) AS code"), "{sent}");
}

#[test]
fn an_overload_that_is_not_listed_does_not_close_its_name() {
    mediate("select age(at) from customers").unwrap();
    mediate("select age(now(), at) from customers").unwrap();
    assert!(refused("select age('1'::xid)").starts_with("UnlistedCall"));
    assert!(refused("select age((c).email) from (select '1' as email) c").starts_with("UnlistedCall"));
}

#[test]
fn a_whole_row_keeps_the_names_of_its_relation() {
    mediate("select to_jsonb(o) from orders o").unwrap();
    mediate("select to_jsonb(d) from (select id from orders) d (x)").unwrap();
    let said = "Unsupported: a whole row of a relation with other names for its columns is not mediated by this version";
    assert_eq!(refused("select to_jsonb(o) from orders o (x)"), said);
    assert_eq!(refused("select count(o.*) from orders o (x)"), said);
}

/// Leaving out what is not used changes nothing: not places, not rows, not joins by common names.
#[test]
fn columns_that_are_not_used_are_not_sent() {
    let orders = |sql: &str| {
        let sent = mediate(sql).unwrap();
        let (before, _) = sent.split_once("FROM public.orders").unwrap();
        let (_, list) = before.rsplit_once("(SELECT").unwrap();
        list.trim().to_owned()
    };
    let all = "id, customer_id, amount, n";
    assert_eq!(orders("select count(*) from orders"), "");
    assert_eq!(orders("select * from orders"), all);
    assert_eq!(orders("select count(o) from orders o"), all);
    assert_eq!(orders("select x from orders o(w, x)"), all);
    assert_eq!(orders("select b from (orders o join customers c on true) as j(a, b)"), all);
    assert_eq!(orders("select o.n from customers c natural join orders o"), "id, n");
    assert_eq!(orders("select 1 from customers c join orders o using (id)"), "id");
    assert_eq!(
        orders("select 1 from customers c where exists (select 1 from orders where customer_id = c.id)"),
        "customer_id"
    );
    assert_eq!(orders("select d.n from (select * from orders) d"), all);
    assert_eq!(orders("select n from orders order by amount"), "amount, n");
    assert_eq!(orders("select row(o.*) from orders o"), all);
}

/// Every part of it that can fail is gated, evaluated ahead, or refused.
fn at_risk(sql: &str) {
    match mediate(sql) {
        Ok(sent) => {
            let seen_to =
                [" IS NOT FALSE THEN ", " IS NULL) IS NOT NULL"].iter().any(|gate| sent.contains(gate));
            assert!(seen_to, "{sql}\nis sent as {sent}");
        }
        Err(refusal) => assert_eq!(refusal.kind, access::RefusalKind::AtRisk, "{sql}: {refusal}"),
    }
}

/// Each of these told whether a hidden row has a value.
#[test]
fn lazy_parts_beside_a_filtered_relation_are_at_risk() {
    for lazy in [
        "exists (select 1 limit -1)",
        "exists (select 1 offset -1)",
        "exists (select 1 limit (-1))",
        "(select unnest(array[1,2])) is null",
        "(select n from orders order by n fetch first 1 row with ties) is null",
        "(select unnest(array[count(*), 2]) from orders) = 5",
        "1e30::money is null",
        "array(select 'x' from orders) is null",
        "case when region = 'x' then array[email, email] end is null",
        "(case when salary = 7 then 1e30 else id end)::int8 is null",
        "(case when salary = 7 then 'x' else '1' end)::int is null",
        "(select 'x' where salary = 7)::int is null",
        "-(case when region = 'x' then -9223372036854775808 else 1 end) is null",
        "coalesce(case when salary = 7 then date '5874897-01-01' end, timestamp '2026-01-01') is null",
        "'2026-01-01'::timestamp in ((case when salary = 7 then date '5874897-01-01' end), '2026-01-02'::timestamp)",
        "(nullif('x', region))::int is null",
    ] {
        at_risk(&format!("select id from customers where region <> 'a' or {lazy}"));
    }
    at_risk(
        "with z as (select 1 from orders where 1/(id-id) > 0) select id from customers where id = 2 or exists (select 1 from z)",
    );
    at_risk(
        "with z as materialized (select 1/(id-id) x from orders) select id from customers where id = 2 or exists (select 1 from z)",
    );
    at_risk(
        "select 1 from (select n as salary from orders) u join (select id, salary::numeric from customers) t using (salary) where 1/salary is null",
    );
    at_risk(
        "select 1 from (select 1/n as v, id from orders) z join customers t on t.id = z.id and (region <> 'a' or exists (select 1 where z.v > 0))",
    );
    at_risk("select c.id from customers c, generate_series(1, c.id) g where g > 1");
    at_risk("select id from customers where id = 2 or id in (select x from generate_series(1, 3, 0) f(x))");
    at_risk("select $1::float8, id from customers where (case when salary = 7 then 1e400 else 1.0 end) = $1");
}

#[test]
fn what_people_ask_every_day_passes() {
    for sql in [
        "select id from customers where at >= now()",
        "select id from customers where id in (1, 2, 3) and region in ('EU', 'US')",
        "select id from customers where salary in (1, 2.5) or id = any(array[1, 2])",
        "select id from customers where coalesce(region, '') <> 'x' and case when id > 1 then 'a' else 'b' end = 'a'",
        "select id from customers where exists (select 1 from orders limit 1) and id = (select max(id) from orders)",
        "select * from customers c join orders o using (id) where salary > 1",
        "select id from customers where email like 'a%' limit 10 offset 20",
        "with z as (select id from orders where n > 1) select id from customers where id in (select id from z)",
        "select id from customers where email = $1 and id = $2",
        "select c.id from customers c join generate_series(1, 3) f(x) on c.id = f.x",
        "select id from customers where id in (select x from generate_series(1, 3) f(x))",
    ] {
        mediate(sql).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    }
}

#[test]
fn what_grows_without_end_is_refused_at_once() {
    let mut wide = "select 1 as a".to_owned();
    for _ in 0..40 {
        wide = format!("select *, * from ({wide}) x");
    }
    assert!(refused(&wide).starts_with("TooComplex"));
    for text in ["/*".repeat(100_000), format!("select 1 {}1", "+-".repeat(100_000)), "/**/".repeat(100_000)]
    {
        assert!(refused(&text).starts_with("TooComplex"));
    }
    mediate(&format!("select /* {} */ 1 -- {}", "=".repeat(200), "-".repeat(2000))).unwrap();
}

#[test]
fn numbers_are_sent_in_decimal() {
    let sent =
        mediate("SELECT 0xFFFFFFFFFF, 1_000_000_000_000, 1_0.5_0, 0b11 FROM orders WHERE n < 0x1_0000_0000");
    let sent = sent.unwrap();
    for number in ["1099511627775,", "1000000000000,", "10.50,", " 3 ", "4294967296"] {
        assert!(sent.contains(number), "{number} in {sent}");
    }
    assert!(mediate("EXPLAIN SELECT 0xFFFFFFFFFF FROM orders").unwrap().contains("1099511627775"));
    // It is a bigint from the start: compared with one it is safe.
    assert!(mediate("SELECT id FROM customers WHERE id = 0xFFFFFFFFFF").is_ok());
}

#[test]
fn what_the_server_lacks_is_refused() {
    for (version, asked, passes) in [
        (150_018, "SELECT id FROM (SELECT id FROM orders)", false),
        (160_003, "SELECT id FROM (SELECT id FROM orders)", true),
        (150_018, "SELECT any_value(id) FROM orders", false),
        (160_003, "SELECT any_value(id) FROM orders", true),
        (170_000, "SELECT uuidv7() FROM orders", false),
        (180_000, "SELECT uuidv7() FROM orders", true),
        (130_000, "SELECT id FROM orders", false),
        (190_000, "SELECT id FROM orders", false),
        (0, "SELECT id FROM orders", false),
    ] {
        let catalog = Catalog { server_version: version, ..catalog() };
        assert_eq!(mediate_over(&catalog, asked).is_ok(), passes, "{version}: {asked}");
    }
}

#[test]
fn what_was_added_to_the_store_is_not_taken_for_what_is_listed() {
    let refused = |added: &Added, asked: &str| {
        let catalog = Catalog { added: added.clone(), ..catalog() };
        mediate_over(&catalog, asked).map_err(|refusal| refusal.message)
    };
    let functions = Added { functions: ["lower".into()].into(), ..Added::default() };
    assert!(
        refused(&functions, "SELECT lower(note) FROM customers").unwrap_err().contains("function `lower`")
    );
    assert!(refused(&functions, "SELECT upper(note) FROM customers").is_ok());

    let operators = Added { operators: ["=".into()].into(), ..Added::default() };
    for asked in [
        "SELECT id FROM orders WHERE id = 1",
        "SELECT id FROM orders WHERE id IN (1, 2)",
        "SELECT NULLIF(id, 1) FROM orders",
        "SELECT CASE id WHEN 1 THEN 2 END FROM orders",
        "SELECT 1 FROM orders JOIN customers USING (id)",
        "SELECT id IS DISTINCT FROM 1 FROM orders",
        "SELECT id = ANY (ARRAY[1]) FROM orders",
        "SELECT (id, n) = (1, 2) FROM orders",
        "SELECT id IN (SELECT id FROM orders) FROM orders",
    ] {
        assert!(refused(&operators, asked).unwrap_err().contains("operator `=`"), "{asked}");
    }
    assert!(refused(&operators, "SELECT id FROM orders WHERE id < 1").is_ok());

    // An operator of an extension may be called, and is not safe.
    let extension = Added { extension_operators: ["=".into()].into(), ..Added::default() };
    assert!(refused(&extension, "SELECT id FROM orders WHERE id = 1").is_ok());
    assert!(refused(&extension, "SELECT id FROM customers WHERE id = 1").unwrap().contains("IS NOT FALSE"));
    assert!(
        !refused(&Added::default(), "SELECT id FROM customers WHERE id = 1")
            .unwrap()
            .contains("IS NOT FALSE")
    );

    let casts = Added { casts: [((23, 25), false)].into(), ..Added::default() };
    assert!(
        refused(&casts, "SELECT id::text FROM orders").unwrap_err().contains("cast from `int4` to `text`")
    );
    assert!(refused(&casts, "SELECT id::bigint, note::text FROM customers").is_ok());
    let implicit = Added { casts: [((23, 25), true)].into(), ..Added::default() };
    assert!(
        refused(&implicit, "SELECT id = 1 FROM orders")
            .unwrap_err()
            .contains("implicit cast from type `int4`")
    );
    assert!(refused(&implicit, "SELECT id, lower('A') FROM orders").is_ok());

    let untrusted = Added { untrusted: Some("the role r may create".into()), ..Added::default() };
    let refusal = refused(&untrusted, "SELECT id FROM orders").unwrap_err();
    assert!(refusal.contains("is not served") && !refusal.contains("role"), "{refusal}");
}
