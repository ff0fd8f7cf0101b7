//! What stands for calls and casts where the caller's path, or what it may know of, decides.

use std::sync::Arc;

use access::FIRST_USER_OID;
use pg_raw_parse::Node;
use pg_raw_parse::make::{MemoryToken, Unique};

use super::lookup::{BETWEEN, Listed, Lookup};
use crate::build::Build;

/// A foreign key's text up to the schema of what it refers to.
const REFERENCES: &str =
    "^(FOREIGN KEY \\((?:[^\"()]|\"(?:[^\"]|\"\")*\")*\\) REFERENCES )(?:[^\".]+|\"(?:[^\"]|\"\")*\")\\.";

/// What stands for a call or a cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrap {
    /// `CASE WHEN x = ANY (list) THEN f(x) END`.
    Within(Arc<str>),
    /// `CASE WHEN x < 16384 THEN f(x) ELSE x = ANY (list) END`: of the server's own the server says whether it is found.
    OnPath(Arc<str>),
    /// `CASE WHEN x < 16384 THEN f(x) WHEN x = ANY (list) THEN f(x) WHEN x IS NOT NULL THEN '???' END`, as the server names a type
    /// that is not there.
    Type(Arc<str>),
    /// `CASE WHEN x < 16384 OR x * 65536 + n = ANY (list) THEN f(x, n) END`.
    OfColumn(Arc<str>),
    /// `CASE WHEN x = ANY (list) THEN regexp_replace(f(x), …) ELSE f(x) END`.
    WithoutSchema(Arc<str>),
    /// The number of what a text names.
    Named {
        /// What it may name.
        lookup: Lookup,
        /// Whether it fails where there is nothing of the name, which is NULL otherwise.
        strict: bool,
    },
    /// A setting by a name that comes later: it fails for one that is not shown.
    Setting {
        /// The caller's own path.
        path: Arc<str>,
        /// Those that are, as the text of an array.
        shown: Arc<str>,
    },
    /// Whether a privilege is held on what a text names; NULL where it names nothing.
    Held {
        /// What it may name.
        found: Lookup,
        /// Whether it is held.
        held: bool,
    },
}

type Made<'m> = Unique<'m, Node<'m>>;

impl Wrap {
    /// The call, its arguments changed already, as it is sent.
    pub(crate) fn around<'m>(&self, mem: MemoryToken<'m>, call: Made<'m>) -> Made<'m> {
        let build = Build(mem);
        let arg = |at: usize| argument(mem, &call, at);
        let key = || build.cast(arg(0), "oid");
        let listed = |list: &str| build.any(key(), build.cast(build.string(list), "_oid"));
        let first = || build.cast(build.string(&FIRST_USER_OID.to_string()), "oid");
        let of_the_server = || build.operator("<", key(), first());
        let text = || build.cast(arg(0), "text");
        match self {
            Self::Within(list) => build.case(vec![(listed(list), call)], None),
            Self::OnPath(list) => {
                let own = listed(list);
                build.case(vec![(of_the_server(), call)], Some(own))
            }
            Self::Type(list) => {
                let unknown = (build.null_test(arg(0), false), build.text("???"));
                let told = (listed(list), build.copy(&call));
                build.case(vec![(of_the_server(), call), told, unknown], None)
            }
            Self::OfColumn(list) => {
                let number = |text| build.cast(build.string(text), "int8");
                let shifted = build.operator("*", build.cast(key(), "int8"), number("65536"));
                let column = build.operator("+", shifted, build.cast(arg(1), "int8"));
                let told = build.any(column, build.cast(build.string(list), "_int8"));
                let told = build.case(vec![(of_the_server(), build.boolean(true))], Some(told));
                build.case(vec![(told, call)], None)
            }
            Self::WithoutSchema(list) => {
                let args = vec![build.copy(&call), build.text(REFERENCES), build.text("\\1")];
                build.case(vec![(listed(list), build.call("regexp_replace", args))], Some(call))
            }
            Self::Named { lookup, strict } => {
                let mut values = vec![looked_up(&build, lookup, &|| arg(0))];
                if *strict {
                    let what = format!("{} does not exist: ", lookup.ty);
                    let fails = build.cast(fails_with(&build, &what, text()), "oid");
                    values.push(build.case(vec![(build.null_test(text(), false), fails)], None));
                }
                build.cast(build.coalesce(values), lookup.ty)
            }
            Self::Setting { path, shown } => {
                let name = || build.call("lower", vec![build.collate(text(), "pg_catalog", "C")]);
                let path = (build.operator("=", name(), build.text("search_path")), build.text(path));
                let listed = build.any(name(), build.cast(build.string(shown), "_text"));
                let hidden = fails_with(&build, "not open to sessions here: ", text());
                build.case(vec![path, (listed, call)], Some(hidden))
            }
            Self::Held { found, held } => {
                let object = || arg(arguments(&call).saturating_sub(2));
                let found = build.null_test(looked_up(&build, found, &object), false);
                build.case(vec![(found, build.boolean(*held))], None)
            }
        }
    }
}

/// An error with this in it: no setting has such a name.
fn fails_with<'m>(build: &Build<'m>, what: &str, text: Made<'m>) -> Made<'m> {
    build.call("current_setting", vec![build.operator("||", build.text(what), text)])
}

/// The number of what a text names among what is listed, or NULL.
fn looked_up<'m>(build: &Build<'m>, lookup: &Lookup, text: &dyn Fn() -> Made<'m>) -> Made<'m> {
    let text = || build.collate(build.cast(text(), "text"), "pg_catalog", "C");
    let of = |listed: &Listed, name: Made<'m>| {
        let names = build.cast(build.string(&listed.names), "_text");
        let place = build.call("array_position", vec![names, name]);
        build.element(build.cast(build.string(&listed.oids), "_oid"), place)
    };
    let name = if lookup.ty == "regnamespace" {
        text()
    } else {
        let parts = build.call("parse_ident", vec![text()]);
        build.call("array_to_string", vec![parts, build.text(BETWEEN)])
    };
    let named = of(&lookup.named, name);
    match &lookup.spelled {
        Some(spelled) => {
            let lower = build.call("lower", vec![text()]);
            build.coalesce(vec![of(spelled, lower), named])
        }
        None => named,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is wrapped")]
fn arguments(call: &Made<'_>) -> usize {
    match call.as_ref() {
        Node::FuncCall(call) => call.args().len(),
        _ => 1,
    }
}

/// An argument of a call, or what is cast.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is wrapped")]
fn argument<'m>(mem: MemoryToken<'m>, call: &Made<'m>, at: usize) -> Made<'m> {
    match call.as_ref() {
        Node::FuncCall(call) => mem.make_unique(call.args().iter().nth(at).unwrap_or(Node::None)),
        Node::TypeCast(cast) => mem.make_unique(cast.arg()),
        _ => Build(mem).null(),
    }
}
