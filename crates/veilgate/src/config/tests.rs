//! Configurations that are right, and everything that is told about one that is not.

use super::settings::{SETTINGS, Unset, variable};
use super::*;

const SMALL: &str = "\
policy: policies
callers:
  alice:
    verifier: SCRAM-SHA-256$4096:dmVpbGdhdGUgZGVtbyAwMQ==$+c0FruvtCaIjgKr4l6EUbYtixiUfT3cc/so9hIZh5Y8=:vTIshNt9kdswvjCkiMmEeo4hWU03JtxdjX+zGGLW5X8=
    purposes: [support, analytics]
    attributes: {roles: [support], region: EU, level: 007, team: null, tags: []}
audit: {path: log/audit.jsonl}
stores:
  crm: {user: veilgate, tls: {mode: off}}
";

fn read_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<Diagnostic>> {
    let source = Source { path: "/etc/veilgate/veilgate.yaml".into(), text: text.into() };
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    read(&source, &Environment::new(variables))
}

fn errors(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let errors = read_with(text, variables).expect_err("errors");
    let shown = |error: &Diagnostic| {
        let help = error.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("{}:{} {}{help}", error.line, error.column, error.message)
    };
    errors.iter().map(shown).collect()
}

#[test]
fn a_small_configuration_has_defaults_for_the_rest() {
    let config = read_with(SMALL, &[]).unwrap();
    assert_eq!(config.policy, Path::new("/etc/veilgate/policies"));
    assert_eq!(config.audit, Path::new("/etc/veilgate/log/audit.jsonl"));
    assert_eq!(config.postgres.address.to_string(), "127.0.0.1:6432");
    assert_eq!((config.postgres.tls, config.postgres.certificate), (ListenerTls::Require, None));
    assert_eq!(config.limits.idle_ms_max, 86_400_000);
    let [store] = &config.stores[..] else { panic!("one store") };
    assert_eq!((&*store.name, &*store.database, &*store.user), ("crm", "crm", "veilgate"));
    assert_eq!((&*store.host, store.port), ("127.0.0.1", 5432));
    let CallersFrom::Here(callers) = &config.callers else { panic!("callers here") };
    let alice = &callers["alice"].identity;
    assert_eq!(alice.purposes, ["support", "analytics"]);
    let attributes: Vec<_> =
        alice.attributes.iter().map(|(name, values)| (&**name, values.join(","))).collect();
    let expected = [("level", "007"), ("region", "EU"), ("roles", "support"), ("tags", "")];
    assert_eq!(attributes, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn every_setting_has_a_variable_that_overrides_it() {
    let config = read_with(
        SMALL,
        &[
            ("VEILGATE_LISTENERS_POSTGRES_ADDRESS", "0.0.0.0:5432"),
            ("VEILGATE_STORES_CRM_HOST", "db"),
            ("VEILGATE_STORES_CRM_POOL_CONNECTIONS_MAX", "7"),
            ("VEILGATE_STORES_CRM_EXTENSION_SCHEMAS", "ext, gis"),
            ("VEILGATE_CALLERS_ALICE_ATTRIBUTES_REGION", "US"),
        ],
    )
    .unwrap();
    assert_eq!(config.postgres.address.to_string(), "0.0.0.0:5432");
    let store = &config.stores[0];
    assert_eq!((&*store.host, store.port), ("db", 5432));
    assert_eq!(
        (store.pool.connections_max, &store.extension_schemas[..]),
        (7, &["ext".to_owned(), "gis".to_owned()][..])
    );
    let CallersFrom::Here(callers) = &config.callers else { panic!("callers here") };
    assert_eq!(callers["alice"].identity.attributes["region"], ["US"]);
}

#[test]
fn all_errors_come_in_one_run_with_their_places() {
    let text = "\
polcy: policies
callers_file: callers.yaml
callers: {bob: {verifier: secret}}
audit: {durability: disk}
listeners: {postgres: {address: localhost, tls: requir, cert_file: x.pem}}
stores:
  crm: {kind: mysql, host: h, socket: /run, user: '', password_file: a, password_env: B}
  crm2: {tls: {mode: verify}, pool: 3}
limits: {connections_max: 0, idle_ms_max: -1, message_bytes_max: [1, 2]}
";
    let expected = [
        "1:1 `policy` is not set (The folder of the policy's files, all `*.yaml` in it. Or set VEILGATE_POLICY.)",
        "1:1 `audit.path` is not set (The file of the record, one JSON line each. Opened anew by a reload. Or set VEILGATE_AUDIT_PATH.)",
        "1:1 there is no setting `polcy` (did you mean `policy`?)",
        "2:15 callers stand here and in a file: only one of the two may be",
        "4:21 `audit.durability` is one of `os`, not `disk`",
        "5:33 `listeners.postgres.address` is an IP address and a port such as `127.0.0.1:6432`, not `localhost`",
        "5:49 `listeners.postgres.tls` is one of `require`, `allow`, `off`, not `requir` (did you mean `require`?)",
        "5:68 a certificate needs `listeners.postgres.key_file` too",
        "7:15 `stores.crm.kind` is one of `postgres`, not `mysql`",
        "7:39 store `crm` has a host and a socket: only one of the two may be",
        "7:51 `stores.crm.user` is empty",
        "7:87 store `crm` has two passwords: only a file or a variable may be",
        "8:3 `stores.crm2.user` is not set (The gateway's own login there. Callers have none. Or set VEILGATE_STORES_CRM2_USER.)",
        "8:3 store `crm2` is to be verified, but `stores.crm2.tls.ca_file` is not set (name the authority's file; or write `tls: {mode: off}` on a network that you trust)",
        "8:37 `stores.crm2.pool` is a section with settings of its own, not a text",
        "9:27 `limits.connections_max` is a whole number above 0, not `0`",
        "9:43 `limits.idle_ms_max` is a number of milliseconds above 0, not `-1`",
        "9:66 `limits.message_bytes_max` is one value, not a list",
    ];
    assert_eq!(errors(text, &[]), expected);
}

#[test]
fn an_error_in_a_variable_is_drawn_there() {
    let error = &read_with(SMALL, &[("VEILGATE_LIMITS_NESTING_MAX", "deep")]).unwrap_err()[0];
    let picture = error.to_string();
    assert!(picture.contains("--> environment:1:29") && picture.contains("NESTING_MAX=deep"), "{picture}");
}

#[test]
fn nothing_to_serve_is_an_error() {
    let found = errors("policy: p\naudit: {path: a}\n", &[]);
    let expected = [
        "1:1 there are no callers: set `callers_file`, or write `callers` here",
        "1:1 there is no store: name one under `stores`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_file_of_callers_is_read_like_callers_here() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("callers.yaml");
    std::fs::write(&path, "bob@example.org: {verifier: 'SCRAM-SHA-256$4096:dmVpbGdhdGUgZGVtbyAwMQ==$+c0FruvtCaIjgKr4l6EUbYtixiUfT3cc/so9hIZh5Y8=:vTIshNt9kdswvjCkiMmEeo4hWU03JtxdjX+zGGLW5X8='}\n")
        .unwrap();
    assert_eq!(read_callers(&path).unwrap()["bob@example.org"].identity.purposes, Vec::<String>::new());
    std::fs::write(&path, "bob: {verifer: x}\neve: {verifier: hunter2}\n").unwrap();
    let messages: Vec<_> =
        read_callers(&path).unwrap_err().iter().map(|error| error.message.clone()).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages.iter().all(|message| !message.contains("hunter2")), "{messages:?}");
    assert!(
        read_callers(&dir.path().join("none.yaml")).unwrap_err()[0].message.starts_with("cannot read it")
    );
}

#[test]
fn the_document_lists_every_setting_as_it_is() {
    let document = include_str!("../../../../docs/configuration.md");
    for setting in SETTINGS {
        let default = match setting.default {
            Unset::Is(value) => format!("`{value}`"),
            Unset::Nothing => "–".to_owned(),
            Unset::Required => "required".to_owned(),
        };
        let name = |part: &str| if part == "*" { "NAME".to_owned() } else { part.to_owned() };
        let path = setting.path.split('.').map(name).collect::<Vec<_>>().join(".");
        let row = format!("| `{path}` | {default} | {} |\n", setting.doc);
        assert!(document.contains(&row), "docs/configuration.md lacks the row\n{row}");
        assert!(document.contains(&variable("stores.crm.pool.wait_ms_max")));
    }
}

#[test]
fn the_example_is_a_configuration() {
    let text = include_str!("../../../../veilgate.example.yaml");
    read_with(text, &[]).unwrap();
}

#[test]
fn a_key_has_versions_and_each_comes_from_one_place() {
    let with = |keys: &str| format!("{SMALL}{keys}\n");
    let text = with("keys: {pii: {version: 2, versions: {1: {file: k/1}, 2: {command: [pass, show]}}}}");
    let key = read_with(&text, &[]).unwrap().hash_key.unwrap();
    assert_eq!((&*key.name, key.current), ("pii", 2));
    let command = KeyFrom::Command(vec!["pass".into(), "show".into()]);
    assert_eq!(key.versions, [(1, KeyFrom::File("/etc/veilgate/k/1".into())), (2, command)]);
    let two = "{a: {versions: {1: {env: A}}}, b: {versions: {7: {env: B}}}}";
    let chosen = read_with(&with(&format!("keys: {two}\nhash: {{key: b}}")), &[]).unwrap().hash_key.unwrap();
    assert_eq!((&*chosen.name, chosen.current), ("b", 7));
    assert_eq!(read_with(SMALL, &[]).unwrap().hash_key, None);

    for (keys, told) in [
        (format!("keys: {two}"), "say in `hash.key` which one"),
        (format!("keys: {two}\nhash: {{key: c}}"), "there is no key `c` under `keys`"),
        ("hash: {key: c}".into(), "there is no key `c` under `keys`"),
        ("keys: {a: {versions: {}}}".into(), "key `a` has no version"),
        (
            "keys: {a: {versions: {1: {env: A}, 2: {env: B}}}}".into(),
            "say in `keys.a.version` which one is used",
        ),
        ("keys: {a: {version: 3, versions: {1: {env: A}}}}".into(), "key `a` has no version 3"),
        ("keys: {a: {version: x, versions: {1: {env: A}}}}".into(), "is a whole number above 0, not `x`"),
        ("keys: {a: {versions: {01: {env: A}}}}".into(), "not `01`"),
        ("keys: {a: {versions: {1: {env: A, file: b}}}}".into(), "has several sources"),
        ("keys: {a: {versions: {1: {}}}}".into(), "has no source"),
        ("keys: {a: {versions: {1: 0123456789abcdef}}}".into(), "is a section with settings of its own"),
    ] {
        let found = errors(&with(&keys), &[]);
        assert!(found.iter().any(|error| error.contains(told)), "{keys}: {found:?}");
        for error in read_with(&with(&keys), &[]).unwrap_err() {
            let drawn = error.to_string();
            assert!(!drawn.contains("0123456789"), "{drawn}");
        }
    }
}
