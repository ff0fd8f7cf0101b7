//! Conditions over one row, with every attribute of the caller already put in its place.
//!
//! The logic is SQL's: three-valued, and a row is admitted only where the predicate is *true*. Every lowering to a store
//! agrees on it.

use std::sync::Arc;

use crate::{FieldType, InCatalog, RelationName, Value};

/// A condition over the fields of one row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Predicate {
    /// True, false, or unknown (`None`), whatever the row.
    Known(Option<bool>),
    /// A boolean field.
    Field(Field),
    /// A comparison; unknown where an operand is NULL.
    Compare(Comparison, Operand, Operand),
    /// Membership, with SQL's meaning for NULL; the list is never empty and holds no NULL.
    In(Field, Vec<Value>),
    /// `is null`; never unknown.
    IsNull(Field),
    /// Text that starts with this prefix, compared byte by byte.
    StartsWith(Field, Arc<str>),
    /// An array field that has any of these elements; the list is never empty. Unknown where the array is NULL.
    HasAny(Field, Vec<Value>),
    /// Membership in the column that a lookup takes, with SQL's meaning for NULL on both sides.
    InLookup(Field, Arc<Lookup>),
    /// Of a row of the catalogue: whether the caller may learn of it. Never of a store's own relations.
    InCatalog(InCatalog),
    /// Negation: unknown stays unknown.
    Not(Box<Predicate>),
    /// Conjunction; of none it is true.
    And(Vec<Predicate>),
    /// Disjunction; of none it is false.
    Or(Vec<Predicate>),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A field of the row.
    Field(Field),
    /// A value.
    Value(Value),
}

/// A field of the row, with its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// The column's name.
    pub name: Arc<str>,
    /// Its type.
    pub ty: FieldType,
}

/// A mapping table that a policy reads: one column of the rows that it means for this caller. It is read with the
/// gateway's rights, inside a guard, and no caller sees anything of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// Its name in the policy.
    pub name: Arc<str>,
    /// The table, of the same store.
    pub relation: RelationName,
    /// The rows that it means; `None` means all.
    pub rows: Option<Predicate>,
    /// The column that it takes.
    pub take: Field,
    /// Whether it takes so many values that they are hashed rather than listed.
    pub many: bool,
}
