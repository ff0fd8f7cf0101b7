//! `bench gateway`: pgbench against PostgreSQL directly, through PgBouncer and through veilgate, in turns.
//! `bench stages`: what each stage of a decision costs, over the cases under `fixtures/sql`.
//! `bench plans`: the plans of guarded queries beside those of queries written by hand and of native row security. It
//! ends with an error where one is slower than its target, or has another plan.
//!
//! All print a table and keep it under `benches/runs/`. Machines are noisy: what counts are the ratios of one run.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench that cannot run stops")]
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod gateway;
mod plans;
mod stages;

use std::fs;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let which = std::env::args().nth(1).unwrap_or_default();
    let (report, missed) = match which.as_str() {
        "gateway" => (gateway::run(), Vec::new()),
        "stages" => (stages::run(), Vec::new()),
        "plans" => plans::run(),
        _ => {
            println!("usage: bench gateway | stages | plans");
            println!("`cargo build --release` comes first: the gateway that is measured is the built one");
            println!("`plans` measures the server alone: a development build will do");
            return ExitCode::SUCCESS;
        }
    };
    println!("{report}");
    keep(&which, &report);
    for missed in &missed {
        println!("MISSED: {missed}");
    }
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Keeps a run, with the day, the commit and the machine.
fn keep(which: &str, report: &str) {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).current_dir(testkit::workspace::root()).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let day = said("date", &["+%Y-%m-%d"]);
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    let machine = said("sh", &["-c", "nproc; grep -m1 'model name' /proc/cpuinfo | cut -d: -f2"]);
    let machine = machine.lines().map(str::trim).collect::<Vec<_>>().join(" x ");
    let folder = testkit::workspace::root().join("benches/runs");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{day}-{which}.md"));
    fs::write(&path, format!("# bench {which}, {day}, at {commit}, on {machine}\n\n{report}")).unwrap();
    println!("kept as {}", path.display());
}

/// The middle of some figures; none is an error.
fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    *sorted.get(sorted.len() / 2).expect("something was measured")
}
