//! Membership in what a caller may learn of the catalogue, as SQL: one array of keys, whatever the number of things.
//!
//! Nothing here can fail: an oid becomes a bigint, a name becomes text, and the products fit.

use access::{CatalogKey, FIRST_USER_OID, InCatalog};
use pg_raw_parse::Node;
use pg_raw_parse::make::Unique;

use crate::build::Build;

type Made<'m> = Unique<'m, Node<'m>>;

/// The condition. Without keys it is false, as is one whose fields do not make a key.
pub(crate) fn condition<'m>(build: &Build<'m>, membership: &InCatalog) -> Made<'m> {
    let fields: Vec<&str> = membership.fields.iter().map(|field| &*field.name).collect();
    let (Some(keys), true) = (&membership.keys, fields.len() == membership.set.arity()) else {
        return build.boolean(false);
    };
    match (membership.set.key(), fields.as_slice()) {
        (CatalogKey::Oid, [oid]) => {
            let listed = build.any(build.column(&[oid]), build.cast(build.string(keys), "_oid"));
            either(build, of_the_server(build, oid), listed)
        }
        (CatalogKey::Column, [relation, number]) => {
            let listed = build.any(column_key(build, relation, number), numbers(build, keys));
            either(build, of_the_server(build, relation), listed)
        }
        (CatalogKey::Object, [class, oid, number]) => {
            let zero = || build.cast(build.string("0"), "int4");
            let class_is_relations =
                build.operator("=", build.column(&[class]), build.cast(build.string("1259"), "oid"));
            let whole = (build.operator("=", build.column(&[number]), zero()), object_key(build, class, oid));
            let negative =
                build.operator("-", build.cast(build.string("0"), "int8"), column_key(build, oid, number));
            let key = build.case(vec![whole, (class_is_relations, negative)], None);
            either(build, of_the_server(build, oid), build.any(key, numbers(build, keys)))
        }
        (CatalogKey::Names, [schema, ..]) => {
            let own = ["pg_catalog", "information_schema"].map(|name| build.text(name));
            let in_own = build.in_list(build.cast(build.column(&[schema]), "text"), own.into());
            let listed = build.any(names_key(build, &fields), build.cast(build.string(keys), "_text"));
            either(build, in_own, listed)
        }
        (CatalogKey::Oid | CatalogKey::Column | CatalogKey::Object | CatalogKey::Names, _) => {
            build.boolean(false)
        }
    }
}

/// `CASE WHEN own THEN true ELSE listed END`: an OR would melt with one around it when it is read again.
fn either<'m>(build: &Build<'m>, own: Made<'m>, listed: Made<'m>) -> Made<'m> {
    build.case(vec![(own, build.boolean(true))], Some(listed))
}

/// Made with the database: the same everywhere.
fn of_the_server<'m>(build: &Build<'m>, oid: &str) -> Made<'m> {
    let first = build.cast(build.string(&FIRST_USER_OID.to_string()), "oid");
    build.operator("<", build.cast(build.column(&[oid]), "oid"), first)
}

fn numbers<'m>(build: &Build<'m>, keys: &str) -> Made<'m> {
    build.cast(build.string(keys), "_int8")
}

fn column_key<'m>(build: &Build<'m>, relation: &str, number: &str) -> Made<'m> {
    let relation = build.cast(build.column(&[relation]), "int8");
    let shifted = build.operator("*", relation, build.cast(build.string("65536"), "int8"));
    build.operator("+", shifted, build.cast(build.column(&[number]), "int8"))
}

fn object_key<'m>(build: &Build<'m>, class: &str, oid: &str) -> Made<'m> {
    let class = build.cast(build.column(&[class]), "int8");
    let shifted = build.operator("*", class, build.cast(build.string("4294967296"), "int8"));
    build.operator("+", shifted, build.cast(build.column(&[oid]), "int8"))
}

/// All names but the last with their lengths before them, so that no two lists of names give one text.
fn names_key<'m>(build: &Build<'m>, names: &[&str]) -> Made<'m> {
    let text = |name: &&str| build.cast(build.column(&[name]), "text");
    let mut parts: Vec<Made<'m>> = Vec::new();
    let (last, rest) = names.split_last().unwrap_or((&"", &[]));
    for name in rest {
        parts.push(build.cast(build.call("char_length", vec![text(name)]), "text"));
        parts.push(build.text(":"));
        parts.push(text(name));
    }
    parts.push(text(last));
    let mut parts = parts.into_iter();
    let first = parts.next().unwrap_or_else(|| build.null());
    parts.fold(first, |all, part| build.operator("||", all, part))
}
