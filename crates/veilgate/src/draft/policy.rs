//! The files of a policy that knows everything that is there and shows nothing of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use access::{Catalog, Relation, RelationKind, RelationName, is_catalogue, quote};

use super::classes::{self, UNREVIEWED};
use crate::yaml;

/// How long one file of data gets: a policy's file may have 4 MiB.
const FILE_BYTES_MAX: usize = 1 << 20;

/// What of a catalogue a policy is drafted for.
#[derive(Debug)]
pub(crate) struct Governed<'a> {
    catalog: &'a Catalog,
    /// With an entry of their own, by name.
    pub(crate) relations: Vec<&'a Arc<Relation>>,
    /// Views: without an entry they are opened to what they read.
    views: Vec<&'a RelationName>,
    /// Partitions and children, which their parents' entries hold for.
    children: Vec<&'a RelationName>,
}

impl<'a> Governed<'a> {
    /// All but the server's own relations and those of extensions; of `schemas` alone where any is named.
    pub(crate) fn of(catalog: &'a Catalog, extensions: &BTreeSet<RelationName>, schemas: &[String]) -> Self {
        let wanted = |name: &RelationName| {
            !is_catalogue(&name.schema)
                && !name.schema.starts_with("pg_")
                && !extensions.contains(name)
                && (schemas.is_empty() || schemas.iter().any(|schema| **schema == *name.schema))
        };
        let mut governed = Self { catalog, relations: Vec::new(), views: Vec::new(), children: Vec::new() };
        for relation in catalog.relations.values().filter(|relation| wanted(&relation.name)) {
            match relation.kind {
                RelationKind::View => governed.views.push(&relation.name),
                _ if !relation.parents.is_empty() => governed.children.push(&relation.name),
                RelationKind::Table
                | RelationKind::Partitioned
                | RelationKind::MaterializedView
                | RelationKind::ForeignTable => governed.relations.push(relation),
                RelationKind::Sequence | RelationKind::Composite | RelationKind::Other => {}
            }
        }
        governed.relations.sort_by(|one, other| one.name.cmp(&other.name));
        governed.views.sort();
        governed.children.sort();
        governed
    }

    /// Fields of all relations.
    pub(crate) fn fields(&self) -> usize {
        self.relations.iter().map(|relation| relation.columns.len()).sum()
    }

    /// The policy's files, by their names.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![("00-classes.yaml".to_owned(), classes_file())];
        let data = self.data();
        let several = data.len() > 1;
        for (number, text) in data.into_iter().enumerate() {
            let name =
                if several { format!("10-data-{:03}.yaml", number + 1) } else { "10-data.yaml".to_owned() };
            files.push((name, text));
        }
        files.push(("20-rules.yaml".to_owned(), self.rules()));
        files
    }

    fn data(&self) -> Vec<String> {
        let mut files: Vec<String> = Vec::new();
        for relation in &self.relations {
            let entry = self.entry(relation);
            match files.last_mut() {
                Some(file) if file.len() + entry.len() <= FILE_BYTES_MAX => file.push_str(&entry),
                _ => files.push(format!("{}{entry}", self.head(files.is_empty()))),
            }
        }
        if files.is_empty() {
            files.push(format!("{}  {{}}\n", self.head(true)));
        }
        files
    }

    /// `data:`, and before the first what has no entry and why.
    fn head(&self, is_first: bool) -> String {
        let mut head = String::from(DATA_HEAD);
        if is_first {
            head += &listed(
                "Views have no entry: each is opened to the tables that it reads, whose rules decide",
                &self.views,
            );
            head += &listed("The entries of their parents hold for these", &self.children);
        }
        head + "veilgate: 1\n\ndata:\n"
    }

    fn entry(&self, relation: &Relation) -> String {
        let name = format!("pg://{}/{}", self.catalog.store, relation.name);
        let what = match relation.kind {
            RelationKind::MaterializedView => "   # a materialized view",
            RelationKind::ForeignTable => "   # a foreign table",
            RelationKind::Table
            | RelationKind::Partitioned
            | RelationKind::View
            | RelationKind::Sequence
            | RelationKind::Composite
            | RelationKind::Other => "",
        };
        if relation.columns.is_empty() {
            return format!("  {}: {{}}{what}\n", yaml::scalar(&name));
        }
        let mut entry = format!("  {}:{what}\n", yaml::scalar(&name));
        for column in &relation.columns {
            let line = format!("    {}: {UNREVIEWED}", yaml::scalar(&quote(&column.name)));
            let is_key = relation.primary_key.contains(&column.name);
            let _ = match classes::suggestion(&column.name, is_key) {
                Some(class) => writeln!(entry, "{line:<40} # {class}?"),
                None => writeln!(entry, "{line}"),
            };
        }
        entry
    }

    fn rules(&self) -> String {
        let example = self.relations.first().map_or_else(
            || format!("pg://{}/public.customers", self.catalog.store),
            |relation| format!("pg://{}/{}", self.catalog.store, relation.name),
        );
        format!("{RULES_HEAD}#     data: {}\n{RULES_TAIL}", yaml::scalar(&example))
    }
}

/// A comment that lists names, each on a line.
fn listed(what: &str, names: &[&RelationName]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let mut text = format!("#\n# {what}:\n");
    for name in names {
        let _ = writeln!(text, "#   {}", yaml::comment(&name.to_string()));
    }
    text
}

fn classes_file() -> String {
    let mut text = String::from(CLASSES_HEAD);
    for (class, mask) in classes::masks() {
        let _ = writeln!(text, "  {:<16} {mask}", format!("{class}:"));
    }
    text
}

const CLASSES_HEAD: &str = "\
# What a caller may carry, and what each class of field shows when no rule says more. docs/policy.md says what can stand here.
veilgate: 1

caller:
  roles:   {type: [text], default: []}
  purpose: {type: text, optional: true}

masks:
";

const DATA_HEAD: &str = "\
# What there is. Every field has the class `unreviewed`, which is hidden: whatever a rule grants, it does not exist for anybody.
#
# Give a field another class and rules can show it: `open` (in clear), `key` (in clear, names the row), or one of
# 00-classes.yaml, which masks it. The comments are guesses from the names alone: look at the data, too.
";

const RULES_HEAD: &str = "\
# Who may read what. Nothing is granted yet: every caller can log in and sees no table.
veilgate: 1

# Take the `#` away, and who has the role `support` reads the reviewed fields of one table:
#
# rules:
#   - allow: support-reads
#     to: \"'support' in caller.roles\"
";

const RULES_TAIL: &str = "\
#     do: read
";
