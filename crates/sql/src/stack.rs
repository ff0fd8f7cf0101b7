//! A stack that fits the statement: trees are walked by recursion, and a long chain of operators is a deep tree.

/// Stack for one byte of text: what the C library needs. The tightest chain, `1+1+1…`, is one level for two bytes.
const STACK_PER_BYTE: usize = if cfg!(debug_assertions) { 2000 } else { 500 };

/// Stack for one level of a tree: what the recursions of this crate need, whose frames are larger. An unoptimised build
/// has larger ones still.
const STACK_PER_LEVEL: usize = if cfg!(debug_assertions) { 48 * 1024 } else { 8 * 1024 };

/// The deepest tree that is walked; `parse` refuses deeper ones.
pub(crate) const LEVELS_MAX: usize = 10_000;

/// Enough for any short statement.
const STACK_MIN: usize = 256 * 1024;

/// No stack is larger than this. Only pages that are touched cost anything.
const STACK_MAX: usize = 1024 * 1024 * 1024;

/// Runs `f` with a stack large enough for every stage over a statement of `text_len` bytes: the current one where that
/// suffices, as it does for most statements, otherwise one made for the occasion.
pub fn on_stack<R>(text_len: usize, f: impl FnOnce() -> R) -> R {
    let levels = LEVELS_MAX.min(text_len / 2);
    let bytes = STACK_MIN + levels * STACK_PER_LEVEL + text_len.saturating_mul(STACK_PER_BYTE);
    let bytes = bytes.min(STACK_MAX);
    stacker::maybe_grow(bytes, bytes, f)
}

#[cfg(test)]
mod tests {
    use super::on_stack;

    #[test]
    fn nested_calls_share_one_stack() {
        assert_eq!(on_stack(1 << 20, || on_stack(1 << 10, || 7)), 7);
    }
}
