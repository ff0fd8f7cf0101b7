//! The house: which crate may import which, who alone knows what, and how files look.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use testkit::workspace;

/// Crates by level. Imports point down; crates of one level never import each other.
const LEVELS: &[(&str, u32)] = &[
    ("access", 0),
    ("policy", 1),
    ("sql", 1),
    ("audit", 1),
    ("testkit", 1),
    ("gate", 2),
    ("pg-proxy", 3),
    ("veilgate", 4),
];

/// The only crate that knows a dependency. (The test kit and the packages of tests and benches are free.)
const KNOWS: &[(&str, &str)] = &[
    ("pg_raw_parse", "sql"),
    ("stacker", "sql"),
    ("saphyr-parser", "policy"),
    ("tokio-postgres", "pg-proxy"),
    ("postgres-protocol", "pg-proxy"),
    ("tokio-rustls", "pg-proxy"),
    ("clap", "veilgate"),
    ("rpassword", "veilgate"),
    ("tracing-subscriber", "veilgate"),
];

/// Crates that do no I/O and read no clock: value in, value out.
const PURE: &[&str] = &["access", "policy", "sql"];
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "std::thread",
    "TcpStream",
    "SystemTime",
    "Instant::now",
    "tokio::",
];

/// Files that open `unsafe`, each with a reason in its own `#[expect]`.
const UNSAFE_FILES: &[&str] = &["crates/sql/src/ffi.rs"];

/// Folders of case files, each read by a test.
const CASE_FOLDERS: &[&str] = &["fixtures/attacks", "fixtures/policy", "fixtures/sql"];

/// Lines of a file without its tests, and of a function.
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 80;

#[test]
fn imports_point_down() {
    let levels: BTreeMap<&str, u32> = LEVELS.iter().copied().collect();
    let crates = folders(&workspace::root().join("crates"));
    assert_eq!(crates, levels.keys().map(|name| (*name).to_owned()).collect(), "crates and levels");
    for name in &crates {
        for dependency in dependencies(name, "dependencies") {
            let Some(level) = levels.get(dependency.as_str()) else { continue };
            assert!(*level < levels[name.as_str()], "{name} imports {dependency}, which is not below it");
            assert_ne!(dependency, "testkit", "{name} ships the test kit");
        }
    }
}

#[test]
fn one_crate_knows() {
    for name in LEVELS.iter().map(|(name, _)| *name).filter(|name| *name != "testkit") {
        for dependency in dependencies(name, "dependencies") {
            let owner = KNOWS.iter().find(|(known, _)| *known == dependency).map(|(_, owner)| *owner);
            assert!(
                owner.is_none_or(|owner| owner == name),
                "{name} uses {dependency}, which only {owner:?} may know"
            );
        }
    }
}

#[test]
fn every_dependency_is_used() {
    for (name, _) in LEVELS {
        let sources: String = sources_under(&format!("crates/{name}/src"))
            .iter()
            .map(|file| fs::read_to_string(file).unwrap())
            .collect();
        for section in ["dependencies", "dev-dependencies"] {
            for dependency in dependencies(name, section) {
                let path = dependency.replace('-', "_");
                let is_used =
                    sources.contains(&format!("{path}::")) || sources.contains(&format!("use {path}"));
                assert!(is_used, "{name} does not use {dependency}");
            }
        }
    }
}

#[test]
fn the_pure_stay_pure() {
    for name in PURE {
        for file in sources_under(&format!("crates/{name}/src")) {
            if is_test_file(&file) {
                continue;
            }
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in without_tests(&text).enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                let word = IMPURE_WORDS.iter().find(|word| code.contains(**word));
                assert!(word.is_none(), "{}:{}: {word:?} in a crate without I/O", file.display(), number + 1);
            }
        }
    }
}

#[test]
fn files_say_what_they_are_and_stay_small() {
    let mut complaints = Vec::new();
    for file in sources() {
        let text = fs::read_to_string(&file).unwrap();
        let name = relative(&file);
        if !text.starts_with("//! ") {
            complaints.push(format!("{name}: the first line does not say what the file is"));
        }
        if is_test_file(&file) {
            continue;
        }
        let lines: Vec<&str> = without_tests(&text).collect();
        if lines.len() > FILE_LINES_MAX {
            complaints.push(format!("{name}: {} lines without its tests", lines.len()));
        }
        for (function, length) in functions(&lines) {
            if length > FUNCTION_LINES_MAX {
                complaints.push(format!("{name}: `{function}` has {length} lines"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    let left = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"], ["HA", "CK"]].map(|halves| halves.concat());
    for file in texts() {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split(|c: char| !c.is_alphanumeric());
            let found = words.find(|word| left.iter().any(|left| left == word));
            assert!(found.is_none(), "{}:{}: {found:?}", file.display(), number + 1);
        }
    }
}

#[test]
fn unsafe_is_opened_where_it_is_listed() {
    let opening = ["unsafe", "_code"].concat();
    let found: Vec<String> = sources()
        .iter()
        .filter(|file| fs::read_to_string(file).unwrap().contains(&opening))
        .map(|file| relative(file))
        .collect();
    assert_eq!(found, UNSAFE_FILES);
}

#[test]
fn every_case_is_read() {
    let mut found = 0;
    for file in files_under(&workspace::root().join("fixtures")) {
        if file.extension().is_some_and(|extension| extension == "case") {
            let name = relative(&file);
            assert!(CASE_FOLDERS.iter().any(|folder| name.starts_with(folder)), "no test reads {name}");
            assert!(!testkit::case::Case::read(&file).title.is_empty());
            found += 1;
        }
    }
    eprintln!("{found} cases");
}

#[test]
fn docs_name_every_crate_and_dependency() {
    let architecture = document("docs/ARCHITECTURE.md");
    for (name, _) in LEVELS {
        assert!(architecture.contains(&format!("`{name}`")), "docs/ARCHITECTURE.md does not name `{name}`");
    }

    let folders = LEVELS.iter().map(|(name, _)| format!("crates/{name}"));
    let packages = folders.chain(["tests".to_owned(), "benches".to_owned()]);
    let used: BTreeSet<String> = packages
        .flat_map(|package| {
            ["dependencies", "dev-dependencies"].map(|section| dependencies_of(&package, section))
        })
        .flatten()
        .filter(|name| !LEVELS.iter().any(|(ours, _)| ours == name))
        .collect();
    let page = document("docs/dependencies.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let explained: BTreeSet<String> = rows.map(str::to_owned).collect();
    assert_eq!(explained, used, "docs/dependencies.md against the manifests");
}

#[test]
fn docs_have_a_line_for_every_refusal() {
    let source = document("crates/access/src/refusal.rs");
    let page = document("docs/refusals.md");
    let body = source.split("pub enum RefusalKind {").nth(1).unwrap().split('}').next().unwrap();
    let kinds: Vec<&str> = body.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    assert!(kinds.len() > 10, "{kinds:?}");
    for kind in kinds.iter().filter(|kind| !kind.starts_with("//")) {
        assert!(page.contains(&format!("`{kind}`")), "docs/refusals.md has no line for `{kind}`");
    }
}

#[test]
fn links_of_documents_lead_somewhere() {
    for file in texts().into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(&file).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || target.contains("://") {
                continue;
            }
            let there = file.parent().unwrap().join(path);
            assert!(there.exists(), "{}: nothing at {target}", relative(&file));
        }
    }
}

fn dependencies(name: &str, section: &str) -> BTreeSet<String> {
    dependencies_of(&format!("crates/{name}"), section)
}

/// Names of the dependencies in one section of a package's manifest.
fn dependencies_of(package: &str, section: &str) -> BTreeSet<String> {
    let manifest = document(&format!("{package}/Cargo.toml"));
    let header = format!("[{section}]");
    let body = manifest.lines().skip_while(|line| *line != header).skip(1);
    body.take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['=', '.']).next())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

fn document(path: &str) -> String {
    fs::read_to_string(workspace::root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All Rust files of ours.
fn sources() -> Vec<PathBuf> {
    ["crates", "tests", "benches"].iter().flat_map(|folder| sources_under(folder)).collect()
}

fn sources_under(folder: &str) -> Vec<PathBuf> {
    let files = files_under(&workspace::root().join(folder));
    files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// All text files of ours.
fn texts() -> Vec<PathBuf> {
    let root = workspace::root();
    let folders = ["crates", "tests", "benches", "policies", "fixtures", "docs", "docker", "scripts", ".ci"];
    let mut files: Vec<PathBuf> = folders.iter().flat_map(|folder| files_under(&root.join(folder))).collect();
    let top = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path());
    files.extend(top.filter(|path| path.is_file()));
    // As PostgreSQL ships them.
    files.retain(|file| !relative(file).starts_with("tests/regress/sql/"));
    files
}

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let nested =
        paths.into_iter().flat_map(|path| if path.is_dir() { files_under(&path) } else { vec![path] });
    nested.collect()
}

fn folders(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

fn relative(file: &Path) -> String {
    file.strip_prefix(workspace::root()).unwrap().display().to_string()
}

/// Whether a file holds tests only.
fn is_test_file(file: &Path) -> bool {
    let name = relative(file);
    name.starts_with("tests/") || name.contains("/tests/") || name.ends_with("/tests.rs")
}

/// The lines before the tests at a file's end.
fn without_tests(text: &str) -> impl Iterator<Item = &str> {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]")
}

/// Functions with their lengths, found by their indentation.
fn functions(lines: &[&str]) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        let indentation = line.len() - line.trim_start().len();
        let end = format!("{}}}", " ".repeat(indentation));
        let length = lines.iter().skip(start).position(|line| *line == end).map_or(1, |at| at + 1);
        found.push((name, length));
    }
    found
}

fn function_name(line: &str) -> Option<String> {
    let (before, after) = line.split_once("fn ")?;
    let modifiers = before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || ["const", "async", "unsafe"].contains(&word));
    let one_line = line.ends_with('}') || line.ends_with(';');
    (modifiers && !one_line).then(|| after.split(['(', '<']).next().unwrap_or_default().to_owned())
}
