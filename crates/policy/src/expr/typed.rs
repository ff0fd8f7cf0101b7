//! An expression that is typed: ready to be folded for a caller.

use std::sync::Arc;

use access::{CatalogSet, Comparison, Field, FieldType, RelationName, Value, ValueType};

use super::network::Network;
use super::tree::Part;
use crate::value;

/// A condition that is ready for a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Typed {
    Always,
    Or(Vec<Typed>),
    And(Vec<Typed>),
    Not(Box<Typed>),
    Truth(Operand),
    Compare(Comparison, Operand, Operand),
    In(Operand, List),
    HasAny(Operand, List),
    IsNull(Operand),
    StartsWith(Operand, Arc<str>),
    InNetworks(Vec<Network>),
    InLookup(Field, Arc<TypedLookup>),
    InCatalog(Vec<Field>, CatalogSet),
}

/// A mapping table, bound to the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TypedLookup {
    pub(crate) name: Arc<str>,
    pub(crate) relation: RelationName,
    pub(crate) rows: Option<Typed>,
    pub(crate) take: Field,
    pub(crate) many: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Operand {
    Field(Field),
    Value(Value),
    /// An attribute, one or a set, and the type that its values take here.
    Caller(Arc<str>, ValueType),
    Request(Part),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum List {
    Items(Vec<Operand>),
    /// A set of the caller, and the type that its values take here.
    Caller(Arc<str>, ValueType),
}
/// What the operands of one comparison have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Common {
    Field(FieldType),
    Value(ValueType),
    Unknown,
}

impl Common {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Field(field) => field.to_string(),
            Self::Value(ty) => ty.to_string(),
            Self::Unknown => "unknown".to_owned(),
        }
    }

    pub(super) fn has_order(&self) -> bool {
        match self {
            Self::Field(field) => value::value_type(field).is_some_and(ordered),
            Self::Value(ty) => ordered(*ty),
            Self::Unknown => true,
        }
    }
}

fn ordered(ty: ValueType) -> bool {
    match ty {
        ValueType::Int | ValueType::Numeric | ValueType::Date | ValueType::Timestamp | ValueType::Uuid => {
            true
        }
        ValueType::Text | ValueType::Bool => false,
    }
}
