//! The places of a tree that change, and the change: found by `analyze.rs`, made here.

use std::collections::HashMap;
use std::sync::Arc;

use access::{Catalog, Guards, Refusal};
use pg_raw_parse::make::MemoryToken;
use pg_raw_parse::transform::{
    Assignable, Transform, transform_node, transform_range_subselect, transform_res_target,
    transform_select_stmt,
};
use pg_raw_parse::{Node, NodeMut, nodes};

use crate::analyze::Mention;
use crate::build::Build;
use crate::hidden::Hidden;
use crate::lower;
use crate::views_closed::widened;

/// One change of one node.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    /// A relation in FROM becomes its guard. Without an alias of its own it gets the one that queries know it by.
    Guard {
        /// Which mention of a relation it is.
        mention: usize,
        /// The alias to write; none where the client wrote one.
        alias: Option<Arc<str>>,
    },
    /// The subquery that stands for a view gets this alias.
    Alias(Arc<str>),
    /// A column is named by this path: references by schema become references by alias.
    Column(Vec<Arc<str>>),
    /// The same for `s.c.*`.
    Star(Arc<str>),
    /// A function is written with its schema, `pg_catalog`.
    Function(Arc<str>),
    /// A type is written with its schema.
    Type {
        /// The schema.
        schema: Arc<str>,
        /// The name in it.
        name: Arc<str>,
    },
    /// A collation is written with its schema.
    Collation {
        /// The schema.
        schema: Arc<str>,
        /// The name in it.
        name: Arc<str>,
    },
    /// A question about the session becomes its answer, of this type of `pg_catalog`; NULL where there is none.
    Value {
        /// The answer.
        text: Option<Arc<str>>,
        /// Its type.
        ty: &'static str,
    },
    /// An output column keeps the name that it would have had.
    Name(Arc<str>),
    /// Columns that the primary key determines join GROUP BY: a subquery has no key.
    GroupBy(Vec<Vec<Arc<str>>>),
}

/// All changes of one tree, by the place of the node. They hold for that very tree, while it stands.
#[derive(Debug, Default)]
pub(crate) struct Edits(HashMap<usize, Edit>);

impl Edits {
    pub(crate) fn add<T>(&mut self, node: &T, edit: Edit) {
        self.0.insert(place(node), edit);
    }

    /// The node stays as it is.
    pub(crate) fn forget<T>(&mut self, node: &T) {
        self.0.remove(&place(node));
    }

    pub(crate) fn of<T>(&self, node: &T) -> Option<&Edit> {
        self.0.get(&place(node))
    }

    pub(crate) fn has<T>(&self, node: &T) -> bool {
        self.of(node).is_some()
    }
}

/// Nodes of one tree never share a place, and a node that is not replaced keeps its own.
pub(crate) fn place<T>(node: &T) -> usize {
    std::ptr::from_ref(node).addr()
}

/// Makes the changes.
pub(crate) struct Apply<'m, 'a> {
    pub(crate) mem: MemoryToken<'m>,
    pub(crate) edits: &'a Edits,
    pub(crate) guards: &'a Guards,
    pub(crate) mentions: &'a [Mention],
    pub(crate) catalog: &'a Catalog,
    pub(crate) hidden: &'a Hidden,
    /// The first change that could not be made: then the statement is refused.
    pub(crate) failed: Option<Refusal>,
}

impl<'m> Apply<'m, '_> {
    fn guard(
        &mut self,
        range: &nodes::RangeVar,
        edit: &Edit,
    ) -> Option<pg_raw_parse::make::Unique<'m, Node<'m>>> {
        let Edit::Guard { mention, alias } = edit else { return None };
        let Mention { guard, relation, used, in_view } = self.mentions.get(*mention)?;
        let guard = self.guards.relations.get(*guard)?;
        let all = in_view.then(|| widened(guard, relation));
        let guard = all.as_ref().unwrap_or(guard);
        let used = |name: &str| used.contains(name);
        let query =
            match lower::guard_select(self.mem, guard, relation, !range.inh, self.catalog, self.hidden, used)
            {
                Ok(query) => query,
                Err(refusal) => {
                    self.failed.get_or_insert(refusal);
                    return None;
                }
            };
        let mut subselect = self.mem.make_node::<nodes::RangeSubselect>();
        let mut edit = subselect.as_mut();
        edit.set_subquery(query.uncast());
        let alias = match (range.alias(), alias) {
            (Some(own), _) => self.mem.make_unique(own),
            (None, Some(alias)) => self.mem.make_alias(Some(alias), self.mem.empty()),
            (None, None) => return None,
        };
        edit.set_alias(alias.as_option());
        Some(subselect.uncast())
    }

    fn replacement(&mut self, node: &NodeMut<'m, '_>) -> Option<pg_raw_parse::make::Unique<'m, Node<'m>>> {
        let build = Build(self.mem);
        let edits = self.edits;
        #[expect(clippy::wildcard_enum_match_arm, reason = "other nodes are changed in place, or not at all")]
        match node {
            NodeMut::RangeVar(range) => self.guard(range, edits.of::<nodes::RangeVar>(range)?),
            NodeMut::ColumnRef(column) => match edits.of::<nodes::ColumnRef>(column)? {
                Edit::Column(path) => {
                    let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                    Some(build.column(&path))
                }
                Edit::Star(alias) => Some(build.star(alias)),
                _ => None,
            },
            NodeMut::FuncCall(call) => self.value(edits.of::<nodes::FuncCall>(call)?),
            NodeMut::SQLValueFunction(function) => self.value(edits.of::<nodes::SQLValueFunction>(function)?),
            _ => None,
        }
    }

    fn value(&self, edit: &Edit) -> Option<pg_raw_parse::make::Unique<'m, Node<'m>>> {
        let Edit::Value { text, ty } = edit else { return None };
        let build = Build(self.mem);
        let value = text.as_ref().map_or_else(|| build.null(), |text| build.string(text));
        Some(build.cast(value, ty))
    }
}

impl<'m> Transform<'m> for Apply<'m, '_> {
    fn transform_node<'r>(&mut self, node: Assignable<'m, 'r>) {
        if let Some(replacement) = self.replacement(&node) {
            node.replace(replacement);
            return;
        }
        let mut node = node.into_inner();
        let build = Build(self.mem);
        #[expect(clippy::wildcard_enum_match_arm, reason = "other nodes are not changed in place")]
        match &mut node {
            NodeMut::FuncCall(call) => {
                if let Some(Edit::Function(name)) = self.edits.of::<nodes::FuncCall>(call) {
                    call.set_funcname(build.names(&["pg_catalog", name]));
                }
            }
            NodeMut::CollateClause(collate) => {
                if let Some(Edit::Collation { schema, name }) = self.edits.of::<nodes::CollateClause>(collate)
                {
                    collate.set_collname(build.names(&[schema, name]));
                }
            }
            _ => {}
        }
        transform_node(node, self);
    }

    fn transform_type_name<'r>(&mut self, mut node: nodes::TypeNameMut<'m, 'r>) {
        if let Some(Edit::Type { schema, name }) = self.edits.of::<nodes::TypeName>(&node) {
            let names = [self.mem.make_string(Some(schema)), self.mem.make_string(Some(name))];
            node.set_names(self.mem.make_list(&names));
        }
    }

    fn transform_range_subselect<'r>(&mut self, mut node: nodes::RangeSubselectMut<'m, 'r>) {
        if let Some(Edit::Alias(alias)) = self.edits.of::<nodes::RangeSubselect>(&node) {
            node.set_alias(self.mem.make_alias(Some(alias), self.mem.empty()).as_option());
        }
        transform_range_subselect(node, self);
    }

    fn transform_res_target<'r>(&mut self, mut node: nodes::ResTargetMut<'m, 'r>) {
        if let Some(Edit::Name(name)) = self.edits.of::<nodes::ResTarget>(&node) {
            node.set_name(Some(self.mem.copy_string(name)));
        }
        transform_res_target(node, self);
    }

    fn transform_select_stmt<'r>(&mut self, mut node: nodes::SelectStmtMut<'m, 'r>) {
        if let Some(Edit::GroupBy(paths)) = self.edits.of::<nodes::SelectStmt>(&node) {
            let build = Build(self.mem);
            for path in paths {
                let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                node.group_clause_mut().push(self.mem, build.column(&path));
            }
        }
        transform_select_stmt(node, self);
    }
}
