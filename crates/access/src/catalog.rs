//! What a store holds: relations, columns, types. Loaded by a proxy, read by everybody, never changed in place.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::{Added, FieldType, Objects};

/// One store's catalogue at one moment.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// The store's name in the configuration: the `crm` of `pg://crm/public.customers`.
    pub store: Arc<str>,
    /// The server's version as a number, `150018` for 15.18; 0 for a catalogue written by hand.
    pub server_version: u32,
    /// The database behind the store.
    pub database: Arc<str>,
    /// Names of all schemas but `pg_catalog`, `information_schema` and those of temporary and toast tables.
    pub schemas: Vec<Arc<str>>,
    /// Every relation of those schemas, and of `pg_catalog` and `information_schema`.
    pub relations: HashMap<RelationName, Arc<Relation>>,
    /// Every type that a column or a cast can name, those of `pg_catalog` included, by oid.
    pub types: HashMap<u32, SqlType>,
    /// Every collation, by oid.
    pub collations: HashMap<u32, Collation>,
    /// What was added next to what came with the server.
    pub added: Added,
    /// What hangs on the relations, for the catalogue that callers see.
    pub objects: Objects,
}

impl Catalog {
    /// The relation of this name.
    #[must_use]
    pub fn relation(&self, name: &RelationName) -> Option<&Arc<Relation>> {
        self.relations.get(name)
    }

    /// The type of this schema and name. Types are few enough to be searched.
    #[must_use]
    pub fn type_named(&self, schema: &str, name: &str) -> Option<&SqlType> {
        self.types.values().find(|ty| &*ty.schema == schema && &*ty.name == name)
    }

    /// What a policy may do with a column of this type; domains count as their base type.
    #[must_use]
    pub fn field_type(&self, oid: u32) -> FieldType {
        let Some(ty) = self.types.get(&oid) else { return FieldType::Other(format!("oid {oid}").into()) };
        match (&ty.kind, &*ty.schema, &*ty.name) {
            (TypeKind::Domain { base, .. }, _, _) => self.field_type(*base),
            (TypeKind::Array { element }, _, _) => {
                let element = self.field_type(*element);
                let unknown = matches!(element, FieldType::Other(_));
                if unknown { FieldType::Other(ty.name.clone()) } else { FieldType::Array(Box::new(element)) }
            }
            (_, "pg_catalog", "text" | "varchar" | "bpchar") => FieldType::Text,
            (_, "pg_catalog", "int2" | "int4" | "int8") => FieldType::Int,
            (_, "pg_catalog", "numeric") => FieldType::Numeric,
            (_, "pg_catalog", "float4" | "float8") => FieldType::Float,
            (_, "pg_catalog", "bool") => FieldType::Bool,
            (_, "pg_catalog", "date") => FieldType::Date,
            (_, "pg_catalog", "timestamp") => FieldType::Timestamp,
            (_, "pg_catalog", "timestamptz") => FieldType::TimestampTz,
            (_, "pg_catalog", "uuid") => FieldType::Uuid,
            _ => FieldType::Other(ty.name.clone()),
        }
    }
}

/// Whether a schema holds the server's own catalogue.
#[must_use]
pub fn is_catalogue(schema: &str) -> bool {
    matches!(schema, "pg_catalog" | "information_schema")
}

/// A schema-qualified name, in the server's own case.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelationName {
    /// The schema.
    pub schema: Arc<str>,
    /// The name inside the schema.
    pub name: Arc<str>,
}

impl RelationName {
    /// A name from its two parts.
    pub fn new(schema: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }
}

impl fmt::Display for RelationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quote(&self.schema), quote(&self.name))
    }
}

/// An identifier as Postgres writes it: bare where that reads the same, quoted otherwise. For people to read; SQL that
/// is sent is printed from a tree.
#[must_use]
pub fn quote(name: &str) -> String {
    let starts = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What kind of relation stands behind a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// An ordinary table.
    Table,
    /// The root or an inner node of a partitioned table.
    Partitioned,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A foreign table.
    ForeignTable,
    /// A sequence.
    Sequence,
    /// A composite type made by CREATE TYPE.
    Composite,
    /// Anything else that `pg_class` holds.
    Other,
}

/// One relation.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Schema and name.
    pub name: RelationName,
    /// `pg_class.oid`.
    pub oid: u32,
    /// The oid of its row type.
    pub row_type: u32,
    /// What it is.
    pub kind: RelationKind,
    /// Its columns in the table's order, dropped ones left out.
    pub columns: Vec<Column>,
    /// The columns of its primary key, in the key's order; empty where there is none.
    pub primary_key: Vec<Arc<str>>,
    /// Direct parents, by partitioning or inheritance.
    pub parents: Vec<RelationName>,
    /// Whether it is a partition, and so has exactly its parent's columns.
    pub is_partition: bool,
    /// Whether it has rewrite rules other than a view's own.
    pub has_rules: bool,
    /// Whether native row security is on.
    pub row_security: bool,
    /// Of a view or a materialized view: the query that it stands for, every name in it with its schema but those of
    /// `pg_catalog`.
    pub definition: Option<Arc<str>>,
    /// Whether it is a view that keeps conditions around it from its hidden rows.
    pub security_barrier: bool,
}

impl Relation {
    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| &*column.name == name)
    }
}

/// One column of a relation.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name, in the server's own case.
    pub name: Arc<str>,
    /// The oid of its declared type, possibly a domain.
    pub type_oid: u32,
    /// The type without domains: what a row description reports.
    pub base_oid: u32,
    /// The modifier of the base type (length, precision), -1 where there is none.
    pub typmod: i32,
    /// Whether it is declared NOT NULL.
    pub not_null: bool,
    /// The oid of its collation; 0 where the type has none.
    pub collation: u32,
}

/// One type.
#[derive(Debug, Clone)]
pub struct SqlType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// The schema.
    pub schema: Arc<str>,
    /// `pg_type.typname`: `int4`, `bpchar`, `_text`.
    pub name: Arc<str>,
    /// What it is made of.
    pub kind: TypeKind,
}

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeKind {
    /// A base type.
    Base,
    /// An array of this element type.
    Array {
        /// The element's oid.
        element: u32,
    },
    /// An enum.
    Enum,
    /// A domain over this type.
    Domain {
        /// The oid of the type it is over, possibly a domain again.
        base: u32,
        /// Whether it, or a domain below it, has a CHECK or NOT NULL, so that a cast to it can fail.
        constrained: bool,
    },
    /// A composite type, or the row type of a relation.
    Composite,
    /// A range or a multirange.
    Range,
    /// A pseudo-type such as `record`.
    Pseudo,
}

/// One collation.
#[derive(Debug, Clone)]
pub struct Collation {
    /// The schema.
    pub schema: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// Whether equal strings are always the same bytes.
    pub deterministic: bool,
}
