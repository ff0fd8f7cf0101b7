//! Expressions of a type.

use super::from::unique;
use super::types::{COMMON, Col};
use super::{Item, Ty, Writer};

impl Writer<'_> {
    /// An expression of this type.
    pub(super) fn expression(&mut self, ty: Ty, depth: usize) -> String {
        self.budget = self.budget.saturating_sub(1);
        if depth == 0 || self.budget == 0 || self.dice.chance(35) {
            return self.leaf(ty);
        }
        if self.dice.chance(25) {
            return self.any_type(ty, depth - 1);
        }
        if self.free && self.dice.chance(45) {
            return self.unsafe_of(ty, depth - 1);
        }
        self.safe_of(ty, depth - 1)
    }

    /// A column, an aggregate where the query groups, or a constant.
    fn leaf(&mut self, ty: Ty) -> String {
        if self.levels.last().is_some_and(|level| level.grouped.is_some()) {
            let keys = self.levels.last().and_then(|level| level.grouped.clone()).unwrap_or_default();
            let fitting: Vec<&(String, Ty)> = keys.iter().filter(|(_, other)| *other == ty).collect();
            if !fitting.is_empty() && self.dice.chance(60) {
                return self.dice.pick(&fitting).0.clone();
            }
            return self.aggregate(ty).unwrap_or_else(|| self.constant(ty));
        }
        let column = if self.dice.chance(85) { self.column_of(ty) } else { None };
        column.unwrap_or_else(|| self.constant(ty))
    }

    /// A constant that has this type wherever it stands.
    fn constant(&mut self, ty: Ty) -> String {
        if self.dice.chance(5) {
            return format!("NULL::{}", ty.name());
        }
        if self.prepared && self.dice.chance(40) {
            let value = ty.constant(self.dice);
            self.parameters.push((ty, value));
            return format!("${}", self.parameters.len());
        }
        let constant = ty.constant(self.dice);
        match ty {
            Ty::Int4 | Ty::Bool if self.dice.chance(50) && ty == Ty::Int4 => constant,
            Ty::Bool => format!("{constant}::bool"),
            _ => format!("{constant}::{}", ty.name()),
        }
    }

    /// A constant beside something of this type.
    fn beside(&mut self, ty: Ty) -> String {
        if self.dice.chance(60) { ty.constant(self.dice) } else { self.constant(ty) }
    }

    pub(super) fn any_column(&mut self) -> Option<String> {
        let ty = *self.dice.pick(&[Ty::Int4, Ty::Text, Ty::Numeric, Ty::Date, Ty::Bool, Ty::Int4]);
        self.column_of(ty).or_else(|| self.column_of(Ty::Text)).or_else(|| self.column_of(Ty::Int4))
    }

    /// A column of this type in sight: mostly of the query itself, sometimes of one around it.
    pub(super) fn column_of(&mut self, ty: Ty) -> Option<String> {
        let count = self.levels.len();
        if count == 0 {
            return None;
        }
        let outer = count > 1 && self.dice.chance(15);
        let at = if outer { self.dice.below(count - 1) } else { count - 1 };
        let level = self.levels[at].clone();
        if let Some(keys) = &level.grouped {
            let fitting: Vec<&(String, Ty)> = keys.iter().filter(|(_, other)| *other == ty).collect();
            return if at == count - 1 || fitting.is_empty() {
                None
            } else {
                Some(self.dice.pick(&fitting).0.clone())
            };
        }
        let inner = &self.levels[at + 1..];
        let visible = |item: &Item| {
            !inner.iter().any(|level| level.items.iter().any(|other| other.alias == item.alias))
        };
        let mut found: Vec<(Item, Col)> = Vec::new();
        for item in level.items.iter().filter(|item| visible(item)) {
            let fits = item.columns.iter().filter(|column| column.ty == ty && unique(item, column));
            found.extend(fits.map(|column| (item.clone(), column.clone())));
        }
        if self.dice.chance(1) && !self.hidden.is_empty() && at == count - 1 {
            return Some(self.dice.pick(self.hidden).clone());
        }
        if found.is_empty() {
            return None;
        }
        let (item, column) = self.dice.pick(&found).clone();
        let name = column.name;
        if at == count - 1 && level.means_one(&name) && self.dice.chance(35) {
            return Some(name);
        }
        if at == count - 1 && level.merged.contains(&name) && self.dice.chance(30) {
            return Some(name);
        }
        Some(match item.path {
            Some(path) if self.dice.chance(30) => format!("{path}.{name}"),
            _ => format!("{}.{name}", item.alias),
        })
    }

    /// An aggregate over the rows of a group; its argument reads the plain columns.
    fn aggregate(&mut self, ty: Ty) -> Option<String> {
        let keys = self.levels.last_mut().and_then(|level| level.grouped.take());
        let free = std::mem::replace(&mut self.free, true);
        let written = self.aggregate_of(ty);
        self.free = free;
        self.levels.last_mut().unwrap().grouped = keys;
        let filter = if written.is_some() && self.dice.chance(8) { self.filter() } else { String::new() };
        written.map(|written| format!("{written}{filter}"))
    }

    fn filter(&mut self) -> String {
        let keys = self.levels.last_mut().and_then(|level| level.grouped.take());
        let truth = self.truth(1);
        self.levels.last_mut().unwrap().grouped = keys;
        format!(" FILTER (WHERE {truth})")
    }

    fn aggregate_of(&mut self, ty: Ty) -> Option<String> {
        let argument = |writer: &mut Self, ty| writer.expression(ty, 1);
        let extreme = |writer: &mut Self| writer.dice.word(&["min", "max"]);
        let distinct = if self.dice.chance(20) { "DISTINCT " } else { "" };
        Some(match ty {
            Ty::Int8 => match self.dice.below(5) {
                0 => "count(*)".to_owned(),
                1 => {
                    let item = self.dice.pick(&self.levels.last()?.items.clone()).alias.clone();
                    format!("count({item})")
                }
                2 => format!("sum({})", argument(self, Ty::Int4)),
                _ => {
                    let ty = *self.dice.pick(&COMMON);
                    format!("count({distinct}{})", argument(self, ty))
                }
            },
            Ty::Numeric => match self.dice.below(3) {
                0 => format!("avg({})", argument(self, Ty::Int4)),
                1 => format!("sum({distinct}{})", argument(self, Ty::Numeric)),
                _ => format!("{}({})", extreme(self), argument(self, Ty::Numeric)),
            },
            Ty::Text if self.dice.chance(40) => {
                let text = argument(self, Ty::Text);
                format!("string_agg({text}, ',' ORDER BY {text})")
            }
            Ty::Texts => {
                let text = argument(self, Ty::Text);
                format!("array_agg({text} ORDER BY {text})")
            }
            Ty::Bool => format!("{}({})", self.dice.word(&["bool_and", "bool_or"]), argument(self, Ty::Bool)),
            Ty::Jsonb => {
                let text = argument(self, Ty::Text);
                format!("jsonb_agg({text} ORDER BY {text})")
            }
            Ty::Int2 | Ty::Int4 | Ty::Text | Ty::Date | Ty::Timestamp | Ty::TimestampTz | Ty::Float8 => {
                format!("{}({})", extreme(self), argument(self, ty))
            }
            Ty::Varchar | Ty::Char | Ty::Uuid | Ty::Mood => return None,
        })
    }

    /// What every type has.
    fn any_type(&mut self, ty: Ty, depth: usize) -> String {
        match self.dice.below(6) {
            0 => format!("coalesce({}, {})", self.expression(ty, depth), self.leaf(ty)),
            1 => {
                let (when, then) = (self.truth(depth), self.expression(ty, depth));
                format!("CASE WHEN {when} THEN {then} ELSE {} END", self.leaf(ty))
            }
            2 => {
                let compared = *self.dice.pick(&[Ty::Int4, Ty::Text]);
                let (subject, one) = (self.leaf(compared), self.beside(compared));
                format!("CASE {subject} WHEN {one} THEN {} ELSE {} END", self.leaf(ty), self.leaf(ty))
            }
            3 if ty != Ty::Jsonb => format!("nullif({}, {})", self.leaf(ty), self.beside(ty)),
            4 if self.free && depth > 0 => {
                let (query, _) = self.at_risk(|writer| writer.query(Some(&[ty]), 0));
                format!("(SELECT q.x FROM ({query}) q (x) ORDER BY 1 LIMIT 1)")
            }
            _ => self.leaf(ty),
        }
    }

    /// Neither fails nor tells.
    fn safe_of(&mut self, ty: Ty, depth: usize) -> String {
        match ty {
            Ty::Bool => parenthesised(&self.truth(depth)),
            Ty::Text => match self.dice.below(5) {
                0 => format!("lower({})", self.expression(Ty::Text, depth)),
                1 => format!("upper({})", self.expression(Ty::Text, depth)),
                2 => {
                    let from = *self.dice.pick(&[
                        Ty::Int4,
                        Ty::Numeric,
                        Ty::Bool,
                        Ty::Uuid,
                        Ty::Varchar,
                        Ty::Char,
                        Ty::Int8,
                    ]);
                    format!("{}::text", parenthesised(&self.expression(from, depth)))
                }
                3 => format!("({} ->> 'k')", self.leaf(Ty::Jsonb)),
                _ => self.leaf(ty),
            },
            Ty::Int4 => match self.dice.below(3) {
                0 => format!("length({})", self.expression(Ty::Text, depth)),
                1 => format!("{}::int4", parenthesised(&self.leaf(Ty::Int2))),
                _ => self.leaf(ty),
            },
            Ty::Int8 => format!("{}::int8", parenthesised(&self.leaf(Ty::Int4))),
            Ty::Numeric => format!("{}::numeric", parenthesised(&self.leaf(Ty::Int4))),
            Ty::Varchar => format!("{}::varchar(4)", parenthesised(&self.leaf(Ty::Text))),
            Ty::Char => format!("{}::char(3)", parenthesised(&self.leaf(Ty::Text))),
            Ty::Texts => format!("ARRAY[{}, {}]", self.leaf(Ty::Text), self.leaf(Ty::Text)),
            _ => self.leaf(ty),
        }
    }

    /// Can fail.
    fn unsafe_of(&mut self, ty: Ty, depth: usize) -> String {
        match ty {
            Ty::Int2 | Ty::Int4 | Ty::Int8 | Ty::Numeric => self.number(ty, depth),
            Ty::Text => match self.dice.below(9) {
                0 => format!("({} || {})", self.expression(ty, depth), self.leaf(ty)),
                1 => format!("substr({}, {})", self.expression(ty, depth), self.dice.between(1, 3)),
                2 => format!("left({}, {})", self.expression(ty, depth), self.dice.below(4)),
                3 => format!("replace({}, 'a', {})", self.expression(ty, depth), self.leaf(ty)),
                4 => format!("({})[{}]", self.leaf(Ty::Texts), self.dice.between(1, 2)),
                5 => format!("concat({}, {})", self.leaf(ty), self.leaf(Ty::Int4)),
                6 => format!("to_jsonb({})::text", self.leaf(Ty::Text)),
                7 => self.whole_row(),
                _ => format!("split_part({}, '@', 2)", self.leaf(ty)),
            },
            Ty::Date => format!("({} + {})", self.leaf(ty), self.dice.between(1, 40)),
            Ty::Timestamp => format!("date_trunc('month', {})", self.leaf(ty)),
            Ty::Jsonb => match self.dice.below(3) {
                0 => format!("to_jsonb({})", self.leaf(Ty::Text)),
                1 => format!("jsonb_build_object('k', {})", self.leaf(Ty::Int4)),
                _ => format!("({} -> 'n')", self.leaf(ty)),
            },
            Ty::Texts => format!("string_to_array({}, 'a')", self.leaf(Ty::Text)),
            Ty::Float8 => format!("{}::float8", parenthesised(&self.leaf(Ty::Numeric))),
            _ => self.safe_of(ty, depth),
        }
    }

    fn number(&mut self, ty: Ty, depth: usize) -> String {
        let name = ty.name();
        match self.dice.below(8) {
            0 => format!("({} + {})", self.expression(ty, depth), self.leaf(ty)),
            1 => format!("({} * {})", self.expression(ty, depth), self.leaf(ty)),
            2 => format!("({} / {})", self.expression(ty, depth), self.leaf(ty)),
            3 => format!("(10 % {})::{name}", self.leaf(ty)),
            4 => format!("{}::{name}", parenthesised(&self.leaf(Ty::Text))),
            5 => format!("({} ->> 'n')::{name}", self.leaf(Ty::Jsonb)),
            6 => format!("abs({})", self.leaf(ty)),
            _ => format!("(- {})", parenthesised(&self.leaf(ty))),
        }
    }

    /// A whole row as text.
    fn whole_row(&mut self) -> String {
        let level = self.levels.last();
        let items = level.filter(|level| level.grouped.is_none()).map(|level| level.items.clone());
        match items.filter(|items| !items.is_empty()) {
            Some(items) => {
                let alias = self.dice.pick(&items).alias.clone();
                match self.dice.below(3) {
                    0 => format!("{alias}::text"),
                    1 => format!("to_jsonb({alias})::text"),
                    _ => format!("row({alias}.*)::text"),
                }
            }
            None => self.leaf(Ty::Text),
        }
    }

    /// A condition.
    pub(super) fn truth(&mut self, depth: usize) -> String {
        self.budget = self.budget.saturating_sub(1);
        if depth > 0 && self.budget > 0 {
            match self.dice.below(12) {
                0 => return format!("({} AND {})", self.truth(depth - 1), self.truth(depth - 1)),
                1 => return format!("({} OR {})", self.truth(depth - 1), self.truth(depth - 1)),
                2 => return format!("NOT ({})", self.truth(depth - 1)),
                3 | 4 => return self.subquery(depth - 1),
                _ => {}
            }
        }
        self.test(depth.saturating_sub(1))
    }

    fn subquery(&mut self, depth: usize) -> String {
        let ty = *self.dice.pick(&[Ty::Int4, Ty::Text, Ty::Numeric, Ty::Date]);
        let subject = self.leaf(ty);
        let inner = depth.min(1);
        let (query, _) = self.at_risk(|writer| writer.query(Some(&[ty]), inner));
        match self.dice.below(5) {
            0 | 1 => format!("EXISTS ({query})"),
            2 => format!("{subject} IN ({query})"),
            3 => format!("{subject} NOT IN ({query})"),
            _ => format!("{subject} {} ({query})", self.dice.word(&["> ALL", "= ANY", "<= ANY", "<> ALL"])),
        }
    }

    fn test(&mut self, depth: usize) -> String {
        let ty = *self.dice.pick(&[
            Ty::Int4,
            Ty::Int4,
            Ty::Text,
            Ty::Text,
            Ty::Varchar,
            Ty::Char,
            Ty::Numeric,
            Ty::Int8,
            Ty::Date,
            Ty::Timestamp,
            Ty::Uuid,
            Ty::Bool,
            Ty::Mood,
            Ty::Texts,
            Ty::Float8,
            Ty::TimestampTz,
        ]);
        let subject = self.expression(ty, depth);
        match self.dice.below(12) {
            0 => format!("{subject} IS {}NULL", self.dice.word(&["", "NOT "])),
            1 => format!("{subject} IS {}DISTINCT FROM {}", self.dice.word(&["", "NOT "]), self.leaf(ty)),
            2 => format!("{subject} IN ({}, {})", self.beside(ty), self.beside(ty)),
            3 if ty != Ty::Bool => format!("{subject} BETWEEN {} AND {}", self.beside(ty), self.beside(ty)),
            4 | 5 if ty.is_text() => {
                let pattern = self.dice.word(&["'a%'", "'%@%'", "'_'", "'E_'", "'%1%'"]);
                format!("{subject} {} {pattern}", self.dice.word(&["LIKE", "NOT LIKE", "ILIKE"]))
            }
            4 if ty == Ty::Text => format!("{subject} = ANY ({})", self.leaf(Ty::Texts)),
            4 if ty == Ty::Int4 => format!("{subject} = ANY ('{{0,1,2}}')"),
            4 if ty == Ty::Texts => format!("{subject} && '{{a,EU}}'"),
            5 if ty == Ty::Texts => format!("{subject} @> ARRAY[{}]", self.leaf(Ty::Text)),
            6 if ty == Ty::Bool => format!("{subject} IS {}TRUE", self.dice.word(&["", "NOT "])),
            7 if ty.is_int() => {
                let other = *self.dice.pick(&[Ty::Int2, Ty::Int8, Ty::Numeric]);
                format!("{subject} {} {}", self.dice.word(&["=", "<", ">="]), self.leaf(other))
            }
            8 => format!("({subject}, {}) = ({}, 1)", self.leaf(Ty::Int4), self.leaf(ty)),
            9 if ty == Ty::Bool => parenthesised(&subject),
            _ => {
                let operator = self.dice.word(&["=", "=", "<>", "<", ">="]);
                let other = if self.dice.chance(50) { self.beside(ty) } else { self.leaf(ty) };
                format!("{subject} {operator} {other}")
            }
        }
    }
}

fn parenthesised(text: &str) -> String {
    format!("({text})")
}
