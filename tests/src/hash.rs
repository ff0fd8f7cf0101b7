//! Hashes through the real executable: one value has one token by every road, under one key and purpose; and no road
//! leads to the key.

use std::process::{Command, Output};

use access::HashKey;
use gate::{DerivedKey, HashKeys};
use testkit::{Database, Postgres, postgres, workspace};
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::ToSql;

use crate::clients::{python, with_login};
use crate::gateway::{Gateway, PASSWORD, Setup, executable};

const FIRST: &str = "5f0c1de2b3a4958677869504132231405f0c1de2b3a495867786950413223140";
const SECOND: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9";

const STORE: &str = "
    create table people (id uuid primary key, email text, code char(20), handle varchar(16), number int8,
        secret bytea, region text);
    create table contacts (id int primary key, person uuid, mail text, invoice text);
    insert into people values
        ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'ann@example.org', 'ann ', 'ann', 42, '\\x00ff', 'EU'),
        ('b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', E'back\\\\slash \\\\x41 \\\\101', '', '', -9223372036854775808, '', 'EU'),
        ('c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13', null, null, null, null, null, 'EU'),
        ('d0eebc99-9c0b-4ef8-bb6d-6bb9bd380a14', 'hidden@example.org', 'x', 'x', 7, '\\x01', 'US');
    insert into contacts select n, p.id, p.email, p.email from people p, generate_series(1, 4) n
        where n = ascii(left(p.id::text, 1)) - 96;
    analyze;";

fn setup() -> Setup {
    Setup {
        policy: workspace::fixture("policies/hash"),
        prepare: vec![STORE.to_owned()],
        keys: vec![(1, FIRST)],
        ..Setup::default()
    }
}

fn keys(versions: &[(u32, &str)]) -> HashKeys {
    let secrets = versions.iter().map(|(version, text)| (*version, text.as_bytes().to_vec().into()));
    HashKeys::new(secrets, versions.last().unwrap().0).unwrap()
}

fn derived(secret: &str, root: &str, purpose: &str) -> DerivedKey {
    let key = HashKey { root: root.into(), purpose: Some(purpose.into()) };
    keys(&[(1, secret)]).derived(&key).unwrap()
}

const ANN: &str = "ann@example.org";
const SLASH: &str = "back\\slash \\x41 \\101";

#[tokio::test]
async fn one_value_has_one_token_by_every_road() {
    let gateway = Gateway::start_with(&setup());
    let client = gateway.client_for("agent", "training").await;
    let key = derived(FIRST, "pii", "training");
    let asked =
        "select email, code, handle, number, secret, id from people where region = 'EU' order by handle";

    // Text, by the simple protocol.
    let rows: Vec<Vec<Option<String>>> = (client.simple_query(asked).await.unwrap().iter())
        .filter_map(|message| {
            let SimpleQueryMessage::Row(row) = message else { return None };
            Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect())
        })
        .collect();
    let mut wanted = vec![
        vec![
            Some(key.text(ANN)),
            Some(format!("{:20}", key.text("ann"))),
            Some(key.text("ann")),
            Some(key.bigint(42).to_string()),
            Some(key.bytes(&[0, 255])),
            Some(key.uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        ],
        vec![
            Some(key.text(SLASH)),
            Some(format!("{:20}", key.text(""))),
            Some(key.text("")),
            Some(key.bigint(i64::MIN).to_string()),
            Some(key.bytes(&[])),
            Some(key.uuid("b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12")),
        ],
    ];
    wanted.sort_by(|one, other| one[2].cmp(&other[2]));
    wanted.push(
        [const { None }; 5]
            .into_iter()
            .chain([Some(key.uuid("c0eebc99-9c0b-4ef8-bb6d-6bb9bd380a13"))])
            .collect(),
    );
    assert_eq!(rows, wanted);

    // Binary, prepared, with parameters of the client's own before the key.
    let asked = "select email, number, secret, $2::text from people where handle = $1 and number = $3";
    let prepared = client.prepare(asked).await.unwrap();
    assert_eq!(prepared.params().len(), 3);
    let row = client.query_one(&prepared, &[&key.text("ann"), &"own", &key.bigint(42)]).await.unwrap();
    let secret = key.bytes(&[0, 255]);
    let bytes: String = row.get::<_, Vec<u8>>(2).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((row.get::<_, String>(0), row.get(1), row.get(3)), (key.text(ANN), key.bigint(42), "own"));
    assert_eq!(format!("\\x{bytes}"), secret);

    // A pipeline, and one transaction with statements of both protocols.
    let (text, number) = (key.text("ann"), key.bigint(42));
    let (by_number, by_text): ([&(dyn ToSql + Sync); 1], [&(dyn ToSql + Sync); 1]) = ([&number], [&text]);
    let (one, other) = tokio::join!(
        client.query_one("select email from people where number = $1", &by_number),
        client.query_one("select number from people where handle = $1", &by_text),
    );
    assert_eq!((one.unwrap().get::<_, String>(0), other.unwrap().get(0)), (key.text(ANN), number));
    client.batch_execute("begin; select email from people; savepoint a").await.unwrap();
    assert_eq!(client.query("select email from people", &[]).await.unwrap().len(), 3);
    client.batch_execute("select email from people; rollback to a; commit").await.unwrap();
}

#[test]
fn psycopg_gets_the_same_token_by_every_road() {
    let python = python();
    let gateway = Gateway::start_with(&setup());
    let mut command = Command::new(python);
    command.arg(workspace::root().join("tests/clients/psycopg_hash_test.py"));
    command.arg(derived(FIRST, "pii", "support").text(ANN));
    let output = with_login(&mut command, &gateway, "alice").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

#[tokio::test]
async fn tokens_meet_inside_a_root_and_a_purpose_alone() {
    let gateway = Gateway::start_with(&setup());
    let ask = |client: tokio_postgres::Client, asked: &'static str| async move {
        client.query_one(asked, &[]).await.unwrap().get::<_, i64>(0)
    };
    let joined = "select count(*) from people p join contacts c on p.email = c.mail and p.id = c.person";
    let crossed = "select count(*) from people p join contacts c on p.email = c.invoice";
    let own = "select count(*) from contacts where mail = invoice";
    for purpose in ["training", "inference"] {
        for (asked, wanted) in [(joined, 2), (crossed, 0), (own, 0)] {
            assert_eq!(ask(gateway.client_for("agent", purpose).await, asked).await, wanted, "{asked}");
        }
    }
    let mail = |purpose| {
        let client = gateway.client_for("agent", purpose);
        async move {
            let client = client.await;
            // The same statement on the same connection of the pool.
            client.query_one("select mail, invoice from contacts where id = 1", &[]).await.unwrap()
        }
    };
    let (training, inference) = (mail("training").await, mail("inference").await);
    let text = |row: &tokio_postgres::Row, at: usize| row.get::<_, String>(at);
    assert_eq!(text(&training, 0), derived(FIRST, "pii", "training").text(ANN));
    assert_eq!(text(&training, 1), derived(FIRST, "billing", "training").text(ANN));
    assert_eq!(text(&inference, 0), derived(FIRST, "pii", "inference").text(ANN));
    // The hidden row is as hidden as ever.
    let client = gateway.client("alice").await;
    assert_eq!(client.query_one("select count(*) from people", &[]).await.unwrap().get::<_, i64>(0), 3);
}

#[tokio::test]
async fn a_new_version_holds_from_the_next_statement_on() {
    let gateway = Gateway::start_with(&setup());
    let client = gateway.client_for("agent", "training").await;
    let statement = client.prepare("select mail from contacts where id = 1").await.unwrap();
    let mail = async || client.query_one(&statement, &[]).await.unwrap().get::<_, String>(0);
    let old = mail().await;
    assert_eq!(old, derived(FIRST, "pii", "training").text(ANN));

    gateway.set_keys(2, &[(1, FIRST), (2, SECOND)]);
    assert!(gateway.reload(), "{}", gateway.log());
    let new = mail().await;
    assert_eq!(new, derived(SECOND, "pii", "training").text(ANN));

    let verify = |token: &str, value: &str| {
        let arguments = ["hash", "verify", "--class", "pii.email", "--purpose", "training", token];
        command(&gateway, &arguments, value)
    };
    for (token, told) in [(&old, "version 1; version 2 is in use"), (&new, "version 2, the one in use")] {
        let output = verify(token, &format!("{ANN}\n"));
        assert!(output.status.success() && text(&output).contains(told), "{}", text(&output));
    }
    let output = verify(&old, "bob@example.org");
    assert_eq!((output.status.code(), text(&output).contains("no version")), (Some(1), true));
    let arguments = ["hash", "token", "--class", "pii", "--purpose", "training", "--version", "1"];
    assert_eq!(text(&command(&gateway, &arguments, ANN)).trim(), old);

    // Keys that are gone or bad change nothing.
    for bad in [&[][..], &[(2, "short")]] {
        gateway.set_keys(2, bad);
        assert!(!gateway.reload(), "a reload without keys was taken");
        assert_eq!(mail().await, new);
    }
    for part in [FIRST, SECOND] {
        assert!(!gateway.log().contains(part), "the log has a key");
    }
}

#[test]
fn without_a_key_nothing_starts_and_check_says_why() {
    let gateway = Gateway::start_with(&setup());
    let check = |folder_of: &Gateway| command(folder_of, &["check"], "");
    assert!(check(&gateway).status.success(), "{}", text(&check(&gateway)));
    let tested = command(&gateway, &["test"], "");
    assert!(tested.status.success(), "{}", text(&tested));
    let explained = command(&gateway, &["explain", "--as", "bob", "select email from people"], "");
    assert!(explained.status.success() && text(&explained).contains("sha256"), "{}", text(&explained));

    gateway.set_keys(1, &[]);
    for asked in [&["check"][..], &["serve"], &["test"]] {
        let output = command(&gateway, asked, "");
        let told = text(&output);
        assert!(!output.status.success() && told.contains("the mask `hash` has no key"), "{told}");
        assert!(told.contains("policy.yaml") && told.contains("`keys`"), "{told}");
    }
    gateway.set_keys(1, &[(1, FIRST)]);
    gateway.open_key(1);
    let output = command(&gateway, &["check"], "");
    let told = text(&output);
    assert!(!output.status.success() && told.contains("`keys.hash.versions.1.file`"), "{told}");
    assert!(told.contains("others may use it") && !told.contains(FIRST), "{told}");
}

#[test]
fn wrong_ways_to_ask_for_a_token_say_so() {
    let gateway = Gateway::start_with(&setup());
    for (arguments, told) in [
        (&["--class", "pii.email"][..], "say for which"),
        (&["--class", "pii.email", "--purpose", "other"], "support, analytics, training, inference"),
        (&["--class", "pi.email", "--purpose", "training"], "did you mean `pii.email`?"),
        (&["--class", "pii", "--purpose", "training", "--version", "7"], "there is no version 7"),
        (&["--class", "pii", "--purpose", "training", "--type", "bigint"], "is not a whole number"),
    ] {
        let output = command(&gateway, &[&["hash", "token"], arguments].concat(), ANN);
        assert!(!output.status.success() && text(&output).contains(told), "{}", text(&output));
    }
    let (one, other) = (command(&gateway, &["hash", "new"], ""), command(&gateway, &["hash", "new"], ""));
    assert_eq!((text(&one).trim().len(), text(&one) == text(&other)), (64, false));
}

/// What is looked for: the secret, the derived key under both pads, as text, as hexadecimal digits and as bytes.
fn forms(purpose: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![FIRST.as_bytes().to_vec(), FIRST.to_uppercase().into_bytes()];
    for root in ["pii", "billing"] {
        for block in derived(FIRST, root, purpose).parameters() {
            // The end of a block is its pad alone, so that its beginning is what tells.
            let hex: String = block[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            forms.extend([hex.to_uppercase().into_bytes(), hex.into_bytes(), block[..16].to_vec()]);
            let octal = |byte: &u8| match byte {
                b'\\' => "\\\\".to_owned(),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\{byte:03o}"),
            };
            forms.push(block[..16].iter().map(octal).collect::<String>().into_bytes());
        }
    }
    forms
}

fn holds(text: &[u8], forms: &[Vec<u8>]) -> bool {
    forms.iter().any(|form| text.windows(form.len()).any(|window| window == form))
}

/// Ways to the key: each shows it on a naked server where a view makes the hashes.
const ATTACKS: &[&str] = &[
    "explain (verbose, costs off) select email from people",
    "explain (verbose, format json) select email from people where email = 'x'",
    "explain (verbose, format xml) select lower(email) from people",
    "explain (verbose, format yaml) select email from people order by email",
    "explain (verbose, analyze) select email from people",
    "explain select id from people where email = 'x'",
    "explain analyze select email, count(*) from people group by email",
    "set bytea_output = 'escape'\n\nexplain verbose select email from people",
    "prepare p as select email from people where id is not null\n\nexplain (verbose) execute p",
    "select pg_get_viewdef('people'::regclass)",
    "select view_definition from information_schema.views where table_name = 'people'",
    "select definition from pg_views where viewname = 'people'",
    "select \"$1\", \"$2\" from (select inner_key, outer_key from key_of_hashes) k (\"$1\", \"$2\")",
    "prepare q as select email from people\n\nselect query from pg_stat_activity\n\nexplain verbose execute q",
];

#[test]
fn every_way_to_the_key_works_on_the_naked_server() {
    let store = naked();
    let forms = forms("support");
    let tame: Vec<_> = ATTACKS
        .iter()
        .filter(|attack| !holds(psql(&naked_login(&store), attack).as_bytes(), &forms))
        .collect();
    assert!(tame.is_empty(), "these are no attacks: {tame:#?}");
}

#[test]
fn no_way_leads_to_the_key_through_the_gateway() {
    let gateway = Gateway::start_with(&Setup {
        prepare: vec![
            STORE.to_owned(),
            // The server tells the values of parameters with its errors, and every statement to who listens.
            format!(
                "alter role {} set log_parameter_max_length_on_error = -1; alter role {0} set log_statement = 'all';
                 alter role {0} set debug_print_plan = on",
                postgres::GATEWAY
            ),
        ],
        ..setup()
    });
    let forms = forms("support");
    let login = login(&gateway);
    let further = [
        // What fails while it runs, while it is planned and while it is bound.
        "select 1 / (length(email) - 16) from people",
        "select email::int from people",
        "select cast(email as date) from contacts, people",
        "select email from people where number = 'x'",
        "set client_min_messages = 'debug5'\n\nselect email from people",
        "set client_min_messages = 'log'\n\nselect email::int from people",
        "select $1, $2, email from people",
        "select email, $3::bytea from people \\bind x y z \\g",
        "select email, $2::bytea from people \\bind a b \\g",
        "select $1::bytea, email from people \\bind \\g",
        "select email from people where $2 = $2 and email = $1 \\bind x \\g",
        "prepare p as select email, $1::bytea, $2::bytea from people\n\nexecute p",
        "select * from pg_prepared_statements",
        "copy (select email from people) to stdout",
        "copy people to stdout with binary",
        "begin\n\ndeclare c cursor for select email from people\n\nselect * from pg_cursors",
        "select ev_action from pg_rewrite where ev_class = 'people'::regclass",
        "select current_query(), email from people",
        "select query from pg_stat_activity",
        "explain (generic_plan) select email from people",
        "explain (analyze off, verbose) select email from people where email = '0'",
        "explain (analyze false) select p.email from people p join contacts c on p.email = c.mail",
        "explain (analyze 0) select email from people",
        "explain (analyze, analyze off) select email from people",
    ];
    for attack in ATTACKS.iter().chain(&further) {
        let answer = psql(&login, attack);
        assert!(!holds(answer.as_bytes(), &forms), "{attack} shows the key:\n{answer}");
        assert!(!answer.contains("server closed the connection"), "{attack} ends the session:\n{answer}");
    }
    // The statements that are read at all were really asked.
    assert!(psql(&login, "select email from people").contains(&derived(FIRST, "pii", "support").text(ANN)));
    assert!(psql(&login, ATTACKS[0]).contains("sha256"), "{}", psql(&login, ATTACKS[0]));
    assert!(psql(&login, ATTACKS[4]).contains("would print the key"), "{}", psql(&login, ATTACKS[4]));
    let record: Vec<String> = gateway.record().iter().map(ToString::to_string).collect();
    for line in record.iter().chain([&gateway.log()]) {
        assert!(!holds(line.as_bytes(), &forms), "{line} has the key");
    }
    assert!(
        record.iter().any(|line| line.contains("sha256") && line.contains("$1")),
        "the record has what was sent"
    );
}

/// A store whose own view makes the hashes, with the same key.
fn naked() -> Database<'static> {
    let store = Postgres::shared().database_with("crm");
    store.run(STORE);
    let key = derived(FIRST, "pii", "support");
    let [inner, outer] = key.parameters().map(|block| {
        let hex: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("'\\x{hex}'::bytea")
    });
    store.run(&format!(
        "alter table people rename to people_clear;
         create table key_of_hashes as select {inner} as inner_key, {outer} as outer_key;
         create view people as select id, encode(substr(sha256({outer} || sha256({inner} ||
             decode(replace(email, '\\', '\\\\'), 'escape'))), 1, 8), 'hex') as email, number from people_clear"
    ));
    store
}

fn naked_login(store: &Database<'_>) -> Vec<(&'static str, String)> {
    vec![
        ("PGHOST", store.server().socket_folder().display().to_string()),
        ("PGPORT", store.server().port().to_string()),
        ("PGUSER", postgres::SUPERUSER.to_owned()),
        ("PGDATABASE", store.name.clone()),
    ]
}

fn login(gateway: &Gateway) -> Vec<(&'static str, String)> {
    vec![
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", gateway.port().to_string()),
        ("PGUSER", "alice".to_owned()),
        ("PGPASSWORD", PASSWORD.to_owned()),
        ("PGDATABASE", "crm".to_owned()),
    ]
}

/// Everything that psql shows for an attack, a message a paragraph, all in one session.
fn psql(login: &[(&'static str, String)], attack: &str) -> String {
    let mut psql = Command::new(postgres::program("psql"));
    psql.args(["-X", "-A", "-v", "VERBOSITY=verbose"]).envs(login.iter().cloned());
    let script = tempfile::NamedTempFile::new().unwrap();
    let statement =
        |message: &str| if message.contains('\\') { format!("{message}\n") } else { format!("{message};\n") };
    std::fs::write(script.path(), attack.split("\n\n").map(statement).collect::<String>()).unwrap();
    let output = psql.arg("-f").arg(script.path()).output().unwrap();
    text(&output)
}

fn command(gateway: &Gateway, arguments: &[&str], input: &str) -> Output {
    use std::io::Write;
    let mut command = Command::new(executable());
    command.env_clear().args(arguments).arg("--config").arg(gateway.configuration());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    // One that reads nothing may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
