//! XMLTABLE and JSON_TABLE: rows made of a document, in FROM.
//!
//! Each is a scan of its own, whose document may come from a neighbour. Of a document that is NULL it makes no rows and
//! runs nothing else of its own, so the gate goes around the document. The values that JSON_TABLE passes to its path are
//! computed before it looks at the document: they get gates of their own.

#![expect(clippy::wildcard_enum_match_arm, reason = "a document that is not named can have no gate")]

use std::sync::Arc;

use access::Refusal;
use pg_raw_parse::{Node, nodes, raw};

use crate::analyze::{Analyzer, renamed, unsupported};
use crate::barrier;
use crate::ffi;
use crate::lists::oid;
use crate::range::{Collation, Facts, Item, Seen, Sight, Site, Ty};

impl Analyzer<'_> {
    /// `XMLTABLE(path PASSING document COLUMNS …)`.
    pub(crate) fn xml_table(&mut self, table: &nodes::RangeTableFunc) -> Result<Sight, Refusal> {
        let mut parts = vec![table.rowexpr()];
        for namespace in table.namespaces() {
            let Node::ResTarget(namespace) = namespace else {
                return Err(unsupported("this XMLNAMESPACES", table.location));
            };
            parts.push(namespace.val());
        }
        let mut types = Vec::with_capacity(table.columns().len());
        for column in table.columns() {
            parts.extend([column.colexpr(), column.coldefexpr()]);
            let ty = match column.type_name() {
                Some(name) => self.type_name(name)?,
                None => Ty::Known(oid::INT4),
            };
            types.push((column.colname().unwrap_or_default().into(), ty));
        }
        let facts = self.made_of(table.docexpr(), parts, "XMLTABLE", table.location)?;
        self.rows_made(&facts, types, table.alias(), "xmltable")
    }

    /// `JSON_TABLE(document, path PASSING … COLUMNS (…))`.
    pub(crate) fn json_table(&mut self, table: &nodes::JsonTable) -> Result<Sight, Refusal> {
        let Some(document) = table.context_item() else {
            return Err(unsupported("this JSON_TABLE", table.location));
        };
        let mut parts: Vec<Node<'_>> = table.on_error().into_iter().map(nodes::JsonBehavior::expr).collect();
        let mut types = Vec::new();
        self.json_columns(table.columns().iter(), &mut parts, &mut types)?;
        let mut facts = self.made_of(document.raw_expr(), parts, "JSON_TABLE", table.location)?;
        for passed in table.passing() {
            let Some(value) = passed_value(passed) else {
                return Err(unsupported("this PASSING", table.location));
            };
            let mut passed = self.expression(value)?;
            if passed.reads {
                // It becomes a value of the path, by a conversion that can fail.
                self.make_unsafe_at(value, &mut passed, "a value that is passed to JSON_TABLE", -1);
            }
            facts.absorb(&passed);
        }
        self.rows_made(&facts, types, table.alias(), "json_table")
    }

    /// The columns of one level, then those of the levels nested in it: the order of `*`.
    fn json_columns<'n>(
        &mut self,
        columns: impl Iterator<Item = &'n nodes::JsonTableColumn> + Clone,
        parts: &mut Vec<Node<'n>>,
        types: &mut Vec<(Arc<str>, Ty)>,
    ) -> Result<(), Refusal> {
        let is_nested =
            |column: &nodes::JsonTableColumn| column.coltype == raw::JsonTableColumnType::JTC_NESTED;
        for column in columns.clone().filter(|column| !is_nested(column)) {
            let ty = match column.type_name() {
                Some(name) => self.type_name(name)?,
                None => Ty::Known(oid::INT4),
            };
            types.push((column.name().unwrap_or_default().into(), ty));
            let behaviors = [column.on_empty(), column.on_error()];
            parts.extend(behaviors.into_iter().flatten().map(nodes::JsonBehavior::expr));
        }
        for column in columns.filter(|column| is_nested(column)) {
            let mut nested = Vec::with_capacity(column.columns().len());
            for node in column.columns() {
                let Node::JsonTableColumn(column) = node else {
                    return Err(unsupported("this column of JSON_TABLE", column.location));
                };
                nested.push(column);
            }
            self.json_columns(nested.into_iter(), parts, types)?;
        }
        Ok(())
    }

    /// What is known of rows that are made of a document: all of it runs only where the document is not NULL.
    fn made_of(
        &mut self,
        document: Node<'_>,
        parts: Vec<Node<'_>>,
        what: &str,
        location: i32,
    ) -> Result<Facts, Refusal> {
        let mut facts = self.expression(document)?;
        facts.absorb(&self.all(parts, Ty::Any)?);
        self.make_unsafe_at(document, &mut facts, what, location);
        facts.conditional();
        Ok(facts)
    }

    /// As `make_unsafe`, with its gate around this node; nowhere, where that is a constant.
    fn make_unsafe_at(&mut self, node: Node<'_>, facts: &mut Facts, what: &str, location: i32) {
        let own = match node {
            Node::A_Const(_) | Node::ParamRef(_) | Node::None => Site::Nowhere,
            _ => Site::Node(ffi::place(node)),
        };
        let site = std::mem::replace(&mut self.site, own);
        self.make_unsafe(facts, what, location);
        self.site = site;
    }

    /// The item of FROM that is made so.
    fn rows_made(
        &mut self,
        facts: &Facts,
        types: Vec<(Arc<str>, Ty)>,
        alias: Option<&nodes::Alias>,
        name: &str,
    ) -> Result<Sight, Refusal> {
        barrier::check(self, facts)?;
        let column = |(name, ty)| {
            let facts = Facts {
                ty,
                collation: Collation::Default,
                hazards: Vec::new(),
                reads: true,
                aggregated: false,
                gives_rows: false,
                origin: None,
                catalogue: None,
                ..facts.clone()
            };
            Seen::new(name, facts)
        };
        let mut columns: Vec<Seen> = types.into_iter().map(column).collect();
        let alias = match alias {
            Some(alias) => {
                columns = renamed(columns, alias.colnames());
                alias.aliasname().unwrap_or_default().into()
            }
            None => name.into(),
        };
        Ok(Sight::of(Item {
            alias,
            schema: None,
            sent_alias: None,
            columns,
            open: false,
            renamed: false,
            admits: Vec::new(),
        }))
    }
}

/// The value of one `x AS name` of PASSING.
pub(crate) fn passed_value(node: Node<'_>) -> Option<Node<'_>> {
    match node {
        Node::JsonArgument(argument) => argument.val().map(nodes::JsonValueExpr::raw_expr),
        _ => None,
    }
}
