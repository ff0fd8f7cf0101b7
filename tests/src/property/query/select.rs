//! Queries: WITH, set operations, VALUES, grouping, windows, DISTINCT, ORDER BY and LIMIT.

use super::from::unique;
use super::types::{COMMON, Col};
use super::{Cte, Item, Level, Ty, Writer};

/// What a select list may hold.
struct Targets {
    text: Vec<String>,
    columns: Vec<Col>,
}

impl Writer<'_> {
    /// The whole statement, and whether its order is total.
    pub(super) fn top(&mut self) -> (String, bool) {
        if self.dice.chance(2) && !self.relations.is_empty() {
            let relation = self.dice.pick(self.relations);
            return (format!("TABLE {}", relation.path()), false);
        }
        let (text, columns) = self.query_in(None, 2, true);
        if columns.is_empty() || text.contains("ORDER BY /* top */") || self.dice.chance(50) {
            return (text, false);
        }
        let places: Vec<String> = (1..=columns.len()).map(|place| self.sort(&place.to_string())).collect();
        let order = format!("{text} ORDER BY {}", places.join(", "));
        let limit = if self.dice.chance(40) {
            format!(" LIMIT {} OFFSET {}", self.dice.between(0, 6), self.dice.below(3))
        } else {
            String::new()
        };
        (format!("{order}{limit}"), true)
    }

    fn sort(&mut self, by: &str) -> String {
        format!("{by}{}", self.dice.word(&["", "", " DESC", " ASC NULLS FIRST", " DESC NULLS LAST"]))
    }

    pub(super) fn some_types(&mut self, most: usize) -> Vec<Ty> {
        (0..self.dice.between(1, most)).map(|_| *self.dice.pick(&COMMON)).collect()
    }

    /// A query inside another one. With types, it gives exactly these columns.
    pub(super) fn query(&mut self, tys: Option<&[Ty]>, depth: usize) -> (String, Vec<Col>) {
        self.query_in(tys, depth, false)
    }

    fn query_in(&mut self, tys: Option<&[Ty]>, depth: usize, top: bool) -> (String, Vec<Col>) {
        self.budget = self.budget.saturating_sub(1);
        let known = self.ctes.len();
        let with = if depth > 0 && self.dice.chance(if top { 25 } else { 8 }) {
            self.with(depth - 1)
        } else {
            String::new()
        };
        let (text, columns) = if depth > 0 && self.dice.chance(12) {
            self.set_operation(tys, depth - 1)
        } else if self.dice.chance(3) {
            let tys = tys.map_or_else(|| self.some_types(3), <[Ty]>::to_vec);
            let columns = (1..).zip(&tys).map(|(at, ty)| Col { name: format!("column{at}"), ty: *ty });
            (self.values(&tys), columns.collect())
        } else {
            self.plain(tys, depth, top)
        };
        self.ctes.truncate(known);
        (format!("{with}{text}"), columns)
    }

    fn with(&mut self, depth: usize) -> String {
        let mut parts = Vec::new();
        let recursive = self.dice.chance(30);
        let levels = std::mem::take(&mut self.levels);
        for _ in 0..self.dice.between(1, 2) {
            let shadows = self.dice.chance(20) && !self.relations.is_empty() && !recursive;
            let name = if shadows { self.dice.pick(self.relations).name.clone() } else { self.fresh("w") };
            let name = super::super::world::quote(&name);
            if self.ctes.iter().any(|cte| cte.name == name) {
                continue;
            }
            let (text, columns) = if recursive && self.dice.chance(60) {
                self.recursive(&name)
            } else {
                self.at_risk(|writer| writer.query(None, depth))
            };
            let names: Vec<String> = (0..columns.len()).map(|at| format!("{}{at}", self.letter())).collect();
            let word = self.dice.word(&["AS", "AS", "AS MATERIALIZED", "AS NOT MATERIALIZED"]);
            parts.push(format!("{name} ({}) {word} ({text})", names.join(", ")).replace(" () ", " "));
            let columns = columns.into_iter().zip(names).map(|(column, name)| Col { name, ..column });
            self.ctes.push(Cte { name, columns: columns.collect() });
        }
        self.levels = levels;
        if parts.is_empty() {
            return String::new();
        }
        format!("WITH {}{} ", if recursive { "RECURSIVE " } else { "" }, parts.join(", "))
    }

    fn letter(&mut self) -> char {
        *self.dice.pick(&['c', 'k'])
    }

    /// What can be reached from some values by equal columns: it ends, since UNION keeps each once.
    fn recursive(&mut self, name: &str) -> (String, Vec<Col>) {
        let ty = *self.dice.pick(&[Ty::Int4, Ty::Text]);
        let (seed, _) = self.at_risk(|writer| writer.plain(Some(&[ty]), 0, false));
        let from = self.at_risk(|writer| writer.from(0));
        let column = {
            let of_type = |item: &Item| {
                let fits = item.columns.iter().filter(|column| column.ty == ty && unique(item, column));
                fits.map(|column| format!("{}.{}", item.alias, column.name)).collect::<Vec<_>>()
            };
            from.level.items.iter().flat_map(of_type).collect::<Vec<_>>()
        };
        if column.is_empty() {
            return (seed, vec![Col { name: "x".to_owned(), ty }]);
        }
        let (one, other) = (self.dice.pick(&column).clone(), self.dice.pick(&column).clone());
        let alias = self.fresh("s");
        let step =
            format!("SELECT {one} FROM {name} AS {alias} (x), {} WHERE {other} = {alias}.x", from.text);
        (format!("{seed} UNION {step}"), vec![Col { name: "x".to_owned(), ty }])
    }

    fn set_operation(&mut self, tys: Option<&[Ty]>, depth: usize) -> (String, Vec<Col>) {
        let tys = tys.map_or_else(|| self.some_types(3), <[Ty]>::to_vec);
        let word = self.dice.word(&["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL"]);
        let (left, columns) = self.at_risk(|writer| writer.query(Some(&tys), depth));
        let (right, _) = self.at_risk(|writer| writer.query(Some(&tys), depth));
        (format!("({left}) {word} ({right})"), columns)
    }

    pub(super) fn values(&mut self, tys: &[Ty]) -> String {
        let rows: Vec<String> = (0..self.dice.between(1, 3))
            .map(|_| {
                let cells: Vec<String> = tys.iter().map(|ty| self.expression(*ty, 1)).collect();
                format!("({})", cells.join(", "))
            })
            .collect();
        format!("VALUES {}", rows.join(", "))
    }

    /// SELECT … FROM … and all that may follow.
    fn plain(&mut self, tys: Option<&[Ty]>, depth: usize, top: bool) -> (String, Vec<Col>) {
        let from = self.from(depth);
        let star = from.star;
        self.levels.push(from.level);
        let filter = if self.dice.chance(60) {
            let truth = self.at_risk(|writer| writer.truth(depth + 1));
            format!(" WHERE {truth}")
        } else {
            String::new()
        };
        let (targets, rest) = match self.dice.below(10) {
            0..3 => self.grouped(tys, depth),
            3 if tys.is_none() => (self.stars(star), String::new()),
            _ => (self.targets(tys, depth, true), String::new()),
        };
        let (distinct, order) = self.distinct(&targets, &rest, top);
        self.levels.pop();
        let list = targets.text.join(", ");
        (format!("SELECT {distinct}{list} FROM {}{filter}{rest}{order}", from.text), targets.columns)
    }

    /// `*`, `r.*` or a whole row.
    fn stars(&mut self, star: Vec<Col>) -> Targets {
        let items = self.levels.last().unwrap().items.clone();
        match self.dice.below(3) {
            0 | 1 => Targets { text: vec!["*".to_owned()], columns: star },
            _ => {
                let item = self.dice.pick(&items).clone();
                Targets { text: vec![format!("{}.*", item.alias)], columns: item.columns }
            }
        }
    }

    fn targets(&mut self, tys: Option<&[Ty]>, depth: usize, windows: bool) -> Targets {
        let wanted = tys.map_or_else(|| self.wished(), <[Ty]>::to_vec);
        let mut targets = Targets { text: Vec::new(), columns: Vec::new() };
        for ty in wanted {
            let expression = match self.window(ty) {
                Some(window) if windows && self.dice.chance(8) => window,
                _ => self.expression(ty, depth.max(1)),
            };
            self.target(&mut targets, expression, ty);
        }
        targets
    }

    /// Types of columns that are there, mostly.
    fn wished(&mut self) -> Vec<Ty> {
        let there: Vec<Ty> = {
            let items = &self.levels.last().unwrap().items;
            items.iter().flat_map(|item| item.columns.iter().map(|column| column.ty)).collect()
        };
        let wish = |writer: &mut Self| {
            if !there.is_empty() && writer.dice.chance(70) {
                *writer.dice.pick(&there)
            } else {
                *writer.dice.pick(&COMMON)
            }
        };
        (0..self.dice.between(1, 4)).map(|_| wish(self)).collect()
    }

    fn target(&mut self, targets: &mut Targets, expression: String, ty: Ty) {
        let named = self.levels.len() > 1 || self.dice.chance(40);
        let name = if named { self.fresh("c") } else { "?".to_owned() };
        let word = if self.dice.chance(80) { "AS " } else { "" };
        targets.text.push(if named { format!("{expression} {word}{name}") } else { expression });
        targets.columns.push(Col { name, ty });
    }

    /// A window function whose answer does not depend on the order of equal rows.
    fn window(&mut self, ty: Ty) -> Option<String> {
        let call = match ty {
            Ty::Int8 => self.dice.word(&["rank()", "dense_rank()", "count(*)"]).to_owned(),
            Ty::Numeric | Ty::Int4 | Ty::Date => {
                let argument = self.column_of(ty)?;
                format!("{}({argument})", self.dice.word(&["max", "min"]))
            }
            _ => return None,
        };
        let part = self.any_column()?;
        let order = self.any_column()?;
        let sort = self.sort(&order);
        Some(match self.dice.below(3) {
            0 => format!("{call} OVER (PARTITION BY {part} ORDER BY {sort})"),
            1 => format!("{call} OVER (ORDER BY {sort}, {part})"),
            _ => format!("{call} OVER (PARTITION BY {part})"),
        })
    }

    /// GROUP BY with all that follows it, or aggregates without it.
    fn grouped(&mut self, tys: Option<&[Ty]>, depth: usize) -> (Targets, String) {
        let (clause, keys) = self.keys();
        self.levels.last_mut().unwrap().grouped = Some(keys.clone());
        let wanted = tys.map_or_else(
            || {
                let mut wanted: Vec<Ty> = keys.iter().map(|(_, ty)| *ty).take(2).collect();
                wanted.push(*self.dice.pick(&[Ty::Int8, Ty::Text, Ty::Numeric, Ty::Int4]));
                wanted
            },
            <[Ty]>::to_vec,
        );
        let targets = self.targets(Some(&wanted), depth, false);
        let having = if self.dice.chance(30) {
            let truth = self.at_risk(|writer| writer.truth(1));
            format!(" HAVING {truth}")
        } else {
            String::new()
        };
        (targets, format!("{clause}{having}"))
    }

    fn keys(&mut self) -> (String, Vec<(String, Ty)>) {
        let items = self.levels.last().unwrap().items.clone();
        let keyed: Vec<&Item> = items.iter().filter(|item| !item.key.is_empty()).collect();
        if !keyed.is_empty() && self.dice.chance(25) {
            let item = *self.dice.pick(&keyed);
            let key: Vec<String> = item.key.iter().map(|name| format!("{}.{name}", item.alias)).collect();
            let columns = item.columns.iter().filter(|column| unique(item, column));
            let columns = columns.map(|column| (format!("{}.{}", item.alias, column.name), column.ty));
            return (format!(" GROUP BY {}", key.join(", ")), columns.collect());
        }
        let mut keys: Vec<(String, Ty)> = Vec::new();
        for _ in 0..self.dice.below(3) {
            let columns: Vec<(String, Ty)> = items
                .iter()
                .flat_map(|item| {
                    item.columns
                        .iter()
                        .filter(|column| unique(item, column))
                        .map(|column| (format!("{}.{}", item.alias, column.name), column.ty))
                })
                .filter(|(_, ty)| *ty != Ty::Jsonb)
                .collect();
            if !columns.is_empty() {
                let key = self.dice.pick(&columns).clone();
                if !keys.contains(&key) {
                    keys.push(key);
                }
            }
        }
        if keys.is_empty() {
            return (String::new(), keys);
        }
        let list = keys.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>().join(", ");
        let clause = match self.dice.below(10) {
            0 => format!(" GROUP BY ROLLUP ({list})"),
            1 => format!(" GROUP BY CUBE ({list})"),
            2 => format!(" GROUP BY GROUPING SETS (({list}), ())"),
            _ => format!(" GROUP BY {list}"),
        };
        (clause, keys)
    }

    /// DISTINCT or DISTINCT ON, with the ORDER BY that the latter needs.
    fn distinct(&mut self, targets: &Targets, rest: &str, top: bool) -> (String, String) {
        let star = targets.text.len() != targets.columns.len();
        if !star && rest.is_empty() && self.dice.chance(5) && !targets.columns.is_empty() {
            let places: Vec<String> = (1..=targets.columns.len()).map(|at| at.to_string()).collect();
            let mark = if top { "/* top */ " } else { "" };
            return ("DISTINCT ON (1) ".to_owned(), format!(" ORDER BY {mark}{}", places.join(", ")));
        }
        let distinct = if self.dice.chance(10) && !targets.columns.is_empty() { "DISTINCT " } else { "" };
        if !top && !star && self.dice.chance(6) {
            let places: Vec<String> = (1..=targets.columns.len()).map(|at| at.to_string()).collect();
            let limit = self.dice.between(0, 4);
            return (distinct.to_owned(), format!(" ORDER BY {} LIMIT {limit}", places.join(", ")));
        }
        (distinct.to_owned(), String::new())
    }
}

impl Level {
    /// Whether a bare name means exactly one column here.
    pub(super) fn means_one(&self, name: &str) -> bool {
        let count =
            self.items.iter().flat_map(|item| &item.columns).filter(|column| column.name == name).count();
        count == 1
    }
}
