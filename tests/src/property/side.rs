//! One of the two databases: the store with all rows, or the model with what the caller may see.

use std::str::FromStr;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Config, Error, NoTls, SimpleQueryMessage};

use super::query::{Query, Ty};

/// A connection that queries run on, and the settings that it has.
pub(crate) struct Side {
    client: Client,
    settings: &'static str,
    prepared: usize,
}

/// How a query runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Planner settings.
    pub(crate) settings: &'static str,
    /// Whether it is prepared first, which a query with parameters always is.
    pub(crate) prepared: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Rows { columns: Vec<Described>, rows: Vec<Vec<Option<String>>> },
    Failed { code: String, message: String },
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Described {
    name: String,
    /// Types of the database's own have another oid in each.
    ty: u32,
    modifier: i32,
}

/// Planner settings that lead to other plans.
pub(crate) const PLANS: [&str; 7] = [
    "",
    "set enable_hashjoin = off; set enable_mergejoin = off",
    "set enable_nestloop = off",
    "set enable_seqscan = off",
    "set enable_hashagg = off; set enable_sort = off; set enable_material = off",
    "set from_collapse_limit = 1; set join_collapse_limit = 1",
    "set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0; \
     set force_parallel_mode = on",
];

const RECORD: u32 = 2249;
const FIRST_USER_OID: u32 = 16_384;

impl Side {
    /// A connection whose relations are found along this path.
    pub(crate) async fn connect(config: &Config, path: &str) -> Self {
        let mut config = config.clone();
        config.options(format!("-c search_path={} -c statement_timeout=8000", path.replace(' ', "")));
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        Self { client, settings: "", prepared: 0 }
    }

    /// A connection by connection string.
    pub(crate) async fn connect_url(url: &str, path: &str) -> Self {
        Self::connect(&Config::from_str(url).unwrap(), path).await
    }

    /// Runs the statements of a schema.
    pub(crate) async fn make(&self, statements: &[String]) {
        for statement in statements {
            let made = self.client.batch_execute(statement).await;
            made.unwrap_or_else(|error| panic!("{statement}: {:?}", error.as_db_error()));
        }
    }

    /// Runs a query.
    pub(crate) async fn run(&mut self, text: &str, query: &Query, manner: Manner) -> Outcome {
        if manner.settings != self.settings {
            self.client.batch_execute(&format!("reset all; {}", manner.settings)).await.unwrap();
            self.settings = manner.settings;
        }
        match self.try_run(text, query, manner.prepared).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let said = error.as_db_error().unwrap_or_else(|| panic!("{error}: {text}"));
                Outcome::Failed { code: said.code().code().to_owned(), message: said.message().to_owned() }
            }
        }
    }

    /// Runs a query inside a transaction, under settings that end with it.
    pub(crate) async fn run_again(&mut self, text: &str, query: &Query, settings: &'static str) -> Outcome {
        if !settings.is_empty() {
            self.client.batch_execute(settings).await.unwrap();
        }
        self.run(text, query, Manner { settings: self.settings, prepared: true }).await
    }

    async fn try_run(&mut self, text: &str, query: &Query, prepared: bool) -> Result<Outcome, Error> {
        let types: Vec<Type> =
            query.parameters.iter().map(|(ty, _)| Type::from_oid(oid(*ty)).unwrap()).collect();
        let statement = self.client.prepare_typed(text, &types).await?;
        let columns = statement.columns().iter().map(|column| {
            let oid = column.type_().oid();
            let own = oid >= FIRST_USER_OID || oid == RECORD;
            Described {
                name: column.name().to_owned(),
                ty: if own { 0 } else { oid },
                modifier: column.type_modifier(),
            }
        });
        let columns: Vec<Described> = columns.collect();
        if !prepared && query.parameters.is_empty() {
            return Ok(Outcome::Rows { columns, rows: rows(self.client.simple_query(text).await?) });
        }
        self.prepared += 1;
        let name = format!("q{}", self.prepared);
        let (mut types, mut values) = (Vec::new(), Vec::new());
        for (ty, value) in &query.parameters {
            types.push(
                ty.name().trim_end_matches("(5)").replace("char", "bpchar").replace("varbpchar", "varchar"),
            );
            values.push(value.clone());
        }
        let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
        let values = if values.is_empty() { String::new() } else { format!(" ({})", values.join(", ")) };
        self.client.batch_execute(&format!("prepare {name}{types} as {text}")).await?;
        let ran = self.client.simple_query(&format!("execute {name}{values}")).await?;
        self.client.batch_execute(&format!("deallocate {name}")).await?;
        Ok(Outcome::Rows { columns, rows: rows(ran) })
    }
}

fn rows(messages: Vec<SimpleQueryMessage>) -> Vec<Vec<Option<String>>> {
    let row = |message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        }
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

/// The oid of a type that a parameter can have.
pub(crate) fn oid(ty: Ty) -> u32 {
    match ty {
        Ty::Int2 => 21,
        Ty::Int4 => 23,
        Ty::Int8 => 20,
        Ty::Numeric => 1700,
        Ty::Float8 => 701,
        Ty::Text | Ty::Mood => 25,
        Ty::Varchar => 1043,
        Ty::Char => 1042,
        Ty::Bool => 16,
        Ty::Date => 1082,
        Ty::Timestamp => 1114,
        Ty::TimestampTz => 1184,
        Ty::Uuid => 2950,
        Ty::Texts => 1009,
        Ty::Jsonb => 3802,
    }
}

/// The class of an SQLSTATE: its first two characters.
fn class(code: &str) -> Option<&str> {
    code.get(..2)
}

impl Outcome {
    /// Where two answers differ; none where they are the same.
    pub(crate) fn differs(&self, model: &Self, ordered: bool) -> Option<String> {
        match (self, model) {
            (Self::Failed { code, .. }, Self::Failed { code: other, .. }) if class(code) == class(other) => {
                None
            }
            (Self::Failed { code, message }, _) => {
                Some(format!("the store fails with {code} {message}, the model gives {}", model.short()))
            }
            (_, Self::Failed { code, message }) => {
                Some(format!("the model fails with {code} {message}, the store gives {}", self.short()))
            }
            (Self::Rows { columns, rows }, Self::Rows { columns: wanted, rows: right }) => {
                if columns != wanted {
                    return Some(format!("the columns are {columns:?}\nnot {wanted:?}"));
                }
                let (mut rows, mut right) = (rows.clone(), right.clone());
                if !ordered {
                    rows.sort();
                    right.sort();
                }
                (rows != right).then(|| format!("the rows are {}\nnot {}", self.short(), model.short()))
            }
        }
    }

    fn short(&self) -> String {
        match self {
            Self::Failed { code, message } => format!("{code} {message}"),
            Self::Rows { rows, .. } => {
                let shown: Vec<String> = rows.iter().take(20).map(|row| format!("{row:?}")).collect();
                format!("{} rows:\n  {}", rows.len(), shown.join("\n  ")).replace("Some(", "(")
            }
        }
    }

    pub(crate) fn failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Whether it failed on a value, LIKE over a folding collation among them, rather than on how the query is written.
    pub(crate) fn failed_on_a_value(&self) -> bool {
        matches!(self, Self::Failed { code, .. } if matches!(class(code), Some("0A" | "21" | "22")))
    }

    /// Whether it ran into the limit of time.
    pub(crate) fn timed_out(&self) -> bool {
        matches!(self, Self::Failed { code, .. } if code == "57014")
    }
}
