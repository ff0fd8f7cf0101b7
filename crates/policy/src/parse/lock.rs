//! `fields.lock`: the fields that `"*"` stands for, read beside the policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Draft, Reader};
use crate::Diagnostic;
use crate::document::Node;
use crate::error::Place;
use crate::lock::LOCK;
use crate::name::{self, DataName};

/// What a lock names.
#[derive(Default)]
pub(crate) struct Lock(BTreeMap<DataName, (Place, BTreeMap<Arc<str>, Place>)>);

/// Whether this is the lock of its folder.
pub(super) fn is_lock(path: &str) -> bool {
    path.rsplit(['/', '\\']).next() == Some(LOCK)
}

impl Reader<'_> {
    pub(super) fn lock(&mut self, root: &Node, draft: &mut Draft) {
        let mut lock = Lock::default();
        let mut versioned = false;
        for (key, value) in self.mapping(root, "a lock of fields").unwrap_or_default() {
            match key.text.as_str() {
                "veilgate" => {
                    versioned = true;
                    self.version(value);
                }
                "fields" => self.locked(value, &mut lock),
                _ => self.unknown_key(key, "a lock of fields", &["veilgate", "fields"]),
            }
        }
        if !versioned {
            self.error(root.span, "a lock of fields says its version", "`veilgate check --accept` writes it");
        }
        draft.lock = Some(lock);
    }

    fn locked(&mut self, value: &Node, lock: &mut Lock) {
        for (key, value) in self.mapping(value, "`fields`").unwrap_or_default() {
            let data = match name::data(&key.text, self.speaks) {
                Ok(data) => data,
                Err(wrong) => {
                    self.error(key.span, wrong.message, wrong.help);
                    continue;
                }
            };
            let mut fields = BTreeMap::new();
            for item in self.list(value, "the fields of a relation").unwrap_or_default() {
                let Some(text) = self.text(item, "a field") else { continue };
                match name::field(&text.text) {
                    Ok(name) if fields.contains_key(&name) => {
                        self.plain_error(text.span, format!("the field `{name}` stands twice"));
                    }
                    Ok(name) => drop(fields.insert(name, self.place(text.span))),
                    Err(wrong) => self.error(text.span, wrong.message, wrong.help),
                }
            }
            lock.0.insert(data, (self.place(key.span), fields));
        }
    }
}

/// Gives each block with `"*"` the fields that the lock names.
pub(super) fn apply(draft: &mut Draft, errors: &mut Vec<Diagnostic>) {
    let Some(lock) = &draft.lock else { return };
    for (data, (place, fields)) in &lock.0 {
        let block = draft.blocks.iter_mut().find(|block| block.data == *data);
        let Some((block, more)) =
            block.and_then(|block| Some((block.more.clone()?, block))).map(|(more, block)| (block, more))
        else {
            let error = place.error(format!("no block of `{data}` has a `\"*\"`"));
            errors.push(error.help("`veilgate check --accept` writes the lock anew"));
            continue;
        };
        for (name, place) in fields {
            // A line of its own says more than the star.
            block.fields.entry(name.clone()).or_insert_with(|| {
                let mut line = more.clone();
                line.class.place = place.clone();
                line
            });
        }
    }
}
