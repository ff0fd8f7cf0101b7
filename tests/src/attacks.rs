//! Attacks. Two stores differ in nothing but what alice may not see: hidden rows, hidden and masked cells, how many hidden
//! rows there are. An attack that can tell one from the other on the naked server must see no difference through the
//! gateway: not in rows, counts, tags, errors or notices.
//!
//! Each file under `fixtures/attacks/` is one: `asked` has one message a paragraph, all in one session. `shows` is a text
//! that the naked server answers with, for what no hidden row decides.

use std::error::Error;
use std::process::Command;

use testkit::canary::{self, Canaries};
use testkit::case::Case;
use testkit::{Database, Postgres, postgres, workspace};
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Type};

use crate::gateway::{Gateway, PASSWORD, Setup};

#[test]
fn every_attack_works_on_the_naked_server() {
    work(&attacks());
}

/// Those for newer servers than Debian's: CI asks for them where it has one.
#[test]
fn every_attack_of_newer_servers_works_on_the_naked_server() {
    work(&attacks().into_iter().filter(|attack| attack.section("since").is_some()).collect::<Vec<_>>());
}

fn work(attacks: &[Case]) {
    let stores = [store(&[]), store(&hidden().0)];
    let mut tame = String::new();
    for attack in attacks {
        let [one, other] = stores.each_ref().map(|store| answer(attack, &naked(store)));
        let shown = attack.section("shows").is_some_and(|shown| one.contains(shown));
        if one == other && !shown {
            tame += &format!("{}: {}\n{one}\n", attack.path.display(), attack.title);
        }
    }
    assert!(tame.is_empty(), "these are no attacks:\n{tame}");
    eprintln!("{} attacks", attacks.len());
}

#[test]
fn no_attack_works_through_the_gateway() {
    let (changes, canaries) = hidden();
    let gateways = [gateway(Vec::new()), gateway(changes)];
    let mut leaks = String::new();
    for attack in attacks() {
        let [one, other] =
            gateways.each_ref().map(|gateway| answer(&attack, &through(gateway, attack.caller())));
        let found = canaries.found_in(other.as_bytes());
        let shown = attack.section("shows").is_some_and(|shown| one.contains(shown));
        if one != other || !found.is_empty() || shown {
            leaks += &format!("{}: {}\n{found:?}\n{one}\n{other}\n", attack.path.display(), attack.title);
        }
        assert!(!one.contains("server closed the connection"), "{} ends the session", attack.path.display());
    }
    assert!(leaks.is_empty(), "{leaks}");
}

#[tokio::test]
async fn no_attack_works_in_the_extended_protocol_and_binary() {
    let (changes, canaries) = hidden();
    let gateways = [gateway(Vec::new()), gateway(changes)];
    let mut leaks = String::new();
    for attack in attacks() {
        let mut answers = Vec::new();
        for gateway in &gateways {
            let client = gateway.client(attack.caller()).await;
            let mut answer = Vec::new();
            for message in attack.given("asked").split("\n\n") {
                answer.extend(binary_answer(&client, message).await);
            }
            answers.push(answer);
        }
        let found = canaries.found_in(&answers[1]);
        if answers[0] != answers[1] || !found.is_empty() {
            let [one, other] =
                [&answers[0], &answers[1]].map(|answer| String::from_utf8_lossy(answer).into_owned());
            leaks += &format!("{}: {}\n{found:?}\n{one}\n{other}\n", attack.path.display(), attack.title);
        }
    }
    assert!(leaks.is_empty(), "{leaks}");
}

/// A description and the rows of one statement as bytes, or the whole error.
async fn binary_answer(client: &Client, message: &str) -> Vec<u8> {
    if message.starts_with("copy ") {
        let copied = crate::cases::copied(client, message).await;
        return copied.unwrap_or_else(|error| format!("{:?}\n", error.as_db_error()).into_bytes());
    }
    let answered = async {
        let statement = client.prepare(message).await?;
        // Without the table's number, which differs between the two.
        let columns =
            statement.columns().iter().map(|column| (column.name(), column.type_(), column.column_id()));
        let mut answer = format!("{:?}\n", columns.collect::<Vec<_>>()).into_bytes();
        for row in client.query(&statement, &[]).await? {
            for column in 0..row.len() {
                answer.extend(
                    row.get::<_, Option<Bytes>>(column).map_or_else(|| b"NULL".to_vec(), |bytes| bytes.0),
                );
                answer.push(b'|');
            }
        }
        Ok::<_, tokio_postgres::Error>(answer)
    };
    answered.await.unwrap_or_else(|error| format!("{:?}\n", error.as_db_error()).into_bytes())
}

/// A value of any type, as it came.
struct Bytes(Vec<u8>);

impl<'a> FromSql<'a> for Bytes {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn attacks() -> Vec<Case> {
    let mut attacks = Case::read_all(&workspace::fixture("attacks"));
    assert!(attacks.len() >= 120, "only {} attacks", attacks.len());
    let server = Postgres::shared().version();
    attacks.retain(|attack| attack.is_for(server));
    attacks
}

/// The store of the demo with the traps of `fixtures/attacks/store.sql`.
fn store(changes: &[String]) -> Database<'static> {
    let store = Postgres::shared().database_with("crm");
    for statements in preparation(changes) {
        store.run(&statements);
    }
    store
}

pub(crate) fn gateway(changes: Vec<String>) -> Gateway {
    let more = Some(workspace::fixture("attacks/policy/40-profiles.yaml"));
    Gateway::start_with(&Setup { prepare: preparation(&changes), more, ..Setup::default() })
}

fn preparation(changes: &[String]) -> Vec<String> {
    let mut all = changes.to_vec();
    all.push(workspace::fixture_text("attacks/store.sql"));
    all
}

/// What makes the other store: every cell that alice may not see has another value, texts are canaries.
pub(crate) fn hidden() -> (Vec<String>, Canaries) {
    let mut canaries = Canaries::default();
    let mut fresh = |label: &str, id: u64| {
        let canary = canary::text(label, id);
        canaries.add_text(&canary);
        canary
    };
    let mut changes = Vec::new();
    for id in (2..8).chain(101..401).filter(|id| *id != 3) {
        let [name, notes, label] = ["name", "notes", "label"].map(|column| fresh(column, id));
        changes.push(format!(
            "update customers set name = '{name}', notes = '{notes}', internal_label = '{label}', \
             email = '{name}@example.net', ssn = '999-' || right(ssn, 7), salary = 11.5 + {id} * 7 where id = {id}"
        ));
    }
    for id in [1, 3] {
        // Of the visible rows the masks show the first letter, the domain, the last four digits.
        let label = fresh("label", id);
        changes.push(format!(
            "update customers set internal_label = '{label}', email = left(email, 1) || 'nother@example.org', \
             ssn = '777-88-' || right(ssn, 4), salary = salary * 1.37 where id = {id}"
        ));
    }
    for id in 1..9 {
        let [name, title] = ["employee", "title"].map(|column| fresh(column, id));
        changes.push(format!(
            "update employees set name = '{name}', title = '{title}', salary = {id} where id = {id}"
        ));
    }
    let secret = fresh("payload", 0);
    changes.push(format!("update events set payload = jsonb_build_object('secret', '{secret}', 'id', id)"));
    let [secret, other] = ["secret", "assigned"].map(|label| fresh(label, 1));
    changes.push(format!(
        "update profiles set details = replace(replace(replace(details::text, 'owes a favour', '{secret}'), \
         'a cousin', '{secret}'), '4111-1111', '4999-9911')::jsonb, history = replace(replace(history::text, \
         'sued once', '{secret}'), 'sued twice', 'longer {secret}')::json, codes = array['AX-99', 'CX-99'], \
         born = '1987-01-01', score = 4799 where customer_id = 1; \
         update profiles set details = replace(details::text, 'a cousin', '{secret}')::jsonb, codes[0] = 'GX-99', \
         born = '1955-12-31', score = -77 where customer_id = 3; \
         update profiles set details = '{{\"tier\": \"9\", \"secret\": \"{secret}\"}}', score = 1, born = '2000-01-01' \
         where customer_id in (2, 5); \
         insert into profiles values (8, '{{\"secret\": \"{secret}\"}}', null, '{{{secret}}}', null, 7); \
         update assignments set agent = '{other}', customer_id = 8 where agent = 'bob'; \
         insert into assignments values ('alice', 9999), ('{other}', 1)"
    ));
    // There are other hidden rows, too.
    changes.push("alter table orders drop constraint orders_customer_id_fkey".to_owned());
    changes.push(
        "delete from customers where id = 2 or id % 10 = 0; insert into customers (id) values (8)".to_owned(),
    );
    changes.push("insert into employees (id) values (9), (10)".to_owned());
    (vec![changes.join(";\n")], canaries)
}

/// How psql gets somewhere.
struct Way {
    variables: Vec<(&'static str, String)>,
    /// What differs between two ways, and is nobody's secret.
    names: Vec<String>,
}

fn naked(store: &Database<'_>) -> Way {
    Way {
        variables: vec![
            ("PGHOST", store.server().socket_folder().display().to_string()),
            ("PGPORT", store.server().port().to_string()),
            ("PGUSER", postgres::SUPERUSER.to_owned()),
            ("PGDATABASE", store.name.clone()),
        ],
        names: vec![store.name.clone()],
    }
}

fn through(gateway: &Gateway, caller: &str) -> Way {
    Way {
        variables: vec![
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", gateway.port().to_string()),
            ("PGUSER", caller.to_owned()),
            ("PGPASSWORD", PASSWORD.to_owned()),
            ("PGDATABASE", "crm".to_owned()),
        ],
        names: vec![gateway.store.name.clone()],
    }
}

/// Everything that psql shows for an attack.
fn answer(attack: &Case, way: &Way) -> String {
    let mut psql = Command::new(postgres::program("psql"));
    psql.args(["-X", "-A", "-v", "VERBOSITY=verbose"]).envs(way.variables.iter().cloned());
    for message in attack.given("asked").split("\n\n") {
        psql.arg("-c").arg(message);
    }
    let output = psql.output().unwrap();
    let mut text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    for name in &way.names {
        text = text.replace(name, "(database)");
    }
    // psql repeats what it sent itself.
    text.lines().filter(|line| !line.starts_with("LINE ")).collect::<Vec<_>>().join("\n")
}
