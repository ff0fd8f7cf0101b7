//! What a client is told: the one place where a refusal, or an error or notice of the store, becomes a SQLSTATE and a text.
//!
//! A store's own words can quote rows that the caller may not see, and code that runs inside the store can put anything
//! into them. So a text passes where it was made before any row was read, or where it is one of a list; every other is
//! replaced by a plain one that its SQLSTATE stands for.

use std::borrow::Cow;

use access::{Refusal, RefusalKind};
use bytes::BytesMut;

use crate::back::{self, ReportKind};
use crate::frame::Frame;

/// An error that the gateway itself answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Whether the session ends with it.
    pub fatal: bool,
    /// The SQLSTATE.
    pub sqlstate: &'static str,
    /// One line.
    pub message: Cow<'static, str>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where in the client's text, in characters from 1.
    pub position: Option<usize>,
}

impl Answer {
    /// An error after which the session goes on.
    pub(crate) fn error(sqlstate: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { fatal: false, sqlstate, message: message.into(), hint: None, position: None }
    }

    /// An error that ends the session.
    pub(crate) fn fatal(sqlstate: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { fatal: true, ..Self::error(sqlstate, message) }
    }

    /// A refusal of the text that was asked.
    pub(crate) fn refusal(refusal: &Refusal, asked: &str) -> Self {
        let message = match &refusal.rule {
            Some(rule) if !refusal.message.contains(&**rule) => {
                format!("{} (rule `{rule}`)", refusal.message)
            }
            _ => refusal.message.clone(),
        };
        let position =
            refusal.position.and_then(|bytes| asked.get(..bytes)).map(|head| head.chars().count() + 1);
        Self {
            fatal: false,
            sqlstate: sqlstate_of(refusal.kind),
            message: message.into(),
            hint: refusal.hint.clone(),
            position,
        }
    }

    /// What a failed transaction answers to everything but its end.
    pub(crate) fn transaction_failed() -> Self {
        Self::error(
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
        )
    }

    /// A prepared statement that the session does not have.
    pub(crate) fn no_statement(name: &str) -> Self {
        match name {
            "" => Self::error("26000", "unnamed prepared statement does not exist"),
            name => Self::error("26000", format!("prepared statement \"{name}\" does not exist")),
        }
    }

    /// A portal that the session does not have.
    pub(crate) fn no_portal(name: &str) -> Self {
        Self::error("34000", format!("portal \"{name}\" does not exist"))
    }

    /// Bytes that are not of the protocol: the session cannot go on.
    pub(crate) fn protocol(error: &crate::frame::FrameError) -> Self {
        Self::fatal("08P01", error.to_string())
    }

    /// Writes it as ErrorResponse.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let severity = if self.fatal { "FATAL" } else { "ERROR" };
        let position = self.position.map(|position| position.to_string());
        let mut fields =
            vec![(b'S', severity), (b'V', severity), (b'C', self.sqlstate), (b'M', &*self.message)];
        fields.extend(self.hint.as_deref().map(|hint| (b'H', hint)));
        fields.extend(position.as_deref().map(|position| (b'P', position)));
        back::write_report(out, ReportKind::Error, &fields);
    }
}

/// The SQLSTATE of a refusal. `docs/refusals.md` has a line for each.
fn sqlstate_of(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Denied | RefusalKind::UnlistedCall | RefusalKind::AtRisk | RefusalKind::Setting => {
            "42501"
        }
        RefusalKind::UnknownRelation => "42P01",
        RefusalKind::UnknownColumn => "42703",
        RefusalKind::AmbiguousColumn => "42702",
        RefusalKind::Unsupported | RefusalKind::Unprintable => "0A000",
        RefusalKind::Syntax => "42601",
        RefusalKind::TooComplex => "54000",
        RefusalKind::Encoding => "22021",
        RefusalKind::Unrecorded => "58030",
        RefusalKind::Login | RefusalKind::Purpose => "28000",
        RefusalKind::SessionName => "26000",
        RefusalKind::UnknownCursor => "34000",
        RefusalKind::WrongObject => "42809",
        RefusalKind::Unavailable => "57P03",
    }
}

/// Whether the store's own words may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// The statement touched something protected, or nobody knows.
    Guarded,
    /// The statement touched nothing protected.
    Open,
}

/// Writes an error of the store as the client may see it.
pub(crate) fn write_store_error(out: &mut BytesMut, error: &Frame, words: Words) {
    let report = Report::read(error);
    let severity = match report.severity {
        severity @ ("FATAL" | "PANIC") => severity,
        _ => "ERROR",
    };
    let mut fields = vec![(b'S', severity), (b'V', severity), (b'C', report.sqlstate)];
    if words == Words::Open {
        fields.push((b'M', report.message));
        fields.extend(report.detail.map(|detail| (b'D', detail)));
        fields.extend(report.hint.map(|hint| (b'H', hint)));
    } else if report.is_of_analysis() || KEPT_ERRORS.contains(&report.message) {
        fields.push((b'M', report.message));
    } else {
        fields.push((b'M', plain_text(report.sqlstate)));
    }
    if report.is_of_constraint() {
        fields.extend(report.schema.map(|name| (b's', name)));
        fields.extend(report.table.map(|name| (b't', name)));
        fields.extend(report.constraint.map(|name| (b'n', name)));
    }
    back::write_report(out, ReportKind::Error, &fields);
}

/// Writes a notice of the store as the client may see it.
pub(crate) fn write_store_notice(out: &mut BytesMut, notice: &Frame) {
    let report = Report::read(notice);
    let severity = match report.severity {
        severity @ ("WARNING" | "NOTICE" | "INFO") => severity,
        // The server's log and its debugging are not for callers.
        _ => return,
    };
    let message = match report.message {
        message if KEPT_NOTICES.contains(&message) => message,
        _ => "the store raised a notice; its text is withheld",
    };
    let fields = [(b'S', severity), (b'V', severity), (b'C', report.sqlstate), (b'M', message)];
    back::write_report(out, ReportKind::Notice, &fields);
}

/// The SQLSTATE of an error of the store.
pub(crate) fn sqlstate_of_store(error: &Frame) -> &str {
    Report::read(error).sqlstate
}

/// Whether an error of the store ends its connection.
pub(crate) fn is_fatal(error: &Frame) -> bool {
    matches!(Report::read(error).severity, "FATAL" | "PANIC")
}

/// The fields of an error or notice of the store.
#[derive(Debug, Default)]
struct Report<'a> {
    severity: &'a str,
    sqlstate: &'a str,
    message: &'a str,
    detail: Option<&'a str>,
    hint: Option<&'a str>,
    schema: Option<&'a str>,
    table: Option<&'a str>,
    constraint: Option<&'a str>,
    routine: &'a str,
    has_position: bool,
    has_inner_query: bool,
}

impl<'a> Report<'a> {
    fn read(frame: &'a Frame) -> Self {
        let mut report = Self { severity: "ERROR", sqlstate: "XX000", ..Self::default() };
        for (field, value) in back::report_fields(frame) {
            let Ok(value) = std::str::from_utf8(value) else { continue };
            match field {
                b'V' => report.severity = value,
                b'C' if is_sqlstate(value) => report.sqlstate = value,
                b'M' => report.message = value,
                b'D' => report.detail = Some(value),
                b'H' => report.hint = Some(value),
                b's' => report.schema = Some(value),
                b't' => report.table = Some(value),
                b'n' => report.constraint = Some(value),
                b'R' => report.routine = value,
                b'P' => report.has_position = true,
                b'p' | b'q' | b'W' => report.has_inner_query = true,
                _ => {}
            }
        }
        report
    }

    /// Whether it was found while the statement was read, before any row was: what it quotes, the client wrote. Only
    /// analysis sets a position; code inside the store sets that of its own query, and a context.
    fn is_of_analysis(&self) -> bool {
        self.has_position && !self.has_inner_query
    }

    /// Whether the server itself found a constraint violated. Code inside the store can raise the same SQLSTATE with any
    /// text as the constraint's name, but from another routine.
    fn is_of_constraint(&self) -> bool {
        self.sqlstate.starts_with("23")
            && matches!(
                self.routine,
                "ExecConstraints"
                    | "ReportNotNullViolationError"
                    | "ExecPartitionCheckEmitError"
                    | "_bt_check_unique"
                    | "check_exclusion_or_unique_constraint"
                    | "ri_ReportViolation"
                    | "ExecEvalConstraintCheck"
                    | "ExecEvalConstraintNotNull"
                    | "domain_check_input"
            )
    }
}

fn is_sqlstate(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Texts of the server itself that hold nothing but themselves.
const KEPT_ERRORS: &[&str] = &[
    "DECLARE CURSOR can only be used in transaction blocks",
    "cached plan must not change result type",
    "canceling statement due to lock timeout",
    "canceling statement due to statement timeout",
    "canceling statement due to user request",
    "canceling statement due to conflict with recovery",
    "could not serialize access due to concurrent delete",
    "could not serialize access due to concurrent update",
    "could not serialize access due to read/write dependencies among transactions",
    "current transaction is aborted, commands ignored until end of transaction block",
    "cursor can only scan forward",
    "the database system is in recovery mode",
    "the database system is shutting down",
    "the database system is starting up",
    "terminating connection due to administrator command",
    "terminating connection due to idle-in-transaction timeout",
    "terminating connection due to conflict with recovery",
];

/// The same for notices.
const KEPT_NOTICES: &[&str] = &[
    "SET LOCAL can only be used in transaction blocks",
    "SET TRANSACTION can only be used in transaction blocks",
    "there is already a transaction in progress",
    "there is no transaction in progress",
];

/// What a SQLSTATE says by itself.
fn plain_text(sqlstate: &str) -> &'static str {
    match sqlstate {
        "08P01" => "protocol violation",
        "0A000" => "feature not supported",
        "21000" => "cardinality violation: more than one row where one was expected",
        "22000" => "data exception",
        "22001" => "value too long for its type",
        "22003" => "numeric value out of range",
        "22004" => "null value not allowed",
        "22007" => "invalid datetime format",
        "22008" => "date/time field value out of range",
        "22009" => "invalid time zone displacement value",
        "22011" => "negative substring length not allowed",
        "22012" => "division by zero",
        "22015" => "interval field overflow",
        "22019" | "22025" => "invalid escape sequence",
        "22021" => "character not in repertoire",
        "22023" => "invalid parameter value",
        "2201B" => "invalid regular expression",
        "2201E" => "invalid argument for logarithm",
        "2201F" => "invalid argument for power function",
        "2201G" => "invalid argument for width_bucket function",
        "2201W" => "invalid row count in LIMIT clause",
        "2201X" => "invalid row count in OFFSET clause",
        "22026" => "string data, length mismatch",
        "2202E" => "array subscript error",
        "2202H" => "invalid TABLESAMPLE argument",
        "22030" => "duplicate JSON object key value",
        "22032" => "invalid JSON text",
        "22033" => "invalid SQL/JSON subscript",
        "22P01" => "floating-point exception",
        "22P02" => "invalid input syntax for a type",
        "22P03" => "invalid binary representation",
        "22P05" => "untranslatable character",
        "23000" => "integrity constraint violation",
        "23001" => "restrict violation",
        "23502" => "null value violates not-null constraint",
        "23503" => "foreign key violation",
        "23505" => "duplicate key value violates unique constraint",
        "23514" => "check constraint violation",
        "23P01" => "exclusion constraint violation",
        "25001" => "not possible inside a transaction block",
        "25006" => "not possible in a read-only transaction",
        "25P01" => "only possible in a transaction block",
        "25P02" => "current transaction is aborted, commands ignored until end of transaction block",
        "25P03" => "terminating connection due to idle-in-transaction timeout",
        "26000" => "prepared statement does not exist",
        "34000" => "portal does not exist",
        "3B001" => "savepoint does not exist",
        "40001" => "could not serialize access",
        "40P01" => "deadlock detected",
        "42501" => "permission denied in the store",
        "42601" => "syntax error",
        "42702" | "42725" | "42P08" => "ambiguous name or parameter",
        "42703" => "column does not exist",
        "42704" => "object does not exist",
        "42803" => "grouping error",
        "42804" => "datatype mismatch",
        "42846" => "cannot cast type",
        "42883" => "function or operator does not exist",
        "42P01" => "relation does not exist",
        "42P03" => "cursor already exists",
        "42P18" => "could not determine the data type of a parameter",
        "53000" | "53100" | "53200" | "53300" | "53400" => "insufficient resources in the store",
        "54000" | "54001" | "54011" | "54023" => "program limit exceeded",
        "55000" => "object not in prerequisite state",
        "55P03" => "lock not available",
        "57014" => "canceling statement",
        "57P01" | "57P02" | "57P03" | "57P05" => "the store ended the connection",
        "P0001" => "an exception was raised in the store",
        _ => "the store reported an error",
    }
}

#[cfg(test)]
mod tests {
    use access::{Refusal, RefusalKind};
    use bytes::BytesMut;

    use super::{Answer, Words, write_store_error, write_store_notice};
    use crate::back::{self, ReportKind};
    use crate::frame::{Back, BackFrames, Frame};

    fn frame(out: &BytesMut) -> Option<Frame> {
        let mut frames = BackFrames::new();
        let mut bytes: &[u8] = out;
        futures_now(frames.fill(&mut bytes)).unwrap();
        match frames.next_back().unwrap() {
            Some(Back::Frame(frame)) => Some(frame),
            _ => None,
        }
    }

    fn futures_now<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn report(kind: ReportKind, fields: &[(u8, &str)]) -> Frame {
        let mut out = BytesMut::new();
        back::write_report(&mut out, kind, fields);
        frame(&out).unwrap()
    }

    #[test]
    fn refusal_names_rule_hint_and_place() {
        let refusal = Refusal::new(RefusalKind::Denied, "column `ssn` is not readable here")
            .rule("no-ssn")
            .hint("leave it out")
            .at(10);
        let mut out = BytesMut::new();
        Answer::refusal(&refusal, "SELECT 'é', ssn").write(&mut out);
        let frame = frame(&out).unwrap();
        assert_eq!(back::report_field(&frame, b'C'), Some("42501"));
        assert_eq!(
            back::report_field(&frame, b'M'),
            Some("column `ssn` is not readable here (rule `no-ssn`)")
        );
        assert_eq!(back::report_field(&frame, b'H'), Some("leave it out"));
        // Ten bytes are nine characters before it.
        assert_eq!(back::report_field(&frame, b'P'), Some("10"));
    }

    #[test]
    fn store_errors_say_nothing_of_rows() {
        let unique = report(
            ReportKind::Error,
            &[
                (b'S', "ERROR"),
                (b'V', "ERROR"),
                (b'C', "23505"),
                (b'M', "duplicate key value violates unique constraint \"t_pkey\""),
                (b'D', "Key (email)=(canary) already exists."),
                (b'W', "SQL function canary"),
                (b'n', "t_pkey"),
                (b'R', "_bt_check_unique"),
            ],
        );
        let raised = report(
            ReportKind::Error,
            &[
                (b'V', "ERROR"),
                (b'C', "23505"),
                (b'M', "canary"),
                (b'n', "canary"),
                (b'R', "exec_stmt_raise"),
            ],
        );
        let placed_inside = report(
            ReportKind::Error,
            &[(b'V', "ERROR"), (b'C', "42703"), (b'M', "canary"), (b'P', "1"), (b'q', "select canary")],
        );
        for error in [&unique, &raised, &placed_inside] {
            let mut out = BytesMut::new();
            write_store_error(&mut out, error, Words::Guarded);
            assert!(!String::from_utf8_lossy(&out).contains("canary"));
        }
        let mut out = BytesMut::new();
        write_store_error(&mut out, &unique, Words::Guarded);
        assert_eq!(back::report_field(&frame(&out).unwrap(), b'n'), Some("t_pkey"));
    }

    #[test]
    fn errors_of_analysis_keep_their_text_but_not_their_hint() {
        let error = report(
            ReportKind::Error,
            &[
                (b'V', "ERROR"),
                (b'C', "42703"),
                (b'M', "column c.x does not exist"),
                (b'H', "Perhaps you meant to reference the column \"c.canary\"."),
                (b'P', "8"),
                (b'R', "errorMissingColumn"),
            ],
        );
        let mut out = BytesMut::new();
        write_store_error(&mut out, &error, Words::Guarded);
        let frame = frame(&out).unwrap();
        assert_eq!(back::report_field(&frame, b'M'), Some("column c.x does not exist"));
        assert_eq!(back::report_field(&frame, b'H'), None);
        assert_eq!(back::report_field(&frame, b'P'), None);
    }

    #[test]
    fn notices_keep_only_texts_of_the_server_itself() {
        let mut out = BytesMut::new();
        let raised = [(b'V', "NOTICE"), (b'C', "00000"), (b'M', "canary")];
        write_store_notice(&mut out, &report(ReportKind::Notice, &raised));
        assert_eq!(
            back::report_field(&frame(&out).unwrap(), b'M'),
            Some("the store raised a notice; its text is withheld")
        );
        out.clear();
        let own = [(b'V', "WARNING"), (b'C', "25P01"), (b'M', "there is no transaction in progress")];
        write_store_notice(&mut out, &report(ReportKind::Notice, &own));
        assert_eq!(
            back::report_field(&frame(&out).unwrap(), b'M'),
            Some("there is no transaction in progress")
        );
        out.clear();
        write_store_notice(&mut out, &report(ReportKind::Notice, &[(b'V', "LOG"), (b'M', "canary")]));
        assert!(out.is_empty());
    }
}
