//! Stars and whole rows, written out where one more column is among them.

#![expect(clippy::wildcard_enum_match_arm, reason = "a row of VALUES is a list")]

use std::sync::Arc;

use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{Node, nodes, raw};

use crate::build::Build;
use crate::edits::{Apply, Made, WrittenOut, place};
use crate::ffi;
use crate::gates::any_present;
use crate::select::star;

impl<'m> Apply<'m, '_> {
    pub(crate) fn wanted<'w>(&self, written: Option<&'w WrittenOut>) -> Option<&'w WrittenOut> {
        written.filter(|written| any_present(self.admits, self.insides, &written.admits))
    }

    /// `CASE WHEN admit THEN (SELECT r FROM (SELECT c.id, c.email) r) END`: the row without the one more column; NULL for
    /// a row that an outer join has made up.
    pub(crate) fn row(&self, written: &WrittenOut) -> Made<'m> {
        const ALIAS: &str = "veilgate row";
        let (mem, build) = (self.mem, Build(self.mem));
        let targets: Vec<_> = written.paths.iter().map(|path| target(mem, path)).collect();
        let mut inner = mem.make_node::<nodes::SelectStmt>();
        inner.as_mut().set_target_list(mem.make_list(&targets));
        inner.as_mut().set_limit_option(raw::LimitOption::LIMIT_OPTION_DEFAULT);
        let mut from = mem.make_node::<nodes::RangeSubselect>();
        from.as_mut().set_subquery(inner.uncast());
        from.as_mut().set_alias(mem.make_alias(Some(ALIAS), mem.empty()).as_option());
        let mut outer = mem.make_node::<nodes::SelectStmt>();
        let row = mem.make_res_target(None, mem.empty(), build.column(&[ALIAS]));
        outer.as_mut().set_target_list(mem.make_list(&[row]));
        outer.as_mut().set_from_clause(mem.make_list(&[from.uncast()]));
        outer.as_mut().set_limit_option(raw::LimitOption::LIMIT_OPTION_DEFAULT);
        let mut link = mem.make_node::<nodes::SubLink>();
        link.as_mut().set_sub_link_type(raw::SubLinkType::EXPR_SUBLINK);
        link.as_mut().set_subselect(outer.uncast());
        let names = written.admits.iter().filter_map(|admit| usize::try_from(*admit).ok());
        let admits: Vec<_> = names
            .filter_map(|at| self.admits.get(at))
            .map(|admit| build.null_test(build.column(&[&admit.name]), false))
            .collect();
        build.case(vec![(build.and(admits), link.uncast())], None)
    }

    /// A list of expressions, with the stars in it written out; none where it stays as it is.
    pub(crate) fn list_written_out(
        &self,
        list: &pg_raw_parse::list::NodeList,
    ) -> Option<Unique<'m, &'m pg_raw_parse::list::NodeList>> {
        list.iter().find_map(|node| self.written_out(node))?;
        let mut nodes = Vec::with_capacity(list.len());
        for node in list {
            match self.written_out(node) {
                Some(out) => nodes.extend(out.paths.iter().map(|path| {
                    let path: Vec<&str> = path.iter().map(|part| &**part).collect();
                    Build(self.mem).column(&path)
                })),
                None => nodes.push(ffi::hold(self.mem, node)),
            }
        }
        Some(self.mem.make_list(&nodes))
    }

    /// What a star stands for, where it is to be written out.
    pub(crate) fn written_out(&self, node: Node<'_>) -> Option<&WrittenOut> {
        let (Node::ColumnRef(column), Some(_)) = star(node) else { return None };
        self.wanted(self.edits.stars.get(&place(column)))
    }

    /// The rows of VALUES, with stars written out.
    pub(crate) fn write_out_values(&self, node: &mut nodes::SelectStmtMut<'m, '_>) {
        let row = |row| match row {
            Node::NodeList(list) => self.list_written_out(list).map(Unique::uncast),
            _ => None,
        };
        let rows: Vec<_> = node.values_lists().iter().map(row).collect();
        if rows.iter().any(Option::is_some) {
            let held = rows.into_iter().zip(node.values_lists().iter());
            let rows: Vec<_> =
                held.map(|(made, row)| made.unwrap_or_else(|| ffi::hold(self.mem, row))).collect();
            node.set_values_lists(self.mem.make_list(&rows));
        }
    }

    /// The select list, with stars written out where one more column would be among them.
    pub(crate) fn write_out(&self, node: &mut nodes::SelectStmtMut<'m, '_>) {
        let targets = node.target_list().iter().enumerate();
        let found: Vec<_> =
            targets.filter_map(|(at, target)| Some((at, self.written_out(target.val())?))).collect();
        let mut list = node.target_list_mut();
        for (at, out) in found.into_iter().rev() {
            let mut targets = out.paths.iter().map(|path| target(self.mem, path));
            if let Some(first) = targets.next() {
                list.set(at, first);
            }
            for (next, target) in targets.enumerate() {
                list.insert(self.mem, at + 1 + next, target);
            }
        }
    }
}

/// One column, named by its path.
fn target<'m>(mem: MemoryToken<'m>, path: &[Arc<str>]) -> Unique<'m, &'m nodes::ResTarget> {
    let path: Vec<&str> = path.iter().map(|part| &**part).collect();
    mem.make_res_target(None, mem.empty(), Build(mem).column(&path))
}
