//! What one caller may learn of a store's own catalogue: keys of what is visible, gathered for its guards.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::{Field, RelationName};

/// What the server's own objects have lower numbers than: made with the database, they are the same everywhere.
pub const FIRST_USER_OID: u32 = 16384;

/// Membership of a row of the catalogue in a set that was made for this caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InCatalog {
    /// The fields that make the key.
    pub fields: Vec<Field>,
    /// The set.
    pub set: CatalogSet,
    /// Its keys, as the text of one array; none before they are gathered: then nothing is in it.
    pub keys: Option<Arc<str>>,
}

/// How the key of a row is made, and what is in a set without being listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CatalogKey {
    /// One oid. The server's own objects are in every such set.
    Oid,
    /// A relation's oid and the number of a column: `oid * 65536 + number`. Those of the server's relations are in it.
    Column,
    /// The oids of a catalogue relation and of an object in it, and the number of a column or 0: `class * 2^32 + oid`,
    /// of a column of a relation the column's key, negative. The server's objects are in it.
    Object,
    /// Names, the first that of a schema: all but the last with their lengths before them. What is in `pg_catalog` and
    /// `information_schema` is in it.
    Names,
}

macro_rules! sets {
    ($($(#[$doc:meta])* $variant:ident $name:literal $key:ident $arity:literal;)*) => {
        /// The sets that the shipped policy may name as `catalog.…`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum CatalogSet {
            $($(#[$doc])* $variant,)*
        }

        impl CatalogSet {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// How it is written behind `catalog.`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How its keys are made.
            #[must_use]
            pub fn key(self) -> CatalogKey {
                match self { $(Self::$variant => CatalogKey::$key,)* }
            }

            /// How many fields make a key.
            #[must_use]
            pub fn arity(self) -> usize {
                match self { $(Self::$variant => $arity,)* }
            }
        }
    };
}

sets! {
    /// What the server itself made, and nothing else.
    BuiltIn "built_in" Oid 1;
    /// Relations that the caller may read, their indexes, and sequences of their columns.
    Relations "visible_relations" Oid 1;
    /// Relations of which the caller sees every row and every column.
    Whole "whole_relations" Oid 1;
    /// Relations with an index that the caller may know of.
    Indexed "indexed_relations" Oid 1;
    /// Relations with a trigger that the caller may know of, which a foreign key has too.
    Triggered "triggered_relations" Oid 1;
    /// Partitioned relations whose key the caller sees in clear.
    Partitioned "visible_partitionings" Oid 1;
    /// Partitions of these.
    Bounds "visible_bounds" Oid 1;
    /// Columns that exist for the caller, those of visible indexes too.
    Columns "visible_columns" Column 2;
    /// Columns with such a default.
    Defaulted "defaulted_columns" Column 2;
    /// Defaults of columns that the caller sees in clear.
    Defaults "visible_defaults" Oid 1;
    /// Constraints over nothing but visible columns; those with an expression over nothing but clear ones.
    Constraints "visible_constraints" Oid 1;
    /// Triggers that only visible things hang on.
    Triggers "visible_triggers" Oid 1;
    /// Types of visible columns, and what they are made of.
    Types "visible_types" Oid 1;
    /// Collations of visible columns.
    Collations "visible_collations" Oid 1;
    /// Schemas that hold something visible.
    Schemas "visible_schemas" Oid 1;
    /// Owners of visible relations and schemas.
    Roles "visible_roles" Oid 1;
    /// The database of the store.
    Databases "visible_databases" Oid 1;
    /// Everything of the above that a comment or a dependency can be about.
    Objects "visible_objects" Object 3;
    /// Schemas by name.
    SchemaNames "schema_names" Names 1;
    /// Relations, indexes and sequences by schema and name.
    RelationNames "relation_names" Names 2;
    /// Columns by schema, relation and name.
    ColumnNames "column_names" Names 3;
    /// Columns whose default is visible.
    DefaultNames "default_names" Names 3;
    /// Constraints by schema and name, where no hidden constraint has that name in that schema.
    ConstraintNames "constraint_names" Names 2;
    /// Constraints by schema, relation and name.
    TableConstraintNames "table_constraint_names" Names 3;
    /// Types that are not the server's, by schema and name.
    TypeNames "type_names" Names 2;
}

/// All that one caller may learn of one store's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visible {
    /// The keys of each set, as the text of one array.
    pub keys: BTreeMap<CatalogSet, Arc<str>>,
    /// What is visible of `pg_class`, by name.
    pub relations: HashMap<RelationName, u32>,
    /// Relations by the number of CHECKs that the caller may know of, where there is any: as the text of an array.
    pub checks: BTreeMap<i64, Arc<str>>,
    /// The types that are visible and not the server's own.
    pub types: HashSet<u32>,
}

impl Visible {
    /// The keys of a set; of one that was not gathered none.
    #[must_use]
    pub fn keys(&self, set: CatalogSet) -> Arc<str> {
        self.keys.get(&set).cloned().unwrap_or_else(|| "{}".into())
    }
}

/// What stands in the set of columns for one.
#[must_use]
pub fn column_key(relation: u32, number: i16) -> i64 {
    i64::from(relation) * 65536 + i64::from(number)
}

/// What stands in the set of objects for one.
#[must_use]
pub fn object_key(class: u32, oid: u32) -> i64 {
    i64::from(class) * 4_294_967_296 + i64::from(oid)
}

/// What stands in a set of names for one: no two lists of names give the same.
#[must_use]
pub fn names_key(names: &[&str]) -> String {
    let Some((last, rest)) = names.split_last() else { return String::new() };
    let mut key = String::new();
    for name in rest {
        key.push_str(&format!("{}:{name}", name.chars().count()));
    }
    key.push_str(last);
    key
}
