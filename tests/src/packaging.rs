//! What the gateway is packed in: an image, a composition, a unit. Read as far as that goes without running them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use policy::Source;
use policy::document::{self, Kind, Node};
use testkit::workspace;

use crate::gateway::executable;

fn text(path: &str) -> String {
    fs::read_to_string(workspace::root().join(path)).unwrap()
}

/// The instructions of a Dockerfile, continued lines joined.
fn instructions(text: &str) -> Vec<(String, String)> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            (word.to_owned(), rest.trim().to_owned())
        })
        .collect()
}

#[test]
fn the_image_is_small_and_runs_as_nobody() {
    const KNOWN: [&str; 12] = [
        "FROM",
        "RUN",
        "WORKDIR",
        "COPY",
        "USER",
        "VOLUME",
        "EXPOSE",
        "ENV",
        "HEALTHCHECK",
        "STOPSIGNAL",
        "ENTRYPOINT",
        "CMD",
    ];
    let text = text("docker/Dockerfile");
    let all = instructions(&text);
    assert!(all.iter().all(|(word, _)| KNOWN.contains(&word.as_str())), "{all:?}");
    let stages: Vec<usize> =
        all.iter().enumerate().filter(|(_, (word, _))| word == "FROM").map(|(at, _)| at).collect();
    let [build, last] = stages[..] else { panic!("two stages: {stages:?}") };
    assert!(all[build].1.ends_with(" AS build") && all[last].1.contains("distroless"), "{all:?}");
    let image = &all[last + 1..];
    let of = |word: &str| -> Vec<&str> {
        image.iter().filter(|(own, _)| own == word).map(|(_, rest)| rest.as_str()).collect()
    };
    // It has no shell: nothing is run in it, and what starts it is a list of words.
    assert!(of("RUN").is_empty());
    assert_eq!(of("USER"), ["nonroot:nonroot"]);
    for copied in of("COPY") {
        assert!(copied.starts_with("--from=build "), "{copied}");
    }
    let list = |text: &str| serde_json::from_str::<Vec<String>>(text).unwrap();
    let (entry, arguments) = (list(of("ENTRYPOINT")[0]), list(of("CMD")[0]));
    assert!(of("COPY").iter().any(|copied| copied.ends_with(&entry[0])), "{entry:?}");
    let health = list(of("HEALTHCHECK")[0].split_once("CMD ").unwrap().1);
    for words in [&arguments[..], &health[1..]] {
        is_command(words);
    }
    // Built as the workspace says.
    let build =
        all[build..last].iter().find(|(word, rest)| word == "RUN" && rest.contains("cargo build")).unwrap();
    for flag in ["--locked", "--release", "--no-default-features", "--package veilgate"] {
        assert!(build.1.contains(flag), "{build:?}");
    }
    let version = all[0].1.split(':').nth(1).unwrap().split('-').next().unwrap();
    assert!(self::text("Cargo.toml").contains(&format!("rust-version = \"{version}\"")), "{version}");
}

#[test]
fn the_composition_mounts_what_is_there_and_its_configuration_is_good() {
    let services = field(&read("docker/compose.yaml"), "services");
    let store = field(&services, "store");
    let gateway = field(&services, "veilgate");
    let folder = workspace::root().join("docker");
    let mut mounts = BTreeMap::new();
    for mount in list(&field(&store, "volumes")).into_iter().chain(list(&field(&gateway, "volumes"))) {
        let parts: Vec<&str> = mount.split(':').collect();
        if parts[0].starts_with('.') {
            let from = folder.join(parts[0]);
            assert!(from.exists() && parts[2] == "ro", "{mount}");
            mounts.insert(PathBuf::from(parts[1]), from);
        }
    }
    // The store has no port of its own, and is on no network that leads out.
    assert!(entries(&store).iter().all(|(key, _)| key != "ports"));
    assert_eq!(list(&field(&store, "networks")), ["inside"]);
    assert_eq!(
        scalar(&field(&field(&field(&read("docker/compose.yaml"), "networks"), "inside"), "internal")),
        "true"
    );
    for port in list(&field(&gateway, "ports")) {
        assert!(port.starts_with("127.0.0.1:"), "{port}");
    }
    let built = field(&gateway, "build");
    assert!(
        folder.join(scalar(&field(&built, "context"))).join(scalar(&field(&built, "dockerfile"))).is_file()
    );

    // What the gateway finds in its container.
    let root = tempfile::tempdir().unwrap();
    for (to, from) in &mounts {
        let to = root.path().join(to.strip_prefix("/").unwrap());
        copy(from, &to);
    }
    let mut check = Command::new(executable());
    check.env_clear().env("CRM_PASSWORD", "x").args(["check", "--offline", "--config"]);
    let output = check.arg(root.path().join("etc/veilgate/veilgate.yaml")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_logins_script_is_one_that_a_store_takes() {
    let store = testkit::Postgres::shared().database_with("crm");
    let script = text("docker/store/login.sh");
    let sql = script.split("<<'SQL'\n").nth(1).unwrap().split("\nSQL").next().unwrap();
    store
        .run(&sql.replace(":'password'", "'x'").replace("DATABASE crm", &format!("DATABASE {}", store.name)));
    store.run("do $$ begin assert has_table_privilege('veilgate', 'customers', 'select'); end $$");
    store.run("drop owned by veilgate; drop role veilgate");
}

#[test]
fn the_unit_is_one_that_systemd_reads() {
    let unit = text("packaging/veilgate.service");
    for line in unit.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(line.starts_with('[') || line.contains('='), "{line}");
    }
    for setting in ["ExecStart", "ExecReload"] {
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{setting}=/usr/local/bin/veilgate ")))
            .unwrap();
        is_command(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    }
    if !Path::new("/usr/bin/systemd-analyze").is_file() {
        eprintln!("passed over: systemd-analyze is not installed");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("veilgate.service");
    fs::write(&path, unit.replace("/usr/local/bin/veilgate", executable().to_str().unwrap())).unwrap();
    let output = Command::new("/usr/bin/systemd-analyze").arg("verify").arg(&path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    // What it says of other units of the machine is not about this one.
    let ours: Vec<&str> = told.lines().filter(|line| line.contains("veilgate.service")).collect();
    assert!(ours.is_empty(), "{ours:?}");
}

#[test]
fn every_help_has_an_example() {
    let mut commands = vec![Vec::new()];
    let mut seen = 0;
    while let Some(command) = commands.pop() {
        let help = help(&command);
        assert!(help.contains("Example"), "veilgate {} --help has no example:\n{help}", command.join(" "));
        seen += 1;
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        for line in listed.lines().take_while(|line| !line.trim().is_empty()) {
            let name = line.split_whitespace().next().unwrap();
            // What continues a line above has more indentation.
            if line.starts_with("  ") && !line.starts_with("   ") && name != "help" {
                commands.push([command.clone(), vec![name.to_owned()]].concat());
            }
        }
    }
    assert!(seen > 15, "{seen} commands only");
}

/// Whether the executable knows this command line, as far as its words go.
pub(crate) fn is_command(words: &[String]) {
    let commands: Vec<&str> =
        words.iter().map(String::as_str).take_while(|word| !word.starts_with('-')).collect();
    let output = Command::new(executable()).env_clear().args(commands).arg("--help").output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
}

fn help(command: &[String]) -> String {
    let output = Command::new(executable()).env_clear().args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn read(path: &str) -> Node {
    document::read(&Source { path: path.to_owned(), text: text(path) }).unwrap()
}

fn entries(node: &Node) -> Vec<(String, Node)> {
    let Kind::Mapping(entries) = &node.kind else { panic!("{node:?}") };
    entries.iter().map(|(key, value)| (key.text.clone(), value.clone())).collect()
}

fn field(node: &Node, name: &str) -> Node {
    entries(node).into_iter().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no {name}")).1
}

fn scalar(node: &Node) -> String {
    let Kind::Scalar(scalar) = &node.kind else { panic!("{node:?}") };
    scalar.text.clone()
}

fn list(node: &Node) -> Vec<String> {
    let Kind::Sequence(items) = &node.kind else { panic!("{node:?}") };
    items.iter().map(scalar).collect()
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
        return;
    }
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        copy(&path, &to.join(path.file_name().unwrap()));
    }
}
