//! The roads round the gateway, as far as the store's catalogue shows them to the gateway's own login.

use std::fmt::Write as _;

use crate::catalog::{CatalogError, read_only, rows};
use crate::upstream::{Upstream, UpstreamConfig, UpstreamError};

/// One road.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Road {
    /// Who or what, with its kind: `role:app`, `slot:standby`.
    pub who: String,
    /// What it can do.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roads {
    /// The roads, by who.
    pub roads: Vec<Road>,
    /// What is no road by itself, and good to know.
    pub facts: Vec<String>,
    /// What could not be looked at, and why.
    pub unseen: Vec<String>,
}

/// Looks for roads to the relations of these oids.
///
/// # Errors
/// When the store cannot be reached, or its catalogue is not as expected. A question that the store does not let the
/// gateway's login ask is told in [`Roads::unseen`].
pub async fn roads(config: &UpstreamConfig, governed: &[u32]) -> Result<Roads, CatalogError> {
    let mut upstream = read_only(config).await?;
    let mut found = Roads::default();
    for (what, question) in QUESTIONS {
        let text = format!("{}{question}", with(governed));
        if let Some(answer) = ask::<2>(&mut upstream, what, &text, &mut found).await? {
            found.roads.extend(answer.into_iter().map(|[who, what]| Road { who, what }));
        }
    }
    if let Some(answer) = ask::<1>(&mut upstream, "where the server listens", LISTENING, &mut found).await? {
        found.facts.extend(answer.into_iter().map(|[fact]| fact));
    }
    upstream.close().await;
    found.roads.sort();
    Ok(found)
}

/// The answer; none where the store does not let the login ask.
async fn ask<const N: usize>(
    upstream: &mut Upstream,
    what: &str,
    text: &str,
    found: &mut Roads,
) -> Result<Option<Vec<[String; N]>>, CatalogError> {
    match upstream.query(text).await {
        Ok(answer) => Ok(Some(rows::<N>(&answer)?.into_iter().map(|row| row.map(str::to_owned)).collect())),
        Err(UpstreamError::Store(error)) => {
            found.unseen.push(format!("{what}: {}", error.message));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What the questions are about: governed relations, with what lies in them or reads them, and who can connect.
fn with(governed: &[u32]) -> String {
    let mut oids = String::new();
    for oid in governed {
        let _ = write!(oids, "{}{oid}", if oids.is_empty() { "" } else { "," });
    }
    format!("WITH RECURSIVE governed (oid) AS (SELECT unnest('{{{oids}}}'::oid[])), {SUBJECTS}")
}

/// A login can become every role that it is a member of, whether it inherits or not.
const SUBJECTS: &str = r"
reached (oid) AS (
  SELECT oid FROM governed
  UNION
  SELECT next.oid FROM reached CROSS JOIN LATERAL (
    SELECT inhrelid FROM pg_inherits WHERE inhparent = reached.oid
    UNION ALL
    SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = reached.oid
      AND v.relkind IN ('v', 'm')) next (oid)),
logins AS (
  SELECT oid, rolname, rolname = current_user AS is_ours FROM pg_roles
  WHERE rolcanlogin AND NOT rolsuper AND has_database_privilege(oid, current_database(), 'CONNECT')),
acts AS (
  SELECT l.oid AS login, l.rolname, l.is_ours, r.oid AS role, r.rolname AS role_name, r.rolsuper
  FROM logins l JOIN pg_roles r ON pg_has_role(l.oid, r.oid, 'MEMBER')),
usable AS (
  SELECT DISTINCT a.login, n.oid AS schema FROM acts a JOIN pg_namespace n ON has_schema_privilege(a.role, n.oid, 'USAGE')
  WHERE n.oid IN (SELECT relnamespace FROM pg_class JOIN reached USING (oid))),
rights AS (
  SELECT a.rolname, a.is_ours, format('%I.%I', n.nspname, c.relname) AS relation,
         bool_or(has_any_column_privilege(a.role, c.oid, 'SELECT')) AS reads,
         bool_or(has_any_column_privilege(a.role, c.oid, 'INSERT, UPDATE')
                 OR has_table_privilege(a.role, c.oid, 'DELETE, TRUNCATE')) AS writes
  FROM reached JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
       JOIN usable u ON u.schema = n.oid JOIN acts a ON a.login = u.login
  GROUP BY 1, 2, 3)
";

/// Each gives who, and what.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "superusers",
        r"SELECT 'role:' || rolname, 'is a superuser: it reads and changes everything' FROM pg_roles
          WHERE rolsuper AND rolcanlogin
          UNION SELECT 'role:' || rolname, format('can become the superuser %s', role_name) FROM acts WHERE rolsuper",
    ),
    (
        "attributes of roles",
        r"SELECT 'role:' || l.rolname, x.what FROM logins l JOIN pg_roles r USING (oid)
          CROSS JOIN LATERAL (VALUES
            (r.rolreplication, 'has REPLICATION: it can copy the whole server, and every change'),
            (r.rolbypassrls, 'has BYPASSRLS: native row security does not hold for it'),
            (r.rolcreaterole, 'has CREATEROLE: it can make logins, and give them what it may give')) x (has, what)
          WHERE x.has",
    ),
    (
        "server roles",
        r"SELECT 'role:' || a.rolname, format('is a member of %s: %s', a.role_name, x.what) FROM acts a
          JOIN (VALUES ('pg_read_server_files', 'it can read the files of the server'),
                       ('pg_write_server_files', 'it can write files of the server'),
                       ('pg_execute_server_program', 'it can run programs on the server'),
                       ('pg_read_all_stats', 'it can read the statements that the gateway sends'),
                       ('pg_monitor', 'it can read the statements that the gateway sends')) x (role_name, what)
            ON x.role_name = a.role_name",
    ),
    (
        "rights on governed relations",
        r"SELECT 'role:' || rolname, format('reads %s: %s%s', CASE WHEN count(*) = 1 THEN 'a relation' ELSE count(*) || ' relations' END,
                 array_to_string((array_agg(relation ORDER BY relation))[1:3], ', '), CASE WHEN count(*) > 3 THEN ', …' ELSE '' END)
          FROM rights WHERE reads AND NOT is_ours GROUP BY rolname
          UNION ALL
          SELECT 'role:' || rolname, format('changes %s: %s%s', CASE WHEN count(*) = 1 THEN 'a relation' ELSE count(*) || ' relations' END,
                 array_to_string((array_agg(relation ORDER BY relation))[1:3], ', '), CASE WHEN count(*) > 3 THEN ', …' ELSE '' END)
          FROM rights WHERE writes GROUP BY rolname",
    ),
    (
        "replication slots",
        r"SELECT 'slot:' || slot_name, format('a %s replication slot%s', slot_type,
                 CASE WHEN active THEN ', in use: somebody gets every change now' ELSE ': who may replicate gets every change from it' END)
          FROM pg_replication_slots WHERE database IS NULL OR database = current_database()",
    ),
    (
        "publications",
        r"SELECT 'publication:' || p.pubname, format('sends changes of %s to subscribers', string_agg(DISTINCT format('%I.%I', p.schemaname, p.tablename), ', '))
          FROM pg_publication_tables p JOIN pg_namespace n ON n.nspname = p.schemaname
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
               JOIN reached ON reached.oid = c.oid
          GROUP BY p.pubname",
    ),
    (
        "functions",
        r"SELECT 'function:' || p.oid::regprocedure, format('runs with the rights of %s, and everybody may call it', o.rolname)
          FROM pg_proc p JOIN pg_roles o ON o.oid = p.proowner
          WHERE p.prosecdef AND p.oid >= 16384 AND has_function_privilege('public', p.oid, 'EXECUTE')
            AND (o.rolsuper OR EXISTS (SELECT FROM reached WHERE has_any_column_privilege(o.oid, reached.oid, 'SELECT')))",
    ),
    (
        "foreign servers",
        r"SELECT 'server:' || s.srvname, format('a foreign server (%s): what is behind it has roads of its own', w.fdwname)
          FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw",
    ),
    (
        "pg_hba.conf",
        r"SELECT 'hba:' || line_number, format('lets %s in as %s without a proof (%s)',
                 coalesce(nullif(concat_ws('/', address, netmask), ''), 'the machine itself'), array_to_string(user_name, ', '), auth_method)
          FROM pg_hba_file_rules WHERE auth_method = 'trust'
            AND database && ARRAY['all', 'replication', current_database()::text, 'sameuser', 'samerole', 'samegroup']",
    ),
];

const LISTENING: &str = r"
SELECT CASE current_setting('listen_addresses')
         WHEN '' THEN 'the server listens on its unix socket alone'
         ELSE format('the server listens on %s, port %s%s', current_setting('listen_addresses'), current_setting('port'),
                     CASE current_setting('ssl') WHEN 'on' THEN '' ELSE ', without TLS' END) END";
