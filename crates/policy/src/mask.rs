//! What a cell can show, in one order from most to least revealing, and what is left of a mask under caps.

#![expect(clippy::wildcard_enum_match_arm, reason = "a type that is not named does not fit")]

mod bucket;
mod constant;
mod document;
mod hash;
mod order;

use std::sync::Arc;

use access::{Catalog, Column, DateUnit, FieldType, Mask, TypeKind};

pub(crate) use bucket::{Bucket, Number};
pub(crate) use document::{Path, WrittenDocument, at, document, inside, path};
pub(crate) use hash::for_purpose;
pub(crate) use order::{capped, joined, order};

/// How many characters `partial` may keep at an end.
pub(crate) const KEPT_MAX: u32 = 10_000;

/// A mask as a policy writes it: a constant is typed when it meets a column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Written {
    Clear,
    Json(WrittenDocument),
    Array(Box<Written>),
    DateTrunc(DateUnit),
    Bucket(Bucket),
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
        let misfit = |wanted: &str| Err(format!("`{self}` fits {wanted}, and this is {field}"));
        let mask = match self {
            Self::Hide => return Ok(None),
            Self::Clear => Mask::Clear,
            Self::Nullify => Mask::Nullify,
            Self::Constant(text) => Mask::Constant(constant::constant(text, &field, column, catalog)?),
            Self::Json(_) if !is_document(&field) => return misfit("json and jsonb"),
            Self::Json(document) => document.fit()?,
            Self::Array(element) => match element.fit(&element_of(column, catalog)?, class, catalog)? {
                None => return Err("an element cannot be hidden: write `nullify`".to_owned()),
                Some(Mask::Hash(_)) => return Err("`hash` fits a whole field, and no element".to_owned()),
                Some(Mask::Clear) => Mask::Clear,
                Some(mask) => Mask::Array(Box::new(mask)),
            },
            Self::DateTrunc(unit) => match field {
                FieldType::Date | FieldType::Timestamp | FieldType::TimestampTz => Mask::DateTrunc(*unit),
                _ => return misfit("dates and timestamps"),
            },
            Self::Bucket(bucket) => match field {
                FieldType::Int | FieldType::Numeric | FieldType::Float => {
                    let number = |text: &str| constant::constant(text, &field, column, catalog);
                    bucket.fit(number)?
                }
                _ => return misfit("numbers"),
            },
            Self::Shape | Self::Partial { .. } | Self::Email { .. } if field != FieldType::Text => {
                return misfit("text");
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
            Self::Json(document) => write!(f, "{{json: {document}}}"),
            Self::Array(element) => write!(f, "{{array: {element}}}"),
            Self::DateTrunc(unit) => write!(f, "{{date_trunc: {}}}", unit.word()),
            Self::Bucket(bucket) => write!(f, "{{bucket: {bucket}}}"),
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
    written(mask).to_string()
}

fn written(mask: &Mask) -> Written {
    match mask {
        Mask::Clear => Written::Clear,
        Mask::Json(document) => Written::Json(WrittenDocument::of(document)),
        Mask::Array(element) => Written::Array(Box::new(written(element))),
        Mask::DateTrunc(unit) => Written::DateTrunc(*unit),
        Mask::Bucket { width, low, high } => Written::Bucket(Bucket::of(width, low, high)),
        Mask::Shape => Written::Shape,
        Mask::Partial { first, last, fill } => Written::Partial { first: *first, last: *last, fill: *fill },
        Mask::Email { domain_only } => Written::Email { domain_only: *domain_only },
        Mask::Hash(_) => Written::Hash,
        Mask::Constant(value) => Written::Constant(value.to_string().into()),
        Mask::Nullify => Written::Nullify,
    }
}

/// Whether fields of this type hold documents.
pub(crate) fn is_document(field: &FieldType) -> bool {
    matches!(field, FieldType::Other(name) if matches!(&**name, "json" | "jsonb"))
}

/// The elements of an array, as if they were a column.
fn element_of(column: &Column, catalog: &Catalog) -> Result<Column, String> {
    let field = catalog.field_type(column.type_oid);
    let Some(TypeKind::Array { element }) = catalog.types.get(&column.base_oid).map(|ty| &ty.kind) else {
        return Err(format!("`array` fits arrays, and this is {field}"));
    };
    let kind = catalog.types.get(element).map(|ty| &ty.kind);
    if matches!(kind, None | Some(TypeKind::Domain { .. } | TypeKind::Pseudo)) {
        return Err(format!("the elements of {field} are of a domain, or of no known type"));
    }
    Ok(Column { type_oid: *element, base_oid: *element, not_null: false, ..column.clone() })
}
