//! The places of an expression: every clause of every form of query.

/// Queries around an expression `{c.}` over the rows of `c`. Their other conditions single hidden rows out.
pub(crate) const PLACES: [(&str, &str); 158] = [
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
        "select * from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c) d where {d.} >= 3 and d.salary < 900",
    ),
    ("derived_twice", "select e.id from (select d.* from (select c.* from cust c) d) e where {e.} >= 0"),
    (
        "derived_join",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts, o.n from cust c join ord o on o.cid = c.id) d where {d.} > d.n",
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
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts, count(*) from cust c group by 1, 2, 3, 4, 5, 6) d where {d.} >= 0",
    ),
    ("grouped_list", "select d.x from (select {c.} x, count(*) from cust c group by {c.}) d where d.x >= 0"),
    ("grouped_by_place", "select d.x from (select {c.} x, count(*) from cust c group by 1) d where d.x >= 0"),
    (
        "united",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c union all select 40, 'u40', 400, '40', '{\"n\": 1}', now()) d where {d.} >= 0",
    ),
    (
        "united_rows",
        "select d.x from (select {c.} x from cust c union all select o.n from ord o) d where d.x >= 0",
    ),
    (
        "united_distinct",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c union select 40, 'u40', 400, '40', '{\"n\": 1}', now()) d where {d.} >= 0",
    ),
    (
        "distinct",
        "select d.id from (select distinct c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c) d where {d.} >= 0",
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
        "with d as (select distinct c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c) select c.id from d c where {c.} >= 0",
    ),
    (
        "having",
        "select c.id from cust c group by c.id, c.email, c.salary, c.txt, c.doc, c.ts having {c.} >= 0",
    ),
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
    ("list", "select {c.}, c.id from cust c"),
    ("list_case", "select case when c.salary > 0 then {c.} else 0 end from cust c"),
    ("list_scalar", "select (select {c.} + o.n from ord o where o.id = c.id) from cust c"),
    (
        "list_exists",
        "select c.id, exists (select 1 from ord o where o.cid = c.id and o.n <= {c.}) from cust c",
    ),
    (
        "list_array",
        "select array(select o.n from ord o where o.cid = c.id and o.n <= {c.} order by 1) from cust c",
    ),
    ("order_by", "select c.id from cust c order by {c.}, c.id"),
    ("order_limit", "select c.id from cust c where c.salary > 10 order by {c.}, c.id limit 5"),
    ("group_by", "select {c.} x, count(*) from cust c group by {c.}"),
    ("group_sets", "select c.region, count(*) from cust c group by grouping sets (({c.}), (c.region), ())"),
    (
        "group_rollup",
        "select d.x from (select {c.} x, count(*) from cust c group by rollup (1)) d where d.x > 2",
    ),
    ("having_aggregate", "select c.region from cust c group by c.region having sum({c.}::int8) > 0"),
    (
        "having_mixed",
        "select c.region, c.id from cust c group by c.region, c.id, c.email, c.salary, c.txt, c.doc, c.ts having {c.} > 0 and count(*) > 0",
    ),
    (
        "having_exists",
        "select c.id from cust c group by c.id, c.email, c.salary, c.txt, c.doc, c.ts having exists (select 1 from ord o where o.n < {c.})",
    ),
    ("aggregate", "select sum({c.}::int8), count(distinct {c.}), avg({c.}) from cust c"),
    ("aggregate_filter", "select count(*) filter (where {c.} >= 0) from cust c"),
    ("aggregate_order", "select array_agg(c.id order by {c.}, c.id) from cust c"),
    ("within_group", "select percentile_disc(0.5) within group (order by {c.}) from cust c"),
    ("extreme", "select min({c.}) from cust c"),
    ("extreme_where", "select max({c.}) from cust c where c.salary < 900"),
    ("bool_and", "select bool_and({c.} > 0), every({c.} > 1), bool_or({c.} > 2) from cust c"),
    ("extreme_derived", "select d.m from (select max({c.}) m from cust c) d where d.m > 0"),
    (
        "windowed_list",
        "select c.id, sum({c.}::int8) over (partition by {c.} % 3 order by {c.}, c.id) from cust c",
    ),
    ("window_named", "select c.id, rank() over w from cust c window w as (order by {c.}, c.id)"),
    (
        "window_frame",
        "select o.id, count(*) over (order by o.id rows between (select min({c.}) from cust c) preceding and current row) from ord o",
    ),
    (
        "window_beside",
        "select d.id from (select c.id, {c.} x, count(*) over (partition by c.salary) r from cust c) d where d.x >= 0",
    ),
    (
        "window_partition",
        "select d.x from (select {c.} x, count(*) over (partition by {c.}) r from cust c) d where d.x >= 0",
    ),
    (
        "window_filter",
        "select d.id from (select c.id, c.salary, count(*) filter (where {c.} > 0) over (partition by c.salary) r from cust c) d where d.salary < 900",
    ),
    ("limit_scalar", "select o.id from ord o order by o.id limit (select min({c.}) from cust c)"),
    ("offset_scalar", "select o.id from ord o order by o.id offset (select min({c.}) from cust c)"),
    ("distinct_on_list", "select distinct on ({c.}) c.id from cust c order by {c.}, c.id"),
    (
        "distinct_on_inner",
        "select d.id from (select distinct on ({c.}) {c.} x, c.id from cust c order by {c.}, c.id) d where d.x >= 0",
    ),
    ("values_inner", "select v.x from (values ((select max({c.}) from cust c)), (3)) v(x) where v.x > 0"),
    ("values_top", "values ((select count(*) from cust c where {c.} > 2)), (1)"),
    ("in_list", "select o.id from ord o where o.n in (1, (select min({c.}) from cust c))"),
    ("in_list_column", "select c.id from cust c where c.id in ({c.}, 3)"),
    ("all", "select o.id from ord o where o.n <= all (select {c.} from cust c where c.id > 20)"),
    ("any_row", "select o.id from ord o where (o.n, o.cid) in (select {c.}, c.id from cust c)"),
    (
        "any_row_left",
        "select o.id from ord o where (o.cid, 1) = any (select c.id, {c.} - {c.} + 1 from cust c)",
    ),
    ("row_less", "select c.id from cust c where row({c.}, c.id) < row(100, 2)"),
    (
        "intersect",
        "select d.x from (select {c.} x from cust c intersect select o.n from ord o) d where d.x > 2",
    ),
    ("except", "select d.x from (select o.n x from ord o except select {c.} from cust c) d where d.x > 2"),
    (
        "except_all",
        "select d.x from (select c.id x from cust c except all select {c.} from cust c) d where d.x > 2",
    ),
    ("union_top", "select {c.} from cust c union select o.n from ord o order by 1 limit 7"),
    (
        "union_mixed",
        "select d.x from ((select {c.} x from cust c union all select o.n from ord o) union select 5) d where d.x > 2",
    ),
    (
        "union_nested",
        "select d.id from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c union all (select * from (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c) q union all select 40, 'u40', 400, '40', '{\"n\": 1}', now())) d where {d.} >= 0",
    ),
    (
        "union_grouped",
        "select d.x from (select c.salary x from cust c group by c.salary having count(*) > 0 union all select {c.} from cust c) d where d.x >= 7",
    ),
    (
        "recursive_seed",
        "with recursive r(n) as (select {c.} from cust c union select n + 400 from r where n < 500) select n from r where n > 3",
    ),
    (
        "recursive_step",
        "with recursive r(id) as (select 380 union all select c.id from cust c join r on c.id = r.id + 4 where {c.} >= 0) select id from r where id > 3",
    ),
    (
        "recursive_read",
        "with recursive r as (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c union all select id, email, salary, txt, doc, ts from r where false) select c.id from r c where {c.} >= 0",
    ),
    (
        "recursive_not",
        "with recursive d as (select c.id, c.email, c.salary, c.txt, c.doc, c.ts from cust c union all select 40, 'u40', 400, '40', '{\"n\": 1}', now()) select c.id from d c where {c.} >= 0",
    ),
    (
        "recursive_not_list",
        "with recursive d as (select c.id, {c.} x from cust c union all select o.id, o.n from ord o) select d.id from d where d.x >= 0",
    ),
    ("recursive_plain", "with recursive d as (select * from cust) select c.id from d c where {c.} >= 0"),
    ("cte_list", "with d as (select c.id, {c.} x from cust c) select d.id from d where d.x >= 0"),
    (
        "cte_not_materialized",
        "with d as not materialized (select * from cust c) select c.id from d c, d e where c.id = e.id and {c.} >= 0",
    ),
    (
        "cte_nested",
        "with a as (with b as (select * from cust c) select * from b c where c.id > 3) select c.id from a c where {c.} >= 0",
    ),
    (
        "cte_in_exists",
        "select o.id from ord o where exists (with d as (select * from cust) select 1 from d c where c.id = o.cid and {c.} >= 0)",
    ),
    (
        "cte_union",
        "with d as (select * from cust), e as (select * from d union all select * from d) select c.id from e c where {c.} >= 0",
    ),
    ("join_using", "select c.id from cust c join cust k using (id) where {k.} >= 0"),
    (
        "join_alias",
        "select j.id from (cust c join (select o.cid, o.n from ord o) o on o.cid = c.id) as j where {j.} >= j.n",
    ),
    (
        "join_tree",
        "select c.id from ord o join (cust c left join zero z on z.n = c.id) on o.cid = c.id and {c.} > 2",
    ),
    (
        "left_join_anti",
        "select o.id from ord o left join (select c.* from cust c) d on d.id = o.cid and {d.} > 2 where d.id is null",
    ),
    (
        "full_join_where",
        "select c.id, o.id from cust c full join ord o on o.cid = c.id where coalesce({c.}, 1) > 0 and c.id < 50",
    ),
    ("lateral_left", "select c.id, u from cust c left join lateral unnest(array[{c.}]) u on u > 3"),
    (
        "lateral_rows",
        "select c.id, a, b from cust c cross join lateral rows from (unnest(array[{c.}]), generate_series(1, 2)) r(a, b) where a > 0",
    ),
    (
        "lateral_ordinality",
        "select c.id, u, o from cust c cross join lateral unnest(array[{c.}]) with ordinality r(u, o) where u > 0",
    ),
    (
        "lateral_grouped",
        "select c.id, l.m from cust c, lateral (select max(o.n) m from ord o where o.id < 40 and o.n < {c.} % 7) l where l.m is not null",
    ),
    (
        "lateral_deep",
        "select c.id, l.y from cust c, lateral (select d.y from (select {c.} + o.n y, o.cid from ord o) d where d.cid = c.id) l where l.y > 2",
    ),
    (
        "case_subject",
        "select c.id from cust c where case {c.} when 4 then true when c.id then true else false end",
    ),
    ("nullif", "select c.id from cust c where nullif({c.}, 4) > 2"),
    ("concat", "select c.id from cust c where concat(c.region, {c.}) like 'EU%'"),
    ("between_symmetric", "select c.id from cust c where c.id between symmetric {c.} and 20"),
    ("is_true", "select c.id from cust c where ({c.} > 2) is true"),
    ("array_overlap", "select c.id from cust c where array[{c.}] && array[4, 8]"),
    ("json_build", "select c.id from cust c where jsonb_build_object('x', {c.}) @> '{\"x\": 4}'"),
    ("whole_row_text", "select c.id from cust c where c::text like '%EU%' and {c.} > 1"),
    ("whole_row_json", "select d.j ->> 'id' from (select to_jsonb(c) j, {c.} x from cust c) d where d.x > 1"),
    ("whole_row_count", "select count(k) from ord o left join cust k on k.id = o.cid and {k.} > 8"),
    (
        "exists_not",
        "select o.id from ord o where not exists (select 1 from cust c where c.id = o.cid and {c.} >= 0)",
    ),
    (
        "exists_grouped",
        "select o.id from ord o where exists (select 1 from cust c where c.id = o.cid group by c.id, c.email, c.salary, c.txt, c.doc, c.ts having {c.} > 0)",
    ),
    (
        "exists_union",
        "select o.id from ord o where exists (select 1 from cust c where c.id = o.cid and o.id < 20 and {c.} >= 0 union all select 1 from cust k where k.id = o.cid + 1 and o.id < 20 and {k.} >= 0)",
    ),
    (
        "scalar_where",
        "select o.id from ord o where o.id < 50 and o.n < (select max({c.}) from cust c where c.id <= o.cid)",
    ),
    (
        "scalar_deep",
        "select c.id from cust c where c.salary < (select max(o.n) * 100 from ord o where o.cid = c.id and o.n > (select min(p.n) from ord p where p.cid = c.id and p.n > {c.} - 500) - 9)",
    ),
    (
        "set_list",
        "select d.u from (select generate_series(1, {c.} % 3) u, c.id from cust c) d where d.id < 100",
    ),
    (
        "set_list_beside",
        "select d.x from (select generate_series(1, 2) u, {c.} x from cust c) d where d.x < 100",
    ),
    ("star_inner", "select k.* from (select * from cust c where {c.} > 2) k where k.salary < 900"),
    (
        "grouped_extreme",
        "select d.region from (select c.region, max({c.}) m from cust c group by c.region) d where d.m > 2",
    ),
    (
        "grouped_scalar",
        "select d.y from (select c.salary s, (select {c.}) y from cust c group by c.id, c.email, c.salary, c.txt, c.doc, c.ts) d where d.y > 2",
    ),
    ("limited_list", "select d.id from (select c.id, {c.} x from cust c limit 1000) d where d.x >= 0"),
    (
        "ordered_limited",
        "select d.id from (select c.id, c.salary from cust c order by {c.}, c.id limit 5) d where d.salary > 3",
    ),
    (
        "equal_twice",
        "select c.id, k.id from cust c, cust k, ord o where {c.} = k.id and k.id = o.n and o.cid = {c.}",
    ),
    ("row_star", "select c.id, row(c.*)::text from cust c where {c.} > 2"),
    (
        "row_star_inner",
        "select d.r from (select row(c.*, o.n)::text r, {c.} x from cust c join ord o on o.id = c.id) d where d.x > 2",
    ),
    ("row_star_compared", "select z.n, c.id from zero z, cust c where row(z.*) = row({c.} * 0)"),
    (
        "row_star_among",
        "select z.n, c.id from zero z, cust c where (z.*, 4) in (select 0, {c.} from cust k where k.id = 8)",
    ),
    (
        "values_star",
        "select v.x from ord o, cust c, lateral (values (o.*, {c.})) v(x, y, z, w) where o.id = c.id and v.w > 2",
    ),
    ("star_outer", "select c.id from cust c where (select {d.} from (select c.*) d) > 2"),
];
