//! The catalogue of a real Postgres, and the fingerprint that shows its changes.

use std::collections::HashSet;
use std::sync::Arc;

use access::{Catalog, FieldType, RelationKind, RelationName, TypeKind};
use testkit::postgres::Postgres;

use super::upstream::config;
use crate::catalog::{fingerprint, load, read_only, unreadable};
use crate::upstream::{Password, UpstreamConfig, connect};

const SCHEMA: &str = r#"
create schema sales; create schema "Odd Name";
create collation sales.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create type mood as enum ('sad', 'happy');
create type pair as (a int, b text);
create type span as range (subtype = int4);
create domain code as varchar(10);
create domain strict_code as code check (value <> '');
create domain outer_code as strict_code;
create domain needed as int not null;
create table customers (
    id int primary key, email text collate sales.ci, code outer_code, moods mood[], price numeric(8, 2) not null, gone int);
alter table customers drop column gone;
create table sales.orders (region text, id bigint, note char(3), primary key (id, region)) partition by list (region);
create table sales.orders_eu partition of sales.orders for values in ('EU');
create table parent_a (a int); create table parent_b (b int); create table child (c needed) inherits (parent_b, parent_a);
create view shown as select id from customers;
create materialized view stored as select id from customers;
create table ruled (x int); create rule r as on insert to ruled do instead nothing;
create table guarded (x int); alter table guarded enable row level security;
create sequence counter;
create table "Odd Name"."Mixed ""Case""" ("ID" uuid, none point);
create temporary table passing (x int);
"#;

fn relation<'a>(catalog: &'a Catalog, schema: &str, name: &str) -> &'a access::Relation {
    catalog.relation(&RelationName::new(schema, name)).unwrap_or_else(|| panic!("{schema}.{name}"))
}

#[tokio::test]
async fn everything_is_loaded() {
    let server = Postgres::shared();
    let database = server.database();
    database.run(SCHEMA);
    let catalog = load(&config(server, &database.name), "crm").await.unwrap();
    assert_eq!((&*catalog.store, &*catalog.database), ("crm", database.name.as_str()));
    assert!(catalog.server_version >= 150_000);
    assert_eq!(
        catalog.schemas.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["Odd Name", "public", "sales"]
    );

    let customers = relation(&catalog, "public", "customers");
    assert_eq!(customers.kind, RelationKind::Table);
    let names: Vec<_> = customers.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["id", "email", "code", "moods", "price"]);
    assert_eq!(customers.primary_key, ["id".into()]);
    let column = |name| customers.column(name).unwrap();
    assert!(column("id").not_null && column("price").not_null && !column("email").not_null);
    assert!(!catalog.collations[&column("email").collation].deterministic);
    assert_eq!(&*catalog.collations[&column("email").collation].schema, "sales");
    let code = column("code");
    assert_eq!((&*catalog.types[&code.type_oid].name, code.base_oid, code.typmod), ("outer_code", 1043, 14));
    assert_eq!(catalog.field_type(code.type_oid), FieldType::Text);
    assert_eq!((column("price").base_oid, column("price").typmod), (1700, (8 << 16) + 2 + 4));
    assert_eq!(catalog.field_type(column("moods").type_oid), FieldType::Other("_mood".into()));

    let kind = |name| catalog.type_named("public", name).unwrap().kind.clone();
    assert!(matches!(kind("code"), TypeKind::Domain { constrained: false, .. }));
    assert!(matches!(kind("outer_code"), TypeKind::Domain { constrained: true, .. }));
    assert!(matches!(kind("needed"), TypeKind::Domain { constrained: true, base: 23 }));
    assert_eq!(kind("mood"), TypeKind::Enum);
    assert_eq!(kind("pair"), TypeKind::Composite);
    assert_eq!(kind("customers"), TypeKind::Composite);
    assert_eq!(kind("span"), TypeKind::Range);
    assert!(matches!(kind("_mood"), TypeKind::Array { .. }));
    let builtin = |name| catalog.type_named("pg_catalog", name).unwrap().kind.clone();
    assert_eq!(builtin("_int4"), TypeKind::Array { element: 23 });
    assert_eq!((builtin("int2vector"), builtin("record")), (TypeKind::Base, TypeKind::Pseudo));
    assert_eq!(customers.row_type, catalog.type_named("public", "customers").unwrap().oid);

    let orders = relation(&catalog, "sales", "orders");
    assert_eq!(
        (orders.kind, &orders.primary_key[..]),
        (RelationKind::Partitioned, &["id".into(), "region".into()][..])
    );
    let partition = relation(&catalog, "sales", "orders_eu");
    assert!(partition.is_partition && !orders.is_partition);
    assert_eq!(partition.parents, [RelationName::new("sales", "orders")]);
    let parents = [RelationName::new("public", "parent_b"), RelationName::new("public", "parent_a")];
    assert_eq!(relation(&catalog, "public", "child").parents, parents);
    assert!(!relation(&catalog, "public", "child").is_partition);

    for (name, kind) in [
        ("shown", RelationKind::View),
        ("stored", RelationKind::MaterializedView),
        ("counter", RelationKind::Sequence),
        ("pair", RelationKind::Composite),
    ] {
        assert_eq!(relation(&catalog, "public", name).kind, kind);
    }
    assert!(
        relation(&catalog, "public", "ruled").has_rules && !relation(&catalog, "public", "shown").has_rules
    );
    assert!(relation(&catalog, "public", "guarded").row_security && !customers.row_security);
    assert_eq!(&*relation(&catalog, "Odd Name", "Mixed \"Case\"").columns[0].name, "ID");
    assert!(
        !catalog.relations.keys().any(|name| &*name.name == "passing" || name.schema.starts_with("pg_t"))
    );
}

#[tokio::test]
async fn views_come_with_their_definitions() {
    let server = Postgres::shared();
    let database = server.database();
    database.run(
        "create table t (id int, at timestamptz, span interval);
         create view plain as select * from t where at > '2026-01-01 00:00+02' and span < '-1 mon 2 days';
         create view barrier with (security_barrier) as select id from plain;
         create view open with (security_barrier = false) as select relname from pg_class;
         create materialized view stored as select id from t",
    );
    for setting in ["search_path = public", "intervalstyle = sql_standard", "timezone = 'Asia/Tokyo'"] {
        database.run(&format!("alter database {} set {setting}", database.name));
    }
    let catalog = load(&config(server, &database.name), "crm").await.unwrap();
    let definition = |name| relation(&catalog, "public", name).definition.as_deref().unwrap_or_default();
    let words = |name| definition(name).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(
        words("plain"),
        "SELECT t.id, t.at, t.span FROM public.t WHERE ((t.at > '2025-12-31 22:00:00+00'::timestamp with time zone) \
         AND (t.span < 'P-1M2D'::interval))"
    );
    assert_eq!(words("barrier"), "SELECT plain.id FROM public.plain");
    assert_eq!(words("open"), "SELECT pg_class.relname FROM pg_class");
    assert_eq!(words("stored"), "SELECT t.id FROM public.t");
    assert_eq!(relation(&catalog, "public", "t").definition, None);
    let barriers =
        ["plain", "barrier", "open"].map(|name| relation(&catalog, "public", name).security_barrier);
    assert_eq!(barriers, [false, true, false]);
}

#[tokio::test]
async fn what_a_login_may_not_read_is_found() {
    let server = Postgres::shared();
    let database = server.database();
    let role = format!("poor_{}", database.name);
    database.run(&format!(
        "create table open (id int); create table closed (id int); create view over as select * from closed;
         create table part (id int, secret text); create schema inner_room; create table inner_room.t (id int);
         create role {role} login password 'poor'; grant select on open, over, inner_room.t to {role};
         grant select (id) on part to {role}"
    ));
    let config = UpstreamConfig {
        user: role.clone(),
        password: Some(Password::new("poor")),
        ..config(server, &database.name)
    };
    let found = unreadable(&config).await.unwrap();
    database.run(&format!("drop owned by {role}; drop role {role}"));
    assert_eq!(found, [RelationName::new("inner_room", "t"), RelationName::new("public", "closed")]);
}

#[tokio::test]
async fn what_was_added_is_seen() {
    let server = Postgres::shared();
    let database = server.database();
    database.run(SCHEMA);
    let config = config(server, &database.name);
    let with_extensions = UpstreamConfig { extension_schemas: vec!["trusted".into()], ..config.clone() };
    let names = |names: &HashSet<Arc<str>>| {
        let mut names: Vec<_> = names.iter().map(ToString::to_string).collect();
        names.sort();
        names
    };

    database.run(
        "create schema trusted; create schema other;
         create function other.lower(text) returns text language sql as 'select $1';
         create function other.same(int, numeric) returns bool language sql as 'select true';
         create operator other.= (function = other.same, leftarg = int, rightarg = numeric);
         create operator trusted.<-> (function = other.same, leftarg = int, rightarg = numeric);
         create function other.told(mood) returns text language sql as 'select 1';
         create cast (mood as text) with function other.told(mood) as implicit",
    );
    // What is not on the path of the gateway's statements does not count; casts have no schema.
    let added = load(&config, "crm").await.unwrap().added;
    assert!(added.functions.is_empty() && added.operators.is_empty() && added.extension_operators.is_empty());
    assert!(added.untrusted.is_none());
    assert_eq!(added.casts.values().filter(|implicit| **implicit).count(), 1);
    let added = load(&with_extensions, "crm").await.unwrap().added;
    assert_eq!(names(&added.extension_operators), ["<->"]);
    assert!(added.operators.is_empty() && added.untrusted.is_none());

    database.run(
        "create function pg_catalog.lower(int) returns text language sql as 'select 1';
         create operator pg_catalog.= (function = other.same, leftarg = int, rightarg = numeric);
         create cast (varchar as int) with inout",
    );
    let catalog = load(&config, "crm").await.unwrap();
    assert_eq!(names(&catalog.added.functions), ["lower"]);
    assert_eq!(names(&catalog.added.operators), ["="]);
    assert_eq!(catalog.added.casts.get(&(1043, 23)), Some(&false));
}

#[tokio::test]
async fn a_store_whose_operators_are_not_certain_is_not_trusted() {
    let server = Postgres::shared();
    let database = server.database();
    let config = config(server, &database.name);
    let with_public = UpstreamConfig { extension_schemas: vec!["public".into()], ..config.clone() };
    let untrusted = async |config| load(config, "crm").await.unwrap().added.untrusted;
    database.run("create role somebody; create role the_owner; create role a_member in role the_owner");
    for (config, change, reason) in [
        (&config, "grant create on schema public to public", None),
        (&with_public, "select", Some("may create in the schema public")),
        (&with_public, "revoke create on schema public from public", None),
        (&with_public, "alter schema public owner to the_owner", None),
        (
            &with_public,
            "grant create on schema public to somebody",
            Some("the role somebody may create in the schema public"),
        ),
        (
            &config,
            "grant create on schema pg_catalog to somebody",
            Some("the role somebody may create in the schema pg_catalog"),
        ),
        (&config, "revoke create on schema pg_catalog from somebody", None),
        (
            &config,
            "create function public.later(json, json) returns bool language sql immutable as 'select true'",
            None,
        ),
        (
            &config,
            "create function public.compare(json, json) returns int language sql immutable as 'select 0';
             create operator public.< (function = public.later, leftarg = json, rightarg = json);
             create operator public.<= (function = public.later, leftarg = json, rightarg = json);
             create operator public.= (function = public.later, leftarg = json, rightarg = json);
             create operator public.>= (function = public.later, leftarg = json, rightarg = json);
             create operator public.> (function = public.later, leftarg = json, rightarg = json);
             create operator class public.of_json default for type json using btree as
               operator 1 public.<, operator 2 public.<=, operator 3 public.=, operator 4 public.>=,
               operator 5 public.>, function 1 public.compare(json, json)",
            Some("the operator class of_json is the default for the type json"),
        ),
    ] {
        database.run(change);
        let found = untrusted(config).await;
        match reason {
            None => assert_eq!(found, None, "{change}"),
            Some(reason) => {
                assert!(found.as_ref().is_some_and(|found| found.contains(reason)), "{change}: {found:?}")
            }
        }
    }
    // Roles are the server's, which other tests share.
    database.run("drop owned by somebody; drop role somebody; drop owned by the_owner cascade; drop role a_member; drop role the_owner");
}

#[tokio::test]
async fn the_fingerprint_shows_every_change_and_no_other() {
    let server = Postgres::shared();
    let database = server.database();
    database.run(SCHEMA);
    let mut upstream = connect(&config(server, &database.name)).await.unwrap();
    let mut before = fingerprint(&mut upstream).await.unwrap();
    for quiet in [
        "insert into customers (id, price) select i, i from generate_series(1, 1000) i",
        "analyze customers",
        "vacuum customers",
        "create temporary table t (x int primary key default 1); drop table t",
    ] {
        database.run(quiet);
        assert_eq!(fingerprint(&mut upstream).await.unwrap(), before, "{quiet}");
    }
    for change in [
        "alter table customers add column x int",
        "alter table customers rename column x to y",
        "alter table customers alter column y type bigint",
        "alter table customers alter column price drop not null",
        "alter table customers drop column y",
        "create index on customers (email)",
        "alter table customers alter column email set default 'x'",
        "alter table customers add check (price > 0)",
        "alter table customers drop constraint customers_pkey",
        "create table t (x int)",
        "drop table t",
        "alter table sales.orders detach partition sales.orders_eu",
        "alter table guarded disable row level security",
        "drop rule r on ruled",
        "alter domain code add check (value <> 'x')",
        "create view seen as select 1 as one",
        "create or replace view seen as select 2 as one",
        "alter view seen set (security_barrier)",
        "create schema s",
        "alter table customers set schema s",
        "create function f() returns int language sql as 'select 1'",
        "create operator === (function = int4eq, leftarg = int, rightarg = int)",
        "create cast (varchar as int) with inout",
        "create or replace view shown as select id, email from s.customers",
    ] {
        database.run(change);
        let after = fingerprint(&mut upstream).await.unwrap();
        assert_ne!(after, before, "{change}");
        before = after;
    }
}

#[tokio::test]
async fn the_connection_of_a_test_writes_nothing() {
    let server = Postgres::shared();
    let database = server.database_with("crm");
    database.run("grant all on public.customers to gateway");
    let mut upstream = read_only(&config(server, &database.name)).await.unwrap();
    assert!(upstream.query("delete from public.customers").await.is_err());
    assert!(upstream.query("select id from public.customers").await.is_ok());
}
