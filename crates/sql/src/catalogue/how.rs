//! What becomes of each function that reads the catalogue, by name.

use access::CatalogSet;

use super::REGCLASS;
use crate::lists::oid;

/// What a call of a function becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Itself; it cannot fail.
    Safe(u32),
    /// Itself; on a row that is hidden it must not run.
    Unsafe(u32),
    /// Itself, and gives rows of such numbers.
    Keys(u32),
    /// Itself, and gives rows of several columns.
    Rows,
    /// Itself where its argument is in this set, NULL otherwise.
    Within(CatalogSet, u32),
    /// Itself, over these two columns of one row.
    SameRow(&'static [(&'static str, &'static str)], u32),
    /// The name of a type that the caller may know of.
    Type,
    /// Itself, over an oid and the number of a column that may be told; NULL for others.
    OfColumn,
    /// Itself, without the schema of what a foreign key refers to where that is found along the caller's path.
    Constraint,
    /// NULL of this type.
    Null(&'static str, u32),
    /// False.
    False,
    /// Whether the object is found along the caller's path.
    OnPath(Kind),
}

/// Of what it is asked whether it is on the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Relation,
    Type,
    /// Only the server's own are told of, and all of them are.
    Other,
}

/// An expression and the relation whose columns it names, in the same row.
pub(super) const EXPRESSIONS: &[(&str, &str)] = &[
    ("adbin", "adrelid"),
    ("conbin", "conrelid"),
    ("indexprs", "indrelid"),
    ("indpred", "indrelid"),
    ("relpartbound", "oid"),
    ("partexprs", "partrelid"),
    ("polqual", "polrelid"),
    ("polwithcheck", "polrelid"),
    ("prqual", "prrelid"),
    ("tgqual", "tgrelid"),
    ("stxexprs", "stxrelid"),
];

/// By name and number of arguments; the first is a number of the catalogue but where two columns of one row are asked.
pub(super) fn how(name: &str, args: usize) -> Option<How> {
    Some(match (name, args) {
        ("format_type", 2) => How::Type,
        ("obj_description", 1 | 2) | ("shobj_description", 2) => How::Safe(oid::TEXT),
        ("pg_get_userbyid", 1) => How::Safe(oid::NAME),
        ("pg_get_indexdef", 1 | 3)
        | ("pg_get_triggerdef", 1 | 2)
        | (
            "pg_get_function_arguments" | "pg_get_function_identity_arguments" | "pg_get_function_result",
            1,
        ) => How::Unsafe(oid::TEXT),
        ("pg_get_constraintdef", 1 | 2) => How::Constraint,
        ("pg_get_partkeydef", 1) => How::Within(CatalogSet::Partitioned, oid::TEXT),
        ("pg_partition_ancestors", 1) => How::Keys(REGCLASS),
        ("pg_partition_tree", 1) => How::Rows,
        ("pg_get_expr", 2 | 3) => How::SameRow(EXPRESSIONS, oid::TEXT),
        ("col_description", 2) => How::OfColumn,
        (
            "pg_get_viewdef"
            | "pg_get_ruledef"
            | "pg_get_statisticsobjdef"
            | "pg_get_statisticsobjdef_columns"
            | "pg_get_functiondef"
            | "pg_get_function_sqlbody"
            | "pg_tablespace_location"
            | "pg_get_partition_constraintdef",
            1 | 2,
        ) => How::Null("text", oid::TEXT),
        (
            "pg_relation_size"
            | "pg_table_size"
            | "pg_total_relation_size"
            | "pg_indexes_size"
            | "pg_database_size"
            | "pg_tablespace_size",
            1 | 2,
        ) => How::Null("int8", oid::INT8),
        (
            "pg_stat_get_numscans"
            | "pg_stat_get_tuples_returned"
            | "pg_stat_get_tuples_fetched"
            | "pg_stat_get_tuples_inserted"
            | "pg_stat_get_tuples_updated"
            | "pg_stat_get_tuples_deleted"
            | "pg_stat_get_live_tuples"
            | "pg_stat_get_dead_tuples"
            | "pg_stat_get_blocks_fetched"
            | "pg_stat_get_blocks_hit",
            1,
        ) => How::Null("int8", oid::INT8),
        ("pg_is_other_temp_schema" | "pg_relation_is_publishable", 1) => How::False,
        ("pg_table_is_visible", 1) => How::OnPath(Kind::Relation),
        ("pg_type_is_visible", 1) => How::OnPath(Kind::Type),
        (
            "pg_function_is_visible"
            | "pg_operator_is_visible"
            | "pg_opclass_is_visible"
            | "pg_opfamily_is_visible"
            | "pg_collation_is_visible"
            | "pg_conversion_is_visible"
            | "pg_statistics_obj_is_visible"
            | "pg_ts_config_is_visible"
            | "pg_ts_dict_is_visible"
            | "pg_ts_parser_is_visible"
            | "pg_ts_template_is_visible",
            1,
        ) => How::OnPath(Kind::Other),
        _ => return None,
    })
}

/// Functions that tell what is the same for everybody.
pub(super) const ABOUT_THE_SERVER: [(&str, usize, u32); 5] = [
    ("pg_encoding_to_char", 1, oid::NAME),
    ("pg_char_to_encoding", 1, oid::INT4),
    ("getdatabaseencoding", 0, oid::NAME),
    ("pg_get_keywords", 0, oid::RECORD),
    // No session listens: LISTEN is refused.
    ("pg_listening_channels", 0, oid::TEXT),
];

/// Whether calls of this name can stand in what is sent.
pub(crate) fn is_sent(name: &str) -> bool {
    let sent = |how| {
        matches!(
            how,
            How::Safe(_)
                | How::Unsafe(_)
                | How::Keys(_)
                | How::Rows
                | How::Within(..)
                | How::SameRow(..)
                | How::OfColumn
                | How::Type
                | How::OnPath(_)
                | How::Constraint
        )
    };
    (1..=3).any(|args| how(name, args).is_some_and(sent))
        || name == "pg_get_serial_sequence"
        || ABOUT_THE_SERVER.iter().any(|(own, ..)| *own == name)
}
