//! YAML without its traps: a tree with spans, where every scalar is its source text.
//!
//! No anchors, aliases, tags, merge keys, directives, several documents, duplicate keys, tabs or control characters.

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::{Diagnostic, Source, Span};

/// How deep a document may be.
const DEPTH_MAX: usize = 64;
/// How long a document may be.
const BYTES_MAX: usize = 4 << 20;

/// One value of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text; whether it means a number is for its reader to say.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values, as they stand.
    Mapping(Vec<(Scalar, Node)>),
}

impl Kind {
    /// What it is, for a message.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) if scalar.is_empty() => "nothing",
            Self::Scalar(_) => "a text",
            Self::Sequence(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// One text of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scalar {
    /// What it says, without quotes and escapes.
    pub text: String,
    /// Where it stands, quotes included.
    pub span: Span,
    /// How it is written.
    pub style: Style,
    /// Whether it stands inside `{…}` or `[…]`.
    pub in_flow: bool,
}

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In `'…'`.
    SingleQuoted,
    /// In `"…"`.
    DoubleQuoted,
    /// Behind `|` or `>`.
    Block,
}

impl Scalar {
    /// Whether it is written without quotes.
    #[must_use]
    pub fn plain(&self) -> bool {
        self.style == Style::Plain
    }

    /// Whether nothing is written at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plain() && self.text.is_empty()
    }

    /// Whether it is the word `null`, without quotes.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.plain() && self.text == "null"
    }

    /// Where in the source a part of its text stands.
    #[must_use]
    pub fn locate(&self, source: &Source, part: Span) -> Span {
        let raw = source.text.get(self.span.start..self.span.end).unwrap_or_default();
        let offsets = align(raw, &self.text, self.style);
        let place = |at: usize| self.span.start + offsets.get(at).copied().unwrap_or(raw.len());
        let (start, end) = (place(part.start), place(part.end));
        Span { start, end: end.max(start + usize::from(part.end > part.start)) }
    }

    /// What makes an expression ambiguous when it is not quoted: YAML would cut it, or keep a stray quote.
    #[must_use]
    pub fn quote_this(&self, source: &Source) -> Option<Diagnostic> {
        if !self.plain() {
            return None;
        }
        let why = if self.in_flow {
            "an expression inside `{…}` or `[…]` is always quoted"
        } else if comment_follows(source, self.span) {
            "a comment follows on the line of this expression: it may have been cut"
        } else if odd(&self.text, '\'') || odd(&self.text, '"') {
            "an odd number of quotes in a plain text"
        } else {
            return None;
        };
        Some(source.error(self.span, why).help("quote this: \"…\", with single quotes inside"))
    }
}

fn odd(text: &str, quote: char) -> bool {
    text.matches(quote).count() % 2 == 1
}

fn comment_follows(source: &Source, span: Span) -> bool {
    let rest = source.text.get(span.end..).unwrap_or_default();
    rest.lines().next().unwrap_or_default().trim_start().starts_with('#')
}

/// The offset in the raw text of every byte of the text that it means.
fn align(raw: &str, text: &str, style: Style) -> Vec<usize> {
    let skipped = match style {
        // The span of a block starts with its content.
        Style::Plain | Style::Block => 0,
        Style::SingleQuoted | Style::DoubleQuoted => 1,
    };
    let mut at = skipped;
    let mut offsets = Vec::with_capacity(text.len() + 1);
    for letter in text.chars() {
        let rest = raw.get(at..).unwrap_or_default();
        let (before, length) = one_letter(rest, letter, style);
        at += before;
        offsets.extend(std::iter::repeat_n(at, letter.len_utf8()));
        at += length;
    }
    offsets.push(at);
    offsets
}

/// How many bytes to skip before a letter, and how many bytes write it.
fn one_letter(raw: &str, letter: char, style: Style) -> (usize, usize) {
    let mut before = 0;
    loop {
        let rest = raw.get(before..).unwrap_or_default();
        let Some(next) = rest.chars().next() else { return (before, 0) };
        let folded = letter == ' ' && next == '\n';
        match next {
            '\'' if style == Style::SingleQuoted => return (before, 2),
            '\\' if style == Style::DoubleQuoted => match escape(rest) {
                Some(length) => return (before, length),
                None => before += 1,
            },
            _ if next == letter || folded => return (before, next.len_utf8()),
            _ if next.is_whitespace() => before += next.len_utf8(),
            _ => return (before, next.len_utf8()),
        }
    }
}

/// The length of an escape; none for a line that is continued.
fn escape(rest: &str) -> Option<usize> {
    match rest.chars().nth(1)? {
        '\n' | '\r' => None,
        'x' => Some(4),
        'u' => Some(6),
        'U' => Some(10),
        other => Some(1 + other.len_utf8()),
    }
}

/// Reads a document.
///
/// # Errors
/// All that is wrong with it, in its order.
pub fn read(source: &Source) -> Result<Node, Vec<Diagnostic>> {
    let (root, mut errors) = read_on(source);
    errors.sort_by(|one, other| one.order().cmp(&other.order()));
    match root {
        Some(root) if errors.is_empty() => Ok(root),
        Some(_) | None => Err(errors),
    }
}

/// Reads a document as far as it can be understood, so that a reader can go on and tell more of what is wrong. Without a
/// tree there is an error.
pub(crate) fn read_on(source: &Source) -> (Option<Node>, Vec<Diagnostic>) {
    let errors = forbidden_characters(source);
    if !errors.is_empty() {
        return (None, errors);
    }
    let mut builder = Builder::new(source);
    let root = builder.run();
    if root.is_none() && builder.errors.is_empty() {
        builder.error(Span::default(), "the file is empty");
    }
    (root.filter(|_| !builder.incomplete), builder.errors)
}

/// Characters that mislead a reader or the parser, which takes a NUL for the end.
fn forbidden_characters(source: &Source) -> Vec<Diagnostic> {
    if source.text.len() > BYTES_MAX {
        return vec![source.error(Span::default(), format!("the file is longer than {BYTES_MAX} bytes"))];
    }
    let mut errors = Vec::new();
    let mut letters = source.text.char_indices().peekable();
    while let Some((start, letter)) = letters.next() {
        let followed_by_newline = letters.peek().is_some_and(|(_, next)| *next == '\n');
        let message = match letter {
            '\n' => continue,
            '\r' if followed_by_newline => continue,
            '\t' => "a tab".to_owned(),
            '\u{feff}' => "a byte order mark".to_owned(),
            '\u{2028}' | '\u{2029}' => "a line separator".to_owned(),
            _ if letter.is_control() => format!("a control character (U+{:04X})", u32::from(letter)),
            _ => continue,
        };
        let span = Span { start, end: start + letter.len_utf8() };
        errors.push(source.error(span, message).help("use spaces; inside \"…\" write it as an escape"));
    }
    errors
}

/// A collection that is not closed yet.
enum Open {
    Sequence(Span, Vec<Node>),
    Mapping(Span, Vec<(Scalar, Node)>, Key),
    /// A key that is no scalar, which has been reported: everything inside is dropped.
    Dropped,
}

/// What a mapping waits for.
enum Key {
    Awaited,
    Read(Scalar),
    /// A key that stands twice, which has been reported: its value is dropped.
    Twice,
}

struct Builder<'a> {
    source: &'a Source,
    /// The offset in bytes of every character, and the end.
    offsets: Vec<usize>,
    open: Vec<Open>,
    root: Option<Node>,
    errors: Vec<Diagnostic>,
    /// Whether something is not in the tree that its author meant to be there.
    incomplete: bool,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Source) -> Self {
        let mut offsets: Vec<usize> = source.text.char_indices().map(|(at, _)| at).collect();
        offsets.push(source.text.len());
        Self { source, offsets, open: Vec::new(), root: None, errors: Vec::new(), incomplete: false }
    }

    fn run(&mut self) -> Option<Node> {
        for event in Parser::new_from_str(&self.source.text) {
            match event {
                Ok((event, span)) => self.event(event, self.span(span)),
                Err(error) => {
                    let start = self.offset(error.marker().index());
                    let end = self.offset(error.marker().index() + 1);
                    self.error(Span { start, end }, format!("not YAML: {}", error.info()));
                    return None;
                }
            }
            if self.open.len() > DEPTH_MAX {
                let end = self.source.text.len();
                self.error(Span { start: end, end }, format!("nested deeper than {DEPTH_MAX}"));
                return None;
            }
        }
        self.root.take()
    }

    fn offset(&self, character: usize) -> usize {
        self.offsets.get(character).copied().unwrap_or(self.source.text.len())
    }

    fn span(&self, span: saphyr_parser::Span) -> Span {
        let (start, end) = (self.offset(span.start.index()), self.offset(span.end.index()));
        let text = self.source.text.get(start..end).unwrap_or_default();
        Span { start, end: start + text.trim_end().len() }
    }

    fn error(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(self.source.error(span, message));
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                if self.root.is_some() {
                    self.incomplete = true;
                    self.error(span, "a second document in one file");
                }
            }
            Event::Alias(_) => {
                self.incomplete = true;
                self.error(span, "an alias: write the value out");
                self.value(empty(span));
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.check_properties(span, anchor, tag.is_some());
                self.value(self.scalar(&text, style, span));
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_properties(span, anchor, tag.is_some());
                let open = Open::Sequence(span, Vec::new());
                self.start(open, span);
            }
            Event::MappingStart(anchor, tag) => {
                self.check_properties(span, anchor, tag.is_some());
                let open = Open::Mapping(span, Vec::new(), Key::Awaited);
                self.start(open, span);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
        }
    }

    fn check_properties(&mut self, span: Span, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.error(span, "an anchor: write the value out where it is used");
        }
        if tagged {
            self.error(span, "a tag: values are typed by what they are for");
        }
    }

    fn scalar(&self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::SingleQuoted,
            ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let in_flow = self.open.iter().any(|open| match open {
            Open::Sequence(span, _) | Open::Mapping(span, ..) => self.opens_flow(*span),
            Open::Dropped => false,
        });
        let scalar = Scalar { text: text.to_owned(), span, style, in_flow };
        Node { span, kind: Kind::Scalar(scalar) }
    }

    fn opens_flow(&self, span: Span) -> bool {
        let bytes = self.source.text.as_bytes();
        matches!(bytes.get(span.start), Some(b'{' | b'['))
    }

    fn start(&mut self, open: Open, span: Span) {
        let dropped = match self.open.last() {
            Some(Open::Mapping(_, _, Key::Awaited)) => {
                self.incomplete = true;
                self.error(span, "a key is one text");
                true
            }
            Some(Open::Dropped) => true,
            Some(Open::Sequence(..) | Open::Mapping(..)) | None => false,
        };
        self.open.push(if dropped { Open::Dropped } else { open });
    }

    fn end(&mut self, end: Span) {
        let node = match self.open.pop() {
            Some(Open::Sequence(start, items)) => {
                Node { span: self.whole(start, end), kind: Kind::Sequence(items) }
            }
            Some(Open::Mapping(start, entries, _)) => {
                Node { span: self.whole(start, end), kind: Kind::Mapping(entries) }
            }
            // A dropped key is over: a text takes its place, so that its value is read as a value.
            Some(Open::Dropped) if !matches!(self.open.last(), Some(Open::Dropped)) => empty(end),
            Some(Open::Dropped) | None => return,
        };
        self.value(node);
    }

    /// The whole collection; the end of one without brackets is where the next thing starts.
    fn whole(&self, start: Span, end: Span) -> Span {
        let text = self.source.text.get(start.start..end.end).unwrap_or_default();
        Span { start: start.start, end: start.start + text.trim_end().len() }
    }

    fn value(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::Dropped) => {}
            Some(Open::Sequence(_, items)) => items.push(node),
            Some(Open::Mapping(_, entries, key)) => match (std::mem::replace(key, Key::Awaited), node.kind) {
                (Key::Read(key), kind) => entries.push((key, Node { span: node.span, kind })),
                (Key::Twice, _) => {}
                (Key::Awaited, Kind::Scalar(new)) => {
                    let first = entries.iter().find(|(key, _)| key.text == new.text).map(|(key, _)| key.span);
                    *key = if first.is_some() { Key::Twice } else { Key::Read(new.clone()) };
                    self.check_key(&new, first);
                }
                (Key::Awaited, Kind::Sequence(_) | Kind::Mapping(_)) => {}
            },
        }
    }

    fn check_key(&mut self, key: &Scalar, first: Option<Span>) {
        if key.plain() && key.text == "<<" {
            self.incomplete = true;
            self.error(key.span, "a merge key: write the keys out");
        } else if let Some(first) = first {
            let line = self.source.error(first, "").line;
            let error = self.source.error(key.span, format!("`{}` stands twice", key.text));
            self.errors.push(error.help(format!("the first one is in line {line}")));
        }
    }
}

fn empty(span: Span) -> Node {
    let scalar = Scalar { text: String::new(), span, style: Style::Plain, in_flow: false };
    Node { span, kind: Kind::Scalar(scalar) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source { path: "x.yaml".into(), text: text.into() }
    }

    fn drawn(node: &Node) -> String {
        match &node.kind {
            Kind::Scalar(scalar) if scalar.plain() => scalar.text.clone(),
            Kind::Scalar(scalar) => format!("{:?}", scalar.text),
            Kind::Sequence(items) => format!("[{}]", items.iter().map(drawn).collect::<Vec<_>>().join(", ")),
            Kind::Mapping(entries) => {
                let entry = |(key, value): &(Scalar, Node)| format!("{}: {}", key.text, drawn(value));
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The document as one line, or the messages with their places.
    fn outline(text: &str) -> String {
        match read(&source(text)) {
            Ok(root) => drawn(&root),
            Err(errors) => errors
                .iter()
                .map(|e| format!("{}:{} {}", e.line, e.column, e.message))
                .collect::<Vec<_>>()
                .join("; "),
        }
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(
            outline("a: no\nb: [007, ~, null, '1']\n\"*\":\n  - {x: 1.50}\n"),
            r#"{a: no, b: [007, ~, null, "1"], *: [{x: 1.50}]}"#
        );
        assert_eq!(outline("a:\nb: |\n  x\n   y\n"), "{a: , b: \"x\\n y\\n\"}");
    }

    #[test]
    fn traps_are_refused_all_in_one_run() {
        for (text, expected) in [
            ("", "1:1 the file is empty"),
            ("# nothing\n", "1:1 the file is empty"),
            ("a: 1\na: 2\n", "2:1 `a` stands twice"),
            ("a: 1\n'a': 2\nb: {c: 1, c: 2}", "2:1 `a` stands twice; 3:11 `c` stands twice"),
            (
                "a: &x 1\nb: *x\n",
                "1:4 an anchor: write the value out where it is used; 2:4 an alias: write the value out",
            ),
            ("a: !!str 1\n", "1:4 a tag: values are typed by what they are for"),
            ("<<: {a: 1}\n", "1:1 a merge key: write the keys out"),
            ("a: 1\n---\nb: 2\n", "2:1 a second document in one file"),
            ("a:\tb\n", "1:3 a tab"),
            ("a: b\0\nc: d", "1:5 a control character (U+0000)"),
            ("\u{feff}a: b", "1:1 a byte order mark"),
            ("[a]: b\nc: 1\nc: 2", "1:1 a key is one text; 3:1 `c` stands twice"),
        ] {
            assert_eq!(outline(text), expected, "{text:?}");
        }
        assert!(outline(&"[".repeat(80)).contains("nested deeper than 64"));
        assert!(outline("a: 'x\n").contains("not YAML"));
    }

    #[test]
    fn a_plain_expression_that_is_cut_is_told_to_be_quoted() {
        for (text, quoted) in [
            ("a: x = 'y'", true),
            ("a: note = 'x #1' and consent", false),
            ("a: x = 'y' # why", false),
            ("a: it's", false),
            ("a: {b: x = 1}", false),
            ("a: {b: \"x = 1\"}", true),
            ("a: \"x = 'y' # no comment\" # a comment", true),
            ("a: x\n  and y # why", false),
            ("a: x\n# a comment", true),
        ] {
            let source = source(text);
            let root = read(&source).unwrap();
            let Kind::Mapping(entries) = root.kind else { panic!() };
            let scalar = match &entries[0].1.kind {
                Kind::Scalar(scalar) => scalar.clone(),
                Kind::Mapping(inner) => match &inner[0].1.kind {
                    Kind::Scalar(scalar) => scalar.clone(),
                    Kind::Sequence(_) | Kind::Mapping(_) => panic!(),
                },
                Kind::Sequence(_) => panic!(),
            };
            assert_eq!(scalar.quote_this(&source).is_none(), quoted, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_text_is_found_in_the_source() {
        for text in [
            "a: one two X three",
            "a: 'it''s ''X'", // two single quotes write one
            "a: \"\\u00e4 \\\" \\n X\"",
            "a: \"one \\\n   two X\"",
            "a: one\n    two\n    X",
            "a: >\n  one\n  two X\n",
            "a: |\n  ä\n    X\n",
        ] {
            let source = source(text);
            let root = read(&source).unwrap();
            let Kind::Mapping(entries) = root.kind else { panic!() };
            let Kind::Scalar(scalar) = &entries[0].1.kind else { panic!() };
            let at = scalar.text.find('X').unwrap();
            let found = scalar.locate(&source, Span { start: at, end: at + 1 });
            assert_eq!(text.get(found.start..found.end), Some("X"), "{text}");
        }
    }
}
