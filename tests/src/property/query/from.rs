//! FROM: tables, partitions, subqueries, names of WITH, functions, and all joins between them.

use super::super::model::Shown;
use super::super::world::quote;
use super::types::Col;
use super::{Item, Level, Ty, Writer};

/// A FROM clause: its text, what it brings into sight, and what `*` is.
pub(super) struct From {
    pub(super) text: String,
    pub(super) level: Level,
    pub(super) star: Vec<Col>,
}

/// A join tree while it grows.
struct Tree {
    text: String,
    items: Vec<Item>,
    merged: Vec<String>,
    star: Vec<Col>,
}

impl Writer<'_> {
    /// The whole clause. The level of the query is on the stack meanwhile, so that LATERAL can look back.
    pub(super) fn from(&mut self, depth: usize) -> From {
        let trees = if self.dice.chance(20) { 2 } else { 1 };
        self.levels.push(Level::default());
        let (mut texts, mut star) = (Vec::new(), Vec::new());
        for _ in 0..trees {
            let before = self.level().clone();
            let tree = self.tree(depth);
            texts.push(tree.text);
            star.extend(tree.star);
            let level = self.level();
            *level = before;
            level.items.extend(tree.items);
            level.merged.extend(tree.merged);
        }
        let level = self.levels.pop().unwrap();
        From { text: texts.join(", "), level, star }
    }

    fn level(&mut self) -> &mut Level {
        self.levels.last_mut().unwrap()
    }

    fn tree(&mut self, depth: usize) -> Tree {
        let (text, item) = self.item(depth, true);
        let star = item.columns.clone();
        let mut tree = Tree { text, items: vec![item], merged: Vec::new(), star };
        let joins = match self.dice.below(10) {
            0..5 => 0,
            5..8 => 1,
            _ => 2,
        };
        for _ in 0..joins {
            if self.budget > 0 {
                self.join(&mut tree, depth);
            }
        }
        tree
    }

    fn join(&mut self, tree: &mut Tree, depth: usize) {
        let kind = self.dice.word(&["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN"]);
        let lateral = !matches!(kind, "RIGHT JOIN" | "FULL JOIN");
        let seen = self.level().clone();
        if lateral {
            self.level().items.extend(tree.items.iter().cloned());
        }
        let (text, item) = self.item(depth, lateral);
        *self.level() = seen;
        let common: Vec<String> = common(tree, &item);
        let natural_works = natural(tree, &item).is_some();
        let written = if kind == "CROSS JOIN" {
            format!("{} CROSS JOIN {text}", tree.text)
        } else if natural_works && self.dice.chance(15) {
            let names = natural(tree, &item).unwrap();
            let written = format!("{} NATURAL {kind} {text}", tree.text);
            merge(tree, &item, &names);
            tree.text = written;
            tree.items.push(item);
            return;
        } else if !common.is_empty() && self.dice.chance(30) {
            let names = vec![self.dice.pick(&common).clone()];
            let written = format!("{} {kind} {text} USING ({})", tree.text, names.join(", "));
            merge(tree, &item, &names);
            tree.text = written;
            tree.items.push(item);
            return;
        } else {
            let on = self.on(tree, &item, kind);
            format!("{} {kind} {text} ON {on}", tree.text)
        };
        tree.text = written;
        tree.star.extend(item.columns.iter().cloned());
        tree.items.push(item);
    }

    /// The condition of a join: mostly an equality, alone for FULL JOIN, which can do no other.
    fn on(&mut self, tree: &Tree, item: &Item, kind: &str) -> String {
        let equal = self.equality(&tree.items, item);
        if kind == "FULL JOIN" {
            return equal.unwrap_or_else(|| "true".to_owned());
        }
        let level = Level {
            items: tree.items.iter().chain([item]).cloned().collect(),
            merged: tree.merged.clone(),
            grouped: None,
        };
        let before = std::mem::replace(self.level(), level);
        let condition = match equal {
            Some(equal) if self.dice.chance(65) => equal,
            Some(equal) => {
                let more = self.at_risk(|writer| writer.truth(2));
                format!("{equal} AND {more}")
            }
            None => self.at_risk(|writer| writer.truth(2)),
        };
        *self.level() = before;
        condition
    }

    fn equality(&mut self, items: &[Item], item: &Item) -> Option<String> {
        let mut pairs = Vec::new();
        for left in items {
            for one in &left.columns {
                for other in item.columns.iter().filter(|other| other.ty == one.ty) {
                    let known = unique(left, one) && unique(item, other);
                    if known && !matches!(one.ty, Ty::Jsonb | Ty::Bool) {
                        pairs.push(format!("{}.{} = {}.{}", left.alias, one.name, item.alias, other.name));
                    }
                }
            }
        }
        if pairs.is_empty() { None } else { Some(self.dice.pick(&pairs).clone()) }
    }

    /// One thing in FROM, and how it is seen.
    fn item(&mut self, depth: usize, lateral: bool) -> (String, Item) {
        let rich = depth > 0 && self.budget > 0;
        match self.dice.below(20) {
            0..=3 if rich => self.derived(depth - 1, lateral),
            4 if rich && self.dice.chance(50) => self.values_item(),
            5 => self.function(lateral),
            6..=8 if !self.ctes.is_empty() => {
                let cte = self.dice.pick(&self.ctes).clone();
                self.named(cte.name, cte.columns)
            }
            _ if self.relations.is_empty() => self.function(false),
            _ => self.table(),
        }
    }

    fn table(&mut self) -> (String, Item) {
        let relation = self.dice.pick(self.relations).clone();
        let name = quote(&relation.name);
        let shadowed = self.ctes.iter().any(|cte| cte.name == name);
        let qualified = relation.schema != "shop" || shadowed || self.dice.chance(25);
        let path = format!("{}.{name}", relation.schema);
        let written = if qualified { path.clone() } else { name.clone() };
        let written = self.otherwise_written(written);
        let only = if !relation.spread && self.dice.chance(4) { "ONLY " } else { "" };
        let columns = columns(&relation);
        let taken = self.levels.iter().any(|level| level.items.iter().any(|item| item.alias == name));
        if taken || self.dice.chance(60) {
            let (text, mut item) = self.named(format!("{only}{written}"), columns);
            let renamed = text.ends_with(')');
            item.key = if renamed { Vec::new() } else { key(&relation) };
            return (text, item);
        }
        let key = key(&relation);
        (format!("{only}{written}"), Item { alias: name, path: Some(path), columns, key })
    }

    /// Names mean the same in other letters, in quotes, and with their letters escaped.
    fn otherwise_written(&mut self, written: String) -> String {
        let parts = written.split('.');
        match self.dice.below(20) {
            0 => written.to_uppercase(),
            1 => parts.map(|part| format!("\"{part}\"")).collect::<Vec<_>>().join("."),
            2 => parts.map(escaped).collect::<Vec<_>>().join("."),
            _ => written,
        }
    }

    /// A relation under a name of its own, sometimes with other names for its first columns.
    fn named(&mut self, relation: String, mut columns: Vec<Col>) -> (String, Item) {
        let alias = self.fresh("r");
        let renamed = if !columns.is_empty() && self.dice.chance(12) {
            let count = self.dice.between(1, columns.len());
            let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
            for (column, name) in columns.iter_mut().zip(&names) {
                column.name.clone_from(name);
            }
            format!(" ({})", names.join(", "))
        } else {
            String::new()
        };
        let word = if self.dice.chance(50) { "AS " } else { "" };
        let text = format!("{relation} {word}{alias}{renamed}");
        (text, Item { alias, path: None, columns, key: Vec::new() })
    }

    fn derived(&mut self, depth: usize, lateral: bool) -> (String, Item) {
        let lateral = lateral && self.dice.chance(40);
        let hidden = if lateral { None } else { self.levels.pop() };
        let (text, columns) = self.at_risk(|writer| writer.query(None, depth));
        self.levels.extend(hidden);
        let word = if lateral { "LATERAL " } else { "" };
        self.named(format!("{word}({text})"), columns)
    }

    fn values_item(&mut self) -> (String, Item) {
        let tys = self.some_types(2);
        let hidden = self.levels.pop();
        let text = self.at_risk(|writer| writer.values(&tys));
        self.levels.extend(hidden);
        let columns = tys
            .iter()
            .enumerate()
            .map(|(at, ty)| Col { name: format!("column{}", at + 1), ty: *ty })
            .collect();
        self.named(format!("({text})"), columns)
    }

    fn function(&mut self, lateral: bool) -> (String, Item) {
        let alias = self.fresh("f");
        let array = if lateral { self.column_of(Ty::Texts) } else { None };
        let (call, ty) = match array {
            Some(array) if self.dice.chance(70) => (format!("unnest({array})"), Ty::Text),
            _ => (format!("generate_series(1, {})", self.dice.between(0, 3)), Ty::Int4),
        };
        let mut columns = vec![Col { name: "x".to_owned(), ty }];
        if self.dice.chance(30) {
            columns.push(Col { name: "place".to_owned(), ty: Ty::Int8 });
            let text = format!("{call} WITH ORDINALITY AS {alias} (x, place)");
            return (text, Item { alias, path: None, columns, key: Vec::new() });
        }
        (format!("{call} AS {alias} (x)"), Item { alias, path: None, columns, key: Vec::new() })
    }
}

/// A name with its first letter by number.
fn escaped(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map_or(0, u32::from);
    format!("U&\"\\{first:04x}{}\"", letters.as_str())
}

/// Where no row is there, none is shown in clear.
fn key(relation: &Shown) -> Vec<String> {
    if relation.rows.is_empty() { Vec::new() } else { relation.key.iter().map(|name| quote(name)).collect() }
}

fn columns(relation: &Shown) -> Vec<Col> {
    let column =
        |column: &super::super::world::Column| Col { name: column.quoted(), ty: Ty::of(column.kind) };
    relation.columns.iter().map(column).collect()
}

/// Whether the item has no other column of that name.
pub(super) fn unique(item: &Item, column: &Col) -> bool {
    item.columns.iter().filter(|other| other.name == column.name).count() == 1
}

/// Names that both sides have once, and of one type: what USING takes.
fn common(tree: &Tree, item: &Item) -> Vec<String> {
    let once = |columns: &[Col], name: &str| columns.iter().filter(|column| column.name == name).count() == 1;
    let both = item.columns.iter().filter(|column| {
        let other = tree.star.iter().find(|other| other.name == column.name);
        let fits = other.is_some_and(|other| other.ty == column.ty);
        fits && once(&tree.star, &column.name) && once(&item.columns, &column.name)
    });
    both.map(|column| column.name.clone()).collect()
}

/// What NATURAL joins by, where it can.
fn natural(tree: &Tree, item: &Item) -> Option<Vec<String>> {
    let shared: Vec<&Col> = item
        .columns
        .iter()
        .filter(|column| tree.star.iter().any(|other| other.name == column.name))
        .collect();
    let usable = common(tree, item);
    (shared.len() == usable.len()).then_some(usable)
}

/// Merged columns come first, in the order of the left side for NATURAL and as written for USING.
fn merge(tree: &mut Tree, item: &Item, names: &[String]) {
    let mut first: Vec<Col> =
        tree.star.iter().filter(|column| names.contains(&column.name)).cloned().collect();
    let left = tree.star.iter().filter(|column| !names.contains(&column.name)).cloned();
    let right = item.columns.iter().filter(|column| !names.contains(&column.name)).cloned();
    let rest: Vec<Col> = left.chain(right).collect();
    first.extend(rest);
    tree.star = first;
    tree.merged.extend(names.iter().cloned());
}
