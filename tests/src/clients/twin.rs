//! A store, the gateway before it, and the store's twin: the same less what a caller may not see.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use testkit::{Database, Postgres, workspace};

use super::{stdout, tap::Tap};
use crate::gateway::{Gateway, PASSWORD, Setup};

/// Who asks, by the gateway and of the twin.
const CALLER: &str = "alice";

/// Words of which none may reach the caller: names of what is hidden, and values.
const HIDDEN: &[&str] = &[
    "qvhidden",
    "employees",
    "profiles",
    "assignments",
    "manager_id",
    "Mara Voss",
    "internal_label",
    "litigation",
    "fraud watch",
    "payload",
    "asked for a discount",
    "Lindqvist",
    "Castelo",
    "ada@example.org",
    "123-45",
    "61000",
    "72300",
];

/// All of it, once for the tests of this process.
#[derive(Debug)]
pub(super) struct Twins {
    gateway: Gateway,
    twin: Database<'static>,
}

impl Twins {
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Twins> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn start() -> Self {
        let seed = Postgres::shared().database_with("crm");
        seed.run(&text("hidden.sql"));
        // Copies keep the oids, so that the two differ in nothing else.
        let twin = Postgres::shared().database_like(&seed.name);
        twin.run(&text("twin.sql"));
        let gateway = Gateway::start_with(&Setup { template: Some(seed.name.clone()), ..Setup::default() });
        Self { gateway, twin }
    }

    /// Fails unless the client says the same of the store through the gateway as it says of the twin, hears nothing of
    /// the hidden, and would have heard it of the store itself.
    pub(super) fn check(&self, what: &str, client: impl Fn() -> Option<Command>) {
        let Some(first) = client() else { return skip(what) };
        let client = || client().expect("it was there before");
        let port = self.twin.server().port();
        let naked = answers(first, port, &self.gateway.store.name);
        assert!(!hidden_in(naked.as_bytes()).is_empty(), "{what} asks for nothing that is hidden:\n{naked}");
        let wanted = answers(client(), port, &self.twin.name).replace(&self.twin.name, "crm");
        assert_eq!(hidden_in(wanted.as_bytes()), [""; 0], "{what}: of the twin");

        let tap = Tap::before(self.gateway.port());
        let mut client = client();
        let output = with_login(&mut client, tap.port, "crm").output().unwrap();
        let given = stdout(&output).replace(&self.gateway.store.name, "crm");
        for heard in tap.heard() {
            let found = hidden_in(&heard);
            assert!(found.is_empty(), "{what} hears {found:?}:\n{}", around(&heard, found[0]));
        }
        let differing = differences(what, &wanted, &given);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(differing.is_empty(), "{what}, of the twin (-) and by the gateway (+):\n{differing}{said}");
    }

    /// What a client that is expected to fail says through the gateway; it hears nothing of the hidden.
    pub(super) fn told(&self, what: &str, client: Option<Command>) -> Option<String> {
        let Some(mut client) = client else {
            skip(what);
            return None;
        };
        let tap = Tap::before(self.gateway.port());
        let output = with_login(&mut client, tap.port, "crm").output().unwrap();
        for heard in tap.heard() {
            assert_eq!(hidden_in(&heard), [""; 0], "{what}");
        }
        Some(stdout(&output) + &String::from_utf8_lossy(&output.stderr))
    }
}

/// The client is not installed here. `./test` installs it; where it cannot, the rest is tested, but not in CI.
fn skip(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "{what} is not installed, and CI tests everything");
    eprintln!("SKIPPED: {what} is not installed; `./test` installs it where it may");
}

/// A file beside the clients.
fn text(file: &str) -> String {
    fs::read_to_string(workspace::root().join("tests/clients").join(file)).unwrap()
}

fn answers(mut client: Command, port: u16, database: &str) -> String {
    let output = with_login(&mut client, port, database).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{client:?}\n{}{said}", stdout(&output));
    stdout(&output)
}

/// Without TLS, so that the tap reads along.
fn with_login<'a>(client: &'a mut Command, port: u16, database: &str) -> &'a mut Command {
    client.env("PGHOST", "127.0.0.1").env("PGPORT", port.to_string()).env("PGDATABASE", database);
    client.env("PGUSER", CALLER).env("PGPASSWORD", PASSWORD).env("PGSSLMODE", "disable").env("TZ", "UTC")
}

fn hidden_in(bytes: &[u8]) -> Vec<&'static str> {
    let lower = bytes.to_ascii_lowercase();
    let holds = |word: &str| find(&lower, word).is_some();
    HIDDEN.iter().copied().filter(|word| holds(word)).collect()
}

fn find(lower: &[u8], word: &str) -> Option<usize> {
    let word = word.to_ascii_lowercase();
    lower.windows(word.len()).position(|window| window == word.as_bytes())
}

/// The bytes on both sides of a word.
fn around(bytes: &[u8], word: &str) -> String {
    let at = find(&bytes.to_ascii_lowercase(), word).unwrap_or_default();
    let near = &bytes[at.saturating_sub(300)..bytes.len().min(at + 300)];
    String::from_utf8_lossy(near).into_owned()
}

/// Questions of which the answers differ, but for those that `otherwise.txt` names with a reason.
fn differences(what: &str, wanted: &str, given: &str) -> String {
    let otherwise = text("otherwise.txt");
    let is_known = |question: &str| {
        let named = otherwise.lines().filter_map(|line| line.split_once(": "));
        named.filter(|(tool, _)| *tool == what).any(|(_, start): (&str, &str)| {
            question.starts_with(start.split_once(" -- ").map_or(start, |(start, _)| start))
        })
    };
    let (wanted, given) = (questions(wanted), questions(given));
    let mut text = String::new();
    for (question, answer) in &wanted {
        let got = given.iter().find(|(asked, _)| asked == question).map_or("no answer", |(_, got)| got);
        if got != *answer && !is_known(question) {
            text += &format!("== {question}\n{}{}", lines('-', answer, got), lines('+', got, answer));
        }
    }
    let known = wanted.iter().filter(|(question, _)| is_known(question)).count();
    eprintln!("{what}: {} questions, {known} of them known to be answered otherwise", wanted.len());
    text
}

/// A client's answers, each below a line with its question. The same question may stand several times.
fn questions(said: &str) -> Vec<(String, &str)> {
    let mut seen = std::collections::HashMap::new();
    let blocks = said.trim_start_matches("== ").split("\n== ").filter_map(|block| block.split_once('\n'));
    let numbered = blocks.map(|(question, answer)| {
        let count: &mut u32 = seen.entry(question).or_default();
        *count += 1;
        (format!("{question}{}", " again".repeat(*count as usize - 1)), answer)
    });
    numbered.collect()
}

/// The first lines that are in one text and not in the other.
fn lines(sign: char, these: &str, those: &str) -> String {
    let those: std::collections::HashSet<&str> = those.lines().collect();
    let lines = these.lines().filter(|line| !those.contains(line)).take(12);
    lines
        .map(|line| {
            // Of a long line the part from shortly before where it differs from all others.
            let alike =
                those.iter().map(|other| line.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count());
            let from = alike.max().unwrap_or_default().saturating_sub(200);
            format!("{sign} {}\n", line.chars().skip(from).take(500).collect::<String>())
        })
        .collect()
}
