//! A gateway for a test: the real executable before a real PostgreSQL, gone with the test.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use testkit::postgres::{self, GATEWAY, free_port};
use testkit::watchdog::Watched;
use testkit::{Database, Postgres, workspace};
use tokio_postgres::{Client, Config};

/// The password of every caller in `fixtures/callers.yaml`.
pub(crate) const PASSWORD: &str = "demo";

/// How long a gateway may take until it listens, and a change of policy until it holds.
const READY_SECONDS_MAX: u64 = 30;

/// A running gateway before the store `crm`.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// The store, as its owner sees it.
    pub(crate) store: Database<'static>,
    folder: PathBuf,
    port: u16,
    program: Watched,
}

/// What is special about a gateway.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The folder of its policy; it is copied, so that a test can change it.
    pub(crate) policy: PathBuf,
    /// One more file of it.
    pub(crate) more: Option<PathBuf>,
    /// What the store is filled with: a folder under `fixtures/`.
    pub(crate) fixture: &'static str,
    /// The database that the store is a copy of, where it is not a new one with that fixture.
    pub(crate) template: Option<String>,
    /// Statements that the store's owner runs before anything starts.
    pub(crate) prepare: Vec<String>,
    /// What else the owner does to the store.
    pub(crate) fill: Option<fn(&Database<'_>)>,
    /// Connections upstream, where there is another limit than the default.
    pub(crate) pool: Option<u32>,
    /// Where the record goes, where that is not a file of its own.
    pub(crate) record: Option<PathBuf>,
    /// The port of `/healthz` and `/readyz`, where they are to be had.
    pub(crate) health: Option<u16>,
    /// The key `hash` in these versions; the last one is used.
    pub(crate) keys: Vec<(u32, &'static str)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            policy: workspace::root().join("policies/demo"),
            more: None,
            fixture: "crm",
            template: None,
            prepare: Vec::new(),
            fill: None,
            pool: None,
            record: None,
            health: None,
            keys: Vec::new(),
        }
    }
}

impl Gateway {
    /// The demo's policy before the fixtures of `crm`.
    pub(crate) fn start() -> Self {
        Self::start_with(&Setup::default())
    }

    /// The one that all tests of this process share, for those that only read.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Gateway> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start_with(setup: &Setup) -> Self {
        let store = match &setup.template {
            Some(template) => Postgres::shared().database_like(template),
            None => Postgres::shared().database_with(setup.fixture),
        };
        for statements in &setup.prepare {
            store.run(statements);
        }
        if let Some(fill) = setup.fill {
            fill(&store);
        }
        let folder = tempfile::Builder::new().prefix("vg-").tempdir().unwrap().keep();
        copy_files(&setup.policy, &folder.join("policy"));
        if let Some(more) = &setup.more {
            fs::copy(more, folder.join("policy").join(more.file_name().unwrap())).unwrap();
        }
        fs::copy(workspace::fixture("callers.yaml"), folder.join("callers.yaml")).unwrap();
        let port = free_port();
        fs::write(folder.join("veilgate.yaml"), configuration(setup, &folder, port, &store)).unwrap();
        if let Some((current, _)) = setup.keys.last() {
            add_keys(&folder, *current, &setup.keys);
        }
        Self::of_folder(folder, port, store)
    }

    /// The gateway whose configuration stands in this folder; it goes with the test.
    pub(crate) fn of_folder(folder: PathBuf, port: u16, store: Database<'static>) -> Self {
        let program = [
            executable().into_os_string(),
            "serve".into(),
            "--config".into(),
            folder.join("veilgate.yaml").into(),
        ];
        let program = Watched::start(&folder, "KILL", program, |shell| {
            // No setting of the developer's own reaches it.
            shell.env_clear().env("PATH", "/usr/bin:/bin").env("RUST_BACKTRACE", "1");
        });
        let mut gateway = Self { store, folder, port, program };
        gateway.await_ready();
        gateway
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How a caller connects.
    pub(crate) fn config(&self, caller: &str) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user(caller).password(PASSWORD).dbname("crm");
        config
    }

    /// A caller's connection.
    pub(crate) async fn client(&self, caller: &str) -> Client {
        postgres::connect(&self.config(caller)).await
    }

    /// A caller's connection with one of several purposes.
    pub(crate) async fn client_for(&self, caller: &str, purpose: &str) -> Client {
        let mut config = self.config(caller);
        config.options(format!("-c veilgate.purpose={purpose}"));
        postgres::connect(&config).await
    }

    /// The record so far, one entry a line.
    pub(crate) fn record(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.folder.join("audit.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What the gateway has logged so far.
    pub(crate) fn log(&self) -> String {
        self.program.log()
    }

    /// The policy's folder, for a test to change.
    pub(crate) fn policy(&self) -> PathBuf {
        self.folder.join("policy")
    }

    /// Its configuration.
    pub(crate) fn configuration(&self) -> PathBuf {
        self.folder.join("veilgate.yaml")
    }

    /// Writes these versions of the key `hash`, and which of them is used; of none there is no key.
    pub(crate) fn set_keys(&self, current: u32, versions: &[(u32, &str)]) {
        let text = fs::read_to_string(self.configuration()).unwrap();
        let kept: Vec<_> = text.lines().filter(|line| !line.starts_with("keys:")).collect();
        fs::write(self.configuration(), kept.join("\n")).unwrap();
        if !versions.is_empty() {
            add_keys(&self.folder, current, versions);
        }
    }

    /// Lets everybody read a version of the key.
    pub(crate) fn open_key(&self, version: u32) {
        let path = self.folder.join(format!("{version}.key"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Has the gateway read its policy anew, and waits until it says what came of it.
    pub(crate) fn reload(&self) -> bool {
        let mut reload = std::process::Command::new(executable());
        reload.arg("reload").arg("--config").arg(self.configuration());
        reload.output().unwrap().status.success()
    }

    /// Sends a signal: `HUP`, `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        self.program.signal(signal);
    }

    /// The most memory that the gateway has held so far.
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let pid = fs::read_to_string(self.folder.join("pid")).unwrap();
        let status = fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn await_ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS_MAX);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.program.ended();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "the gateway does not start:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The executable that was built with this test.
pub(crate) fn executable() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let executable = test.ancestors().nth(2).unwrap().join("veilgate");
    assert!(executable.is_file(), "{} is missing: `./test` builds it", executable.display());
    executable
}

fn configuration(setup: &Setup, folder: &Path, port: u16, store: &Database<'_>) -> String {
    let record = setup.record.clone().unwrap_or_else(|| folder.join("audit.jsonl"));
    let pool = setup.pool.map(|limit| format!(", pool: {{connections_max: {limit}}}")).unwrap_or_default();
    let health = setup.health.map(|port| format!(", address: \"127.0.0.1:{port}\"")).unwrap_or_default();
    let (record, folder, store_port, database) =
        (record.display(), folder.display(), store.server().port(), &store.name);
    [
        format!("policy: {folder}/policy"),
        format!("callers_file: {folder}/callers.yaml"),
        format!("audit: {{path: {record}}}"),
        format!("admin: {{socket: {folder}/admin.sock{health}}}"),
        format!("listeners: {{postgres: {{address: \"127.0.0.1:{port}\", tls: allow}}}}"),
        "stores:".to_owned(),
        format!(
            "  crm: {{port: {store_port}, database: {database}, user: {GATEWAY}, tls: {{mode: off}}{pool}}}"
        ),
    ]
    .join("\n")
}

fn add_keys(folder: &Path, current: u32, versions: &[(u32, &str)]) {
    let mut named = Vec::new();
    for (version, text) in versions {
        let path = folder.join(format!("{version}.key"));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        named.push(format!("{version}: {{file: {}}}", path.display()));
    }
    let file = folder.join("veilgate.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let versions = named.join(", ");
    fs::write(file, format!("{text}\nkeys: {{hash: {{version: {current}, versions: {{{versions}}}}}}}\n"))
        .unwrap();
}

fn copy_files(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}
