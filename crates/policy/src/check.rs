//! What the text alone shows, once all files are read: names that are not declared, types that do not fit.

use std::sync::Arc;

use crate::Diagnostic;
use crate::expr::{self, FieldLookup, LookupFound, Scope};
use crate::mask::Written;
use crate::name::Pattern;
use crate::parse::Draft;
use crate::policy::{BUILT_IN, Block, ClassLine, Expression, FieldLine, Piece, Rule, ShowKey, lineage};

pub(crate) fn check(draft: &Draft, errors: &mut Vec<Diagnostic>) {
    let mut checker = Checker { draft, errors };
    for block in &draft.blocks {
        checker.block(block);
    }
    for lookup in &draft.lookups {
        if let Some(filter) = &lookup.filter {
            checker.expression(filter, Some(&|_| FieldLookup::Unknown), None);
        }
    }
    for rule in &draft.rules {
        checker.rule(rule);
    }
}

struct Checker<'a> {
    draft: &'a Draft,
    errors: &'a mut Vec<Diagnostic>,
}

impl Checker<'_> {
    fn block(&mut self, block: &Block) {
        for class in block.fields.values().flat_map(FieldLine::classes) {
            self.class_has_a_line(class);
        }
        let Some(FieldLine { class, .. }) = &block.more else { return };
        self.class_has_a_line(class);
        let shown = self.draft.masks.of(&class.name).map(|(mask, _)| mask);
        if self.draft.lock.is_none() && shown.is_some_and(|mask| *mask != Written::Hide) {
            let error =
                class.place.error(format!("`\"*\"` with the class `{}`, which is not hidden", class.name));
            self.errors.push(
                error.help(
                    "without a lock of fields (`veilgate check --accept`) use a class that shows `hide`",
                ),
            );
        }
    }

    fn class_has_a_line(&mut self, class: &ClassLine) {
        let masks = &self.draft.masks;
        if masks.of(&class.name).is_some() {
            return;
        }
        let known = masks.lines.keys().map(String::as_str).chain(BUILT_IN);
        let error = class.place.error(format!("the class `{}` has no line under `masks`", class.name));
        let error = error.help("write what it shows when no rule says more, there or for a class above it");
        self.errors.push(error.suggest(&class.name, known));
    }

    fn rule(&mut self, rule: &Rule) {
        self.patterns(rule);
        self.show(rule);
        self.expression(&rule.to, None, None);
        if let Some(rows) = &rule.rows {
            let fields = |name: &str| self.draft.field(rule, name);
            self.expression(rows, Some(&fields), Some(&|name| self.draft.lookup(name)));
        }
        for piece in rule.because.iter().flat_map(|because| &because.0) {
            let Piece::Attribute(name) = piece else { continue };
            if self.draft.schema.get(name).is_none() {
                let error = rule.place.error(format!("`because` names an unknown attribute `caller.{name}`"));
                self.errors.push(error.suggest(name, self.draft.schema.names()));
            }
        }
    }

    fn expression(
        &mut self,
        expression: &Expression,
        fields: Option<&dyn Fn(&str) -> FieldLookup>,
        lookups: Option<&dyn Fn(&str) -> LookupFound>,
    ) {
        if self.draft.schema_is_incomplete {
            return;
        }
        let scope = Scope { schema: &self.draft.schema, fields, lookups };
        if let Err(problems) = expr::check(&expression.expr, &scope) {
            let found: Vec<_> = problems.into_iter().map(|problem| expression.diagnose(problem)).collect();
            self.errors.extend(found);
        }
    }

    fn patterns(&mut self, rule: &Rule) {
        let blocks = &self.draft.blocks;
        for (pattern, place) in &rule.data {
            if *pattern == Pattern::All || blocks.iter().any(|block| pattern.covers(&block.data)) {
                continue;
            }
            let names: Vec<String> = blocks.iter().map(|block| block.data.to_string()).collect();
            let error = place.error("no entry under `data:` is covered by this");
            let written = pattern.exactly().map(|name| name.to_string()).unwrap_or_default();
            let error = error.help("a relation is governed by its entry: write one");
            self.errors.push(error.suggest(&written, names.iter().map(String::as_str)));
        }
    }

    fn show(&mut self, rule: &Rule) {
        for line in &rule.show {
            match &line.key {
                ShowKey::Class(class) => {
                    let known = self.classes();
                    if !known.contains(&class.as_str()) {
                        let error = line.place.error(format!("unknown class `{class}`"));
                        let error = error.help("no field and no line of `masks` has it");
                        self.errors.push(error.suggest(class, known));
                    }
                }
                ShowKey::Field(name) => {
                    let FieldLookup::Missing(others) = self.draft.listed(rule, name, false) else { continue };
                    let error = line.place.error(format!("unknown field `{name}`"));
                    let error = error.help("a field that is not listed under `data:` is hidden");
                    self.errors.push(error.suggest(name, others.iter().map(|name| &**name)));
                }
            }
        }
    }

    fn classes(&self) -> Vec<&str> {
        let fields = self.draft.blocks.iter().flat_map(|block| block.fields.values().chain(&block.more));
        let used = fields.flat_map(FieldLine::classes).flat_map(|class| lineage(&class.name));
        let masked = self.draft.masks.lines.keys().flat_map(|class| lineage(class));
        let mut classes: Vec<&str> = used.chain(masked).chain(BUILT_IN).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

impl Draft {
    /// What the text says of a field that a rule's `rows` name.
    fn field(&self, rule: &Rule, name: &str) -> FieldLookup {
        self.listed(rule, name, true)
    }

    fn lookup(&self, name: &str) -> LookupFound {
        if self.lookups_are_incomplete || self.lookups.iter().any(|lookup| *lookup.name == *name) {
            return LookupFound::Unknown;
        }
        LookupFound::Missing(self.lookups.iter().map(|lookup| lookup.name.clone()).collect())
    }

    /// A field is there if every relation that the rule names lists it; of those that it covers by a star, one will do:
    /// the catalogue decides on the others. `"*"` in a block stands for fields that the text does not know.
    fn listed(&self, rule: &Rule, name: &str, star_counts: bool) -> FieldLookup {
        let covered: Vec<&Block> = self.blocks.iter().filter(|block| rule.covers(&block.data)).collect();
        let named: Vec<&Block> = covered.iter().copied().filter(|block| rule.names(&block.data)).collect();
        let has = |block: &&Block| block.fields.contains_key(name) || (star_counts && block.more.is_some());
        let there =
            named.iter().all(has) && (!named.is_empty() || covered.is_empty() || covered.iter().any(has));
        if there {
            return FieldLookup::Unknown;
        }
        let candidates = if named.is_empty() { covered } else { named };
        let mut others: Vec<Arc<str>> =
            candidates.iter().flat_map(|block| block.fields.keys().cloned()).collect();
        others.sort();
        others.dedup();
        FieldLookup::Missing(others)
    }
}
