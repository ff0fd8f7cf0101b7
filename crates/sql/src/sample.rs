//! TABLESAMPLE: taken from the table before any filter, so only of a relation whose rows this caller may all see.
//!
//! Over a filtered one the sample would tell of the rows that are left out: which visible rows share a block, and how many
//! others stand between them.

#![expect(clippy::wildcard_enum_match_arm, reason = "what is not a constant can fail")]

use access::{Refusal, RefusalKind, RelationKind};
use pg_raw_parse::make::{MemoryToken, Unique};
use pg_raw_parse::{Node, nodes};

use crate::analyze::{Analyzer, unsupported};
use crate::build::Build;
use crate::range::{Sight, Ty};

/// The server's own methods. Both read nothing but their arguments.
const METHODS: [&str; 2] = ["system", "bernoulli"];

impl Analyzer<'_> {
    /// `t TABLESAMPLE system (10) REPEATABLE (1)`.
    pub(crate) fn sample(&mut self, sample: &nodes::RangeTableSample) -> Result<Sight, Refusal> {
        if method(sample).is_none() {
            let message =
                "a method of TABLESAMPLE other than SYSTEM and BERNOULLI is not on the list of calls";
            return Err(Refusal::new(RefusalKind::UnlistedCall, message).at(sample.location));
        }
        let Node::RangeVar(range) = sample.relation() else {
            return Err(unsupported("TABLESAMPLE over what is no table", sample.location));
        };
        if range.schemaname().is_none() && self.is_common_table(range.relname().unwrap_or_default()) {
            return Err(unsupported("TABLESAMPLE over a name of WITH", sample.location));
        }
        let mut facts = self.all(sample.args().iter().chain([sample.repeatable()]), Ty::Any)?;
        if !cannot_fail(sample) {
            self.make_unsafe(&mut facts, "TABLESAMPLE", sample.location);
        }
        if !facts.gates.is_empty() {
            let what = "TABLESAMPLE by a column of a relation of which you see some rows";
            return Err(unsupported(what, sample.location));
        }
        self.note_nowhere(&facts.hazards);
        let sight = self.mention(range)?;
        let is_sampled = self.mentions.last().is_some_and(|mention| {
            let unfiltered =
                self.guards.relations.get(mention.guard).is_some_and(|guard| guard.rows.is_none());
            let has_rows = matches!(
                mention.relation.kind,
                RelationKind::Table | RelationKind::Partitioned | RelationKind::MaterializedView
            );
            unfiltered && has_rows
        });
        if !is_sampled {
            let what = "TABLESAMPLE over a relation of which you see some rows";
            return Err(unsupported(what, sample.location).hint("use `WHERE random() < 0.1`"));
        }
        self.edits.move_to(range, sample);
        Ok(sight)
    }
}

/// The method, without its schema.
fn method(sample: &nodes::RangeTableSample) -> Option<&'static str> {
    let parts: Vec<&str> = sample.method().iter().filter_map(Node::as_str).collect();
    let name = match parts.as_slice() {
        [name] | ["pg_catalog", name] => *name,
        _ => return None,
    };
    METHODS.into_iter().find(|known| *known == name)
}

/// Whether a sample is as large as a constant says, from 0 to 100, and its seed is a constant too.
fn cannot_fail(sample: &nodes::RangeTableSample) -> bool {
    let number = |node: Node<'_>| match node {
        Node::A_Const(constant) => constant.val().and_then(|value| value.numeric_value::<f64>()),
        _ => None,
    };
    let fits = |node| number(node).is_some_and(|percent| (0.0..=100.0).contains(&percent));
    sample.args().iter().all(fits)
        && (matches!(sample.repeatable(), Node::None) || number(sample.repeatable()).is_some())
}

/// The relation that a sample is taken from, where it is a relation.
pub(crate) fn sampled(sample: &nodes::RangeTableSample) -> Option<&nodes::RangeVar> {
    let range = <&nodes::RangeVar>::try_from(sample.relation()).ok()?;
    method(sample).is_some().then_some(range)
}

/// The same sample of a relation's guarded mention.
pub(crate) fn around<'m>(
    mem: MemoryToken<'m>,
    sample: &nodes::RangeTableSample,
    range: Unique<'m, &'m nodes::RangeVar>,
) -> Unique<'m, Node<'m>> {
    let build = Build(mem);
    let mut made = mem.make_node::<nodes::RangeTableSample>();
    let mut edit = made.as_mut();
    edit.set_relation(range.uncast());
    edit.set_method(build.names(&["pg_catalog", method(sample).unwrap_or_default()]));
    let args: Vec<_> = sample.args().iter().map(|arg| mem.make_unique(arg)).collect();
    edit.set_args(mem.make_list(&args));
    if !matches!(sample.repeatable(), Node::None) {
        edit.set_repeatable(mem.make_unique(sample.repeatable()));
    }
    made.uncast()
}
