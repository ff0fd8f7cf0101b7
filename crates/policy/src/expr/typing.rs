//! Tree to typed tree: every operand knows its type, every literal is a value of it.

use std::sync::Arc;

use access::{CatalogSet, Comparison, Field, FieldType, Value, ValueType};

use super::Problem;
use super::network;
use super::tree::{Expr, ExprKind, Part, Set, Term, TermKind};
use super::typed::{Common, List, Operand, Typed, TypedLookup};
use crate::schema::{Schema, Slot};
use crate::{Span, value};

/// What an expression may name.
pub(crate) struct Scope<'a> {
    pub(crate) schema: &'a Schema,
    /// The fields of the row; none where there is no row.
    pub(crate) fields: Option<&'a dyn Fn(&str) -> FieldLookup>,
    /// The mapping tables; none where no row is asked for.
    pub(crate) lookups: Option<&'a dyn Fn(&str) -> LookupFound>,
}

/// What is known of a mapping table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LookupFound {
    Known(Arc<TypedLookup>),
    /// It is declared: the text alone does not say more.
    Unknown,
    /// It cannot be asked here, and why.
    Unusable(String),
    /// It is not declared; these are.
    Missing(Vec<Arc<str>>),
}

/// What is known of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldLookup {
    Known(FieldType),
    /// It may be there: the text alone does not say its type.
    Unknown,
    /// It is not there; these are.
    Missing(Vec<Arc<str>>),
}

/// Types an expression, or says all that does not fit.
pub(crate) fn check(expr: &Expr, scope: &Scope<'_>) -> Result<Typed, Vec<Problem>> {
    let mut checker = Checker { scope, problems: Vec::new() };
    let typed = checker.expr(expr);
    match typed {
        Some(typed) if checker.problems.is_empty() => Ok(typed),
        _ => {
            // A term of `between` is looked at twice.
            checker.problems.dedup();
            Err(checker.problems)
        }
    }
}

/// What a term is, before its neighbours are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Field(FieldType),
    /// A value of a caller or a request.
    Value(ValueType),
    /// Takes its type from its neighbours.
    Literal,
    /// A field whose type the text alone does not say.
    Unknown,
}

struct Checker<'a> {
    scope: &'a Scope<'a>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn wrong<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    fn expr(&mut self, expr: &Expr) -> Option<Typed> {
        match &expr.kind {
            ExprKind::Anyone => Some(Typed::Always),
            ExprKind::Or(arms) => self.all(arms).map(Typed::Or),
            ExprKind::And(arms) => self.all(arms).map(Typed::And),
            ExprKind::Not(inner) => self.expr(inner).map(|inner| Typed::Not(Box::new(inner))),
            ExprKind::Truth(term) => self.truth(term),
            ExprKind::Compare(comparison, left, right) => self.compare(*comparison, left, right),
            ExprKind::In(term, set) => self.membership(term, set),
            ExprKind::HasAny(term, set) => self.has_any(term, set),
            ExprKind::InCatalog(terms, set) => self.in_catalog(terms, *set),
            ExprKind::IsNull(term) => self.is_null(term),
            ExprKind::Between(term, low, high) => {
                let above = self.compare(Comparison::GreaterOrEqual, term, low);
                let below = self.compare(Comparison::LessOrEqual, term, high);
                Some(Typed::And(vec![above?, below?]))
            }
            ExprKind::Like(term, pattern) => self.like(term, pattern),
        }
    }

    /// Every arm is looked at, so that every error is told.
    fn all(&mut self, arms: &[Expr]) -> Option<Vec<Typed>> {
        let typed: Vec<_> = arms.iter().map(|arm| self.expr(arm)).collect();
        typed.into_iter().collect()
    }

    fn truth(&mut self, term: &Term) -> Option<Typed> {
        let ty = self.type_of(term)?;
        let (operand, boolean) = match (&ty, &term.kind) {
            (Type::Literal, TermKind::Bool(truth)) => (Some(Operand::Value(Value::Bool(*truth))), true),
            (Type::Literal, _) => (None, false),
            (Type::Field(found), _) => {
                (self.operand(term, &Common::Field(found.clone())), *found == FieldType::Bool)
            }
            (Type::Value(found), _) => {
                (self.operand(term, &Common::Value(*found)), *found == ValueType::Bool)
            }
            (Type::Unknown, _) => (self.operand(term, &Common::Unknown), true),
        };
        if !boolean {
            let problem = Problem::new(term.span, "this is not a condition");
            return self
                .wrong(problem.help("a condition is a comparison, or a field or attribute of type bool"));
        }
        operand.map(Typed::Truth)
    }

    fn compare(&mut self, comparison: Comparison, left: &Term, right: &Term) -> Option<Typed> {
        let (common, mut operands) = self.operands(&[left, right])?;
        let ordering = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordering && !common.has_order() {
            let span = Span { start: left.span.start, end: right.span.end };
            let problem = Problem::new(span, format!("values of type {} have no order here", common.name()));
            let texts = matches!(common, Common::Field(FieldType::Text) | Common::Value(ValueType::Text));
            let help = "the order of texts depends on the store's collation";
            return self.wrong(if texts { problem.help(help) } else { problem });
        }
        let (right, left) = (operands.pop()?, operands.pop()?);
        Some(Typed::Compare(comparison, left, right))
    }

    fn membership(&mut self, term: &Term, set: &Set) -> Option<Typed> {
        match set {
            Set::Cidr(networks) => self.networks(term, networks),
            Set::Lookup(name, span) => self.in_lookup(term, name, *span),
            Set::List(items) => {
                let terms: Vec<&Term> = std::iter::once(term).chain(items).collect();
                let (_, operands) = self.operands(&terms)?;
                let mut operands = operands.into_iter();
                let left = operands.next()?;
                self.no_fields(items)?;
                Some(Typed::In(left, List::Items(operands.collect())))
            }
            Set::Caller(set) => {
                let element = self.set_of(set)?;
                let ty = self.type_of(term)?;
                let common = self.common(&[(term, ty), (set, Type::Value(element))])?;
                let left = self.operand(term, &common)?;
                self.element(set, element, &common).map(|list| Typed::In(left, list))
            }
        }
    }

    /// The shipped policy knows what its fields are; that they are there is checked.
    fn in_catalog(&mut self, terms: &[Term], set: CatalogSet) -> Option<Typed> {
        let mut fields = Vec::with_capacity(terms.len());
        for term in terms {
            let ty = match self.type_of(term)? {
                Type::Field(ty) => ty,
                Type::Unknown | Type::Value(_) | Type::Literal => FieldType::Other("unknown".into()),
            };
            fields.push(Field { name: term.name().into(), ty });
        }
        Some(Typed::InCatalog(fields, set))
    }

    fn has_any(&mut self, term: &Term, set: &Set) -> Option<Typed> {
        let (left, element) = self.array(term)?;
        let list = match set {
            Set::Cidr(_) => return self.wrong(Problem::new(term.span, "`cidr` stands behind `in`")),
            Set::Lookup(_, span) => {
                return self.wrong(Problem::new(*span, "a lookup stands behind `in`"));
            }
            Set::List(items) => {
                self.no_fields(items)?;
                let operands: Vec<_> = items.iter().map(|item| self.operand(item, &element)).collect();
                List::Items(operands.into_iter().collect::<Option<_>>()?)
            }
            Set::Caller(set) => {
                let ty = self.set_of(set)?;
                self.element(set, ty, &element)?
            }
        };
        Some(Typed::HasAny(left, list))
    }

    /// An array field or a set of the caller, and what its elements are.
    fn array(&mut self, term: &Term) -> Option<(Operand, Common)> {
        if matches!(term.kind, TermKind::Caller(_)) {
            let ty = self.set_of(term)?;
            return Some((Operand::Caller(term.name().into(), ty), Common::Value(ty)));
        }
        match self.type_of(term)? {
            Type::Unknown => Some((unknown(term), Common::Unknown)),
            Type::Field(FieldType::Array(element)) if value::value_type(&element).is_some() => {
                let ty = FieldType::Array(element.clone());
                Some((Operand::Field(Field { name: term.name().into(), ty }), Common::Field(*element)))
            }
            Type::Field(_) | Type::Value(_) | Type::Literal => {
                self.wrong(Problem::new(term.span, "`has any` needs an array field or a set of the caller"))
            }
        }
    }

    fn is_null(&mut self, term: &Term) -> Option<Typed> {
        let operand = match &term.kind {
            TermKind::Caller(name) => {
                let slot = self.slot(name, term.span)?;
                Operand::Caller(name.as_str().into(), slot.ty)
            }
            TermKind::Field(_) => match self.type_of(term)? {
                Type::Field(ty) => Operand::Field(Field { name: term.name().into(), ty }),
                Type::Unknown | Type::Value(_) | Type::Literal => unknown(term),
            },
            TermKind::Request(_)
            | TermKind::Text(_)
            | TermKind::Number(_)
            | TermKind::Bool(_)
            | TermKind::Null => return self.wrong(Problem::new(term.span, "this is known without asking")),
        };
        Some(Typed::IsNull(operand))
    }

    fn like(&mut self, term: &Term, pattern: &Term) -> Option<Typed> {
        let TermKind::Text(text) = &pattern.kind else {
            return self.wrong(Problem::new(pattern.span, "a pattern is a text such as `'prefix%'`"));
        };
        let prefix =
            text.strip_suffix('%').filter(|prefix| !prefix.is_empty() && !prefix.contains(['%', '_', '\\']));
        let (common, operands) = self.operands(&[term, pattern])?;
        let Some(prefix) = prefix else {
            let problem = Problem::new(pattern.span, "only a prefix can be matched: `'prefix%'`");
            return self
                .wrong(problem.help("`%` once, at the end; no `_` and no `\\`; use `=` for a whole text"));
        };
        if !matches!(
            common,
            Common::Field(FieldType::Text) | Common::Value(ValueType::Text) | Common::Unknown
        ) {
            return self.wrong(Problem::new(term.span, "`like` needs a text"));
        }
        Some(Typed::StartsWith(operands.into_iter().next()?, prefix.into()))
    }

    fn networks(&mut self, term: &Term, networks: &[(String, Span)]) -> Option<Typed> {
        if term.kind != TermKind::Request(Part::Ip) {
            return self.wrong(Problem::new(term.span, "only `request.ip` is matched with `cidr`"));
        }
        let read: Vec<_> = networks
            .iter()
            .map(|(text, span)| match network::read(text) {
                Some(network) => Some(network),
                None => self.wrong(
                    Problem::new(*span, format!("`{text}` is not a network"))
                        .help("an address without bits below its length: `10.0.0.0/8`, `fd00::/8`"),
                ),
            })
            .collect();
        read.into_iter().collect::<Option<_>>().map(Typed::InNetworks)
    }

    fn in_lookup(&mut self, term: &Term, name: &str, span: Span) -> Option<Typed> {
        let Some(lookups) = self.scope.lookups else {
            let problem = Problem::new(span, "there are no lookups here");
            return self.wrong(problem.help("a lookup is asked of a row, in `rows` of a rule"));
        };
        let lookup = match lookups(name) {
            LookupFound::Known(lookup) => Some(lookup),
            LookupFound::Unknown => None,
            LookupFound::Unusable(why) => return self.wrong(Problem::new(span, why)),
            LookupFound::Missing(others) => {
                let problem = Problem::new(span, format!("unknown lookup `{name}`"));
                let problem = problem.help("declare it under `lookups:`");
                return self.wrong(problem.suggest(name, others.iter().map(|name| &**name)));
            }
        };
        if !matches!(term.kind, TermKind::Field(_)) {
            let problem = Problem::new(term.span, "only a field is looked up");
            return self
                .wrong(problem.help("a value of the caller is compared in the `where` of the lookup"));
        }
        match (self.type_of(term)?, lookup) {
            (Type::Field(ty), Some(lookup)) if !look_up(&ty, &lookup.take.ty) => {
                let message =
                    format!("a field of type {ty} is not looked up in one of type {}", lookup.take.ty);
                self.wrong(Problem::new(term.span, message))
            }
            (Type::Field(ty), Some(lookup)) => {
                Some(Typed::InLookup(Field { name: term.name().into(), ty }, lookup))
            }
            _ => Some(Typed::Truth(unknown(term))),
        }
    }

    fn no_fields(&mut self, items: &[Term]) -> Option<()> {
        match items.iter().find(|item| matches!(item.kind, TermKind::Field(_))) {
            Some(field) => {
                self.wrong(Problem::new(field.span, "a list holds values and attributes, no fields"))
            }
            None => Some(()),
        }
    }

    fn element(&mut self, set: &Term, element: ValueType, common: &Common) -> Option<List> {
        let ty = match self.attribute_fits(element, common) {
            Ok(ty) => ty,
            Err(help) => return self.mismatch(set, &element.to_string(), common, help),
        };
        Some(List::Caller(set.name().into(), ty))
    }

    fn operands(&mut self, terms: &[&Term]) -> Option<(Common, Vec<Operand>)> {
        let typed: Vec<_> = terms.iter().map(|term| Some((*term, self.type_of(term)?))).collect();
        let typed: Vec<_> = typed.into_iter().collect::<Option<_>>()?;
        let common = self.common(&typed)?;
        let operands: Vec<_> = terms.iter().map(|term| self.operand(term, &common)).collect();
        self.check_one_of(terms);
        Some((common, operands.into_iter().collect::<Option<_>>()?))
    }

    /// The type that all of them take: the first field's, else the widest value's, else what the literals look like.
    fn common(&mut self, typed: &[(&Term, Type)]) -> Option<Common> {
        if typed.iter().any(|(_, ty)| *ty == Type::Unknown) {
            return Some(Common::Unknown);
        }
        for (term, ty) in typed {
            let Type::Field(field) = ty else { continue };
            if value::value_type(field).is_none() {
                let problem = Problem::new(term.span, format!("a field of type {field} is not compared"));
                return self.wrong(problem.help("`is null` fits every field, `has any` an array"));
            }
            return Some(Common::Field(field.clone()));
        }
        let mut values = typed.iter().filter_map(|(_, ty)| match ty {
            Type::Value(ty) => Some(*ty),
            Type::Field(_) | Type::Literal | Type::Unknown => None,
        });
        if let Some(first) = values.next() {
            let wide = values.any(|ty| ty == ValueType::Numeric) && first == ValueType::Int;
            return Some(Common::Value(if wide { ValueType::Numeric } else { first }));
        }
        let mut looks = typed.iter().map(|(term, _)| match term.kind {
            TermKind::Number(_) => ValueType::Numeric,
            TermKind::Bool(_) => ValueType::Bool,
            TermKind::Field(_)
            | TermKind::Caller(_)
            | TermKind::Request(_)
            | TermKind::Text(_)
            | TermKind::Null => ValueType::Text,
        });
        Some(Common::Value(looks.next_back().unwrap_or(ValueType::Text)))
    }

    /// What a term is; a problem is told here, once.
    fn type_of(&mut self, term: &Term) -> Option<Type> {
        match &term.kind {
            TermKind::Field(name) => self.field(name, term.span),
            TermKind::Caller(name) => {
                let slot = self.slot(name, term.span)?;
                if slot.set {
                    let problem = Problem::new(term.span, format!("`caller.{name}` is a set"));
                    return self.wrong(problem.help(format!("ask for membership: `… in caller.{name}`")));
                }
                Some(Type::Value(slot.ty))
            }
            TermKind::Request(Part::Time) => Some(Type::Value(ValueType::Timestamp)),
            TermKind::Request(Part::Day) => Some(Type::Value(ValueType::Date)),
            TermKind::Request(Part::Hour) => Some(Type::Value(ValueType::Int)),
            TermKind::Request(Part::Ip) => self.wrong(
                Problem::new(term.span, "an address is only matched with `cidr`")
                    .help("write `request.ip in cidr('10.0.0.0/8')`"),
            ),
            TermKind::Null => self.wrong(
                Problem::new(term.span, "a comparison with `null` is never true").help("write `is null`"),
            ),
            TermKind::Text(_) | TermKind::Number(_) | TermKind::Bool(_) => Some(Type::Literal),
        }
    }

    fn field(&mut self, name: &str, span: Span) -> Option<Type> {
        let Some(lookup) = self.scope.fields else {
            let problem = Problem::new(span, format!("`{name}`: there are no fields here"));
            let known = self.scope.schema.get(name).is_some();
            let help = format!("write `caller.{name}`");
            return self.wrong(if known {
                problem.help(help)
            } else {
                problem.help("a text is quoted: `'…'`")
            });
        };
        match lookup(name) {
            FieldLookup::Known(ty) => Some(Type::Field(ty)),
            FieldLookup::Unknown => Some(Type::Unknown),
            FieldLookup::Missing(others) => {
                let problem = Problem::new(span, format!("unknown field `{name}`"));
                self.wrong(problem.suggest(name, others.iter().map(|name| &**name)))
            }
        }
    }

    fn slot(&mut self, name: &str, span: Span) -> Option<Slot> {
        if let Some(slot) = self.scope.schema.get(name) {
            return Some(slot);
        }
        let problem = Problem::new(span, format!("unknown attribute `caller.{name}`"))
            .help("declare it under `caller:`")
            .suggest(name, self.scope.schema.names());
        self.wrong(problem)
    }

    fn set_of(&mut self, term: &Term) -> Option<ValueType> {
        let name = term.name();
        let slot = self.slot(name, term.span)?;
        if !slot.set {
            let problem = Problem::new(term.span, format!("`caller.{name}` is one value, not a set"));
            return self.wrong(problem.help(format!("write `= caller.{name}`, or `in (caller.{name})`")));
        }
        Some(slot.ty)
    }

    /// The term as an operand of this type.
    fn operand(&mut self, term: &Term, common: &Common) -> Option<Operand> {
        let ty = self.type_of(term)?;
        match (ty, &term.kind) {
            (Type::Unknown, _) => Some(unknown(term)),
            (Type::Field(ty), _) => {
                let fits = match common {
                    Common::Field(common) => *common == ty,
                    Common::Value(_) => false,
                    Common::Unknown => true,
                };
                if !fits {
                    return self.mismatch(term, &ty.to_string(), common, None);
                }
                Some(Operand::Field(Field { name: term.name().into(), ty }))
            }
            (Type::Value(ty), kind) => match self.attribute_fits(ty, common) {
                Err(help) => self.mismatch(term, &ty.to_string(), common, help),
                Ok(wide) => Some(match kind {
                    TermKind::Request(part) => Operand::Request(*part),
                    TermKind::Caller(_)
                    | TermKind::Field(_)
                    | TermKind::Text(_)
                    | TermKind::Number(_)
                    | TermKind::Bool(_)
                    | TermKind::Null => Operand::Caller(term.name().into(), wide),
                }),
            },
            (Type::Literal, _) => self.literal(term, common),
        }
    }

    /// The type that a caller's value takes in a comparison, or why it does not fit.
    fn attribute_fits(&self, ty: ValueType, common: &Common) -> Result<ValueType, Option<&'static str>> {
        match common {
            Common::Unknown => Ok(ty),
            Common::Value(common) if *common == ty => Ok(ty),
            Common::Value(ValueType::Numeric) if ty == ValueType::Int => Ok(ValueType::Numeric),
            Common::Value(_) => Err(None),
            Common::Field(FieldType::Float) if ty == ValueType::Numeric => {
                Err(Some("a float field is compared with literals and whole numbers: they are known to fit"))
            }
            Common::Field(field) => match value::value_type(field) {
                Some(wanted) if wanted == ty => Ok(ty),
                Some(ValueType::Numeric) if ty == ValueType::Int => Ok(ValueType::Numeric),
                _ => Err(None),
            },
        }
    }

    fn literal(&mut self, term: &Term, common: &Common) -> Option<Operand> {
        let (text, written) = match &term.kind {
            TermKind::Text(text) => (text.as_str(), "a text"),
            TermKind::Number(text) => (text.as_str(), "a number"),
            TermKind::Bool(true) => ("true", "a truth value"),
            TermKind::Bool(false) => ("false", "a truth value"),
            TermKind::Field(_) | TermKind::Caller(_) | TermKind::Request(_) | TermKind::Null => return None,
        };
        let ty = match common {
            Common::Unknown => return Some(Operand::Value(Value::Bool(true))),
            Common::Field(field) => value::value_type(field)?,
            Common::Value(ty) => *ty,
        };
        let right = match ty {
            ValueType::Text | ValueType::Date | ValueType::Timestamp | ValueType::Uuid => "a text",
            ValueType::Int | ValueType::Numeric => "a number",
            ValueType::Bool => "a truth value",
        };
        if written != right {
            return self.mismatch(term, written, common, None);
        }
        let read = match common {
            Common::Field(field) => value::read_for(text, field),
            Common::Value(_) | Common::Unknown => value::read(text, ty),
        };
        match read {
            Ok(value) => Some(Operand::Value(value)),
            Err(message) => self.wrong(Problem::new(term.span, message)),
        }
    }

    /// A literal beside an attribute with `one_of` is one of them.
    fn check_one_of(&mut self, terms: &[&Term]) {
        for term in terms {
            let TermKind::Caller(name) = &term.kind else { continue };
            let Some(declared) = self.scope.schema.one_of(name) else { continue };
            for other in terms {
                let TermKind::Text(text) = &other.kind else { continue };
                if !declared.iter().any(|value| **value == **text) {
                    let problem = Problem::new(other.span, format!("`caller.{name}` is never `{text}`"))
                        .help(format!("it is one of: {}", declared.join(", ")))
                        .suggest(text, declared.iter().map(|value| &**value));
                    self.problems.push(problem);
                }
            }
        }
    }

    fn mismatch<T>(&mut self, term: &Term, found: &str, common: &Common, help: Option<&str>) -> Option<T> {
        let message = format!("{found} does not fit type {}", common.name());
        let problem = Problem::new(term.span, message);
        self.wrong(match help {
            Some(help) => problem.help(help),
            None => problem,
        })
    }
}

fn unknown(term: &Term) -> Operand {
    Operand::Field(Field { name: term.name().into(), ty: FieldType::Other("unknown".into()) })
}

/// Whether values of both types compare without a cast that can fail.
fn look_up(field: &FieldType, take: &FieldType) -> bool {
    use FieldType::{Float, Int, Numeric};
    let compares = |ty| value::value_type(ty).is_some();
    let numbers = matches!((field, take), (Int, Numeric | Float) | (Numeric | Float, Int));
    compares(field) && compares(take) && (field == take || numbers)
}
