//! What a caller may see, by the words of the policy language: each row and each cell by itself.

use super::kind::Kind;
use super::mask::{Mask, capped};
use super::people::Person;
use super::rules::{Key, Rule, RuleKind, Rules};
use super::world::{Cell, Column, OWN_PARTITION, Spread, Table, inserted};

/// A relation as the caller sees it.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) schema: &'static str,
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// What the first cell of these rows holds in the store: a number that no other row has.
    pub(crate) stored: Vec<String>,
    /// The primary key, where all of it is shown in clear.
    pub(crate) key: Vec<String>,
    /// Whether there are tables behind it.
    pub(crate) spread: bool,
}

/// What becomes of a table.
#[derive(Debug, Clone)]
pub(crate) enum Sight {
    /// The relation, and its partitions behind it.
    Shown(Vec<Shown>),
    Denied,
    /// It does not exist for anybody.
    Closed,
}

impl Sight {
    pub(crate) fn relations(self) -> Vec<Shown> {
        match self {
            Self::Shown(relations) => relations,
            Self::Denied | Self::Closed => Vec::new(),
        }
    }
}

/// What this person sees of a table.
pub(crate) fn sight(rules: &Rules, tables: &[Table], at: usize, person: &Person) -> Sight {
    let view = match view(rules, tables, at, person) {
        Ok(view) => view,
        Err(sight) => return sight,
    };
    let table = &tables[at];
    let fields: Vec<Field<'_>> =
        (0..table.columns.len()).filter_map(|place| view.field(rules, at, table, place)).collect();
    let stored: Vec<&Vec<Cell>> =
        table.rows.iter().filter(|cells| view.shows(table, cells, person)).collect();
    let row = |cells: &&Vec<Cell>| fields.iter().map(|field| field.cell(table, cells, person)).collect();
    let clear = |place: &usize| fields.iter().any(|field| field.place == *place && view.clear(field));
    let key = if table.key.iter().all(clear) { table.key.as_slice() } else { &[] };
    let whole = Shown {
        schema: table.schema,
        name: table.name.clone(),
        columns: fields.iter().map(|field| table.columns[field.place].clone()).collect(),
        rows: stored.iter().map(row).collect(),
        stored: stored.iter().filter_map(|cells| cells[0].clone()).collect(),
        key: key.iter().map(|place| table.columns[*place].name.clone()).collect(),
        spread: table.spread != Spread::Whole,
    };
    let mut shown = vec![whole];
    for (suffix, holds) in parts(table) {
        let rows = stored.iter().zip(&shown[0].rows).filter(|(stored, _)| holds(stored));
        let rows = rows.map(|(_, shown)| shown.clone()).collect();
        let name = format!("{}_{suffix}", table.name);
        shown.push(Shown { name, rows, spread: false, ..shown[0].clone() });
    }
    Sight::Shown(shown)
}

type Holds = Box<dyn Fn(&[Cell]) -> bool>;

/// The tables behind a table, by the ends of their names, and which of its rows each holds.
fn parts(table: &Table) -> Vec<(&'static str, Holds)> {
    match table.spread {
        Spread::Whole => Vec::new(),
        Spread::Partitioned(by) => {
            let own = move |cells: &[Cell]| cells[by].as_deref() == Some(OWN_PARTITION);
            vec![("own", Box::new(own)), ("rest", Box::new(move |cells| !own(cells)))]
        }
        Spread::Inherited(at) => {
            let first: Vec<Cell> = table.rows[at..].iter().map(|row| row[0].clone()).collect();
            vec![("kid", Box::new(move |cells| first.contains(&cells[0])))]
        }
    }
}

/// Whether a rule admits a row.
fn admits(rule: &Rule, table: &Table, cells: &[Cell], person: &Person) -> bool {
    let row = |name: &str| table.column(name).and_then(|(place, _)| cells[place].clone());
    rule.rows.as_ref().is_none_or(|rows| rows.eval(person, &row) == Some(true))
}

/// The rules that apply.
struct View<'r> {
    allows: Vec<&'r Rule>,
    restricts: Vec<&'r Rule>,
}

fn view<'r>(rules: &'r Rules, tables: &[Table], at: usize, person: &Person) -> Result<View<'r>, Sight> {
    let table = &tables[at];
    let covering: Vec<&Rule> = rules.rules.iter().filter(|rule| rule.data.contains(&at)).collect();
    let typed = |rule: &Rule| {
        let shown = rule.show.iter().all(|(key, mask)| match key {
            Key::Class(_) => true,
            Key::Field(name) => table
                .column(name)
                .is_some_and(|(_, column)| rule.kind != RuleKind::Allow || mask.fits(column.kind)),
        });
        let lines = rule.kind != RuleKind::Allow || own_lines_fit(rules, at, table, rule);
        shown && lines && rule.rows.as_ref().is_none_or(|rows| rows.fits(table))
    };
    if covering.iter().any(|rule| rule.kind != RuleKind::Allow && !typed(rule)) {
        return Err(Sight::Closed);
    }
    let to = |rule: &Rule| rule.to.eval(person, &|_| None);
    let of = |kind| covering.iter().copied().filter(move |rule| rule.kind == kind);
    if of(RuleKind::Deny).any(|rule| to(rule) != Some(false)) {
        return Err(Sight::Denied);
    }
    let allows: Vec<&Rule> =
        of(RuleKind::Allow).filter(|rule| typed(rule) && to(rule) == Some(true)).collect();
    if allows.is_empty() {
        return Err(Sight::Denied);
    }
    Ok(View { allows, restricts: of(RuleKind::Restrict).filter(|rule| to(rule) != Some(false)).collect() })
}

/// Whether every line of an allow that is the most specific one of a field fits that field.
fn own_lines_fit(rules: &Rules, at: usize, table: &Table, rule: &Rule) -> bool {
    table.columns.iter().zip(&rules.classes[at]).all(|(column, class)| {
        let Some(class) = class else { return true };
        own_line(rule, &column.name, class).is_none_or(|mask| mask.fits(column.kind))
    })
}

impl<'r> View<'r> {
    /// Whether any allow admits the row and every restrict does.
    fn shows(&self, table: &Table, cells: &[Cell], person: &Person) -> bool {
        let admits = |rule: &&Rule| admits(rule, table, cells, person);
        self.allows.iter().any(admits) && self.restricts.iter().all(admits)
    }

    /// A field, where it exists.
    fn field(&self, rules: &Rules, at: usize, table: &Table, place: usize) -> Option<Field<'r>> {
        let (column, class) = (&table.columns[place], rules.classes[at][place]?);
        let covers = |key: &Key| match key {
            Key::Field(name) => *name == column.name,
            Key::Class(covering) => lineage(class).any(|ancestor| ancestor == *covering),
        };
        let lines = self.restricts.iter().flat_map(|restrict| &restrict.show);
        let caps: Vec<Mask> = lines
            .filter(|(key, _)| covers(key))
            .map(|(_, mask)| if mask.fits(column.kind) { mask.clone() } else { Mask::Nullify })
            .collect();
        if caps.contains(&Mask::Hide) {
            return None;
        }
        let shown: Vec<(&Rule, Mask)> = self
            .allows
            .iter()
            .map(|allow| (*allow, shown_by(rules, allow, column.kind, &column.name, class)))
            .filter(|(_, mask)| *mask != Mask::Hide)
            .map(|(allow, mask)| (allow, capped(&mask, &caps)))
            .collect();
        (!shown.is_empty()).then_some(Field { place, shown })
    }

    /// Whether a field is shown in clear by each allow.
    fn clear(&self, field: &Field<'_>) -> bool {
        field.shown.len() == self.allows.len() && field.shown.iter().all(|(_, mask)| *mask == Mask::Clear)
    }
}

/// A field that exists, and what each of the allows that show it shows, capped.
struct Field<'r> {
    place: usize,
    shown: Vec<(&'r Rule, Mask)>,
}

impl Field<'_> {
    /// What the most revealing of the allows that admit the row shows.
    fn cell(&self, table: &Table, cells: &[Cell], person: &Person) -> Cell {
        let admitting = self.shown.iter().filter(|(allow, _)| admits(allow, table, cells, person));
        let mask = admitting.map(|(_, mask)| mask).min_by_key(|mask| mask.rank())?;
        mask.apply(table.columns[self.place].kind, &cells[self.place])
    }
}

/// What an allow shows of a field: its own line, or what its class shows.
fn shown_by(rules: &Rules, allow: &Rule, kind: Kind, name: &str, class: &'static str) -> Mask {
    if let Some(mask) = own_line(allow, name, class) {
        return mask.clone();
    }
    if matches!(class, "open" | "key") {
        return Mask::Clear;
    }
    let line = |class: &str| rules.masks.iter().find(|(other, _)| *other == class);
    let (_, mask) = lineage(class).find_map(line).unwrap();
    if mask.fits(kind) { mask.clone() } else { Mask::Hide }
}

fn own_line<'r>(rule: &'r Rule, name: &str, class: &'static str) -> Option<&'r Mask> {
    let line = |wanted: &Key| rule.show.iter().find(|(key, _)| key == wanted);
    let by_class = || lineage(class).find_map(|class| line(&Key::Class(class)));
    line(&Key::Field(name.to_owned())).or_else(by_class).map(|(_, mask)| mask)
}

/// The class and its ancestors, from the most specific on.
fn lineage(class: &'static str) -> impl Iterator<Item = &'static str> {
    std::iter::successors(Some(class), |class| class.rsplit_once('.').map(|(parent, _)| parent))
}

impl Shown {
    /// Whether it holds a part of the rows of another.
    pub(crate) fn is_partition(&self) -> bool {
        self.name.contains('_')
    }

    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// The statements that make it and fill it, as a table of its own.
    /// The view of it, in which the same is seen.
    pub(crate) fn seen(&self) -> Option<Self> {
        let name = format!("{}_seen", self.name);
        let view = Self { name, key: Vec::new(), spread: false, ..self.clone() };
        (!self.is_partition() && !self.columns.is_empty()).then_some(view)
    }

    pub(crate) fn statements(&self) -> Vec<String> {
        let mut parts: Vec<String> =
            self.columns.iter().map(|column| format!("{} {}", column.quoted(), column.kind.base())).collect();
        if !self.key.is_empty() {
            let key: Vec<String> = self.key.iter().map(|name| super::world::quote(name)).collect();
            parts.push(format!("primary key ({})", key.join(", ")));
        }
        let mut made = vec![format!("create table {} ({})", self.path(), parts.join(", "))];
        made.extend(inserted(&self.path(), &self.columns, &self.rows));
        made
    }
}
