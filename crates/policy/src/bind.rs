//! A policy against live catalogues: what is typed here decides; what cannot be typed closes.

mod children;
mod lookups;
mod paths;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use access::{Action, Catalog, Column, Mask, RelationName};

pub(crate) use self::children::ChildRows;
use self::lookups::Lookups;
use crate::Diagnostic;
use crate::error::Place;
use crate::expr::{self, FieldLookup, LookupFound, Scope, Typed};
use crate::mask::{Shown, Written};
use crate::policy::{Block, Expression, FieldLine, Policy, Rule, RuleKind, ShowKey, ShowLine, lineage};
use crate::visible::Kept;

/// A policy that is typed against the catalogues of its stores: ready to decide.
#[derive(Debug, Clone, Default)]
pub struct Bound {
    /// Whether the policy declares that callers have a purpose, for which hashes are then made.
    pub(crate) has_purpose: bool,
    pub(crate) stores: HashMap<Arc<str>, HashMap<RelationName, Relation>>,
    /// The relations that have an entry, and are closed.
    pub(crate) closed: HashMap<Arc<str>, HashSet<RelationName>>,
    /// The catalogues that it was typed against, by store.
    pub(crate) catalogs: HashMap<Arc<str>, Arc<Catalog>>,
    pub(crate) kept: Kept,
}

impl Bound {
    /// Whether a decision can change with the time alone, so that an old one has to be looked at again.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        self.stores.values().flat_map(HashMap::values).any(Relation::reads_clock)
    }

    /// From here on the relation does not exist for anybody.
    fn close(&mut self, store: &Arc<str>, relation: &RelationName) {
        if let Some(relations) = self.stores.get_mut(store) {
            relations.remove(relation);
        }
        self.closed.entry(store.clone()).or_default().insert(relation.clone());
    }
}

/// One governed relation. One that is closed has no place in a [`Bound`]: it does not exist for anybody.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) name: RelationName,
    /// The listed fields that the catalogue has, in the relation's order.
    pub(crate) fields: Vec<Arc<str>>,
    pub(crate) allows: Vec<Allow>,
    pub(crate) restricts: Vec<Restrict>,
    pub(crate) denies: Vec<Applies>,
    /// What narrows the rows of its partitions and children further.
    pub(crate) children: Vec<ChildRows>,
}

impl Relation {
    fn reads_clock(&self) -> bool {
        let allows = self.allows.iter().map(|allow| (&allow.applies, &allow.rows));
        let restricts = self.restricts.iter().map(|restrict| (&restrict.applies, &restrict.rows));
        let reads = |typed: &Typed| typed.reads_clock();
        allows.chain(restricts).any(|(applies, rows)| reads(&applies.to) || rows.as_ref().is_some_and(reads))
            || self.denies.iter().any(|deny| reads(&deny.to))
            || self.children.iter().any(ChildRows::reads_clock)
    }
}

/// A rule and the condition under which it applies.
#[derive(Debug, Clone)]
pub(crate) struct Applies {
    pub(crate) rule: Arc<Rule>,
    pub(crate) to: Typed,
}

impl Applies {
    pub(crate) fn covers(&self, action: Action) -> bool {
        self.rule.actions.contains(&action)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Allow {
    pub(crate) applies: Applies,
    pub(crate) rows: Option<Typed>,
    /// What each field shows; none where it is hidden.
    pub(crate) shows: Vec<Shown>,
}

#[derive(Debug, Clone)]
pub(crate) struct Restrict {
    pub(crate) applies: Applies,
    pub(crate) rows: Option<Typed>,
    pub(crate) caps: Vec<Cap>,
}

/// What a restrict leaves of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cap {
    /// At most all of these; of none it caps nothing.
    AtMost(Vec<Mask>),
    Hidden,
}

impl Policy {
    /// Types the policy against live catalogues. A difference never fails: an allow that cannot be typed grants
    /// nothing, a restrict or a deny that cannot be typed closes its relation, and each is told.
    #[must_use]
    pub fn bind(&self, catalogs: &[Arc<Catalog>]) -> (Bound, Vec<Diagnostic>) {
        let has_purpose = self.schema.get("purpose").is_some();
        let mut bound = Bound { has_purpose, ..Bound::default() };
        let mut told = Vec::new();
        let mut children = Vec::new();
        let lookups = lookups::bind(self, catalogs, &mut told);
        for block in &self.blocks {
            let Some(catalog) = catalogs.iter().find(|catalog| catalog.store == block.data.store) else {
                let message = format!("the store `{}` is not there", block.data.store);
                let known = catalogs.iter().map(|catalog| &*catalog.store);
                told.push(block.place.error(message).suggest(&block.data.store, known));
                continue;
            };
            let live = catalog.relation(&block.data.relation);
            if live.is_some_and(|live| !live.parents.is_empty()) {
                children.push((block, catalog));
                continue;
            }
            let mut binder = Binder {
                policy: self,
                block,
                catalog,
                lookups: &lookups,
                columns: Vec::new(),
                untyped: false,
                told: &mut told,
            };
            match binder.relation() {
                Some(relation) => {
                    let relations = bound.stores.entry(catalog.store.clone()).or_default();
                    relations.insert(relation.name.clone(), relation);
                }
                None => bound.close(&catalog.store, &block.data.relation),
            }
        }
        children::bind(self, &children, &lookups, &mut bound, &mut told);
        for catalog in catalogs {
            bound.catalogs.insert(catalog.store.clone(), catalog.clone());
            crate::catalogue::bind(catalog, &mut bound);
        }
        told.sort_by(|one, other| one.order().cmp(&other.order()));
        told.dedup();
        (bound, told)
    }
}

/// A block of the policy that ships, against a live catalogue; what this server's version lacks is told to nobody.
pub(crate) fn shipped(policy: &Policy, block: &Block, catalog: &Catalog) -> Option<Relation> {
    let mut told = Vec::new();
    let lookups = Lookups::default();
    let columns = Vec::new();
    Binder { policy, block, catalog, lookups: &lookups, columns, untyped: false, told: &mut told }.relation()
}

/// One block against its catalogue.
struct Binder<'a> {
    policy: &'a Policy,
    block: &'a Block,
    catalog: &'a Catalog,
    lookups: &'a Lookups,
    /// The listed fields that are there, in the relation's order.
    columns: Vec<(&'a Column, &'a FieldLine)>,
    /// Whether something of the rule at hand could not be typed.
    untyped: bool,
    told: &'a mut Vec<Diagnostic>,
}

impl<'a> Binder<'a> {
    /// The relation; none where it is closed.
    fn relation(&mut self) -> Option<Relation> {
        let name = &self.block.data.relation;
        let Some(live) = self.catalog.relation(name) else {
            self.missing_relation();
            return None;
        };
        self.missing_fields(live);
        self.unlocked_fields(live);
        let block = self.block;
        let line = |column: &'a Column| Some((column, block.fields.get(&column.name)?));
        self.columns = live.columns.iter().filter_map(line).collect();
        let mut relation = Relation {
            name: name.clone(),
            fields: self.columns.iter().map(|(column, _)| column.name.clone()).collect(),
            allows: Vec::new(),
            restricts: Vec::new(),
            denies: Vec::new(),
            children: Vec::new(),
        };
        let mut closed = false;
        for rule in self.policy.rules.iter().filter(|rule| rule.covers(&self.block.data)) {
            let bound = self.rule(rule, live, &mut relation);
            closed |= !bound && rule.kind != RuleKind::Allow;
        }
        (!closed).then_some(relation)
    }

    /// Binds one rule; false where it cannot be typed, which has been told.
    fn rule(&mut self, rule: &Arc<Rule>, live: &access::Relation, relation: &mut Relation) -> bool {
        self.untyped = false;
        let to = self.typed(&rule.to, None);
        let rows = rule.rows.as_ref().map(|rows| self.typed(rows, Some(live)));
        self.shown_fields_exist(rule, live);
        let (shows, caps) = match rule.kind {
            RuleKind::Allow => (self.shows(rule), Vec::new()),
            RuleKind::Restrict => (Vec::new(), self.caps(rule)),
            RuleKind::Deny => (Vec::new(), Vec::new()),
        };
        let (Some(to), false) = (to, self.untyped) else {
            self.tell_the_consequence(rule);
            return false;
        };
        if !self.few_enough(rule, &shows, relation) {
            self.tell_the_consequence(rule);
            return false;
        }
        let (applies, rows) = (Applies { rule: rule.clone(), to }, rows.flatten());
        match rule.kind {
            RuleKind::Allow => relation.allows.push(Allow { applies, rows, shows }),
            RuleKind::Restrict => relation.restricts.push(Restrict { applies, rows, caps }),
            RuleKind::Deny => relation.denies.push(applies),
        }
        true
    }

    fn tell_the_consequence(&mut self, rule: &Rule) {
        let (data, word) = (&self.block.data, rule.kind.word());
        let consequence = match rule.kind {
            RuleKind::Allow => "it grants nothing there",
            RuleKind::Restrict | RuleKind::Deny => "the relation is closed",
        };
        let message = format!("the {word} `{}` cannot be typed over `{data}`: {consequence}", rule.name);
        self.told.push(rule.place.error(message));
    }

    fn missing_relation(&mut self) {
        let name = &self.block.data.relation;
        let others: Vec<String> = self.catalog.relations.keys().map(ToString::to_string).collect();
        let error = self.block.place.error(format!("the store `{}` has no `{name}`", self.catalog.store));
        self.told.push(error.suggest(&name.to_string(), others.iter().map(String::as_str)));
    }

    fn missing_fields(&mut self, live: &access::Relation) {
        for (name, line) in &self.block.fields {
            if live.column(name).is_none() {
                let error = line.class.place.error(format!("`{}` has no column `{name}`", self.block.data));
                self.told.push(error.suggest(name, live.columns.iter().map(|column| &*column.name)));
            }
        }
    }

    /// Columns that `"*"` does not stand for, as the lock does not name them.
    fn unlocked_fields(&mut self, live: &access::Relation) {
        let Some(more) = self.block.more.as_ref().filter(|_| self.policy.locked) else { return };
        let unlisted = live.columns.iter().filter(|column| !self.block.fields.contains_key(&column.name));
        let names: Vec<String> = unlisted.map(|column| format!("`{}`", column.name)).collect();
        if !names.is_empty() {
            let message =
                format!("not in the lock of fields, of `{}`: {}", self.block.data, names.join(", "));
            let warning = more.class.place.warning(message);
            self.told.push(warning.help("hidden until `veilgate check --accept` names them"));
        }
    }

    /// A line of `show` for a field that the relation lacks: the rule means another relation.
    fn shown_fields_exist(&mut self, rule: &Rule, live: &access::Relation) {
        for line in &rule.show {
            let ShowKey::Field(name) = &line.key else { continue };
            if live.column(name).is_none() {
                self.untyped = true;
                let error = line.place.error(format!("`{}` has no column `{name}`", self.block.data));
                self.told.push(error.suggest(name, live.columns.iter().map(|column| &*column.name)));
            }
        }
    }

    fn typed(&mut self, expression: &Expression, live: Option<&access::Relation>) -> Option<Typed> {
        let lookup = |name: &str| match live.and_then(|live| live.column(name)) {
            Some(column) => FieldLookup::Known(self.catalog.field_type(column.type_oid)),
            None => {
                let columns = live.iter().flat_map(|live| &live.columns);
                FieldLookup::Missing(columns.map(|column| column.name.clone()).collect())
            }
        };
        let fields: Option<&dyn Fn(&str) -> FieldLookup> = if live.is_some() { Some(&lookup) } else { None };
        let found = |name: &str| self.lookups.find(name, &self.catalog.store);
        let lookups: Option<&dyn Fn(&str) -> LookupFound> = if live.is_some() { Some(&found) } else { None };
        let typed = expr::check(&expression.expr, &Scope { schema: &self.policy.schema, fields, lookups });
        match typed {
            Ok(typed) => Some(typed),
            Err(problems) => {
                self.untyped = true;
                self.told.extend(problems.into_iter().map(|problem| expression.diagnose(problem)));
                None
            }
        }
    }

    /// What an allow shows of each field: its own most specific line, else the line of the class.
    fn shows(&mut self, rule: &Rule) -> Vec<Shown> {
        let columns = self.columns.clone();
        columns.into_iter().map(|(column, line)| self.shown(rule, column, line)).collect()
    }

    fn shown(&mut self, rule: &Rule, column: &Column, field: &FieldLine) -> Shown {
        let whole = self.shown_whole(rule, column, field)?;
        self.shown_paths(rule, column, field, whole)
    }

    fn shown_whole(&mut self, rule: &Rule, column: &Column, field: &FieldLine) -> Shown {
        if let Some(line) = own_line(rule, &column.name, &field.class.name) {
            return self.fit(&line.mask, column, &field.class.name, &line.place);
        }
        let (mask, place) = self.policy.masks.of(&field.class.name)?;
        let place = place.unwrap_or(&field.class.place);
        self.flag_null(mask, column, place);
        // A default that does not fit is no rule's fault: the field alone is hidden.
        mask.fit(column, &field.class.name, self.catalog).unwrap_or_else(|why| {
            let misfit = self.misfit(place, column, &why);
            self.told.push(misfit.help("the field is hidden where no rule shows it otherwise"));
            None
        })
    }

    fn fit(&mut self, mask: &Written, column: &Column, class: &str, place: &Place) -> Shown {
        self.flag_null(mask, column, place);
        mask.fit(column, class, self.catalog).unwrap_or_else(|why| {
            self.untyped = true;
            self.told.push(self.misfit(place, column, &why));
            None
        })
    }

    fn misfit(&self, place: &Place, column: &Column, why: &str) -> Diagnostic {
        place.error(format!("over `{}` of `{}`: {why}", column.name, self.block.data))
    }

    fn flag_null(&mut self, mask: &Written, column: &Column, place: &Place) {
        if *mask == Written::Nullify && column.not_null {
            let message =
                format!("`nullify` over `{}` of `{}`, which is NOT NULL", column.name, self.block.data);
            self.told.push(place.warning(message).help("clients that rely on NOT NULL will meet NULL"));
        }
    }

    /// What a restrict leaves of each field: every line that covers it counts; a mask that does not fit is `nullify`.
    fn caps(&self, rule: &Rule) -> Vec<Cap> {
        self.columns.iter().map(|(column, line)| self.cap(rule, column, line)).collect()
    }

    fn cap(&self, rule: &Rule, column: &Column, field: &FieldLine) -> Cap {
        let covers = |line: &&ShowLine| match &line.key {
            ShowKey::Field(name) => *name == column.name,
            ShowKey::Class(class) => lineage(&field.class.name).any(|ancestor| ancestor == class),
        };
        let caps: Option<Vec<Mask>> = rule
            .show
            .iter()
            .filter(covers)
            .map(|line| line.mask.fit(column, &field.class.name, self.catalog).unwrap_or(Some(Mask::Nullify)))
            .collect();
        let Some(mut caps) = caps else { return Cap::Hidden };
        caps.extend(self.capped_paths(rule, column, field));
        Cap::AtMost(caps)
    }
}

/// The line of a rule that is most specific for a field: its own, else that of its class or the nearest above.
pub(crate) fn own_line<'r>(rule: &'r Rule, field: &str, class: &str) -> Option<&'r ShowLine> {
    let by_field = |line: &&ShowLine| matches!(&line.key, ShowKey::Field(name) if **name == *field);
    rule.show.iter().find(by_field).or_else(|| class_line(rule, class))
}

/// The line of a rule for a class, else for the nearest above.
pub(crate) fn class_line<'r>(rule: &'r Rule, class: &str) -> Option<&'r ShowLine> {
    let by_class = |class: &str| {
        rule.show.iter().find(|line| matches!(&line.key, ShowKey::Class(other) if other == class))
    };
    lineage(class).find_map(by_class)
}
