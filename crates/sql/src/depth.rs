//! How deep a tree is: parentheses were counted before it was read, chains of operators show only in the tree.

use std::ops::ControlFlow;

use pg_raw_parse::Node;
use pg_raw_parse::walk::{Recurse, walk_manual};

/// Whether a tree is deeper than so many levels. The walk goes no deeper than that itself.
pub(crate) fn is_deeper_than(levels: usize, node: Node<'_>) -> bool {
    let Some(below) = levels.checked_sub(1) else { return true };
    let found =
        walk_manual(
            node,
            |child| {
                if is_deeper_than(below, child) { ControlFlow::Break(()) } else { Recurse::no() }
            },
        );
    found.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(text: &str) -> usize {
        let tree = pg_raw_parse::parse(text).unwrap();
        let node = tree.stmts().next().unwrap();
        (0..100).find(|&levels| !is_deeper_than(levels, node)).unwrap()
    }

    #[test]
    fn chains_are_deep_and_lists_are_not() {
        let one = depth("SELECT a");
        assert_eq!(depth("SELECT a, b, c, d"), one);
        assert_eq!(depth("SELECT a OR b"), depth("SELECT a OR b OR c OR d"));
        assert_eq!(depth("SELECT a + b + c + d"), one + 3);
        assert_eq!(depth("SELECT ((((a))))"), one);
        assert_eq!(depth("SELECT 1 UNION SELECT 1 UNION SELECT 1"), one + 2);
    }
}
