//! The `rules` block: allow, restrict, deny.

use std::sync::Arc;

use access::Action;

use super::{Draft, Reader};
use crate::Span;
use crate::document::{Kind, Node, Scalar};
use crate::error::Place;
use crate::expr::{Expr, ExprKind};
use crate::name::{self, Pattern};
use crate::policy::{Because, Expression, Piece, Rule, RuleKind, ShowKey, ShowLine};

const KINDS: [&str; 3] = ["allow", "restrict", "deny"];
const NARROWING: [&str; 5] = ["to", "data", "do", "rows", "show"];
const DENYING: [&str; 4] = ["to", "data", "do", "because"];
const ACTIONS: [Action; 2] = [Action::Read, Action::Explain];
/// Actions and rights of the language that come later.
const LATER: [&str; 11] =
    ["insert", "update", "delete", "lock", "schema", "admin", "temp", "listen", "ddl", "analyze", "call"];

/// What a rule says so far.
#[derive(Default)]
struct Parts {
    to: Option<Expression>,
    data: Vec<(Pattern, Place)>,
    actions: Option<Vec<Action>>,
    rows: Option<Expression>,
    show: Vec<ShowLine>,
    because: Option<Because>,
}

impl Reader<'_> {
    pub(super) fn rules(&mut self, value: &Node, draft: &mut Draft) {
        for item in self.list(value, "`rules`").unwrap_or_default() {
            let Some(rule) = self.rule(item) else { continue };
            self.unique(&rule, &draft.rules);
            draft.rules.push(rule);
        }
    }

    fn unique(&mut self, rule: &Rule, rules: &[Rule]) {
        if let Some(first) = rules.iter().find(|other| other.name == rule.name) {
            let help = format!("the first one is in {}", first.place.line());
            self.error(rule.place.span, format!("two rules are called `{}`", rule.name), help);
        }
    }

    fn rule(&mut self, item: &Node) -> Option<Rule> {
        let entries = self.mapping(item, "a rule")?;
        let (kind, name) = self.head(item, entries)?;
        let mut parts = Parts::default();
        for (key, value) in entries {
            self.part(kind, key, value, &mut parts);
        }
        self.complete(kind, name, entries, &parts);
        let Parts { to, data, actions, rows, show, because } = parts;
        // Without a condition there is an error, and the rule only stands here to be looked at further.
        let to = to.unwrap_or_else(|| Expression {
            source: self.source.clone(),
            scalar: name.clone(),
            expr: Expr { span: Span::default(), kind: ExprKind::Anyone },
        });
        let actions = actions.unwrap_or_else(|| ACTIONS.to_vec());
        let place = self.place(name.span);
        let name: Arc<str> = name.text.as_str().into();
        Some(Rule { kind, name, place, to, data, actions, rows, show, because })
    }

    /// The kind and the name: `allow: support-reads`.
    fn head<'n>(&mut self, item: &Node, entries: &'n [(Scalar, Node)]) -> Option<(RuleKind, &'n Scalar)> {
        let mut heads = entries.iter().filter(|(key, _)| KINDS.contains(&key.text.as_str()));
        let Some((key, value)) = heads.next() else {
            let near = entries.iter().find_map(|(key, _)| crate::did_you_mean(&key.text, KINDS));
            let error = self.source.error(item.span, "a rule is an `allow`, a `restrict` or a `deny`");
            self.errors.push(error.help(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "it begins with its kind and its name: `allow: support-reads`".to_owned(),
            }));
            return None;
        };
        if let Some((second, _)) = heads.next() {
            self.plain_error(second.span, format!("a rule is either `{}` or `{}`", key.text, second.text));
        }
        let kind = match key.text.as_str() {
            "allow" => RuleKind::Allow,
            "restrict" => RuleKind::Restrict,
            _ => RuleKind::Deny,
        };
        let name = self.text(value, "a rule's name")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !name.text.chars().all(plain) {
            self.error(
                name.span,
                "this is not the name of a rule",
                "its letters are a-z, digits, `-`, `_` and `.`",
            );
        }
        Some((kind, name))
    }

    fn part(&mut self, kind: RuleKind, key: &Scalar, value: &Node, parts: &mut Parts) {
        let known: &[&str] = match kind {
            RuleKind::Allow | RuleKind::Restrict => &NARROWING,
            RuleKind::Deny => &DENYING,
        };
        match key.text.as_str() {
            "to" => parts.to = self.expression(value, "`to`"),
            "data" => parts.data = self.patterns(value),
            "do" => parts.actions = Some(self.actions(kind, value)),
            "rows" if kind != RuleKind::Deny => parts.rows = self.rows(value),
            "show" if kind != RuleKind::Deny => parts.show = self.show(value),
            "because" if kind == RuleKind::Deny => parts.because = self.because(value),
            head if KINDS.contains(&head) => {}
            word if NARROWING.contains(&word) || DENYING.contains(&word) => {
                let message = format!("`{word}` has no meaning in a rule of kind `{}`", kind.word());
                self.error(key.span, message, format!("there are: {}", known.join(", ")));
            }
            _ => self.unknown_key(key, "a rule", known),
        }
    }

    /// What a rule cannot go without.
    fn complete(&mut self, kind: RuleKind, name: &Scalar, entries: &[(Scalar, Node)], parts: &Parts) {
        let has = |key: &str| entries.iter().any(|(other, _)| other.text == key);
        let needed = [
            ("to", true, "who it is for; `to: anyone` says all"),
            ("data", true, "what it is about; `data: \"*\"` says every relation under `data:`"),
            ("do", kind == RuleKind::Allow, "what it allows: `do: read`"),
        ];
        for (key, needed, help) in needed {
            if needed && !has(key) {
                self.error(name.span, format!("the rule `{}` has no `{key}`", name.text), help);
            }
        }
        let narrows = parts.rows.is_some() || !parts.show.is_empty() || has("rows") || has("show");
        if kind == RuleKind::Restrict && !narrows {
            let message = format!("the restrict `{}` narrows nothing", name.text);
            self.error(name.span, message, "it needs `rows` or `show`");
        }
    }

    fn patterns(&mut self, value: &Node) -> Vec<(Pattern, Place)> {
        let mut patterns = Vec::new();
        let items = self.one_or_more(value);
        if items.is_empty() {
            self.plain_error(value.span, "`data` names at least one relation");
        }
        for item in items {
            let Some(text) = self.text(item, "a name of data") else { continue };
            match name::pattern(&text.text, self.speaks) {
                Ok(pattern) => patterns.push((pattern, self.place(text.span))),
                Err(wrong) => self.error(text.span, wrong.message, wrong.help),
            }
        }
        patterns
    }

    fn actions(&mut self, kind: RuleKind, value: &Node) -> Vec<Action> {
        if let Kind::Mapping(entries) = &value.kind {
            if kind != RuleKind::Allow {
                self.plain_error(value.span, format!("`do` of a {} holds words only", kind.word()));
            }
            let actions: Vec<_> = entries.iter().map(|(key, value)| self.granted(key, value)).collect();
            return actions.into_iter().flatten().collect();
        }
        let items = self.one_or_more(value);
        if items.is_empty() {
            self.plain_error(value.span, "`do` names at least one action");
        }
        let words: Vec<_> = items.iter().filter_map(|item| self.text(item, "an action")).collect();
        words.into_iter().filter_map(|word| self.action(word)).collect()
    }

    /// `read: all`.
    fn granted(&mut self, key: &Scalar, value: &Node) -> Option<Action> {
        let action = self.action(key)?;
        let all = matches!(&value.kind, Kind::Scalar(word) if word.text == "all");
        if !all {
            self.plain_error(value.span, format!("`{action}` takes only `all`"));
        }
        Some(action)
    }

    fn action(&mut self, word: &Scalar) -> Option<Action> {
        if let Some(action) = ACTIONS.iter().find(|action| action.to_string() == word.text) {
            return Some(*action);
        }
        if LATER.contains(&word.text.as_str()) {
            self.later(word.span, &word.text);
            return None;
        }
        let error = self.source.error(word.span, format!("unknown action `{}`", word.text));
        self.errors.push(error.help("there are: read, explain").suggest(&word.text, ["read", "explain"]));
        None
    }

    fn rows(&mut self, value: &Node) -> Option<Expression> {
        if let Kind::Mapping(entries) = &value.kind
            && let Some((key, _)) = entries.iter().find(|(key, _)| key.text == "sql")
        {
            self.later(key.span, "sql");
            return None;
        }
        self.expression(value, "`rows`")
    }

    fn show(&mut self, value: &Node) -> Vec<ShowLine> {
        let mut lines: Vec<ShowLine> = Vec::new();
        for (key, value) in self.mapping(value, "`show`").unwrap_or_default() {
            let mask = self.mask(value);
            let Some(show_key) = self.show_key(key) else { continue };
            if lines.iter().any(|line| line.key == show_key) {
                self.plain_error(key.span, format!("`{}` stands twice", key.text));
            }
            if let Some(mask) = mask {
                lines.push(ShowLine { place: self.place(key.span), key: show_key, mask });
            }
        }
        lines
    }

    /// A class, or a field with a dot before it.
    fn show_key(&mut self, key: &Scalar) -> Option<ShowKey> {
        let Some(field) = key.text.strip_prefix('.') else {
            return self.class_name(key).then(|| ShowKey::Class(key.text.clone()));
        };
        match name::field(field) {
            Ok(name) => Some(ShowKey::Field(name)),
            Err(wrong) => {
                self.error(key.span, wrong.message, wrong.help);
                None
            }
        }
    }

    /// A text in which `{caller.x}` stands for a value.
    fn because(&mut self, value: &Node) -> Option<Because> {
        let text = self.text(value, "`because`")?;
        let mut pieces = Vec::new();
        let mut rest = text.text.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let named =
                after.split_once('}').and_then(|(name, rest)| Some((name.strip_prefix("caller.")?, rest)));
            let Some((name, after)) = named else {
                self.error(text.span, "a `{` that opens no attribute", "write `{caller.model}`");
                return None;
            };
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Attribute(name.into()));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Some(Because(pieces))
    }
}
