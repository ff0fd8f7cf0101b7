//! Cases: text files of which one half is given and the other expected.
//!
//! ```text
//! A support agent sees the last four digits
//!
//! --- caller
//! alice
//! --- asked
//! select ssn from customers
//! --- runs
//! SELECT …
//! --- audit
//! rules: support-reads-own-region
//! ```
//!
//! The first lines are the title and, after a blank line, a remark. `caller`, `asked` and any other section that a test
//! does not produce are given; what it produces is compared, blanks aside. With `VEILGATE_REWRITE=1` the produced half is
//! written back instead.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Width at which a produced half is wrapped when it is written back.
const COLUMNS: usize = 110;

/// One case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The file.
    pub path: PathBuf,
    /// Its first line.
    pub title: String,
    /// What stands between the title and the first section.
    pub remark: String,
    sections: Vec<(String, String)>,
}

impl Case {
    /// Reads one file.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(path, &text)
    }

    /// Reads all `*.case` files of a folder and the folders in it, by name. There must be some.
    #[must_use]
    pub fn read_all(folder: &Path) -> Vec<Self> {
        let mut paths = Vec::new();
        collect(folder, &mut paths);
        paths.sort();
        assert!(!paths.is_empty(), "no case under {}", folder.display());
        paths.iter().map(|path| Self::read(path)).collect()
    }

    /// The text of a section, without blank lines around it.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&str> {
        self.sections.iter().find(|(section, _)| section == name).map(|(_, text)| text.as_str())
    }

    /// The text of a section that must be there.
    #[must_use]
    pub fn given(&self, name: &str) -> &str {
        self.section(name).unwrap_or_else(|| panic!("{}: no section `{name}`", self.path.display()))
    }

    /// The name that asks: the first line of `caller`.
    #[must_use]
    pub fn caller(&self) -> &str {
        self.given("caller").lines().next().unwrap_or_default().trim()
    }

    /// A further line `name: value` of `caller`, such as `purpose: training`.
    #[must_use]
    pub fn caller_detail(&self, name: &str) -> Option<&str> {
        let mut details = self.given("caller").lines().skip(1).filter_map(|line| line.split_once(':'));
        details.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    }

    fn parse(path: &Path, text: &str) -> Self {
        let mut head = String::new();
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("--- ") {
                let name = name.trim().to_owned();
                let twice = sections.iter().any(|(section, _)| *section == name);
                assert!(!twice, "{}: two sections `{name}`", path.display());
                sections.push((name, String::new()));
                continue;
            }
            let body = sections.last_mut().map_or(&mut head, |(_, body)| body);
            body.push_str(line.trim_end());
            body.push('\n');
        }
        for (_, body) in &mut sections {
            *body = body.trim_matches('\n').to_owned();
        }
        let (title, remark) = head.trim().split_once('\n').unwrap_or((head.trim(), ""));
        assert!(!title.is_empty(), "{}: no title", path.display());
        Self { path: path.to_owned(), title: title.to_owned(), remark: remark.trim().to_owned(), sections }
    }

    /// Whether it is for servers of this version, `150018`: the section `since` names the first major version, where not all
    /// have what it asks for.
    #[must_use]
    pub fn is_for(&self, server_version: u32) -> bool {
        let since = self.section("since").map_or(0, |since| since.trim().parse().expect("a major version"));
        server_version / 10_000 >= since
    }

    /// The difference between a produced half and this case; empty where there is none.
    fn difference(&self, produced: &[(&str, String)]) -> String {
        let mut difference = String::new();
        for (name, got) in produced {
            let expected = self.section(name).unwrap_or("(no such section)");
            if flat(expected) != flat(got) {
                let _ = write!(
                    difference,
                    "  {name}, expected:\n{}\n  got:\n{}\n",
                    shifted(expected),
                    shifted(got)
                );
            }
        }
        for name in ["runs", "refused"] {
            let is_produced = produced.iter().any(|(section, _)| *section == name);
            if self.section(name).is_some() && !is_produced {
                let _ = writeln!(difference, "  expected `{name}`, which did not come");
            }
        }
        difference
    }

    /// Writes the file again with this produced half.
    fn rewrite(&self, produced: &[(&str, String)], names: &[&str]) {
        let mut text = format!("{}\n", self.title);
        if !self.remark.is_empty() {
            let _ = write!(text, "\n{}\n", self.remark);
        }
        text.push('\n');
        for (name, body) in &self.sections {
            if !names.contains(&name.as_str()) {
                let _ = writeln!(text, "--- {name}\n{body}");
            }
        }
        for (name, body) in produced {
            let _ = writeln!(text, "--- {name}\n{}", wrapped(body));
        }
        fs::write(&self.path, text).unwrap_or_else(|error| panic!("{}: {error}", self.path.display()));
    }
}

/// Runs every case of a folder. `run` gives the produced half, section by section; `names` lists all sections that it can
/// produce. All cases that differ are shown together.
pub fn check<'a>(folder: &Path, names: &[&str], run: impl FnMut(&Case) -> Vec<(&'a str, String)>) {
    check_those(folder, names, |_| true, run);
}

/// The same for those cases that `chosen` chooses.
pub fn check_those<'a>(
    folder: &Path,
    names: &[&str],
    chosen: impl Fn(&Case) -> bool,
    mut run: impl FnMut(&Case) -> Vec<(&'a str, String)>,
) {
    let rewrite = std::env::var_os("VEILGATE_REWRITE").is_some_and(|value| value == "1");
    let cases = Case::read_all(folder);
    let mut failures = String::new();
    for case in cases.iter().filter(|case| chosen(case)) {
        let produced = run(case);
        let difference = case.difference(&produced);
        if difference.is_empty() {
            continue;
        }
        if rewrite {
            case.rewrite(&produced, names);
        } else {
            let _ = write!(failures, "{}: {}\n{difference}\n", case.path.display(), case.title);
        }
    }
    assert!(failures.is_empty(), "{failures}(VEILGATE_REWRITE=1 writes what was got)");
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "case") {
            paths.push(path);
        }
    }
}

/// Text with each run of blanks as one space.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn shifted(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}

/// Long lines broken at spaces outside of quotes.
fn wrapped(text: &str) -> String {
    text.lines().map(wrapped_line).collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    let mut quote = None;
    for word in line.split_inclusive(' ') {
        if column > 0 && quote.is_none() && column + word.trim_end().chars().count() > COLUMNS {
            out.truncate(out.trim_end().len());
            out.push('\n');
            column = 0;
        }
        out.push_str(word);
        column += word.chars().count();
        for c in word.chars().filter(|c| matches!(c, '\'' | '"')) {
            match quote {
                None => quote = Some(c),
                Some(open) if open == c => quote = None,
                Some(_) => {}
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "A title\n\nWhy it is here.\n\n--- caller\nalice\npurpose: support\n--- asked\n\nselect  1\n\n--- runs\nSELECT 1\n";

    #[test]
    fn reads_sections() {
        let case = Case::parse(Path::new("x.case"), TEXT);
        assert_eq!(case.title, "A title");
        assert_eq!(case.remark, "Why it is here.");
        assert_eq!(case.caller(), "alice");
        assert_eq!(case.caller_detail("purpose"), Some("support"));
        assert_eq!(case.given("asked"), "select  1");
        assert_eq!(case.section("refused"), None);
    }

    #[test]
    fn compares_blanks_aside_and_misses_nothing() {
        let case = Case::parse(Path::new("x.case"), TEXT);
        assert_eq!(case.difference(&[("runs", "SELECT\n  1".to_owned())]), "");
        assert!(case.difference(&[("runs", "SELECT 2".to_owned())]).contains("SELECT 2"));
        assert!(case.difference(&[("refused", "no".to_owned())]).contains("expected `runs`"));
    }

    #[test]
    fn writes_back_what_it_reads() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), TEXT).unwrap();
        let case = Case::read(file.path());
        case.rewrite(&[("refused", "no".to_owned())], &["runs", "refused"]);
        let again = Case::read(file.path());
        assert_eq!(again.section("runs"), None);
        assert_eq!(again.given("refused"), "no");
        assert_eq!((again.title, again.remark), (case.title, case.remark));
    }

    #[test]
    fn wraps_outside_of_quotes() {
        let long = format!("a '{}' b", "x y ".repeat(60));
        let wrapped = wrapped(&long);
        assert_eq!(wrapped.lines().count(), 2);
        assert_eq!(flat(&wrapped), flat(&long));
    }
}
