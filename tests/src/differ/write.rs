//! Random statements over the store of the attacks: what can fail stands everywhere.

use crate::property::dice::Dice;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ty {
    Int,
    Text,
    Number,
    Moment,
    Json,
    Texts,
    Row,
}

use Ty::{Int, Json, Moment, Number, Row, Text, Texts};

/// What can be named: an expression and its type.
type Scope = Vec<(String, Ty)>;

/// Relations that alice reads, and the columns that she sees.
const RELATIONS: [(&str, &[(&str, Ty)]); 10] = [
    (
        "customers",
        &[
            ("id", Int),
            ("name", Text),
            ("region", Text),
            ("email", Text),
            ("ssn", Text),
            ("created_at", Moment),
        ],
    ),
    ("customers", &[("id", Int), ("name", Text), ("region", Text), ("email", Text)]),
    (
        "orders",
        &[("id", Int), ("customer_id", Int), ("amount", Number), ("status", Text), ("ordered_at", Moment)],
    ),
    ("events", &[("id", Int), ("customer_id", Int), ("kind", Text), ("at", Moment)]),
    (
        "profiles",
        &[
            ("customer_id", Int),
            ("details", Json),
            ("codes", Texts),
            ("born", Moment),
            ("score", Int),
            ("history", Json),
        ],
    ),
    ("profiles", &[("customer_id", Int), ("details", Json), ("codes", Texts), ("score", Int)]),
    ("all_customers", &[("id", Int), ("name", Text), ("region", Text), ("email", Text), ("ssn", Text)]),
    ("labels_of", &[("id", Int), ("name", Text)]),
    ("pg_class", &[("relname", Text), ("relnatts", Int)]),
    ("information_schema.columns", &[("table_name", Text), ("column_name", Text), ("ordinal_position", Int)]),
];

pub(crate) fn statement(dice: &mut Dice) -> String {
    let mut writer = Writer { dice, aliases: 0 };
    let query = writer.query(&Vec::new(), 3, 2);
    match writer.dice.below(12) {
        0 => format!("copy ({query}) to stdout"),
        1 => format!("begin; declare cur cursor for {query}; fetch 3 from cur; fetch all from cur; commit"),
        2 => format!("prepare one as {query}; execute one; deallocate one"),
        3 => format!("select 1; {query}; select 2"),
        4 => format!("explain (costs off) {query}"),
        _ => query,
    }
}

struct Writer<'d> {
    dice: &'d mut Dice,
    aliases: usize,
}

impl Writer<'_> {
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// A query of so many columns: whole numbers first, then texts.
    fn query(&mut self, outer: &Scope, depth: usize, width: usize) -> String {
        if depth > 0 && self.dice.chance(15) {
            let word = self.dice.word(&["union all", "union all", "union", "intersect", "except"]);
            let (left, right) = (self.query(outer, depth - 1, width), self.query(outer, depth - 1, width));
            return format!("({left}) {word} ({right})");
        }
        if depth > 0 && self.dice.chance(12) {
            let name = format!("w{}", self.alias());
            let inner = self.query(&Vec::new(), depth - 1, 2);
            let word = self.dice.word(&["", "", "materialized ", "not materialized "]);
            let recursive = self.dice.word(&["", "", "recursive "]);
            let mut scope = outer.clone();
            scope.extend(columns(&name, &[("a0", Int), ("a1", Text), ("", Row)]));
            let list = self.list(&scope, depth - 1, width);
            let condition = self.truth(&scope, depth - 1);
            return format!(
                "with {recursive}{name}(a0, a1) as {word}({inner}) select {list} from {name} where {condition}"
            );
        }
        let (from, own) = self.from(outer, depth);
        let mut scope = own;
        scope.extend(outer.iter().cloned());
        let condition = if self.dice.chance(80) {
            format!(" where {}", self.truth(&scope, depth))
        } else {
            String::new()
        };
        match self.dice.below(8) {
            0 => {
                let key = self.value(&scope, Int, depth.min(1));
                let list = self.aggregates(&scope, depth, width, &key);
                let having = if self.dice.chance(40) {
                    format!(
                        " having {key} > {} and max({}) is not null",
                        self.dice.below(9),
                        self.value(&scope, Int, 1)
                    )
                } else {
                    String::new()
                };
                format!("select {list} from {from}{condition} group by {key}{having}")
            }
            1 => {
                let list = self.aggregates(&scope, depth, width, "count(*)");
                format!("select {list} from {from}{condition}")
            }
            2 => format!("select distinct {} from {from}{condition}", self.list(&scope, depth, width)),
            3 => {
                let list = self.list(&scope, depth, width);
                format!(
                    "select {list} from {from}{condition} order by {} limit {}",
                    if width > 1 { "1, 2" } else { "1" },
                    self.dice.below(6)
                )
            }
            4 => {
                let (part, order) = (self.value(&scope, Int, 1), self.value(&scope, Int, 1));
                let text = self.value(&scope, Text, 1);
                let window = format!(
                    "count(*) over (partition by {part} order by {order} range between unbounded preceding and current row)"
                );
                let second = if width > 1 { format!(", {text} as a1") } else { String::new() };
                format!("select {window} as a0{second} from {from}{condition}")
            }
            _ => format!("select {} from {from}{condition}", self.list(&scope, depth, width)),
        }
    }

    fn list(&mut self, scope: &Scope, depth: usize, width: usize) -> String {
        let mut list = format!("{} as a0", self.value(scope, Int, depth));
        if width > 1 {
            list += &format!(", {} as a1", self.value(scope, Text, depth));
        }
        list
    }

    fn aggregates(&mut self, scope: &Scope, depth: usize, width: usize, key: &str) -> String {
        let mut list = format!("{key} as a0");
        if width > 1 {
            let value = self.value(scope, Text, depth.min(1));
            let filter = self.truth(scope, 0);
            list += &match self.dice.below(4) {
                0 => format!(", min({value}) as a1"),
                1 => format!(", string_agg({value}, ',' order by {value}) as a1"),
                2 => format!(", max({value}) filter (where {filter}) as a1"),
                _ => format!(", (array_agg({value} order by {value} desc))[1] as a1"),
            };
        }
        list
    }

    fn from(&mut self, outer: &Scope, depth: usize) -> (String, Scope) {
        let (mut from, mut scope) = self.item(outer, depth);
        for _ in 0..self.dice.below(if depth > 1 { 3 } else { 2 }) {
            let lateral = depth > 0 && self.dice.chance(25);
            let mut around = scope.clone();
            around.extend(outer.iter().cloned());
            if lateral {
                let alias = self.alias();
                let (inner, new) = match self.dice.below(3) {
                    0 => (
                        format!("unnest(array[{}]) {alias}(a0)", self.value(&around, Int, 1)),
                        vec![("a0", Int)],
                    ),
                    1 => (
                        format!(
                            "(values ({}, {})) {alias}(a0, a1)",
                            self.value(&around, Int, 1),
                            self.value(&around, Text, 1)
                        ),
                        vec![("a0", Int), ("a1", Text)],
                    ),
                    _ => (
                        format!("({}) {alias}", self.query(&around, depth - 1, 2)),
                        vec![("a0", Int), ("a1", Text)],
                    ),
                };
                let join = self.dice.word(&["cross join lateral", "left join lateral"]);
                scope.extend(columns(&alias, &new));
                let on = if join.starts_with("left") { " on true" } else { "" };
                from = format!("{from} {join} {inner}{on}");
                continue;
            }
            let (other, new) = self.item(outer, depth);
            scope.extend(new);
            let kind = self.dice.word(&["join", "join", "left join", "right join", "full join"]);
            let both = self.value(&scope, Int, 0);
            let condition = if kind == "full join" {
                format!("{} = {both}", self.value(&scope, Int, 0))
            } else {
                format!("{} = {both} and {}", self.value(&scope, Int, 0), self.truth(&scope, 1))
            };
            from = format!("{from} {kind} {other} on {condition}");
        }
        (from, scope)
    }

    fn item(&mut self, outer: &Scope, depth: usize) -> (String, Scope) {
        let alias = self.alias();
        if depth > 0 && self.dice.chance(35) {
            let inner = self.query(&Vec::new(), depth - 1, 2);
            return (format!("({inner}) {alias}"), columns(&alias, &[("a0", Int), ("a1", Text), ("", Row)]));
        }
        let _ = outer;
        let (name, of) = *self.dice.pick(&RELATIONS);
        let mut scope = columns(&alias, of);
        // A whole row of the catalogue has numbers that no two stores share.
        if !name.starts_with("pg_") && !name.contains('.') {
            scope.push((alias.clone(), Row));
        }
        (format!("{name} {alias}"), scope)
    }

    fn truth(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 {
            return format!(
                "{} {} {}",
                self.value(scope, Int, 1),
                self.dice.word(&[">", "<", "=", "<>"]),
                self.dice.below(9)
            );
        }
        let below = depth - 1;
        match self.dice.below(13) {
            0 => format!("({} and {})", self.truth(scope, below), self.truth(scope, below)),
            1 => format!("({} or {})", self.truth(scope, below), self.truth(scope, below)),
            2 => format!("not {}", self.truth(scope, below)),
            3 => format!(
                "{} like {}",
                self.value(scope, Text, below),
                self.dice.word(&["'C%'", "'%1%'", "'%@%'"])
            ),
            4 => format!("{} ~ {}", self.value(scope, Text, below), self.value(scope, Text, 0)),
            5 => format!("exists ({})", self.query(scope, below, 1)),
            6 => format!("{} in ({})", self.value(scope, Int, below), self.query(scope, below, 1)),
            7 => format!("{} not in ({})", self.value(scope, Int, below), self.query(scope, below, 1)),
            8 => {
                format!("({}, {}) > (1, 'a')", self.value(scope, Int, below), self.value(scope, Text, below))
            }
            9 => format!("{} is not null", self.value(scope, Text, below)),
            10 => format!(
                "case when {} then {} else false end",
                self.truth(scope, below),
                self.truth(scope, below)
            ),
            11 => format!(
                "{} between {} and {}",
                self.value(scope, Int, below),
                self.value(scope, Int, 0),
                self.value(scope, Int, below)
            ),
            _ => format!(
                "{} {} {}",
                self.value(scope, Int, depth),
                self.dice.word(&[">", "<", "=", "<>", "is distinct from"]),
                self.value(scope, Int, below)
            ),
        }
    }

    fn named(&mut self, scope: &Scope, ty: Ty) -> Option<String> {
        let fitting: Vec<&String> = scope.iter().filter(|(_, of)| *of == ty).map(|(name, _)| name).collect();
        (!fitting.is_empty()).then(|| (*self.dice.pick(&fitting)).clone())
    }

    fn value(&mut self, scope: &Scope, ty: Ty, depth: usize) -> String {
        let column = self.named(scope, ty);
        if let Some(column) = &column
            && (depth == 0 || self.dice.chance(45))
        {
            return column.clone();
        }
        if depth == 0 {
            return if ty == Int { self.dice.below(9).to_string() } else { "'a'".to_owned() };
        }
        let below = depth - 1;
        if ty == Int {
            return self.int(scope, below);
        }
        self.text(scope, below)
    }

    fn int(&mut self, scope: &Scope, below: usize) -> String {
        let json = self.named(scope, Json);
        let moment = self.named(scope, Moment);
        let number = self.named(scope, Number);
        match self.dice.below(14) {
            0 | 1 => format!(
                "1 / ({} - {})",
                self.value(scope, Int, below),
                self.dice.word(&["2", "1", "3", "8", "101"])
            ),
            2 => format!("{}::int", self.value(scope, Text, below)),
            3 => format!("length({})", self.value(scope, Text, below)),
            4 => format!("({} + {})", self.value(scope, Int, below), self.value(scope, Int, below)),
            5 => format!("({} * 1000000000)", self.value(scope, Int, below)),
            6 => format!("coalesce({}, {})", self.value(scope, Int, below), self.value(scope, Int, below)),
            7 => format!("(select count(*)::int from ({}) z)", self.query(scope, below, 1)),
            8 => format!("(select max(y.a0) from ({}) y)", self.query(scope, below.min(1), 1)),
            9 => json.map_or_else(|| "4".to_owned(), |json| format!("({json} ->> 'tier')::int")),
            10 => moment.map_or_else(
                || "5".to_owned(),
                |at| {
                    format!("extract(day from {at} + interval '1 day' * {})::int", self.value(scope, Int, 0))
                },
            ),
            11 => number.map_or_else(|| "6".to_owned(), |number| format!("(1 / ({number} - 39.5))::int")),
            12 => self.named(scope, Row).map_or_else(|| "7".to_owned(), |row| format!("length({row}::text)")),
            _ => format!(
                "case when {} then {} else {} end",
                self.truth(scope, below.min(1)),
                self.value(scope, Int, below),
                self.value(scope, Int, 0)
            ),
        }
    }

    fn text(&mut self, scope: &Scope, below: usize) -> String {
        let json = self.named(scope, Json);
        let texts = self.named(scope, Texts);
        let row = self.named(scope, Row);
        match self.dice.below(12) {
            0 => format!("({})::text", self.value(scope, Int, below)),
            1 => format!("lower({})", self.value(scope, Text, below)),
            2 => format!("({} || {})", self.value(scope, Text, below), self.value(scope, Text, 0)),
            3 => format!("substring({} for {})", self.value(scope, Text, below), self.value(scope, Int, 0)),
            4 => format!(
                "regexp_replace({}, {}, '')",
                self.value(scope, Text, below),
                self.value(scope, Text, 0)
            ),
            5 => row.map_or_else(|| "'b'".to_owned(), |row| format!("{row}::text")),
            6 => row.map_or_else(|| "'c'".to_owned(), |row| format!("(to_jsonb({row}) ->> 'name')")),
            7 => json.map_or_else(
                || "'d'".to_owned(),
                |json| format!("({json} ->> {})", self.dice.word(&["'secret'", "'tier'", "'card'"])),
            ),
            8 => texts
                .map_or_else(|| "'e'".to_owned(), |texts| format!("{texts}[{}]", self.value(scope, Int, 0))),
            9 => format!("coalesce({}, {})", self.value(scope, Text, below), self.value(scope, Text, 0)),
            10 => json.map_or_else(
                || "'f'".to_owned(),
                |json| format!("({json} #>> array['card', {}])", self.value(scope, Text, 0)),
            ),
            _ => format!(
                "case when {} then {} end",
                self.truth(scope, below.min(1)),
                self.value(scope, Text, below)
            ),
        }
    }
}

fn columns(alias: &str, of: &[(&str, Ty)]) -> Scope {
    let named = |&(name, ty): &(&str, Ty)| match name {
        "" => (alias.to_owned(), ty),
        _ => (format!("{alias}.{name}"), ty),
    };
    of.iter().map(named).collect()
}
