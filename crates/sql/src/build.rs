//! Small makers of nodes, so that lowering and rewriting read like the SQL they make.
//!
//! Every function and type is written with its schema. Operators are not: pinning one changes its precedence, and the
//! upstream's path holds `pg_catalog` first.

use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{ConstValue, Node, nodes, raw};

type Made<'m> = Unique<'m, Node<'m>>;

/// Makes nodes in one memory context.
#[derive(Clone, Copy)]
pub(crate) struct Build<'m>(pub(crate) MemoryToken<'m>);

impl<'m> Build<'m> {
    /// `a.b.c`.
    pub(crate) fn column(&self, parts: &[&str]) -> Made<'m> {
        self.0.make_column_ref(self.names(parts)).uncast()
    }

    /// `a.*`.
    pub(crate) fn star(&self, alias: &str) -> Made<'m> {
        let alias = self.0.make_string(Some(alias)).uncast();
        let star = self.0.make_node::<nodes::A_Star>().uncast();
        self.0.make_column_ref(self.0.make_list(&[alias, star])).uncast()
    }

    /// A list of names.
    pub(crate) fn names(&self, parts: &[&str]) -> Unique<'m, &'m pg_raw_parse::list::NodeList> {
        let names: Vec<_> = parts.iter().map(|part| self.0.make_string(Some(part)).uncast()).collect();
        self.0.make_list(&names)
    }

    /// A string constant of unknown type.
    pub(crate) fn string(&self, text: &str) -> Made<'m> {
        self.0.make_a_const(ConstValue::String(text)).uncast()
    }

    /// A string constant that is text.
    pub(crate) fn text(&self, text: &str) -> Made<'m> {
        self.cast(self.string(text), "text")
    }

    /// `$number`.
    pub(crate) fn parameter(&self, number: i32) -> Made<'m> {
        self.0.make_param_ref(number).uncast()
    }

    /// A small whole number.
    pub(crate) fn integer(&self, number: u32) -> Made<'m> {
        self.cast(self.string(&number.to_string()), "int4")
    }

    /// `true` or `false`.
    pub(crate) fn boolean(&self, truth: bool) -> Made<'m> {
        self.0.make_a_const(ConstValue::Boolean(truth)).uncast()
    }

    /// NULL of unknown type.
    pub(crate) fn null(&self) -> Made<'m> {
        self.0.make_null().uncast()
    }

    /// The same again.
    pub(crate) fn copy(&self, node: &Made<'m>) -> Made<'m> {
        self.0.make_unique(node.as_ref()).uncast()
    }

    /// `value::pg_catalog.name`.
    pub(crate) fn cast(&self, value: Made<'m>, name: &str) -> Made<'m> {
        self.cast_to(value, "pg_catalog", name, &[])
    }

    /// `value::schema.name(modifiers)`.
    pub(crate) fn cast_to(&self, value: Made<'m>, schema: &str, name: &str, modifiers: &[i32]) -> Made<'m> {
        let mut cast = self.0.make_node::<nodes::TypeCast>();
        let mut edit = cast.as_mut();
        edit.set_arg(value);
        edit.set_type_name(self.type_name(schema, name, modifiers).as_option());
        cast.uncast()
    }

    /// `schema.name(modifiers)`; of an array type (`_text`) the element with `[]`.
    pub(crate) fn type_name(
        &self,
        schema: &str,
        name: &str,
        modifiers: &[i32],
    ) -> Unique<'m, &'m nodes::TypeName> {
        let mut ty = self.0.make_node::<nodes::TypeName>();
        let mut edit = ty.as_mut();
        let parts = [self.0.make_string(Some(schema)), self.0.make_string(Some(name))];
        edit.set_names(self.0.make_list(&parts));
        let modifiers: Vec<_> = modifiers
            .iter()
            .map(|number| self.0.make_a_const(ConstValue::Integer(*number)).uncast())
            .collect();
        edit.set_typmods(self.0.make_list(&modifiers));
        edit.set_typemod(-1);
        ty
    }

    /// `pg_catalog.name(args)`.
    pub(crate) fn call(&self, name: &str, args: Vec<Made<'m>>) -> Made<'m> {
        let mut call = self.0.make_node::<nodes::FuncCall>();
        let mut edit = call.as_mut();
        edit.set_funcname(self.names(&["pg_catalog", name]));
        edit.set_args(self.0.make_list(&args));
        edit.set_funcformat(raw::CoercionForm::COERCE_EXPLICIT_CALL);
        call.uncast()
    }

    /// `left name right`.
    pub(crate) fn operator(&self, name: &str, left: Made<'m>, right: Made<'m>) -> Made<'m> {
        self.expression(raw::A_Expr_Kind::AEXPR_OP, name, left, right)
    }

    /// `value LIKE 'pattern'`.
    pub(crate) fn like(&self, value: Made<'m>, pattern: &str) -> Made<'m> {
        self.expression(raw::A_Expr_Kind::AEXPR_LIKE, "~~", value, self.text(pattern))
    }

    /// `value IN (list)`.
    pub(crate) fn in_list(&self, value: Made<'m>, list: Vec<Made<'m>>) -> Made<'m> {
        self.expression(raw::A_Expr_Kind::AEXPR_IN, "=", value, self.0.make_list(&list).uncast())
    }

    /// `value = ANY (array)`.
    pub(crate) fn any(&self, value: Made<'m>, array: Made<'m>) -> Made<'m> {
        self.expression(raw::A_Expr_Kind::AEXPR_OP_ANY, "=", value, array)
    }

    fn expression(
        &self,
        kind: raw::A_Expr_Kind::Type,
        name: &str,
        left: Made<'m>,
        right: Made<'m>,
    ) -> Made<'m> {
        self.0.make_a_expr(kind, self.names(&[name]), left, right).uncast()
    }

    /// `NOT value`.
    pub(crate) fn negate(&self, value: Made<'m>) -> Made<'m> {
        self.boolean_expression(raw::BoolExprType::NOT_EXPR, vec![value])
    }

    /// `value IS NOT FALSE`.
    pub(crate) fn is_not_false(&self, value: Made<'m>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::BooleanTest>();
        let mut edit = node.as_mut();
        edit.set_arg(value);
        edit.set_booltesttype(raw::BoolTestType::IS_NOT_FALSE);
        node.uncast()
    }

    /// `value IS TRUE`.
    pub(crate) fn is_true(&self, value: Made<'m>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::BooleanTest>();
        let mut edit = node.as_mut();
        edit.set_arg(value);
        edit.set_booltesttype(raw::BoolTestType::IS_TRUE);
        node.uncast()
    }

    /// `count(*)`.
    pub(crate) fn count(&self) -> Made<'m> {
        let mut call = self.0.make_node::<nodes::FuncCall>();
        let mut edit = call.as_mut();
        edit.set_funcname(self.names(&["pg_catalog", "count"]));
        edit.set_agg_star(true);
        edit.set_funcformat(raw::CoercionForm::COERCE_EXPLICIT_CALL);
        call.uncast()
    }

    /// `a AND b`; of one, that one.
    pub(crate) fn and(&self, parts: Vec<Made<'m>>) -> Made<'m> {
        self.junction(raw::BoolExprType::AND_EXPR, parts)
    }

    /// `a OR b`; of one, that one.
    pub(crate) fn or(&self, parts: Vec<Made<'m>>) -> Made<'m> {
        self.junction(raw::BoolExprType::OR_EXPR, parts)
    }

    fn junction(&self, op: raw::BoolExprType::Type, mut parts: Vec<Made<'m>>) -> Made<'m> {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                self.boolean_expression(op, parts)
            }
        }
    }

    fn boolean_expression(&self, op: raw::BoolExprType::Type, parts: Vec<Made<'m>>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::BoolExpr>();
        let mut edit = node.as_mut();
        edit.set_boolop(op);
        edit.set_args(self.0.make_list(&parts));
        node.uncast()
    }

    /// `value IS NULL`, or `IS NOT NULL`.
    pub(crate) fn null_test(&self, value: Made<'m>, is_null: bool) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::NullTest>();
        let mut edit = node.as_mut();
        edit.set_arg(value);
        let kind = if is_null { raw::NullTestType::IS_NULL } else { raw::NullTestType::IS_NOT_NULL };
        edit.set_nulltesttype(kind);
        node.uncast()
    }

    /// `value COLLATE schema.name`.
    pub(crate) fn collate(&self, value: Made<'m>, schema: &str, name: &str) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::CollateClause>();
        let mut edit = node.as_mut();
        edit.set_arg(value);
        edit.set_collname(self.names(&[schema, name]));
        node.uncast()
    }

    /// `ARRAY[elements]`.
    pub(crate) fn array(&self, elements: Vec<Made<'m>>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::A_ArrayExpr>();
        let mut edit = node.as_mut();
        edit.set_elements(self.0.make_list(&elements));
        node.uncast()
    }

    /// `COALESCE(values)`.
    pub(crate) fn coalesce(&self, values: Vec<Made<'m>>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::CoalesceExpr>();
        node.as_mut().set_args(self.0.make_list(&values));
        node.uncast()
    }

    /// `GREATEST(values)`.
    pub(crate) fn greatest(&self, values: Vec<Made<'m>>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::MinMaxExpr>();
        let mut edit = node.as_mut();
        edit.set_op(raw::MinMaxOp::IS_GREATEST);
        edit.set_args(self.0.make_list(&values));
        node.uncast()
    }

    /// `value[at]`.
    pub(crate) fn element(&self, value: Made<'m>, at: Made<'m>) -> Made<'m> {
        let mut index = self.0.make_node::<nodes::A_Indices>();
        index.as_mut().set_uidx(at);
        self.indirection(value, index.uncast())
    }

    /// `value[from:to]`.
    pub(crate) fn slice(&self, value: Made<'m>, from: Made<'m>, to: Option<Made<'m>>) -> Made<'m> {
        let mut index = self.0.make_node::<nodes::A_Indices>();
        let mut edit = index.as_mut();
        edit.set_is_slice(true);
        edit.set_lidx(from);
        if let Some(to) = to {
            edit.set_uidx(to);
        }
        self.indirection(value, index.uncast())
    }

    fn indirection(&self, value: Made<'m>, index: Made<'m>) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::A_Indirection>();
        let mut edit = node.as_mut();
        edit.set_arg(value);
        edit.set_indirection(self.0.make_list(&[index]));
        node.uncast()
    }

    /// `SELECT value AS name FROM from`; without a name the value has the one that it has by itself.
    pub(crate) fn select(
        &self,
        value: Made<'m>,
        name: Option<&str>,
        from: Option<Made<'m>>,
    ) -> Unique<'m, &'m nodes::SelectStmt> {
        let target = self.0.make_res_target(name, self.0.empty(), value);
        let mut select = self.0.make_node::<nodes::SelectStmt>();
        let mut edit = select.as_mut();
        edit.set_target_list(self.0.make_list(&[target]));
        if let Some(from) = from {
            edit.set_from_clause(self.0.make_list(&[from]));
        }
        edit.set_limit_option(raw::LimitOption::LIMIT_OPTION_DEFAULT);
        select
    }

    /// `(select OFFSET 0) AS alias`: what it computes is computed once a row.
    pub(crate) fn once(&self, mut select: Unique<'m, &'m nodes::SelectStmt>, alias: &str) -> Made<'m> {
        let mut edit = select.as_mut();
        edit.set_limit_offset(self.0.make_a_const(ConstValue::Integer(0)).uncast());
        edit.set_limit_option(raw::LimitOption::LIMIT_OPTION_COUNT);
        self.derived(select, alias)
    }

    /// `(select) AS alias`.
    pub(crate) fn derived(&self, select: Unique<'m, &'m nodes::SelectStmt>, alias: &str) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::RangeSubselect>();
        let mut edit = node.as_mut();
        edit.set_subquery(select.uncast());
        edit.set_alias(self.0.make_alias(Some(alias), self.0.empty()).as_option());
        node.uncast()
    }

    /// `(select)`: its one value.
    pub(crate) fn scalar(&self, select: Unique<'m, &'m nodes::SelectStmt>) -> Made<'m> {
        self.sublink(raw::SubLinkType::EXPR_SUBLINK, None, select)
    }

    /// `ARRAY(select)`.
    pub(crate) fn array_of(&self, select: Unique<'m, &'m nodes::SelectStmt>) -> Made<'m> {
        self.sublink(raw::SubLinkType::ARRAY_SUBLINK, None, select)
    }

    /// `value = ANY (array)`.
    pub(crate) fn equal_any(&self, value: Made<'m>, array: Made<'m>) -> Made<'m> {
        self.expression(raw::A_Expr_Kind::AEXPR_OP_ANY, "=", value, array)
    }

    /// `value IN (select)`.
    pub(crate) fn in_select(&self, value: Made<'m>, select: Unique<'m, &'m nodes::SelectStmt>) -> Made<'m> {
        self.sublink(raw::SubLinkType::ANY_SUBLINK, Some(value), select)
    }

    /// `value IS TRUE`, or `IS NOT FALSE`.
    pub(crate) fn truth_of(&self, value: Made<'m>, only_true: bool) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::BooleanTest>();
        let mut edit = node.as_mut();
        edit.set_arg(value);
        let kind = if only_true { raw::BoolTestType::IS_TRUE } else { raw::BoolTestType::IS_NOT_FALSE };
        edit.set_booltesttype(kind);
        node.uncast()
    }

    fn sublink(
        &self,
        kind: raw::SubLinkType::Type,
        test: Option<Made<'m>>,
        select: Unique<'m, &'m nodes::SelectStmt>,
    ) -> Made<'m> {
        let mut node = self.0.make_node::<nodes::SubLink>();
        let mut edit = node.as_mut();
        edit.set_sub_link_type(kind);
        if let Some(test) = test {
            edit.set_testexpr(test);
        }
        edit.set_subselect(select.uncast());
        node.uncast()
    }

    /// `CASE WHEN a THEN b … ELSE c END`.
    pub(crate) fn case(&self, whens: Vec<(Made<'m>, Made<'m>)>, otherwise: Option<Made<'m>>) -> Made<'m> {
        let whens: Vec<_> = whens
            .into_iter()
            .map(|(when, then)| {
                let mut node = self.0.make_node::<nodes::CaseWhen>();
                let mut edit = node.as_mut();
                edit.set_expr(when);
                edit.set_result(then);
                node.uncast()
            })
            .collect();
        let mut node = self.0.make_node::<nodes::CaseExpr>();
        let mut edit = node.as_mut();
        edit.set_args(self.0.make_list(&whens));
        if let Some(otherwise) = otherwise {
            edit.set_defresult(otherwise);
        }
        node.uncast()
    }
}
