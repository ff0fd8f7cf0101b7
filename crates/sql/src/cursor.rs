//! Cursors of a transaction: DECLARE as its query, FETCH, MOVE and CLOSE by their names.

use access::Refusal;
use pg_raw_parse::{Node, nodes};

use crate::statement::{Class, Effect, Kind, Sent, check_reads_only, not_mediated};

/// `CURSOR_OPT_HOLD` of the server.
const WITH_HOLD: i32 = 0x0020;

pub(crate) fn declare(declare: &nodes::DeclareCursorStmt) -> Result<Class, Refusal> {
    if !ends_with_its_transaction(declare) {
        return Err(
            not_mediated("DECLARE … WITH HOLD").hint("leave WITH HOLD out, and fetch inside the transaction")
        );
    }
    let Node::SelectStmt(select) = declare.query() else {
        return Err(not_mediated("DECLARE of anything but a query"));
    };
    check_reads_only(select)?;
    let effect = Effect::Declare(declare.portalname().unwrap_or_default().to_owned());
    Ok(Class { kind: Kind::Declare, effect, sent: Sent::Rewritten })
}

/// Whether the cursor is gone when its transaction is.
pub(crate) fn ends_with_its_transaction(declare: &nodes::DeclareCursorStmt) -> bool {
    declare.options & WITH_HOLD == 0
}

/// FETCH and MOVE.
pub(crate) fn fetch() -> Class {
    Class { kind: Kind::Fetch, effect: Effect::None, sent: Sent::Itself }
}

/// CLOSE of one cursor, or of all.
pub(crate) fn close(close: &nodes::ClosePortalStmt) -> Class {
    let effect = Effect::CloseCursor(close.portalname().map(str::to_owned));
    Class { kind: Kind::Session, effect, sent: Sent::Itself }
}
