//! Mapping tables against the live catalogue.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Catalog, Field, RelationKind};

use crate::Diagnostic;
use crate::expr::{self, FieldLookup, LookupFound, Scope, TypedLookup};
use crate::policy::{Lookup, Policy};

/// From how many values on they are hashed rather than listed.
const MANY: u64 = 1_000;

/// Every lookup of the policy, by name: its store, and what it reads there; none where that cannot be typed.
#[derive(Debug, Default)]
pub(super) struct Lookups(BTreeMap<Arc<str>, InStore>);

/// The store of a lookup, and what it reads there.
type InStore = (Arc<str>, Option<Arc<TypedLookup>>);

pub(super) fn bind(policy: &Policy, catalogs: &[Arc<Catalog>], told: &mut Vec<Diagnostic>) -> Lookups {
    let mut lookups = Lookups::default();
    for lookup in &policy.lookups {
        let catalog = catalogs.iter().find(|catalog| catalog.store == lookup.from.store);
        let typed = match catalog {
            Some(catalog) => typed(policy, lookup, catalog, told),
            None => {
                let error = lookup.place.error(format!("the store `{}` is not there", lookup.from.store));
                told.push(error.suggest(&lookup.from.store, catalogs.iter().map(|catalog| &*catalog.store)));
                None
            }
        };
        lookups.0.insert(lookup.name.clone(), (lookup.from.store.clone(), typed));
    }
    lookups
}

impl Lookups {
    /// The lookup, for a relation of this store.
    pub(super) fn find(&self, name: &str, store: &str) -> LookupFound {
        match self.0.get(name) {
            None => LookupFound::Missing(self.0.keys().cloned().collect()),
            Some((other, _)) if **other != *store => {
                LookupFound::Unusable(format!("`lookup.{name}` reads the store `{other}`, and not `{store}`"))
            }
            Some((_, None)) => LookupFound::Unusable(format!("`lookup.{name}` cannot be read")),
            Some((_, Some(lookup))) => LookupFound::Known(lookup.clone()),
        }
    }
}

/// The lookup, typed; all that is wrong is told.
fn typed(
    policy: &Policy,
    lookup: &Lookup,
    catalog: &Catalog,
    told: &mut Vec<Diagnostic>,
) -> Option<Arc<TypedLookup>> {
    let name = &lookup.from.relation;
    let Some(live) = catalog.relation(name) else {
        let others: Vec<String> = catalog.relations.keys().map(ToString::to_string).collect();
        let error = lookup.place.error(format!("the store `{}` has no `{name}`", catalog.store));
        told.push(error.suggest(&name.to_string(), others.iter().map(String::as_str)));
        return None;
    };
    // A view would run what its owner wrote, in the middle of a guard.
    let stored =
        matches!(live.kind, RelationKind::Table | RelationKind::Partitioned | RelationKind::MaterializedView);
    if !stored || live.has_rules {
        told.push(
            lookup.place.error(format!("the lookup `{}` reads `{name}`, which is no table", lookup.name)),
        );
        return None;
    }
    let (take, place) = &lookup.take;
    let Some(column) = live.column(take) else {
        let error = place.error(format!("`{}` has no column `{take}`", lookup.from));
        told.push(error.suggest(take, live.columns.iter().map(|column| &*column.name)));
        return None;
    };
    let fields = |name: &str| match live.column(name) {
        Some(column) => FieldLookup::Known(catalog.field_type(column.type_oid)),
        None => FieldLookup::Missing(live.columns.iter().map(|column| column.name.clone()).collect()),
    };
    let scope = Scope { schema: &policy.schema, fields: Some(&fields), lookups: None };
    let rows = match &lookup.filter {
        None => None,
        Some(filter) => match expr::check(&filter.expr, &scope) {
            Ok(typed) => Some(typed),
            Err(problems) => {
                told.extend(problems.into_iter().map(|problem| filter.diagnose(problem)));
                return None;
            }
        },
    };
    Some(Arc::new(TypedLookup {
        name: lookup.name.clone(),
        relation: name.clone(),
        rows,
        take: Field { name: take.clone(), ty: catalog.field_type(column.type_oid) },
        many: lookup.expect.is_some_and(|values| values > MANY),
    }))
}
