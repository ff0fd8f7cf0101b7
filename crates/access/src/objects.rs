//! What hangs on a store's relations, as far as it decides what a caller may learn of the catalogue.

use std::collections::HashMap;
use std::sync::Arc;

/// The catalogue beyond relations, columns and types.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    /// The oid of the store's database.
    pub database: u32,
    /// Of each schema its oid and its owner.
    pub schemas: HashMap<Arc<str>, (u32, u32)>,
    /// Of each relation, by oid.
    pub relations: HashMap<u32, RelationDetail>,
    /// What hangs on them.
    pub dependents: Vec<Dependent>,
}

/// What only the catalogue itself needs to know of a relation.
#[derive(Debug, Clone, Default)]
pub struct RelationDetail {
    /// The role that owns it.
    pub owner: u32,
    /// The numbers of its columns, in their order.
    pub numbers: Vec<i16>,
}

/// An index, a constraint, a default: something that can be told only to who sees all that it is made of.
#[derive(Debug, Clone)]
pub struct Dependent {
    /// What it is.
    pub kind: DependentKind,
    /// Its oid; of a partitioning that of the relation.
    pub oid: u32,
    /// The relation that it is part of; 0 for a constraint of a domain.
    pub relation: u32,
    /// Its schema and its name; empty where it has none of its own.
    pub schema: Arc<str>,
    /// Its name; of a default that of its column.
    pub name: Arc<str>,
    /// How many columns it has, of an index; of a default the number of its column.
    pub columns: i16,
    /// Whether there is an expression in it, whose constants are told with it.
    pub computes: bool,
    /// All that it is made of, as long as the server did not make that itself.
    pub needs: Vec<Need>,
}

/// What a dependent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DependentKind {
    /// An index.
    Index,
    /// A CHECK.
    Check,
    /// Any other constraint of a relation or a domain.
    Constraint,
    /// A column's default.
    Default,
    /// A trigger.
    Trigger,
    /// A sequence that belongs to a column.
    Sequence,
    /// The key that a relation is partitioned by.
    Partitioning,
}

/// One thing that another is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Need {
    /// The oid of the catalogue relation that holds it: 1259 for relations.
    pub class: u32,
    /// Its oid there.
    pub oid: u32,
    /// The number of a column of it; 0 for all of it.
    pub column: i16,
}
