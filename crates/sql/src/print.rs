//! Tree to text. The printer is not trusted: what it wrote is read again and compared, node by node.

use std::fmt;

use access::{Refusal, RefusalKind};
use pg_raw_parse::make::owned;
use pg_raw_parse::{Owned, StmtList, nodes};

use crate::hidden::Hidden;
use crate::parens::{BPCHAR_MARK, parenthesise};
use crate::{ffi, on_stack, parse};

/// A statement as it is meant to be sent: every relation replaced by its guard.
pub struct Rewritten {
    pub(crate) tree: Owned<nodes::RawStmt>,
    pub(crate) patterns: Vec<u16>,
    /// How much text it was made of, views included: what the stack has to fit.
    pub(crate) text_len: usize,
    pub(crate) hidden: Hidden,
}

impl Rewritten {
    /// The parameters, counted from 1, that are patterns of LIKE: a value bound to one of them has to be
    /// [well formed](crate::is_pattern), or matching could fail over rows that are hidden.
    #[must_use]
    pub fn patterns(&self) -> &[u16] {
        &self.patterns
    }

    /// The parameters that are appended to those of the client.
    #[must_use]
    pub fn hidden(&self) -> &Hidden {
        &self.hidden
    }
}

impl fmt::Debug for Rewritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewritten").finish_non_exhaustive()
    }
}

/// What will be sent, and the tree that Postgres's grammar reads from it.
pub struct Printed {
    text: String,
    tree: Owned<StmtList>,
    pub(crate) hidden: Hidden,
}

impl Printed {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The statement that was read back.
    pub(crate) fn statement(&self) -> Option<&nodes::RawStmt> {
        self.tree.first()
    }
}

#[cfg(test)]
impl Printed {
    /// A text as if it had been printed.
    pub(crate) fn read(text: &str) -> Self {
        Self::read_with(text, &Hidden::default())
    }

    /// The same with keys.
    pub(crate) fn read_with(text: &str, hidden: &Hidden) -> Self {
        Self { text: text.to_owned(), tree: parse::read(text).expect(text), hidden: hidden.clone() }
    }
}

impl fmt::Debug for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printed").field("text", &self.text).finish_non_exhaustive()
    }
}

/// Prints a statement and proves that the text says the same.
///
/// # Errors
/// A statement whose text does not read back as the tree that was meant.
pub fn print(rewritten: &Rewritten) -> Result<Printed, Refusal> {
    let printed = on_stack(rewritten.text_len, || print_tree(&rewritten.tree))?;
    Ok(Printed { hidden: rewritten.hidden.clone(), ..printed })
}

/// The same for a tree that needed no rewriting.
pub(crate) fn print_tree(tree: &nodes::RawStmt) -> Result<Printed, Refusal> {
    let printable = owned(|mem| {
        let mut copy = mem.make_unique(tree);
        parenthesise(mem, copy.as_mut().stmt_mut());
        copy
    });
    let printed = pg_raw_parse::deparse(&*printable).map_err(|_| unprintable())?;
    // Wherever else this name stands, in a string of the client's say, the comparison finds what it does.
    let text = printed.as_str().replace(BPCHAR_MARK, "bpchar");
    let read_back = on_stack(text.len(), || parse::read(&text)).map_err(|_| unprintable())?;
    match read_back.iter().collect::<Vec<_>>()[..] {
        [only] if ffi::same(only, tree) => Ok(Printed { text, tree: read_back, hidden: Hidden::default() }),
        _ => Err(unprintable()),
    }
}

fn unprintable() -> Refusal {
    Refusal::new(RefusalKind::Unprintable, "this statement cannot be printed so that it reads back the same")
        .hint("write it with more parentheses, or in simpler parts")
}
