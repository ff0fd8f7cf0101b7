//! What a cell can show, in one order from most to least revealing, and what is left of a mask under caps.

mod constant;
mod hash;
mod order;

use std::sync::Arc;

use access::{Catalog, Column, FieldType, Mask};

pub(crate) use hash::for_purpose;
pub(crate) use order::{capped, order};

/// How many characters `partial` may keep at an end.
pub(crate) const KEPT_MAX: u32 = 10_000;

/// A mask as a policy writes it: a constant is typed when it meets a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    Clear,
    Shape,
    Partial { first: u32, last: u32, fill: char },
    Email { domain_only: bool },
    Hash,
    Constant(Arc<str>),
    Nullify,
    Hide,
}

/// What a cell of one column shows; `None` where the field does not exist.
pub(crate) type Shown = Option<Mask>;

impl Written {
    /// The mask over this column, which is of this class.
    ///
    /// # Errors
    /// Says why it does not fit the column's type.
    pub(crate) fn fit(&self, column: &Column, class: &str, catalog: &Catalog) -> Result<Shown, String> {
        let field = catalog.field_type(column.type_oid);
        let mask = match self {
            Self::Hide => return Ok(None),
            Self::Clear => Mask::Clear,
            Self::Nullify => Mask::Nullify,
            Self::Constant(text) => Mask::Constant(constant::constant(text, &field, column, catalog)?),
            Self::Shape | Self::Partial { .. } | Self::Email { .. } if field != FieldType::Text => {
                return Err(format!("`{self}` fits text, and this is {field}"));
            }
            Self::Hash => hash::hash(class, column, catalog)?,
            Self::Shape => Mask::Shape,
            Self::Partial { first, last, fill } => Mask::Partial { first: *first, last: *last, fill: *fill },
            Self::Email { domain_only } => Mask::Email { domain_only: *domain_only },
        };
        Ok(Some(mask))
    }
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Clear => f.write_str("clear"),
            Self::Shape => f.write_str("shape"),
            Self::Partial { first, last, fill } => partial(f, *first, *last, *fill),
            Self::Email { domain_only: false } => f.write_str("email"),
            Self::Email { domain_only: true } => f.write_str("{email: domain}"),
            Self::Hash => f.write_str("hash"),
            Self::Constant(text) => write!(f, "{{constant: {text}}}"),
            Self::Nullify => f.write_str("nullify"),
            Self::Hide => f.write_str("hide"),
        }
    }
}

fn partial(f: &mut std::fmt::Formatter<'_>, first: u32, last: u32, fill: char) -> std::fmt::Result {
    match (first, last, fill) {
        (0, last, '*') => write!(f, "{{last: {last}}}"),
        (first, 0, '*') => write!(f, "{{first: {first}}}"),
        _ => write!(f, "{{partial: {{first: {first}, last: {last}, fill: \"{fill}\"}}}}"),
    }
}

/// The mask as a policy writes it.
pub(crate) fn show(mask: &Mask) -> String {
    match mask {
        Mask::Clear => Written::Clear,
        Mask::Shape => Written::Shape,
        Mask::Partial { first, last, fill } => Written::Partial { first: *first, last: *last, fill: *fill },
        Mask::Email { domain_only } => Written::Email { domain_only: *domain_only },
        Mask::Hash(_) => Written::Hash,
        Mask::Constant(value) => Written::Constant(value.to_string().into()),
        Mask::Nullify => Written::Nullify,
    }
    .to_string()
}
