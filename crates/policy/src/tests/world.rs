//! The catalogue that the cases are bound to: the relations of the demonstration, and one with a column of each type.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Catalog, Column, Relation, RelationKind, RelationName, SqlType, TypeKind};

use crate::Source;

const TYPES: [(u32, &str); 15] = [
    (16, "bool"),
    (20, "int8"),
    (21, "int2"),
    (23, "int4"),
    (25, "text"),
    (701, "float8"),
    (1042, "bpchar"),
    (1043, "varchar"),
    (1082, "date"),
    (1114, "timestamp"),
    (1184, "timestamptz"),
    (1700, "numeric"),
    (2950, "uuid"),
    (3802, "jsonb"),
    (700, "float4"),
];

const RELATIONS: [(&str, &str); 6] = [
    (
        "public.customers",
        "id int4 not null, name text, region text, email text, ssn bpchar(11), salary numeric(10,2), \
         consent_training bool, notes text, internal_label text, created_at timestamptz, \
         attrs jsonb, tags text[]",
    ),
    (
        "public.orders",
        "id int4 not null, customer_id int4, amount numeric(10,2), status text, ordered_at timestamptz",
    ),
    ("public.employees", "id int4 not null, name text, title text, manager_id int4, salary numeric(10,2)"),
    ("public.events", "id int8 not null, customer_id int4, kind text, at timestamptz, payload jsonb"),
    (
        "public.types",
        "b bool, i2 int2, i8 int8, t text, v varchar(4), c bpchar(4), n numeric(10,2), f4 float4, f8 float8, d date, \
         ts timestamp, tz timestamptz, u uuid, j jsonb, tags text[], numbers int4[], required text not null",
    ),
    ("public.customers_eu", "id int4 not null"),
];

pub(super) fn catalog() -> Arc<Catalog> {
    let base = TYPES.map(|(oid, name)| ty(oid, name.to_owned(), TypeKind::Base));
    let arrays =
        TYPES.map(|(oid, name)| ty(oid + 10_000, format!("_{name}"), TypeKind::Array { element: oid }));
    let mut relations: HashMap<RelationName, Arc<Relation>> = HashMap::new();
    for (at, (name, columns)) in RELATIONS.iter().enumerate() {
        let (schema, name) = name.split_once('.').unwrap();
        let name = RelationName::new(schema, name);
        let parents = if &*name.name == "customers_eu" {
            vec![RelationName::new("public", "customers")]
        } else {
            Vec::new()
        };
        let relation = Relation {
            name: name.clone(),
            oid: 16_384 + u32::try_from(at).unwrap(),
            row_type: 0,
            kind: RelationKind::Table,
            columns: split(columns).into_iter().map(column).collect(),
            primary_key: vec!["id".into()],
            is_partition: false,
            parents,
            has_rules: false,
            row_security: false,
            definition: None,
            security_barrier: false,
        };
        relations.insert(name, Arc::new(relation));
    }
    Arc::new(Catalog {
        store: "crm".into(),
        schemas: vec!["public".into()],
        relations,
        types: base.into_iter().chain(arrays).map(|ty| (ty.oid, ty)).collect(),
        ..Catalog::default()
    })
}

fn ty(oid: u32, name: String, kind: TypeKind) -> SqlType {
    SqlType { oid, schema: "pg_catalog".into(), name: name.into(), kind }
}

/// At commas, but not at those inside a modifier.
fn split(columns: &str) -> Vec<&str> {
    columns.split(", ").collect()
}

fn column(text: &str) -> Column {
    let (text, not_null) = text.strip_suffix(" not null").map_or((text, false), |text| (text, true));
    let (name, ty) = text.split_once(' ').unwrap();
    let (ty, modifier) =
        ty.split_once('(').map_or((ty, ""), |(ty, modifier)| (ty, modifier.trim_end_matches(')')));
    let numbers: Vec<i32> = modifier.split(',').filter_map(|number| number.parse().ok()).collect();
    let typmod = match numbers.as_slice() {
        [length] => length + 4,
        [precision, scale] => (precision << 16 | scale) + 4,
        _ => -1,
    };
    let oid = |name: &str| TYPES.iter().find(|(_, other)| *other == name).map(|(oid, _)| *oid).unwrap();
    let type_oid = ty.strip_suffix("[]").map_or_else(|| oid(ty), |element| oid(element) + 10_000);
    Column { name: name.trim().into(), type_oid, base_oid: type_oid, typmod, not_null, collation: 100 }
}

#[test]
fn the_demonstration_binds_without_a_word() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/demo");
    let mut sources: Vec<Source> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| Source {
            path: path.file_name().unwrap().to_string_lossy().into_owned(),
            text: std::fs::read_to_string(path).unwrap(),
        })
        .collect();
    sources.reverse();
    let policy =
        crate::parse(&sources).map_err(|errors| errors.iter().map(ToString::to_string).collect::<String>());
    let policy = policy.unwrap_or_else(|errors| panic!("{errors}"));
    let (_, told) = policy.bind(&[catalog()]);
    assert!(told.is_empty(), "{}", told.iter().map(ToString::to_string).collect::<String>());
    assert_eq!(policy.stores(), ["crm"]);
    assert!(policy.tests().len() >= 8);
    assert_eq!(policy.revision().len(), 16);
    sources.reverse();
    assert_eq!(
        crate::parse(&sources).unwrap().revision(),
        policy.revision(),
        "the order of files does not matter"
    );
}
