//! The allow list of settings: which a session may set or show, within which bounds, and why each is harmless.

use std::sync::Arc;

use access::{Refusal, RefusalKind};
use pg_raw_parse::{ConstValue, Node, nodes, raw::VariableSetKind};

use crate::statement::{Class, Effect, Kind, Rights, Sent};

/// The longest value of a setting, in bytes.
const VALUE_BYTES_MAX: usize = 1024;

/// The longest path, in schemas.
const PATH_SCHEMAS_MAX: usize = 64;

/// One setting that a session may name.
struct Setting {
    name: &'static str,
    rule: Rule,
}

/// What a session may do with a setting.
#[derive(Clone, Copy)]
enum Rule {
    /// Set it to anything that the server accepts; the server checks the value.
    Free,
    /// Set it to one of these.
    OneOf(&'static [&'static str]),
    /// Set it for the running transaction; there is no value to go back to.
    Transaction,
    /// It has this one value, here and upstream; another way to write it is one of these.
    Pinned(&'static str, &'static [&'static str]),
    /// Look at it.
    Shown,
    /// Look at it, and see this.
    Answered(&'static str),
    /// The gateway's own: the path by which names are resolved.
    Path,
    /// Go back to the login's own value, which it never left: drivers say so before they hand a connection on.
    Back,
}

const fn setting(name: &'static str, rule: Rule) -> Setting {
    Setting { name, rule }
}

/// Guards and masks depend on none of these (they are immutable expressions), so what a session sets here changes how
/// its own values are written or how long it waits, never which it sees.
const SETTINGS: &[Setting] = &[
    setting("search_path", Rule::Path),
    // The gateway reads UTF-8, and a backslash in a plain string as a backslash: so must the server.
    setting("client_encoding", Rule::Pinned("UTF8", &["utf8", "utf-8", "unicode"])),
    setting("standard_conforming_strings", Rule::Pinned("on", &["on", "true", "yes", "1"])),
    // How values are written.
    setting("datestyle", Rule::Free),
    setting("intervalstyle", Rule::Free),
    setting("timezone", Rule::Free),
    setting("extra_float_digits", Rule::Free),
    setting("bytea_output", Rule::Free),
    setting("xmlbinary", Rule::Free),
    setting("xmloption", Rule::Free),
    // A name for the server's own lists; no rule of a policy reads it.
    setting("application_name", Rule::Free),
    // Below NOTICE the server sends rewritten queries and plans, guards and all.
    setting("client_min_messages", Rule::OneOf(&["notice", "warning", "error"])),
    // How long it waits.
    setting("statement_timeout", Rule::Free),
    setting("lock_timeout", Rule::Free),
    setting("idle_in_transaction_session_timeout", Rule::Free),
    // How transactions see one another.
    setting("default_transaction_isolation", Rule::Free),
    setting("default_transaction_read_only", Rule::Free),
    setting("default_transaction_deferrable", Rule::Free),
    setting("transaction_isolation", Rule::Transaction),
    setting("transaction_read_only", Rule::Transaction),
    setting("transaction_deferrable", Rule::Transaction),
    // How plans are run, not what they return: drivers turn it off for their own catalogue queries.
    setting("jit", Rule::OneOf(&["on", "off", "true", "false"])),
    // What drivers ask of a server at start.
    setting("server_version", Rule::Shown),
    setting("server_version_num", Rule::Shown),
    setting("server_encoding", Rule::Shown),
    setting("integer_datetimes", Rule::Shown),
    setting("in_hot_standby", Rule::Shown),
    setting("max_identifier_length", Rule::Shown),
    setting("max_index_keys", Rule::Shown),
    setting("default_table_access_method", Rule::Shown),
    setting("lc_collate", Rule::Shown),
    setting("lc_ctype", Rule::Shown),
    setting("lc_messages", Rule::Shown),
    setting("lc_monetary", Rule::Shown),
    setting("lc_numeric", Rule::Shown),
    setting("lc_time", Rule::Shown),
    // The upstream login may be a superuser; no caller is.
    setting("is_superuser", Rule::Answered("off")),
    setting("role", Rule::Back),
    setting("session_authorization", Rule::Back),
];

/// What SHOW tells of the caller itself. There is nothing to set.
const RIGHTS: &[(&str, Rights)] =
    &[("veilgate.rights", Rights::Rows), ("veilgate.rights_json", Rights::Text)];

/// Settings that are refused with a reason of their own.
const REFUSED: &[(&str, &str)] = &[
    ("role", "callers act under their own name only"),
    ("session_authorization", "callers act under their own name only"),
    ("row_security", "native row security stays as the server has it"),
    ("transform_null_equals", "guards rely on what `=` means"),
];

fn find(name: &str) -> Result<Rule, Refusal> {
    let lower = name.to_ascii_lowercase();
    let setting = SETTINGS.iter().find(|setting| setting.name == lower);
    setting.map(|setting| setting.rule).ok_or_else(|| not_open(&lower))
}

fn not_open(name: &str) -> Refusal {
    let reason = REFUSED.iter().find(|(refused, _)| *refused == name).map(|(_, reason)| *reason);
    let open = "settings that change only how values are written, or how long to wait, are open";
    Refusal::new(RefusalKind::Setting, format!("setting `{name}` is not open to sessions here"))
        .hint(reason.unwrap_or(open))
}

/// What a start-up option of this name and value does to the session; `search_path` comes as a list in one text.
///
/// # Errors
/// A setting that is not on the list, or a value out of its bounds.
pub fn start_up_setting(name: &str, value: &str) -> Result<Effect, Refusal> {
    let rule = find(name)?;
    if matches!(rule, Rule::Path) {
        return Ok(Effect::SetSearchPath(Some(split_path(value)?)));
    }
    Ok(assigned(name, rule, value.to_owned(), false)?.effect)
}

/// SET and RESET in all their forms.
pub(crate) fn set(set: &nodes::VariableSetStmt) -> Result<Class, Refusal> {
    use VariableSetKind as K;
    let name = set.name().unwrap_or_default().to_ascii_lowercase();
    match set.kind {
        K::VAR_SET_MULTI => set_transaction(set, &name),
        K::VAR_SET_VALUE => {
            let values = set
                .args()
                .iter()
                .map(constant)
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| odd_value(&name))?;
            set_value(&name, values, set.is_local)
        }
        K::VAR_SET_DEFAULT if set.is_local => {
            let message = format!("SET LOCAL {name} TO DEFAULT is not mediated by this version");
            Err(Refusal::new(RefusalKind::Unsupported, message).hint("name the value, or leave LOCAL out"))
        }
        K::VAR_SET_DEFAULT => reset(&name, "SET"),
        K::VAR_RESET => reset(&name, "RESET"),
        K::VAR_RESET_ALL => Ok(class(Effect::ResetAll, Sent::Note { tag: "RESET" })),
        _ => {
            Err(Refusal::new(RefusalKind::Unsupported, "SET … FROM CURRENT is not mediated by this version")
                .hint("name the value"))
        }
    }
    .map_err(|refusal| refusal.at(set.location))
}

/// SET name TO values.
pub(crate) fn set_value(name: &str, values: Vec<String>, local: bool) -> Result<Class, Refusal> {
    match find(name)? {
        Rule::Path if local => Err(Refusal::new(
            RefusalKind::Unsupported,
            "SET LOCAL search_path is not mediated by this version",
        )
        .hint("use SET search_path, or write names with their schema")),
        Rule::Path => {
            let path = checked_path(values.into_iter().map(Arc::from).collect())?;
            Ok(class(Effect::SetSearchPath(Some(path.clone())), Sent::Path { path: Some(path), tag: "SET" }))
        }
        rule @ (Rule::Free
        | Rule::OneOf(_)
        | Rule::Transaction
        | Rule::Pinned(..)
        | Rule::Shown
        | Rule::Answered(_)
        | Rule::Back) => assigned(name, rule, values.join(", "), local),
    }
}

/// A setting gets a value within its bounds.
fn assigned(name: &str, rule: Rule, value: String, local: bool) -> Result<Class, Refusal> {
    let name = name.to_ascii_lowercase();
    if value.len() > VALUE_BYTES_MAX || value.contains(char::is_control) {
        return Err(odd_value(&name));
    }
    match rule {
        Rule::Free => {}
        Rule::OneOf(allowed) if allowed.contains(&&*value.to_ascii_lowercase()) => {}
        Rule::OneOf(allowed) => return Err(out_of_bounds(&name, &value, allowed)),
        Rule::Transaction => return Ok(class(Effect::None, Sent::Set { name, value, local })),
        Rule::Pinned(only, spellings) if spellings.contains(&&*value.to_ascii_lowercase()) => {
            return Ok(class(Effect::None, Sent::Set { name, value: only.to_owned(), local }));
        }
        Rule::Pinned(only, _) => return Err(out_of_bounds(&name, &value, &[only])),
        Rule::Back if name == "role" && value == "none" => {
            return Ok(class(Effect::None, Sent::Note { tag: "SET" }));
        }
        Rule::Back => return Err(not_open(&name)),
        Rule::Shown | Rule::Answered(_) | Rule::Path => return Err(read_only(&name)),
    }
    let effect = Effect::Set { name: name.clone(), value: value.clone(), local };
    Ok(class(effect, Sent::Set { name, value, local }))
}

fn reset(name: &str, tag: &'static str) -> Result<Class, Refusal> {
    match find(name)? {
        Rule::Path => Ok(class(Effect::SetSearchPath(None), Sent::Path { path: None, tag })),
        Rule::Free | Rule::OneOf(_) => {
            Ok(class(Effect::Reset(name.to_owned()), Sent::Reset { name: name.to_owned(), tag }))
        }
        Rule::Pinned(..) | Rule::Back => Ok(class(Effect::None, Sent::Note { tag })),
        Rule::Transaction | Rule::Shown | Rule::Answered(_) => Err(read_only(name)),
    }
}

/// SET TRANSACTION, which holds for the transaction, and SET SESSION CHARACTERISTICS, which sets defaults.
fn set_transaction(set: &nodes::VariableSetStmt, form: &str) -> Result<Class, Refusal> {
    let modes = set.args().iter().map(mode).collect::<Option<Vec<_>>>();
    match (form, modes.as_deref()) {
        ("transaction", Some(_)) => Ok(class(Effect::None, Sent::Itself)),
        ("session characteristics", Some([(name, value)])) => {
            assigned(&format!("default_{name}"), Rule::Free, value.clone(), false)
        }
        ("session characteristics", Some(_)) => {
            let message = "SET SESSION CHARACTERISTICS with several modes is not mediated by this version";
            Err(Refusal::new(RefusalKind::Unsupported, message).hint("set one mode at a time"))
        }
        _ => Err(Refusal::new(
            RefusalKind::Unsupported,
            "SET TRANSACTION SNAPSHOT is not mediated by this version",
        )),
    }
}

/// A transaction mode as a setting and its value.
fn mode(node: Node<'_>) -> Option<(&str, String)> {
    let element = <&nodes::DefElem>::try_from(node).ok()?;
    let name = element.defname()?;
    let value = constant(element.arg())?;
    match name {
        "transaction_isolation" => Some((name, value)),
        "transaction_read_only" | "transaction_deferrable" => {
            Some((name, if value == "0" { "off" } else { "on" }.to_owned()))
        }
        _ => None,
    }
}

/// Whether `current_setting` of this name may be asked of the server.
pub(crate) fn is_shown(name: &str) -> bool {
    matches!(find(name), Ok(Rule::Free | Rule::OneOf(_) | Rule::Transaction | Rule::Pinned(..) | Rule::Shown))
}

/// All of these, as the text of one array.
pub(crate) fn shown() -> Arc<str> {
    let names: Vec<&str> =
        SETTINGS.iter().map(|setting| setting.name).filter(|name| is_shown(name)).collect();
    format!("{{{}}}", names.join(",")).into()
}

/// SHOW.
pub(crate) fn show(show: &nodes::VariableShowStmt) -> Result<Class, Refusal> {
    let name = show.name().unwrap_or_default().to_ascii_lowercase();
    if name == "all" {
        let refusal = Refusal::new(RefusalKind::Unsupported, "SHOW ALL is not mediated by this version");
        return Err(refusal.hint("show one setting at a time"));
    }
    if let Some((_, form)) = RIGHTS.iter().find(|(shown, _)| *shown == name) {
        return Ok(Class { kind: Kind::Show, effect: Effect::None, sent: Sent::Rights(*form) });
    }
    let sent = match find(&name)? {
        Rule::Path => Sent::ShowPath,
        Rule::Answered(answer) => Sent::Answer { name, answer },
        Rule::Back => return Err(not_open(&name)),
        Rule::Free | Rule::OneOf(_) | Rule::Transaction | Rule::Pinned(..) | Rule::Shown => Sent::Itself,
    };
    Ok(Class { kind: Kind::Show, effect: Effect::None, sent })
}

/// The names of a path in one text, as a start-up option has it: separated by commas, each bare (and then folded to
/// lower case) or quoted.
fn split_path(text: &str) -> Result<Vec<Arc<str>>, Refusal> {
    let odd = || odd_value("search_path");
    let mut path = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, tail) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted).ok_or_else(odd)?,
            None => {
                let (bare, tail) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (bare.trim_end().to_lowercase(), tail)
            }
        };
        path.push(name.into());
        rest = match tail.trim_start().strip_prefix(',') {
            Some(more) if !more.trim_start().is_empty() => more.trim_start(),
            None if tail.trim_start().is_empty() => "",
            _ => return Err(odd()),
        };
    }
    checked_path(path)
}

/// The name up to its closing quote, and what follows.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            name.push(c);
        } else if quoted.get(at + 1..)?.starts_with('"') {
            name.push('"');
            chars.next();
        } else {
            return Some((name, quoted.get(at + 1..)?));
        }
    }
    None
}

fn checked_path(path: Vec<Arc<str>>) -> Result<Vec<Arc<str>>, Refusal> {
    let bytes: usize = path.iter().map(|name| name.len()).sum();
    let small = path.len() <= PATH_SCHEMAS_MAX && bytes <= VALUE_BYTES_MAX;
    if small && !path.iter().any(|name| name.contains(char::is_control)) {
        Ok(path)
    } else {
        Err(odd_value("search_path"))
    }
}

/// A constant as the text of a setting.
fn constant(node: Node<'_>) -> Option<String> {
    let constant = <&nodes::A_Const>::try_from(node).ok()?;
    match constant.val()? {
        ConstValue::Integer(number) => Some(number.to_string()),
        ConstValue::Float(text) | ConstValue::String(text) => Some(text.to_owned()),
        ConstValue::Boolean(truth) => Some(if truth { "on" } else { "off" }.to_owned()),
        ConstValue::BitString(_) | ConstValue::Unrecognized(_) | _ => None,
    }
}

fn class(effect: Effect, sent: Sent) -> Class {
    Class { kind: Kind::Set, effect, sent }
}

fn odd_value(name: &str) -> Refusal {
    Refusal::new(RefusalKind::Setting, format!("this value of setting `{name}` is not open to sessions here"))
        .hint("write it as one plain constant")
}

fn out_of_bounds(name: &str, value: &str, allowed: &[&str]) -> Refusal {
    Refusal::new(RefusalKind::Setting, format!("setting `{name}` cannot be `{value}` here"))
        .hint(format!("it can be {}", allowed.join(", ")))
}

fn read_only(name: &str) -> Refusal {
    Refusal::new(RefusalKind::Setting, format!("setting `{name}` can be shown, not set"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, parse};

    fn refusal(text: &str) -> Refusal {
        parse(text, &Limits::default()).expect_err(text)
    }

    #[test]
    fn settings_off_the_list_are_refused_by_name() {
        for name in ["row_security", "transform_null_equals", "work_mem", "veilgate.session"] {
            assert_eq!(refusal(&format!("reset {name}")).kind, RefusalKind::Setting);
        }
        for name in [
            "role",
            "session_authorization",
            "row_security",
            "transform_null_equals",
            "work_mem",
            "veilgate.session",
        ] {
            let refused = refusal(&format!("set {name} = 'x'"));
            assert_eq!(refused.kind, RefusalKind::Setting);
            assert_eq!(refused.message, format!("setting `{name}` is not open to sessions here"));
            assert_eq!(refusal(&format!("show {name}")).kind, RefusalKind::Setting);
        }
        assert_eq!(refusal("set role postgres").kind, RefusalKind::Setting);
        assert_eq!(refusal("set session authorization postgres").kind, RefusalKind::Setting);
    }

    #[test]
    fn values_out_of_bounds_are_refused() {
        for text in [
            "set client_encoding = 'latin1'",
            "set standard_conforming_strings = off",
            "set client_min_messages = debug1",
            "set client_min_messages = log",
            "set server_version = '1'",
            "set application_name = E'a\\nb'",
            "set time zone interval '-08:00' hour to minute",
            "reset transaction_isolation",
        ] {
            assert_eq!(refusal(text).kind, RefusalKind::Setting, "{text}");
        }
    }

    #[test]
    fn forms_that_cannot_be_tracked_are_refused() {
        for text in [
            "set local search_path = a",
            "set local timezone to default",
            "set datestyle from current",
            "set transaction snapshot 'x'",
            "set session characteristics as transaction read only, deferrable",
            "show all",
        ] {
            assert_eq!(refusal(text).kind, RefusalKind::Unsupported, "{text}");
        }
    }

    #[test]
    fn a_path_in_one_text_is_read_as_the_server_reads_it() {
        let path = |text: &str| {
            let Effect::SetSearchPath(Some(path)) = start_up_setting("search_path", text).ok()? else {
                return None;
            };
            Some(path.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(
            path(r#" "$user" , Public,"a""b, c" "#),
            Some(vec!["$user".into(), "public".into(), "a\"b, c".into()])
        );
        assert_eq!(path(""), Some(vec![]));
        for odd in ["a,", "\"a", "\"a\" b", "\"a\",,"] {
            assert_eq!(path(odd), None, "{odd}");
        }
    }

    #[test]
    fn start_up_options_follow_the_same_list() {
        assert!(start_up_setting("TimeZone", "UTC").is_ok());
        assert_eq!(start_up_setting("client_encoding", "UTF8"), Ok(Effect::None));
        assert!(start_up_setting("client_encoding", "LATIN1").is_err());
        assert!(start_up_setting("role", "postgres").is_err());
    }
}
