//! GROUP BY and ORDER BY: names of output columns, and the columns that a primary key brings along.

#![expect(clippy::wildcard_enum_match_arm, reason = "a node that is not named is an expression")]

use std::collections::HashSet;

use access::{Refusal, RefusalKind};
use pg_raw_parse::{Node, nodes};

use crate::analyze::Analyzer;
use crate::range::{Facts, Origin, Seen};

/// `json`, `xml`, `point`, `polygon`, `jsonpath`.
const HAS_NO_EQUALITY: [u32; 5] = [114, 142, 600, 604, 4072];

impl Analyzer<'_> {
    /// An expression of ORDER BY or DISTINCT ON: a name may be that of an output column.
    pub(crate) fn by_output(
        &mut self,
        node: Node<'_>,
        aliases: &Aliases<'_>,
    ) -> Result<Option<Facts>, Refusal> {
        match node {
            Node::None | Node::A_Const(_) => Ok(None),
            Node::ColumnRef(column) if aliases.find(column).is_some() => Ok(aliases.find(column).cloned()),
            _ => self.expression(node).map(Some),
        }
    }

    /// GROUP BY: the columns that it groups by, plain ones.
    pub(crate) fn grouping(
        &mut self,
        select: &nodes::SelectStmt,
        aliases: &Aliases<'_>,
    ) -> Result<Vec<Origin>, Refusal> {
        let mut keys = Vec::new();
        for node in select.group_clause() {
            self.group_item(node, aliases, &mut keys)?;
        }
        Ok(keys)
    }

    fn group_item(
        &mut self,
        node: Node<'_>,
        aliases: &Aliases<'_>,
        keys: &mut Vec<Origin>,
    ) -> Result<(), Refusal> {
        match node {
            Node::GroupingSet(set) => {
                for part in set.content() {
                    self.group_item(part, aliases, keys)?;
                }
            }
            Node::NodeList(list) => {
                for part in list {
                    self.group_item(part, aliases, keys)?;
                }
            }
            Node::A_Const(constant) => {
                let nth =
                    constant.val().and_then(|value| usize::try_from(value.numeric_value::<i64>()?).ok());
                let column = nth.and_then(|nth| aliases.0.get(nth.checked_sub(1)?));
                keys.extend(column.and_then(|column| column.facts.origin.clone()));
            }
            // An input column goes before an output column of that name.
            Node::ColumnRef(column) => match (self.input_column(column)?, aliases.find(column)) {
                (false, Some(facts)) => keys.extend(facts.origin.clone()),
                _ => {
                    let facts = self.expression(node)?;
                    self.note_nowhere(&facts.hazards);
                    keys.extend(facts.origin);
                }
            },
            _ => {
                let facts = self.expression(node)?;
                self.note_nowhere(&facts.hazards);
            }
        }
        Ok(())
    }

    fn input_column(&self, column: &nodes::ColumnRef) -> Result<bool, Refusal> {
        let mut names = column.fields().iter();
        let (Some(Node::String(name)), None) = (names.next(), names.next()) else { return Ok(true) };
        let found = self.levels.unqualified(name.sval().unwrap_or_default(), column.location)?;
        Ok(found.is_some())
    }

    /// `SELECT c.id, c.email … GROUP BY c.id` works on a table by its primary key, and fails over a subquery: the other
    /// columns in use join GROUP BY where the whole key is grouped by and shown in clear. The key determines them, so
    /// that the groups stay the same. Never inside ROLLUP or grouping sets.
    pub(crate) fn group_by_key(
        &mut self,
        select: &nodes::SelectStmt,
        keys: &[Origin],
    ) -> Result<(), Refusal> {
        let sets = select.group_clause().iter().any(|node| matches!(node, Node::GroupingSet(_)));
        let Some(Some(used)) = self.used.last().filter(|_| !sets) else { return Ok(()) };
        let mut added = HashSet::new();
        let mut paths = Vec::new();
        for using in used {
            let grouped = keys.contains(&using.origin);
            if grouped || !self.determines(keys, using.origin.mention) || !added.insert(using.path.clone()) {
                continue;
            }
            self.check_equality(&using.origin)?;
            paths.push(using.path.clone());
        }
        if !paths.is_empty() {
            self.edits.add_group_by(select, paths);
        }
        Ok(())
    }

    /// What has no equality cannot be grouped by; on the table itself it need not be.
    fn check_equality(&self, origin: &Origin) -> Result<(), Refusal> {
        let column =
            self.mentions.get(origin.mention).and_then(|mention| mention.relation.column(&origin.column));
        if !column.is_some_and(|column| HAS_NO_EQUALITY.contains(&column.base_oid)) {
            return Ok(());
        }
        let name = &origin.column;
        let message = format!(
            "column \"{name}\" of a type without equality is not brought along by GROUP BY a primary key"
        );
        Err(Refusal::new(RefusalKind::Unsupported, message).hint(format!("write (array_agg({name}))[1]")))
    }

    fn determines(&self, keys: &[Origin], mention: usize) -> bool {
        let Some(mentioned) = self.mentions.get(mention) else { return false };
        let Some(guard) = self.guards.relations.get(mentioned.guard) else { return false };
        let key = &mentioned.relation.primary_key;
        !key.is_empty()
            && key.iter().all(|name| {
                let clear = guard.columns.iter().any(|column| column.name == *name && column.cell.is_clear());
                clear && keys.iter().any(|origin| origin.mention == mention && origin.column == *name)
            })
    }
}

/// The output columns of a query, where ORDER BY and GROUP BY may name them.
pub(crate) struct Aliases<'c>(pub(crate) &'c [Seen]);

impl Aliases<'_> {
    fn find(&self, column: &nodes::ColumnRef) -> Option<&Facts> {
        let mut names = column.fields().iter();
        let (Some(Node::String(name)), None) = (names.next(), names.next()) else { return None };
        let name = name.sval()?;
        self.0.iter().find(|seen| &*seen.name == name).map(|seen| &seen.facts)
    }
}
