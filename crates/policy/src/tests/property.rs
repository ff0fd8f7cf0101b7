//! What holds for every policy: one more allow never shows less, one more restrict or deny never more, and the guards
//! say what the meaning of the language says, row by row.

use std::collections::{BTreeMap, BTreeSet};

use access::{
    Attribute, Caller, Cell, Field, Guard, Identity, Lookup, Mask, Operand, Predicate, RelationName, Request,
    Touch, Value,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::world::catalog;
use crate::bind::{Bound, Cap, Relation};
use crate::expr::logic;
use crate::guards::Asked;
use crate::{Source, mask, value};

/// One row: a value, or NULL, for each field that conditions name.
type Row = BTreeMap<&'static str, Option<Value>>;

const HEAD: &str = "veilgate: 1
caller:
  region: {type: text, optional: true}
  level: {type: int, optional: true}
  roles: {type: [text], optional: true}
data:
  pg://crm/public.customers:
    {id: key, name: pii.name, region: open, email: pii.email, ssn: pii.ssn, salary: pii.pay, consent_training: open, notes: open,
     attrs: {as: open, json: {$.a.b: pii.name, $.a.c: open, $.d: pii.pay}}, tags: open}
masks: {pii.name: {first: 1}, pii.email: email, pii: nullify}
lookups:
  mine: {from: pg://crm/public.orders, where: \"status = caller.region\", take: customer_id}
  levels: {from: pg://crm/public.orders, where: \"caller.level > 1 or amount > 10\", take: customer_id, expect: 5000}
  none: {from: pg://crm/public.orders, where: \"status = 'none'\", take: customer_id}
  all: {from: pg://crm/public.orders, take: customer_id}
rules:
";
const CONDITIONS: [&str; 9] = [
    "anyone",
    "caller.region = 'EU'",
    "caller.region <> 'EU'",
    "not (caller.level > 1)",
    "'a' in caller.roles",
    "caller.roles has any ('a', 'b') or caller.region is null",
    "caller.level between 1 and 2 and 'b' not in caller.roles",
    "caller.region in ('EU', 'US')",
    "caller.level is not null",
];
const ROWS: [&str; 14] = [
    "region = caller.region",
    "not (region = caller.region)",
    "consent_training",
    "id > caller.level",
    "region in caller.roles or consent_training",
    "notes is null",
    "region is not null and not consent_training",
    "notes like 'a%' and (id in (1, caller.level) or caller.region = 'EU')",
    "region in ('EU', 'US', caller.region)",
    "id in lookup.mine",
    "id not in lookup.mine",
    "not (id in lookup.levels and consent_training)",
    "id in lookup.all or id not in lookup.none",
    "id in lookup.none or region is null",
];
/// Keys whose fields are texts, so that every mask fits, and keys that cover other types too.
const TEXT_KEYS: [&str; 6] = ["pii.ssn", "pii.name", "pii.email", ".ssn", ".notes", ".region"];
const WIDE_KEYS: [&str; 4] = ["pii", "open", "key", ".salary"];
const WIDE_MASKS: [&str; 3] = ["clear", "nullify", "hide"];
const MASKS: [&str; 10] = [
    "clear",
    "shape",
    "{last: 4}",
    "{last: 2}",
    "{first: 2}",
    "email",
    "{email: domain}",
    "{constant: x}",
    "nullify",
    "hide",
];
/// Masks of documents and of arrays, each for its own field.
const PATH_LINES: [(&str, &str); 12] = [
    (".attrs", "{json: {$.a: {last: 4}}}"),
    (".attrs", "{json: {$.a: {first: 2}, $.b: hide}}"),
    (".attrs", "{json: {$.a.b: hide, $.a.c: nullify}}"),
    (".attrs", "{json: {$.a.b: {last: 2}, $.b: shape}}"),
    (".attrs", "{json: {$.a: nullify}}"),
    (".attrs", "{json: {$.d: {bucket: {width: 10, low: 0, high: 90}}}}"),
    (".attrs", "{json: {$.d: {bucket: {width: 20, low: 0, high: 80}}, $.a.b: shape}}"),
    (".attrs", "nullify"),
    (".tags", "{array: {last: 4}}"),
    (".tags", "{array: {first: 2}}"),
    (".tags", "{array: {last: 2}}"),
    (".tags", "{array: nullify}"),
];
const FIELDS: [&str; 10] =
    ["id", "name", "region", "email", "ssn", "salary", "consent_training", "notes", "attrs", "tags"];

fn rule(kind: &'static str) -> impl Strategy<Value = String> {
    // A cap that does not fit becomes `nullify`; an allow that does not fit would grant nothing.
    let wide = if kind == "allow" { select(&WIDE_MASKS[..]) } else { select(&MASKS[..]) };
    let line = prop_oneof![
        2 => (select(&TEXT_KEYS[..]), select(&MASKS[..])),
        1 => (select(&WIDE_KEYS[..]), wide),
        2 => select(&PATH_LINES[..]),
    ];
    let show =
        proptest::collection::vec(line, 0..4).prop_map(|lines| lines.into_iter().collect::<BTreeMap<_, _>>());
    let anyone = if kind == "deny" { 0 } else { 2 };
    let to = prop_oneof![anyone => Just("anyone"), 3 => select(&CONDITIONS[..])];
    (to, proptest::option::weighted(0.7, select(&ROWS[..])), show).prop_map(move |(to, rows, show)| {
        if kind == "deny" {
            return format!("to: \"{to}\", data: \"*\"");
        }
        let action = if kind == "allow" { ", do: read" } else { "" };
        let rows = rows.map(|rows| format!(", rows: \"{rows}\"")).unwrap_or_default();
        let lines: Vec<String> = show.iter().map(|(key, mask)| format!("\"{key}\": {mask}")).collect();
        // A restrict narrows something.
        let lines = if lines.is_empty() { vec!["\"pii.pay\": clear".to_owned()] } else { lines };
        format!("to: \"{to}\", data: \"*\"{action}{rows}, show: {{{}}}", lines.join(", "))
    })
}

fn rules() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let any = prop_oneof![
        12 => rule("allow").prop_map(|rule| ("allow", rule)),
        5 => rule("restrict").prop_map(|rule| ("restrict", rule)),
        1 => rule("deny").prop_map(|rule| ("deny", rule)),
    ];
    proptest::collection::vec(any, 1..6)
}

fn caller() -> impl Strategy<Value = BTreeMap<String, Vec<String>>> {
    let region = proptest::option::of(select(&["EU", "US", "CH"]));
    let level = proptest::option::of(select(&["0", "1", "2"]));
    let roles = proptest::option::of(proptest::sample::subsequence(vec!["a", "b", "EU"], 0..=3));
    (region, level, roles).prop_map(|(region, level, roles)| {
        let one = |text: &str| vec![text.to_owned()];
        let texts = |roles: Vec<&str>| roles.into_iter().map(str::to_owned).collect();
        let parts = [("region", region.map(one)), ("level", level.map(one)), ("roles", roles.map(texts))];
        parts.into_iter().filter_map(|(name, texts)| Some((name.to_owned(), texts?))).collect()
    })
}

/// Every combination of the values that conditions tell apart.
fn all_rows() -> Vec<Row> {
    let text = |text: &str| Some(Value::Text(text.into()));
    let mut rows = Vec::new();
    for id in [Some(Value::Int(0)), Some(Value::Int(1)), Some(Value::Int(2))] {
        for region in [text("EU"), text("US"), text("a"), None] {
            for consent in [Some(Value::Bool(true)), Some(Value::Bool(false)), None] {
                for notes in [text("abc"), text("x"), None] {
                    let (id, region, consent) = (id.clone(), region.clone(), consent.clone());
                    let row =
                        [("id", id), ("region", region), ("consent_training", consent), ("notes", notes)];
                    rows.push(row.into_iter().collect());
                }
            }
        }
    }
    rows
}

/// Three-valued truth of a predicate over a row, the slow and simple way.
fn truth(predicate: &Predicate, row: &Row) -> Option<bool> {
    let of = |field: &Field| row.get(&*field.name).cloned().flatten();
    match predicate {
        Predicate::Known(truth) => *truth,
        Predicate::Field(field) => of(field).map(|value| value == Value::Bool(true)),
        Predicate::Compare(comparison, left, right) => {
            let side = |side: &Operand| match side {
                Operand::Field(field) => of(field),
                Operand::Value(value) => Some(value.clone()),
            };
            let order = value::compare(&side(left)?, &side(right)?)?;
            Some(match comparison {
                access::Comparison::Equal => order.is_eq(),
                access::Comparison::NotEqual => order.is_ne(),
                access::Comparison::Less => order.is_lt(),
                access::Comparison::LessOrEqual => order.is_le(),
                access::Comparison::Greater => order.is_gt(),
                access::Comparison::GreaterOrEqual => order.is_ge(),
            })
        }
        Predicate::In(field, values) => of(field).map(|value| values.contains(&value)),
        Predicate::IsNull(field) => Some(of(field).is_none()),
        Predicate::StartsWith(field, prefix) => {
            of(field).map(|value| value.to_string().starts_with(&**prefix))
        }
        Predicate::HasAny(..) => panic!("no array in these rows"),
        Predicate::InLookup(field, lookup) => {
            let taken = mapped(lookup);
            let value = of(field);
            if taken.is_empty() {
                return Some(false);
            }
            let found = taken.iter().flatten().any(|taken| Some(taken) == value.as_ref());
            match (value, found) {
                (None, _) => None,
                (Some(_), true) => Some(true),
                (Some(_), false) => {
                    if taken.contains(&None) {
                        None
                    } else {
                        Some(false)
                    }
                }
            }
        }
        Predicate::InCatalog(_) => panic!("no row of the catalogue in these"),
        Predicate::Not(inner) => truth(inner, row).map(|truth| !truth),
        Predicate::And(parts) => {
            let truths: Vec<_> = parts.iter().map(|part| truth(part, row)).collect();
            if truths.contains(&Some(false)) {
                return Some(false);
            }
            if truths.contains(&None) { None } else { Some(true) }
        }
        Predicate::Or(parts) => {
            let truths: Vec<_> = parts.iter().map(|part| truth(part, row)).collect();
            if truths.contains(&Some(true)) {
                return Some(true);
            }
            if truths.contains(&None) { None } else { Some(false) }
        }
    }
}

/// The values that a lookup takes of `orders`, which always has these rows.
fn mapped(lookup: &Lookup) -> Vec<Option<Value>> {
    let text = |text: &str| Some(Value::Text(text.into()));
    let amount = |text: &str| Some(Value::Numeric(text.into()));
    let orders: [(_, _, Option<Value>); 4] = [
        (Some(Value::Int(0)), text("EU"), amount("5")),
        (Some(Value::Int(1)), text("US"), amount("20")),
        (None, text("CH"), amount("20")),
        (Some(Value::Int(2)), None, None),
    ];
    let row = |(customer, status, amount)| -> Row {
        [("customer_id", customer), ("status", status), ("amount", amount)].into_iter().collect()
    };
    let rows = orders.into_iter().map(row);
    let meant = rows.filter(|row| lookup.rows.as_ref().is_none_or(|rows| truth(rows, row) == Some(true)));
    meant.map(|row| row["customer_id"].clone()).collect()
}

/// What a caller sees: for each visible row the mask of each field that exists.
#[derive(Debug, PartialEq)]
struct Visible {
    fields: BTreeSet<String>,
    rows: BTreeMap<usize, BTreeMap<String, Mask>>,
}

impl Visible {
    fn of(guard: &Guard) -> Self {
        let fields = guard.columns.iter().map(|column| column.name.to_string()).collect();
        let cell = |cell: &Cell, row: &Row| {
            let branch = cell.branches.iter().find(|branch| truth(&branch.when, row) == Some(true));
            branch.map_or(&cell.otherwise, |branch| &branch.mask).clone()
        };
        let mut rows = BTreeMap::new();
        for (at, row) in all_rows().iter().enumerate() {
            if guard.rows.as_ref().is_none_or(|rows| truth(rows, row) == Some(true)) {
                let cells =
                    guard.columns.iter().map(|column| (column.name.to_string(), cell(&column.cell, row)));
                rows.insert(at, cells.collect());
            }
        }
        Self { fields, rows }
    }

    /// Whether the other one shows at least as much, everywhere.
    fn is_within(&self, more: &Self) -> bool {
        self.fields.is_subset(&more.fields)
            && self.rows.iter().all(|(row, cells)| {
                let Some(other) = more.rows.get(row) else { return false };
                cells.iter().all(|(field, shown)| {
                    other.get(field).is_some_and(|more| mask::order(more, shown).is_le())
                })
            })
    }
}

struct World {
    bound: Bound,
    caller: Caller,
}

const REQUEST: Request =
    Request { time_us: 0, ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)) };

impl World {
    fn new(rules: &[(&str, String)], attributes: &BTreeMap<String, Vec<String>>) -> Self {
        let mut text = HEAD.to_owned();
        for (at, (kind, rule)) in rules.iter().enumerate() {
            text.push_str(&format!("  - {{{kind}: r{at}, {rule}}}\n"));
        }
        let source = Source { path: "policy.yaml".into(), text };
        let policy = crate::parse(std::slice::from_ref(&source)).unwrap_or_else(|errors| {
            panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let (bound, _) = policy.bind(&[catalog()]);
        let identity = Identity { id: "anna".into(), attributes: attributes.clone(), purposes: Vec::new() };
        let caller = policy.caller(&identity, None).unwrap();
        Self { bound, caller }
    }

    fn relation(&self) -> &Relation {
        let name = RelationName::new("public", "customers");
        self.bound.stores.get("crm").and_then(|relations| relations.get(&name)).expect("it is not closed")
    }

    fn visible(&self) -> Option<Visible> {
        let touch = Touch::new(RelationName::new("public", "customers"), access::Action::Read);
        let guards = self.bound.guards("crm", &self.caller, &REQUEST, &[touch]).ok()?;
        Some(Visible::of(guards.relations.first()?))
    }

    /// The same by the meaning of the language alone, rule by rule and row by row.
    fn model(&self) -> Option<Visible> {
        let relation = self.relation();
        let asked = Asked { caller: &self.caller, request: &REQUEST };
        if relation.denies.iter().any(|deny| asked.truth(&deny.to) != Some(false)) {
            return None;
        }
        let allows: Vec<_> =
            relation.allows.iter().filter(|allow| asked.truth(&allow.applies.to) == Some(true)).collect();
        let restricts: Vec<_> = relation
            .restricts
            .iter()
            .filter(|restrict| asked.truth(&restrict.applies.to) != Some(false))
            .collect();
        if allows.is_empty() {
            return None;
        }
        let caps = |field: usize| -> Option<Vec<&Mask>> {
            let caps = restricts.iter().map(|restrict| match &restrict.caps[field] {
                Cap::Hidden => None,
                Cap::AtMost(masks) => Some(masks.iter().collect::<Vec<_>>()),
            });
            caps.collect::<Option<Vec<_>>>().map(|caps| caps.concat())
        };
        let exists =
            |at: &usize| caps(*at).is_some() && allows.iter().any(|allow| allow.shows[*at].is_some());
        let fields: Vec<usize> = (0..relation.fields.len()).filter(exists).collect();
        let mut rows = BTreeMap::new();
        for (number, row) in all_rows().iter().enumerate() {
            let admits = |rows: Option<&crate::expr::Typed>| truth(&asked.rows(rows), row) == Some(true);
            let admitting: Vec<_> = allows.iter().filter(|allow| admits(allow.rows.as_ref())).collect();
            if admitting.is_empty() || !restricts.iter().all(|restrict| admits(restrict.rows.as_ref())) {
                continue;
            }
            let cell = |field: &usize| {
                let caps = caps(*field).unwrap();
                let shown = admitting.iter().filter_map(|allow| allow.shows[*field].as_ref());
                let shown = shown.map(|shown| mask::capped(shown, &caps));
                let shown = shown.reduce(|one, other| mask::joined(&one, &other));
                (relation.fields[*field].to_string(), shown.unwrap_or(Mask::Nullify))
            };
            rows.insert(number, fields.iter().map(cell).collect());
        }
        let fields = fields.iter().map(|at| relation.fields[*at].to_string()).collect();
        Some(Visible { fields, rows })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_more_allow_never_shows_less(rules in rules(), more in rule("allow"), attributes in caller()) {
        let mut longer = rules.clone();
        longer.push(("allow", more));
        let (before, after) = (World::new(&rules, &attributes).visible(), World::new(&longer, &attributes).visible());
        if let Some(before) = before {
            prop_assert!(after.is_some_and(|after| before.is_within(&after)));
        }
    }

    #[test]
    fn one_more_restrict_or_deny_never_shows_more(
        rules in rules(),
        more in prop_oneof![rule("restrict").prop_map(|r| ("restrict", r)), rule("deny").prop_map(|r| ("deny", r))],
        attributes in caller(),
    ) {
        let mut longer = rules.clone();
        longer.push(more);
        let (before, after) = (World::new(&rules, &attributes).visible(), World::new(&longer, &attributes).visible());
        if let Some(after) = after {
            prop_assert!(before.is_some_and(|before| after.is_within(&before)));
        }
    }

    #[test]
    fn the_guards_say_what_the_language_means(rules in rules(), attributes in caller()) {
        let world = World::new(&rules, &attributes);
        prop_assert_eq!(world.visible(), world.model());
    }

    #[test]
    fn the_order_of_rules_never_matters(rules in rules(), attributes in caller(), by in any::<Index>()) {
        let before = World::new(&rules, &attributes).visible();
        let mut turned = rules.clone();
        turned.rotate_left(by.index(rules.len()));
        turned.reverse();
        prop_assert_eq!(before, World::new(&turned, &attributes).visible());
    }

    #[test]
    fn no_text_is_too_wild(
        words in proptest::collection::vec(
            prop_oneof![
                select(&["veilgate: 1\n", "caller", "data", "masks", "rules", "tests", ": ", "\n  ", "\n    - ", "{", "}", "[", "]"][..]),
                select(&["allow: a", "to: ", "anyone", "do: read", "'", "\"", "\\", "#", "&a ", "*a", "!!x ", "|\n", ">\n", "ä", "\r\n"][..]),
                select(&["pg://crm/public.a", "pii.x", "caller.", "in (", ")", "= ", "null", "%", ",", "? ", "---\n", "\t", "\u{feff}"][..]),
            ],
            0..40,
        ),
        wild in any::<String>(),
    ) {
        for text in [words.concat(), format!("veilgate: 1\nrules:\n  - allow: a\n    to: {}", words.concat()), wild] {
            if let Err(errors) = crate::parse(&[Source { path: "wild.yaml".into(), text }]) {
                prop_assert!(errors.iter().all(|error| error.to_string().contains("wild.yaml:")));
            }
        }
    }

    #[test]
    fn an_absent_attribute_is_null(expression in expression(), attributes in caller(), at in any::<Index>()) {
        // Folded first and asked of a row then, or asked with the attributes as further fields of the row.
        let rules = vec![("allow", format!("to: \"anyone\", data: \"*\", do: read, rows: \"{expression}\""))];
        let world = World::new(&rules, &attributes);
        let asked = Asked { caller: &world.caller, request: &REQUEST };
        let rows = all_rows();
        let row = &rows[at.index(rows.len())];
        let typed = world.relation().allows[0].rows.as_ref().unwrap();
        let folded = crate::expr::fold(typed, &world.caller, &REQUEST);
        prop_assert_eq!(truth(&folded, row), direct(&expression, row, &world.caller), "{}", expression);
        let admitted = truth(&logic::admits(folded.clone()), row) == Some(true);
        prop_assert_eq!(admitted, truth(&folded, row) == Some(true));
        prop_assert_eq!(&asked.rows(Some(typed)), &logic::admits(folded));
        prop_assert!(!holds_a_constant(&asked.rows(Some(typed)), true));
    }
}

/// Whether a constant is left anywhere but at the top.
fn holds_a_constant(predicate: &Predicate, top: bool) -> bool {
    match predicate {
        Predicate::Known(_) => !top,
        Predicate::Not(inner) => holds_a_constant(inner, false),
        Predicate::And(parts) | Predicate::Or(parts) => {
            parts.iter().any(|part| holds_a_constant(part, false))
        }
        Predicate::Field(_)
        | Predicate::Compare(..)
        | Predicate::In(..)
        | Predicate::IsNull(_)
        | Predicate::StartsWith(..)
        | Predicate::HasAny(..)
        | Predicate::InCatalog(_) => false,
        Predicate::InLookup(_, lookup) => {
            lookup.rows.as_ref().is_some_and(|rows| holds_a_constant(rows, false))
        }
    }
}

/// An expression as a tree of words, so that it can be asked directly.
#[derive(Debug, Clone)]
enum Words {
    Equal(&'static str, &'static str),
    In(&'static str, &'static [&'static str]),
    IsNull(&'static str),
    Truth(&'static str),
    Not(Box<Words>),
    And(Vec<Words>),
    Or(Vec<Words>),
}

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let joined = |parts: &[Words], word: &str| {
            parts.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::Equal(left, right) => write!(f, "{left} = {right}"),
            Self::In(left, items) => write!(f, "{left} in ({})", items.join(", ")),
            Self::IsNull(term) => write!(f, "{term} is null"),
            Self::Truth(term) => write!(f, "{term}"),
            Self::Not(inner) => write!(f, "not ({inner})"),
            Self::And(parts) => f.write_str(&joined(parts, " and ")),
            Self::Or(parts) => f.write_str(&joined(parts, " or ")),
        }
    }
}

fn expression() -> impl Strategy<Value = Words> {
    let terms = select(&["region", "caller.region", "notes", "'EU'", "caller.id"]);
    let leaf = prop_oneof![
        (terms.clone(), terms).prop_map(|(left, right)| Words::Equal(left, right)),
        (
            select(&["region", "caller.region", "'US'"]),
            select(&[
                &["'EU'", "caller.region"] as &'static [&'static str],
                &["caller.region"],
                &["'a'", "'US'"],
            ])
        )
            .prop_map(|(left, items)| Words::In(left, items)),
        select(&["region", "caller.region", "caller.level", "notes"]).prop_map(Words::IsNull),
        select(&["consent_training", "true", "false"]).prop_map(Words::Truth),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Words::Not(Box::new(inner))),
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Words::And),
            proptest::collection::vec(inner, 1..4).prop_map(Words::Or),
        ]
    })
}

/// The truth of an expression of a row and a caller, with nothing folded.
fn direct(words: &Words, row: &Row, caller: &Caller) -> Option<bool> {
    let term = |name: &str| match name.strip_prefix("caller.") {
        Some("id") => Some(Value::Text(caller.id.clone())),
        Some(name) => match caller.attributes.get(name) {
            Some(Attribute::One(value)) => Some(value.clone()),
            Some(Attribute::Set(_)) | None => None,
        },
        None => match name.trim_matches('\'') {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            text if name.starts_with('\'') => Some(Value::Text(text.into())),
            name => row.get(name).cloned().flatten(),
        },
    };
    let any = |truths: &[Option<bool>]| {
        if truths.contains(&Some(true)) {
            Some(true)
        } else if truths.contains(&None) {
            None
        } else {
            Some(false)
        }
    };
    match words {
        Words::Equal(left, right) => Some(term(left)? == term(right)?),
        Words::In(left, items) => {
            let left = term(left)?;
            any(&items.iter().map(|item| term(item).map(|item| item == left)).collect::<Vec<_>>())
        }
        Words::IsNull(name) => Some(term(name).is_none()),
        Words::Truth(name) => term(name).map(|value| value == Value::Bool(true)),
        Words::Not(inner) => direct(inner, row, caller).map(|truth| !truth),
        Words::Or(parts) => any(&parts.iter().map(|part| direct(part, row, caller)).collect::<Vec<_>>()),
        Words::And(parts) => {
            let negated: Vec<_> =
                parts.iter().map(|part| direct(part, row, caller).map(|truth| !truth)).collect();
            any(&negated).map(|truth| !truth)
        }
    }
}

#[test]
fn the_fields_of_these_policies_are_there() {
    let world =
        World::new(&[("allow", "to: \"anyone\", data: \"*\", do: read".to_owned())], &BTreeMap::new());
    assert_eq!(world.relation().fields.iter().map(|field| &**field).collect::<Vec<_>>(), FIELDS);
}
