//! What somebody has added to the store under a listed name is never taken for what is on the list.
//!
//! Functions, operators and casts that are looked up in `pg_catalog` are those of the list only as long as nobody adds to
//! them there. Where somebody has, whoever may do so by their own rights, the name is refused.

use access::{Catalog, Refusal, RefusalKind, TypeKind};

use crate::analyze::Analyzer;
use crate::range::Ty;

/// Refuses everything where what operators and comparisons mean is not certain. Why is for the log.
pub(crate) fn check_store(catalog: &Catalog) -> Result<(), Refusal> {
    if catalog.added.untrusted.is_none() {
        return Ok(());
    }
    let message =
        format!("the store `{}` is not served: what its operators mean is not certain", catalog.store);
    Err(Refusal::new(RefusalKind::Unavailable, message)
        .hint("the gateway's log, and `veilgate check`, say why"))
}

impl Analyzer<'_> {
    /// Refuses a function's name that somebody has added to.
    pub(crate) fn check_function_is_listed(&self, name: &str, location: i32) -> Result<(), Refusal> {
        if self.catalog.added.functions.contains(name) {
            return Err(added(&format!("function `{name}` of pg_catalog"), location));
        }
        Ok(())
    }

    /// Refuses an operator's name that somebody has added to, and operands that an added cast may change.
    pub(crate) fn check_operator_is_listed(
        &self,
        name: &str,
        operands: &[Ty],
        location: i32,
    ) -> Result<(), Refusal> {
        if self.catalog.added.operators.contains(name) {
            return Err(added(&format!("operator `{name}` of pg_catalog"), location));
        }
        self.check_implicit_casts(operands, location)
    }

    /// Refuses values that an added cast could turn into another type without being asked.
    pub(crate) fn check_implicit_casts(&self, types: &[Ty], location: i32) -> Result<(), Refusal> {
        if self.catalog.added.casts.is_empty() {
            return Ok(());
        }
        for oid in types.iter().filter_map(|ty| self.cast_source(*ty)) {
            if self.catalog.added.casts_implicitly(oid) {
                let name = self.catalog.types.get(&oid).map_or("of this value", |ty| &ty.name);
                return Err(added(&format!("implicit cast from type `{name}`"), location)
                    .hint("cast the value to a type of pg_catalog by name: `x::text`"));
            }
        }
        Ok(())
    }

    /// Refuses a cast that somebody has declared.
    pub(crate) fn check_cast_is_listed(&self, from: Ty, to: Ty, location: i32) -> Result<(), Refusal> {
        let (Some(from), Some(to)) = (self.cast_source(from), self.cast_source(to)) else { return Ok(()) };
        if self.catalog.added.casts.contains_key(&(from, to)) {
            let name = |oid| self.catalog.types.get(&oid).map_or("?", |ty| &ty.name);
            return Err(added(&format!("cast from `{}` to `{}`", name(from), name(to)), location));
        }
        Ok(())
    }

    /// The type that casts are looked up for: of a domain what it is over, of an array its elements.
    fn cast_source(&self, ty: Ty) -> Option<u32> {
        let (Ty::Known(mut oid) | Ty::Number(mut oid)) = ty else { return None };
        loop {
            match self.catalog.types.get(&oid).map(|ty| &ty.kind) {
                Some(TypeKind::Domain { base, .. }) => oid = *base,
                Some(TypeKind::Array { element }) => oid = *element,
                _ => return Some(self.lists.element(oid).unwrap_or(oid)),
            }
        }
    }
}

fn added(what: &str, location: i32) -> Refusal {
    let message = format!("the {what} is not on the list of calls: it was added to this database");
    Refusal::new(RefusalKind::UnlistedCall, message).at(location)
}
