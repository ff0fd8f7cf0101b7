//! The name that Postgres gives to an output column without one (`FigureColname` of its parser).

use pg_raw_parse::{Node, nodes, raw};

/// The name of an output column that has no AS.
pub(crate) fn column_name(node: Node<'_>) -> String {
    figure(node).map_or_else(|| "?column?".to_owned(), |(name, _)| name)
}

/// A name, and whether it is a good one: a cast or a CASE names a column only where its operand does not.
#[expect(clippy::wildcard_enum_match_arm, reason = "every other node names nothing")]
fn figure(node: Node<'_>) -> Option<(String, bool)> {
    let good = |name: &str| Some((name.to_owned(), true));
    match node {
        Node::ColumnRef(column) => good(last(column.fields())?),
        Node::A_Indirection(indirection) => match last(indirection.indirection()) {
            Some(name) => good(name),
            None => figure(indirection.arg()),
        },
        Node::FuncCall(call) => good(last(call.funcname())?),
        Node::A_Expr(expression) if expression.kind == raw::A_Expr_Kind::AEXPR_NULLIF => good("nullif"),
        Node::TypeCast(cast) => match figure(cast.arg()) {
            Some((name, true)) => Some((name, true)),
            weak => {
                let name = cast.type_name()?.names().iter().filter_map(nodes::String::sval).next_back();
                name.map(|name| (name.to_owned(), false)).or(weak)
            }
        },
        Node::CollateClause(collate) => figure(collate.arg()),
        Node::GroupingFunc(_) => good("grouping"),
        Node::SubLink(link) => sublink(link),
        Node::CaseExpr(case) => match figure(case.defresult()) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".to_owned(), false)),
        },
        Node::A_ArrayExpr(_) => good("array"),
        Node::RowExpr(_) => good("row"),
        Node::CoalesceExpr(_) => good("coalesce"),
        Node::MinMaxExpr(extreme) => good(match extreme.op {
            raw::MinMaxOp::IS_GREATEST => "greatest",
            _ => "least",
        }),
        Node::SQLValueFunction(function) => good(value_function(function)),
        Node::XmlExpr(xml) => xml_name(xml).and_then(good),
        Node::XmlSerialize(_) => good("xmlserialize"),
        Node::JsonParseExpr(_) => good("json"),
        Node::JsonScalarExpr(_) => good("json_scalar"),
        Node::JsonSerializeExpr(_) => good("json_serialize"),
        Node::JsonObjectConstructor(_) => good("json_object"),
        Node::JsonArrayConstructor(_) | Node::JsonArrayQueryConstructor(_) => good("json_array"),
        Node::JsonObjectAgg(_) => good("json_objectagg"),
        Node::JsonArrayAgg(_) => good("json_arrayagg"),
        Node::JsonFuncExpr(json) => json_name(json).and_then(good),
        _ => None,
    }
}

fn last(names: &pg_raw_parse::list::NodeList) -> Option<&str> {
    names.iter().filter_map(Node::as_str).next_back()
}

fn sublink(link: &nodes::SubLink) -> Option<(String, bool)> {
    use raw::SubLinkType as Link;
    match link.sub_link_type {
        Link::EXISTS_SUBLINK => Some(("exists".to_owned(), true)),
        Link::ARRAY_SUBLINK => Some(("array".to_owned(), true)),
        Link::EXPR_SUBLINK => {
            let query = <&nodes::SelectStmt>::try_from(link.subselect()).ok()?;
            let first = query.target_list().first()?;
            first.name().map_or_else(|| figure(first.val()), |name| Some((name.to_owned(), true)))
        }
        _ => None,
    }
}

fn value_function(function: &nodes::SQLValueFunction) -> &'static str {
    use raw::SQLValueFunctionOp as Op;
    match function.op {
        Op::SVFOP_CURRENT_DATE => "current_date",
        Op::SVFOP_CURRENT_TIME | Op::SVFOP_CURRENT_TIME_N => "current_time",
        Op::SVFOP_CURRENT_TIMESTAMP | Op::SVFOP_CURRENT_TIMESTAMP_N => "current_timestamp",
        Op::SVFOP_LOCALTIME | Op::SVFOP_LOCALTIME_N => "localtime",
        Op::SVFOP_LOCALTIMESTAMP | Op::SVFOP_LOCALTIMESTAMP_N => "localtimestamp",
        Op::SVFOP_CURRENT_ROLE => "current_role",
        Op::SVFOP_CURRENT_USER => "current_user",
        Op::SVFOP_USER => "user",
        Op::SVFOP_SESSION_USER => "session_user",
        Op::SVFOP_CURRENT_CATALOG => "current_catalog",
        _ => "current_schema",
    }
}

fn xml_name(xml: &nodes::XmlExpr) -> Option<&'static str> {
    use raw::XmlExprOp as Op;
    match xml.op {
        Op::IS_XMLCONCAT => Some("xmlconcat"),
        Op::IS_XMLELEMENT => Some("xmlelement"),
        Op::IS_XMLFOREST => Some("xmlforest"),
        Op::IS_XMLPARSE => Some("xmlparse"),
        Op::IS_XMLPI => Some("xmlpi"),
        Op::IS_XMLROOT => Some("xmlroot"),
        Op::IS_XMLSERIALIZE => Some("xmlserialize"),
        _ => None,
    }
}

fn json_name(json: &nodes::JsonFuncExpr) -> Option<&'static str> {
    use raw::JsonExprOp as Op;
    match json.op {
        Op::JSON_EXISTS_OP => Some("json_exists"),
        Op::JSON_QUERY_OP => Some("json_query"),
        Op::JSON_VALUE_OP => Some("json_value"),
        _ => None,
    }
}
