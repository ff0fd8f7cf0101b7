//! What is wrong with a text, and where: a message, the underlined line, and what to do about it.

use std::fmt;
use std::sync::Arc;

/// One file of a policy, or a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// How the file is called in messages.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl Source {
    /// An error about this part of the text.
    #[must_use]
    pub fn error(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, self, span, message.into())
    }

    /// A warning about this part of the text.
    #[must_use]
    pub fn warning(&self, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, self, span, message.into())
    }
}

/// A part of a text, in bytes; `end` is just behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span {
    /// Where it starts.
    pub start: usize,
    /// Where it has ended.
    pub end: usize,
}

/// A part of a known file.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) source: Arc<Source>,
    pub(crate) span: Span,
}

impl Place {
    pub(crate) fn error(&self, message: impl Into<String>) -> Diagnostic {
        self.source.error(self.span, message)
    }

    pub(crate) fn warning(&self, message: impl Into<String>) -> Diagnostic {
        self.source.warning(self.span, message)
    }

    /// `file:line`, as a help line points to it.
    pub(crate) fn line(&self) -> String {
        let diagnostic = self.error(String::new());
        format!("{}:{}", diagnostic.path, diagnostic.line)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It cannot be used so.
    Error,
    /// It can be used; somebody should look at it.
    Warning,
}

/// One thing to tell an author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub path: String,
    /// The part of the file.
    pub span: Span,
    /// The line of its start, from 1.
    pub line: usize,
    /// The column of its start in characters, from 1.
    pub column: usize,
    /// What is the matter: lowercase, no final period, names in backticks.
    pub message: String,
    /// What to do about it, where that can be said.
    pub help: Option<String>,
    /// The text of the line.
    excerpt: String,
    /// How many characters of it are underlined.
    underlined: usize,
}

impl Diagnostic {
    fn new(severity: Severity, source: &Source, span: Span, message: String) -> Self {
        let before = source.text.get(..span.start).unwrap_or(&source.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let from_line = source.text.get(line_start..).unwrap_or_default();
        let excerpt = from_line.lines().next().unwrap_or_default();
        let line_end = line_start + excerpt.len();
        let marked = source.text.get(span.start..span.end.min(line_end)).unwrap_or_default();
        Self {
            severity,
            path: source.path.clone(),
            span,
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            message,
            help: None,
            excerpt: excerpt.to_owned(),
            underlined: marked.trim_end().chars().count().max(1),
        }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with a suggestion, where one of the candidates is near the name.
    #[must_use]
    pub fn suggest<'a>(self, name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Self {
        match did_you_mean(name, candidates) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => self,
        }
    }

    /// The order in which they are shown: by file and place.
    pub(crate) fn order(&self) -> (&str, Span, &str) {
        (&self.path, self.span, &self.message)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let number = self.line.to_string();
        let (margin, pad) = (" ".repeat(number.len()), " ".repeat(self.column.saturating_sub(1)));
        writeln!(f, "{severity}: {}", self.message)?;
        writeln!(f, "{margin}--> {}:{}:{}", self.path, self.line, self.column)?;
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.excerpt)?;
        write!(f, "{margin} | {pad}{}", "^".repeat(self.underlined))?;
        match &self.help {
            Some(help) => write!(f, "\n{margin} = help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

/// The candidate that is nearest to a name, if one is near enough to be meant.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *candidate != name)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be added, taken out, changed or swapped with their neighbour.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=left.len()).collect();
    let mut last = None;
    for (line, letter) in right.chars().flat_map(char::to_lowercase).enumerate() {
        let mut next = vec![line + 1];
        for (at, other) in left.iter().enumerate() {
            let get = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = get(&row, at) + usize::from(*other != letter);
            best = best.min(get(&row, at + 1) + 1).min(get(&next, at) + 1);
            let swapped = at > 0 && left.get(at - 1) == Some(&letter) && last == Some(*other);
            if swapped && line > 0 {
                best = best.min(get(&before, at - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(letter);
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_meant() {
        for (name, near) in [
            ("regoin", Some("region")),
            ("Region", Some("region")),
            ("salry", Some("salary")),
            ("id", None),
            ("x", None),
            ("customers", None),
        ] {
            assert_eq!(did_you_mean(name, ["region", "salary", "notes"]), near, "{name}");
        }
    }

    #[test]
    fn the_picture_underlines_the_part() {
        let source = Source { path: "a.yaml".into(), text: "one: 1\nzwö: zwei # x\n".into() };
        let start = source.text.find("zwei").unwrap();
        let picture =
            source.error(Span { start, end: start + 4 }, "two is `two`").help("say two").to_string();
        assert_eq!(
            picture,
            "error: two is `two`\n --> a.yaml:2:6\n  |\n2 | zwö: zwei # x\n  |      ^^^^\n  = help: say two"
        );
    }

    #[test]
    fn a_place_outside_of_the_text_is_no_panic() {
        let source = Source { path: "a".into(), text: "ä".into() };
        for span in [Span { start: 1, end: 9 }, Span { start: 7, end: 3 }, Span { start: 0, end: 1 }] {
            assert!(source.warning(span, "x").to_string().contains("warning: x"));
        }
    }
}
