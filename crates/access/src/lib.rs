//! The words all crates share: caller, value, catalogue, touch, predicate, guard, refusal.
//!
//! Nothing here does I/O or reads a clock: value in, value out.

mod added;
mod caller;
mod catalog;
mod guard;
mod hash;
mod objects;
mod predicate;
mod refusal;
mod touch;
mod value;
mod visible;

pub use added::Added;
pub use caller::{Attribute, Caller, Identity, Request};
pub use catalog::{
    Catalog, Collation, Column, Relation, RelationKind, RelationName, SqlType, TypeKind, is_catalogue, quote,
};
pub use guard::{Branch, Cell, DateUnit, Document, Guard, GuardedColumn, Guards, Inside, Mask};
pub use hash::HashKey;
pub use objects::{Dependent, DependentKind, Need, Objects, RelationDetail};
pub use predicate::{Comparison, Field, Lookup, Operand, Predicate};
pub use refusal::{Refusal, RefusalKind};
pub use touch::{Action, Entry, Touch, Via};
pub use value::{FieldType, Value, ValueType};
pub use visible::{
    CatalogKey, CatalogSet, FIRST_USER_OID, InCatalog, Visible, column_key, names_key, object_key,
};
