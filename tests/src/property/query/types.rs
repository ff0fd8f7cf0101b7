//! Types of expressions.

use super::super::dice::Dice;
use super::super::kind::Kind;
use super::super::world::text_constant;

/// The type of an expression, without its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ty {
    Int2,
    Int4,
    Int8,
    Numeric,
    Float8,
    Text,
    Varchar,
    Char,
    Bool,
    Date,
    Timestamp,
    TimestampTz,
    Uuid,
    Texts,
    Jsonb,
    Mood,
}

/// A column of a relation or of a query.
#[derive(Debug, Clone)]
pub(super) struct Col {
    /// Quoted.
    pub(super) name: String,
    pub(super) ty: Ty,
}

pub(super) const COMMON: [Ty; 12] = [
    Ty::Int4,
    Ty::Int4,
    Ty::Int4,
    Ty::Text,
    Ty::Text,
    Ty::Text,
    Ty::Int8,
    Ty::Numeric,
    Ty::Bool,
    Ty::Date,
    Ty::Jsonb,
    Ty::Texts,
];

impl Ty {
    pub(super) fn of(kind: Kind) -> Self {
        match kind {
            Kind::Int2 => Self::Int2,
            Kind::Int4 | Kind::Count => Self::Int4,
            Kind::Int8 => Self::Int8,
            Kind::Money | Kind::Numeric => Self::Numeric,
            Kind::Float8 => Self::Float8,
            Kind::Text | Kind::Folded => Self::Text,
            Kind::Varchar(_) | Kind::Code => Self::Varchar,
            Kind::Char(_) => Self::Char,
            Kind::Bool => Self::Bool,
            Kind::Date => Self::Date,
            Kind::Timestamp => Self::Timestamp,
            Kind::TimestampTz => Self::TimestampTz,
            Kind::Uuid => Self::Uuid,
            Kind::Texts => Self::Texts,
            Kind::Jsonb => Self::Jsonb,
            Kind::Mood => Self::Mood,
        }
    }

    /// A kind of column with such values.
    fn kind(self) -> Kind {
        match self {
            Self::Int2 => Kind::Int2,
            Self::Int4 => Kind::Int4,
            Self::Int8 => Kind::Int8,
            Self::Numeric => Kind::Money,
            Self::Float8 => Kind::Float8,
            Self::Text => Kind::Text,
            Self::Varchar => Kind::Varchar(12),
            Self::Char => Kind::Char(5),
            Self::Bool => Kind::Bool,
            Self::Date => Kind::Date,
            Self::Timestamp => Kind::Timestamp,
            Self::TimestampTz => Kind::TimestampTz,
            Self::Uuid => Kind::Uuid,
            Self::Texts => Kind::Texts,
            Self::Jsonb => Kind::Jsonb,
            Self::Mood => Kind::Mood,
        }
    }

    /// Its name in SQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Numeric => "numeric",
            Self::Float8 => "float8",
            Self::Text => "text",
            Self::Varchar => "varchar",
            Self::Char => "char(5)",
            Self::Bool => "bool",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::TimestampTz => "timestamptz",
            Self::Uuid => "uuid",
            Self::Texts => "text[]",
            Self::Jsonb => "jsonb",
            Self::Mood => "shop.mood",
        }
    }

    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Varchar | Self::Char)
    }

    pub(super) fn is_int(self) -> bool {
        matches!(self, Self::Int2 | Self::Int4 | Self::Int8)
    }

    /// A value as a bare constant.
    pub(super) fn constant(self, dice: &mut Dice) -> String {
        let value = self.kind().value(dice);
        if (self.is_int() || self == Self::Numeric) && value != "NaN" && self != Self::Int2 {
            return if value.starts_with('-') { format!("({value})") } else { value };
        }
        let zone = if self == Self::TimestampTz && !value.contains("infinity") { "+00" } else { "" };
        text_constant(&format!("{value}{zone}"))
    }
}
