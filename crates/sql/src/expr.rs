//! Expressions: what each reads, of which type it is, and whether any part of it can fail or tell.

#![expect(clippy::wildcard_enum_match_arm, reason = "a node that is not named is refused")]

use std::rc::Rc;
use std::sync::Arc;

use access::{Refusal, RefusalKind};
use pg_raw_parse::{ConstValue, Node, nodes, raw};

use crate::analyze::{Analyzer, Body, Place, unsupported};
use crate::compare::operator_name;
use crate::edits::Edit;
use crate::ffi;
use crate::lists::oid;
use crate::range::{Collation, Facts, Found, Gates, Item, Seen, Site, Ty};

/// The collation `"C"` of `pg_catalog`, which values of type `name` have.
pub(crate) const C_COLLATION: u32 = 950;

/// Types whose values are all of one small size: an array of them is as large as its statement.
const HAS_FIXED_SIZE: [u32; 13] = [
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::OID,
    oid::DATE,
    oid::TIME,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
    oid::UUID,
    oid::INTERVAL,
];

/// Columns that every table has and no guard.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "ctid", "xmin", "xmax", "cmin", "cmax"];

impl Analyzer<'_> {
    /// Reads an expression.
    pub(crate) fn expression(&mut self, node: Node<'_>) -> Result<Facts, Refusal> {
        let site = std::mem::replace(&mut self.site, Site::Node(ffi::place(node)));
        let facts = self.form(node)?;
        self.site = site;
        if let Some(length) = &facts.length
            && matches!(node, Node::ColumnRef(_) | Node::SubLink(_))
        {
            self.edits.add_length(ffi::place(node), length);
        }
        Ok(facts)
    }

    fn form(&mut self, node: Node<'_>) -> Result<Facts, Refusal> {
        match node {
            Node::None => Ok(Facts::of(Ty::Literal)),
            Node::A_Const(constant) => Ok(Facts::of(constant_type(constant))),
            Node::ParamRef(parameter) => Ok(Facts::of(self.parameter(parameter.number))),
            Node::ColumnRef(column) => self.column(column),
            Node::A_Expr(expression) => self.operation(expression),
            Node::BoolExpr(boolean) => {
                let mut facts = self.all(boolean.args().iter(), Ty::Known(oid::BOOL))?;
                if boolean.boolop != raw::BoolExprType::NOT_EXPR {
                    facts.conditional();
                }
                Ok(facts)
            }
            Node::NullTest(test) => self.all([test.arg()], Ty::Known(oid::BOOL)),
            Node::BooleanTest(test) => self.all([test.arg()], Ty::Known(oid::BOOL)),
            Node::TypeCast(cast) => self.cast(cast),
            Node::CollateClause(collate) => self.collate(collate),
            Node::FuncCall(call) => self.call(call),
            Node::A_Indirection(indirection) => self.indirection(indirection),
            Node::A_ArrayExpr(array) => self.array(array),
            Node::RowExpr(row) => {
                let mut facts = Facts::of(Ty::Any);
                self.row_parts(row.args().iter())?.iter().for_each(|part| facts.absorb(part));
                Ok(facts)
            }
            Node::CaseExpr(case) => self.case(case),
            Node::CoalesceExpr(coalesce) => {
                let parts = self.each(coalesce.args().iter())?;
                let mut facts =
                    self.unify(&parts.iter().collect::<Vec<_>>(), "COALESCE over different types");
                facts.conditional();
                Ok(facts)
            }
            Node::MinMaxExpr(extreme) => self.extreme(extreme),
            Node::SubLink(link) => self.sublink(link),
            Node::SQLValueFunction(function) => Ok(self.value_function(function)),
            Node::GroupingFunc(grouping) => {
                let facts = self.all(grouping.args().iter(), Ty::Known(oid::INT4))?;
                Ok(Facts { aggregated: true, ..facts })
            }
            Node::NamedArgExpr(named) => self.expression(named.arg()),
            Node::XmlExpr(xml) => self.xml(xml),
            Node::XmlSerialize(xml) => {
                if let Some(name) = xml.type_name() {
                    self.type_name(name)?;
                }
                let mut facts = self.all([xml.expr()], Ty::Any)?;
                self.make_unsafe(&mut facts, "XMLSERIALIZE", xml.location);
                Ok(facts)
            }
            Node::SetToDefault(_) => Err(unsupported("DEFAULT", -1)),
            Node::JsonFuncExpr(_)
            | Node::JsonObjectConstructor(_)
            | Node::JsonArrayConstructor(_)
            | Node::JsonArrayQueryConstructor(_)
            | Node::JsonObjectAgg(_)
            | Node::JsonArrayAgg(_)
            | Node::JsonIsPredicate(_)
            | Node::JsonParseExpr(_)
            | Node::JsonScalarExpr(_)
            | Node::JsonSerializeExpr(_) => self.json(node),
            _ => Err(unsupported("this form of expression", -1)),
        }
    }

    pub(crate) fn each<'n>(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'n>>,
    ) -> Result<Vec<Facts>, Refusal> {
        nodes.into_iter().map(|node| self.expression(node)).collect()
    }

    /// All parts together, as a value of this type.
    pub(crate) fn all<'n>(
        &mut self,
        nodes: impl IntoIterator<Item = Node<'n>>,
        ty: Ty,
    ) -> Result<Facts, Refusal> {
        let mut facts = Facts::of(ty);
        for node in nodes {
            facts.absorb(&self.expression(node)?);
        }
        if ty == Ty::Known(oid::BOOL) {
            facts.collation = Collation::Default;
        }
        Ok(facts)
    }

    pub(crate) fn parameter(&self, number: i32) -> Ty {
        if self.repeated.contains(&number) && matches!(self.declared(number), 0 | oid::UNKNOWN) {
            // Its first use gives it a type, and its others a cast that may fail.
            return Ty::Any;
        }
        match self.declared(number) {
            0 | oid::UNKNOWN => Ty::Literal,
            oid => Ty::Known(oid),
        }
    }

    fn declared(&self, number: i32) -> u32 {
        let declared = usize::try_from(number)
            .ok()
            .and_then(|number| self.session.parameters.get(number.checked_sub(1)?));
        declared.copied().unwrap_or(0)
    }

    fn column(&mut self, column: &nodes::ColumnRef) -> Result<Facts, Refusal> {
        let fields: Vec<&str> = column.fields().iter().filter_map(Node::as_str).collect();
        if fields.len() != column.fields().len() {
            return self.row_of(column, &fields);
        }
        let Some((name, qualifier)) = fields.split_last() else {
            return Err(unsupported("a column without a name", column.location));
        };
        if qualifier.is_empty() {
            return match self.levels.unqualified(name, column.location)? {
                Some(Found::Column(facts, depth)) => {
                    self.note_use(&facts, vec![(*name).into()]);
                    Ok(self.read_column(&facts, depth))
                }
                Some(Found::Row(item, depth)) => {
                    if let Some(sent) = &item.sent_alias {
                        self.edits.add(column, Edit::Column(vec![sent.clone()]));
                    }
                    self.row(column, &item, depth)
                }
                Some(Found::Open) => Ok(self.unknown(column.location)),
                None => match self.tableoid(column, &fields) {
                    Some(facts) => Ok(facts),
                    None => Err(missing(&fields, column.location)),
                },
            };
        }
        let (item, depth) = self.qualifier(qualifier, column.location)?;
        let Some(seen) = named(&item, name, column.location)? else {
            if item.open {
                return Ok(self.unknown(column.location));
            }
            return match self.tableoid(column, &fields) {
                Some(facts) => Ok(facts),
                None => Err(missing(&fields, column.location)),
            };
        };
        let facts = seen.facts.clone();
        let alias = item.sent_alias.clone().unwrap_or_else(|| item.alias.clone());
        let path = vec![alias, seen.name.clone()];
        if qualifier.len() > 1 || item.sent_alias.is_some() {
            self.edits.add(column, Edit::Column(path.clone()));
        }
        self.note_use(&facts, path);
        Ok(self.read_column(&facts, depth))
    }

    /// `c.*` inside an expression: `row(c.*)`, `count(c.*)`.
    fn row_of(&mut self, column: &nodes::ColumnRef, qualifier: &[&str]) -> Result<Facts, Refusal> {
        if qualifier.is_empty() {
            return Err(unsupported("`*` without a table as an expression", column.location));
        }
        let (item, depth) = self.qualifier(qualifier, column.location)?;
        if qualifier.len() > 1 || item.sent_alias.is_some() {
            let alias = item.sent_alias.clone().unwrap_or_else(|| item.alias.clone());
            self.edits.add(column, Edit::Star(alias));
        }
        self.row(column, &item, depth)
    }

    /// `c`, `s.c` or `d.s.c` before a column or a star.
    pub(crate) fn qualifier(&self, qualifier: &[&str], location: i32) -> Result<(Rc<Item>, usize), Refusal> {
        let found = match qualifier {
            [name] => self.levels.item(None, name, location)?,
            [schema, name] => self.levels.item(Some(schema), name, location)?,
            [database, schema, name] if *database == &*self.catalog.database => {
                self.levels.item(Some(schema), name, location)?
            }
            _ => None,
        };
        found.ok_or_else(|| {
            let message = format!("missing FROM-clause entry for table \"{}\"", qualifier.join("."));
            Refusal::new(RefusalKind::UnknownRelation, message).at(location)
        })
    }

    /// A whole row: all of its columns.
    fn row(&mut self, column: &nodes::ColumnRef, item: &Item, depth: usize) -> Result<Facts, Refusal> {
        if item.renamed {
            let what = "a whole row of a relation with other names for its columns";
            return Err(unsupported(what, column.location).hint("leave out the names behind the alias"));
        }
        let alias = item.sent_alias.clone().unwrap_or_else(|| item.alias.clone());
        let mut facts = Facts::of(Ty::Any);
        let mut paths = Vec::with_capacity(item.columns.len());
        for seen in &item.columns {
            facts.absorb(&seen.facts);
            let path = vec![alias.clone(), seen.name.clone()];
            paths.push(Rc::from(path.as_slice()));
            self.note_use(&seen.facts, path);
        }
        self.whole_row(column, item, paths);
        facts.collation = Collation::Default;
        Ok(self.read_column(&facts, depth))
    }

    /// Where one more column stands in the row, the row is made of the others.
    fn whole_row(&mut self, column: &nodes::ColumnRef, item: &Item, paths: Vec<Rc<[Arc<str>]>>) {
        match item.admits.as_slice() {
            [] => {}
            [admit] if !item.open => {
                self.edits.add_row(column, paths, *admit);
            }
            admits => {
                let what = "a whole row of this item of FROM, beside a condition that can fail,";
                self.block(admits, unsupported(what, column.location).hint("name its columns"));
            }
        }
    }

    /// Perhaps a column of a function's result, perhaps one of an outer query: the worst of both.
    fn unknown(&mut self, location: i32) -> Facts {
        self.note_unknown();
        let gates: Gates =
            self.levels.0.iter().flat_map(|level| level.sight.admits.iter().copied()).collect();
        self.note_gates(&gates);
        for part in self.parts.iter_mut().filter(|part| part.base > 0) {
            part.correlated = true;
        }
        let mut facts = Facts { gates, reads: true, ..Facts::of(Ty::Any) };
        self.make_unsafe(&mut facts, "a column of a function's result", location);
        facts
    }

    fn array(&mut self, array: &nodes::A_ArrayExpr) -> Result<Facts, Refusal> {
        let parts = self.each(array.elements().iter())?;
        let mut facts = self.unify(&parts.iter().collect::<Vec<_>>(), "ARRAY of different types");
        facts.origin = None;
        let bounded =
            array.elements().iter().all(|node| matches!(node, Node::A_Const(_) | Node::ParamRef(_)));
        if !bounded && !matches!(facts.ty, Ty::Known(ty) if HAS_FIXED_SIZE.contains(&ty)) {
            self.make_unsafe(&mut facts, "ARRAY of values of any size", array.location);
        }
        facts.ty = match facts.ty {
            Ty::Known(element) | Ty::Number(element) => match self.lists.array_of(element) {
                Some(array) => Ty::Known(array),
                // Arrays of arrays of different lengths do not fit together.
                None => {
                    if !parts.is_empty() {
                        self.make_unsafe(&mut facts, "ARRAY of arrays", array.location);
                    }
                    if self.lists.element(element).is_some() { Ty::Known(element) } else { Ty::Any }
                }
            },
            Ty::Literal => Ty::Literal,
            Ty::Any => Ty::Any,
        };
        Ok(facts)
    }

    fn case(&mut self, case: &nodes::CaseExpr) -> Result<Facts, Refusal> {
        let subject = match case.arg() {
            Node::None => None,
            node => Some(self.expression(node)?),
        };
        let mut conditions = Facts::of(Ty::Any);
        let mut results = Vec::with_capacity(case.args().len() + 1);
        for when in case.args() {
            let Node::CaseWhen(when) = when else { return Err(unsupported("this CASE", case.location)) };
            let condition = self.expression(when.expr())?;
            let condition = match &subject {
                Some(subject) => self.operator("=", Some(subject), &condition, case.location)?,
                None => condition,
            };
            conditions.absorb(&Facts { collation: Collation::Default, ..condition });
            results.push(self.expression(when.result())?);
        }
        results.push(self.expression(case.defresult())?);
        let mut facts = self.unify(&results.iter().collect::<Vec<_>>(), "CASE over different types");
        facts.absorb(&conditions);
        facts.conditional();
        facts.origin = None;
        Ok(facts)
    }

    /// GREATEST and LEAST compare their arguments.
    fn extreme(&mut self, extreme: &nodes::MinMaxExpr) -> Result<Facts, Refusal> {
        let parts = self.each(extreme.args().iter())?;
        let mut facts =
            self.unify(&parts.iter().collect::<Vec<_>>(), "GREATEST or LEAST over different types");
        let compared = self.operator("<", Some(&facts), &facts, extreme.location)?;
        facts.absorb(&compared);
        facts.origin = None;
        Ok(facts)
    }

    fn indirection(&mut self, indirection: &nodes::A_Indirection) -> Result<Facts, Refusal> {
        if let Some(facts) = self.expanded(indirection)? {
            return Ok(facts);
        }
        let mut steps = indirection.indirection().iter();
        let mut facts = match (indirection.arg(), indirection.indirection().first()) {
            (Node::ColumnRef(column), Some(Node::String(field))) => {
                steps.next();
                self.field_of_column(column, field.sval().unwrap_or_default())?
            }
            (arg, _) => self.expression(arg)?,
        };
        for step in steps {
            match step {
                Node::A_Indices(indices) => {
                    let place = self.expression(indices.uidx())?;
                    facts.absorb(&self.expression(indices.lidx())?);
                    facts.absorb(&place);
                    let array = facts.ty;
                    facts.length = None;
                    facts.ty = match facts.ty {
                        Ty::Known(ty) if !indices.is_slice => self.element(ty),
                        other => other,
                    };
                    // One element of an array: NULL where there is none.
                    let is_number = matches!(
                        place.ty,
                        Ty::Known(oid::INT2 | oid::INT4) | Ty::Number(oid::INT2 | oid::INT4)
                    );
                    let is_element = !indices.is_slice && facts.ty != array && facts.ty != Ty::Any;
                    if !is_element || !is_number {
                        self.make_unsafe(&mut facts, "a subscript", -1);
                    }
                    facts.conditional();
                    facts.origin = None;
                }
                Node::String(field) => {
                    facts = self.field_of_value(facts, field.sval().unwrap_or_default(), -1)?;
                }
                // Every field of a composite value.
                _ => {
                    let message = "a field of a composite value is not mediated by this version";
                    return Err(Refusal::new(RefusalKind::Unsupported, message)
                        .hint("write functions as f(x), and columns as table.column"));
                }
            }
        }
        Ok(facts)
    }

    /// `(c).email`: a column of a whole row.
    pub(crate) fn field_of_row(&mut self, column: &nodes::ColumnRef, field: &str) -> Result<Facts, Refusal> {
        let fields: Vec<&str> = column.fields().iter().filter_map(Node::as_str).collect();
        let item = match fields.as_slice() {
            [name] => match self.levels.unqualified(name, column.location)? {
                Some(Found::Row(item, depth)) => Some((item, depth)),
                _ => None,
            },
            _ => None,
        };
        let Some((item, depth)) = item else {
            let message = "a field of a composite value is not mediated by this version";
            return Err(Refusal::new(RefusalKind::Unsupported, message).at(column.location));
        };
        let Some(seen) = named(&item, field, column.location)? else {
            return Err(missing(&[&item.alias, field], column.location));
        };
        if let Some(sent) = &item.sent_alias {
            self.edits.add(column, Edit::Column(vec![sent.clone()]));
        }
        let facts = Facts { origin: None, ..seen.facts.clone() };
        let alias = item.sent_alias.clone().unwrap_or_else(|| item.alias.clone());
        self.note_use(&seen.facts, vec![alias, seen.name.clone()]);
        Ok(self.read_column(&facts, depth))
    }

    fn sublink(&mut self, link: &nodes::SubLink) -> Result<Facts, Refusal> {
        use raw::SubLinkType as Link;
        let Node::SelectStmt(query) = link.subselect() else {
            return Err(unsupported("this subquery", link.location));
        };
        let body = self.select(query, Place::Inner)?.settled();
        if link.sub_link_type != Link::EXISTS_SUBLINK {
            self.note_value(&body.columns);
        }
        let mut facts = Facts { gates: body.gates.clone(), reads: body.correlated, ..Facts::of(Ty::Any) };
        if body.hazards.iter().any(|hazard| hazard.site == Site::Nowhere) {
            let what = body.hazards.first().map_or_else(|| "a subquery".into(), |hazard| hazard.what.clone());
            self.make_unsafe(&mut facts, what, link.location);
        } else {
            facts.hazards.clone_from(&body.hazards);
            facts.conditional();
            // A condition with a subquery in it is not moved below the grouping.
            facts.hazards.iter_mut().for_each(|hazard| hazard.aggregated = true);
        }
        let first = body.columns.first();
        match link.sub_link_type {
            Link::EXISTS_SUBLINK => facts.ty = Ty::Known(oid::BOOL),
            Link::ANY_SUBLINK | Link::ALL_SUBLINK => {
                let compared = self.compared_with(link, &body)?;
                facts.absorb(&compared);
                facts.gates.take(&[Gates::OWN]);
                facts.conditional();
                facts.ty = Ty::Known(oid::BOOL);
                facts.collation = Collation::Default;
            }
            Link::EXPR_SUBLINK => {
                if !body.single_row {
                    self.make_unsafe(&mut facts, "a subquery that may give more than one row", link.location);
                }
                if let Some(first) = first {
                    facts.ty = first.facts.ty;
                    facts.length.clone_from(&first.facts.length);
                    facts.collation = first.facts.collation;
                }
            }
            Link::ARRAY_SUBLINK => {
                self.make_unsafe(&mut facts, "ARRAY of a subquery", link.location);
                facts.collation = first.map_or(Collation::Default, |first| first.facts.collation);
                facts.ty = match first.map(|first| first.facts.ty) {
                    Some(Ty::Known(element)) => self.lists.array_of(element).map_or(Ty::Any, Ty::Known),
                    _ => Ty::Any,
                };
            }
            _ => return Err(unsupported("this subquery", link.location)),
        }
        Ok(facts)
    }

    /// `x IN (SELECT …)`, `x > ALL (SELECT …)`.
    fn compared_with(&mut self, link: &nodes::SubLink, body: &Body) -> Result<Facts, Refusal> {
        let name = if link.oper_name().is_empty() {
            "=".to_owned()
        } else {
            operator_name(link.oper_name(), link.location)?
        };
        let lefts = match link.testexpr() {
            Node::RowExpr(row) => self.row_parts(row.args().iter())?,
            node => vec![self.expression(node)?],
        };
        let mut facts = Facts::of(Ty::Known(oid::BOOL));
        for (left, Seen { facts: right, .. }) in lefts.iter().zip(&body.columns) {
            // What can fail in the subquery is known of it already.
            let right = Facts { hazards: Vec::new(), ..right.clone() };
            facts.absorb(&self.operator(&name, Some(left), &right, link.location)?);
        }
        if lefts.len() != body.columns.len() {
            lefts.iter().for_each(|left| facts.absorb(left));
            self.make_unsafe(&mut facts, "a comparison of rows", link.location);
        }
        if body.filtered && !facts.hazards.is_empty() {
            // The comparison may become one of a join, run over the subquery's rows before they are filtered.
            self.fence(body.inside);
        }
        Ok(facts)
    }

    /// `current_user` and its kin answer for the caller; the rest is the same for everybody.
    fn value_function(&mut self, function: &nodes::SQLValueFunction) -> Facts {
        use raw::SQLValueFunctionOp as Op;
        let name = |ty| Facts {
            collation: if ty == oid::NAME { Collation::Named(C_COLLATION) } else { Collation::Default },
            ..Facts::of(Ty::Known(ty))
        };
        match function.op {
            Op::SVFOP_CURRENT_ROLE | Op::SVFOP_CURRENT_USER | Op::SVFOP_USER | Op::SVFOP_SESSION_USER => {
                let caller: Arc<str> = self.session.caller.into();
                self.edits.add(function, Edit::Value { text: Some(caller), ty: "name" });
                name(oid::NAME)
            }
            Op::SVFOP_CURRENT_SCHEMA => {
                let schema = self.session.current_schema(self.catalog);
                self.edits.add(function, Edit::Value { text: schema, ty: "name" });
                name(oid::NAME)
            }
            Op::SVFOP_CURRENT_CATALOG => name(oid::NAME),
            Op::SVFOP_CURRENT_DATE => name(oid::DATE),
            Op::SVFOP_CURRENT_TIMESTAMP | Op::SVFOP_CURRENT_TIMESTAMP_N => name(oid::TIMESTAMPTZ),
            Op::SVFOP_LOCALTIMESTAMP | Op::SVFOP_LOCALTIMESTAMP_N => name(oid::TIMESTAMP),
            _ => Facts::of(Ty::Any),
        }
    }

    fn xml(&mut self, xml: &nodes::XmlExpr) -> Result<Facts, Refusal> {
        let mut facts = self.all(xml.args().iter(), Ty::Any)?;
        for named in xml.named_args() {
            let Node::ResTarget(target) = named else { return Err(unsupported("this XML", xml.location)) };
            facts.absorb(&self.expression(target.val())?);
        }
        self.make_unsafe(&mut facts, "an XML expression", xml.location);
        Ok(facts)
    }
}

fn named<'i>(item: &'i Item, name: &str, location: i32) -> Result<Option<&'i Seen>, Refusal> {
    let mut columns = item.columns.iter().filter(|column| &*column.name == name);
    match (columns.next(), columns.next()) {
        (Some(_), Some(_)) => {
            let message = format!("column reference \"{name}\" is ambiguous");
            Err(Refusal::new(RefusalKind::AmbiguousColumn, message).at(location))
        }
        (found, _) => Ok(found),
    }
}

/// The same for a column that does not exist and for one that is hidden.
fn missing(fields: &[&str], location: i32) -> Refusal {
    if let Some(system) = fields.last().filter(|name| SYSTEM_COLUMNS.contains(name)) {
        let message = format!("the system column `{system}` is not mediated by this version");
        return Refusal::new(RefusalKind::Unsupported, message).at(location);
    }
    let message = match fields {
        [name] => format!("column \"{name}\" does not exist"),
        fields => format!("column {} does not exist", fields.join(".")),
    };
    Refusal::new(RefusalKind::UnknownColumn, message).at(location)
}

fn constant_type(constant: &nodes::A_Const) -> Ty {
    match constant.val() {
        Some(ConstValue::Boolean(_)) => Ty::Known(oid::BOOL),
        Some(ConstValue::Integer(_)) => Ty::Number(oid::INT4),
        // Digits alone are a whole number where they fit into one.
        Some(ConstValue::Float(text)) if text.parse::<i64>().is_ok() => Ty::Number(oid::INT8),
        Some(ConstValue::Float(_)) => Ty::Number(oid::NUMERIC),
        _ => Ty::Literal,
    }
}
