//! Parentheses that the printer would drop, put into the tree as nodes.
//!
//! An `A_Indirection` with an empty list prints as `(arg)`, and is not there any more when the text is read again. Some
//! nodes need two of them, since the printer parenthesises only what the inner one holds. None ever goes around a
//! `ColumnRef`: the printer reads the first element of the empty list there.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is forgotten here is found by the comparison after printing"
)]

use pg_raw_parse::list::NodeList;
use pg_raw_parse::list_mut::NodeListMut;
use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::walk::walk_mut;
use pg_raw_parse::{
    ConstValue, Node, NodeMut, nodes, raw::A_Expr_Kind as K, raw::CoercionForm, raw::XmlExprOp,
};

use crate::ffi::rehang;

/// The printer writes `pg_catalog.bpchar` as `char`, which is a type of one character: it gets this name until then.
pub(crate) const BPCHAR_MARK: &str = "veilgate_bpchar";

/// Puts them in, below a copy of a statement that is about to be printed.
pub(crate) fn parenthesise<'m>(mem: MemoryToken<'m>, statement: NodeMut<'m, '_>) {
    match statement {
        NodeMut::ExplainStmt(mut explain) => parenthesise(mem, explain.query_mut()),
        NodeMut::CopyStmt(mut copy) => parenthesise(mem, copy.query_mut()),
        NodeMut::DeclareCursorStmt(mut declare) => parenthesise(mem, declare.query_mut()),
        NodeMut::SelectStmt(_) => walk_mut(statement, |node| visit(mem, node)),
        // No other statement holds an expression.
        _ => {}
    }
}

/// `operand!(mem, owner, getter, setter)`: the operand in this place gets parentheses if it needs them.
macro_rules! operand {
    ($mem:expr, $owner:expr, $get:ident, $set:ident, $needs:expr) => {
        if $needs(&$owner.$get()) {
            rehang(
                $mem,
                $owner,
                |owner| owner.$get(),
                |owner, node| owner.$set(node),
                |node| wrap($mem, node),
            );
        }
    };
}

fn visit<'m>(mem: MemoryToken<'m>, node: &mut NodeMut<'m, '_>) {
    match node {
        NodeMut::A_Expr(e) => operator(mem, e),
        NodeMut::NullTest(t) => operand!(mem, t, arg, set_arg, is_open),
        NodeMut::BooleanTest(t) => operand!(mem, t, arg, set_arg, is_open),
        NodeMut::CollateClause(t) => operand!(mem, t, arg, set_arg, is_open),
        NodeMut::TypeCast(t) => operand!(mem, t, arg, set_arg, is_open_in_cast),
        NodeMut::JsonIsPredicate(t) => operand!(mem, t, expr, set_expr, is_open),
        // `x IS JSON` takes a WITH or WITHOUT that follows it for its own.
        NodeMut::JsonFuncExpr(j) => operand!(mem, j, pathspec, set_pathspec, is_open),
        NodeMut::JsonValueExpr(j) => operand!(mem, j, raw_expr, set_raw_expr, is_open),
        NodeMut::SubLink(t) => operand!(mem, t, testexpr, set_testexpr, is_open),
        NodeMut::A_Indirection(t) if !t.indirection().is_empty() => {
            operand!(mem, t, arg, set_arg, is_open_in_indirection)
        }
        NodeMut::XmlExpr(x) if x.op == XmlExprOp::IS_DOCUMENT => wrap_items(mem, &mut x.args_mut(), is_open),
        NodeMut::RangeTableFunc(t) => operand!(mem, t, docexpr, set_docexpr, is_not_primary),
        NodeMut::RangeTableFuncCol(c) => {
            c.type_name_mut().iter_mut().for_each(|t| mark_bpchar(mem, t));
            operand!(mem, c, colexpr, set_colexpr, is_open);
            operand!(mem, c, coldefexpr, set_coldefexpr, is_open);
        }
        NodeMut::TypeName(t) => mark_bpchar(mem, t),
        NodeMut::JsonTableColumn(c) => c.type_name_mut().iter_mut().for_each(|t| mark_bpchar(mem, t)),
        NodeMut::FuncCall(f) if is_call(f, "xmlexists") => wrap_items(mem, &mut f.args_mut(), is_not_primary),
        NodeMut::FuncCall(f) if has_operands(f) => {
            wrap_items(mem, &mut f.args_mut(), is_open);
        }
        _ => {}
    }
}

/// Operators, LIKE, IN, BETWEEN and the rest of what shares their node.
fn operator<'m>(mem: MemoryToken<'m>, e: &mut nodes::A_ExprMut<'m, '_>) {
    if e.kind == K::AEXPR_NULLIF {
        return;
    }
    let kind = e.kind;
    let needs = |node: &Node<'_>| is_open(node) && !printed_with_parens(kind, node);
    operand!(mem, e, lexpr, set_lexpr, needs);
    match kind {
        // What follows stands in parentheses of its own.
        K::AEXPR_IN | K::AEXPR_OP_ANY | K::AEXPR_OP_ALL => {}
        K::AEXPR_BETWEEN | K::AEXPR_NOT_BETWEEN | K::AEXPR_BETWEEN_SYM | K::AEXPR_NOT_BETWEEN_SYM => {
            if let NodeMut::NodeList(mut bounds) = e.rexpr_mut() {
                wrap_items(mem, &mut bounds, is_open);
            }
        }
        // The pattern together with its ESCAPE is a call, whose arguments are seen to when it is visited.
        K::AEXPR_SIMILAR | K::AEXPR_LIKE | K::AEXPR_ILIKE if matches!(e.rexpr(), Node::FuncCall(f) if is_escape(f)) =>
            {}
        _ => operand!(mem, e, rexpr, set_rexpr, needs),
    }
}

fn wrap_items<'m>(
    mem: MemoryToken<'m>,
    items: &mut NodeListMut<'m, '_, NodeList>,
    needs: fn(&Node<'_>) -> bool,
) {
    for index in 0..items.len() {
        if items.get(index).is_some_and(|item| needs(&item)) {
            rehang(
                mem,
                items,
                |items| items.get(index).unwrap_or(Node::None),
                |items, node| items.set(index, node),
                |node| wrap(mem, node),
            );
        }
    }
}

fn wrap<'m>(mem: MemoryToken<'m>, node: Unique<'m, Node<'m>>) -> Unique<'m, Node<'m>> {
    let once = matches!(
        node.as_ref(),
        Node::A_Expr(_)
            | Node::TypeCast(_)
            | Node::FuncCall(_)
            | Node::A_Indirection(_)
            | Node::RowExpr(_)
            | Node::A_ArrayExpr(_)
    );
    let inner = around(mem, node);
    if once { inner } else { around(mem, inner) }
}

fn around<'m>(mem: MemoryToken<'m>, node: Unique<'m, Node<'m>>) -> Unique<'m, Node<'m>> {
    let mut parens = mem.make_node::<nodes::A_Indirection>();
    parens.as_mut().set_arg(node);
    parens.uncast()
}

/// Whether this node, as an operand, can be torn apart when it stands without parentheses.
fn is_open(node: &Node<'_>) -> bool {
    match node {
        // AT TIME ZONE, OVERLAPS and their kin.
        Node::FuncCall(f) => f.funcformat == CoercionForm::COERCE_SQL_SYNTAX,
        Node::A_Const(_)
        | Node::ColumnRef(_)
        | Node::ParamRef(_)
        | Node::CaseExpr(_)
        | Node::CoalesceExpr(_)
        | Node::A_ArrayExpr(_)
        | Node::RowExpr(_)
        | Node::NodeList(_)
        | Node::None => false,
        _ => true,
    }
}

/// Whether this node is more than the grammar's `c_expr`, which is all that some places take.
fn is_not_primary(node: &Node<'_>) -> bool {
    match node {
        Node::A_Const(constant) => constant.val().is_some_and(|value| value.to_string().starts_with('-')),
        Node::ColumnRef(_) | Node::ParamRef(_) | Node::None => false,
        _ => true,
    }
}

/// A chain of casts reads from the left as it is. `'t'::pg_catalog.bool` would be printed as `true`, which reads as
/// another node.
fn is_open_in_cast(node: &Node<'_>) -> bool {
    match node {
        Node::TypeCast(_) => false,
        Node::A_Const(constant) => matches!(constant.val(), Some(ConstValue::String("t" | "f"))),
        _ => is_open(node),
    }
}

/// A chain of subscripts and fields is one node; what it starts from stands in parentheses unless it is a name.
fn is_open_in_indirection(node: &Node<'_>) -> bool {
    !matches!(node, Node::ColumnRef(_) | Node::ParamRef(_) | Node::A_Indirection(_))
}

/// The printer parenthesises these operands of these two kinds of operators itself.
fn printed_with_parens(kind: K::Type, node: &Node<'_>) -> bool {
    matches!(kind, K::AEXPR_OP | K::AEXPR_DISTINCT)
        && matches!(node, Node::A_Expr(_) | Node::BoolExpr(_) | Node::NullTest(_) | Node::BooleanTest(_))
}

fn mark_bpchar<'m>(mem: MemoryToken<'m>, t: &mut nodes::TypeNameMut<'m, '_>) {
    let bpchar = t.names().iter().filter_map(nodes::String::sval).eq(["pg_catalog", "bpchar"]);
    if bpchar && t.typmods().is_empty() {
        let names = ["pg_catalog", BPCHAR_MARK].map(|name| mem.make_string(Some(name)));
        t.set_names(mem.make_list(&names));
    }
}

/// Whether a call is written with its arguments as operands.
fn has_operands(f: &nodes::FuncCall) -> bool {
    f.funcformat == CoercionForm::COERCE_SQL_SYNTAX || is_escape(f)
}

/// The pattern of LIKE and SIMILAR TO with its ESCAPE.
fn is_escape(f: &nodes::FuncCall) -> bool {
    is_call(f, "like_escape") || is_call(f, "similar_to_escape")
}

/// Whether a call is of a function of this name that the grammar made.
fn is_call(f: &nodes::FuncCall, name: &str) -> bool {
    f.funcname().iter().filter_map(Node::as_str).eq(["pg_catalog", name])
}
