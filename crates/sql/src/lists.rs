//! The reviewed lists: which built-in calls, operators and casts there are, which may be made, and which are safe.
//!
//! The data under `data/` is made from a server's catalogue and from reviews; `docs/calls.md` says how. Only what is in
//! `pg_catalog` is here: whatever an extension adds under a name of this list is the caller's to refuse.

mod polymorphic;
mod read;
mod resolve;

pub(crate) mod oid;

use std::collections::HashMap;
use std::sync::LazyLock;

use access::{Catalog, Refusal, RefusalKind};

pub(crate) use resolve::{Arg, Resolved};

/// The lists of each version, made when the first statement for such a server comes.
static LISTS: [(u32, LazyLock<Lists>); 5] = [
    (14, LazyLock::new(|| read::postgres(14))),
    (15, LazyLock::new(|| read::postgres(15))),
    (16, LazyLock::new(|| read::postgres(16))),
    (17, LazyLock::new(|| read::postgres(17))),
    (18, LazyLock::new(|| read::postgres(18))),
];

/// The lists of a server of this version (`150018`); nothing where there are none.
pub(crate) fn of(server_version: u32) -> Option<&'static Lists> {
    let major = server_version / 10_000;
    LISTS.iter().find(|(of, _)| *of == major).map(|(_, lists)| &**lists)
}

/// The lists of the server behind a catalogue.
///
/// # Errors
/// A server of a version that has no lists.
pub(crate) fn of_server(catalog: &Catalog) -> Result<&'static Lists, Refusal> {
    of(catalog.server_version).ok_or_else(|| {
        let major = catalog.server_version / 10_000;
        Refusal::new(RefusalKind::Unsupported, format!("PostgreSQL {major} is not supported"))
            .hint("there are lists of functions, operators and casts for PostgreSQL 14 to 18")
    })
}

/// What one version of Postgres has, and the verdicts on it.
#[derive(Debug)]
pub(crate) struct Lists {
    functions: HashMap<&'static str, Vec<Overload>>,
    operators: HashMap<&'static str, Vec<Overload>>,
    classes: HashMap<&'static str, &'static str>,
    casts: HashMap<(u32, u32), Cast>,
    safe_lengths: Vec<u32>,
    types: HashMap<u32, TypeInfo>,
    type_names: HashMap<&'static str, u32>,
}

impl Lists {
    /// Every overload of this name in `pg_catalog`; none where there is no such function.
    pub(crate) fn functions(&self, name: &str) -> &[Overload] {
        self.functions.get(name).map_or(&[], |overloads| overloads)
    }

    /// Every operator of this name in `pg_catalog`, prefix (one argument) and binary (two).
    pub(crate) fn operators(&self, name: &str) -> &[Overload] {
        self.operators.get(name).map_or(&[], |overloads| overloads)
    }

    /// Why a call by this name may not be made: the reason of the first overload that is not listed, or that there is none.
    /// Nothing where every overload is listed.
    pub(crate) fn why_unlisted(&self, name: &str) -> Option<&'static str> {
        let overloads = self.functions(name);
        if overloads.is_empty() {
            return Some("is no built-in function");
        }
        let unlisted = overloads.iter().find(|overload| !overload.listed)?;
        self.classes.get(unlisted.class).copied()
    }

    /// The cast from one built-in type to the other, without a length. An enum is `oid::ANYENUM`.
    pub(crate) fn cast(&self, from: u32, to: u32) -> Option<Cast> {
        if from == to {
            return Some(Cast { implicit: true, safe: true, binary: true, through_text: false });
        }
        if let Some(cast) = self.casts.get(&(from, to)) {
            return Some(*cast);
        }
        if let Some(cast) = self.cast_of_elements(from, to) {
            return Some(cast);
        }
        // Through text: to a string it prints the value, from a string it reads one, which can fail.
        let (category, to_category) = (self.type_info(from)?.category, self.type_info(to)?.category);
        if to_category == STRING {
            let printed = self.casts.get(&(from, oid::TEXT));
            return Some(Cast {
                implicit: false,
                safe: printed.is_some_and(|cast| cast.safe),
                binary: false,
                through_text: true,
            });
        }
        (category == STRING).then_some(Cast {
            implicit: false,
            safe: false,
            binary: false,
            through_text: true,
        })
    }

    /// Whether an explicit cast of a value of this type to a length (`x::varchar(3)`) is safe.
    pub(crate) fn length_is_safe(&self, oid: u32) -> bool {
        self.safe_lengths.contains(&oid)
    }

    /// The oid of a type of `pg_catalog`, by its name there (`int4`, `bpchar`, `_text`).
    pub(crate) fn builtin_type(&self, name: &str) -> Option<u32> {
        self.type_names.get(name).copied()
    }

    /// The type of the elements of an array type.
    pub(crate) fn element(&self, oid: u32) -> Option<u32> {
        self.type_info(oid)?.element
    }

    /// The type of arrays of this type.
    pub(crate) fn array_of(&self, oid: u32) -> Option<u32> {
        self.type_info(oid)?.array
    }

    /// Whether two values of this type compare safely by the type's own order: by `=` and `<`, in `GREATEST`, as elements.
    pub(crate) fn ordered(&self, oid: u32) -> bool {
        self.type_info(oid)
            .is_some_and(|info| info.ordered || info.element.is_some_and(|element| self.ordered(element)))
    }

    /// Whether values of this type have a collation.
    pub(crate) fn collatable(&self, oid: u32) -> bool {
        self.type_info(oid).is_some_and(|info| info.collatable)
    }

    /// Whether two types are of one category, so that one may become the other.
    pub(crate) fn same_category(&self, one: u32, other: u32) -> bool {
        matches!((self.type_info(one), self.type_info(other)), (Some(one), Some(other)) if one.category == other.category)
    }

    /// Whether a type is the preferred one of its category.
    pub(crate) fn is_preferred(&self, oid: u32) -> bool {
        self.type_info(oid).is_some_and(|info| info.preferred)
    }

    /// Whether a column can have this type: pseudo-types are not of values.
    pub(crate) fn is_value_type(&self, oid: u32) -> bool {
        self.type_info(oid).is_some_and(|info| !matches!(info.category, 'P' | 'X'))
    }

    /// Whether reading or printing a value of this type looks a name up in the catalogue: the `reg*` types and `aclitem`.
    pub(crate) fn names_an_object(&self, oid: u32) -> bool {
        self.type_info(oid).is_some_and(|info| {
            info.name.starts_with("reg")
                || info.name == "aclitem"
                || info.element.is_some_and(|element| self.names_an_object(element))
        })
    }

    fn type_info(&self, oid: u32) -> Option<&TypeInfo> {
        self.types.get(&oid)
    }

    fn cast_of_elements(&self, from: u32, to: u32) -> Option<Cast> {
        if to == oid::OIDVECTOR || to == oid::INT2VECTOR {
            return None;
        }
        let (from, to) = (self.element(from)?, self.element(to)?);
        let cast = self.cast(from, to)?;
        // Printing every element can make an array many times larger.
        Some(Cast { safe: cast.safe && !cast.through_text, ..cast })
    }
}

/// One function or operator.
#[derive(Debug)]
pub(crate) struct Overload {
    /// The types of its arguments.
    pub(crate) args: Box<[u32]>,
    /// The type of each further argument, where the last may be repeated.
    pub(crate) variadic: Option<u32>,
    /// How many of the last arguments may be left out.
    pub(crate) defaults: u8,
    /// What it gives; `record` for several columns.
    pub(crate) result: u32,
    /// How it is called.
    pub(crate) kind: CallKind,
    /// Whether it may be called at all.
    pub(crate) listed: bool,
    /// Whether it can fail or tell.
    pub(crate) safe: Safety,
    /// Whether it is safe after all where the elements that it compares are [`Lists::ordered`]. `safe` is `Unsafe` then.
    pub(crate) safe_if_ordered: bool,
    /// Whether it may differ from call to call with the same arguments.
    pub(crate) volatile: bool,
    class: &'static str,
}

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    /// A value from values.
    Function,
    /// A value from the rows of a group.
    Aggregate,
    /// A value from the rows of a window; aggregates can stand there too.
    Window,
    /// Rows from values.
    SetReturning,
}

/// Whether a call can fail or tell, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Safety {
    /// It can neither fail nor tell, whatever the values. Operands with a collation need a known one.
    Safe,
    /// Safe where the collation is deterministic.
    Search,
    /// Safe where the collation is deterministic and the last argument is a constant pattern that has been looked at.
    Pattern,
    /// It can.
    Unsafe,
}

/// One cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cast {
    /// Whether Postgres makes it without being asked.
    pub(crate) implicit: bool,
    /// Whether it can neither fail nor tell.
    pub(crate) safe: bool,
    /// Whether it leaves the bytes as they are.
    pub(crate) binary: bool,
    /// Whether it prints the value and reads it again as the other type.
    pub(crate) through_text: bool,
}

/// The category of strings in `pg_type.typcategory`.
const STRING: char = 'S';

#[derive(Debug)]
struct TypeInfo {
    name: &'static str,
    category: char,
    preferred: bool,
    element: Option<u32>,
    array: Option<u32>,
    /// Of a range or multirange: what its bounds are.
    subtype: Option<u32>,
    /// Of a range its multirange, of a multirange its range.
    range: Option<u32>,
    multirange: bool,
    collatable: bool,
    ordered: bool,
}

#[cfg(test)]
mod tests;
