//! A stack that fits the statement: trees are walked by recursion, and a long chain of operators is a deep tree.

/// Stack for one byte of text. The tightest chain, `1+1+1…`, is one level for two bytes, and no walk of the C library
/// or of this crate needs more than this for it. Frames of an unoptimised build are several times larger.
const STACK_PER_BYTE: usize = if cfg!(debug_assertions) { 2000 } else { 500 };

/// Enough for any short statement.
const STACK_MIN: usize = 256 * 1024;

/// No stack is larger than this.
const STACK_MAX: usize = 512 * 1024 * 1024;

/// Runs `f` with a stack large enough for every stage over a statement of `text_len` bytes: the current one where that
/// suffices, as it does for most statements, otherwise one made for the occasion.
pub fn on_stack<R>(text_len: usize, f: impl FnOnce() -> R) -> R {
    let bytes = STACK_MIN.saturating_add(text_len.saturating_mul(STACK_PER_BYTE)).min(STACK_MAX);
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
