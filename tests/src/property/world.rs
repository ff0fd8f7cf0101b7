//! A random schema with random rows.

use super::dice::Dice;
use super::kind::{self, Kind};

/// One value, as source text; none is NULL.
pub(crate) type Cell = Option<String>;

#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) schema: &'static str,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// The columns of the primary key, by place.
    pub(crate) key: Vec<usize>,
    /// How its rows are spread over tables behind it.
    pub(crate) spread: Spread,
    /// Further statements: indexes.
    pub(crate) extras: Vec<String>,
}

/// The tables behind a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spread {
    /// There are none.
    Whole,
    /// Partitions by this column.
    Partitioned(usize),
    /// A child that inherits, with a column of its own; it holds the rows from this one on.
    Inherited(usize),
}

/// The value of the partition column that has a partition of its own.
pub(crate) const OWN_PARTITION: &str = "EU";

const ROWS_MAX: usize = 12;
const NAMES: [&str; 9] = ["a", "b", "c", "d", "note", "email", "Odd Name", "order", "ä"];

/// Random tables: `shop.t0` and on, and sometimes one of a name twice, in `shop` and in `side`.
pub(crate) fn tables(dice: &mut Dice) -> Vec<Table> {
    let count = dice.between(2, 4);
    let mut tables: Vec<Table> = (0..count).map(|at| table(dice, "shop", format!("t{at}"))).collect();
    if dice.chance(25) {
        tables.push(table(dice, "side", "t0".to_owned()));
    }
    if dice.chance(40) {
        partition(&mut tables[0]);
    }
    if dice.chance(25) {
        let at = dice.below(tables[1].rows.len() + 1);
        // Its key says nothing of the rows of its child.
        tables[1] = Table { spread: Spread::Inherited(at), key: Vec::new(), ..tables[1].clone() };
    }
    tables
}

fn partition(table: &mut Table) {
    table.spread = Spread::Partitioned(1);
    // The key of a partitioned table holds what it is partitioned by.
    table.key = if table.key.is_empty() { Vec::new() } else { vec![0, 1] };
    for row in &mut table.rows {
        row[1].get_or_insert_with(|| "US".to_owned());
    }
}

fn table(dice: &mut Dice, schema: &'static str, name: String) -> Table {
    let column = |name: &str, kind| Column { name: name.to_owned(), kind, nullable: false };
    let mut columns = vec![column("id", Kind::Int4), column("region", Kind::Text)];
    let first = dice.below(NAMES.len());
    for at in 0..dice.between(2, 5) {
        let kind = *dice.pick(&kind::ALL);
        columns.push(column(NAMES[(first + at) % NAMES.len()], kind));
    }
    let keyed = dice.chance(70);
    for (at, column) in columns.iter_mut().enumerate() {
        column.nullable = if at == 0 { !keyed } else { dice.chance(80) };
    }
    let rows = (0..dice.below(ROWS_MAX + 1)).map(|at| row(dice, &columns, at)).collect();
    let mut table =
        Table { schema, name, columns, rows, key: Vec::new(), spread: Spread::Whole, extras: Vec::new() };
    if keyed {
        table.key = vec![0];
    }
    if dice.chance(50) {
        let at = dice.below(table.columns.len());
        if table.columns[at].kind != Kind::Jsonb {
            table.extras.push(format!("create index on {} ({})", table.path(), table.columns[at].quoted()));
        }
    }
    if dice.chance(50) {
        table.extras.push(format!("analyze {}", table.path()));
    }
    table
}

fn row(dice: &mut Dice, columns: &[Column], at: usize) -> Vec<Cell> {
    let cell = |(place, column): (usize, &Column)| {
        if place == 0 {
            return Some((at + 1).to_string());
        }
        if place == 1 {
            let regions = [Some("EU"), Some("EU"), Some("US"), Some("APAC"), None];
            let region = dice.pick(&regions).map(str::to_owned);
            return if column.nullable { region } else { region.or(Some("US".to_owned())) };
        }
        let null = column.nullable && dice.chance(20);
        (!null).then(|| column.kind.value(dice))
    };
    columns.iter().enumerate().map(cell).collect()
}

/// An identifier in quotes.
pub(crate) fn quote(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain && name != "order" { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text constant.
pub(crate) fn text_constant(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl Column {
    pub(crate) fn quoted(&self) -> String {
        quote(&self.name)
    }

    /// The value as a constant of SQL.
    pub(crate) fn constant(&self, cell: &Cell) -> String {
        match cell {
            None => "null".to_owned(),
            Some(text) if self.kind == Kind::TimestampTz && !text.contains("infinity") => {
                text_constant(&format!("{text}+00"))
            }
            Some(text) => text_constant(text),
        }
    }
}

impl Table {
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    pub(crate) fn column(&self, name: &str) -> Option<(usize, &Column)> {
        self.columns.iter().enumerate().find(|(_, column)| column.name == name)
    }

    /// The statements that make it and fill it.
    pub(crate) fn statements(&self) -> Vec<String> {
        let path = self.path();
        let not_null = |column: &Column| if column.nullable { "" } else { " not null" };
        let mut parts: Vec<String> = self
            .columns
            .iter()
            .map(|column| format!("{} {}{}", column.quoted(), column.kind.declared(), not_null(column)))
            .collect();
        if !self.key.is_empty() {
            let names: Vec<String> = self.key.iter().map(|at| self.columns[*at].quoted()).collect();
            parts.push(format!("primary key ({})", names.join(", ")));
        }
        let by = match self.spread {
            Spread::Partitioned(at) => format!(" partition by list ({})", self.columns[at].quoted()),
            Spread::Whole | Spread::Inherited(_) => String::new(),
        };
        let mut made = vec![format!("create table {path} ({}){by}", parts.join(", "))];
        match self.spread {
            Spread::Whole => made.extend(inserted(&path, &self.columns, &self.rows)),
            Spread::Partitioned(_) => {
                made.push(format!(
                    "create table {path}_own partition of {path} for values in ('{OWN_PARTITION}')"
                ));
                made.push(format!("create table {path}_rest partition of {path} default"));
                made.extend(inserted(&path, &self.columns, &self.rows));
            }
            Spread::Inherited(at) => {
                made.push(format!("create table {path}_kid (extra int4 default 7) inherits ({path})"));
                made.extend(inserted(&path, &self.columns, &self.rows[..at]));
                made.extend(inserted(&format!("{path}_kid"), &self.columns, &self.rows[at..]));
            }
        }
        made.extend(self.extras.iter().cloned());
        made
    }
}

/// The statement that fills a table, where it has rows.
pub(crate) fn inserted(path: &str, columns: &[Column], rows: &[Vec<Cell>]) -> Option<String> {
    if rows.is_empty() {
        return None;
    }
    if columns.is_empty() {
        return Some(vec![format!("insert into {path} default values"); rows.len()].join(";\n"));
    }
    let row = |row: &Vec<Cell>| {
        let constants: Vec<String> =
            columns.iter().zip(row).map(|(column, cell)| column.constant(cell)).collect();
        format!("({})", constants.join(", "))
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    Some(format!("insert into {path} values {}", rows.join(", ")))
}
