//! A random policy: its structure for the model, its text for the gateway.

use std::fmt::Write as _;

use super::condition::{self, Condition};
use super::dice::Dice;
use super::kind::{Class, Kind};
use super::mask::Mask;
use super::people;
use super::world::{Column, Table, quote};

#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The class of each field of each table; none is not listed.
    pub(crate) classes: Vec<Vec<Option<&'static str>>>,
    pub(crate) masks: Vec<(&'static str, Mask)>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) kind: RuleKind,
    name: String,
    pub(crate) to: Condition,
    /// The tables that it covers, by place.
    pub(crate) data: Vec<usize>,
    /// How they are written where that is by a star.
    pattern: Option<&'static str>,
    pub(crate) rows: Option<Condition>,
    pub(crate) show: Vec<(Key, Mask)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleKind {
    Allow,
    Restrict,
    Deny,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Class(&'static str),
    Field(String),
}

const TEXT_CLASSES: [&str; 4] = ["pii", "pii.email", "pii.name", "pii.name.first"];
const OTHER_CLASSES: [&str; 3] = ["secret", "secret.deep", "internal"];

impl Rules {
    pub(crate) fn random(dice: &mut Dice, tables: &[Table]) -> Self {
        let class = |dice: &mut Dice, at: usize, column: &Column| match dice.below(20) {
            0 => None,
            1 => Some(dice.word(&TEXT_CLASSES)),
            _ if at == 0 => Some(dice.word(&["key", "key", "key", "secret"])),
            2..=8 => Some("open"),
            _ if column.kind.class() == Class::Text => Some(dice.word(&TEXT_CLASSES)),
            _ => Some(dice.word(&OTHER_CLASSES)),
        };
        let classes: Vec<Vec<_>> = tables
            .iter()
            .map(|table| {
                table.columns.iter().enumerate().map(|(at, column)| class(dice, at, column)).collect()
            })
            .collect();
        let mut rules = Self { classes, masks: masks(dice), rules: Vec::new() };
        for at in 0..tables.len() {
            for _ in 0..dice.between(1, 3) {
                rules.add(dice, tables, RuleKind::Allow, vec![at], None);
            }
            if dice.chance(40) {
                rules.add(dice, tables, RuleKind::Restrict, vec![at], None);
            }
        }
        let all: Vec<usize> = (0..tables.len()).collect();
        let in_shop: Vec<usize> = all.iter().copied().filter(|at| tables[*at].schema == "shop").collect();
        if dice.chance(50) {
            let (kind, data, pattern) = match dice.below(4) {
                0 => (RuleKind::Allow, all, Some("\"*\"")),
                1 => (RuleKind::Restrict, in_shop, Some("pg://crm/shop.*")),
                2 => (RuleKind::Restrict, all[..2].to_vec(), None),
                _ => (RuleKind::Allow, in_shop, Some("pg://*/shop.t*")),
            };
            rules.add(dice, tables, kind, data, pattern);
        }
        if dice.chance(15) {
            let at = dice.below(tables.len());
            rules.add(dice, tables, RuleKind::Deny, vec![at], None);
        }
        rules
    }

    fn add(
        &mut self,
        dice: &mut Dice,
        tables: &[Table],
        kind: RuleKind,
        data: Vec<usize>,
        pattern: Option<&'static str>,
    ) {
        let listed = |at: usize| tables[at].columns.iter().zip(&self.classes[at]);
        let named =
            |name: &str, at: usize| listed(at).any(|(column, class)| column.name == name && class.is_some());
        // What the text alone shows to be wrong does not load: fields of the first table that all others list too.
        let everywhere = |column: &Column| {
            data.iter().all(|at| {
                named(&column.name, *at)
                    && tables[*at]
                        .column(&column.name)
                        .is_some_and(|(_, other)| condition::decided(column, other))
            })
        };
        let columns: Vec<&Column> = listed(data[0])
            .filter(|(column, class)| class.is_some() && everywhere(column))
            .map(|(column, _)| column)
            .collect();
        let rows_chance = if kind == RuleKind::Restrict { 50 } else { 65 };
        let to = match kind {
            RuleKind::Allow if dice.chance(60) => Condition::Anyone,
            RuleKind::Deny => condition::of_some_callers(dice),
            RuleKind::Allow | RuleKind::Restrict => condition::of_caller(dice),
        };
        let rows = (kind != RuleKind::Deny && !columns.is_empty() && dice.chance(rows_chance))
            .then(|| condition::of_row(dice, &columns, data.len() == 1, 2));
        let mut show = if kind == RuleKind::Deny { Vec::new() } else { self.show(dice, &columns, kind) };
        if kind == RuleKind::Restrict && rows.is_none() && show.is_empty() {
            // A restrict that narrows nothing does not load.
            show.push((Key::Class("open"), Mask::Clear));
        }
        let name = format!("rule-{}", self.rules.len());
        self.rules.push(Rule { kind, name, to, data, pattern, rows, show });
    }

    fn show(&self, dice: &mut Dice, columns: &[&Column], kind: RuleKind) -> Vec<(Key, Mask)> {
        let mut show: Vec<(Key, Mask)> = Vec::new();
        let count = if kind == RuleKind::Allow { dice.below(4) } else { dice.below(3) };
        for _ in 0..count {
            let (key, mask) = match dice.below(4) {
                0 if !columns.is_empty() => {
                    let column = *dice.pick(columns);
                    (Key::Field(column.name.clone()), mask_for(dice, column.kind))
                }
                1 => {
                    let class = dice.word(&OTHER_CLASSES);
                    (Key::Class(class), (*dice.pick(&[Mask::Clear, Mask::Nullify, Mask::Hide])).clone())
                }
                2 if kind == RuleKind::Restrict => {
                    let class = dice.word(&["open", "open", "key"]);
                    (Key::Class(class), (*dice.pick(&[Mask::Clear, Mask::Nullify])).clone())
                }
                _ => (Key::Class(dice.word(&TEXT_CLASSES)), text_mask(dice)),
            };
            if self.knows(&key) && !show.iter().any(|(other, _)| *other == key) {
                show.push((key, mask));
            }
        }
        show
    }

    /// A class that no field and no line of `masks` has does not load.
    fn knows(&self, key: &Key) -> bool {
        let Key::Class(class) = key else { return true };
        let below = |other: &str| other == *class || other.starts_with(&format!("{class}."));
        let used = self.classes.iter().flatten().flatten().any(|other| below(other));
        used || matches!(*class, "open" | "key") || self.masks.iter().any(|(other, _)| below(other))
    }

    /// The policy's text.
    pub(crate) fn text(&self, tables: &[Table]) -> String {
        let mut text = format!("veilgate: 1\n{}data:\n", people::DECLARED);
        for (table, classes) in tables.iter().zip(&self.classes) {
            writeln!(text, "  pg://crm/{}:", table.path()).unwrap();
            for (column, class) in table.columns.iter().zip(classes) {
                if let Some(class) = class {
                    writeln!(text, "    {}: {class}", scalar(&quote(&column.name))).unwrap();
                }
            }
            if classes.iter().all(Option::is_none) {
                writeln!(text, "    \"*\": internal").unwrap();
            }
        }
        text.push_str("masks:\n");
        for (class, mask) in &self.masks {
            writeln!(text, "  {class}: {}", mask.written()).unwrap();
        }
        text.push_str("rules:\n");
        for rule in &self.rules {
            rule.write(&mut text, tables);
        }
        text
    }
}

/// Every class has a line, or one of its ancestors has.
fn masks(dice: &mut Dice) -> Vec<(&'static str, Mask)> {
    let other = [Mask::Clear, Mask::Nullify, Mask::Nullify, Mask::Hide];
    let mut masks = vec![
        ("pii", text_mask(dice)),
        ("secret", dice.pick(&other).clone()),
        ("internal", (*dice.pick(&[Mask::Hide, Mask::Nullify])).clone()),
    ];
    for class in ["pii.email", "pii.name", "pii.name.first"] {
        if dice.chance(50) {
            masks.push((class, text_mask(dice)));
        }
    }
    if dice.chance(30) {
        masks.push(("secret.deep", dice.pick(&other).clone()));
    }
    masks
}

fn text_mask(dice: &mut Dice) -> Mask {
    match dice.below(10) {
        0 => Mask::Clear,
        1 => Mask::Shape,
        2 => Mask::Partial { first: dice.below(3), last: dice.below(3), fill: *dice.pick(&['*', '#', 'é']) },
        3 => Mask::Partial { first: dice.between(1, 2), last: 0, fill: '*' },
        4 => Mask::Partial { first: 0, last: dice.between(1, 4), fill: '*' },
        5 => Mask::Email { domain_only: dice.chance(50) },
        6 => Mask::Constant(dice.word(&["x", "no", "n/a", "redacted"]).to_owned()),
        7 => Mask::Nullify,
        8 => Mask::Hide,
        _ => Mask::Email { domain_only: false },
    }
}

fn mask_for(dice: &mut Dice, kind: Kind) -> Mask {
    match kind.class() {
        Class::Text => text_mask(dice),
        Class::Int | Class::Numeric | Class::Float if dice.chance(40) => {
            Mask::Constant(dice.word(&["0", "7", "100"]).to_owned())
        }
        _ => (*dice.pick(&[Mask::Clear, Mask::Nullify, Mask::Hide])).clone(),
    }
}

impl Rule {
    fn write(&self, text: &mut String, tables: &[Table]) {
        let kind = match self.kind {
            RuleKind::Allow => "allow",
            RuleKind::Restrict => "restrict",
            RuleKind::Deny => "deny",
        };
        writeln!(text, "  - {kind}: {}", self.name).unwrap();
        writeln!(text, "    to: {}", scalar(&self.to.to_string())).unwrap();
        let names: Vec<String> =
            self.data.iter().map(|at| format!("pg://crm/{}", tables[*at].path())).collect();
        let names = format!("[{}]", names.join(", "));
        writeln!(text, "    data: {}", self.pattern.unwrap_or(&names)).unwrap();
        if self.kind == RuleKind::Allow {
            writeln!(text, "    do: read").unwrap();
        }
        if let Some(rows) = &self.rows {
            writeln!(text, "    rows: {}", scalar(&rows.to_string())).unwrap();
        }
        if !self.show.is_empty() {
            let line = |(key, mask): &(Key, Mask)| match key {
                Key::Class(class) => format!("{class}: {}", mask.written()),
                Key::Field(name) => format!("{}: {}", scalar(&format!(".{}", quote(name))), mask.written()),
            };
            let lines: Vec<String> = self.show.iter().map(line).collect();
            writeln!(text, "    show: {{{}}}", lines.join(", ")).unwrap();
        }
    }
}

/// A double-quoted scalar of YAML.
fn scalar(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}
