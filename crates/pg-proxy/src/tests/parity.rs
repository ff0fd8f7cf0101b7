//! Random conversations, held with the store and with the gateway before it: the answers are the same.

use std::fmt::Write as _;

use super::gateway::{Gateway, Raw, Settings};
use crate::front::Target;

/// Conversations a run; each has a few segments.
const CONVERSATIONS: u64 = 100;

const TEXTS: &[&str] = &[
    "select 1",
    "select n, word from numbers where n <= 5",
    "select n from numbers order by n limit 7",
    "select 1 / (n - n) from numbers where n = 1",
    "select nothing",
    "selec",
    "",
    "begin",
    "commit",
    "rollback",
    "savepoint s",
    "rollback to s",
    "release s",
    "set extra_float_digits to 1",
    "set local extra_float_digits to 2",
    "show extra_float_digits",
    "copy (select n from numbers where n <= 3 order by n) to stdout",
    "copy numbers (n) to stdout (format binary)",
    "copy (select 1 / (n - 3) from numbers) to stdout",
    "declare c scroll cursor for select n from numbers order by n",
    "close all",
    "deallocate a",
    "deallocate all",
];

/// Only in the simple protocol: what is not there is noticed when a text is read, where the store runs it first.
const NAMES: &[&str] = &[
    "fetch 2 from c",
    "fetch backward all from c",
    "move last in c",
    "close c",
    "prepare x as select 1",
    "prepare y as select n from numbers where n < 4",
    "execute x",
    "execute y",
];

/// Numbers that look random, the same for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }

    fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }
}

/// Says the same to both, and writes it down. How many ReadyForQuery will come.
fn speak(dice: &mut Dice, both: &mut [&mut Raw; 2], said: &mut String) -> usize {
    let mut ready = 0;
    for _ in 0..=dice.below(3) {
        for _ in 0..dice.below(9) {
            let name = dice.one_of(&["", "", "a", "b"]);
            let portal = dice.one_of(&["", "", "p"]);
            let text = dice.one_of(TEXTS);
            // A query that fails leaves the server with an unnamed portal, which is of no use but to be described.
            let target = dice.one_of(&[Target::Statement(name), Target::Portal("p")]);
            let rows = dice.one_of(&[0, 0, 2]);
            let what = dice.below(12);
            let _ = match what {
                0..4 => writeln!(said, "run {name:?} {portal:?} {rows} {text}"),
                4 | 5 => writeln!(said, "parse {name:?} {text}"),
                6 => writeln!(said, "bind {portal:?} {name:?}"),
                7 => writeln!(said, "execute {portal:?} {rows}"),
                8 | 9 => writeln!(said, "describe {target:?}"),
                10 => writeln!(said, "close {target:?}"),
                _ => writeln!(said, "flush"),
            };
            for raw in both.iter_mut() {
                match what {
                    0..4 => raw.parse(name, text).bind(portal, name).execute(portal, rows),
                    4 | 5 => raw.parse(name, text),
                    6 => raw.bind(portal, name),
                    7 => raw.execute(portal, rows),
                    8 | 9 => raw.describe(target),
                    10 => raw.close(target),
                    _ => raw.flush(),
                };
            }
        }
        said.push_str("sync\n");
        for raw in both.iter_mut() {
            raw.sync();
        }
        ready += 1;
        if dice.below(3) == 0 {
            let (one, two) = (dice.one_of(TEXTS), dice.one_of(TEXTS));
            // Of several statements one that is refused refuses all, which the store does not.
            let refused =
                [one, two].iter().any(|text| text.contains("nothing") || text.contains("deallocate"));
            let text = match (dice.below(2), refused) {
                (0, _) => dice.one_of(NAMES).to_owned(),
                (_, true) => one.to_owned(),
                (_, false) => format!("{one};{two}"),
            };
            let _ = writeln!(said, "query {text}");
            for raw in both.iter_mut() {
                raw.query(&text);
            }
            ready += 1;
        }
    }
    ready
}

#[tokio::test]
async fn conversations_go_as_with_the_store() {
    // One connection, which forgets nothing: in a failed transaction a statement cannot be prepared anew.
    let mut settings = Settings::default();
    settings.pool.statements_max = 100;
    settings.pool.pool_size_max = 1;
    let gateway = Gateway::start_with(settings).await;
    let server = gateway.database.server();
    let first: u64 = std::env::var("VEILGATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    for seed in first..first + CONVERSATIONS {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut through = gateway.raw().await;
        let mut direct =
            Raw::connect_as(server.port(), &[("user", "postgres"), ("database", &gateway.database.name)])
                .await;
        let mut said = String::new();
        for _ in 0..4 {
            let _ = writeln!(said, "--");
            let ready = speak(&mut dice, &mut [&mut through, &mut direct], &mut said);
            // In a failed transaction a name that is taken may be looked at first or last, and a query that fails
            // leaves the server with an unnamed portal that cannot be run.
            // The gateway does not say which table a column is of.
            let code = |answer: String| {
                answer.replace("42P05", "25P02").replace("55000", "34000").replace(" of a table", "")
            };
            let ours = through.answers(ready).await;
            assert!(ours.iter().all(|answer| !answer.contains("of a table")), "seed {seed}\n{said}");
            let ours: Vec<_> = ours.into_iter().map(code).collect();
            let theirs: Vec<_> = direct.answers(ready).await.into_iter().map(code).collect();
            assert_eq!(ours, theirs, "seed {seed} (left is the gateway)\n{said}");
        }
    }
}
