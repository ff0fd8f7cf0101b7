//! What the connected server's grammar lacks. Statements are read by the grammar of PostgreSQL 18: what an older server
//! does not know is refused by name, and numbers are written as it reads them.
//!
//! `SELECT 0x10` is 16 to a server of 16 and later, an error to 15, and `0 AS x10` to 14.

use access::{Refusal, RefusalKind};
use pg_raw_parse::make::MemoryToken;
use pg_raw_parse::raw::{CoercionForm, JsonExprOp, MergeMatchKind};
use pg_raw_parse::transform::{Assignable, Transform, transform_node};
use pg_raw_parse::walk::walk;
use pg_raw_parse::{ConstValue, Node, NodeMut, nodes};

/// Refuses what a server of this version (`150018`) lacks, and says whether the query has a number to be
/// [written in decimal](in_decimal).
///
/// # Errors
/// The first form that the server's grammar does not have; a number too long to be written otherwise.
pub(crate) fn check(query: Node<'_>, server_version: u32) -> Result<bool, Refusal> {
    let major = server_version / 10_000;
    let (mut lacking, mut odd, mut too_long) = (None, false, None);
    walk(query, |node| {
        if let Some(form) = form(node).filter(|form| form.since > major) {
            lacking.get_or_insert(form);
        }
        if let Some(text) = odd_number(node) {
            odd = true;
            if text.len() > DIGITS_MAX {
                too_long.get_or_insert(location(node));
            }
        }
    });
    if let Some(Form { what, since, location }) = lacking {
        let message = format!("{what} needs PostgreSQL {since}, the server is PostgreSQL {major}");
        return Err(Refusal::new(RefusalKind::Unsupported, message).at(location));
    }
    if let Some(location) = too_long {
        let message = format!("a number with `_`, or not in decimal, has at most {DIGITS_MAX} digits");
        return Err(Refusal::new(RefusalKind::TooComplex, message).at(location));
    }
    Ok(odd)
}

/// Writes numbers such as `0xFFFFFFFFFFFF` and `1_000.5` in plain decimal, before anybody asks for their types.
pub(crate) fn in_decimal<'m>(mem: MemoryToken<'m>, statement: nodes::RawStmtMut<'m, '_>) {
    InDecimal { mem }.transform_raw_stmt(statement);
}

/// Beyond these a number that is not plain is refused: turning it into decimal takes the square of its length.
const DIGITS_MAX: usize = 1_000;

/// A form that not every version has.
struct Form {
    what: &'static str,
    since: u32,
    location: i32,
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other forms are as old as PostgreSQL 14, or are no queries"
)]
fn form(node: Node<'_>) -> Option<Form> {
    let form = |since, what, location| Some(Form { what, since, location });
    match node {
        Node::RangeSubselect(subselect) if subselect.alias().is_none() => {
            form(16, "a subquery in FROM without an alias", -1)
        }
        Node::JsonObjectConstructor(json) => form(16, "JSON_OBJECT()", json.location),
        Node::JsonArrayConstructor(json) => form(16, "JSON_ARRAY()", json.location),
        Node::JsonArrayQueryConstructor(json) => form(16, "JSON_ARRAY()", json.location),
        Node::JsonObjectAgg(_) => form(16, "JSON_OBJECTAGG()", -1),
        Node::JsonArrayAgg(_) => form(16, "JSON_ARRAYAGG()", -1),
        Node::JsonIsPredicate(json) => form(16, "IS JSON", json.location),
        Node::XmlSerialize(xml) if xml.indent => form(16, "XMLSERIALIZE with INDENT", xml.location),
        Node::JsonParseExpr(json) => form(17, "JSON()", json.location),
        Node::JsonScalarExpr(json) => form(17, "JSON_SCALAR()", json.location),
        Node::JsonSerializeExpr(json) => form(17, "JSON_SERIALIZE()", json.location),
        Node::JsonFuncExpr(json) => form(17, json_function(json.op), json.location),
        Node::JsonTable(json) => form(17, "JSON_TABLE()", json.location),
        Node::FuncCall(call) => sql_call(call),
        Node::MergeStmt(merge) if merge.returning_clause().is_some() => form(17, "MERGE with RETURNING", -1),
        Node::MergeStmt(_) => form(15, "MERGE", -1),
        Node::MergeSupportFunc(function) => form(17, "MERGE_ACTION()", function.location),
        Node::MergeWhenClause(when)
            if when.match_kind == MergeMatchKind::MERGE_WHEN_NOT_MATCHED_BY_SOURCE =>
        {
            form(17, "WHEN NOT MATCHED BY SOURCE", -1)
        }
        Node::ReturningOption(option) => form(18, "RETURNING with OLD or NEW", option.location),
        _ => None,
    }
}

fn json_function(op: JsonExprOp::Type) -> &'static str {
    match op {
        JsonExprOp::JSON_EXISTS_OP => "JSON_EXISTS()",
        JsonExprOp::JSON_QUERY_OP => "JSON_QUERY()",
        JsonExprOp::JSON_VALUE_OP => "JSON_VALUE()",
        _ => "JSON_TABLE()",
    }
}

/// Calls that are written with words of their own.
fn sql_call(call: &nodes::FuncCall) -> Option<Form> {
    if call.funcformat != CoercionForm::COERCE_SQL_SYNTAX {
        return None;
    }
    let name = call.funcname().iter().filter_map(Node::as_str).next_back()?;
    match (name, call.args().len()) {
        ("system_user", _) => Some(Form { what: "SYSTEM_USER", since: 16, location: call.location }),
        ("timezone", 1) => Some(Form { what: "AT LOCAL", since: 17, location: call.location }),
        _ => None,
    }
}

/// The text of a number that some server reads otherwise.
fn odd_number(node: Node<'_>) -> Option<&str> {
    let Node::A_Const(constant) = node else { return None };
    match constant.val() {
        Some(ConstValue::Float(text)) if text.contains(['_', 'x', 'X', 'o', 'O', 'b', 'B']) => Some(text),
        _ => None,
    }
}

fn location(node: Node<'_>) -> i32 {
    if let Node::A_Const(constant) = node { constant.location } else { -1 }
}

struct InDecimal<'m> {
    mem: MemoryToken<'m>,
}

impl<'m> Transform<'m> for InDecimal<'m> {
    fn transform_node<'r>(&mut self, node: Assignable<'m, 'r>) {
        let constant = if let NodeMut::A_Const(constant) = &*node { Some(constant) } else { None };
        let decimal = constant.and_then(|constant| odd_number(Node::A_Const(constant))).map(decimal);
        match decimal {
            Some(text) => node.replace(self.mem.make_a_const(ConstValue::Float(&text)).uncast()),
            None => transform_node(node.into_inner(), self),
        }
    }
}

/// A number of the newest grammar in plain decimal.
fn decimal(text: &str) -> String {
    let digits = text.replace('_', "");
    let prefixed = |small, large| digits.strip_prefix(small).or_else(|| digits.strip_prefix(large));
    if let Some(hexadecimal) = prefixed("0x", "0X") {
        in_base(hexadecimal, 16)
    } else if let Some(octal) = prefixed("0o", "0O") {
        in_base(octal, 8)
    } else if let Some(binary) = prefixed("0b", "0B") {
        in_base(binary, 2)
    } else {
        digits
    }
}

/// A whole number of a base that is no more than 16, in decimal.
fn in_base(digits: &str, base: u64) -> String {
    const LIMB: u64 = 1_000_000_000;
    // From the lowest up, nine decimal digits each.
    let mut limbs: Vec<u64> = vec![0];
    for digit in digits.chars().filter_map(|digit| digit.to_digit(16)) {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            let value = *limb * base + carry;
            *limb = value % LIMB;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut limbs = limbs.iter().rev();
    let first = limbs.next().map(u64::to_string).unwrap_or_default();
    limbs.fold(first, |text, limb| format!("{text}{limb:09}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_decimal() {
        for (text, expected) in [
            ("0xFFFFFFFF", "4294967295"),
            ("0XFFFFFFFFFFFFFFFF", "18446744073709551615"),
            ("0x1_0000_0000_0000_0000_0000", "1208925819614629174706176"),
            ("0o7777777777777", "549755813887"),
            ("0B1_0000000000_0000000000_0000000000_0000000000", "1099511627776"),
            ("1_000_000_000_000", "1000000000000"),
            ("1_000.5_5e1_0", "1000.55e10"),
            ("0x_00000000000000", "0"),
        ] {
            assert_eq!(decimal(text), expected, "{text}");
        }
    }

    /// The refusal of a statement by servers older than this, and by no other.
    #[test]
    fn what_a_server_lacks_is_refused_by_name() {
        for (since, what, text) in [
            (16, "a subquery in FROM without an alias", "SELECT * FROM (SELECT 1)"),
            (16, "JSON_OBJECT()", "SELECT JSON_OBJECT('a': 1)"),
            (16, "JSON_ARRAY()", "SELECT JSON_ARRAY(1, 2)"),
            (16, "JSON_ARRAY()", "SELECT JSON_ARRAY(SELECT 1)"),
            (16, "JSON_ARRAYAGG()", "SELECT JSON_ARRAYAGG(x) FROM t"),
            (16, "JSON_OBJECTAGG()", "SELECT 1 WHERE EXISTS (SELECT JSON_OBJECTAGG(x: y) FROM t)"),
            (16, "IS JSON", "SELECT 1 FROM t ORDER BY x IS JSON OBJECT"),
            (16, "SYSTEM_USER", "SELECT SYSTEM_USER"),
            (16, "XMLSERIALIZE with INDENT", "SELECT XMLSERIALIZE(CONTENT x AS text INDENT) FROM t"),
            (17, "AT LOCAL", "WITH a AS (SELECT now() AT LOCAL) SELECT * FROM a"),
            (17, "JSON()", "SELECT JSON('1')"),
            (17, "JSON_SCALAR()", "SELECT JSON_SCALAR(1)"),
            (17, "JSON_SERIALIZE()", "SELECT JSON_SERIALIZE('1')"),
            (17, "JSON_VALUE()", "SELECT JSON_VALUE(x, '$') FROM t"),
            (17, "JSON_QUERY()", "SELECT JSON_QUERY(x, '$') FROM t"),
            (17, "JSON_EXISTS()", "SELECT 1 FROM t JOIN u ON JSON_EXISTS(x, '$')"),
            (17, "JSON_TABLE()", "SELECT * FROM t, JSON_TABLE(x, '$' COLUMNS (a int)) j"),
            (15, "MERGE", "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE"),
            (
                17,
                "MERGE with RETURNING",
                "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE RETURNING 1",
            ),
            (18, "RETURNING with OLD or NEW", "DELETE FROM t RETURNING WITH (OLD AS o) o.a"),
        ] {
            let parsed = crate::parse::read(text).expect(text);
            for major in 14..=18 {
                let refused = check(parsed.first().expect(text).stmt(), major * 10_000).err();
                let expected = format!("{what} needs PostgreSQL {since}, the server is PostgreSQL {major}");
                assert_eq!(
                    refused.map(|refusal| refusal.message),
                    (major < since).then_some(expected),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn what_every_server_has_passes() {
        for text in [
            "SELECT json_object('{a,1}'), now() AT TIME ZONE 'UTC', timezone('UTC', now())",
            "SELECT * FROM (SELECT 1) x, LATERAL (VALUES (1)) y",
            "SELECT x -> 'a', XMLSERIALIZE(CONTENT x AS text) FROM t",
        ] {
            assert_eq!(
                check(crate::parse::read(text).expect(text).first().expect(text).stmt(), 140_000),
                Ok(false),
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_number_is_refused() {
        let text = format!("SELECT 0x{}", "F".repeat(2_000));
        let refusal = check(crate::parse::read(&text).unwrap().first().unwrap().stmt(), 180_000).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::TooComplex);
    }
}
