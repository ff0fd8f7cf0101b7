//! The `data` block: relations, and the class of each field.

use std::collections::BTreeMap;

use super::{Draft, Reader};
use crate::document::{Kind, Node, Scalar};
use crate::name;
use crate::policy::{Block, FieldLine};

impl Reader<'_> {
    pub(super) fn data(&mut self, value: &Node, draft: &mut Draft) {
        for (key, value) in self.mapping(value, "`data`").unwrap_or_default() {
            let data = match name::data(&key.text) {
                Ok(data) => data,
                Err(wrong) => {
                    self.error(key.span, wrong.message, wrong.help);
                    continue;
                }
            };
            if let Some(first) = draft.blocks.iter().find(|block| block.data == data) {
                let help = format!("its first block is in {}", first.place.line());
                self.error(key.span, format!("`{data}` stands twice in the policy"), help);
                continue;
            }
            let mut block = Block { place: self.place(key.span), data, fields: BTreeMap::new(), more: None };
            for (key, value) in self.mapping(value, "a relation's block").unwrap_or_default() {
                self.field(key, value, &mut block);
            }
            draft.blocks.push(block);
        }
    }

    fn field(&mut self, key: &Scalar, value: &Node, block: &mut Block) {
        let Some(class) = self.field_class(value) else { return };
        let place = self.place(class.span);
        let line = FieldLine { place, class: class.text.clone() };
        if key.text == "*" {
            block.more = Some(line);
            return;
        }
        if key.text.starts_with('@') {
            return self.error(
                key.span,
                "only a Qdrant collection has vectors",
                "a relation has fields alone",
            );
        }
        match name::field(&key.text) {
            Ok(name) => {
                if block.fields.insert(name.clone(), line).is_some() {
                    self.plain_error(key.span, format!("the field `{name}` stands twice"));
                }
            }
            Err(wrong) => self.error(key.span, wrong.message, wrong.help),
        }
    }

    /// `class`, or `{as: class}`.
    fn field_class<'n>(&mut self, value: &'n Node) -> Option<&'n Scalar> {
        let class = match &value.kind {
            Kind::Mapping(entries) => {
                let mut class = None;
                for (key, value) in entries {
                    match key.text.as_str() {
                        "as" => class = self.text(value, "a class"),
                        "json" => self.later(key.span, "json"),
                        "type" => {
                            let help = "the catalogue knows the type of a column";
                            self.error(
                                key.span,
                                "only a field of a Qdrant collection has its type here",
                                help,
                            );
                        }
                        _ => self.unknown_key(key, "a field", &["as"]),
                    }
                }
                if class.is_none() {
                    self.error(
                        value.span,
                        "a field needs a class",
                        "write `{as: class}`, or the class alone",
                    );
                }
                class?
            }
            Kind::Scalar(_) | Kind::Sequence(_) => self.text(value, "a field's class")?,
        };
        self.class_name(class).then_some(class)
    }

    /// Whether this is a class: words with dots between.
    pub(super) fn class_name(&mut self, scalar: &Scalar) -> bool {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
        let is_word = |word: &str| !word.is_empty() && word.chars().all(plain);
        let is_class = scalar.text.split('.').all(is_word);
        if !is_class {
            let message = format!("`{}` is not a class", scalar.text);
            self.error(
                scalar.span,
                message,
                "a class is words of a-z, digits, `_` and `-`, with dots between",
            );
        }
        is_class
    }
}
