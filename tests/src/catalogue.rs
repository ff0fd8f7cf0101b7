//! The catalogue through the gateway: psql describes what a caller may know of, and names nothing else.
//!
//! Two stores are alike for alice; one has hidden things beside, all of whose names begin with `zq`.

use std::process::Command;

use testkit::{Database, Postgres, postgres, workspace};

use crate::gateway::{Gateway, PASSWORD, Setup};

/// What lists or describes, as it is typed.
const COMMANDS: &[&str] = &[
    "\\d",
    "\\d+",
    "\\dt",
    "\\dt+",
    "\\dv",
    "\\dm",
    "\\di",
    "\\di+",
    "\\ds",
    "\\dE",
    "\\dtvmsE",
    "\\dn",
    "\\dn+",
    "\\df",
    "\\df zq*",
    "\\da",
    "\\dT",
    "\\dT+",
    "\\du",
    "\\l",
    "\\dp",
    "\\z",
    "\\dD",
    "\\dD+",
    "\\dC",
    "\\do",
    "\\dx",
    "\\dd",
    "\\ddp",
    "\\dL",
    "\\dA",
    "\\dAc",
    "\\dAf",
    "\\db",
    "\\dc",
    "\\dO",
    "\\dO+",
    "\\dF",
    "\\dFd",
    "\\dFp",
    "\\dFt",
    "\\dRp",
    "\\dRs",
    "\\dX",
    "\\dy",
    "\\des",
    "\\dew",
    "\\det",
    "\\dP",
    "\\dP+",
    "\\drds",
    "\\dl",
    "\\dt *.*",
    "\\d *.zq*",
    "\\dt zq*",
    "\\d customers",
    "\\d+ customers",
    "\\d orders",
    "\\d+ orders",
    "\\d events",
    "\\d+ events",
    "\\d events_2025",
    "\\d+ events_2025",
    "\\d zq_table",
    "\\d employees",
    "\\d customers_pkey",
    "\\d zq_index",
    "\\d pg_class",
    "\\dt pg_catalog.pg_c*",
    "\\d \"customers\"",
    "\\dt public.*",
    "\\sf zq_function",
    "\\sv zq_view",
];

/// Commands that are refused by name, and say so.
const REFUSED: &[&str] = &["\\sf zq_function", "\\sv zq_view"];

/// What an attacker would ask. On the naked server each answers with a hidden name or value.
const ATTACKS: &[(&str, &str)] = &[
    ("a table by a cast", "select 'zq_table'::regclass"),
    ("a table by a cast with its schema", "select 'zq_schema.zq_inner'::regclass::text"),
    ("a table by to_regclass", "select coalesce(to_regclass('zq_table')::text, 'none')"),
    ("a type by a cast", "select 'zq_mood'::regtype"),
    ("a function by a cast", "select 'zq_function'::regproc"),
    ("tables by name", "select relname from pg_class where relname like 'zq%'"),
    ("tables by a regular expression", "select relname from pg_catalog.pg_class where relname ~ '^zq'"),
    ("columns by name", "select attname from pg_attribute where attname like 'zq%'"),
    (
        "columns of a table",
        "select attname from pg_attribute where attrelid = 'customers'::regclass and attnum > 0",
    ),
    ("columns as rows", "select a from pg_attribute a where attname like 'zq%'"),
    (
        "columns as JSON",
        "select to_jsonb(a) from pg_attribute a where a.attnum > 10 and a.attname like 'zq%'",
    ),
    ("constraints", "select conname from pg_constraint where conname like 'zq%'"),
    (
        "definitions of constraints",
        "select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'customers'::regclass",
    ),
    (
        "definitions of indexes",
        "select pg_get_indexdef(indexrelid) from pg_index where indrelid = 'customers'::regclass",
    ),
    ("indexes by view", "select indexname, indexdef from pg_indexes where tablename = 'customers'"),
    ("defaults", "select pg_get_expr(adbin, adrelid) from pg_attrdef"),
    (
        "defaults by another table",
        "select pg_get_expr(d.adbin, c.oid) from pg_attrdef d, pg_class c where c.relname = 'zq_table'",
    ),
    (
        "defaults of the standard",
        "select column_name, column_default from information_schema.columns where column_default like '%zq%'",
    ),
    ("comments", "select description from pg_description where description like 'zq%'"),
    (
        "comments by function",
        "select col_description(c.oid, n) from pg_class c, generate_series(1, 20) n where c.relname = 'customers'",
    ),
    ("comments of tables", "select obj_description(oid, 'pg_class') from pg_class"),
    ("labels of enums", "select enumlabel from pg_enum"),
    ("types", "select typname from pg_type where typname like '%zq%'"),
    ("types by format_type", "select format_type(t.oid, null) from pg_type t where t.typtype = 'e'"),
    (
        "types of columns",
        "select format_type(a.atttypid, a.atttypmod) from pg_attribute a where attrelid = 'customers'::regclass",
    ),
    ("schemas", "select nspname from pg_namespace"),
    ("schemas of the standard", "select schema_name from information_schema.schemata"),
    ("tables of the standard", "select table_name from information_schema.tables"),
    (
        "columns of the standard",
        "select column_name from information_schema.columns where table_name = 'customers'",
    ),
    (
        "views of the standard",
        "select table_name, view_definition from information_schema.views where table_schema = 'public'",
    ),
    (
        "checks of the standard",
        "select constraint_name, check_clause from information_schema.check_constraints",
    ),
    ("keys of the standard", "select * from information_schema.key_column_usage"),
    ("constraints of the standard", "select constraint_name from information_schema.table_constraints"),
    (
        "columns of constraints",
        "select column_name, constraint_name from information_schema.constraint_column_usage",
    ),
    (
        "tables of constraints",
        "select table_name, constraint_name from information_schema.constraint_table_usage",
    ),
    ("domains of the standard", "select domain_name from information_schema.domains"),
    ("types of the standard", "select domain_name from information_schema.column_domain_usage"),
    ("sequences of the standard", "select sequence_name from information_schema.sequences"),
    (
        "routines of the standard",
        "select routine_name, routine_definition from information_schema.routines where routine_name like 'zq%'",
    ),
    ("privileges of the standard", "select grantee, table_name from information_schema.table_privileges"),
    ("triggers of the standard", "select trigger_name from information_schema.triggers"),
    ("the columns of views", "select view_name, column_name from information_schema.view_column_usage"),
    ("the text of a view", "select pg_get_viewdef('zq_view'::regclass)"),
    ("the texts of views", "select definition from pg_views where schemaname = 'public'"),
    ("the texts of views by function", "select pg_get_viewdef(c.oid) from pg_class c where relkind = 'v'"),
    ("rules", "select rulename from pg_rewrite"),
    ("functions", "select proname, prosrc from pg_proc where proname like 'zq%'"),
    ("triggers", "select tgname from pg_trigger where not tgisinternal"),
    ("policies", "select polname, pg_get_expr(polqual, polrelid) from pg_policy"),
    ("policies by view", "select policyname, qual from pg_policies"),
    ("sequences", "select sequencename from pg_sequences"),
    ("statistics", "select stxname from pg_statistic_ext"),
    (
        "what the planner knows",
        "select attname, most_common_vals from pg_stats where tablename = 'customers'",
    ),
    ("publications", "select pubname, tablename from pg_publication_tables"),
    ("roles", "select rolname from pg_roles"),
    ("owners", "select pg_get_userbyid(relowner) from pg_class where relname = 'zq_table'"),
    ("privileges", "select relacl::text from pg_class where relname = 'customers'"),
    ("dependencies", "select d.objid::regclass from pg_depend d where d.classid = 'pg_class'::regclass"),
    (
        "what a table has",
        "select pg_describe_object(classid, objid, objsubid) from pg_depend where refobjid = 'customers'::regclass",
    ),
    ("how large tables are", "select relname, pg_table_size(oid) from pg_class where relname like 'zq%'"),
    ("tables that were used", "select relname from pg_stat_user_tables"),
    ("activity", "select query, 'zq' from pg_stat_activity"),
    ("locks", "select relation::regclass, 'zq' from pg_locks"),
    ("files of settings", "select 'zq', sourcefile from pg_file_settings"),
    ("rules of logins", "select 'zq', address from pg_hba_file_rules"),
    ("passwords", "select rolname, rolpassword from pg_authid"),
    ("existence by a privilege", "select has_table_privilege('zq_table', 'select'), 'zq'"),
    (
        "existence of a column by a privilege",
        "select has_column_privilege('customers', 'zq_column', 'select'), 'zq'",
    ),
    (
        "a number that is not the catalogue's",
        "select (n + 16384)::oid::regclass from generate_series(0, 4000) n",
    ),
    ("a number cut off", "select (c.oid::text::varchar(4))::oid::regclass, 'zq' from pg_class c"),
    (
        "names by a union",
        "select x::regclass from (select oid from pg_class union all select (n + 16384)::oid from generate_series(0, 4000) n) s (x)",
    ),
    (
        "names by recursion",
        "with recursive r (x) as (select oid from pg_class where relname = 'pg_class' union all select (x::int8 + 1)::oid from r where x::int8 < 22000) select x::regclass from (select x from r where x::int8 >= 1259) s",
    ),
];

#[test]
fn psql_describes_the_same_with_and_without_what_is_hidden() {
    let (one, other) = (gateway(false), gateway(true));
    let mut wrong = String::new();
    for command in COMMANDS {
        let [without, with] = [&one, &other].map(|gateway| answer(&through(gateway, "alice"), command));
        let refused = without.contains("ERROR");
        if without != with
            || with.contains("zq") && !command.contains("zq")
            || refused != REFUSED.contains(command)
        {
            wrong += &format!("===== {command}\n{without}\n-----\n{with}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn nothing_hidden_is_told_to_who_asks_for_it() {
    let (one, other) = (gateway(false), gateway(true));
    let naked = store(true);
    let mut wrong = String::new();
    for (what, asked) in ATTACKS {
        // Without ORDER BY two stores give the same rows in any order.
        let sorted = |answer: String| {
            let mut lines: Vec<&str> = answer.lines().collect();
            lines.sort_unstable();
            lines.join("\n")
        };
        let [without, with] = [&one, &other].map(|gateway| sorted(answer(&through(gateway, "alice"), asked)));
        let direct = answer(&directly(&naked), asked);
        let echoed = with.replace("zq_table", "").replace("zq_schema.zq_inner", "").replace("zq_mood", "");
        let named = echoed.contains("zq") && !asked.contains("'zq'") && !with.contains("ERROR");
        if without != with || named || !(direct.contains("zq") || asked.contains("'zq'")) {
            wrong += &format!("===== {what}: {asked}\n{without}\n-----\n{with}\n----- directly\n{direct}\n");
        }
    }
    assert!(ATTACKS.len() >= 60);
    assert!(wrong.is_empty(), "{wrong}");
}

/// What counts hidden things, or says that there is any, without naming one. The naked stores answer differently.
const COUNTS: &[(&str, &str)] = &[
    ("checks", "select relchecks from pg_class where relname = 'customers'"),
    ("columns", "select relnatts from pg_class where relname = 'customers'"),
    ("triggers", "select relhastriggers from pg_class where relname = 'plain'"),
    ("rules", "select relhasrules from pg_class where relname = 'orders'"),
    ("an index", "select relhasindex from pg_class where relname = 'plain'"),
    ("wide columns", "select reltoastrelid <> 0 from pg_class where relname = 'plain'"),
    (
        "columns with a default",
        "select count(*) from pg_attribute where attrelid = 'customers'::regclass and atthasdef",
    ),
    ("an index by view", "select hasindexes from pg_tables where tablename = 'plain'"),
    ("triggers by view", "select hastriggers from pg_tables where tablename = 'plain'"),
    ("rules by view", "select hasrules from pg_tables where tablename = 'orders'"),
    ("indexes", "select count(*) from pg_index where indrelid = 'customers'::regclass"),
    ("constraints", "select count(*) from pg_constraint where conrelid = 'customers'::regclass"),
    ("keys to it", "select count(*) from pg_constraint where confrelid = 'customers'::regclass"),
    ("comments", "select count(*) from pg_description where objoid = 'customers'::regclass"),
    ("places of comments", "select max(objsubid) from pg_description where objoid = 'customers'::regclass"),
    ("dependencies", "select count(*) from pg_depend where refobjid = 'customers'::regclass"),
    (
        "places of dependencies",
        "select max(refobjsubid) from pg_depend where refobjid = 'customers'::regclass",
    ),
    ("relations", "select count(*) from pg_class"),
    ("schemas", "select count(*) from pg_namespace"),
    ("types", "select count(*) from pg_type"),
    ("used tables", "select count(*) from pg_stat_user_tables"),
    ("used indexes", "select count(*) from pg_stat_user_indexes"),
    ("a name that is computed", "select to_regclass('zq_' || 'table') is not null"),
    ("a type that is computed", "select to_regtype('zq_' || 'mood') is not null"),
    (
        "a name of a row",
        "select (relname || '')::regclass is not null from (select 'zq_table'::name as relname) s",
    ),
    (
        "a privilege by a computed name",
        "select coalesce(has_table_privilege(replace('zq-table', '-', '_'), 'select'), false)",
    ),
    (
        "a privilege on a computed schema",
        "select coalesce(has_schema_privilege(replace('zq-schema', '-', '_'), 'usage'), false)",
    ),
    (
        "a comment of a place",
        "select count(col_description(c.oid, n)) from pg_class c, generate_series(1, 40) n where c.relname = 'customers'",
    ),
];

#[test]
fn nothing_counts_what_is_hidden() {
    let (one, other) = (gateway(false), gateway(true));
    let (without_hidden, with_hidden) = (store(false), store(true));
    let mut wrong = String::new();
    for (what, asked) in COUNTS {
        let [without, with] = [&one, &other].map(|gateway| answer(&through(gateway, "alice"), asked));
        let [bare, full] = [&without_hidden, &with_hidden].map(|store| answer(&directly(store), asked));
        if without != with || bare == full {
            wrong +=
                &format!("===== {what}: {asked}\n{without}-----\n{with}----- directly\n{bare}-----\n{full}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Who sees everything gets what the server says, but for sizes, privileges and numbers of rows.
#[test]
fn psql_describes_as_it_does_directly() {
    let gateway = gateway(false);
    let same = [
        "\\d",
        "\\dt",
        "\\dv",
        "\\dm",
        "\\di",
        "\\ds",
        "\\dE",
        "\\df",
        "\\da",
        "\\dT",
        "\\dD",
        "\\dC",
        "\\do",
        "\\dx",
        "\\dL",
        "\\dA",
        "\\dAc",
        "\\dAf",
        "\\db",
        "\\dc",
        "\\dO",
        "\\dF",
        "\\dFd",
        "\\dFp",
        "\\dFt",
        "\\dX",
        "\\dy",
        "\\des",
        "\\dP",
        "\\d orders",
        "\\d+ orders",
        "\\d customers",
        "\\d+ customers",
        "\\d events",
        "\\d events_2025",
        "\\d customers_pkey",
        "\\dt public.*",
        "\\d pg_class",
    ];
    let mut wrong = String::new();
    for command in same {
        // The text of a regclass has its schema: the sessions upstream have no path of the caller's.
        let direct = answer(&directly(&gateway.store), command).replace("public.", "");
        let through = answer(&through(&gateway, "bob"), command).replace("public.", "");
        if direct != through {
            wrong += &format!("===== {command}\n{direct}\n-----\n{through}\n");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

fn preparation(hidden: bool) -> Vec<String> {
    let mut all = vec![workspace::fixture_text("catalogue/visible.sql")];
    if hidden {
        all.push(workspace::fixture_text("catalogue/hidden.sql"));
    }
    all
}

fn gateway(hidden: bool) -> Gateway {
    let policy = workspace::fixture("catalogue/policy");
    Gateway::start_with(&Setup { policy, prepare: preparation(hidden), ..Setup::default() })
}

fn store(hidden: bool) -> Database<'static> {
    let store = Postgres::shared().database_with("crm");
    for statements in preparation(hidden) {
        store.run(&statements);
    }
    store
}

/// How psql gets somewhere, and what differs there without being a secret.
struct Way {
    variables: Vec<(&'static str, String)>,
    database: String,
}

fn through(gateway: &Gateway, caller: &str) -> Way {
    Way {
        variables: vec![
            ("PGHOST", "127.0.0.1".to_owned()),
            ("PGPORT", gateway.port().to_string()),
            ("PGUSER", caller.to_owned()),
            ("PGPASSWORD", PASSWORD.to_owned()),
            ("PGDATABASE", "crm".to_owned()),
        ],
        database: gateway.store.name.clone(),
    }
}

fn directly(store: &Database<'_>) -> Way {
    Way {
        variables: vec![
            ("PGHOST", store.server().socket_folder().display().to_string()),
            ("PGPORT", store.server().port().to_string()),
            ("PGUSER", postgres::SUPERUSER.to_owned()),
            ("PGDATABASE", store.name.clone()),
        ],
        database: store.name.clone(),
    }
}

/// All that psql shows, without the numbers of objects.
fn answer(way: &Way, command: &str) -> String {
    let mut psql = Command::new(postgres::program("psql"));
    psql.args(["-X", "-A", "-v", "VERBOSITY=verbose", "-c", command]).envs(way.variables.iter().cloned());
    let output = psql.output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat())
        .replace(&way.database, "(database)");
    let mut shown = String::new();
    for line in text.lines().filter(|line| !line.starts_with("LINE ")) {
        let mut digits = String::new();
        for letter in line.chars().chain(std::iter::once('\n')) {
            if letter.is_ascii_digit() {
                digits.push(letter);
                continue;
            }
            shown.push_str(if digits.len() >= 5 { "(number)" } else { &digits });
            digits.clear();
            shown.push(letter);
        }
    }
    shown
}
