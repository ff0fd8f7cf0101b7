//! Hidden parameters: the keys of hashes, sent after the client's own values and described to nobody.
//!
//! A key is never part of a text. So a simple query that needs one is sent as the extended protocol has it, statement by
//! statement before one Sync: it stays one transaction, and the client gets the messages of a simple query.

use std::collections::BTreeMap;
use std::sync::Arc;

use access::{Refusal, RefusalKind};
use bytes::BytesMut;
use gate::{Decided, SqlPermit};

use crate::answer::Answer;
use crate::back;
use crate::frame::{Frame, FrameError};
use crate::front::{self, Bind, Target};

/// The type of every hidden parameter: `bytea`.
const BYTEA: u32 = 17;
/// A Bind without values: no formats, no values, results as text.
const NO_VALUES: &[u8] = &[0; 6];

/// Whether this statement has parameters that its client does not know of.
pub(crate) fn has_any(decided: Option<&Decided>) -> bool {
    decided.is_some_and(|decided| !decided.hidden().is_empty())
}

/// The types that a Parse declares: the client's own, and those of the hidden parameters after all that it has.
pub(crate) fn types(decided: Option<&Decided>, declared: &Arc<[u32]>) -> Arc<[u32]> {
    let Some(decided) = decided.filter(|decided| !decided.hidden().is_empty()) else {
        return Arc::clone(declared);
    };
    let own = usize::from(decided.parameters());
    // The store infers what the client leaves to it.
    let left = std::iter::repeat_n(0, own.saturating_sub(declared.len()));
    let hidden = std::iter::repeat_n(BYTEA, 2 * decided.hidden().len());
    declared.iter().copied().chain(left).chain(hidden).collect()
}

/// Whether the values of a Bind are as many as its client knows of: the store counts the hidden ones too.
pub(crate) fn check_bind(bind: &Bind<'_>, decided: Option<&Decided>) -> Result<(), Answer> {
    let Some(decided) = decided.filter(|decided| !decided.hidden().is_empty()) else { return Ok(()) };
    let (formats, values, own) = (bind.formats(), bind.values, decided.parameters());
    if formats > 1 && formats != values {
        let message = format!("bind message has {formats} parameter formats but {values} parameters");
        return Err(Answer::error("08P01", message));
    }
    if values != own {
        let name = bind.statement;
        let message = format!(
            "bind message supplies {values} parameters, but prepared statement \"{name}\" requires {own}"
        );
        return Err(Answer::error("08P01", message));
    }
    Ok(())
}

/// Writes a Bind with the client's values, and the hidden ones after them.
pub(crate) fn bind(
    out: &mut BytesMut,
    bind: &Bind<'_>,
    statement: &str,
    decided: Option<&Decided>,
) -> Result<(), FrameError> {
    let hidden = decided.map(Decided::hidden).unwrap_or_default();
    if hidden.is_empty() {
        return front::bind(out, bind.portal, statement, bind.tail);
    }
    let values: Vec<&[u8]> = hidden.iter().flat_map(gate::DerivedKey::parameters).collect();
    front::bind_with(out, bind, statement, &values)
}

/// Writes all statements of a query as the extended protocol has it.
pub(crate) fn query(out: &mut BytesMut, permits: &[SqlPermit]) -> Result<(), FrameError> {
    let nothing: Arc<[u32]> = Arc::default();
    let start = out.len();
    let written = permits.iter().try_for_each(|permit| {
        let decided = permit.decided();
        front::parse(out, "", permit.text(), &types(Some(decided), &nothing))?;
        let own = Bind { portal: "", statement: "", values: 0, tail: NO_VALUES };
        bind(out, &own, "", Some(decided))?;
        front::describe(out, Target::Portal(""))?;
        front::execute(out, "", 0)
    });
    match written {
        Ok(()) => front::sync(out),
        Err(_) => out.truncate(start),
    }
    written
}

/// ParameterDescription without what the client does not know of.
pub(crate) fn write_parameter_types(
    out: &mut BytesMut,
    frame: &Frame,
    decided: Option<&Decided>,
) -> Result<(), FrameError> {
    let Some(decided) = decided.filter(|decided| !decided.hidden().is_empty()) else {
        out.extend_from_slice(frame.bytes());
        return Ok(());
    };
    let types = back::parameter_types(frame)?;
    let own = types.get(..usize::from(decided.parameters())).ok_or(FrameError::Short)?;
    back::write_parameter_types(out, own)
}

/// Whether hashes are made of UTF-8, as everywhere: a database of another encoding gives other bytes.
pub(crate) fn check_encoding<'d>(
    parameters: &BTreeMap<String, String>,
    statements: impl IntoIterator<Item = &'d Decided>,
) -> Result<(), Refusal> {
    let is_utf8 = parameters.get("server_encoding").is_none_or(|encoding| encoding == "UTF8");
    if is_utf8 || statements.into_iter().all(|decided| decided.hidden().is_empty()) {
        return Ok(());
    }
    let message = "the mask `hash` needs a database whose encoding is UTF8";
    Err(Refusal::new(RefusalKind::Unsupported, message).hint("leave the hashed columns out"))
}
