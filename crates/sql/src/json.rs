//! SQL/JSON: the forms of PostgreSQL 16 and 17 that are written with words of their own. Any of them can fail, on a bad
//! text, a key twice or a path, and none is ever called safe.

#![expect(clippy::wildcard_enum_match_arm, reason = "a node that is not named is refused")]

use access::Refusal;
use pg_raw_parse::{Node, nodes, raw};

use crate::analyze::{Analyzer, Place, unsupported};
use crate::barrier;
use crate::lists::oid;
use crate::range::{Collation, Facts, Ty};
use crate::table_functions::passed_value;

impl Analyzer<'_> {
    /// One of them.
    pub(crate) fn json(&mut self, node: Node<'_>) -> Result<Facts, Refusal> {
        match node {
            Node::JsonIsPredicate(json) => {
                self.json_of(vec![json.expr()], Ty::Known(oid::BOOL), "IS JSON", json.location)
            }
            Node::JsonScalarExpr(json) => {
                let ty = self.returning(json.output())?;
                self.json_of(vec![json.expr()], ty, "JSON_SCALAR()", json.location)
            }
            Node::JsonParseExpr(json) => {
                let ty = self.returning(json.output())?;
                self.json_of(values(json.expr()), ty, "JSON()", json.location)
            }
            Node::JsonSerializeExpr(json) => {
                let ty = self.returning(json.output())?;
                self.json_of(values(json.expr()), ty, "JSON_SERIALIZE()", json.location)
            }
            Node::JsonObjectConstructor(json) => {
                let ty = self.returning(json.output())?;
                let parts = json.exprs().iter().flat_map(key_and_value).collect();
                self.json_of(parts, ty, "JSON_OBJECT()", json.location)
            }
            Node::JsonArrayConstructor(json) => {
                let ty = self.returning(json.output())?;
                let parts = json.exprs().iter().map(nodes::JsonValueExpr::raw_expr).collect();
                self.json_of(parts, ty, "JSON_ARRAY()", json.location)
            }
            Node::JsonArrayQueryConstructor(json) => self.json_array_of_query(json),
            Node::JsonFuncExpr(json) => self.json_function(json),
            Node::JsonObjectAgg(json) => {
                let parts = json.arg().map(key_and_value).into_iter().flatten().collect();
                self.json_aggregate(parts, json.constructor(), "JSON_OBJECTAGG()")
            }
            Node::JsonArrayAgg(json) => {
                self.json_aggregate(values(json.arg()), json.constructor(), "JSON_ARRAYAGG()")
            }
            _ => Err(unsupported("this SQL/JSON syntax", -1)),
        }
    }

    fn json_of(&mut self, parts: Vec<Node<'_>>, ty: Ty, what: &str, location: i32) -> Result<Facts, Refusal> {
        let mut facts = self.json_parts(parts, ty, location)?;
        self.make_unsafe(&mut facts, what, location);
        Ok(facts)
    }

    /// Values become JSON by the casts of their types.
    fn json_parts(&mut self, parts: Vec<Node<'_>>, ty: Ty, location: i32) -> Result<Facts, Refusal> {
        let parts = self.each(parts)?;
        let types: Vec<Ty> = parts.iter().map(|facts| facts.ty).collect();
        self.check_implicit_casts(&types, location)?;
        let mut facts = Facts::of(ty);
        parts.iter().for_each(|part| facts.absorb(part));
        facts.collation = Collation::Default;
        Ok(facts)
    }

    /// `JSON_VALUE`, `JSON_QUERY`, `JSON_EXISTS`.
    fn json_function(&mut self, json: &nodes::JsonFuncExpr) -> Result<Facts, Refusal> {
        use raw::JsonExprOp as Op;
        let (what, default) = match json.op {
            Op::JSON_EXISTS_OP => ("JSON_EXISTS()", Ty::Known(oid::BOOL)),
            Op::JSON_VALUE_OP => ("JSON_VALUE()", Ty::Known(oid::TEXT)),
            Op::JSON_QUERY_OP => ("JSON_QUERY()", Ty::Any),
            _ => return Err(unsupported("this SQL/JSON function", json.location)),
        };
        let ty = match json.output() {
            None => default,
            output => self.returning(output)?,
        };
        let mut parts = values(json.context_item());
        parts.push(json.pathspec());
        for passed in json.passing() {
            parts.push(passed_value(passed).ok_or_else(|| unsupported("this PASSING", json.location))?);
        }
        let behaviors = [json.on_empty(), json.on_error()];
        parts.extend(behaviors.into_iter().flatten().map(nodes::JsonBehavior::expr));
        self.json_of(parts, ty, what, json.location)
    }

    /// `JSON_ARRAY(SELECT …)`.
    fn json_array_of_query(&mut self, json: &nodes::JsonArrayQueryConstructor) -> Result<Facts, Refusal> {
        let Node::SelectStmt(query) = json.query() else {
            return Err(unsupported("this JSON_ARRAY", json.location));
        };
        let ty = self.returning(json.output())?;
        let body = self.select(query, Place::Inner)?.settled();
        self.note_value(&body.columns);
        let types: Vec<Ty> = body.columns.iter().map(|column| column.facts.ty).collect();
        self.check_implicit_casts(&types, json.location)?;
        let mut facts = Facts { gates: body.gates.clone(), reads: body.correlated, ..Facts::of(ty) };
        self.make_unsafe(&mut facts, "JSON_ARRAY() of a subquery", json.location);
        Ok(facts)
    }

    /// `JSON_ARRAYAGG(x ORDER BY y) FILTER (WHERE z)`: an aggregate, or a window function.
    fn json_aggregate(
        &mut self,
        parts: Vec<Node<'_>>,
        constructor: Option<&nodes::JsonAggConstructor>,
        what: &str,
    ) -> Result<Facts, Refusal> {
        let Some(constructor) = constructor else { return Err(unsupported("this SQL/JSON aggregate", -1)) };
        let ty = self.returning(constructor.output())?;
        let mut facts = self.json_parts(parts, ty, constructor.location)?;
        let mut over_rows = Facts::of(Ty::Any);
        for sort in constructor.agg_order() {
            let Node::SortBy(sort) = sort else {
                return Err(unsupported("this ORDER BY", constructor.location));
            };
            barrier::sort_operator(sort)?;
            over_rows.absorb(&self.expression(sort.node())?);
        }
        over_rows.absorb(&self.expression(constructor.agg_filter())?);
        if let Some(window) = constructor.over() {
            self.window(window)?;
        }
        self.note(&facts.hazards);
        self.note(&over_rows.hazards);
        self.make_unsafe(&mut facts, what, constructor.location);
        self.note_nowhere(&facts.hazards);
        let grouped = constructor.over().is_none() || facts.grouped;
        Ok(Facts { hazards: Vec::new(), aggregated: true, grouped, origin: None, ..facts })
    }

    /// The type after RETURNING. Without it `json` or `jsonb`, by what goes in.
    fn returning(&mut self, output: Option<&nodes::JsonOutput>) -> Result<Ty, Refusal> {
        output.and_then(nodes::JsonOutput::type_name).map_or(Ok(Ty::Any), |name| self.type_name(name))
    }
}

fn values(value: Option<&nodes::JsonValueExpr>) -> Vec<Node<'_>> {
    value.map(nodes::JsonValueExpr::raw_expr).into_iter().collect()
}

fn key_and_value(pair: &nodes::JsonKeyValue) -> Vec<Node<'_>> {
    let mut parts = vec![pair.key()];
    parts.extend(values(pair.value()));
    parts
}
