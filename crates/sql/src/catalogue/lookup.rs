//! Names that come later, in a parameter or out of a row: `to_regtype($1)`, `has_table_privilege(t.schema || '.' || t.name, …)`,
//! `format('%I.%I', …)::regclass`. The server is not asked, which knows more than the caller may: the names of all that the
//! caller may know of go with the statement, and the text is looked up among these.

use std::collections::HashSet;
use std::sync::Arc;

use access::{DependentKind, FIRST_USER_OID, TypeKind, is_catalogue};

use super::literal::STANDARD_TYPES;
use super::wrap::Wrap;
use super::{Mark, REGCLASS, REGNAMESPACE, REGTYPE, array};
use crate::analyze::Analyzer;
use crate::lists::oid;
use crate::range::{Facts, Ty};

/// Stands between the parts of a name.
pub(super) const BETWEEN: &str = "\u{1f}";

/// `pg_class`, which holds what a constraint is made of.
const PG_CLASS: u32 = 1259;

/// Names and the number of each, as the texts of two arrays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(super) names: Arc<str>,
    pub(super) oids: Arc<str>,
}

/// All that a text may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lookup {
    /// The type of the answer.
    pub(super) ty: &'static str,
    /// By the very text, in lower case.
    pub(super) spelled: Option<Listed>,
    /// By the parts of the text; of a schema by the very text.
    pub(super) named: Listed,
}

/// Whether a value is a text, or a constant or parameter that becomes one.
pub(super) fn is_text(facts: &Facts) -> bool {
    matches!(facts.ty, Ty::Literal | Ty::Known(oid::TEXT | oid::VARCHAR | oid::NAME))
}

impl Analyzer<'_> {
    /// Where names of such a thing are looked up.
    pub(super) fn lookup(&self, ty: u32) -> Option<Lookup> {
        match ty {
            REGCLASS => Some(Lookup { ty: "regclass", spelled: None, named: self.relations_by_name()? }),
            REGTYPE => self.types_by_name(),
            REGNAMESPACE => Some(Lookup { ty: "regnamespace", spelled: None, named: self.schemas_by_name() }),
            _ => None,
        }
    }

    /// What a lookup gives: the number of something that the caller may know of, or NULL. A text that is no name fails.
    pub(super) fn looked_up(&self, part: &Facts, ty: u32, location: i32) -> Facts {
        let mut facts = Facts::of(Ty::Known(ty));
        facts.absorb(part);
        facts.collation = Facts::of(Ty::Any).collation;
        self.make_unsafe(&mut facts, "a name that is looked up", location);
        Facts { catalogue: Some(Mark::Key), ..facts }
    }

    fn relations_by_name(&self) -> Option<Listed> {
        let visible = self.guards.visible.as_ref()?;
        let mut names: Vec<(&str, &str, u32)> =
            visible.relations.iter().map(|(name, oid)| (&*name.schema, &*name.name, *oid)).collect();
        let own = self.catalog.relations.values().filter(|relation| is_catalogue(&relation.name.schema));
        names.extend(own.map(|relation| (&*relation.name.schema, &*relation.name.name, relation.oid)));
        Some(self.by_name(&names))
    }

    fn types_by_name(&self) -> Option<Lookup> {
        let visible = self.guards.visible.as_ref()?;
        let known = |oid: u32| oid < FIRST_USER_OID || visible.types.contains(&oid);
        let types: Vec<_> = self.catalog.types.values().filter(|ty| known(ty.oid)).collect();
        let names: Vec<(&str, &str, u32)> = types.iter().map(|ty| (&*ty.schema, &*ty.name, ty.oid)).collect();
        let mut spelled: Vec<(String, u32)> = Vec::new();
        for (standard, own) in STANDARD_TYPES {
            spelled
                .extend(self.catalog.type_named("pg_catalog", own).map(|ty| (standard.to_owned(), ty.oid)));
        }
        for ty in &types {
            let TypeKind::Array { element } = ty.kind else { continue };
            let Some(element) = self.catalog.types.get(&element).filter(|element| known(element.oid)) else {
                continue;
            };
            let (schema, name) = (&*element.schema, &*element.name);
            spelled.push((format!("{schema}.{name}[]"), ty.oid));
            if self.place(schema).is_some() && self.is_first(&names, schema, name) {
                spelled.push((format!("{name}[]"), ty.oid));
            }
            let standard = STANDARD_TYPES.iter().filter(|(_, own)| schema == "pg_catalog" && *own == name);
            spelled.extend(standard.map(|(standard, _)| (format!("{standard}[]"), ty.oid)));
        }
        Some(Lookup { ty: "regtype", spelled: Some(listed(spelled)), named: self.by_name(&names) })
    }

    fn schemas_by_name(&self) -> Listed {
        let names = self.catalog.objects.schemas.keys();
        listed(names.filter_map(|name| Some((name.to_string(), self.schema_oid(name)?))).collect())
    }

    /// Names with their schema, and those found along the path without it.
    fn by_name(&self, names: &[(&str, &str, u32)]) -> Listed {
        let mut keys = Vec::with_capacity(names.len() * 2);
        for (schema, name, oid) in names {
            if schema.contains(BETWEEN) || name.contains(BETWEEN) {
                continue;
            }
            keys.push((format!("{schema}{BETWEEN}{name}"), *oid));
            if self.place(schema).is_some() && self.is_first(names, schema, name) {
                keys.push(((*name).to_owned(), *oid));
            }
        }
        listed(keys)
    }

    /// Where a schema stands in the path, the server's own before all others.
    fn place(&self, schema: &str) -> Option<usize> {
        if schema == "pg_catalog" {
            return Some(0);
        }
        self.session.schemas(self.catalog).position(|own| &**own == schema).map(|place| place + 1)
    }

    fn is_first(&self, names: &[(&str, &str, u32)], schema: &str, name: &str) -> bool {
        let others = names.iter().filter(|other| other.1 == name);
        others.filter_map(|other| self.place(other.0)).min() == self.place(schema)
    }

    /// Columns that a comment may be told of.
    pub(super) fn told_columns(&self) -> Wrap {
        let keys = |visible: &Arc<access::Visible>| visible.keys(access::CatalogSet::Columns);
        Wrap::OfColumn(self.guards.visible.as_ref().map_or_else(|| "{}".into(), keys))
    }

    /// Foreign keys between relations that are found along the path, which the server writes without their schema.
    pub(super) fn without_schema(&self) -> Wrap {
        let Some(visible) = &self.guards.visible else { return Wrap::WithoutSchema("{}".into()) };
        let on_path: HashSet<u32> = visible
            .relations
            .iter()
            .filter(|(name, oid)| self.relation_on_path(&name.name) == Some(**oid))
            .map(|(_, oid)| *oid)
            .collect();
        let keys = self.catalog.objects.dependents.iter().filter(|dependent| {
            let tables = dependent.needs.iter().filter(|need| need.class == PG_CLASS);
            dependent.kind == DependentKind::Constraint
                && !dependent.computes
                && on_path.contains(&dependent.relation)
                && tables.into_iter().all(|need| on_path.contains(&need.oid))
        });
        Wrap::WithoutSchema(array(keys.map(|dependent| dependent.oid)))
    }
}

fn listed(mut keys: Vec<(String, u32)>) -> Listed {
    keys.sort_unstable();
    let names: Vec<String> = keys
        .iter()
        .map(|(name, _)| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    let oids: Vec<String> = keys.iter().map(|(_, oid)| oid.to_string()).collect();
    Listed {
        names: format!("{{{}}}", names.join(",")).into(),
        oids: format!("{{{}}}", oids.join(",")).into(),
    }
}
