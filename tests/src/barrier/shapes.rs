//! The shapes of queries, each with one expression that fails on every hidden row of `cust`, and on no visible one.

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

/// Expressions over one row `#` of `cust` that give a whole number, and fail for each hidden row: division, casts, a
/// subscript's neighbours, a regular expression, a subquery of several rows, of no row, an implicit cast.
const HAZARDS: [(&str, &str); 9] = [
    ("division", "(1 + 0 * (1 / (4 - 4 * ((#.salary / 10) % 4 > 0)::int)))"),
    ("cast", "#.txt::int"),
    ("cast_json", "(#.doc ->> 'n')::int"),
    ("regexp", "length(regexp_replace(#.email, case when #.id % 4 = 0 then 'a' else '(' end, ''))"),
    ("rows", "(select 1 from generate_series(1, 1 + #.id % 4) g)"),
    ("zero", "(select 1 / (1 - (case when #.id % 4 = 0 then 0 else 1 end)) from zero)"),
    ("overflow", "(2147483647 - 1 + #.id % 4)"),
    ("step", "(select min(g) from generate_series(1, 3, case when #.id % 4 = 0 then 1 else 0 end) g)"),
    ("substring", "length(substring(#.email for 3 - 4 * (#.id % 4)))"),
];

/// Queries around an expression `{c.}` over the rows of `c`. Their other conditions single hidden rows out.
const SHAPES: [(&str, &str); 62] = [
    ("where", "select c.id from cust c where {c.} is not null"),
    ("where_compared", "select c.id from cust c where {c.} >= 0"),
    ("where_beside_safe", "select c.id from cust c where c.email = 'u11@x.org' and {c.} >= 0"),
    ("where_or", "select c.id from cust c where c.id = 4 or {c.} >= 5"),
    ("where_not", "select c.id from cust c where not ({c.} >= 5)"),
    ("where_in", "select c.id from cust c where {c.} in (1, 2, 3, 400)"),
    ("where_between", "select c.id from cust c where {c.} between 1 and 100"),
    ("where_case", "select c.id from cust c where case when c.salary > 50 then {c.} >= 0 else false end"),
    ("where_coalesce", "select c.id from cust c where coalesce(nullif(c.id, 4), {c.}) >= 0"),
    ("where_any", "select c.id from cust c where {c.} = any (array[1, 4, 8])"),
    ("where_array", "select c.id from cust c where 4 = any (array[{c.}, 5])"),
    ("where_row", "select c.id from cust c where (c.region, {c.}) >= ('A', 0)"),
    ("where_row_in", "select c.id from cust c where ({c.}, c.id) in (select o.n, o.cid from ord o)"),
    ("where_distinct", "select c.id from cust c where {c.} is distinct from 4"),
    ("where_extremes", "select c.id from cust c where greatest({c.}, 3) > 2"),
    ("where_like", "select c.id from cust c where c.email like '%' || {c.} || '%'"),
    ("where_null_test", "select c.id from cust c where ({c.} is null) = false and c.salary < 900"),
    ("join_on", "select c.id, o.id from cust c join ord o on o.cid = c.id and {c.} >= o.n - 50"),
    ("join_equal", "select c.id, o.id from cust c join ord o on o.n = {c.}"),
    ("left_join_on", "select c.id, o.id from ord o left join cust c on o.cid = c.id and {c.} >= 0"),
    ("left_join_from", "select c.id, o.id from cust c left join ord o on o.cid = c.id and {c.} >= o.n"),
    (
        "where_above_left",
        "select c.id, o.id from ord o left join cust c on o.cid = c.id where coalesce({c.}, 7) >= 0",
    ),
    ("right_join", "select c.id, o.id from cust c right join ord o on o.cid = c.id and {c.} > 3"),
    (
        "full_join",
        "select c.id, o.id from cust c full join ord o on o.cid = c.id and {c.} >= 0 where o.id < 90",
    ),
    ("lateral", "select c.id, u from cust c cross join lateral unnest(array[{c.}]) u where u is not null"),
    (
        "lateral_series",
        "select c.id, u from cust c cross join lateral generate_series(1, {c.} % 3) u where u > 0",
    ),
    (
        "lateral_join",
        "select c.id, u from cust c join ord o on o.cid = c.id cross join lateral unnest(array[{c.}]) u where u > o.n",
    ),
    ("lateral_values", "select c.id, v.x from cust c, lateral (values ({c.}), (2)) v(x) where v.x > 0"),
    ("lateral_value", "select c.id, v.x from cust c, lateral (values ({c.})) v(x) where v.x > 0"),
    (
        "lateral_query",
        "select c.id, l.y from cust c, lateral (select o.id, {c.} + o.n as y from ord o where o.cid = c.id) l where l.y > 0",
    ),
    (
        "lateral_where",
        "select c.id, l.id from cust c, lateral (select o.id from ord o where o.cid = c.id and {c.} > o.n) l",
    ),
    ("derived", "select d.id from (select c.id, {c.} x from cust c) d where d.x >= 0"),
    ("derived_outer", "select d.id from (select c.* from cust c) d where {d.} >= 0"),
    (
        "derived_star",
        "select * from (select c.id, c.email, c.salary, c.txt, c.doc from cust c) d where {d.} >= 3 and d.salary < 900",
    ),
    ("derived_twice", "select e.id from (select d.* from (select c.* from cust c) d) e where {e.} >= 0"),
    (
        "derived_join",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, o.n from cust c join ord o on o.cid = c.id) d where {d.} > d.n",
    ),
    (
        "derived_joined",
        "select d.id, o.id from (select c.id, {c.} x from cust c) d join ord o on o.cid = d.id where d.x > o.n",
    ),
    (
        "derived_left",
        "select d.id, o.id from ord o left join (select c.id, {c.} x from cust c) d on d.id = o.cid where coalesce(d.x, 1) > 0",
    ),
    ("derived_limit", "select d.id from (select c.* from cust c order by c.id limit 50) d where {d.} >= 0"),
    ("derived_ordered", "select d.id from (select c.*, {c.} x from cust c order by {c.}) d where d.x >= 0"),
    (
        "grouped",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, count(*) from cust c group by 1, 2, 3, 4, 5) d where {d.} >= 0",
    ),
    ("grouped_list", "select d.x from (select {c.} x, count(*) from cust c group by {c.}) d where d.x >= 0"),
    ("grouped_by_place", "select d.x from (select {c.} x, count(*) from cust c group by 1) d where d.x >= 0"),
    (
        "united",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc from cust c union all select 40, 'u40', 400, '40', '{\"n\": 1}') d where {d.} >= 0",
    ),
    (
        "united_rows",
        "select d.x from (select {c.} x from cust c union all select o.n from ord o) d where d.x >= 0",
    ),
    (
        "united_distinct",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc from cust c union select 40, 'u40', 400, '40', '{\"n\": 1}') d where {d.} >= 0",
    ),
    (
        "distinct",
        "select d.id from (select distinct c.id, c.email, c.salary, c.txt, c.doc from cust c) d where {d.} >= 0",
    ),
    (
        "distinct_on",
        "select d.id from (select distinct on (c.salary) c.* from cust c order by c.salary, c.id) d where {d.} >= 0",
    ),
    ("distinct_list", "select d.x from (select distinct {c.} x from cust c order by {c.}) d where d.x >= 0"),
    (
        "windowed",
        "select d.id from (select c.*, row_number() over (partition by c.salary, c.txt order by c.id) r from cust c) d where {d.} >= 0",
    ),
    ("cte", "with d as (select * from cust c) select c.id from d c where {c.} >= 0"),
    ("cte_twice", "with d as (select * from cust c) select c.id from d c natural join d e where {c.} >= 0"),
    (
        "cte_materialized",
        "with d as materialized (select * from cust c) select c.id from d c, d e where c.id = e.id and {c.} >= 0",
    ),
    (
        "cte_distinct",
        "with d as (select distinct c.id, c.email, c.salary, c.txt, c.doc from cust c) select c.id from d c where {c.} >= 0",
    ),
    ("having", "select c.id from cust c group by c.id, c.email, c.salary, c.txt, c.doc having {c.} >= 0"),
    (
        "exists_inner",
        "select o.id from ord o where exists (select 1 from cust c where c.id = o.cid and {c.} >= 0)",
    ),
    (
        "exists_outer",
        "select c.id from cust c where exists (select 1 from ord o where o.cid = c.id and {c.} >= o.n - 50)",
    ),
    ("not_in", "select o.id from ord o where o.n not in (select {c.} from cust c where c.id < 300)"),
    ("in_select", "select o.id from ord o where o.n in (select {c.} from cust c)"),
    ("natural", "select id from cust c natural join cust k where {k.} >= 0"),
    ("self_join", "select c.id, k.id from cust c join cust k on c.id = k.id + 4 and {c.} + {k.} >= 0"),
    ("whole_row", "select c, count(c) from cust c where {c.} >= 0 group by c"),
];

/// Other shapes, written out: a neighbour's expression fails where a hidden row is met, a subquery that fails is run where
/// a hidden row asks for it, and what is evaluated ahead.
const OTHERS: [(&str, &str, Option<&str>, bool); 22] = [
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
];

/// All of them.
pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for (hazard, expression) in HAZARDS {
        for (shape, query) in SHAPES {
            let mut asked = query.to_owned();
            for alias in ["c", "d", "e", "k"] {
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
