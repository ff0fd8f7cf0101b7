//! PREPARE and EXECUTE: a prepared query is kept as its text and the types of its parameters, and EXECUTE is that query
//! with constants in their places. So it is decided like any other, each time it runs.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not listed is no constant, and refused")]

use std::collections::HashMap;
use std::ops::ControlFlow;

use access::{Catalog, Guards, Refusal, RefusalKind, TypeKind};
use pg_raw_parse::make::{MemoryToken, Unique, owned};
use pg_raw_parse::transform::{Assignable, Transform, transform_node};
use pg_raw_parse::walk::{Recurse, walk_manual};
use pg_raw_parse::{ConstValue, Node, NodeMut, nodes};

use crate::analyze::Analyzer;
use crate::build::Build;
use crate::names::Session;
use crate::parse::{Batch, Limits, parse};
use crate::print::print_tree;
use crate::range::Ty;
use crate::statement::{Class, Effect, Kind, Sent, Statement, check_reads_only, not_mediated};

pub(crate) fn classify_prepare(prepare: &nodes::PrepareStmt) -> Result<Class, Refusal> {
    let Node::SelectStmt(select) = prepare.query() else {
        return Err(not_mediated("PREPARE of anything but a query"));
    };
    check_reads_only(select)?;
    let effect = Effect::Prepare(prepare.name().unwrap_or_default().to_owned());
    Ok(Class { kind: Kind::Prepare, effect, sent: Sent::Note { tag: "PREPARE" } })
}

pub(crate) fn classify_execute() -> Class {
    Class { kind: Kind::Execute, effect: Effect::None, sent: Sent::Rewritten }
}

/// What PREPARE keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The query, as a text of its own.
    pub text: String,
    /// The types that were declared for its parameters, by oid; 0 where one was left open.
    pub types: Vec<u32>,
}

/// The query of a PREPARE.
///
/// # Errors
/// A type that is not on the list, a query that cannot be printed, any other statement.
pub fn prepared_query(
    statement: &Statement<'_>,
    catalog: &Catalog,
    session: Session<'_>,
) -> Result<Query, Refusal> {
    let Node::PrepareStmt(prepare) = statement.raw().stmt() else {
        return Err(not_mediated("PREPARE of anything but a query"));
    };
    let guards = Guards::default();
    let mut analyzer = Analyzer::new(catalog, session, &guards)?;
    let mut types = Vec::new();
    for name in prepare.argtypes() {
        let open = matches!(&*parts(name), ["unknown"] | ["pg_catalog", "unknown"]);
        types.push(if open { 0 } else { declared(&mut analyzer, name)? });
    }
    let tree = owned(|mem| mem.make_raw_stmt(mem.make_unique(prepare.query())));
    Ok(Query { text: print_tree(&tree)?.text().to_owned(), types })
}

fn parts(name: &nodes::TypeName) -> Vec<&str> {
    name.names().iter().filter_map(nodes::String::sval).collect()
}

fn declared(analyzer: &mut Analyzer<'_>, name: &nodes::TypeName) -> Result<u32, Refusal> {
    match analyzer.type_name(name)? {
        Ty::Known(oid) => Ok(oid),
        Ty::Literal | Ty::Number(_) | Ty::Any => {
            let message =
                format!("type `{}` of a parameter is not on the list of types", parts(name).join("."));
            Err(Refusal::new(RefusalKind::UnlistedCall, message).at(name.location))
        }
    }
}

/// The name that an EXECUTE runs.
#[must_use]
pub fn executes<'b>(statement: &Statement<'b>) -> Option<&'b str> {
    match statement.raw().stmt() {
        Node::ExecuteStmt(execute) => execute.name(),
        _ => None,
    }
}

/// An EXECUTE as the query that it stands for, with its constants in the places of the parameters.
///
/// # Errors
/// An argument that is no constant, too many of them or too few, a parameter whose type nobody has declared and that
/// stands at several places, a prepared statement that is no query.
pub fn execute(
    statement: &Statement<'_>,
    query: &Query,
    catalog: &Catalog,
    limits: &Limits,
) -> Result<Batch, Refusal> {
    let Node::ExecuteStmt(execute) = statement.raw().stmt() else {
        return Err(not_mediated("EXECUTE of anything but a prepared query"));
    };
    let name = execute.name().unwrap_or_default();
    // A place in the text that was prepared is none in the text that was sent now.
    let mut batch = parse(&query.text, limits).map_err(|refusal| Refusal { position: None, ..refusal })?;
    let is_query = batch.len() == 1 && batch.get(0).is_some_and(|only| only.kind() == Kind::Select);
    let Some(only) = batch.get(0).filter(|_| is_query) else {
        return Err(not_mediated("EXECUTE of anything but a prepared query"));
    };
    let arguments: Vec<Node<'_>> = execute.params().iter().collect();
    let uses = uses(only.raw());
    let expected = uses.keys().copied().max().unwrap_or(0).max(query.types.len());
    if arguments.len() != expected {
        let message = format!("wrong number of parameters for prepared statement \"{name}\"");
        return Err(Refusal::new(RefusalKind::Syntax, message)
            .hint(format!("expected {expected} parameters but got {}", arguments.len())));
    }
    let mut values = Vec::new();
    for (number, argument) in (1..).zip(arguments) {
        let ty = query.types.get(number - 1).copied().filter(|oid| *oid != 0);
        let several = uses.get(&number).is_some_and(|places| *places > 1);
        check_argument(name, number, argument, ty, several)?;
        values.push(Value { argument, ty });
    }
    let tree = owned(|mem| {
        let mut copy = mem.make_unique(only.raw());
        Fill { mem, values: &values, catalog }.transform_raw_stmt(copy.as_mut());
        copy
    });
    batch.replace(tree);
    Ok(batch)
}

/// At how many places each parameter stands.
fn uses(raw: &nodes::RawStmt) -> HashMap<usize, usize> {
    let mut uses = HashMap::new();
    walk_manual(raw.stmt(), |node| {
        if let Node::ParamRef(parameter) = node {
            *uses.entry(usize::try_from(parameter.number).unwrap_or(0)).or_insert(0) += 1;
        }
        ControlFlow::<(), _>::Continue(Recurse::Yes)
    });
    uses
}

fn check_argument(
    name: &str,
    number: usize,
    argument: Node<'_>,
    ty: Option<u32>,
    several: bool,
) -> Result<(), Refusal> {
    if !is_constant(argument) {
        let message =
            format!("argument {number} of EXECUTE is no constant, and is not mediated by this version");
        return Err(Refusal::new(RefusalKind::Unsupported, message)
            .hint("write the value itself, or use a parameter of the protocol"));
    }
    // The server would find one type for all places, and make a value of it once.
    let typed = !matches!(argument, Node::A_Const(_)) && !is_negative(argument);
    if ty.is_none() && (several || typed) {
        let message = format!("parameter ${number} of prepared statement \"{name}\" has no declared type");
        return Err(Refusal::new(RefusalKind::Unsupported, message)
            .hint("declare it: PREPARE name (integer, …) AS …"));
    }
    Ok(())
}

/// Constants, casts and arrays of them, and numbers with a sign.
fn is_constant(node: Node<'_>) -> bool {
    match node {
        Node::A_Const(_) => true,
        Node::TypeCast(cast) => is_constant(cast.arg()),
        Node::A_ArrayExpr(array) => array.elements().iter().all(is_constant),
        Node::A_Expr(_) => is_negative(node),
        _ => false,
    }
}

fn is_negative(node: Node<'_>) -> bool {
    let Node::A_Expr(sign) = node else { return false };
    let is_sign = sign.name().len() == 1
        && sign.name().first().and_then(|name| name.as_str()).is_some_and(|name| matches!(name, "-" | "+"));
    let number = |node| {
        let Node::A_Const(constant) = node else { return false };
        matches!(constant.val(), Some(ConstValue::Integer(_) | ConstValue::Float(_)))
    };
    is_sign && matches!(sign.lexpr(), Node::None) && number(sign.rexpr())
}

struct Value<'a> {
    argument: Node<'a>,
    ty: Option<u32>,
}

/// Puts values into the places of parameters.
struct Fill<'m, 'a> {
    mem: MemoryToken<'m>,
    values: &'a [Value<'a>],
    catalog: &'a Catalog,
}

impl<'m> Fill<'m, '_> {
    fn value(&self, number: i32) -> Option<Unique<'m, Node<'m>>> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        let Value { argument, ty } = self.values.get(place)?;
        let Some(ty) = ty.and_then(|oid| self.catalog.types.get(&oid)) else {
            return Some(literal(self.mem, *argument));
        };
        let build = Build(self.mem);
        let mut cast = self.mem.make_node::<nodes::TypeCast>();
        cast.as_mut().set_arg(self.mem.make_unique(*argument));
        let element = match ty.kind {
            TypeKind::Array { element } => self.catalog.types.get(&element),
            _ => None,
        };
        let named = element.unwrap_or(ty);
        let mut name = build.type_name(&named.schema, &named.name, &[]);
        if element.is_some() {
            name.as_mut().set_array_bounds(self.mem.make_list(&[self.mem.make_integer(-1).uncast()]));
        }
        cast.as_mut().set_type_name(name.as_option());
        Some(cast.uncast())
    }
}

impl<'m> Transform<'m> for Fill<'m, '_> {
    fn transform_node<'r>(&mut self, node: Assignable<'m, 'r>) {
        let number = if let NodeMut::ParamRef(parameter) = &*node { Some(parameter.number) } else { None };
        match number.and_then(|number| self.value(number)) {
            Some(value) => node.replace(value),
            None => transform_node(node.into_inner(), self),
        }
    }
}

/// A constant that takes its type from its place, as a parameter without a type does.
fn literal<'m>(mem: MemoryToken<'m>, argument: Node<'_>) -> Unique<'m, Node<'m>> {
    let build = Build(mem);
    let text = match argument {
        Node::A_Const(constant) => number(constant),
        Node::A_Expr(sign) => match (sign.name().first().and_then(|name| name.as_str()), sign.rexpr()) {
            (Some(sign), Node::A_Const(constant)) => number(constant).map(|number| format!("{sign}{number}")),
            _ => None,
        },
        _ => None,
    };
    text.map_or_else(|| mem.make_unique(argument), |text| build.string(&text))
}

fn number(constant: &nodes::A_Const) -> Option<String> {
    match constant.val()? {
        ConstValue::Integer(number) => Some(number.to_string()),
        ConstValue::Float(number) => Some(number.to_owned()),
        ConstValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}
