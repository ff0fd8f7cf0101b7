//! Random queries over what a caller may see: typed, so that most of them succeed.

mod expression;
mod from;
mod select;
mod types;

pub(crate) use types::Ty;

use super::dice::Dice;
use super::model::Shown;
use types::Col;

/// A query, and how it is to be run and compared.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) text: String,
    /// Whether ORDER BY decides the place of every row, but for equal ones.
    pub(crate) ordered: bool,
    /// The types and values of its parameters.
    pub(crate) parameters: Vec<(Ty, String)>,
}

impl Query {
    pub(crate) fn plain(text: String) -> Self {
        Self { text, ordered: false, parameters: Vec::new() }
    }
}

/// A random query.
pub(crate) fn random(dice: &mut Dice, relations: &[Shown], hidden: &[String]) -> Query {
    let (daring, prepared) = (dice.chance(20), dice.chance(25));
    let mut writer = Writer {
        dice,
        relations,
        hidden,
        levels: Vec::new(),
        ctes: Vec::new(),
        next: 0,
        parameters: Vec::new(),
        prepared,
        daring,
        free: true,
        budget: 60,
    };
    let (text, ordered) = writer.top();
    Query { text, ordered, parameters: writer.parameters }
}

/// One relation in FROM, as the expressions see it.
#[derive(Debug, Clone)]
struct Item {
    /// How it is called, quoted.
    alias: String,
    /// `shop.t0`, where that may stand before a column.
    path: Option<String>,
    columns: Vec<Col>,
    /// Columns of its primary key.
    key: Vec<String>,
}

/// One query around an expression.
#[derive(Debug, Clone, Default)]
struct Level {
    items: Vec<Item>,
    /// Names that USING or NATURAL has merged.
    merged: Vec<String>,
    /// What it groups by, where it does.
    grouped: Option<Vec<(String, Ty)>>,
}

/// One name of WITH.
#[derive(Debug, Clone)]
struct Cte {
    name: String,
    columns: Vec<Col>,
}

/// Writes one query.
struct Writer<'a> {
    dice: &'a mut Dice,
    relations: &'a [Shown],
    /// Names of columns that the caller may not see.
    hidden: &'a [String],
    levels: Vec<Level>,
    ctes: Vec<Cte>,
    next: usize,
    parameters: Vec<(Ty, String)>,
    /// Whether constants may become parameters.
    prepared: bool,
    /// Whether what can fail may stand where it is at risk.
    daring: bool,
    /// Whether what can fail may stand here.
    free: bool,
    /// How many more expressions there may be.
    budget: usize,
}

impl Writer<'_> {
    /// A name that nothing else has.
    fn fresh(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// Writes a part that Postgres may evaluate over rows of the tables below.
    fn at_risk<T>(&mut self, write: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.free;
        self.free = self.daring;
        let written = write(self);
        self.free = before;
        written
    }
}
