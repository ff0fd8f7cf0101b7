//! The shapes of queries, each with one expression that fails on every hidden row of `cust`, and on no visible one.

mod places;

use places::PLACES;

/// One query.
pub(crate) struct Shape {
    pub(crate) name: String,
    pub(crate) asked: String,
    /// What is given for `$1`, where it stands.
    pub(crate) given: Option<&'static str>,
    /// Whether its expression is evaluated ahead of all rows, so that it may fail where no visible row makes it: then it
    /// is compared with itself over a store without hidden rows.
    pub(crate) ahead: bool,
}

/// Expressions over one row `#` of `cust` that give a whole number, and fail for each hidden row.
const HAZARDS: [(&str, &str); 24] = [
    ("division", "(1 + 0 * (1 / (4 - 4 * ((#.salary / 10) % 4 > 0)::int)))"),
    ("cast", "#.txt::int"),
    ("cast_json", "(#.doc ->> 'n')::int"),
    ("regexp", "length(regexp_replace(#.email, case when #.id % 4 = 0 then 'a' else '(' end, ''))"),
    ("regexp_operator", "(#.email ~ case when #.id % 4 = 0 then '4' else '(' end)::int"),
    ("rows", "(select 1 from generate_series(1, 1 + #.id % 4) g)"),
    ("zero", "(select 1 / (1 - (case when #.id % 4 = 0 then 0 else 1 end)) from zero)"),
    ("nothing", "(select 1 / (count(*) + case when #.id % 4 = 0 then 1 else 0 end) from nothing)::int"),
    ("overflow", "(2147483647 - 1 + #.id % 4)"),
    ("step", "(select min(g) from generate_series(1, 3, (case when #.id % 4 = 0 then 1 else 0 end)::int) g)"),
    ("substring", "length(substring(#.email for 3 - 4 * (#.id % 4)))"),
    ("subscript", "(array[4, 5, 6])[1 + (#.id % 4)::int8 * 3000000000]"),
    ("slice", "cardinality((array[4, 5, 6])[1 : 2 + (#.id % 4)::int8 * 3000000000])"),
    ("implicit", "((case when #.id % 4 = 0 then 1.0 else 1e400 end) + 0.5::float8)::int"),
    ("like", "(#.email like case when #.id % 4 = 0 then '%4%' else 'u%\\' end)::int"),
    ("path", "jsonb_path_query_first(#.doc, 'strict $.n.double()')::int"),
    ("date", "extract(day from date '2026-01-01' + (#.id % 4) * 2000000000)::int"),
    ("root", "sqrt(4 - 5 * (#.id % 4))::int"),
    ("character", "ascii(chr(65 * (1 - least(#.id % 4, 1))))"),
    (
        "arrays",
        "cardinality(array_cat(array[[1, 2]], case when #.id % 4 = 0 then array[[3, 4]] else array[[5]] end))",
    ),
    ("limit", "(select g from generate_series(3, 5) g order by 1 limit 1 - 2 * (#.id % 4))"),
    (
        "json",
        "length((case when #.id % 4 = 0 then '{\"a\": \"bc\"}' else '{\"a\": \"\\u0000\"}' end)::json ->> 'a')",
    ),
    ("among", "(case when #.id in (select (1 / (1 - least(#.id % 4, 1))) * n from zero) then 2 else 3 end)"),
    ("moment", "extract(day from #.ts + (#.id % 4) * interval '290000 years')::int"),
];

/// Other shapes, written out: a neighbour's expression fails where a hidden row is met, a subquery that fails is run where
/// a hidden row asks for it, and what is evaluated ahead.
const OTHERS: [(&str, &str, Option<&str>, bool); 40] = [
    (
        "neighbour",
        "select c.id from cust c, ord o where c.salary = o.cid * 10 and o.n = 5 and o.cid % 4 = 1 and c.id > 1 / (o.n - 5)",
        None,
        false,
    ),
    (
        "neighbour_derived",
        "select c.id from cust c join (select cid, 1 / (n - 5) q from ord where n = 5) d on d.cid = c.id and c.id > d.q and d.cid % 4 = 1",
        None,
        false,
    ),
    (
        "neighbour_exists",
        "select c.id from cust c where c.id % 4 = 1 and exists (select 1 from ord o where o.cid = c.id and 1 / (o.n - o.n) > 0)",
        None,
        true,
    ),
    (
        "neighbour_in",
        "select c.id from cust c where c.id % 4 = 1 and c.id in (select 1 / (n - n) from ord)",
        None,
        true,
    ),
    (
        "neighbour_scalar",
        "select c.id from cust c where c.id % 4 = 1 and c.salary > (select max(1 / (o.n - o.n)) from ord o where o.cid = c.id)",
        None,
        false,
    ),
    (
        "left_side_in",
        "select o.id from ord o where o.n = 5 and 1 / (o.n - 5) in (select c.id from cust c where c.id % 4 = 1)",
        None,
        false,
    ),
    (
        "scalar_lazy",
        "select c.id from cust c where c.salary = 10 and c.id > (select 1 / n from zero)",
        None,
        true,
    ),
    (
        "scalar_lazy_or",
        "select c.id from cust c where c.salary <> 10 or c.id > (select 1 / n from zero)",
        None,
        false,
    ),
    (
        "scalar_lazy_case",
        "select c.id from cust c where case when c.salary = 10 then (select 1 / n from zero) else 1 end = 1",
        None,
        false,
    ),
    (
        "exists_lazy",
        "select c.id from cust c where c.salary <> 10 or exists (select 1 from zero where 1 / n > 0)",
        None,
        true,
    ),
    (
        "cte_lazy",
        "with z as (select 1 / n q from zero) select c.id from cust c where c.salary <> 10 or exists (select 1 from z)",
        None,
        false,
    ),
    ("rows_lazy", "select c.id from cust c where c.salary <> 10 or (select n from ord) = 1", None, false),
    ("parameter", "select c.id from cust c where c.salary = 10 and c.id > 1 / $1", Some("0"), true),
    (
        "parameter_case",
        "select c.id from cust c where case when c.salary = 10 then 1 / $1 else 1 end = 1",
        Some("0"),
        false,
    ),
    (
        "parameter_join",
        "select c.id from cust c join ord o on o.cid = c.id and c.salary = 10 and o.n > 1 / $1",
        Some("0"),
        true,
    ),
    (
        "parameter_left",
        "select c.id, o.id from ord o left join cust c on o.cid = c.id and c.salary = 10 and c.id > 1 / $1",
        Some("0"),
        false,
    ),
    (
        "parameter_derived",
        "select d.id from (select c.id, c.salary, 1 / $1 as q from cust c) d where d.salary = 10 and d.id > d.q",
        Some("0"),
        false,
    ),
    (
        "parameter_values",
        "select c.id from cust c, (values (1 / $1)) v(q) where c.salary = 10 and c.id > v.q",
        Some("0"),
        false,
    ),
    (
        "time",
        "select c.id from cust c where c.ts > now() - interval '100 years' and c.salary < 500",
        None,
        false,
    ),
    (
        "time_fails",
        "select c.id from cust c where c.salary = 10 and c.ts > now() - make_interval(years => $1)",
        Some("300000"),
        true,
    ),
    ("random", "select c.id from cust c where c.salary <> 10 or 1 / (random() * 0)::int > 0", None, false),
    (
        "empty",
        "select c.id from cust c where c.salary <> 10 or (select 1 / count(*) from nothing) > 0",
        None,
        false,
    ),
    (
        "parameter_twice",
        "select c.id from cust c where c.salary = $1 and c.id > 1 / (c.salary - $1)",
        Some("10"),
        false,
    ),
    ("parameter_in", "select c.id from cust c where 1 / (c.salary - $1) in (1, $1)", Some("10"), false),
    (
        "parameter_any",
        "select c.id from cust c where c.id = any (array[1 / (c.salary - $1), 8])",
        Some("10"),
        false,
    ),
    (
        "parameter_offset",
        "select d.id from (select * from cust c offset 1 / $1) d where d.salary = 10",
        Some("1"),
        false,
    ),
    (
        "parameter_having",
        "select c.region from cust c group by c.region having c.region = 'US' and 1 / $1 > 0",
        Some("0"),
        true,
    ),
    (
        "parameter_window",
        "select d.id from (select c.id, c.salary, 1 / $1 q, count(*) over () n from cust c) d where d.salary = 10 and d.q > 0",
        Some("0"),
        false,
    ),
    (
        "parameter_united",
        "select d.id from (select c.id, c.salary, 1 / $1 q from cust c union all select o.id, o.n, 3 from ord o) d \
         where d.salary = 10 and d.id > d.q and d.id < 9",
        Some("0"),
        true,
    ),
    (
        "coalesce_lazy",
        "select c.id from cust c where coalesce(nullif(c.salary, 10), 1 / $1) = 1",
        Some("0"),
        false,
    ),
    ("and_lazy", "select c.id from cust c where (c.salary = 10 and 1 / $1 = 1) is true", Some("0"), false),
    (
        "row_lazy",
        "select c.id from cust c where row(c.salary, 1 / $1) > row(10, 1) and c.id < 3",
        Some("0"),
        false,
    ),
    (
        "quantified_lazy",
        "select c.id from cust c where c.salary = 10 and c.id <> 1 / $1 and 1 / $1 = any (select o.n from ord o where o.cid = c.id)",
        Some("0"),
        true,
    ),
    (
        "subscript_lazy",
        "select c.id from cust c where (array[1, 2])[case when c.salary = 10 then 1 / $1 else 1 end] = 2",
        Some("0"),
        false,
    ),
    (
        "exists_parameter",
        "select o.id from ord o where exists (select 1 from cust c where c.id = o.cid and c.salary = 10 and o.n > 1 / $1)",
        Some("0"),
        true,
    ),
    (
        "lateral_parameter",
        "select c.id, l.q from cust c left join lateral (select 1 / $1 q from ord o where o.cid = c.id) l on true where c.salary = 10",
        Some("0"),
        false,
    ),
    ("first_of_index", "select min(1 / h.v) from halves h", None, false),
    ("last_of_index", "select max(1 / h.v) from halves h", None, false),
    ("every_of_index", "select every(1 / h.v > 0), bool_and(1 / h.v > 0) from halves h", None, false),
    (
        "first_of_index_scalar",
        "select (select min(1 / h.v) from halves h where h.v < n + 9) from zero",
        None,
        false,
    ),
];

/// All of them.
pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (hazard, expression) in HAZARDS {
        for (shape, query) in PLACES {
            let mut asked = query.to_owned();
            for alias in ["c", "d", "e", "j", "k"] {
                asked = asked.replace(&format!("{{{alias}.}}"), &expression.replace('#', alias));
            }
            shapes.push(Shape { name: format!("{shape}/{hazard}"), asked, given: None, ahead: false });
        }
    }
    for (name, asked, given, ahead) in OTHERS {
        shapes.push(Shape { name: name.to_owned(), asked: asked.to_owned(), given, ahead });
    }
    shapes
}
