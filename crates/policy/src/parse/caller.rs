//! The `caller` block: attributes and their types.

use std::sync::Arc;

use access::ValueType;

use super::{Draft, Reader};
use crate::Span;
use crate::document::{Kind, Node, Scalar};
use crate::schema::Declared;

const TYPES: [ValueType; 7] = [
    ValueType::Text,
    ValueType::Int,
    ValueType::Numeric,
    ValueType::Bool,
    ValueType::Date,
    ValueType::Timestamp,
    ValueType::Uuid,
];

/// What a declaration says, before its parts are looked at together.
#[derive(Default)]
struct Parts<'n> {
    ty: Option<(ValueType, bool)>,
    wrong_type: bool,
    optional: Option<(bool, Span)>,
    default: Option<&'n Node>,
    one_of: Option<(Vec<Arc<str>>, Span)>,
}

impl Reader<'_> {
    pub(super) fn caller(&mut self, key: &Scalar, value: &Node, draft: &mut Draft) {
        if let Some(first) = &draft.caller {
            let help = format!("the first one is in {}", first.line());
            return self.error(key.span, "`caller` stands twice in the policy", help);
        }
        draft.caller = Some(self.place(key.span));
        let known = self.errors.len();
        for (name, value) in self.mapping(value, "`caller`").unwrap_or_default() {
            let Some(declared) = self.attribute(name, value) else { continue };
            draft.schema.attributes.insert(name.text.as_str().into(), declared);
        }
        draft.schema_is_incomplete = self.errors.len() > known;
    }

    fn attribute(&mut self, name: &Scalar, value: &Node) -> Option<Declared> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let starts_well = name.text.starts_with(|c: char| c.is_ascii_lowercase());
        if name.text == "id" {
            self.error(
                name.span,
                "`id` is always there",
                "leave it out: `caller.id` is the name of the login",
            );
        } else if !name.text.chars().all(plain) || !starts_well {
            let message = format!("`{}` is not the name of an attribute", name.text);
            self.error(name.span, message, "its letters are a-z, digits and `_`");
        }
        let mut parts = Parts::default();
        let entries = self.mapping(value, "an attribute's declaration")?;
        for (key, value) in entries {
            match key.text.as_str() {
                "type" => {
                    parts.ty = self.attribute_type(value);
                    parts.wrong_type = parts.ty.is_none();
                }
                "optional" => {
                    parts.optional = self.flag(value, "`optional`").map(|optional| (optional, key.span));
                }
                "default" => parts.default = Some(value),
                "one_of" => parts.one_of = self.values(value).map(|values| (values, key.span)),
                _ => self.unknown_key(key, "an attribute", &["type", "optional", "default", "one_of"]),
            }
        }
        if parts.wrong_type { None } else { self.declared(name, parts) }
    }

    fn declared(&mut self, name: &Scalar, parts: Parts<'_>) -> Option<Declared> {
        let Parts { ty, wrong_type: _, optional, default, one_of } = parts;
        let (ty, set) = match (ty, &one_of) {
            (Some(ty), _) => ty,
            (None, Some(_)) => (ValueType::Text, false),
            (None, None) => {
                let message = format!("`{}` has no type", name.text);
                self.error(name.span, message, "write `type: text`, or `one_of: […]`");
                return None;
            }
        };
        if let Some((_, span)) = &one_of
            && ty != ValueType::Text
        {
            self.plain_error(*span, "`one_of` lists texts");
        }
        if let (Some((true, span)), Some(_)) = (optional, default) {
            self.error(span, "an attribute with a default is never absent", "leave out `optional`");
        }
        let one_of = one_of.map(|(values, _)| values);
        let mut declared = Declared {
            ty,
            set,
            optional: optional.is_some_and(|(optional, _)| optional),
            default: None,
            one_of,
        };
        if let Some(node) = default {
            declared.default = self.attribute_value(node, &declared);
        }
        self.check_purpose(name, &declared);
        Some(declared)
    }

    /// The purpose is picked by the client from what it may choose, and is text.
    fn check_purpose(&mut self, name: &Scalar, declared: &Declared) {
        if matches!(name.text.as_str(), "purpose" | "model")
            && (declared.ty != ValueType::Text || declared.set)
        {
            self.plain_error(name.span, format!("`{}` is one text", name.text));
        }
    }

    fn attribute_type(&mut self, value: &Node) -> Option<(ValueType, bool)> {
        let (node, set) = match &value.kind {
            Kind::Sequence(items) => match items.as_slice() {
                [one] => (one, true),
                _ => {
                    self.plain_error(value.span, "a set is written `[text]`: one type in brackets");
                    return None;
                }
            },
            Kind::Scalar(_) | Kind::Mapping(_) => (value, false),
        };
        let word = self.text(node, "a type")?;
        if let Some(ty) = TYPES.iter().find(|ty| ty.to_string() == word.text) {
            return Some((*ty, set));
        }
        let names = TYPES.map(|ty| ty.to_string());
        let error = self.source.error(word.span, format!("unknown type `{}`", word.text));
        let error = error.help(format!("there are: {}", names.join(", ")));
        self.errors.push(error.suggest(&word.text, names.iter().map(String::as_str)));
        None
    }

    fn values(&mut self, value: &Node) -> Option<Vec<Arc<str>>> {
        let items = self.list(value, "`one_of`")?;
        if items.is_empty() {
            self.plain_error(value.span, "`one_of` lists at least one value");
        }
        let texts = items.iter().filter_map(|item| self.text(item, "a value"));
        Some(texts.map(|scalar| scalar.text.as_str().into()).collect())
    }

    /// A value in its source text, typed by the declaration.
    fn attribute_value(&mut self, node: &Node, declared: &Declared) -> Option<access::Attribute> {
        let texts = self.source_texts(node)?;
        let texts: Vec<&str> = texts.iter().map(|scalar| scalar.text.as_str()).collect();
        let alone = matches!(node.kind, Kind::Scalar(_));
        if declared.set == alone {
            let wanted = if declared.set { "a list" } else { "a text" };
            self.wrong_kind(node, "this value", wanted);
            return None;
        }
        declared.read(&texts).map_err(|message| self.plain_error(node.span, message)).ok()
    }

    /// The texts of one value or of a list.
    pub(super) fn source_texts<'n>(&mut self, node: &'n Node) -> Option<Vec<&'n Scalar>> {
        let items = self.one_or_more(node);
        let texts: Vec<_> = items.iter().map(|item| self.text(item, "a value")).collect();
        texts.into_iter().collect()
    }
}
