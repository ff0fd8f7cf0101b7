//! Fields whose documents have paths with classes of their own.

use std::collections::BTreeSet;

use access::{Column, Document, Inside, Mask};

use super::{Binder, Relation, class_line};
use crate::error::Place;
use crate::mask::{self, Path, Shown};
use crate::policy::{ClassLine, FieldLine, Rule, ShowKey, lineage};

/// In how many ways the allows of a relation may show one field path by path: each two of them meet in a third way.
const WAYS_MAX: usize = 6;

impl Binder<'_> {
    /// What an allow shows of a field with paths: each path by its own class, in what the field itself shows.
    pub(super) fn shown_paths(
        &mut self,
        rule: &Rule,
        column: &Column,
        field: &FieldLine,
        whole: Mask,
    ) -> Shown {
        if !self.has_paths(column, field) {
            return field.paths.is_empty().then_some(whole);
        }
        let mut masked: Vec<Mask> = Vec::with_capacity(field.paths.len());
        for (path, class) in &field.paths {
            masked.extend(self.shown_path(rule, column, path, class).map(|inside| one(path, inside)));
        }
        Some(mask::capped(&whole, &masked.iter().collect::<Vec<_>>()))
    }

    fn shown_path(&mut self, rule: &Rule, column: &Column, path: &Path, class: &ClassLine) -> Option<Inside> {
        let (written, place, own) = match class_line(rule, &class.name) {
            Some(line) => (&line.mask, &line.place, true),
            None => match self.policy.masks.of(&class.name) {
                Some((mask, place)) => (mask, place.unwrap_or(&class.place), false),
                None => return Some(Inside::Hide),
            },
        };
        mask::inside(written).unwrap_or_else(|why| {
            self.untyped |= own;
            let misfit = self.path_misfit(place, column, path, &why);
            self.told.push(if own { misfit } else { misfit.help("the path is hidden") });
            Some(Inside::Hide)
        })
    }

    fn path_misfit(&self, place: &Place, column: &Column, path: &Path, why: &str) -> crate::Diagnostic {
        place.error(format!("over `{path}` in `{}` of `{}`: {why}", column.name, self.block.data))
    }

    /// Whether there are paths, and a document to have them; that there is none is told.
    fn has_paths(&mut self, column: &Column, field: &FieldLine) -> bool {
        let Some(first) = field.paths.values().next() else { return false };
        let ty = self.catalog.field_type(column.type_oid);
        if mask::is_document(&ty) {
            return true;
        }
        let message = format!(
            "over `{}` of `{}`: paths fit json and jsonb, and this is {ty}",
            column.name, self.block.data
        );
        self.told.push(first.place.error(message).help("the field is hidden"));
        false
    }

    /// What a restrict leaves of the paths: every line that covers the class of one.
    pub(super) fn capped_paths(&self, rule: &Rule, column: &Column, field: &FieldLine) -> Vec<Mask> {
        if !mask::is_document(&self.catalog.field_type(column.type_oid)) {
            return Vec::new();
        }
        let mut caps = Vec::new();
        for (path, class) in &field.paths {
            for line in &rule.show {
                let covers =
                    matches!(&line.key, ShowKey::Class(name) if lineage(&class.name).any(|own| own == name));
                if covers {
                    let inside = mask::inside(&line.mask).unwrap_or(Some(Inside::Masked(Mask::Nullify)));
                    caps.extend(inside.map(|inside| one(path, inside)));
                }
            }
        }
        caps
    }

    /// Whether the allows show no field in too many ways, path by path.
    pub(super) fn few_enough(&mut self, rule: &Rule, shows: &[Shown], relation: &Relation) -> bool {
        for (at, shown) in shows.iter().enumerate() {
            let others = relation.allows.iter().filter_map(|allow| allow.shows.get(at)?.as_ref());
            let by_path = |mask: &&Mask| matches!(mask, Mask::Json(_) | Mask::Array(_));
            let ways: BTreeSet<String> = others.chain(shown).filter(by_path).map(mask::show).collect();
            if ways.len() > WAYS_MAX {
                let field = relation.fields.get(at).map_or("", |name| &**name);
                let message = format!(
                    "`{field}` of `{}` is shown in more than {WAYS_MAX} ways, path by path",
                    self.block.data
                );
                self.told.push(rule.place.error(message).help("let the rules say the same of it"));
                return false;
            }
        }
        true
    }
}

fn one(path: &Path, inside: Inside) -> Mask {
    let document: Document = mask::at(path, inside);
    mask::document(document)
}
