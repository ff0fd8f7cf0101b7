//! Text to tokens.

use super::Problem;
use crate::Span;

/// One token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TokenKind {
    /// A word without quotes, in lower case.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// Digits, possibly with a fraction.
    Number(String),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// Behind the last one.
    End,
}

/// Longer ones first.
const SYMBOLS: [&str; 11] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "-"];
/// What other languages write, and what it is here.
const FOREIGN: [(&str, &str); 7] = [
    ("!=", "use `<>`"),
    ("==", "use `=`"),
    ("&&", "use `and`"),
    ("||", "use `or`"),
    ("!", "use `not`"),
    ("::", "a literal takes its type from what it is compared with"),
    ("~", "use `like 'prefix%'`"),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Problem> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(letter) = rest.chars().next() else { break };
        if letter.is_whitespace() {
            at += letter.len_utf8();
            continue;
        }
        let (kind, length) = token(rest, letter).map_err(|(length, message, help)| {
            let problem = Problem::new(Span { start: at, end: at + length }, message);
            Problem { help, ..problem }
        })?;
        tokens.push(Token { kind, span: Span { start: at, end: at + length } });
        at += length;
    }
    tokens.push(Token { kind: TokenKind::End, span: Span { start: text.len(), end: text.len() } });
    Ok(tokens)
}

type Wrong = (usize, String, Option<String>);

fn token(rest: &str, letter: char) -> Result<(TokenKind, usize), Wrong> {
    match letter {
        '\'' => quoted(rest, '\'').map(|(text, length)| (TokenKind::Text(text), length)),
        '"' => quoted(rest, '"').map(|(text, length)| (TokenKind::Quoted(text), length)),
        '0'..='9' => number(rest),
        _ if letter.is_ascii_alphabetic() || letter == '_' => {
            let word = prefix(rest, |c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
            Ok((TokenKind::Word(word.to_ascii_lowercase()), word.len()))
        }
        _ => symbol(rest, letter),
    }
}

fn symbol(rest: &str, letter: char) -> Result<(TokenKind, usize), Wrong> {
    if let Some((foreign, help)) = FOREIGN.iter().find(|(foreign, _)| rest.starts_with(foreign)) {
        return Err((foreign.len(), format!("`{foreign}` is not of this language"), Some((*help).into())));
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(*symbol)) {
        Some(symbol) => Ok((TokenKind::Symbol(symbol), symbol.len())),
        None => Err((letter.len_utf8(), format!("`{letter}` is not of this language"), None)),
    }
}

fn prefix(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    let end = text.find(|letter| !belongs(letter)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

fn number(rest: &str) -> Result<(TokenKind, usize), Wrong> {
    let number = prefix(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !plain || number.ends_with('.') || number.matches('.').count() > 1 {
        return Err((number.len(), format!("`{number}` is not a number"), None));
    }
    Ok((TokenKind::Number(number.to_owned()), number.len()))
}

/// What stands between two quotes, where a doubled quote means one, and its length with the quotes.
fn quoted(rest: &str, quote: char) -> Result<(String, usize), Wrong> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != quote {
            text.push(letter);
        } else if letters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return Ok((text, at + 1));
        }
    }
    Err((rest.trim_end().len(), format!("a `{quote}` that is not closed"), None))
}
