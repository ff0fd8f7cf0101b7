//! Gates around nodes, as they are written.

#![expect(clippy::wildcard_enum_match_arm, reason = "around a node that is not named no gate stands")]

use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{Node, NodeMut, nodes};

use crate::build::Build;
use crate::ffi;
use crate::gates::Gate;
use crate::range::Length;

type Made<'m> = Unique<'m, Node<'m>>;

/// `CASE WHEN … IS NOT FALSE THEN node END`, of the length that the node has: a CASE has none.
pub(crate) fn gated<'m>(
    mem: MemoryToken<'m>,
    node: Made<'m>,
    gate: &Gate,
    length: Option<&Length>,
) -> Made<'m> {
    let build = Build(mem);
    let written = match node.as_ref() {
        Node::TypeCast(cast) => {
            cast.type_name().filter(|name| !name.typmods().is_empty()).map(|name| mem.make_unique(name))
        }
        _ => None,
    };
    let mut node = node;
    if !gate.admits.is_empty() {
        let admits = gate.admits.iter().map(|name| build.is_not_false(build.column(&[name]))).collect();
        node = build.case(vec![(build.and(admits), node)], None);
    }
    if gate.counted {
        let counted = build.operator(">=", build.count(), build.integer(0));
        node = build.case(vec![(counted, node)], None);
    }
    match (written, length) {
        (Some(name), _) => {
            let mut cast = mem.make_node::<nodes::TypeCast>();
            cast.as_mut().set_arg(node);
            cast.as_mut().set_type_name(name.as_option());
            cast.uncast()
        }
        (None, Some(Length { schema, name, modifiers })) => build.cast_to(node, schema, name, modifiers),
        (None, None) => node,
    }
}

/// An argument of a call that gives rows: NULL on hidden rows, and then it gives none.
pub(crate) fn gated_argument<'m>(mem: MemoryToken<'m>, arg: Node<'_>, gate: &Gate) -> Made<'m> {
    let held = ffi::hold(mem, arg);
    match arg {
        Node::A_Const(_) | Node::ParamRef(_) => held,
        _ => gated(mem, held, gate, None),
    }
}

/// A node around which a gate may stand.
pub(crate) fn gateable<'n>(node: &'n NodeMut<'_, '_>) -> Option<Node<'n>> {
    macro_rules! kinds {
        ($($kind:ident),*) => {
            match node {
                $(NodeMut::$kind(node) => Some(Node::$kind(node)),)*
                _ => None,
            }
        };
    }
    kinds!(
        A_Expr,
        TypeCast,
        FuncCall,
        SubLink,
        ColumnRef,
        CaseExpr,
        CoalesceExpr,
        MinMaxExpr,
        A_Indirection,
        A_ArrayExpr,
        RowExpr,
        BoolExpr,
        XmlExpr,
        XmlSerialize,
        JsonIsPredicate,
        JsonParseExpr,
        JsonScalarExpr,
        JsonSerializeExpr,
        JsonObjectConstructor,
        JsonArrayConstructor,
        JsonArrayQueryConstructor,
        JsonFuncExpr
    )
}
