//! FROM: what each item brings into sight, and where a relation is replaced by its guard.

#![expect(clippy::wildcard_enum_match_arm, reason = "an item that is not named is refused")]

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;

use access::{Refusal, RefusalKind, RelationKind, is_catalogue};
use pg_raw_parse::list::NodeList;
use pg_raw_parse::{Node, nodes, raw};

use crate::analyze::{Analyzer, Mention, Place, one, renamed, unsupported};
use crate::barrier;
use crate::catalogue;
use crate::edits::{self, Edit};
use crate::ffi;
use crate::figure::column_name;
use crate::gates::Source;
use crate::lists::{CallKind, Lists, oid};
use crate::lower;
use crate::names;
use crate::range::{Collation, Facts, Gates, Item, Level, Origin, Seen, Sight, Site, Ty};
use crate::unnest;
use crate::views_closed::widened;

/// The most columns that one join brings into sight.
const JOINED_MAX: usize = 20_000;

/// The most mentions of relations in one statement: each is sent as a whole guard.
const MENTIONS_MAX: usize = 500;

impl Analyzer<'_> {
    /// The items of FROM, each with those before it in sight where it looks back at them.
    pub(crate) fn sights(&mut self, list: &NodeList) -> Result<Rc<Sight>, Refusal> {
        let mut left: Vec<Rc<Sight>> = Vec::with_capacity(list.len());
        for node in list {
            let sight = self.item_of_from(node, &left)?;
            left.push(Rc::new(sight));
        }
        Ok(one(left))
    }

    fn item_of_from(&mut self, node: Node<'_>, left: &[Rc<Sight>]) -> Result<Sight, Refusal> {
        match node {
            Node::RangeVar(range) => self.range_var(range),
            Node::RangeSubselect(subselect) => self.subselect(subselect, left),
            Node::RangeFunction(function) => self.looking_back(left, |this| this.function(function)),
            Node::JoinExpr(join) => self.join(join, left),
            Node::RangeTableSample(sample) => self.sample(sample),
            Node::RangeTableFunc(table) => self.looking_back(left, |this| this.xml_table(table)),
            Node::JsonTable(table) => self.looking_back(left, |this| this.json_table(table)),
            _ => Err(unsupported("this item of FROM", -1)),
        }
    }

    /// Runs with the items to the left as one more level.
    fn looking_back<R>(
        &mut self,
        left: &[Rc<Sight>],
        read: impl FnOnce(&mut Self) -> Result<R, Refusal>,
    ) -> Result<R, Refusal> {
        self.levels.0.push(Level { sight: one(left.to_vec()), settled: false });
        self.used.push(None);
        let result = read(self);
        self.used.pop();
        self.levels.0.pop();
        result
    }

    fn range_var(&mut self, range: &nodes::RangeVar) -> Result<Sight, Refusal> {
        if range.schemaname().is_none()
            && let Some(sight) = self.common_table(range)?
        {
            return Ok(sight);
        }
        self.mention(range)
    }

    /// Whether a name of WITH is in sight by this name.
    pub(crate) fn is_common_table(&self, name: &str) -> bool {
        self.ctes.iter().flatten().any(|cte| &*cte.name == name)
    }

    fn common_table(&mut self, range: &nodes::RangeVar) -> Result<Option<Sight>, Refusal> {
        let Some(name) = range.relname() else { return Ok(None) };
        let mut in_sight = self.ctes.iter().rev().flat_map(|frame| frame.iter().rev());
        let Some(cte) = in_sight.find(|cte| &*cte.name == name) else { return Ok(None) };
        if !cte.known {
            let what =
                "a query of WITH RECURSIVE that names itself outside of a UNION, or one that follows it,";
            return Err(unsupported(what, range.location));
        }
        let (hazard, inside, open) = (cte.hazard.clone(), cte.inside, cte.open);
        let mut columns = (*cte.columns).clone();
        let mut alias = cte.name.clone();
        // It runs where it is read, perhaps row by row of what stands around.
        self.note_nowhere(hazard.as_slice());
        let admit = inside.map(|inside| self.new_admit(Source::Body(inside)));
        columns.iter_mut().for_each(|column| column.facts.enter(admit));
        if let Some(given) = range.alias() {
            alias = given.aliasname().unwrap_or_default().into();
            columns = renamed(columns, given.colnames());
        }
        if let Some(admit) = admit {
            if open {
                let what = "a condition that can fail over a function's rows in WITH";
                self.block(&[admit], unsupported(what, range.location));
            }
            // The column that passes it up has one name in the query, and needs another at each mention.
            let names = columns.iter().map(|column| column.name.clone()).collect();
            self.edits.add(range, Edit::Rename { alias: alias.clone(), names, admit });
        }
        let admits = admit.into_iter().collect();
        let (schema, sent_alias) = (None, None);
        Ok(Some(Sight::of(Item { alias, schema, sent_alias, columns, open, renamed: false, admits })))
    }

    /// A relation: from here on it is its guard.
    pub(crate) fn mention(&mut self, range: &nodes::RangeVar) -> Result<Sight, Refusal> {
        let relation = names::relation(range, self.catalog, &self.session)?;
        let governing = names::governing(relation, self.catalog).ok_or_else(|| names::missing(range))?;
        let guards = &self.guards.relations;
        let Some(at) = guards.iter().position(|guard| guard.relation == governing.name) else {
            return Err(names::missing(range));
        };
        let Some(guard) = guards.get(at) else { return Err(names::missing(range)) };
        let is_own = is_catalogue(&relation.name.schema);
        if matches!(relation.kind, RelationKind::Sequence | RelationKind::Composite | RelationKind::Other) {
            let message =
                format!("reading such a relation is not mediated by this version: {}", relation.name);
            return Err(Refusal::new(RefusalKind::Unsupported, message).at(range.location));
        }
        // Nothing of the query around a fence runs over rows that the guard leaves out.
        let is_filtered = guard.rows.is_some() && !lower::is_fenced(relation);
        let all = self.views.inside().then(|| widened(guard, relation));
        let shown = all.as_ref().unwrap_or(guard);
        let mention = self.mentions.len();
        if mention >= MENTIONS_MAX {
            let message = format!("statement names more than {MENTIONS_MAX} relations");
            return Err(Refusal::new(RefusalKind::TooComplex, message).at(range.location));
        }
        let admit = is_filtered.then(|| self.new_admit(Source::Guard(mention)));
        let gates: Gates = admit.into_iter().collect();
        let mut columns = Vec::with_capacity(shown.columns.len());
        for guarded in &shown.columns {
            let Some(column) = relation.column(&guarded.name) else { continue };
            let facts = Facts {
                length: lower::length(column, self.catalog).map(Rc::new),
                collation: match column.collation {
                    0 | 100 => Collation::Default,
                    other => Collation::Named(other),
                },
                gates: gates.clone(),
                reads: true,
                origin: Some(Origin { mention, column: column.name.clone() }),
                closed: guard.columns.iter().all(|shown| shown.name != column.name),
                catalogue: catalogue::mark_of_column(column.base_oid).filter(|_| is_own),
                ..Facts::of(Ty::Known(column.base_oid))
            };
            columns.push(Seen::new(column.name.clone(), facts));
        }
        let in_view = all.is_some();
        self.mentions.push(Mention {
            guard: at,
            relation: relation.clone(),
            used: HashSet::new(),
            admit: None,
            in_view,
        });
        let (alias, schema, sent_alias) = match range.alias() {
            Some(given) => (given.aliasname().unwrap_or_default().into(), None, None),
            None => {
                let name = relation.name.name.clone();
                let schema = relation.name.schema.clone();
                (name.clone(), Some(schema.clone()), self.distinct_alias(&name, &schema))
            }
        };
        let mut is_renamed = false;
        if let Some(given) = range.alias() {
            is_renamed = !given.colnames().is_empty();
            self.use_by_place(&columns, given);
            columns = renamed(columns, given.colnames());
        }
        let edit = Edit::Guard {
            mention,
            alias: sent_alias.clone().or_else(|| range.alias().is_none().then(|| alias.clone())),
        };
        self.edits.add(range, edit);
        let admits = admit.into_iter().collect();
        Ok(Sight::of(Item { alias, schema, sent_alias, columns, open: false, renamed: is_renamed, admits }))
    }

    /// Names given by place: a column that is left out would move those after it.
    fn use_by_place(&mut self, columns: &[Seen], alias: &nodes::Alias) {
        if !alias.colnames().is_empty() {
            let before = self.views.watch();
            for column in columns {
                self.note_use(&column.facts, vec![column.name.clone()]);
            }
            self.views.seen(before);
        }
    }

    /// Two relations of one name from two schemas, legal without aliases: the later ones get an alias that differs.
    pub(crate) fn distinct_alias(&mut self, name: &Arc<str>, schema: &Arc<str>) -> Option<Arc<str>> {
        let schemas = self.unaliased.entry(name.clone()).or_default();
        let at = schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
            schemas.push(schema.clone());
            schemas.len() - 1
        });
        (at > 0).then(|| format!("{name} of {schema}").into())
    }

    fn subselect(&mut self, subselect: &nodes::RangeSubselect, left: &[Rc<Sight>]) -> Result<Sight, Refusal> {
        let Node::SelectStmt(query) = subselect.subquery() else {
            return Err(unsupported("this subquery", -1));
        };
        if let Some(opening) = self.views.openings.of(subselect) {
            return self.opened(&opening, subselect, query);
        }
        let body = if subselect.lateral {
            self.looking_back(left, |this| this.select(query, Place::Inner))?
        } else {
            self.select(query, Place::Inner)?
        };
        let body = body.settled();
        let admit = body.filtered.then(|| self.new_admit(Source::Body(body.inside)));
        let mut columns = body.columns;
        columns.iter_mut().for_each(|column| column.facts.enter(admit));
        let admits: Vec<_> = admit.into_iter().collect();
        let Some(alias) = subselect.alias() else {
            return Ok(Sight { items: Vec::new(), columns, open: body.open, admits });
        };
        let columns = renamed(columns, alias.colnames());
        let alias = alias.aliasname().unwrap_or_default().into();
        Ok(Sight::of(Item {
            alias,
            schema: None,
            sent_alias: None,
            columns,
            open: body.open,
            renamed: false,
            admits,
        }))
    }

    /// `f(…)`, `ROWS FROM (…)`: its arguments may read what stands to the left, and then run before filters do.
    fn function(&mut self, function: &nodes::RangeFunction) -> Result<Sight, Refusal> {
        let mut columns = Vec::new();
        let mut open = false;
        for entry in function.functions() {
            let Node::NodeList(entry) = entry else { return Err(unsupported("this function in FROM", -1)) };
            let mut parts = entry.iter();
            let Some(call) = parts.next() else { return Err(unsupported("this function in FROM", -1)) };
            let facts = self.called(call)?;
            if let Some(several) = unnest::of_several(function) {
                self.edits.forget(several);
                let column = Facts { ty: Ty::Any, ..facts };
                let arrays = several.args().iter();
                columns.extend(arrays.map(|_| Seen::new("unnest".into(), column.clone())));
                continue;
            }
            let defined = match parts.next() {
                Some(Node::NodeList(defined)) => self.definitions(defined.iter(), &facts)?,
                _ => self.definitions(function.coldeflist().iter().map(Node::ColumnDef), &facts)?,
            };
            if !defined.is_empty() {
                columns.extend(defined);
                continue;
            }
            open |= !matches!(facts.ty, Ty::Known(ty) if ty != oid::RECORD);
            let name = match function.alias() {
                Some(alias) if !function.is_rowsfrom => alias.aliasname().unwrap_or_default().to_owned(),
                _ => column_name(call),
            };
            let name = catalogue::result_column(call).map_or(name, str::to_owned);
            columns.push(Seen::new(name.into(), facts));
        }
        if function.ordinality {
            let facts = Facts { reads: true, ..Facts::of(Ty::Known(oid::INT8)) };
            columns.push(Seen::new("ordinality".into(), facts));
        }
        if open {
            // A row of unknown columns: those that have a name may be any of them.
            for column in &mut columns {
                column.facts.ty = Ty::Any;
            }
        }
        let alias = match function.alias() {
            Some(alias) => {
                let named = alias.colnames();
                if open {
                    let like =
                        columns.first().map_or_else(|| Facts::of(Ty::Any), |column| column.facts.clone());
                    columns
                        .resize_with(columns.len().max(named.len()), || Seen::new("".into(), like.clone()));
                }
                columns = renamed(columns, named);
                alias.aliasname().unwrap_or_default().into()
            }
            None => columns.first().map_or_else(|| "".into(), |column| column.name.clone()),
        };
        let (schema, sent_alias, admits) = (None, None, Vec::new());
        Ok(Sight::of(Item { alias, schema, sent_alias, columns, open, renamed: false, admits }))
    }

    /// One call in FROM: what it gives is computed by a scan of its own, or moved into conditions where it is one value.
    fn called(&mut self, call: Node<'_>) -> Result<Facts, Refusal> {
        let mut facts = self.expression(call)?;
        let own = Site::Node(ffi::place(call));
        for hazard in facts.hazards.iter_mut().filter(|hazard| hazard.site == own) {
            // A call in FROM can stand in no CASE.
            hazard.site = match own {
                Site::Node(place) if takes_null(call, self.lists) => Site::Arguments(place),
                _ => Site::Nowhere,
            };
        }
        barrier::check(self, &facts)?;
        facts.gated();
        if returns_set(call, self.lists) {
            facts.hazards.clear();
        }
        Ok(Facts { origin: None, reads: true, aggregated: false, gives_rows: false, ..facts })
    }

    /// `AS t (a int, b text)`: names and types that the client gives.
    fn definitions<'n>(
        &mut self,
        definitions: impl Iterator<Item = Node<'n>>,
        facts: &Facts,
    ) -> Result<Vec<Seen>, Refusal> {
        let mut columns = Vec::new();
        for definition in definitions {
            let Node::ColumnDef(definition) = definition else {
                return Err(unsupported("this column definition", -1));
            };
            let ty = match definition.type_name() {
                Some(name) => self.type_name(name)?,
                None => Ty::Any,
            };
            let name = definition.colname().unwrap_or_default().into();
            columns.push(Seen::new(name, Facts { ty, ..facts.clone() }));
        }
        Ok(columns)
    }

    fn join(&mut self, join: &nodes::JoinExpr, left: &[Rc<Sight>]) -> Result<Sight, Refusal> {
        let one_side = Rc::new(self.item_of_from(join.larg(), left)?);
        let mut in_sight = left.to_vec();
        in_sight.push(one_side.clone());
        let other_side = self.item_of_from(join.rarg(), &in_sight)?;
        drop(in_sight);
        let names: Vec<Arc<str>> = if join.is_natural {
            let common = |column: &&Seen| other_side.columns.iter().any(|other| other.name == column.name);
            one_side.columns.iter().filter(common).map(|column| column.name.clone()).collect()
        } else {
            join.using_clause().iter().filter_map(nodes::String::sval).map(Arc::from).collect()
        };
        if (join.is_natural || !names.is_empty()) && (one_side.open || other_side.open) {
            return Err(unsupported("NATURAL or USING with a function that gives rows", -1));
        }
        if !matches!(join.quals(), Node::None) {
            let sight = Rc::new((*one_side).clone().beside(other_side.clone()));
            self.levels.0.push(Level { sight, settled: false });
            self.used.push(None);
            // Beside the condition of an outer join one more is no condition of its own.
            let owner = (join.jointype == raw::JoinType::JOIN_INNER).then(|| edits::place(join));
            let checked = barrier::conditions(self, join.quals(), owner);
            self.used.pop();
            self.levels.0.pop();
            checked?;
        }
        let mut admits = one_side.admits.clone();
        admits.extend(&other_side.admits);
        if join.is_natural && !admits.is_empty() {
            // One more column on both sides would be joined by as well.
            self.edits.add(join, Edit::Using { names: names.clone(), admits: admits.clone() });
        }
        let mut merged = Vec::with_capacity(names.len());
        for name in &names {
            merged.push(self.merge(join, name, &one_side, &other_side)?);
        }
        let rest = |column: &&Seen| !names.contains(&column.name);
        let mut columns = merged.clone();
        columns.extend(one_side.columns.iter().filter(rest).cloned());
        columns.extend(other_side.columns.iter().filter(rest).cloned());
        let open = one_side.open || other_side.open;
        if columns.len() > JOINED_MAX {
            let message = format!("a join can have at most {JOINED_MAX} columns");
            return Err(Refusal::new(RefusalKind::TooComplex, message));
        }
        if let Some(alias) = join.alias() {
            self.use_by_place(&columns, alias);
            if !alias.colnames().is_empty() {
                let what = "a condition that can fail over a join with names for its columns";
                self.block(&admits, unsupported(what, -1).hint("name the columns in a select list"));
            }
            let columns = renamed(columns, alias.colnames());
            let alias = alias.aliasname().unwrap_or_default().into();
            return Ok(Sight::of(Item {
                alias,
                schema: None,
                sent_alias: None,
                columns,
                open,
                renamed: false,
                admits,
            }));
        }
        let mut items = one_side.items.clone();
        items.extend(other_side.items);
        if let Some(alias) = join.join_using_alias() {
            let alias = alias.aliasname().unwrap_or_default().into();
            items.push(Rc::new(Item {
                alias,
                schema: None,
                sent_alias: None,
                columns: merged,
                open: false,
                renamed: false,
                admits: Vec::new(),
            }));
        }
        Ok(Sight { items, columns, open, admits })
    }

    /// A column of USING or NATURAL: an equality that the server adds, at risk as if it were written.
    fn merge(
        &mut self,
        join: &nodes::JoinExpr,
        name: &Arc<str>,
        left: &Sight,
        right: &Sight,
    ) -> Result<Seen, Refusal> {
        let find = |sight: &Sight| {
            let mut columns = sight.columns.iter().filter(|column| column.name == *name);
            match (columns.next(), columns.next()) {
                (Some(column), None) => Ok(column.clone()),
                (None, _) => {
                    let message = format!("column \"{name}\" specified in USING clause does not exist");
                    Err(Refusal::new(RefusalKind::UnknownColumn, message))
                }
                (Some(_), Some(_)) => {
                    let message = format!("column name \"{name}\" in USING is not unique");
                    Err(Refusal::new(RefusalKind::AmbiguousColumn, message))
                }
            }
        };
        let (left, right) = (find(left)?, find(right)?);
        for side in [&left, &right] {
            self.note_use(&side.facts, vec![name.clone()]);
        }
        let equal = self.operator("=", Some(&left.facts), &right.facts, -1)?;
        barrier::check(self, &equal)?;
        // Which side the server takes hangs on types, lengths and the kind of join: the worst of both.
        let both = self.unify(&[&left.facts, &right.facts], "USING over different types");
        let origin = match join.jointype {
            raw::JoinType::JOIN_INNER | raw::JoinType::JOIN_LEFT if left.facts.ty == right.facts.ty => {
                left.facts.origin
            }
            _ => None,
        };
        let facts = Facts { origin, ..both };
        Ok(Seen::new(name.clone(), facts))
    }
}

/// Functions that give rows and run where an argument is NULL.
const RUN_ON_NULL: [&str; 5] = [
    "json_populate_recordset",
    "jsonb_populate_recordset",
    "json_to_recordset",
    "jsonb_to_recordset",
    "string_to_table",
];

/// Whether a call does not run where an argument is NULL, and has one that can be made so.
fn takes_null(call: Node<'_>, lists: &'static Lists) -> bool {
    let Node::FuncCall(function) = call else { return false };
    let name = function.funcname().iter().filter_map(Node::as_str).next_back().unwrap_or_default();
    let gated = function.args().iter().any(|arg| !matches!(arg, Node::A_Const(_) | Node::ParamRef(_)));
    gated && returns_set(call, lists) && !function.func_variadic && !RUN_ON_NULL.contains(&name)
}

/// Whether every function of this name gives rows; one that gives a value may be moved into conditions.
fn returns_set(call: Node<'_>, lists: &'static Lists) -> bool {
    let Node::FuncCall(call) = call else { return false };
    let name = call.funcname().iter().filter_map(Node::as_str).next_back().unwrap_or_default();
    let overloads = lists.functions(name);
    !overloads.is_empty() && overloads.iter().all(|overload| overload.kind == CallKind::SetReturning)
}
