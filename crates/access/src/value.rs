//! Values of policies and callers, and the types that an expression can have.

use std::fmt;
use std::sync::Arc;

/// A value that a policy or a caller brings. It reaches a store only through that store's encoder for its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Text.
    Text(Arc<str>),
    /// A whole number.
    Int(i64),
    /// A decimal number in plain form (`-12.50`): optional sign, digits, optional fraction; no exponent.
    Numeric(Arc<str>),
    /// True or false.
    Bool(bool),
    /// A date of the proleptic Gregorian calendar, as `YYYY-MM-DD`, years 0001 to 9999.
    Date(Arc<str>),
    /// A moment in UTC, as `YYYY-MM-DD HH:MM:SS[.ffffff]`, years 0001 to 9999.
    Timestamp(Arc<str>),
    /// A UUID in lower case with hyphens.
    Uuid(Arc<str>),
}

impl Value {
    /// The type of this value.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Text(_) => ValueType::Text,
            Self::Int(_) => ValueType::Int,
            Self::Numeric(_) => ValueType::Numeric,
            Self::Bool(_) => ValueType::Bool,
            Self::Date(_) => ValueType::Date,
            Self::Timestamp(_) => ValueType::Timestamp,
            Self::Uuid(_) => ValueType::Uuid,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text)
            | Self::Numeric(text)
            | Self::Date(text)
            | Self::Timestamp(text)
            | Self::Uuid(text) => f.write_str(text),
            Self::Int(number) => write!(f, "{number}"),
            Self::Bool(truth) => write!(f, "{truth}"),
        }
    }
}

/// The type of a [`Value`]: what an attribute or a literal can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// Text.
    Text,
    /// A whole number of 64 bits.
    Int,
    /// A decimal number.
    Numeric,
    /// True or false.
    Bool,
    /// A calendar date.
    Date,
    /// A moment, UTC.
    Timestamp,
    /// A UUID.
    Uuid,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Numeric => "numeric",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Uuid => "uuid",
        })
    }
}

/// The type of a field of a relation, as far as an expression of a policy cares.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// `text`, `varchar`, and, without its trailing blanks, `char(n)`.
    Text,
    /// `int2`, `int4`, `int8`.
    Int,
    /// `numeric`.
    Numeric,
    /// `float4`, `float8`.
    Float,
    /// `bool`.
    Bool,
    /// `date`.
    Date,
    /// `timestamp` without time zone.
    Timestamp,
    /// `timestamptz`.
    TimestampTz,
    /// `uuid`.
    Uuid,
    /// An array of one of the others.
    Array(Box<FieldType>),
    /// Anything else, by the store's name for it: masks that fit all types only, and `is null`.
    Other(Arc<str>),
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Int => f.write_str("int"),
            Self::Numeric => f.write_str("numeric"),
            Self::Float => f.write_str("float"),
            Self::Bool => f.write_str("bool"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::TimestampTz => f.write_str("timestamptz"),
            Self::Uuid => f.write_str("uuid"),
            Self::Array(element) => write!(f, "{element}[]"),
            Self::Other(name) => f.write_str(name),
        }
    }
}
