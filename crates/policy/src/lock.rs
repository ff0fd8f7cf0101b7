//! The lock of fields, made from live catalogues: what `"*"` stands for, reviewed like the policy.

use std::fmt::Write;
use std::sync::Arc;

use access::{Catalog, quote};

use crate::policy::{Block, Policy};
use crate::{Diagnostic, Source};

/// The name of the lock, beside the files of a policy.
pub const LOCK: &str = "fields.lock";

const HEAD: &str = "# Written by `veilgate check --accept`: the fields that \"*\" stands for. One that is not here is hidden.\nveilgate: 1\n";

/// A lock that names nothing: what a policy is read with before its lock is written.
#[must_use]
pub fn empty_lock(path: &str) -> Source {
    Source { path: path.to_owned(), text: format!("{HEAD}fields: {{}}\n") }
}

impl Policy {
    /// The lock that names every field of the catalogues that a `"*"` stands for.
    ///
    /// # Errors
    /// A relation with a `"*"` is not in the catalogues: a lock without it would hide its fields.
    pub fn lock(&self, catalogs: &[Arc<Catalog>]) -> Result<String, Vec<Diagnostic>> {
        let (mut text, mut errors) = (String::new(), Vec::new());
        for block in self.blocks.iter().filter(|block| block.more.is_some()) {
            let catalog = catalogs.iter().find(|catalog| catalog.store == block.data.store);
            match catalog.and_then(|catalog| catalog.relation(&block.data.relation)) {
                Some(live) => text += &entry(block, live),
                None => errors.push(block.place.error(format!("`{}` is not there", block.data))),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(if text.is_empty() { format!("{HEAD}fields: {{}}\n") } else { format!("{HEAD}fields:\n{text}") })
    }
}

/// `  'pg://…':`, and a line for each field without one in the block.
fn entry(block: &Block, live: &access::Relation) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let fields: Vec<_> =
        live.columns.iter().filter(|column| !block.fields.contains_key(&column.name)).collect();
    if fields.is_empty() {
        return format!("  {}: []\n", quoted(&block.data.to_string()));
    }
    let mut text = format!("  {}:\n", quoted(&block.data.to_string()));
    for column in fields {
        let _ = writeln!(text, "    - {}", quoted(&quote(&column.name)));
    }
    text
}
