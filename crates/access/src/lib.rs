//! The words all crates share: caller, value, catalogue, touch, predicate, guard, refusal.
//!
//! Nothing here does I/O or reads a clock: value in, value out.

mod added;
mod caller;
mod catalog;
mod guard;
mod hash;
mod predicate;
mod refusal;
mod touch;
mod value;

pub use added::Added;
pub use caller::{Attribute, Caller, Identity, Request};
pub use catalog::{
    Catalog, Collation, Column, Relation, RelationKind, RelationName, SqlType, TypeKind, quote,
};
pub use guard::{Branch, Cell, DateUnit, Document, Guard, GuardedColumn, Guards, Inside, Mask};
pub use hash::HashKey;
pub use predicate::{Comparison, Field, Lookup, Operand, Predicate};
pub use refusal::{Refusal, RefusalKind};
pub use touch::{Action, Entry, Touch, Via};
pub use value::{FieldType, Value, ValueType};
