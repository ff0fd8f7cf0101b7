//! Tokens to a tree, not typed yet.

use access::{CatalogSet, Comparison};

use super::Problem;
use super::lexer::{Token, TokenKind, tokens};
use super::tree::{Expr, ExprKind, Part, Set, Term, TermKind};
use crate::Span;

/// How deep parentheses and `not` may be nested, and how many tokens there may be.
const DEPTH_MAX: usize = 32;
const TOKENS_MAX: usize = 4096;
/// Words that stand for themselves and name no field, unless quoted.
const KEYWORDS: [&str; 18] = [
    "and", "or", "not", "in", "is", "null", "true", "false", "between", "like", "has", "any", "caller",
    "request", "lookup", "catalog", "cidr", "anyone",
];

/// Reads an expression.
pub(crate) fn parse(text: &str, speaks: Speaks) -> Result<Expr, Problem> {
    let tokens = tokens(text)?;
    let whole = Span { start: 0, end: text.len() };
    if tokens.len() > TOKENS_MAX {
        return Err(Problem::new(whole, format!("longer than {TOKENS_MAX} words")));
    }
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, speaks };
    if let (Some("anyone"), true) = (parser.word(), tokens.len() == 2) {
        return Ok(Expr { span: whole, kind: ExprKind::Anyone });
    }
    let expr = parser.or()?;
    if *parser.peek() == TokenKind::End { Ok(expr) } else { Err(parser.unexpected("`and`, `or` or the end")) }
}

/// Who wrote an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaks {
    /// The author of a policy.
    Policy,
    /// The policy of the catalogue, which ships with the gateway.
    Catalogue,
}

struct Parser<'a> {
    speaks: Speaks,
    tokens: &'a [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &TokenKind {
        self.tokens.get(self.at).map_or(&TokenKind::End, |token| &token.kind)
    }

    fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(Span::default(), |token| token.span)
    }

    /// From here to the token before the current one.
    fn since(&self, start: Span) -> Span {
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        Span { start: start.start, end: last.map_or(start.end, |token| token.span.end.max(start.end)) }
    }

    fn word(&self) -> Option<&str> {
        match self.peek() {
            TokenKind::Word(word) => Some(word),
            TokenKind::Quoted(_)
            | TokenKind::Text(_)
            | TokenKind::Number(_)
            | TokenKind::Symbol(_)
            | TokenKind::End => None,
        }
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let eaten = self.word() == Some(word);
        self.at += usize::from(eaten);
        eaten
    }

    fn eat(&mut self, symbol: &'static str) -> bool {
        let eaten = *self.peek() == TokenKind::Symbol(symbol);
        self.at += usize::from(eaten);
        eaten
    }

    fn need(&mut self, symbol: &'static str) -> Result<(), Problem> {
        if self.eat(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn need_word(&mut self, word: &str) -> Result<(), Problem> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn unexpected(&self, wanted: &str) -> Problem {
        let found = match self.peek() {
            TokenKind::Word(word) => format!("`{word}`"),
            TokenKind::Quoted(name) => format!("`\"{name}\"`"),
            TokenKind::Text(text) => format!("`'{text}'`"),
            TokenKind::Number(number) => format!("`{number}`"),
            TokenKind::Symbol(symbol) => format!("`{symbol}`"),
            TokenKind::End => "the end".to_owned(),
        };
        Problem::new(self.span(), format!("{wanted} is expected here, not {found}"))
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        if self.depth == DEPTH_MAX {
            return Err(Problem::new(self.span(), format!("nested deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    fn or(&mut self) -> Result<Expr, Problem> {
        let start = self.span();
        let first = self.and()?;
        let mut arms = vec![first];
        while self.eat_word("or") {
            arms.push(self.and()?);
        }
        Ok(joined(arms, self.since(start), ExprKind::Or))
    }

    fn and(&mut self) -> Result<Expr, Problem> {
        let start = self.span();
        let first = self.not()?;
        let mut arms = vec![first];
        while self.eat_word("and") {
            arms.push(self.not()?);
        }
        Ok(joined(arms, self.since(start), ExprKind::And))
    }

    fn not(&mut self) -> Result<Expr, Problem> {
        let start = self.span();
        if self.eat_word("not") {
            let inner = self.deeper(Self::not)?;
            return Ok(Expr { span: self.since(start), kind: ExprKind::Not(Box::new(inner)) });
        }
        if self.speaks == Speaks::Catalogue
            && let Some(found) = self.in_catalog(start)?
        {
            return Ok(found);
        }
        if self.eat("(") {
            let inner = self.deeper(Self::or)?;
            self.need(")")?;
            return Ok(inner);
        }
        self.condition()
    }

    /// `field in catalog.set`, `(a, b) in catalog.set`. Where it is something else, nothing is read.
    fn in_catalog(&mut self, start: Span) -> Result<Option<Expr>, Problem> {
        let at = self.at;
        let mut terms = Vec::new();
        let several = self.eat("(");
        while let TokenKind::Word(name) = self.peek().clone() {
            terms.push(Term { span: self.span(), kind: TermKind::Field(name) });
            self.at += 1;
            if !several || !self.eat(",") {
                break;
            }
        }
        let closed = !several || self.eat(")");
        if !(closed && !terms.is_empty() && self.eat_word("in") && self.eat_word("catalog")) {
            self.at = at;
            return Ok(None);
        }
        let span = self.span();
        let name = self.part_name("catalog")?;
        let Some(set) = CatalogSet::ALL.iter().find(|set| set.name() == name && set.arity() == terms.len())
        else {
            let known = CatalogSet::ALL.iter().map(|set| set.name());
            let message = format!("no set of {} fields is called `catalog.{name}`", terms.len());
            return Err(Problem::new(span, message).suggest(&name, known));
        };
        Ok(Some(Expr { span: self.since(start), kind: ExprKind::InCatalog(terms, *set) }))
    }

    fn condition(&mut self) -> Result<Expr, Problem> {
        let start = self.span();
        let left = self.term()?;
        if let Some(comparison) = self.comparison() {
            let right = self.term()?;
            return Ok(Expr { span: self.since(start), kind: ExprKind::Compare(comparison, left, right) });
        }
        if self.eat_word("is") {
            let negated = self.eat_word("not");
            self.need_word("null")?;
            return Ok(negate(self.since(start), ExprKind::IsNull(left), negated));
        }
        let negated = self.eat_word("not");
        let kind = match self.word() {
            Some("in") => self.membership(left, ExprKind::In)?,
            Some("between") => self.between(left)?,
            Some("like") => {
                self.at += 1;
                ExprKind::Like(left, self.term()?)
            }
            Some("has") => {
                self.at += 1;
                match self.word() {
                    Some("any") => self.membership(left, ExprKind::HasAny)?,
                    _ => return Err(self.unexpected("`any`")),
                }
            }
            _ if negated => return Err(self.unexpected("`in`, `between`, `like` or `has any`")),
            _ => ExprKind::Truth(left),
        };
        Ok(negate(self.since(start), kind, negated))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let TokenKind::Symbol(symbol) = self.peek() else { return None };
        let comparison = match *symbol {
            "=" => Comparison::Equal,
            "<>" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn between(&mut self, left: Term) -> Result<ExprKind, Problem> {
        self.at += 1;
        let low = self.term()?;
        self.need_word("and")?;
        Ok(ExprKind::Between(left, low, self.term()?))
    }

    fn membership(&mut self, left: Term, kind: fn(Term, Set) -> ExprKind) -> Result<ExprKind, Problem> {
        self.at += 1;
        if self.eat("(") {
            let mut items = vec![self.term()?];
            while self.eat(",") {
                items.push(self.term()?);
            }
            self.need(")")?;
            return Ok(kind(left, Set::List(items)));
        }
        if self.eat_word("cidr") {
            return Ok(kind(left, Set::Cidr(self.networks()?)));
        }
        let start = self.span();
        if self.eat_word("lookup") {
            let name = self.part_name("lookup")?;
            return Ok(kind(left, Set::Lookup(name, self.since(start))));
        }
        let set = self.term()?;
        match set.kind {
            TermKind::Caller(_) => Ok(kind(left, Set::Caller(set))),
            TermKind::Field(_)
            | TermKind::Request(_)
            | TermKind::Text(_)
            | TermKind::Number(_)
            | TermKind::Bool(_)
            | TermKind::Null => Err(Problem::new(
                set.span,
                "a list in parentheses, a set of the caller or a lookup is expected here",
            )),
        }
    }

    fn networks(&mut self) -> Result<Vec<(String, Span)>, Problem> {
        let mut networks = Vec::new();
        self.need("(")?;
        loop {
            let TokenKind::Text(text) = self.peek().clone() else {
                return Err(self.unexpected("a network such as `'10.0.0.0/8'`"));
            };
            networks.push((text, self.span()));
            self.at += 1;
            if !self.eat(",") {
                break;
            }
        }
        self.need(")")?;
        Ok(networks)
    }

    fn term(&mut self) -> Result<Term, Problem> {
        let start = self.span();
        let token = self.peek().clone();
        let kind = match token {
            TokenKind::Text(text) => TermKind::Text(text),
            TokenKind::Number(number) => TermKind::Number(number),
            TokenKind::Quoted(name) => TermKind::Field(name),
            TokenKind::Symbol("-") => return self.negative(start),
            TokenKind::Word(word) => return self.named(&word, start),
            TokenKind::Symbol(_) | TokenKind::End => {
                return Err(self.unexpected("a field, a value or `caller.…`"));
            }
        };
        self.at += 1;
        Ok(Term { span: start, kind })
    }

    fn negative(&mut self, start: Span) -> Result<Term, Problem> {
        self.at += 1;
        let TokenKind::Number(number) = self.peek().clone() else { return Err(self.unexpected("a number")) };
        self.at += 1;
        Ok(Term { span: self.since(start), kind: TermKind::Number(format!("-{number}")) })
    }

    fn named(&mut self, word: &str, start: Span) -> Result<Term, Problem> {
        match word {
            "lookup" => {
                let problem = Problem::new(start, "a lookup stands behind `in`");
                return Err(problem.help("write `id in lookup.assigned`"));
            }
            "catalog" => {
                return Err(Problem::new(
                    start,
                    "only the policy of the catalogue, which ships, may say this",
                ));
            }
            _ => self.at += 1,
        }
        let kind = match word {
            "true" => TermKind::Bool(true),
            "false" => TermKind::Bool(false),
            "null" => TermKind::Null,
            "caller" => TermKind::Caller(self.part_name("caller")?),
            "request" => self.request()?,
            _ if KEYWORDS.contains(&word) => {
                self.at -= 1;
                return Err(self.unexpected("a field, a value or `caller.…`"));
            }
            _ if *self.peek() == TokenKind::Symbol("(") => {
                return Err(Problem::new(start, format!("`{word}(…)`: there are no functions here")));
            }
            _ if *self.peek() == TokenKind::Symbol(".") => {
                let message = format!("`{word}.…`: only `caller` and `request` have parts");
                return Err(Problem::new(start, message).suggest(word, ["caller", "request"]));
            }
            _ => TermKind::Field(word.to_owned()),
        };
        Ok(Term { span: self.since(start), kind })
    }

    fn part_name(&mut self, of: &str) -> Result<String, Problem> {
        self.need(".").map_err(|problem| problem.help(format!("a part is named: `{of}.…`")))?;
        let (TokenKind::Word(name) | TokenKind::Quoted(name)) = self.peek().clone() else {
            return Err(self.unexpected("a name"));
        };
        self.at += 1;
        Ok(name)
    }

    fn request(&mut self) -> Result<TermKind, Problem> {
        let name = self.part_name("request")?;
        let last = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        let span = last.map_or(Span::default(), |token| token.span);
        let part = match &*name {
            "time" => Part::Time,
            "day" => Part::Day,
            "hour" => Part::Hour,
            "ip" => Part::Ip,
            _ => {
                let problem = Problem::new(span, format!("a request has no `{name}`"))
                    .help("there are `time`, `day`, `hour` and `ip`")
                    .suggest(&name, ["time", "day", "hour", "ip"]);
                return Err(problem);
            }
        };
        Ok(TermKind::Request(part))
    }
}

fn joined(mut arms: Vec<Expr>, span: Span, kind: fn(Vec<Expr>) -> ExprKind) -> Expr {
    match arms.pop() {
        Some(only) if arms.is_empty() => only,
        last => {
            arms.extend(last);
            Expr { span, kind: kind(arms) }
        }
    }
}

fn negate(span: Span, kind: ExprKind, negated: bool) -> Expr {
    let inner = Expr { span, kind };
    if negated { Expr { span, kind: ExprKind::Not(Box::new(inner)) } } else { inner }
}
