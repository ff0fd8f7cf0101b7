//! Names to things of the catalogue, as the server would find them along the caller's own path.

use std::sync::Arc;

use access::{Catalog, Refusal, RefusalKind, Relation, RelationName, is_catalogue, quote};
use pg_raw_parse::nodes;

/// What names are resolved against, and what a statement may ask about its session.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// The caller's own search path, tracked by the gateway; `$user` stands for the caller's name.
    pub search_path: &'a [Arc<str>],
    /// The caller's name: what `current_user` answers.
    pub caller: &'a str,
    /// The types that the client declared for its parameters, by oid; 0 where it left one open.
    pub parameters: &'a [u32],
}

impl Session<'_> {
    /// The schemas of the path that exist, in its order.
    pub(crate) fn schemas<'c>(&self, catalog: &'c Catalog) -> impl Iterator<Item = &'c Arc<str>> {
        self.search_path.iter().filter_map(|schema| {
            let name = if &**schema == "$user" { self.caller } else { schema };
            catalog.schemas.iter().find(|known| &***known == name)
        })
    }

    /// The first schema of the path that exists, the catalogue's own among them.
    pub(crate) fn current_schema(&self, catalog: &Catalog) -> Option<Arc<str>> {
        self.search_path.iter().find_map(|schema| {
            let name = if &**schema == "$user" { self.caller } else { schema };
            let exists = matches!(name, "pg_catalog" | "information_schema")
                || catalog.schemas.iter().any(|known| &**known == name);
            exists.then(|| name.into())
        })
    }
}

/// The relation that a FROM clause names.
pub(crate) fn relation<'c>(
    range: &nodes::RangeVar,
    catalog: &'c Catalog,
    session: &Session<'_>,
) -> Result<&'c Arc<Relation>, Refusal> {
    let name = range.relname().unwrap_or_default();
    // The client knows the store by its name here, and the database by what it answers for itself.
    let names = [&*catalog.store, &*catalog.database];
    if let Some(database) = range.catalogname().filter(|database| !names.contains(database)) {
        let message = format!("cross-database references are not supported: `{}`", quote(database));
        return Err(Refusal::new(RefusalKind::Unsupported, message).at(range.location));
    }
    let found = match range.schemaname() {
        Some(schema) => catalog.relation(&RelationName::new(schema, name)),
        // The server looks into pg_catalog first.
        None => catalog.relation(&RelationName::new("pg_catalog", name)).or_else(|| {
            session
                .schemas(catalog)
                .find_map(|schema| catalog.relation(&RelationName::new(schema.clone(), name)))
        }),
    };
    found.ok_or_else(|| missing(range))
}

/// What a relation that does not exist for this caller answers, whether or not it is there.
pub(crate) fn missing(range: &nodes::RangeVar) -> Refusal {
    let name = range.relname().unwrap_or_default();
    match range.schemaname() {
        Some(schema) if is_catalogue(schema) => return of_the_catalogue(schema, name, range),
        None if name.starts_with("pg_") => return of_the_catalogue("pg_catalog", name, range),
        _ => {}
    }
    let shown = range.schemaname().map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
    Refusal::new(RefusalKind::UnknownRelation, format!("relation \"{shown}\" does not exist"))
        .at(range.location)
}

fn of_the_catalogue(schema: &str, name: &str, range: &nodes::RangeVar) -> Refusal {
    Refusal::new(RefusalKind::Unsupported, format!("`{schema}.{name}` is not readable here"))
        .hint("docs/catalogue.md lists what can be read of the server's catalogue")
        .at(range.location)
}

/// The relation whose policy decides: for a partition or a child the topmost parent. None where there are several: then
/// the relation is not there for anybody.
pub(crate) fn governing<'c>(relation: &'c Arc<Relation>, catalog: &'c Catalog) -> Option<&'c Arc<Relation>> {
    let mut current = relation;
    // A chain of parents is never longer than the number of relations.
    for _ in 0..=catalog.relations.len() {
        match current.parents.as_slice() {
            [] => return Some(current),
            [parent] => current = catalog.relation(parent)?,
            _ => return None,
        }
    }
    None
}
