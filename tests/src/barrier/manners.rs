//! The ways in which one query can be sent, and what it answers.

use tokio_postgres::{Client, SimpleQueryMessage};

/// How a query is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Prepared as it is.
    Plain,
    /// With parameters of declared types in place of its numbers, planned for their values.
    Custom,
    /// The same, planned for whatever values.
    Generic,
    /// With parameters whose types the server finds, planned for whatever values.
    Untyped,
    /// Read by a cursor.
    Cursor,
    /// Copied out.
    Copy,
    /// Explained, and run.
    Explain,
}

pub(crate) const MANNERS: [Manner; 7] = [
    Manner::Plain,
    Manner::Custom,
    Manner::Generic,
    Manner::Untyped,
    Manner::Cursor,
    Manner::Copy,
    Manner::Explain,
];

/// What is asked in a manner: the text, and the values of its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) text: String,
    values: Vec<String>,
    manner: Manner,
}

const INT4: u32 = 23;

/// What a query answers: its rows, sorted, or what it failed with.
pub(crate) type Answer = Result<Vec<Vec<Option<String>>>, String>;

impl Asked {
    /// `given` is the value of `$1` where it stands already.
    pub(crate) fn new(query: &str, given: Option<&str>, manner: Manner) -> Self {
        // Values stand in no cursor, COPY or EXPLAIN of their own.
        let alone = matches!(manner, Manner::Cursor | Manner::Copy | Manner::Explain);
        let manner = if alone && given.is_some() { Manner::Custom } else { manner };
        let mut values: Vec<String> = given.map(str::to_owned).into_iter().collect();
        let text = match manner {
            Manner::Plain => query.to_owned(),
            Manner::Custom | Manner::Generic | Manner::Untyped => with_parameters(query, &mut values),
            Manner::Cursor => format!("begin; declare cur cursor for {query}; fetch all from cur; commit"),
            Manner::Copy => format!("copy ({query}) to stdout"),
            Manner::Explain => format!("explain (analyze, timing off, summary off) {query}"),
        };
        Self { text, values, manner }
    }

    /// The types that the client declares for the parameters.
    pub(crate) fn types(&self) -> Vec<u32> {
        match self.manner {
            Manner::Custom | Manner::Generic => vec![INT4; self.values.len()],
            Manner::Plain | Manner::Untyped | Manner::Cursor | Manner::Copy | Manner::Explain => Vec::new(),
        }
    }

    /// The answer to a text that is this one, or what is sent for it.
    pub(crate) async fn answer(&self, client: &Client, text: &str) -> Answer {
        if self.manner == Manner::Copy {
            let copied = crate::cases::copied(client, text).await.map_err(|error| state(&error))?;
            let copied = String::from_utf8(copied).unwrap();
            let mut rows: Vec<_> = copied.lines().map(|line| vec![Some(line.to_owned())]).collect();
            rows.sort_unstable();
            return Ok(rows);
        }
        let whole = if matches!(self.manner, Manner::Cursor | Manner::Explain) {
            text.to_owned()
        } else {
            self.executed(text)
        };
        let answered = client.simple_query(&whole).await.map_err(|error| state(&error));
        if self.manner == Manner::Cursor && answered.is_err() {
            client.batch_execute("rollback").await.unwrap();
        }
        let answered = answered?;
        if self.manner == Manner::Explain {
            // A plan counts hidden rows: here only whether it fails.
            return Ok(Vec::new());
        }
        let row = |message: &SimpleQueryMessage| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
        };
        let mut rows: Vec<Vec<Option<String>>> = answered.iter().filter_map(row).collect();
        rows.sort_unstable();
        Ok(rows)
    }

    fn executed(&self, text: &str) -> String {
        let mode = match self.manner {
            Manner::Generic | Manner::Untyped => "force_generic_plan",
            Manner::Plain | Manner::Custom | Manner::Cursor | Manner::Copy | Manner::Explain => {
                "force_custom_plan"
            }
        };
        let types = self.types().iter().map(|_| "int").collect::<Vec<_>>().join(", ");
        let types = if types.is_empty() { types } else { format!("({types})") };
        let values = self.values.join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        format!(
            "deallocate all; set plan_cache_mode = {mode}; prepare p{types} as {text}; execute p{values}; execute p{values}"
        )
    }
}

/// The text with a parameter in place of each number, but for those that are places of a select list or counts.
fn with_parameters(query: &str, values: &mut Vec<String>) -> String {
    let mut text = String::new();
    for part in parts(query) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !is_place(&text) {
            values.push(part);
            text += &format!("${}", values.len());
        } else {
            text += &part;
        }
    }
    text
}

/// Constants in quotes, words, numbers, and what stands between them.
fn parts(query: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut in_quotes = false;
    for letter in query.chars() {
        let of_a_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$');
        let goes_on = |part: &&mut String| in_quotes || (part.chars().all(of_a_word) && of_a_word(letter));
        match parts.last_mut().filter(goes_on) {
            Some(part) => part.push(letter),
            None => parts.push(letter.into()),
        }
        in_quotes ^= letter == '\'';
    }
    parts
}

/// Whether a number behind this is no value: `group by 1, 2`, `limit 3`.
fn is_place(before: &str) -> bool {
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == ',' || c == ' ' || c == '(');
    ["by", "limit", "offset", "first"].iter().any(|word| before.ends_with(word))
}

fn state(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |error| {
            let code = error.code().code();
            // What the printer or the rewriter broke is no answer of the data.
            if matches!(code, "42601" | "42703" | "42803" | "42P01" | "42883") {
                format!("{code} {}", error.message().replace("pg_catalog.", ""))
            } else {
                code.to_owned()
            }
        },
    )
}
