//! The book: every block of code in the pages is run, or says why it is not.
//!
//! - `yaml` is a policy, or a part of one or of a configuration: checked as the executable checks it, with its tests.
//! - `sql` is asked of the demo's gateway, by alice unless its first line says `-- as NAME for PURPOSE`.
//! - `sh` is run where the page is a walk (`start.md`); elsewhere it is commands of veilgate, which a test of the executable reads.
//! - `text` behind a block is what it answers, in part.
//!
//! `<!-- not run: why -->` before a block is its reason.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::{Auth, Options, Postgres, workspace};
use tokio_postgres::SimpleQueryMessage;

use crate::gateway::{Gateway, executable};

/// Reasons that may be given before somebody asks whether the book is still run.
const NOT_RUN_MAX: usize = 12;

/// A verifier where a page has room for the beginning of one only.
const VERIFIER: &str = "SCRAM-SHA-256$4096:dmVpbGdhdGUgZGVtbyAwMQ==$+c0FruvtCaIjgKr4l6EUbYtixiUfT3cc/so9hIZh5Y8=:vTIshNt9kdswvjCkiMmEeo4hWU03JtxdjX+zGGLW5X8=";

#[derive(Debug)]
struct Block {
    page: PathBuf,
    line: usize,
    language: String,
    text: String,
    not_run: Option<String>,
    /// The lines of the `text` behind it.
    expected: Vec<String>,
}

impl Block {
    fn place(&self) -> String {
        format!("{}:{}", self.page.display(), self.line)
    }

    fn is_in(&self, page: &str) -> bool {
        self.page.ends_with(page)
    }
}

/// All blocks of all pages, each `text` with the block before it.
fn blocks() -> Vec<Block> {
    let root = workspace::root();
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("SECURITY.md")];
    for folder in ["docs", "docs/decisions"] {
        let entries = fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    }
    pages.sort();
    let mut blocks: Vec<Block> = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let page = page.strip_prefix(&root).unwrap();
        read(page, &text, &mut blocks);
    }
    blocks
}

fn read(page: &Path, text: &str, blocks: &mut Vec<Block>) {
    let (mut not_run, mut follows) = (None, false);
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            let marker =
                line.trim().strip_prefix("<!-- not run: ").and_then(|line| line.strip_suffix(" -->"));
            not_run = marker.map(str::to_owned).or(not_run.filter(|_| line.trim().is_empty()));
            follows &= line.trim().is_empty();
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim() != "```")
            .map(|line| line.get(indent..).unwrap_or(line.trim_start()))
            .collect();
        if language == "text" && follows {
            blocks.last_mut().unwrap().expected = body.iter().map(|line| (*line).to_owned()).collect();
        } else {
            blocks.push(Block {
                page: page.to_owned(),
                line: at + 1,
                language: language.to_owned(),
                text: body.join("\n") + "\n",
                not_run: not_run.take(),
                expected: Vec::new(),
            });
            follows = true;
        }
    }
}

#[tokio::test]
async fn every_block_is_run_or_says_why_not() {
    let (mut run, mut reasons, mut failures) = (0, Vec::new(), Vec::new());
    for block in blocks() {
        let result = match (&block.not_run, block.language.as_str()) {
            (Some(reason), _) => {
                assert!(reason.len() > 10, "{}: a reason is a sentence", block.place());
                reasons.push(format!("{}: {reason}", block.place()));
                continue;
            }
            // A walk is a test of its own.
            (None, "sh") if block.is_in("start.md") => Ok(()),
            (None, "sh") => only_veilgate(&block.text),
            (None, "yaml") => yaml(&block.text),
            (None, "sql") => sql(&block).await,
            (None, "json") => block
                .text
                .lines()
                .try_for_each(|line| serde_json::from_str::<serde_json::Value>(line).map(drop))
                .map_err(|error| error.to_string()),
            (None, "text") => Ok(()),
            (None, other) => Err(format!("nobody knows how to run `{other}`")),
        };
        run += usize::from(block.language != "text");
        if let Err(error) = result {
            failures.push(format!("{}: {error}\n{}", block.place(), block.text));
        }
    }
    eprintln!("{run} blocks are run, {} are not:\n{}", reasons.len(), reasons.join("\n"));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(run >= 25 && reasons.len() <= NOT_RUN_MAX, "{run} run, {} not", reasons.len());
}

fn only_veilgate(text: &str) -> Result<(), String> {
    let is_ours = |line: &&str| {
        let line = line.trim();
        !line.is_empty()
            && !line.starts_with('#')
            && !line.starts_with("veilgate ")
            && !line.contains("| veilgate ")
    };
    match text.lines().find(is_ours) {
        None => Ok(()),
        Some(line) => Err(format!("only a walk is run: what is `{line}`?")),
    }
}

/// The name of the first key, or of the first rule.
fn first_word(text: &str) -> &str {
    let line =
        text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#')).unwrap_or_default();
    line.split(':').next().unwrap_or_default()
}

fn yaml(text: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("policy")).unwrap();
    let demo = workspace::root().join("policies/demo");
    let store = &Gateway::shared().store;
    let stores = format!(
        "stores: {{crm: {{port: {}, database: {}, user: gateway, tls: {{mode: off}}}}}}\n",
        store.server().port(),
        store.name
    );
    let base = "policy: policy\naudit: {path: audit.jsonl}\n";
    fs::write(at("callers.yaml"), "# nobody\n").unwrap();
    let is_policy = |word: &str| ["caller", "data", "masks", "lookups", "rules", "tests"].contains(&word);
    let mut commands: Vec<&[&str]> = vec![&["check"], &["test"]];
    let mut configuration = format!("{base}callers_file: callers.yaml\n{stores}");
    match first_word(text) {
        "veilgate" => fs::write(at("policy/page.yaml"), text).unwrap(),
        word if is_policy(word) || word.starts_with("- ") => {
            fs::copy(demo.join("10-data.yaml"), at("policy/10-data.yaml")).unwrap();
            let rules = if word.starts_with("- ") { "rules:\n" } else { "" };
            fs::write(at("policy/page.yaml"), format!("veilgate: 1\n{rules}{text}")).unwrap();
        }
        "callers" => {
            for entry in fs::read_dir(&demo).unwrap() {
                let path = entry.unwrap().path();
                fs::copy(&path, at("policy").join(path.file_name().unwrap())).unwrap();
            }
            commands = vec![&["check", "--offline"]];
            configuration = format!("{base}{stores}{}", text.replace("SCRAM-SHA-256$4096:…", VERIFIER));
        }
        word => return Err(format!("nobody knows what begins with `{word}`")),
    }
    fs::write(at("veilgate.yaml"), configuration).unwrap();
    for arguments in commands {
        let mut command = Command::new(executable());
        let output = command.env_clear().current_dir(folder.path()).args(arguments).output().unwrap();
        if !output.status.success() {
            return Err(format!("veilgate {}:\n{}", arguments.join(" "), all(&output)));
        }
    }
    Ok(())
}

async fn sql(block: &Block) -> Result<(), String> {
    let gateway = Gateway::shared();
    let words: Vec<&str> = block.text.lines().next().unwrap_or_default().split(' ').collect();
    let client = match words[..] {
        ["--", "as", caller, "for", purpose] => gateway.client_for(caller, purpose).await,
        ["--", "as", caller] => gateway.client(caller).await,
        _ => gateway.client("alice").await,
    };
    let told = match client.simple_query(&block.text).await {
        Ok(messages) => {
            let row = |message: &SimpleQueryMessage| {
                let SimpleQueryMessage::Row(row) = message else { return None };
                let cells: Vec<&str> = (0..row.len()).map(|at| row.get(at).unwrap_or_default()).collect();
                Some(format!("{}\n", cells.join(" | ")))
            };
            messages.iter().filter_map(row).collect::<String>()
        }
        Err(error) => {
            let error = error.as_db_error().ok_or_else(|| error.to_string())?;
            let hint = error.hint().map(|hint| format!("HINT: {hint}\n")).unwrap_or_default();
            format!("ERROR: {}: {}\n{hint}", error.code().code(), error.message())
        }
    };
    if block.expected.is_empty() && told.starts_with("ERROR") {
        return Err(told);
    }
    matches(&block.expected, &told)
}

/// Whether each line that is expected is told, in this order.
fn matches(expected: &[String], told: &str) -> Result<(), String> {
    let mut lines = told.lines();
    for line in expected.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
        if !lines.any(|told| told.contains(line)) {
            return Err(format!("no line `{line}` in\n{told}"));
        }
    }
    Ok(())
}

/// `start.md` as a new user walks through it.
#[test]
fn the_first_five_minutes_go_as_they_are_written() {
    let psql = crate::clients::client("psql");
    let options = Options { auth: Auth::Scram, ..Options::default() };
    let server: &'static Postgres = Box::leak(Box::new(Postgres::start_with(&options)));
    let mut store = server.database_with("crm");
    server.run("postgres", &format!("alter database {} rename to crm", store.name));
    store.name = "crm".to_owned();
    let mut store = Some(store);

    let folder = tempfile::Builder::new().prefix("vg-").tempdir().unwrap().keep();
    let port = testkit::postgres::free_port();
    let places = |text: &str| {
        let url = format!("postgres://postgres:postgres@127.0.0.1:{}/crm?sslmode=disable", server.port());
        text.replace("postgres://postgres@127.0.0.1/crm", &url).replace("6432", &port.to_string())
    };
    let veilgate = executable();
    let path = [veilgate.parent().unwrap(), psql.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")];
    let path = std::env::join_paths(path).unwrap();
    let (mut exported, mut gateway, mut run) = (String::new(), None, 0);
    for block in blocks().iter().filter(|block| block.is_in("start.md") && block.language == "sh") {
        if block.not_run.is_some() {
            continue;
        }
        run += 1;
        if block.text.trim() == "veilgate serve" {
            gateway = Some(Gateway::of_folder(folder.clone(), port, store.take().unwrap()));
            continue;
        }
        let mut bash = Command::new("/bin/bash");
        bash.env_clear().env("PATH", &path).env("HOME", &folder).current_dir(&folder);
        let output = bash
            .args(["-eu", "-o", "pipefail", "-c", &places(&format!("{exported}{}", block.text))])
            .output()
            .unwrap();
        let told = all(&output);
        let fails = block.expected.first().is_some_and(|line| line.starts_with("ERROR"));
        assert_eq!(output.status.success(), !fails, "{}\n{}\n{told}", block.place(), block.text);
        matches(&block.expected, &told).unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        exported.extend(
            block.text.lines().filter(|line| line.starts_with("export ")).map(|line| format!("{line}\n")),
        );
        // The port of the page is somebody else's here.
        let config = folder.join("veilgate.yaml");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, places(&text)).unwrap();
    }
    assert!(gateway.is_some() && run > 8, "{run} blocks");
    drop(gateway);
    let _ = fs::remove_dir_all(&folder);
}

fn all(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}
