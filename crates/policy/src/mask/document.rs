//! Masks inside documents: paths as a policy writes them, and as the tree that they are together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use access::{Document, Inside, Mask, Value};

use super::{Written, order, written};
use crate::value;
use access::FieldType;

/// How many keys a path may have.
const KEYS_MAX: usize = 16;

/// The keys of a path, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Path(pub(crate) Vec<Arc<str>>);

/// Paths of a document, each with its mask.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct WrittenDocument(pub(crate) BTreeMap<Path, Written>);

impl WrittenDocument {
    /// The mask of a column.
    pub(super) fn fit(&self) -> Result<Mask, String> {
        let mut all = Vec::with_capacity(self.0.len());
        for (path, mask) in &self.0 {
            if let Some(inside) = inside(mask).map_err(|why| format!("under `{path}`: {why}"))? {
                all.push(at(path, inside));
            }
        }
        Ok(document(order::merged(&all.iter().collect::<Vec<_>>())))
    }

    /// The paths of a tree.
    pub(super) fn of(document: &Document) -> Self {
        let mut paths = Self::default();
        paths.gather(document, &mut Vec::new());
        paths
    }

    fn gather(&mut self, document: &Document, above: &mut Vec<Arc<str>>) {
        for (key, inside) in &document.0 {
            above.push(key.clone());
            let mask = match inside {
                Inside::Document(document) => {
                    self.gather(document, above);
                    None
                }
                Inside::Hide => Some(Written::Hide),
                Inside::Masked(mask) => Some(written(mask)),
            };
            if let Some(mask) = mask {
                self.0.insert(Path(above.clone()), mask);
            }
            above.pop();
        }
    }
}

/// The tree as a mask: one without keys shows all.
pub(crate) fn document(document: Document) -> Mask {
    if document.0.is_empty() { Mask::Clear } else { Mask::Json(document) }
}

/// The document with this alone in it.
pub(crate) fn at(path: &Path, inside: Inside) -> Document {
    let mut keys = path.0.iter().rev();
    let one = |key: &Arc<str>, inside| Document([(key.clone(), inside)].into());
    let last = keys.next().map_or_else(Document::default, |key| one(key, inside));
    keys.fold(last, |document, key| one(key, Inside::Document(document)))
}

/// What a mask shows under a key; none where it is clear.
pub(crate) fn inside(mask: &Written) -> Result<Option<Inside>, String> {
    let text = |mask| Ok(Some(Inside::Masked(mask)));
    match mask {
        Written::Clear => Ok(None),
        Written::Hide => Ok(Some(Inside::Hide)),
        Written::Nullify => text(Mask::Nullify),
        Written::Shape => text(Mask::Shape),
        Written::Partial { first, last, fill } => {
            text(Mask::Partial { first: *first, last: *last, fill: *fill })
        }
        Written::Email { domain_only } => text(Mask::Email { domain_only: *domain_only }),
        Written::Constant(constant) => text(Mask::Constant(Value::Text(constant.clone()))),
        Written::Bucket(bucket) => {
            bucket.fit(|number| value::read_for(number, &FieldType::Numeric)).and_then(text)
        }
        Written::DateTrunc(_) => Err(format!("`{mask}` fits dates, and a document has none")),
        Written::Hash => Err("`hash` fits a whole field, and no path inside one".to_owned()),
        Written::Json(_) => Err("a path is written whole: `$.a.b`".to_owned()),
        Written::Array(_) => Err("a path leads through arrays by itself: `$.items.price`".to_owned()),
    }
}

/// Reads `$.a."b c"`.
pub(crate) fn path(text: &str) -> Result<Path, &'static str> {
    const FORM: &str = "a path is written `$.key.key`, or `$.\"any key\"`; arrays are looked through";
    let mut letters = text.strip_prefix('$').ok_or(FORM)?.chars().peekable();
    let mut keys: Vec<Arc<str>> = Vec::new();
    while letters.next_if_eq(&'.').is_some() {
        let mut key = String::new();
        if letters.next_if_eq(&'"').is_some() {
            loop {
                match letters.next().ok_or(FORM)? {
                    '"' if letters.next_if_eq(&'"').is_some() => key.push('"'),
                    '"' => break,
                    letter => key.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
            {
                key.push(letter);
            }
            if key.is_empty() {
                return Err(FORM);
            }
        }
        keys.push(key.into());
    }
    match (letters.next(), keys.len()) {
        (Some(_), _) | (None, 0) => Err(FORM),
        (None, 1..=KEYS_MAX) => Ok(Path(keys)),
        (None, _) => Err("a path has at most 16 keys"),
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for key in &self.0 {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if !key.is_empty() && key.chars().all(plain) {
                write!(f, ".{key}")?;
            } else {
                write!(f, ".\"{}\"", key.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for WrittenDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (at, (path, mask)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{path}: {mask}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_as_they_are_written() {
        for (text, keys) in [
            ("$.a", Some(vec!["a"])),
            ("$.aB-1._c", Some(vec!["aB-1", "_c"])),
            ("$.\"a b\".\"x\"\"y\".\"\"", Some(vec!["a b", "x\"y", ""])),
            ("$", None),
            ("$.", None),
            ("a.b", None),
            ("$.a[*]", None),
            ("$.a..b", None),
            ("$.\"a", None),
            ("$.a b", None),
        ] {
            let read = path(text).ok();
            let found = read.as_ref().map(|path| path.0.iter().map(|key| &**key).collect::<Vec<_>>());
            assert_eq!(found, keys, "{text}");
            if let Some(read) = read {
                assert_eq!(read.to_string(), text);
            }
        }
        assert!(path(&format!("${}", ".a".repeat(17))).is_err());
    }
}
