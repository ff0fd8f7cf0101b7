//! Conditions of a policy: written as text for the gateway, evaluated here for the model, with SQL's three values.

use std::cmp::Ordering;
use std::fmt;

use super::dice::Dice;
use super::kind::{Class, truth};
use super::people::{ATTRIBUTES, Attribute, Person};
use super::world::{Cell, Column, Table, quote, text_constant};

#[derive(Debug, Clone)]
pub(crate) enum Condition {
    Anyone,
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Truth(Term),
    Compare(&'static str, Term, Term),
    Between(Term, Term, Term),
    In(Term, Vec<Term>),
    InSet(Term, &'static str),
    HasAny(Term, Vec<Term>),
    HasAnySet(Term, &'static str),
    IsNull(Term),
    Like(Term, String),
}

/// One side of a comparison, and what it is compared as.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    class: Class,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Field(String),
    Caller(&'static str),
    Literal(String),
}

/// A condition over the caller alone.
pub(crate) fn of_caller(dice: &mut Dice) -> Condition {
    match dice.below(10) {
        0..4 => Condition::Anyone,
        4 => Condition::Not(Box::new(caller_alone(dice))),
        5 => Condition::And(vec![caller_alone(dice), caller_alone(dice)]),
        6 => Condition::Or(vec![caller_alone(dice), caller_alone(dice)]),
        _ => caller_alone(dice),
    }
}

/// A condition that few callers meet.
pub(crate) fn of_some_callers(dice: &mut Dice) -> Condition {
    Condition::And(vec![caller_alone(dice), caller_alone(dice)])
}

fn caller_alone(dice: &mut Dice) -> Condition {
    let attribute = dice.pick(&ATTRIBUTES);
    let term = Term { class: attribute.class, what: What::Caller(attribute.name) };
    let literal =
        |dice: &mut Dice| Term { class: attribute.class, what: What::Literal(attribute.value(dice)) };
    if attribute.set {
        return Condition::InSet(literal(dice), attribute.name);
    }
    match dice.below(4) {
        0 => Condition::IsNull(term),
        1 => Condition::In(term, vec![literal(dice), literal(dice)]),
        _ if attribute.class == Class::Bool => Condition::Truth(term),
        _ if attribute.class.has_order() => {
            Condition::Compare(dice.word(&["<", ">=", "="]), term, literal(dice))
        }
        _ => Condition::Compare(dice.word(&["=", "<>"]), term, literal(dice)),
    }
}

/// A condition over a row of these columns. Over several tables, two fields of one name may be of two types, and so are
/// not compared with each other.
pub(crate) fn of_row(dice: &mut Dice, columns: &[&Column], one_table: bool, depth: usize) -> Condition {
    let several = |dice: &mut Dice| {
        (0..dice.between(2, 3)).map(|_| of_row(dice, columns, one_table, depth - 1)).collect()
    };
    match dice.below(8) {
        0 if depth > 0 => Condition::And(several(dice)),
        1 | 2 if depth > 0 => Condition::Or(several(dice)),
        3 if depth > 0 => Condition::Not(Box::new(of_row(dice, columns, one_table, depth - 1))),
        4 if depth > 0 => {
            Condition::Or(vec![of_row(dice, columns, one_table, depth - 1), caller_alone(dice)])
        }
        _ => of_field(dice, columns, one_table),
    }
}

fn of_field(dice: &mut Dice, columns: &[&Column], one_table: bool) -> Condition {
    let column = *dice.pick(columns);
    let class = column.kind.class();
    let field = Term { class, what: What::Field(column.name.clone()) };
    if dice.chance(12) {
        return Condition::IsNull(field);
    }
    match class {
        Class::Other => Condition::Not(Box::new(Condition::IsNull(field))),
        Class::Texts => array(dice, field),
        Class::Bool if dice.chance(60) => Condition::Truth(field),
        Class::Text if dice.chance(20) => {
            Condition::Like(field, dice.word(&["a", "E", "%", "ab", "1", "😀"]).replace('%', "a@"))
        }
        _ => comparison(dice, columns, column, one_table),
    }
}

fn array(dice: &mut Dice, field: Term) -> Condition {
    if dice.chance(40) {
        return Condition::HasAnySet(field, "roles");
    }
    let element = |dice: &mut Dice| match dice.below(4) {
        0 => Term { class: Class::Text, what: What::Caller("region") },
        _ => Term { class: Class::Text, what: What::Literal(dice.word(&["a", "b", "EU", "z"]).to_owned()) },
    };
    Condition::HasAny(field, (0..dice.between(1, 2)).map(|_| element(dice)).collect())
}

fn comparison(dice: &mut Dice, columns: &[&Column], column: &Column, one_table: bool) -> Condition {
    let class = column.kind.class();
    let field = Term { class, what: What::Field(column.name.clone()) };
    let set = ATTRIBUTES.iter().find(|attribute| attribute.set && fits(attribute.class, class));
    match dice.below(10) {
        0 | 1 => {
            let list = (0..dice.between(1, 3)).map(|_| value(dice, column)).collect();
            Condition::In(field, list)
        }
        2 | 3 if set.is_some() => Condition::InSet(field, set.unwrap().name),
        4 if class.has_order() => Condition::Between(field, value(dice, column), value(dice, column)),
        5 if one_table => {
            let others: Vec<_> = columns.iter().filter(|other| other.kind.class() == class).collect();
            let other = Term { class, what: What::Field(dice.pick(&others).name.clone()) };
            Condition::Compare(operator(dice, class), field, other)
        }
        6 => Condition::Compare(operator(dice, class), value(dice, column), field),
        _ => Condition::Compare(operator(dice, class), field, value(dice, column)),
    }
}

fn operator(dice: &mut Dice, class: Class) -> &'static str {
    if class.has_order() {
        dice.word(&["=", "<>", "<", "<=", ">", ">="])
    } else {
        dice.word(&["=", "=", "<>"])
    }
}

/// A literal for the column, or an attribute that fits.
fn value(dice: &mut Dice, column: &Column) -> Term {
    let class = column.kind.class();
    // A purpose is only compared with those that there are.
    let usable = |attribute: &&Attribute| !attribute.set && attribute.name != "purpose";
    let fitting: Vec<_> =
        ATTRIBUTES.iter().filter(usable).filter(|attribute| fits(attribute.class, class)).collect();
    if !fitting.is_empty() && dice.chance(45) {
        return Term { class, what: What::Caller(dice.pick(&fitting).name) };
    }
    Term { class, what: What::Literal(column.kind.literal(dice)) }
}

/// Whether an attribute of one class can be compared with a field of another.
fn fits(attribute: Class, field: Class) -> bool {
    match attribute {
        Class::Int => matches!(field, Class::Int | Class::Numeric | Class::Float),
        Class::Timestamp => matches!(field, Class::Timestamp | Class::TimestampTz),
        _ => attribute == field,
    }
}

/// Whether a condition that is meant for one column certainly fits another of its name, or certainly does not: a
/// literal takes its type from the field that it stands beside.
pub(crate) fn decided(meant: &Column, other: &Column) -> bool {
    let numeric = |class| matches!(class, Class::Int | Class::Numeric | Class::Float);
    let (meant, other) = (meant.kind.class(), other.kind.class());
    meant == other || (numeric(meant) && !numeric(other))
}

impl Condition {
    /// Whether it can be typed over a table: whether the table has every field that it names, as it expects it.
    pub(crate) fn fits(&self, table: &Table) -> bool {
        let class = |name: &str| table.column(name).map(|(_, column)| column.kind.class());
        let fits = |term: &Term| match &term.what {
            What::Field(name) => class(name) == Some(term.class),
            What::Caller(_) | What::Literal(_) => true,
        };
        match self {
            Self::Anyone => true,
            Self::And(parts) | Self::Or(parts) => parts.iter().all(|part| part.fits(table)),
            Self::Not(inner) => inner.fits(table),
            // NULL fits every type.
            Self::IsNull(_) => true,
            Self::Compare(_, left, right) => fits(left) && fits(right),
            Self::Between(term, low, high) => fits(term) && fits(low) && fits(high),
            Self::Truth(term)
            | Self::In(term, _)
            | Self::HasAny(term, _)
            | Self::InSet(term, _)
            | Self::HasAnySet(term, _)
            | Self::Like(term, _) => fits(term),
        }
    }

    /// What it says of a caller and, where it names fields, of a row; none is unknown.
    pub(crate) fn eval(&self, person: &Person, row: &dyn Fn(&str) -> Cell) -> Option<bool> {
        let value = |term: &Term| term.value(person, row);
        match self {
            Self::Anyone => Some(true),
            Self::And(parts) => all(parts.iter().map(|part| part.eval(person, row))),
            Self::Or(parts) => not(all(parts.iter().map(|part| not(part.eval(person, row))))),
            Self::Not(inner) => not(inner.eval(person, row)),
            Self::Truth(term) => value(term).map(|text| truth(&text)),
            Self::Compare(operator, left, right) => {
                Some(holds(operator, left.class.order(&value(left)?, &value(right)?)))
            }
            Self::Between(term, low, high) => {
                let compare = |operator, bound: &Term| {
                    Some(holds(operator, term.class.order(&value(term)?, &value(bound)?)))
                };
                all([compare(">=", low), compare("<=", high)].into_iter())
            }
            Self::In(term, list) => {
                let list: Vec<Cell> = list.iter().map(value).collect();
                member(term.class, value(term).as_deref(), &list)
            }
            Self::InSet(term, set) => {
                let list: Vec<Cell> = person.set(set)?.into_iter().map(Some).collect();
                member(term.class, value(term).as_deref(), &list)
            }
            Self::HasAny(term, list) => {
                let array = value(term)?;
                Some(list.iter().filter_map(value).any(|wanted| elements(&array).contains(&wanted)))
            }
            Self::HasAnySet(term, set) => {
                let (set, array) = (person.set(set)?, value(term)?);
                Some(set.iter().any(|wanted| elements(&array).contains(wanted)))
            }
            Self::IsNull(term) => Some(value(term).is_none()),
            Self::Like(term, prefix) => Some(value(term)?.starts_with(prefix.as_str())),
        }
    }
}

/// False where one is false, else unknown where one is unknown.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let parts: Vec<_> = parts.collect();
    if parts.contains(&Some(false)) {
        return Some(false);
    }
    if parts.contains(&None) { None } else { Some(true) }
}

fn not(part: Option<bool>) -> Option<bool> {
    part.map(|truth| !truth)
}

fn holds(operator: &str, order: Ordering) -> bool {
    match operator {
        "=" => order.is_eq(),
        "<>" => order.is_ne(),
        "<" => order.is_lt(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        _ => order.is_ge(),
    }
}

/// `in`: false in nothing, unknown where a NULL leaves it open.
fn member(class: Class, value: Option<&str>, list: &[Cell]) -> Option<bool> {
    if list.is_empty() {
        return Some(false);
    }
    let value = value?;
    let equal = |item: &Cell| item.as_ref().is_some_and(|item| class.order(value, item).is_eq());
    if list.iter().any(equal) {
        return Some(true);
    }
    if list.contains(&None) { None } else { Some(false) }
}

/// The elements of a text array in its source text, NULLs left out.
fn elements(array: &str) -> Vec<String> {
    let flat = array.replace(['{', '}'], "");
    flat.split(',').filter(|part| !part.is_empty() && *part != "NULL").map(str::to_owned).collect()
}

impl Term {
    fn value(&self, person: &Person, row: &dyn Fn(&str) -> Cell) -> Cell {
        match &self.what {
            What::Field(name) => row(name),
            What::Caller(name) => person.one(name),
            What::Literal(text) => Some(text.clone()),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |parts: &[Condition], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| format!("({part})")).collect();
            parts.join(word)
        };
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::And(parts) => f.write_str(&joined(parts, " and ")),
            Self::Or(parts) => f.write_str(&joined(parts, " or ")),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::Truth(term) => write!(f, "{term}"),
            Self::Compare(operator, left, right) => write!(f, "{left} {operator} {right}"),
            Self::Between(term, low, high) => write!(f, "{term} between {low} and {high}"),
            Self::In(term, list) => write!(f, "{term} in ({})", listed(list)),
            Self::InSet(term, set) => write!(f, "{term} in caller.{set}"),
            Self::HasAny(term, list) => write!(f, "{term} has any ({})", listed(list)),
            Self::HasAnySet(term, set) => write!(f, "{term} has any caller.{set}"),
            Self::IsNull(term) => write!(f, "{term} is null"),
            Self::Like(term, prefix) => write!(f, "{term} like {}", text_constant(&format!("{prefix}%"))),
        }
    }
}

fn listed(terms: &[Term]) -> String {
    terms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Field(name) => f.write_str(&quote(name)),
            What::Caller(name) => write!(f, "caller.{name}"),
            What::Literal(text) => match self.class {
                Class::Int | Class::Numeric | Class::Float => f.write_str(text),
                Class::Bool => f.write_str(if truth(text) { "true" } else { "false" }),
                _ => f.write_str(&text_constant(text)),
            },
        }
    }
}
