//! Calls that stand inside a condition in what is sent: where the caller's path, or what it sees, decides.

use std::sync::Arc;

use access::FIRST_USER_OID;
use pg_raw_parse::Node;
use pg_raw_parse::make::{MemoryToken, Unique};

use crate::build::Build;

/// What stands for a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wrap {
    /// `CASE WHEN x = ANY (list) THEN f(x) END`.
    Within(Arc<str>),
    /// `CASE WHEN x < 16384 THEN NOT x = ANY (not_own) ELSE x = ANY (own) END`.
    OnPath {
        /// What is found along the path, and is not the server's own.
        own: Arc<str>,
        /// What is the server's own and not found along any path.
        not_own: Arc<str>,
    },
}

type Made<'m> = Unique<'m, Node<'m>>;

impl Wrap {
    /// The call, its argument changed already, as it is sent.
    pub(crate) fn around<'m>(&self, mem: MemoryToken<'m>, call: Made<'m>) -> Made<'m> {
        let build = Build(mem);
        let arg = || {
            let Node::FuncCall(call) = call.as_ref() else { return build.null() };
            let arg = call.args().first().unwrap_or(Node::None);
            build.cast(mem.make_unique(arg), "oid")
        };
        let listed = |list: &str| build.any(arg(), build.cast(build.string(list), "_oid"));
        match self {
            Self::Within(list) => {
                let condition = listed(list);
                build.case(vec![(condition, call)], None)
            }
            Self::OnPath { own, not_own } => {
                let first = build.cast(build.string(&FIRST_USER_OID.to_string()), "oid");
                let of_the_server = build.operator("<", arg(), first);
                build.case(vec![(of_the_server, build.negate(listed(not_own)))], Some(listed(own)))
            }
        }
    }
}
