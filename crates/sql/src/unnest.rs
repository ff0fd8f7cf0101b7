//! `FROM unnest(a, b)`: one function for each array, side by side. The server expands it so where the name stands alone,
//! to its own `unnest` whatever the path says, and nowhere else.

use pg_raw_parse::{Node, nodes};

/// The call, where FROM has `unnest` of several arrays in the one form that the server expands.
pub(crate) fn of_several(function: &nodes::RangeFunction) -> Option<&nodes::FuncCall> {
    let mut entries = function.functions().iter();
    let (Some(Node::NodeList(entry)), None) = (entries.next(), entries.next()) else { return None };
    let mut parts = entry.iter();
    let Some(Node::FuncCall(call)) = parts.next() else { return None };
    let defined = !matches!(parts.next(), None | Some(Node::None)) || !function.coldeflist().is_empty();
    let names: Vec<_> = call.funcname().iter().filter_map(Node::as_str).collect();
    let plain = call.agg_order().is_empty()
        && matches!(call.agg_filter(), Node::None)
        && call.over().is_none()
        && !call.agg_within_group
        && !call.agg_star
        && !call.agg_distinct
        && !call.func_variadic;
    let several = names == ["unnest"] && call.funcname().len() == 1 && call.args().len() > 1;
    (several && plain && !defined && !function.is_rowsfrom).then_some(call)
}
