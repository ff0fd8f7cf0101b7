//! Every node that calls something: functions, operators, casts, types, collations. By name along `pg_catalog` alone,
//! from the reviewed list, and written with its schema.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not named is refused, or unsafe")]

use std::rc::Rc;
use std::sync::Arc;

use access::{Refusal, RefusalKind, TypeKind};
use pg_raw_parse::{ConstValue, Node, nodes};

use crate::analyze::{Analyzer, unsupported};
use crate::barrier;
use crate::edits::Edit;
use crate::expr::C_COLLATION;
use crate::lists::{Arg, CallKind, Resolved, Safety, oid};
use crate::range::{Collation, Facts, Length, Ty};
use crate::settings;

/// Types that a constant number or boolean is cast to when the statement is planned, and not later.
const READ_WHEN_PLANNED: [u32; 10] = [
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::NUMERIC,
    oid::FLOAT4,
    oid::FLOAT8,
    oid::TEXT,
    oid::VARCHAR,
    oid::BPCHAR,
];

/// Functions that answer the time of the transaction or statement, and cannot fail.
const TIMES: [&str; 3] = ["now", "transaction_timestamp", "statement_timestamp"];

/// Aggregates that are one value of their argument: the first in its order, one way or the other.
const FOUND_BY_ORDER: [&str; 5] = ["min", "max", "bool_and", "bool_or", "every"];

/// The first oid that the server does not give to its own types.
const FIRST_USER_OID: u32 = 16384;

impl Analyzer<'_> {
    /// `f(…)`, an aggregate or a window function.
    pub(crate) fn call(&mut self, call: &nodes::FuncCall) -> Result<Facts, Refusal> {
        if let Some(facts) = self.expandarray(call)? {
            return Ok(facts);
        }
        let name = self.function_name(call)?;
        self.check_function_is_listed(&name, call.location)?;
        if let Some(facts) = self.about_the_session(&name, call)? {
            return Ok(facts);
        }
        if let Some(facts) = self.catalogue_call(&name, call)? {
            return Ok(facts);
        }
        let mut args = Vec::with_capacity(call.args().len());
        let mut named = call.func_variadic;
        for node in call.args() {
            named |= matches!(node, Node::NamedArgExpr(_));
            args.push(self.expression(node)?);
        }
        let mut over_rows = Facts::of(Ty::Any);
        for sort in call.agg_order() {
            barrier::sort_operator(sort)?;
            over_rows.absorb(&self.expression(sort.node())?);
        }
        over_rows.absorb(&self.expression(call.agg_filter())?);
        if let Some(window) = call.over() {
            self.window(window)?;
        }
        let given: Vec<Ty> = args.iter().map(|facts| facts.ty).collect();
        self.check_implicit_casts(&given, call.location)?;
        let types: Vec<Arg> = args.iter().map(|facts| self.argument(facts.ty)).collect();
        let resolved =
            if named || call.agg_within_group { None } else { self.lists.resolve_function(&name, &types) };
        // Where every type is known, the overload is; otherwise any of the name may be meant.
        let known = resolved.filter(|_| types.iter().all(|ty| *ty != Arg::Any));
        if !known.is_some_and(|found| found.listed)
            && let Some(reason) = self.lists.why_unlisted(&name)
        {
            let message = format!("function `{name}` is not on the list of calls: {reason}");
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(call.location));
        }
        self.edits.add(call, Edit::Function(name.as_str().into()));
        let (result, safe) = resolved.map_or((None, Safety::Unsafe), |found| (found.result, found.safe));
        let mut facts = Facts::of(result.map_or(Ty::Any, Ty::Known));
        for arg in &args {
            facts.absorb(arg);
        }
        let safe = self.is_safe(safe, facts.collation, false)
            || TIMES.contains(&name.as_str())
            || is_constant_series(&name, call);
        let kind = |kind| self.lists.functions(&name).iter().any(|overload| overload.kind == kind);
        if kind(CallKind::Aggregate) || call.over().is_some() {
            // What an aggregate gives is made of rows that were filtered; nothing moves below it. But the first row in
            // the order of an index is found by one more condition, that the argument is not NULL.
            if FOUND_BY_ORDER.contains(&name.as_str()) && call.over().is_none() {
                let mut gates = facts.gates.clone();
                gates.add_all(&facts.settled);
                self.at_risk(&facts, &gates, None)?;
            }
            self.note(&facts.hazards);
            self.note(&over_rows.hazards);
            if !safe {
                self.make_unsafe(&mut facts, format!("{name}()"), call.location);
                self.note_nowhere(&facts.hazards);
            }
            let grouped = call.over().is_none() || facts.grouped;
            return Ok(Facts { hazards: Vec::new(), aggregated: true, grouped, origin: None, ..facts });
        }
        facts.volatile |= self.differs(&name, known);
        facts.gives_rows |= kind(CallKind::SetReturning);
        if !safe {
            self.make_unsafe(&mut facts, format!("{name}()"), call.location);
        }
        if !matches!(facts.ty, Ty::Known(ty) if self.lists.collatable(ty)) && facts.ty != Ty::Any {
            facts.collation = Collation::Default;
        }
        facts.origin = None;
        Ok(facts)
    }

    /// Whether a call may give another value each time; of several that could be meant, whether one may.
    fn differs(&self, name: &str, known: Option<Resolved>) -> bool {
        match known.and_then(|found| found.overload) {
            Some(overload) => overload.volatile,
            None => self.lists.functions(name).iter().any(|overload| overload.volatile),
        }
    }

    fn function_name(&self, call: &nodes::FuncCall) -> Result<String, Refusal> {
        let parts: Vec<&str> = call.funcname().iter().filter_map(Node::as_str).collect();
        match parts.as_slice() {
            [name] | ["pg_catalog", name] => Ok((*name).to_owned()),
            _ => {
                let message = format!("function `{}` is not on the list of calls", parts.join("."));
                Err(Refusal::new(RefusalKind::UnlistedCall, message)
                    .hint("functions of pg_catalog can be called, without their schema or with it")
                    .at(call.location))
            }
        }
    }

    /// Functions that ask about the session: the gateway knows the answer, or lets through what tells nothing.
    fn about_the_session(&mut self, name: &str, call: &nodes::FuncCall) -> Result<Option<Facts>, Refusal> {
        let answer = match (name, call.args().len()) {
            ("current_schema", 0) => {
                let schema = self.session.current_schema(self.catalog);
                Edit::Value { text: schema, ty: "name" }
            }
            ("current_database" | "version" | "pg_backend_pid" | "pg_is_in_recovery", 0) => {
                Edit::Function(name.into())
            }
            ("current_setting", 1 | 2) => {
                let setting = match call.args().first() {
                    Some(Node::A_Const(constant)) => match constant.val() {
                        Some(ConstValue::String(setting)) => Some(setting.to_ascii_lowercase()),
                        _ => None,
                    },
                    _ => None,
                };
                match setting.as_deref() {
                    Some("search_path") => {
                        let path = crate::forward::show_path(self.session.search_path);
                        Edit::Value { text: Some(path.into()), ty: "text" }
                    }
                    Some(setting) if settings::is_shown(setting) => Edit::Function(name.into()),
                    None if call.args().len() == 1
                        && let Some(facts) = self.setting_by_value(call)? =>
                    {
                        return Ok(Some(facts));
                    }
                    _ => {
                        let message =
                            "current_setting() is for the settings that SHOW answers, named by a constant";
                        return Err(Refusal::new(RefusalKind::Setting, message).at(call.location));
                    }
                }
            }
            _ => return Ok(None),
        };
        self.edits.add(call, answer);
        let ty = match name {
            "current_schema" | "current_database" => oid::NAME,
            "pg_backend_pid" => oid::INT4,
            "pg_is_in_recovery" => oid::BOOL,
            _ => oid::TEXT,
        };
        Ok(Some(Facts::of(Ty::Known(ty))))
    }

    /// `left op right`, with what the list says of it.
    pub(crate) fn operator(
        &mut self,
        name: &str,
        left: Option<&Facts>,
        right: &Facts,
        location: i32,
    ) -> Result<Facts, Refusal> {
        self.matched(name, left, right, false, location)
    }

    /// `left LIKE right`; whether the pattern is a constant that cannot fail.
    pub(crate) fn matching(
        &mut self,
        name: &str,
        left: &Facts,
        right: &Facts,
        constant_pattern: bool,
        location: i32,
    ) -> Result<Facts, Refusal> {
        self.matched(name, Some(left), right, constant_pattern, location)
    }

    fn matched(
        &mut self,
        name: &str,
        left: Option<&Facts>,
        right: &Facts,
        constant_pattern: bool,
        location: i32,
    ) -> Result<Facts, Refusal> {
        let types: Vec<Ty> = left.into_iter().chain([right]).map(|facts| facts.ty).collect();
        self.check_operator_is_listed(name, &types, location)?;
        let (left_arg, right_arg) = self.operands(left.map(|facts| facts.ty), right.ty);
        let Some(found) = self.lists.resolve_operator(name, left_arg, right_arg) else {
            return self.no_operator(name, left, right, location);
        };
        if !found.listed {
            let message = format!("operator `{name}` is not on the list of calls");
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(location));
        }
        let mut facts = Facts::of(found.result.map_or(Ty::Any, Ty::Known));
        for side in left.into_iter().chain([right]) {
            facts.absorb(side);
        }
        facts.origin = None;
        // What is looked at in a pattern is its text; bytes are written in another way.
        let is_text = left.is_some_and(|left| {
            matches!(left.ty, Ty::Known(oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME))
        });
        // An operator of an extension may fit better.
        let listed_alone = !self.catalog.added.extension_operators.contains(name);
        if !listed_alone || !self.is_safe(found.safe, facts.collation, constant_pattern && is_text) {
            self.make_unsafe(&mut facts, format!("operator {name}"), location);
        }
        if !matches!(facts.ty, Ty::Known(ty) if self.lists.collatable(ty)) {
            facts.collation = Collation::Default;
        }
        Ok(facts)
    }

    /// No overload takes these operands, as far as is known: the server will say so, or knows better.
    fn no_operator(
        &mut self,
        name: &str,
        left: Option<&Facts>,
        right: &Facts,
        location: i32,
    ) -> Result<Facts, Refusal> {
        let listed = self.lists.operators(name);
        if listed.is_empty() || listed.iter().any(|overload| !overload.listed) {
            let message = format!("operator `{name}` is not on the list of calls");
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(location));
        }
        let mut facts = Facts::of(Ty::Any);
        for side in left.into_iter().chain([right]) {
            facts.absorb(side);
        }
        self.make_unsafe(&mut facts, format!("operator {name}"), location);
        facts.origin = None;
        Ok(facts)
    }

    /// A number beside a value of another type says which operator is meant, and is cast before any row is read.
    fn operands(&self, left: Option<Ty>, right: Ty) -> (Option<Arg>, Arg) {
        let operand = |ty: Ty, other: Option<Ty>| match (ty, other) {
            (Ty::Number(oid), Some(Ty::Known(_))) => Arg::Number(oid),
            (Ty::Number(_), Some(Ty::Any)) => Arg::Literal,
            (ty, _) => self.argument(ty),
        };
        (left.map(|left| operand(left, Some(right))), operand(right, left))
    }

    pub(crate) fn argument(&self, ty: Ty) -> Arg {
        match ty {
            Ty::Literal => Arg::Literal,
            Ty::Any => Arg::Any,
            Ty::Number(oid) => Arg::Known(oid),
            Ty::Known(oid) if oid < FIRST_USER_OID => Arg::Known(oid),
            Ty::Known(oid) => match self.catalog.types.get(&oid).map(|ty| &ty.kind) {
                Some(TypeKind::Enum) => Arg::Enum(oid),
                Some(TypeKind::Domain { base, .. }) => self.argument(Ty::Known(*base)),
                Some(TypeKind::Array { element }) => match self.argument(Ty::Known(*element)) {
                    Arg::Enum(_) => Arg::EnumArray(oid),
                    _ => Arg::Known(oid),
                },
                _ => Arg::Known(oid),
            },
        }
    }

    pub(crate) fn element(&self, ty: u32) -> Ty {
        if let Some(element) = self.lists.element(ty) {
            return Ty::Known(element);
        }
        match self.catalog.types.get(&ty).map(|ty| &ty.kind) {
            Some(TypeKind::Array { element }) => Ty::Known(*element),
            _ => Ty::Any,
        }
    }

    fn is_safe(&self, safety: Safety, collation: Collation, constant_pattern: bool) -> bool {
        let known = match collation {
            Collation::Default => true,
            Collation::Named(oid) => {
                self.catalog.collations.get(&oid).is_some_and(|collation| collation.deterministic)
            }
            Collation::Conflict => return false,
        };
        match safety {
            Safety::Safe => true,
            Safety::Search => known,
            Safety::Pattern => known && constant_pattern,
            Safety::Unsafe => false,
        }
    }

    /// `x::type`.
    pub(crate) fn cast(&mut self, cast: &nodes::TypeCast) -> Result<Facts, Refusal> {
        let Some(name) = cast.type_name() else { return Err(unsupported("this cast", cast.location)) };
        if let Some(facts) = self.catalogue_cast(cast)? {
            return Ok(facts);
        }
        let to = self.type_name(name)?;
        let mut facts = self.expression(cast.arg())?;
        let from = facts.ty;
        self.check_cast_is_listed(from, to, cast.location)?;
        let (mark, shown) = self.cast_from_catalogue(&facts, to);
        facts.ty = to;
        facts.length = self.written_length(name).map(Rc::new);
        facts.origin = None;
        facts.catalogue = mark;
        // A constant, or a parameter that takes the type of the cast, is read before any row is.
        let constant = match (cast.arg(), from) {
            (Node::A_Const(_) | Node::ParamRef(_), Ty::Literal) => true,
            (Node::A_Const(_), _) => matches!(to, Ty::Known(to) if READ_WHEN_PLANNED.contains(&to)),
            _ => false,
        };
        if to == Ty::Known(oid::NAME) {
            facts.collation = Collation::Named(C_COLLATION);
        }
        let domain = self.is_domain(name);
        if domain {
            // A domain has a length and a collation of its own.
            facts.collation = Collation::Conflict;
        }
        let length = name.typmods().is_empty();
        if !constant && !shown && (domain || !self.is_safe_cast(from, to, length)) {
            self.make_unsafe(&mut facts, "a cast", cast.location);
        }
        Ok(facts)
    }

    /// The length that stands behind a type's name.
    fn written_length(&self, name: &nodes::TypeName) -> Option<Length> {
        let Some(Edit::Type { schema, name: ty }) = self.edits.of(name) else { return None };
        let modifiers: Option<Vec<i32>> = name.typmods().iter().map(integer).collect();
        let modifiers = modifiers.filter(|modifiers| !modifiers.is_empty())?;
        let is_kept = name.array_bounds().is_empty() && &**ty != "interval";
        is_kept.then(|| Length { schema: schema.clone(), name: ty.clone(), modifiers })
    }

    fn is_domain(&self, name: &nodes::TypeName) -> bool {
        let Some(Edit::Type { schema, name }) = self.edits.of(name) else { return false };
        let found = self.catalog.type_named(schema, name);
        found.is_some_and(|found| matches!(found.kind, TypeKind::Domain { .. }))
    }

    fn is_safe_cast(&self, from: Ty, to: Ty, without_length: bool) -> bool {
        let (Ty::Known(from) | Ty::Number(from), Ty::Known(to)) = (from, to) else { return false };
        let from = match self.argument(Ty::Known(from)) {
            Arg::Enum(_) => oid::ANYENUM,
            _ => from,
        };
        let safe = self.lists.cast(from, to).is_some_and(|cast| cast.safe);
        safe && (without_length || self.lists.length_is_safe(to))
    }

    /// The types that a client declares for its parameters are read by the server, as if it had written a cast.
    pub(crate) fn check_parameters(&self) -> Result<(), Refusal> {
        for oid in self.session.parameters.iter().copied().filter(|oid| !matches!(*oid, 0 | oid::UNKNOWN)) {
            let element = self.catalog.types.get(&oid).map_or(oid, |ty| match ty.kind {
                TypeKind::Array { element } => element,
                _ => oid,
            });
            let built_in = element < FIRST_USER_OID
                && self.lists.is_value_type(element)
                && !self.lists.names_an_object(element);
            let is_enum = self.catalog.types.get(&element).is_some_and(|ty| ty.kind == TypeKind::Enum);
            if !built_in && !is_enum {
                let message = format!("type {oid} of a parameter is not on the list of types");
                return Err(Refusal::new(RefusalKind::UnlistedCall, message)
                    .hint("declare no type, or one that the statement could cast to"));
            }
        }
        Ok(())
    }

    /// A type by name: built in, or an enum of the caller's path.
    pub(crate) fn type_name(&mut self, name: &nodes::TypeName) -> Result<Ty, Refusal> {
        let unlisted = |shown: &str| {
            let message = format!("type `{shown}` is not on the list of types");
            Refusal::new(RefusalKind::UnlistedCall, message).at(name.location)
        };
        let parts: Vec<&str> = name.names().iter().filter_map(nodes::String::sval).collect();
        if name.pct_type || name.setof {
            return Err(unlisted(&parts.join(".")));
        }
        for modifier in name.typmods() {
            if !matches!(modifier, Node::A_Const(_)) {
                return Err(unlisted(&parts.join(".")));
            }
        }
        let (schema, last) = match parts.as_slice() {
            [last] => (None, *last),
            [schema, last] => (Some(*schema), *last),
            _ => return Err(unlisted(&parts.join("."))),
        };
        let found = self.named_type(schema, last).ok_or_else(|| unlisted(&parts.join(".")))?;
        self.edits.add(name, Edit::Type { schema: found.schema, name: last.into() });
        if name.array_bounds().is_empty() {
            return Ok(Ty::Known(found.oid));
        }
        Ok(self.lists.array_of(found.oid).map_or(Ty::Any, Ty::Known))
    }

    fn named_type(&self, schema: Option<&str>, name: &str) -> Option<NamedType> {
        let built_in = self.lists.builtin_type(name).filter(|_| matches!(schema, None | Some("pg_catalog")));
        if let Some(oid) = built_in {
            // What names an object of the catalogue, or is no type of a value, is not for callers.
            let pseudo = self.catalog.types.get(&oid).is_some_and(|ty| ty.kind == TypeKind::Pseudo);
            let listed = !self.lists.names_an_object(oid) && !pseudo && self.lists.is_value_type(oid);
            return listed.then(|| NamedType { oid, schema: "pg_catalog".into() });
        }
        let ty = match schema {
            Some(schema) => self.catalog.type_named(schema, name),
            None => {
                self.session.schemas(self.catalog).find_map(|schema| self.catalog.type_named(schema, name))
            }
        }?;
        let usable = match ty.kind {
            TypeKind::Enum => true,
            // Reading a value of a domain with a CHECK can call anything.
            TypeKind::Domain { base, constrained } => !constrained && base < FIRST_USER_OID,
            _ => false,
        };
        usable.then(|| NamedType { oid: self.base(ty.oid), schema: ty.schema.clone() })
    }

    fn base(&self, oid: u32) -> u32 {
        match self.catalog.types.get(&oid).map(|ty| &ty.kind) {
            Some(TypeKind::Domain { base, .. }) => *base,
            _ => oid,
        }
    }

    /// `x COLLATE c`: of `pg_catalog`, or of the caller's path.
    pub(crate) fn collate(&mut self, collate: &nodes::CollateClause) -> Result<Facts, Refusal> {
        let mut facts = self.expression(collate.arg())?;
        let parts: Vec<&str> = collate.collname().iter().filter_map(Node::as_str).collect();
        let (schema, name) = match parts.as_slice() {
            [name] => (None, *name),
            [schema, name] => (Some(*schema), *name),
            _ => return Err(unsupported("this COLLATE", collate.location)),
        };
        let schemas: Vec<&str> = match schema {
            Some(schema) => vec![schema],
            None => std::iter::once("pg_catalog")
                .chain(self.session.schemas(self.catalog).map(|schema| &**schema))
                .collect(),
        };
        let found = schemas.iter().find_map(|schema| {
            let fits =
                |(_, known): &(&u32, &access::Collation)| &*known.schema == *schema && &*known.name == name;
            self.catalog.collations.iter().find(fits)
        });
        let Some((oid, known)) = found else {
            let message = format!("collation \"{name}\" does not exist");
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(collate.location));
        };
        facts.collation = Collation::Named(*oid);
        facts.origin = None;
        let schema: Arc<str> = known.schema.clone();
        self.edits.add(collate, Edit::Collation { schema, name: name.into() });
        Ok(facts)
    }

    /// Several expressions whose values stand for each other: CASE, COALESCE, IN, set operations. The type is chosen as
    /// the server's `select_common_type` does, and the casts that this takes are counted. What comes out is no constant.
    pub(crate) fn unify(&mut self, parts: &[&Facts], what: &str) -> Facts {
        let mut facts = Facts::of(Ty::Any);
        for part in parts {
            facts.absorb(part);
        }
        let mut common: Option<u32> = None;
        let mut agrees = true;
        for part in parts {
            let next = match part.ty {
                Ty::Literal => continue,
                Ty::Any => {
                    agrees = false;
                    continue;
                }
                Ty::Known(oid) | Ty::Number(oid) => oid,
            };
            match common {
                None => common = Some(next),
                Some(so_far) if so_far == next => {}
                Some(so_far) => {
                    agrees &= self.lists.same_category(so_far, next);
                    let implicit = |from, to| self.lists.cast(from, to).is_some_and(|cast| cast.implicit);
                    if !self.lists.is_preferred(so_far) && implicit(so_far, next) && !implicit(next, so_far) {
                        common = Some(next);
                    }
                }
            }
        }
        let to = common.unwrap_or(oid::TEXT);
        for part in parts {
            agrees &= match part.ty {
                Ty::Literal | Ty::Number(_) => true,
                Ty::Known(from) => from == to || self.is_safe_cast(Ty::Known(from), Ty::Known(to), true),
                Ty::Any => parts.len() == 1,
            };
        }
        if agrees {
            facts.ty = if parts.len() == 1 && parts.iter().all(|part| part.ty == Ty::Any) {
                Ty::Any
            } else {
                Ty::Known(to)
            };
        } else {
            self.make_unsafe(&mut facts, what, -1);
        }
        facts.origin = None;
        facts
    }
}

/// `generate_series(1, 10)` over constants: it fails only with a step of zero.
fn is_constant_series(name: &str, call: &nodes::FuncCall) -> bool {
    let number = |node| match node {
        Node::A_Const(constant) => constant.val().and_then(|value| value.numeric_value::<i64>()),
        _ => None,
    };
    let numbers: Option<Vec<i64>> = call.args().iter().map(number).collect();
    let numbers = numbers.unwrap_or_default();
    name == "generate_series" && matches!(numbers.as_slice(), [_, _] | [_, _, 1.. | ..=-1])
}

fn integer(node: Node<'_>) -> Option<i32> {
    match node {
        Node::A_Const(constant) => constant.val().and_then(|value| value.numeric_value::<i32>()),
        _ => None,
    }
}

struct NamedType {
    oid: u32,
    schema: Arc<str>,
}
