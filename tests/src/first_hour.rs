//! The first hour with a database of one's own: from nothing to a first caller who sees what was granted, and no more.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use testkit::postgres::{SUPERUSER, free_port};
use testkit::{Auth, Database, Options, Postgres};
use tokio_postgres::Config;

use crate::gateway::{Gateway, executable};

/// Names that nobody expects, and that must stay names wherever they are written.
const STRANGE: &str = "
    create schema \"My Schema\";
    create table \"My Schema\".\"a: {rows: all}\n  pg://crm/public.customers: {id: open}\" (\"x: y # z\" int, \"null\" int, \"it's\" text,
        \"new\nline\" text, \"a \"\"b\"\" c\" text);
    create table \"user\" (\"select\" int primary key, \"EMail\" text);
    create table no_columns ();
    create view rich as select id from customers where salary > 100000;
    create materialized view summary as select region, count(*) from customers group by region;
    create function secret() returns text security definer language sql as 'select ''s''';";

/// A server that asks everybody for a password, as one's own does.
fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start_with(&Options { auth: Auth::Scram, ..Options::default() }))
}

/// A folder that a new user works in.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("vg-").tempdir().unwrap().keep())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn veilgate(&self, arguments: &[&str]) -> Output {
        self.veilgate_asking(arguments, "")
    }

    fn veilgate_asking(&self, arguments: &[&str], typed: &str) -> Output {
        let mut command = Command::new(executable());
        command.env_clear().current_dir(&self.0).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who refuses does not read.
        let _ = child.stdin.take().unwrap().write_all(typed.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Drafts a configuration for a database, and makes its login.
    fn init(&self, store: &Database<'_>, login: &str) -> Output {
        let output = self.veilgate(&["init", "--from", &url(store), "--store", "crm", "--login", login]);
        assert!(output.status.success(), "{}", all(&output));
        store.run(&stdout(&output));
        output
    }

    /// Every file in it, by its path.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        collect(&self.0, &mut files);
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
}

/// How the owner connects, with a password in the text.
fn url(store: &Database<'_>) -> String {
    format!(
        "postgres://{SUPERUSER}:{SUPERUSER}@127.0.0.1:{}/{}?sslmode=disable",
        store.server().port(),
        store.name
    )
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn all(output: &Output) -> String {
    format!("{}{}", stdout(output), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_draft_passes_its_check_grants_nothing_and_is_not_written_over() {
    let store = server().database_with("crm");
    store.run(STRANGE);
    let folder = Folder::new();
    folder.init(&store, "draft");
    let checked = folder.veilgate(&["check"]);
    assert!(checked.status.success(), "{}", all(&checked));
    assert!(all(&checked).contains("0 errors, 0 warnings"), "{}", all(&checked));

    for (path, text) in folder.files() {
        assert!(!text.contains(&format!(":{SUPERUSER}@")), "{} holds the owner's password", path.display());
        let secret = ["callers.yaml", "secrets/crm.password", "secrets/pii-1.key"]
            .iter()
            .any(|name| path.ends_with(name));
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if secret { 0o600 } else { 0o644 }, "{}", path.display());
    }
    let data = fs::read_to_string(folder.at("policy/10-data.yaml")).unwrap();
    for word in [
        "# pii.email?",
        "# pii.id_number?",
        "# key?",
        "pg://crm/public.summary",
        "public.rich",
        "events_2025",
    ] {
        assert!(data.contains(word), "no {word} in:\n{data}");
    }
    // What it is for is said once: nothing has another class.
    let classes: Vec<&str> = data.lines().filter(|line| line.starts_with("    ")).collect();
    assert!(classes.len() > 30 && classes.iter().all(|line| line.contains(": unreviewed")), "{classes:?}");

    let before = folder.files();
    let again = folder.veilgate(&["init", "--from", &url(&store), "--store", "crm", "--login", "other"]);
    assert!(!again.status.success(), "{}", all(&again));
    assert!(stdout(&again).is_empty(), "SQL for a login whose password was not written");
    assert_eq!(folder.files(), before);

    // A rule that was left in the folder would be a part of the new policy.
    let left = Folder::new();
    fs::create_dir(left.at("policy")).unwrap();
    fs::write(left.at("policy/old.yaml"), "veilgate: 1\n").unwrap();
    let output = left.veilgate(&["init", "--from", &url(&store), "--store", "crm", "--login", "other"]);
    assert!(!output.status.success() && all(&output).contains("part of the policy"), "{}", all(&output));
    assert_eq!(left.files().len(), 1);
}

#[test]
fn a_login_may_read_what_is_governed_and_nothing_else() {
    let store = server().database_with("crm");
    store.run(STRANGE);
    store.run("create schema other; create table other.t (x int)");
    let folder = Folder::new();
    let schema = ["init", "--from", &url(&store), "--store", "crm", "--login", "least", "--schema", "public"];
    let output = folder.veilgate(&schema);
    assert!(output.status.success(), "{}", all(&output));
    store.run(&stdout(&output));
    store.run(
        "do $$ begin
           assert has_table_privilege('least', 'customers', 'select');
           assert not has_table_privilege('least', 'customers', 'insert, update, delete, truncate, references, trigger');
           assert not has_schema_privilege('least', 'other', 'usage');
           assert not has_table_privilege('least', 'rich', 'select');
           assert (select not rolsuper and not rolbypassrls and not rolcreaterole and not rolcreatedb and not rolreplication
                   from pg_roles where rolname = 'least');
           assert (select rolpassword from pg_authid where rolname = 'least') like 'SCRAM-SHA-256$%';
         end $$",
    );
    let password = fs::read_to_string(folder.at("secrets/crm.password")).unwrap();
    assert_eq!(password.len(), 64);
    assert!(!all(&output).contains(&password), "the password is shown");
    let taken = Folder::new();
    let output = taken.veilgate(&["init", "--from", &url(&store), "--store", "crm", "--login", "least"]);
    assert!(!output.status.success() && all(&output).contains("a role `least` already"), "{}", all(&output));
    assert!(taken.files().is_empty());
}

#[test]
fn what_is_wrong_with_a_source_is_told_without_its_password() {
    let store = server().database_with("crm");
    let (port, name) = (store.server().port(), &store.name);
    for (from, told) in [
        (format!("postgres://{SUPERUSER}:hunter2@127.0.0.1:{port}/{name}"), "password authentication failed"),
        (format!("postgres://{SUPERUSER}:hunter2@127.0.0.1:1/{name}"), "cannot ask the database"),
        (format!("postgres://{SUPERUSER}@127.0.0.1:{port}/{name}"), "PGPASSWORD"),
        (format!("postgres://{SUPERUSER}:hunter2@db.example.org/{name}"), "how it is checked"),
        (format!("{SUPERUSER}:hunter2@127.0.0.1:{port}/{name}"), "--from is a URL"),
    ] {
        let folder = Folder::new();
        let output = folder.veilgate(&["init", "--from", &from, "--store", "crm", "--login", "none"]);
        assert!(!output.status.success() && all(&output).contains(told), "{from}: {}", all(&output));
        assert!(!all(&output).contains("hunter2") && folder.files().is_empty(), "{}", all(&output));
    }
    // Nor where the command line itself is wrong.
    let output =
        Folder::new().veilgate(&["init", &format!("postgres://{SUPERUSER}:hunter2@127.0.0.1/{name}")]);
    assert!(!output.status.success() && !all(&output).contains("hunter2"), "{}", all(&output));
    let output = Folder::new().veilgate(&["init", &format!("--form=postgres://a:hunter2@127.0.0.1/{name}")]);
    assert!(!output.status.success() && !all(&output).contains("hunter2"), "{}", all(&output));
}

#[tokio::test]
async fn a_new_caller_sees_nothing_then_what_was_granted() {
    let store = server().database_with("crm");
    let folder = Folder::new();
    folder.init(&store, "first");
    let wrong = folder.veilgate_asking(&["user", "add", "ann", "--attribute", "rolez=support"], "secret\n");
    assert!(!wrong.status.success() && all(&wrong).contains("did you mean `roles`"), "{}", all(&wrong));
    let add = ["user", "add", "ann", "--purpose", "support", "--attribute", "roles=support"];
    let added = folder.veilgate_asking(&add, "hunter2\n");
    assert!(added.status.success() && !all(&added).contains("hunter2"), "{}", all(&added));
    let twice = folder.veilgate_asking(&add, "hunter2\n");
    assert!(!twice.status.success() && all(&twice).contains("already"), "{}", all(&twice));
    let listed = stdout(&folder.veilgate(&["user", "list"]));
    assert!(listed.contains("ann") && listed.contains("purposes support; roles support"), "{listed}");
    let callers = fs::read_to_string(folder.at("callers.yaml")).unwrap();
    assert!(callers.starts_with("# Who may connect.") && !callers.contains("hunter2"), "{callers}");
    assert!(folder.veilgate(&["check"]).status.success());

    let port = free_port();
    let config = folder.at("veilgate.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("127.0.0.1:6432", &format!("127.0.0.1:{port}")).replace("tls: require", "tls: allow"),
    )
    .unwrap();
    let gateway = Gateway::of_folder(folder.0.clone(), port, store);
    let mut login = Config::new();
    login.host("127.0.0.1").port(port).user("ann").password("hunter2").dbname("crm");
    let ann = testkit::postgres::connect(&login).await;
    let error = ann.query("select id from customers", &[]).await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "42501", "{error:?}");

    // What the comments say to do.
    let data = folder.at("policy/10-data.yaml");
    let text = fs::read_to_string(&data).unwrap();
    fs::write(
        &data,
        text.replacen("id: unreviewed", "id: key", 99).replacen("email: unreviewed", "email: pii.email", 1),
    )
    .unwrap();
    let rules = folder.at("policy/20-rules.yaml");
    let text = fs::read_to_string(&rules).unwrap().replace("public.assignments", "public.customers");
    let (head, example) = text.split_once("#\n").unwrap();
    let example: String =
        example.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap())).collect();
    fs::write(&rules, format!("{head}{example}")).unwrap();
    let checked = folder.veilgate(&["check"]);
    assert!(checked.status.success(), "{}", all(&checked));
    let reloaded = folder.veilgate(&["reload"]);
    assert!(reloaded.status.success(), "{}", all(&reloaded));
    let rows = ann.query("select * from customers where id = 1", &[]).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(
        rows[0].columns().iter().map(tokio_postgres::Column::name).collect::<Vec<_>>(),
        ["id", "email"]
    );
    assert!(rows[0].get::<_, &str>(1).contains("***@"));

    let removed = folder.veilgate(&["user", "remove", "ann"]);
    assert!(removed.status.success(), "{}", all(&removed));
    assert!(folder.veilgate(&["reload"]).status.success());
    assert!(ann.query("select id from customers", &[]).await.is_err());
    drop(gateway);
}

#[test]
fn roads_round_the_gateway_are_found_and_those_that_are_meant_do_not_count() {
    // A server of its own: roles are everybody's there.
    let options = Options { auth: Auth::Scram, ..Options::default() };
    let options = options.setting("wal_level", "logical").setting("max_wal_senders", "2");
    let server = Box::leak(Box::new(Postgres::start_with(&options)));
    let store = server.database_with("crm");
    let folder = Folder::new();
    folder.init(&store, "veilgate");
    let bypass = |trusted: &[&str]| {
        let mut arguments = vec!["check", "--bypass"];
        for name in trusted {
            arguments.extend(["--trust", name]);
        }
        let output = folder.veilgate(&arguments);
        (output.status.success(), all(&output))
    };
    // The test kit's own: a superuser, a login that reads everything, a socket without passwords.
    let (good, told) = bypass(&[]);
    assert!(!good && told.contains("OPEN     role:postgres"), "{told}");
    assert!(
        told.contains("UNSEEN   pg_hba.conf") && told.contains("note     the server listens on 127.0.0.1"),
        "{told}"
    );
    let known = ["role:postgres", "role:gateway"];
    let (good, told) = bypass(&known);
    assert!(good && told.contains("trusted  role:gateway"), "{told}");

    store.run(
        "create role app login; grant select on customers to app;
         create role team; grant select on orders to team; create role member login noinherit in role team;
         create role writer login; grant insert (id) on orders to writer;
         create role copier login replication; create role maker login createrole;
         create role files login in role pg_read_server_files; create role heir login in role postgres;
         create role viewer login; create view rich as select id from customers; grant select on rich to viewer;
         create view over_rich as select id from rich;
         create role parts login; grant select on events_2025 to parts;
         create function peek() returns bigint language sql security definer as 'select count(*) from customers';
         create function closed() returns bigint language sql security definer as 'select 1'; revoke execute on function closed from public;
         create publication feed for table customers;
         create foreign data wrapper nothing; create server elsewhere foreign data wrapper nothing;
         create role harmless login; create role away login; grant select on customers to away;
         grant update on customers to veilgate; alter role veilgate bypassrls",
    );
    store.run("select pg_create_physical_replication_slot('standby')");
    store.run("select pg_create_logical_replication_slot('changes', 'pgoutput')");
    store.run(&format!(
        "revoke connect on database {0} from public; grant connect on database {0} to
        app, member, writer, copier, maker, files, heir, viewer, parts, harmless, veilgate, gateway",
        store.name
    ));
    let (good, told) = bypass(&known);
    assert!(!good, "{told}");
    for line in [
        "role:app             reads a relation: public.customers",
        "role:member          reads a relation: public.orders",
        "role:writer          changes a relation: public.orders",
        "role:copier          has REPLICATION",
        "role:maker           has CREATEROLE",
        "role:files           is a member of pg_read_server_files",
        "role:heir            can become the superuser postgres",
        "role:viewer          reads a relation: public.rich",
        "role:parts           reads a relation: public.events_2025",
        "function:public.peek()",
        "slot:standby         a physical replication slot",
        "slot:changes         a logical replication slot",
        "publication:feed     sends changes of public.customers",
        "server:elsewhere     a foreign server (nothing)",
        "role:veilgate        changes a relation: public.customers",
        "role:veilgate        has BYPASSRLS",
    ] {
        let words: Vec<&str> = line.splitn(2, ' ').collect();
        let has = |shown: &str| {
            shown.contains(&format!("OPEN     {}", words[0]))
                && words.get(1).is_none_or(|what| shown.contains(what.trim()))
        };
        assert!(told.lines().any(has), "no {line} in:\n{told}");
    }
    for nobody in ["harmless", "away", "closed()", "role:team"] {
        assert!(!told.contains(nobody), "{nobody} is none:\n{told}");
    }
    // Where the login may look, it does.
    store.run("grant execute on function pg_hba_file_rules() to veilgate; grant select on pg_hba_file_rules to veilgate");
    let (_, told) = bypass(&known);
    assert!(told.contains("OPEN     hba:1"), "{told}");
    let (_, told) = bypass(&["role:nobody"]);
    assert!(told.contains("--trust role:nobody: there is no such road"), "{told}");
}
