//! Random statements, asked of two gateways whose stores differ in nothing but what the caller may not see: each must
//! answer the same, rows and errors and tags.
//!
//! The stores are those of the attacks. `VEILGATE_DIFFER_SECONDS` goes on for so long, `VEILGATE_SEED` starts elsewhere.

mod write;

use std::time::{Duration, Instant};

use tokio_postgres::{Client, SimpleQueryMessage};

use crate::attacks;
use crate::property::dice::Dice;

/// Statements where nobody says how long to go on.
const STATEMENTS: usize = 120;

#[tokio::test]
async fn random_statements_tell_nothing_hidden() {
    let (changes, canaries) = attacks::hidden();
    let gateways = [attacks::gateway(Vec::new()), attacks::gateway(changes)];
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seconds = number("VEILGATE_DIFFER_SECONDS");
    let mut dice = Dice::new(number("VEILGATE_SEED").unwrap_or(1));
    let clients = [gateways[0].client("alice").await, gateways[1].client("alice").await];
    for client in &clients {
        client.batch_execute("set statement_timeout = 4000").await.unwrap();
    }
    let (mut asked, mut answered, mut rows) = (0, 0, 0);
    let mut refusals = std::collections::BTreeMap::<String, usize>::new();
    let mut found = Vec::new();
    let began = Instant::now();
    loop {
        let over = match seconds {
            Some(seconds) => began.elapsed() > Duration::from_secs(seconds),
            None => asked >= STATEMENTS,
        };
        if over || found.len() >= 10 {
            break;
        }
        let text = write::statement(&mut dice);
        asked += 1;
        let name = |at: usize| gateways[at].store.name.as_str();
        let one = answer(&clients[0], &text, name(0)).await;
        let other = answer(&clients[1], &text, name(1)).await;
        if [&one, &other].iter().any(|answer| answer.iter().any(|line| line.starts_with("error 57014"))) {
            continue;
        }
        let leaked = canaries.found_in(other.join("\n").as_bytes());
        if one != other || !leaked.is_empty() {
            found.push(format!("{text}\n{leaked:?}\n{}\n{}", short(&one), short(&other)));
        }
        match one.iter().find(|line| line.starts_with("error")) {
            Some(error) => *refusals.entry(error.chars().take(70).collect()).or_default() += 1,
            None => {
                answered += 1;
                rows += one.len();
            }
        }
    }
    eprintln!("{asked} asked, {answered} answered with {rows} lines; {refusals:#?}");
    assert!(found.is_empty(), "{}", found.join("\n\n"));
    assert!(answered * 4 >= asked, "only {answered} of {asked} are answered");
}

/// Everything that comes back, in an order that says nothing.
async fn answer(client: &Client, text: &str, database: &str) -> Vec<String> {
    let lines = lines(client, text).await;
    sorted(lines.iter().map(|line| line.replace(database, "(database)")).collect())
}

async fn lines(client: &Client, text: &str) -> Vec<String> {
    if text.starts_with("copy ") {
        return match crate::cases::copied(client, text).await {
            Ok(copied) => String::from_utf8_lossy(&copied).lines().map(str::to_owned).collect(),
            Err(error) => vec![said(&error)],
        };
    }
    let answered = client.simple_query(text).await;
    if answered.is_err() {
        let _ = client.simple_query("rollback; deallocate all").await;
    }
    match answered {
        Ok(messages) => messages.iter().map(line).collect(),
        Err(error) => vec![said(&error)],
    }
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort_unstable();
    lines
}

fn line(message: &SimpleQueryMessage) -> String {
    match message {
        SimpleQueryMessage::Row(row) => {
            let values: Vec<_> = (0..row.len()).map(|at| format!("{:?}", row.get(at))).collect();
            values.join("|")
        }
        SimpleQueryMessage::RowDescription(columns) => {
            columns.iter().map(|column| column.name()).collect::<Vec<_>>().join("|")
        }
        SimpleQueryMessage::CommandComplete(count) => format!("{count} rows"),
        _ => String::new(),
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || format!("error {error}"),
        |said| format!("error {} {} {said:?}", said.code().code(), said.message()),
    )
}

fn short(lines: &[String]) -> String {
    lines.join("\n").chars().take(600).collect()
}
