//! Names of data: `pg://crm/public.customers`, and the patterns of rules over them.

use std::sync::Arc;

use access::{RelationName, quote};

use crate::expr::Speaks;

/// A relation of a store.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct DataName {
    pub(crate) store: Arc<str>,
    pub(crate) relation: RelationName,
}

impl std::fmt::Display for DataName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pg://{}/{}", self.store, self.relation)
    }
}

/// What a rule's `data` covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// Every relation with an entry under `data:`.
    All,
    Relation {
        store: Segment,
        schema: Segment,
        name: Segment,
    },
}

/// One part of a name; `*` in it matches anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Exactly(Arc<str>),
    /// The texts between the stars.
    Like(Vec<String>),
}

impl Pattern {
    pub(crate) fn covers(&self, data: &DataName) -> bool {
        match self {
            Self::All => true,
            Self::Relation { store, schema, name } => {
                store.matches(&data.store)
                    && schema.matches(&data.relation.schema)
                    && name.matches(&data.relation.name)
            }
        }
    }

    /// The one relation that it names, where it has no star.
    pub(crate) fn exactly(&self) -> Option<DataName> {
        match self {
            Self::Relation {
                store: Segment::Exactly(store),
                schema: Segment::Exactly(schema),
                name: Segment::Exactly(name),
            } => Some(DataName {
                store: store.clone(),
                relation: RelationName::new(schema.clone(), name.clone()),
            }),
            Self::All | Self::Relation { .. } => None,
        }
    }
}

impl Segment {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(name) => **name == *text,
            Self::Like(parts) => like(parts, text),
        }
    }
}

fn like(parts: &[String], text: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else { return text.is_empty() };
    let Some(mut text) = text.strip_prefix(first.as_str()) else { return false };
    let Some((last, middle)) = rest.split_last() else { return text.is_empty() };
    for part in middle {
        let Some(at) = text.find(part.as_str()) else { return false };
        text = text.get(at + part.len()..).unwrap_or_default();
    }
    text.ends_with(last.as_str())
}

/// What is wrong with a name, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongName {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

const FORM: &str = "a relation is named `pg://store/schema.relation`";
const QUOTED: &str = "a name with other letters than a-z, digits and `_` is written in double quotes, as Postgres \
                      quotes it, and the whole in single ones: 'pg://crm/public.\"Order Items\"'";
const LATER: &str = "this version governs relations of Postgres only";

/// Reads a name without stars.
pub(crate) fn data(text: &str, speaks: Speaks) -> Result<DataName, WrongName> {
    let pattern = pattern(text, speaks)?;
    if let (
        Speaks::Catalogue,
        Pattern::Relation { schema: Segment::Exactly(schema), name: Segment::Exactly(name), .. },
    ) = (speaks, &pattern)
    {
        // The policy of the catalogue holds for every store.
        return Ok(DataName { store: "*".into(), relation: RelationName::new(schema.clone(), name.clone()) });
    }
    match pattern.exactly() {
        Some(name) => Ok(name),
        None => Err(WrongName {
            message: format!("`{text}` is a pattern; an entry names one relation"),
            help: "write an entry for each relation",
        }),
    }
}

/// Reads a name in which `*` may stand.
pub(crate) fn pattern(text: &str, speaks: Speaks) -> Result<Pattern, WrongName> {
    if text == "*" {
        return Ok(Pattern::All);
    }
    let wrong = |message: String, help| WrongName { message, help };
    if text.starts_with("qdrant://") {
        return Err(wrong(format!("`{text}`: Qdrant collections are not there in this version"), LATER));
    }
    let Some(rest) = text.strip_prefix("pg://") else {
        return Err(wrong(format!("`{text}` is not a name of data"), FORM));
    };
    let Some((store, rest)) = rest.split_once('/') else {
        return Err(wrong(format!("`{text}`: rights on stores are not there in this version"), LATER));
    };
    let not_a_name = || wrong(format!("`{text}` is not a name of data"), FORM);
    let parts = segments(rest).ok_or_else(not_a_name)?;
    let [schema, name] = parts.as_slice() else { return Err(not_a_name()) };
    let store = store_segment(store).ok_or_else(|| {
        wrong(format!("`{store}` is not the name of a store"), "its letters are a-z, digits, `_` and `-`")
    })?;
    let named =
        |part: &Part| segment(part).ok_or_else(|| wrong(format!("`{}` is not a name", part.text), QUOTED));
    let (schema, name) = (named(schema)?, named(name)?);
    let own = |segment: &Segment| matches!(segment, Segment::Exactly(name) if is_system(name));
    if own(&schema) && speaks == Speaks::Policy {
        return Err(wrong(
            format!("`{text}`: the system catalogue has a policy of its own"),
            "rules are written for relations outside of pg_catalog and information_schema",
        ));
    }
    Ok(Pattern::Relation { store, schema, name })
}

/// Reads the name of a field.
pub(crate) fn field(text: &str) -> Result<Arc<str>, WrongName> {
    let wrong = || WrongName { message: format!("`{text}` is not the name of a field"), help: QUOTED };
    let parts = segments(text).ok_or_else(wrong)?;
    let [part] = parts.as_slice() else { return Err(wrong()) };
    match segment(part) {
        Some(Segment::Exactly(name)) => Ok(name),
        Some(Segment::Like(_)) | None => Err(wrong()),
    }
}

/// Whether `pg_catalog`, `information_schema` and their kin own the schema.
fn is_system(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema"
}

struct Part {
    text: String,
    quoted: bool,
}

/// The parts between dots, where a part in double quotes may hold dots and doubled quotes.
fn segments(text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut letters = text.chars().peekable();
    loop {
        let mut part = Part { text: String::new(), quoted: letters.next_if_eq(&'"').is_some() };
        if part.quoted {
            loop {
                match letters.next()? {
                    '"' if letters.next_if_eq(&'"').is_some() => part.text.push('"'),
                    '"' => break,
                    letter => part.text.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| *letter != '.' && *letter != '"') {
                part.text.push(letter);
            }
        }
        parts.push(part);
        match letters.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

fn segment(part: &Part) -> Option<Segment> {
    if part.quoted {
        return (!part.text.is_empty()).then(|| Segment::Exactly(part.text.as_str().into()));
    }
    let bare = part.text.replace('*', "");
    let starts_well =
        bare.chars().next().is_none_or(|c| !c.is_ascii_digit() && c != '$') || part.text.starts_with('*');
    let plain = bare.chars().all(|c| quote(&format!("a{c}")) == format!("a{c}") || c == '$');
    (plain && starts_well).then(|| starred(&part.text)).flatten()
}

fn store_segment(text: &str) -> Option<Segment> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '*');
    text.chars().all(plain).then(|| starred(text)).flatten()
}

fn starred(text: &str) -> Option<Segment> {
    match text {
        "" => None,
        _ if text.contains('*') => Some(Segment::Like(text.split('*').map(str::to_owned).collect())),
        _ => Some(Segment::Exactly(text.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_postgres_quotes_them() {
        for (text, name) in [
            ("pg://crm/public.customers", Some("pg://crm/public.customers")),
            ("pg://crm/public.\"customers\"", Some("pg://crm/public.customers")),
            ("pg://crm/\"My.Schema\".\"a\"\"b\"", Some("pg://crm/\"My.Schema\".\"a\"\"b\"")),
            ("pg://crm/public.Customers", None),
            ("pg://crm/public.1a", None),
            ("pg://crm/customers", None),
            ("pg://crm/a.b.c", None),
            ("pg://crm/public.", None),
            ("pg://CRM/public.a", None),
            ("pg://crm/pg_catalog.pg_class", None),
            ("pg://crm/information_schema.tables", None),
            ("pg://crm", None),
            ("pg:///public.a", None),
            ("qdrant://kb/docs", None),
            ("customers", None),
            ("pg://crm/public.*", None),
            ("*", None),
        ] {
            assert_eq!(
                data(text, Speaks::Policy).ok().map(|name| name.to_string()).as_deref(),
                name,
                "{text}"
            );
        }
    }

    #[test]
    fn a_star_matches_inside_one_part() {
        for (text, name, covered) in [
            ("*", "pg://crm/public.a", true),
            ("pg://crm/public.*", "pg://crm/public.a", true),
            ("pg://crm/public.*", "pg://crm/other.a", false),
            ("pg://*/public.a", "pg://crm/public.a", true),
            ("pg://crm/public.a*c*e", "pg://crm/public.abcde", true),
            ("pg://crm/public.a*c*e", "pg://crm/public.ace", true),
            ("pg://crm/public.a*a", "pg://crm/public.a", false),
            ("pg://crm/public.\"a*\"", "pg://crm/public.ab", false),
            ("pg://crm/*.log_2*", "pg://crm/public.log_2024", true),
        ] {
            assert_eq!(
                pattern(text, Speaks::Policy).unwrap().covers(&data(name, Speaks::Policy).unwrap()),
                covered,
                "{text} {name}"
            );
        }
    }

    #[test]
    fn fields_are_names_of_one_part() {
        for (text, name) in [
            ("id", Some("id")),
            ("\"userId\"", Some("userId")),
            ("userId", None),
            ("a.b", None),
            ("\"a.b\"", Some("a.b")),
            ("", None),
            ("a*", None),
        ] {
            assert_eq!(field(text).ok().as_deref(), name, "{text}");
        }
    }
}
