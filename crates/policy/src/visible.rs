//! What a caller may learn of a store's catalogue: everything that its rules let it read, and what hangs on that alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use access::{
    Action, Catalog, CatalogSet, Dependent, DependentKind, FIRST_USER_OID, Need, Relation, RelationName,
    Touch, TypeKind, Visible, column_key, is_catalogue, names_key, object_key,
};

use crate::bind::Bound;
use crate::guards::Asked;

const PG_CLASS: u32 = 1259;
const PG_TYPE: u32 = 1247;
const PG_CONSTRAINT: u32 = 2606;
const PG_ATTRDEF: u32 = 2604;
const PG_TRIGGER: u32 = 2620;
const PG_NAMESPACE: u32 = 2615;

/// The most callers whose keys are kept.
const KEPT_MAX: usize = 256;

/// What was gathered for the callers of one bound policy. Dropped with it, so that no reload leaves anything behind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<HashMap<String, Arc<Visible>>>>);

impl Bound {
    /// What this caller may learn of the store's catalogue.
    pub(crate) fn visible(&self, store: &str, asked: &Asked<'_>) -> Arc<Visible> {
        let key = format!("{store} {:?} {}", asked.caller, asked.request.ip);
        let keep = !self.reads_clock();
        if keep && let Some(kept) = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(kept);
        }
        let visible = Arc::new(self.gathered(store, asked));
        if keep {
            let mut kept = self.kept.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= KEPT_MAX {
                kept.clear();
            }
            kept.insert(key, Arc::clone(&visible));
        }
        visible
    }

    fn gathered(&self, store: &str, asked: &Asked<'_>) -> Visible {
        let Some(catalog) = self.catalogs.get(store) else { return Visible::default() };
        let mut gathering = Gathering::new(catalog);
        let governed = self.stores.get(store);
        for relation in catalog.relations.values().filter(|relation| !is_catalogue(&relation.name.schema)) {
            let Some(top) = topmost(relation, catalog) else { continue };
            let Some(governing) = governed.and_then(|governed| governed.get(&top.name)) else { continue };
            if governing.denies(asked) {
                continue;
            }
            let Ok(decision) = governing.decide(&Touch::new(top.name.clone(), Action::Read), asked) else {
                continue;
            };
            gathering.relation(relation, &decision.guard());
        }
        gathering.dependents();
        gathering.types();
        gathering.finish()
    }
}

/// The relation whose rules decide; none where there are several parents, or a loop of them.
fn topmost<'c>(relation: &'c Relation, catalog: &'c Catalog) -> Option<&'c Relation> {
    let mut top = relation;
    for _ in 0..=catalog.relations.len() {
        match top.parents.as_slice() {
            [] => return Some(top),
            [parent] => top = catalog.relation(parent)?,
            _ => return None,
        }
    }
    None
}

struct Gathering<'c> {
    catalog: &'c Catalog,
    relations: HashMap<RelationName, u32>,
    /// Relations by oid, with those columns that exist for the caller, and whether each is shown in clear.
    columns: HashMap<u32, HashMap<i16, bool>>,
    whole: Vec<u32>,
    types: HashSet<u32>,
    collations: HashSet<u32>,
    roles: HashSet<u32>,
    schemas: HashSet<Arc<str>>,
    oids: BTreeMap<CatalogSet, HashSet<u32>>,
    numbers: BTreeMap<CatalogSet, Vec<i64>>,
    names: BTreeMap<CatalogSet, Vec<String>>,
    /// How many CHECKs of each relation may be told.
    checks: BTreeMap<u32, i64>,
    /// Of each dependent, by class and oid: whether it may be told. One that is being looked at counts as hidden.
    told: HashMap<(u32, u32), bool>,
}

impl<'c> Gathering<'c> {
    fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            relations: HashMap::new(),
            columns: HashMap::new(),
            whole: Vec::new(),
            types: HashSet::new(),
            collations: HashSet::new(),
            roles: HashSet::new(),
            schemas: HashSet::new(),
            oids: BTreeMap::new(),
            numbers: BTreeMap::new(),
            names: BTreeMap::new(),
            checks: BTreeMap::new(),
            told: HashMap::new(),
        }
    }

    fn relation(&mut self, relation: &Relation, guard: &access::Guard) {
        let Some(detail) = self.catalog.objects.relations.get(&relation.oid) else { return };
        let (schema, name) = (&relation.name.schema, &relation.name.name);
        let mut columns = HashMap::new();
        for (column, number) in relation.columns.iter().zip(&detail.numbers) {
            let Some(guarded) = guard.columns.iter().find(|guarded| guarded.name == column.name) else {
                continue;
            };
            columns.insert(*number, guarded.cell.is_clear());
            self.numbers.entry(CatalogSet::Columns).or_default().push(column_key(relation.oid, *number));
            let names = [&**schema, &**name, &*column.name];
            self.names.entry(CatalogSet::ColumnNames).or_default().push(names_key(&names));
            self.types.insert(column.type_oid);
            self.collations.insert(column.collation);
            if column.not_null
                && let Some((schema_oid, _)) = self.catalog.objects.schemas.get(schema)
            {
                // What the server calls a NOT NULL that has no name of its own.
                let constraint = format!("{schema_oid}_{}_{number}_not_null", relation.oid);
                self.constraint_names(schema, name, &constraint);
            }
        }
        if guard.rows.is_none() && columns.len() == relation.columns.len() {
            self.whole.push(relation.oid);
        }
        self.columns.insert(relation.oid, columns);
        self.types.insert(relation.row_type);
        self.named(&relation.name, relation.oid, detail.owner);
    }

    fn named(&mut self, name: &RelationName, oid: u32, owner: u32) {
        self.oids.entry(CatalogSet::Relations).or_default().insert(oid);
        self.relations.insert(name.clone(), oid);
        let names = names_key(&[&name.schema, &name.name]);
        self.names.entry(CatalogSet::RelationNames).or_default().push(names);
        self.roles.insert(owner);
        self.schemas.insert(name.schema.clone());
    }

    fn constraint_names(&mut self, schema: &str, relation: &str, constraint: &str) {
        let names = names_key(&[schema, constraint]);
        self.names.entry(CatalogSet::ConstraintNames).or_default().push(names);
        let names = names_key(&[schema, relation, constraint]);
        self.names.entry(CatalogSet::TableConstraintNames).or_default().push(names);
    }

    fn dependents(&mut self) {
        let dependents = &self.catalog.objects.dependents;
        let by_oid: HashMap<(u32, u32), &Dependent> =
            dependents.iter().map(|dependent| ((class(dependent.kind), dependent.oid), dependent)).collect();
        // A name that a hidden constraint has too would show that one with it.
        let mut hidden = HashSet::new();
        let names: HashMap<u32, &RelationName> =
            self.catalog.relations.values().map(|relation| (relation.oid, &relation.name)).collect();
        for dependent in dependents {
            if !self.may_tell(dependent, &by_oid) {
                if matches!(dependent.kind, DependentKind::Check | DependentKind::Constraint) {
                    hidden.insert(names_key(&[&dependent.schema, &dependent.name]));
                }
                continue;
            }
            let relation = names.get(&dependent.relation).copied();
            self.tell(dependent, relation);
        }
        if let Some(names) = self.names.get_mut(&CatalogSet::ConstraintNames) {
            names.retain(|name| !hidden.contains(name));
        }
    }

    fn tell(&mut self, dependent: &Dependent, relation: Option<&RelationName>) {
        let own = RelationName::new(dependent.schema.clone(), dependent.name.clone());
        let owner = self.catalog.objects.relations.get(&dependent.relation).map_or(0, |detail| detail.owner);
        match dependent.kind {
            DependentKind::Index => {
                self.oids.entry(CatalogSet::Indexed).or_default().insert(dependent.relation);
                self.named(&own, dependent.oid, owner);
                let numbers = self.numbers.entry(CatalogSet::Columns).or_default();
                numbers.extend((1..=dependent.columns).map(|number| column_key(dependent.oid, number)));
            }
            DependentKind::Sequence => {
                let detail = self.catalog.objects.relations.get(&dependent.oid);
                self.named(&own, dependent.oid, detail.map_or(owner, |detail| detail.owner));
                let numbers = self.numbers.entry(CatalogSet::Columns).or_default();
                numbers.extend((1..=3).map(|number| column_key(dependent.oid, number)));
            }
            DependentKind::Check | DependentKind::Constraint => {
                if dependent.kind == DependentKind::Check && dependent.relation != 0 {
                    *self.checks.entry(dependent.relation).or_default() += 1;
                }
                self.oids.entry(CatalogSet::Constraints).or_default().insert(dependent.oid);
                match relation {
                    Some(relation) => {
                        self.constraint_names(&relation.schema, &relation.name, &dependent.name);
                    }
                    None => self.constraint_names(&dependent.schema, "", &dependent.name),
                }
            }
            DependentKind::Default => {
                self.oids.entry(CatalogSet::Defaults).or_default().insert(dependent.oid);
                let key = column_key(dependent.relation, dependent.columns);
                self.numbers.entry(CatalogSet::Defaulted).or_default().push(key);
                if let Some(relation) = relation.filter(|_| !dependent.name.is_empty()) {
                    let names = names_key(&[&relation.schema, &relation.name, &dependent.name]);
                    self.names.entry(CatalogSet::DefaultNames).or_default().push(names);
                }
            }
            DependentKind::Trigger => {
                self.oids.entry(CatalogSet::Triggered).or_default().insert(dependent.relation);
                self.oids.entry(CatalogSet::Triggers).or_default().insert(dependent.oid);
            }
            DependentKind::Partitioning => {
                self.oids.entry(CatalogSet::Partitioned).or_default().insert(dependent.oid);
                let children = self.catalog.relations.values();
                let children =
                    children.filter(|child| relation.is_some_and(|own| child.parents.contains(own)));
                self.oids.entry(CatalogSet::Bounds).or_default().extend(children.map(|child| child.oid));
            }
        }
    }

    fn may_tell(&mut self, dependent: &Dependent, by_oid: &HashMap<(u32, u32), &Dependent>) -> bool {
        let key = (class(dependent.kind), dependent.oid);
        if let Some(told) = self.told.get(&key) {
            return *told;
        }
        self.told.insert(key, false);
        let own = dependent.relation == 0 || self.columns.contains_key(&dependent.relation);
        let told = own
            && !dependent.needs.is_empty()
            && dependent.needs.iter().all(|need| self.may_need(need, dependent, by_oid));
        self.told.insert(key, told);
        told
    }

    fn may_need(
        &mut self,
        need: &Need,
        dependent: &Dependent,
        by_oid: &HashMap<(u32, u32), &Dependent>,
    ) -> bool {
        match (need.class, self.columns.get(&need.oid)) {
            (PG_CLASS, Some(_)) if need.column <= 0 => true,
            // What computes tells constants: of a masked column they can be the values that the mask hides.
            (PG_CLASS, Some(columns)) => {
                columns.get(&need.column).is_some_and(|clear| *clear || !dependent.computes)
            }
            (PG_TYPE, _) => self.is_type_of_a_column(need.oid),
            (PG_CLASS | PG_CONSTRAINT | PG_ATTRDEF | PG_TRIGGER, _) => {
                by_oid.get(&(need.class, need.oid)).is_some_and(|other| self.may_tell(other, by_oid))
            }
            // Functions, operators and the like that the server did not make are told to nobody.
            _ => false,
        }
    }

    /// Whether a visible column has this type, or an array or a domain of it.
    fn is_type_of_a_column(&self, oid: u32) -> bool {
        self.types.iter().any(|ty| {
            let mut next = Some(*ty);
            std::iter::from_fn(|| {
                let current = next?;
                next = self.below(current);
                Some(current)
            })
            .take(16)
            .any(|current| current == oid)
        })
    }

    fn below(&self, oid: u32) -> Option<u32> {
        match self.catalog.types.get(&oid)?.kind {
            TypeKind::Array { element } => Some(element),
            TypeKind::Domain { base, .. } => Some(base),
            TypeKind::Base | TypeKind::Enum | TypeKind::Composite | TypeKind::Range | TypeKind::Pseudo => {
                None
            }
        }
    }

    /// What the types of visible columns are made of, and the arrays of all these.
    fn types(&mut self) {
        let mut all = HashSet::new();
        for ty in &self.types {
            let mut next = Some(*ty);
            while let Some(oid) = next.filter(|oid| *oid >= FIRST_USER_OID && all.insert(*oid)) {
                next = self.below(oid);
            }
        }
        let arrays = self.catalog.types.values();
        let arrays =
            arrays.filter(|ty| matches!(ty.kind, TypeKind::Array { element } if all.contains(&element)));
        let arrays: Vec<u32> = arrays.map(|ty| ty.oid).collect();
        all.extend(arrays);
        for oid in &all {
            if let Some(ty) = self.catalog.types.get(oid) {
                let names = names_key(&[&ty.schema, &ty.name]);
                self.names.entry(CatalogSet::TypeNames).or_default().push(names);
                self.schemas.insert(ty.schema.clone());
            }
        }
        self.types = all;
    }

    fn finish(mut self) -> Visible {
        let collations = self.collations.iter().filter_map(|oid| self.catalog.collations.get(oid));
        self.schemas.extend(collations.map(|collation| collation.schema.clone()));
        let objects = &self.catalog.objects;
        let schemas: Vec<(Arc<str>, u32, u32)> = self
            .schemas
            .iter()
            .filter_map(|name| objects.schemas.get(name).map(|(oid, owner)| (name.clone(), *oid, *owner)))
            .collect();
        for (name, oid, owner) in schemas {
            self.oids.entry(CatalogSet::Schemas).or_default().insert(oid);
            self.names.entry(CatalogSet::SchemaNames).or_default().push(name.to_string());
            self.roles.insert(owner);
        }
        self.oids.insert(CatalogSet::Whole, self.whole.iter().copied().collect());
        self.oids.insert(CatalogSet::Types, self.types.clone());
        self.oids.insert(CatalogSet::Collations, self.collations.clone());
        self.oids.insert(CatalogSet::Roles, self.roles.clone());
        self.oids.insert(CatalogSet::Databases, HashSet::from([objects.database]));
        self.objects();

        let mut keys: BTreeMap<CatalogSet, Arc<str>> = BTreeMap::new();
        for (set, oids) in &self.oids {
            let own = oids.iter().filter(|oid| **oid >= FIRST_USER_OID).map(ToString::to_string);
            keys.insert(*set, array(own.collect()));
        }
        for (set, numbers) in &self.numbers {
            keys.insert(*set, array(numbers.iter().map(ToString::to_string).collect()));
        }
        for (set, names) in &self.names {
            keys.insert(*set, array(names.iter().map(|name| quoted(name)).collect()));
        }
        let mut checks: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (relation, count) in &self.checks {
            checks.entry(*count).or_default().push(relation.to_string());
        }
        let checks = checks.into_iter().map(|(count, relations)| (count, array(relations))).collect();
        Visible { keys, checks, relations: self.relations, types: self.types }
    }

    fn objects(&mut self) {
        let mut keys: Vec<i64> = Vec::new();
        for (class, set) in [
            (PG_CLASS, CatalogSet::Relations),
            (PG_TYPE, CatalogSet::Types),
            (PG_CONSTRAINT, CatalogSet::Constraints),
            (PG_ATTRDEF, CatalogSet::Defaults),
            (PG_TRIGGER, CatalogSet::Triggers),
            (PG_NAMESPACE, CatalogSet::Schemas),
        ] {
            keys.extend(self.oids.get(&set).into_iter().flatten().map(|oid| object_key(class, *oid)));
        }
        keys.extend(self.numbers.get(&CatalogSet::Columns).into_iter().flatten().map(|key| -key));
        self.numbers.insert(CatalogSet::Objects, keys);
    }
}

/// The relation of the catalogue that holds such a thing; a partitioning has none of its own that others need.
fn class(kind: DependentKind) -> u32 {
    match kind {
        DependentKind::Index | DependentKind::Sequence => PG_CLASS,
        DependentKind::Check | DependentKind::Constraint => PG_CONSTRAINT,
        DependentKind::Default => PG_ATTRDEF,
        DependentKind::Trigger => PG_TRIGGER,
        DependentKind::Partitioning => 0,
    }
}

/// The text of an array, in an order that does not depend on chance.
fn array(mut elements: Vec<String>) -> Arc<str> {
    elements.sort_unstable();
    elements.dedup();
    format!("{{{}}}", elements.join(",")).into()
}

fn quoted(element: &str) -> String {
    format!("\"{}\"", element.replace('\\', "\\\\").replace('"', "\\\""))
}
