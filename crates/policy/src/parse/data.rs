//! The `data` block: relations, and the class of each field.

use std::collections::BTreeMap;

use super::masks::PATHS_MAX;
use super::{Draft, Reader};
use crate::document::{Kind, Node, Scalar};
use crate::mask::Path;
use crate::name;
use crate::policy::{Block, ClassLine, FieldLine};

impl Reader<'_> {
    pub(super) fn data(&mut self, value: &Node, draft: &mut Draft) {
        for (key, value) in self.mapping(value, "`data`").unwrap_or_default() {
            let data = match name::data(&key.text, self.speaks) {
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
        let Some(line) = self.field_line(value) else { return };
        if key.text == "*" {
            if !line.paths.is_empty() {
                self.plain_error(value.span, "paths are of one field: write a line for it");
            }
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

    /// `class`, or `{as: class, json: {path: class}}`.
    fn field_line(&mut self, value: &Node) -> Option<FieldLine> {
        let Kind::Mapping(entries) = &value.kind else {
            let class = self.class(value, "a field's class")?;
            return Some(FieldLine { class, paths: BTreeMap::new() });
        };
        let (mut class, mut paths) = (None, BTreeMap::new());
        for (key, value) in entries {
            match key.text.as_str() {
                "as" => class = Some(self.class(value, "a class")),
                "json" => paths = self.path_classes(value),
                "type" => {
                    let help = "the catalogue knows the type of a column";
                    self.error(key.span, "only a field of a Qdrant collection has its type here", help);
                }
                _ => self.unknown_key(key, "a field", &["as", "json"]),
            }
        }
        if class.is_none() {
            self.error(value.span, "a field needs a class", "write `{as: class}`, or the class alone");
        }
        Some(FieldLine { class: class??, paths })
    }

    /// Paths inside a document, each with a class of its own.
    fn path_classes(&mut self, value: &Node) -> BTreeMap<Path, ClassLine> {
        let mut paths = BTreeMap::new();
        let entries = self.mapping(value, "`json`").unwrap_or_default();
        for (key, value) in entries {
            let (path, class) = (self.path(key), self.class(value, "the class of a path"));
            let (Some(path), Some(class)) = (path, class) else { continue };
            if paths.insert(path, class).is_some() {
                self.plain_error(key.span, format!("`{}` stands twice", key.text));
            }
        }
        if entries.is_empty() || entries.len() > PATHS_MAX {
            self.plain_error(value.span, format!("`json` names 1 to {PATHS_MAX} paths"));
        }
        paths
    }

    fn class(&mut self, value: &Node, what: &str) -> Option<ClassLine> {
        let class = self.text(value, what)?;
        let line = ClassLine { place: self.place(class.span), name: class.text.clone() };
        self.class_name(class).then_some(line)
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
