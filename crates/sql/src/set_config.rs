//! A SET that answers with the value: `SELECT set_config('TimeZone', 'UTC', false)`, as drivers send it, under the rules of
//! SET. Sent is `SELECT pg_catalog.set_config('timezone', 'UTC', false)`. Any other use of the function is a call that is
//! not on the list.

use access::{Refusal, RefusalKind};
use pg_raw_parse::make::owned;
use pg_raw_parse::{ConstValue, Node, Owned, nodes};

use crate::build::Build;
use crate::statement::{Class, Kind, Sent};
use crate::{ffi, settings};

/// With this statement `pg_dump` and its kin begin.
const NO_DUMP: &str = "use SET search_path; if this is pg_dump, which takes locks and wants whole tables: export with \
    COPY (SELECT …) TO STDOUT or psql's \\copy, or dump at the database itself";

/// What the arguments say.
#[derive(Debug, PartialEq, Eq)]
struct Call<'s> {
    written: Vec<&'s str>,
    name: &'s str,
    value: &'s str,
    local: bool,
}

/// The class of a query that is nothing but this call with constants; none for any other.
pub(crate) fn classify(select: &nodes::SelectStmt) -> Option<Result<Class, Refusal>> {
    let call = read(select)?;
    let same = statement(&call.written, call.name, call.value, call.local);
    if !ffi::same_node(Node::SelectStmt(select), same.stmt()) {
        return None;
    }
    Some(class(&call))
}

fn class(call: &Call<'_>) -> Result<Class, Refusal> {
    if call.name.eq_ignore_ascii_case("search_path") {
        let message = "set_config of `search_path` is not mediated by this version";
        return Err(Refusal::new(RefusalKind::Unsupported, message).hint(NO_DUMP));
    }
    let Class { kind: _, effect, sent } =
        settings::set_value(call.name, vec![call.value.to_owned()], call.local)?;
    let Sent::Set { name, value, local } = sent else {
        let message = format!("setting `{}` cannot be set by set_config here", call.name);
        return Err(Refusal::new(RefusalKind::Setting, message).hint("use SET"));
    };
    Ok(Class { kind: Kind::Show, effect, sent: Sent::SetConfig { name, value, local } })
}

/// The only target's only call, where it has this name and constants as arguments.
fn read(select: &nodes::SelectStmt) -> Option<Call<'_>> {
    let mut targets = select.target_list().iter();
    let (target, None) = (targets.next()?, targets.next()) else { return None };
    let call = <&nodes::FuncCall>::try_from(target.val()).ok()?;
    let written: Vec<&str> = call.funcname().iter().filter_map(Node::as_str).collect();
    let arguments: Vec<Node<'_>> = call.args().iter().collect();
    match (written.as_slice(), arguments.as_slice()) {
        (["set_config"] | ["pg_catalog", "set_config"], [name, value, local]) => {
            Some(Call { name: text(*name)?, value: text(*value)?, local: truth(*local)?, written })
        }
        _ => None,
    }
}

/// `SELECT function('name', 'value', local)`.
pub(crate) fn statement(function: &[&str], name: &str, value: &str, local: bool) -> Owned<nodes::RawStmt> {
    owned(|mem| {
        let build = Build(mem);
        let arguments = vec![build.string(name), build.string(value), build.boolean(local)];
        let mut call = build.call("set_config", arguments);
        if let pg_raw_parse::NodeMut::FuncCall(mut call) = call.as_mut() {
            call.set_funcname(build.names(function));
        }
        let mut select = mem.make_node::<nodes::SelectStmt>();
        let target = mem.make_res_target(None, mem.empty(), call);
        select.as_mut().set_target_list(mem.make_list(&[target]));
        mem.make_raw_stmt(select.uncast())
    })
}

fn text(node: Node<'_>) -> Option<&str> {
    let ConstValue::String(text) = <&nodes::A_Const>::try_from(node).ok()?.val()? else { return None };
    Some(text)
}

fn truth(node: Node<'_>) -> Option<bool> {
    let ConstValue::Boolean(truth) = <&nodes::A_Const>::try_from(node).ok()?.val()? else { return None };
    Some(truth)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Effect, Limits, forward, parse};

    #[test]
    fn it_is_a_set_that_answers() {
        for asked in [
            "SELECT set_config('TimeZone', 'UTC', false)",
            "select pg_catalog.set_config('timezone', 'UTC', False);",
        ] {
            let batch = parse(asked, &Limits::default()).expect(asked);
            let statement = batch.get(0).expect("one statement");
            assert_eq!(statement.kind(), Kind::Show);
            let (name, value) = ("timezone".to_owned(), "UTC".to_owned());
            assert_eq!(*statement.effect(), Effect::Set { name, value, local: false });
            let path: Vec<Arc<str>> = Vec::new();
            let sent = forward(&statement, &path).expect(asked).text;
            assert_eq!(sent, "SELECT pg_catalog.set_config('timezone', 'UTC', false)");
        }
    }

    #[test]
    fn it_has_the_rules_of_set() {
        for (asked, kind) in [
            ("select set_config('role', 'postgres', false)", RefusalKind::Setting),
            ("select set_config('Row_Security', 'off', true)", RefusalKind::Setting),
            ("select set_config('client_encoding', 'latin1', false)", RefusalKind::Setting),
            ("select set_config('veilgate.session', '', false)", RefusalKind::Setting),
            ("select pg_catalog.set_config('search_path', '', false)", RefusalKind::Unsupported),
        ] {
            assert_eq!(parse(asked, &Limits::default()).expect_err(asked).kind, kind, "{asked}");
        }
    }

    #[test]
    fn any_other_use_is_a_call() {
        for asked in [
            "select set_config('timezone', 'UTC', false), 1",
            "select set_config('timezone', 'UTC', false) as a",
            "select set_config('timezone', 'UTC', false) from t",
            "select set_config('timezone', 'UTC', false) where false",
            "select set_config('timezone', 'UTC', false) limit 0",
            "select distinct set_config('timezone', 'UTC', false)",
            "select set_config('timezone', 'UTC', false) union select ''",
            "with a as (select 1) select set_config('timezone', 'UTC', false)",
            "select set_config('timezone', 'UTC' || '', false)",
            "select set_config('timezone', $1, false)",
            "select set_config('timezone', 'UTC', null)",
            "select set_config('timezone', 'UTC', variadic array[false])",
            "select set_config('timezone', 'UTC', false) over ()",
            "select other.set_config('timezone', 'UTC', false)",
        ] {
            let batch = parse(asked, &Limits::default()).expect(asked);
            assert_eq!(batch.get(0).expect("one").kind(), Kind::Select, "{asked}");
        }
    }
}
