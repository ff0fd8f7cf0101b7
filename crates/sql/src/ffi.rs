//! The one module that calls the C library directly: for what `pg_raw_parse` has no safe name for.
#![expect(unsafe_code, reason = "equal() and the position of a syntax error have no safe binding")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{Node, NodeMut, nodes, raw};

unsafe extern "C" {
    /// Postgres's own comparison of two trees; locations and display-only fields do not count.
    fn equal(a: *const c_void, b: *const c_void) -> bool;

    /// The C library's own.
    fn free(pointer: *mut c_void);
}

/// Whether two statements are the same tree, by Postgres's own comparison.
pub(crate) fn same(a: &nodes::RawStmt, b: &nodes::RawStmt) -> bool {
    // SAFETY: both point to nodes that live as long as the borrows; `equal` only reads. It raises an error for a node
    // that it does not know, and no parse tree holds one.
    unsafe { equal(ptr::from_ref(a).cast(), ptr::from_ref(b).cast()) }
}

/// Whether two nodes are the same tree, by Postgres's own comparison.
pub(crate) fn same_node(a: Node<'_>, b: Node<'_>) -> bool {
    // SAFETY: as in `same`; two null pointers are equal, one is not.
    unsafe { equal(address(a).cast(), address(b).cast()) }
}

/// Takes a node out of its place below `owner`, changes it, and hangs the result into the same place: `get` and `set`
/// name one field. Nothing is copied.
pub(crate) fn rehang<'m, O>(
    mem: MemoryToken<'m>,
    owner: &mut O,
    get: impl for<'o> Fn(&'o O) -> Node<'o>,
    set: impl FnOnce(&mut O, Unique<'m, Node<'m>>),
    change: impl FnOnce(Unique<'m, Node<'m>>) -> Unique<'m, Node<'m>>,
) {
    let mut taken = mem.none();
    if let NodeMut::None(slot, _) = taken.as_mut() {
        *slot = address(get(owner));
    }
    set(owner, change(taken));
}

/// The address of a node; null for none. An empty list has none.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are one reference")]
fn address(node: Node<'_>) -> *mut raw::Node {
    match node {
        Node::None => ptr::null_mut(),
        Node::NodeList(list) if list.is_empty() => ptr::null_mut(),
        _ => {
            #[repr(C)]
            struct Tagged {
                tag: u32,
                address: *mut raw::Node,
            }
            // SAFETY: `Node` is `repr(u32)`, so it is laid out as its tag followed by its payload, and every variant but
            // `None` holds one reference to a node.
            unsafe { (*ptr::from_ref(&node).cast::<Tagged>()).address }
        }
    }
}

/// Where a node stands in memory: its name among the nodes of one tree.
pub(crate) fn place(node: Node<'_>) -> usize {
    address(node).addr()
}

/// Takes hold of a node that stands in a tree, so that it can be hung into another place; its own place gets another.
/// Nothing is copied.
pub(crate) fn hold<'m>(mem: MemoryToken<'m>, node: Node<'_>) -> Unique<'m, Node<'m>> {
    let mut taken = mem.none();
    if let NodeMut::None(slot, _) = taken.as_mut() {
        *slot = address(node);
    }
    taken
}

/// What Postgres says of a text that it cannot read, and where: the message and the character, from 1 on.
pub(crate) fn syntax_error(text: &str) -> Option<(String, Option<usize>)> {
    let text = CString::new(text).ok()?;
    // SAFETY: the names are constants, the context has no parent and is deleted below; nothing between the switches can
    // panic, and the parser catches its own errors.
    unsafe {
        raw::pg_query_init();
        let memory = raw::AllocSetContextCreateInternal(
            ptr::null_mut(),
            c"syntax_error".as_ptr(),
            raw::ALLOCSET_DEFAULT_MINSIZE as raw::Size,
            raw::ALLOCSET_DEFAULT_INITSIZE as raw::Size,
            raw::ALLOCSET_DEFAULT_MAXSIZE as raw::Size,
        );
        let previous = raw::MemoryContextSwitchTo(memory);
        let result =
            raw::pg_query_raw_parse(text.as_ptr(), raw::PgQueryParseMode::PG_QUERY_PARSE_DEFAULT as c_int);
        raw::MemoryContextSwitchTo(previous);
        let error = read_error(result.error);
        free(result.stderr_buffer.cast());
        if !result.error.is_null() {
            raw::pg_query_free_error(result.error);
        }
        raw::MemoryContextDelete(memory);
        error
    }
}

/// # Safety
/// `error` is null or an error that the parser returned.
unsafe fn read_error(error: *mut raw::PgQueryError) -> Option<(String, Option<usize>)> {
    // SAFETY: the caller's promise.
    let error = unsafe { error.as_ref() }?;
    let message: *const c_char = error.message;
    if message.is_null() {
        return None;
    }
    // SAFETY: the parser's messages are NUL-terminated strings.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    Some((message, usize::try_from(error.cursorpos).ok().filter(|&position| position > 0)))
}
