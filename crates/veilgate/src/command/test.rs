//! `veilgate test`: the policy's own tests, run on the stores through the gate.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use access::Refusal;
use audit::Log;
use gate::{Gate, Outcome, Phase, SqlSession};
use pg_proxy::upstream::UpstreamConfig;
use policy::{Expectation, PolicyTest};

use crate::error::{Error, count};
use crate::{config, gateway, keys, output};

/// Run the tests of the policy
///
/// Each is decided as a caller's statement is, run on its store in a session that can write nothing, and compared with
/// what the test says. The exit code is 0 where all pass.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  veilgate test\n  veilgate test --only 'last four digits'")]
pub(crate) struct Test {
    /// Run only the tests whose names hold this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
}

impl Test {
    pub(crate) async fn run(&self, config_file: &Path) -> Result<(), Error> {
        let config = config::load(config_file)?;
        let policy = gateway::policy(&config.policy)?;
        let hash_keys = keys::for_policy(&config, &policy)?;
        let tests: Vec<PolicyTest> = policy.tests().to_vec();
        let mut stores = BTreeMap::new();
        let mut catalogs = Vec::new();
        for store in &config.stores {
            let upstream = gateway::upstream(store)?;
            catalogs.push(gateway::trusted(gateway::catalog(&store.name, &upstream).await?)?);
            stores.insert(store.name.clone(), upstream);
        }
        let (gate, diagnostics) = Gate::new(policy, catalogs, Log::memory(), sql::Limits::default());
        let gate = gate.with_hash_keys(hash_keys);
        for diagnostic in diagnostics {
            output::line(format_args!("{diagnostic}\n"));
        }
        let (mut passed, mut failed) = (0, 0);
        for test in tests.iter().filter(|test| test.name.contains(&self.only)) {
            let difference = difference(&test.expect, &outcome(&gate, &stores, test).await);
            match difference {
                None => {
                    passed += 1;
                    output::line(format_args!("ok      {}", test.name));
                }
                Some(difference) => {
                    failed += 1;
                    output::line(format_args!("FAILED  {}\n        {}\n{difference}", test.name, test.place));
                }
            }
        }
        output::line(format_args!("{} passed, {failed} failed", count(passed, "test")));
        if failed == 0 { Ok(()) } else { Err(Error::Problems) }
    }
}

/// What came of a test.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    Rows(Vec<Vec<Option<String>>>),
    Refused(Refusal),
    /// The store cannot be asked, or said no.
    Failed(String),
}

async fn outcome(gate: &Gate, stores: &BTreeMap<String, UpstreamConfig>, test: &PolicyTest) -> Came {
    let Some(upstream) = stores.get(&test.store) else {
        return Came::Failed(format!("the configuration has no store `{}`", test.store));
    };
    let identity = Arc::new(test.identity.clone());
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let session = SqlSession::new(0, test.store.as_str().into(), identity, test.purpose.clone(), ip);
    let permits = gate.login(&session).and_then(|_| {
        let decision = gate.decide_sql(&session, &test.run, &[])?;
        gate.permit_all(&session, &decision, Phase::Execute)
    });
    let permits = match permits {
        Ok(permits) => permits,
        Err(refusal) => return Came::Refused(refusal),
    };
    let mut rows = Vec::new();
    for permit in permits {
        match pg_proxy::catalog::run(upstream, &permit).await {
            Ok(answer) => {
                permit.finish(&Outcome::done(answer.len() as u64));
                rows = answer;
            }
            Err(error) => return Came::Failed(error.to_string()),
        }
    }
    Came::Rows(rows)
}

/// What is not as expected, drawn as a difference.
fn difference(expected: &Expectation, came: &Came) -> Option<String> {
    match (expected, came) {
        (Expectation::Gives(expected), Came::Rows(rows)) if expected == rows => None,
        (Expectation::Gives(expected), Came::Rows(rows)) => Some(of_rows(expected, rows)),
        (Expectation::Refused(by), Came::Refused(refusal)) if is_by(refusal, by) => None,
        (Expectation::Refused(by), came) => Some(format!("      - refused: {by}\n{}", shown(came))),
        (Expectation::Gives(expected), came) => {
            Some(format!("      - gives {}\n{}", count(expected.len(), "row"), shown(came)))
        }
    }
}

/// Whether a refusal is of this rule, or says this.
fn is_by(refusal: &Refusal, text: &str) -> bool {
    refusal.rule.as_deref() == Some(text) || refusal.message.contains(text)
}

fn shown(came: &Came) -> String {
    match came {
        Came::Rows(rows) => rows.iter().map(|row| format!("      + {}\n", line(row))).collect(),
        Came::Refused(refusal) => {
            let rule = refusal.rule.as_ref().map(|rule| format!(" (rule {rule})")).unwrap_or_default();
            format!("      + refused: {refusal}{rule}\n")
        }
        Came::Failed(message) => format!("      + failed: {message}\n"),
    }
}

/// Rows that are in one only are marked; those that are in both, and in this place, are not.
fn of_rows(expected: &[Vec<Option<String>>], rows: &[Vec<Option<String>>]) -> String {
    let mut text = String::new();
    for at in 0..expected.len().max(rows.len()) {
        match (expected.get(at), rows.get(at)) {
            (Some(one), Some(other)) if one == other => text.push_str(&format!("        {}\n", line(one))),
            (one, other) => {
                for (sign, row) in [('-', one), ('+', other)] {
                    if let Some(row) = row {
                        text.push_str(&format!("      {sign} {}\n", line(row)));
                    }
                }
            }
        }
    }
    text
}

/// A row as a policy writes it.
fn line(row: &[Option<String>]) -> String {
    let cell =
        |cell: &Option<String>| cell.as_ref().map_or_else(|| "null".to_owned(), |text| format!("{text:?}"));
    format!("[{}]", row.iter().map(cell).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[&[Option<&str>]]) -> Vec<Vec<Option<String>>> {
        rows.iter().map(|row| row.iter().map(|cell| cell.map(str::to_owned)).collect()).collect()
    }

    #[test]
    fn a_difference_shows_what_was_expected_and_what_came() {
        let expected = Expectation::Gives(rows(&[&[Some("1"), None], &[Some("2"), Some("b")]]));
        let same = Came::Rows(rows(&[&[Some("1"), None], &[Some("2"), Some("b")]]));
        assert_eq!(difference(&expected, &same), None);
        let other = Came::Rows(rows(&[&[Some("1"), None], &[Some("2"), Some("c")], &[None, None]]));
        assert_eq!(
            difference(&expected, &other).unwrap(),
            "        [\"1\", null]\n      - [\"2\", \"b\"]\n      + [\"2\", \"c\"]\n      + [null, null]\n"
        );
    }

    #[test]
    fn a_refusal_is_known_by_its_rule_or_its_words() {
        let refusal =
            Refusal::new(access::RefusalKind::Denied, "model z has no grant").rule("unapproved-models");
        let came = Came::Refused(refusal);
        for by in ["unapproved-models", "has no grant"] {
            assert_eq!(difference(&Expectation::Refused(by.into()), &came), None, "{by}");
        }
        let wrong = difference(&Expectation::Refused("other".into()), &came).unwrap();
        assert_eq!(
            wrong,
            "      - refused: other\n      + refused: model z has no grant (rule unapproved-models)\n"
        );
        let failed = Came::Failed("no answer".into());
        assert!(
            difference(&Expectation::Refused("other".into()), &failed).unwrap().contains("failed: no answer")
        );
        assert!(difference(&Expectation::Gives(vec![]), &came).is_some());
    }
}
